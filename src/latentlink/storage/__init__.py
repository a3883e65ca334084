"""Files: written whole or not at all, and read back with every byte checked.

Read `artifacts` (saved links, pairs, codecs and heads: one safetensors file each), `provenance` (how they were made) and `fields` (what
their content is held to), then `atomic` (files that are whole or not there), `refusals` (what the system refuses, in words) and `folders`
(where caches are).
"""

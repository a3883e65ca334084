"""How reports look and what they say.

Read in this order: `wording` (settings in words), `axes` (where rows lie), `measures` (how tables show values), `palette` (how methods are
drawn).
"""

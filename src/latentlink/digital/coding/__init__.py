"""Channel codes: payloads as symbols over the parallel streams of a channel.

Read `block` (from payload to symbols and back), `block_code` (the codes of 5G), `amplitudes` (QAM and its information) and `loading` (bits
and power of each stream).
"""

"""A link measured: what the receiver understands, how much power and time that takes, and how surely it is known.

Read `evaluate` first, then `papr` (peaks of the transmitted signal, clipping amplifiers), `latency` (seconds on this machine) and
`intervals` (confidence over seeds and channels).
"""

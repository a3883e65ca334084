"""Measurements of a link: the receiver's accuracy and errors, the power and the time that it takes, and how certain they are.

Read `evaluate` first, then what it is made of: `figures`, `measurement` (messages that come in parts), `readings` (what a head makes of
them), `ranks` (what a search does), `spread` and `storing`. Then `papr` (peaks of the transmitted signal), `amplifier` (clipping),
`latency` (seconds on this machine), `intervals` (confidence over seeds and channels) and `best` (which method is the best, by paired
differences).
"""

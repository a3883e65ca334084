"""Measurements of a link: the receiver's accuracy and errors, the power and the time that it takes, and how certain they are.

Read `evaluate` first, then `papr` (peaks of the transmitted signal), `amplifier` (clipping), `latency` (seconds on this machine),
`intervals` (confidence over seeds and channels) and `best` (which method is the best, by paired differences).
"""

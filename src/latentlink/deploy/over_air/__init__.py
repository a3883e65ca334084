"""Links of processes over an air, beside the simulation of the same air.

Read `air` (the air of a run and what the receiver reports of it), `processes` (which sends latents through it) and `simulation` (what the
library expects of it).
"""

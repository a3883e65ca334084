"""Channel state information: the posterior of an estimate, estimation from pilots, statistics, ageing and quantised feedback.

Read `posterior` first (what an estimate says of the channel), then `statistics` and `estimation`, `ageing`, and `feedback`. Who knows what,
and what a design makes of it, is in `linear/csi_cases`.
"""

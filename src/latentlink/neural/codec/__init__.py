"""The codec: networks in mode coordinates that serve every channel, and contain the exact linear design.

Read `streams` (what a codec sees of a channel), `networks` (modulated by the channel), `ends` (the linear design plus what the networks
add, under a power limit), `gate` (which channels are served), `design` (`Codec`, which designs for any channel) and `transceiver` (what
runs on the devices). Training is `training` (`CodecTraining`, which is called), with `examples` (the pilots and channels that it is trained
on), `cross_fitting` (pilots that the modes were made of), `loop` (how), and `pruning` (complexity budgets).
"""

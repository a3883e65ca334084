"""Latents of the two devices: what is known of them for a design, and the pilots that it is measured on.

Read `moments` first (the second-order knowledge that linear designs need) with `merging` and `folds`, and `marginal` (that of one end),
then `labels`, `pilots` and `pilot_selection` (the observations that both devices share, and their classes), `look` and `dependence` (what
the latents look like, and whether their rows are paired at all), `whitening` (the root of a covariance that few pilots do not spoil) and
`packing` (real latents as complex symbols).
"""

"""Latents of the two devices: what is known of them for a design, and the pilots that it is measured on.

Read `moments` first (the second-order knowledge that linear designs need) with `merging` and `folds`, and `marginal` (that of one end),
`concepts`, `class_regression` and `without_pairs` (moments from what each end knows by itself), then `labels`, `pilots`,
`pilot_selection` and `representatives` (the observations that both devices share, their classes, and which of them stand for all), `look`
and `dependence` (what the latents look like, and whether their rows are paired at all), `whitening` (the root of a covariance that few
pilots do not spoil) and `packing` (real latents as complex symbols).
"""

"""Links from few pairs or none: what each end knows by itself, and estimators of how both belong together, all of which end in `Moments`.

Read `latents.marginal`, `latents.concepts` and `latents.without_pairs` first, which have the theorem that makes this possible; then
`centred` (pilots around the means of all latents), `residual_ridge` (few pairs in dual form) and `few_pairs` (the estimator); `spread` and
`spread_prior` (a graph of the transmitter's own latents as its prior), `decision_pilots` (answers by class), `pseudo_pairs` (what a
codec is trained on without pairs) and `published` (baselines).
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

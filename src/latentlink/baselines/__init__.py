"""The baselines that a joint design is compared with: alignment, selection and equalisation, each designed for itself.

Read `alignment` and `equalisers` (their parts), then `first_k_eigen_k` (both, and the disjoint design), `top_k` with
`top_k_transceiver`, `decision_link` with `constellation` and `decision_transceiver`, and `gated` with `gated_transceiver` (a gate over
several designs, so that a codec and a decision compete for each kind of channel).
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

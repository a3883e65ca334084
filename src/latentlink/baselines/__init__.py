"""The baselines that a joint design is compared with: alignment, selection and equalisation, each designed for itself.

Read `whitened` (what all of them do to what they send), `alignment` and `equalisers` (their parts), then `first_k`, `eigen_k`, `disjoint`
and `top_k` with its transceiver.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

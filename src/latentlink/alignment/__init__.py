"""Links from few pairs or none: what each end knows by itself, and estimators of how both belong together, all of which end in `Moments`.

Read `latents.marginal`, `latents.concepts` and `latents.without_pairs` first, which have the theorem that makes this possible.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

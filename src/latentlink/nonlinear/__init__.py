"""Beyond linear without training: links whose transmitter lifts latents by random features, or whose receiver averages over classes.

Read `lifted` (random Fourier features beside the latent, which keep the theorem of semantic modes) with `lifted_transceiver`, then
`mixture` (what is known of each class in mode coordinates) with `mixture_transceiver` (the conditional mean that follows
from it), and `designs` (both as designs beside the linear ones).
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

"""Data: latents, labels and channels from files, data sets of images, encoders, and pairs of devices made of them.

Read `readers/` first (own files), then `datasets/` and `encoders/`, `cache` (latents are computed once) and `pairs`, which joins them.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

"""Semantic MIMO links: two devices, two latent spaces, one channel, one task."""

import lazy_loader

__version__ = "0.1.0"

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

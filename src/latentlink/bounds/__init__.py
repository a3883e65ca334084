"""Limits of links: of all links, of all links for Gaussian latents, of linear ones, and what an ideal digital link would do.

Read `capacity` first, then `opta` (the least error at that capacity, for Gaussian latents), `finite_length` (a digital link of one message,
by the normal approximation, which is no bound), `accuracy` and `per_antenna` (the dual bound of limits per antenna). `pilot_price` tells
what few pilots cost a design, and `handshake` what pilots cost in channel uses.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

"""Bounds that no link can exceed.

Read `capacity` first, then `opta` (least error at that capacity), `finite_length` (a digital link of one message), `accuracy` and
`per_antenna` (the dual bound of limits per antenna).
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

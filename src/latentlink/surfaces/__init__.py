"""Reconfigurable surfaces that shape the channel: phases for the receiver's goal, for capacity or for gain.

Read `surface` (one surface, and layers of them, as a channel that depends on phases), `objectives` (what a channel is worth, and how that
changes with it), `bounds` (what no phases can exceed), `phases` (L-BFGS over phases and the search over few levels), then `design`.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

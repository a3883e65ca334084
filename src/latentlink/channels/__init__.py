"""Channels: the type, random models, and channel state information.

Read `channel` first (the type that every design takes), then `snr` and `link_budget` (the conventions of power and noise), `fading` and
`draws` (random channels), `ofdm` (resource elements), and the two rooms inside: `csi` (what is known of a channel) and `tr38901` (3GPP).
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

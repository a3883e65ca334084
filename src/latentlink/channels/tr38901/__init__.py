"""3GPP channel models (TR 38.901) on OFDM resource elements, by Sionna: TDL and CDL profiles and drops in UMi, UMa, RMa and InH.

Read `model` first (the settings), then `generate` (how channels are drawn and stored, block by block), `paths` (what Sionna computes)
and `training_channels` (channels to train a codec on).
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

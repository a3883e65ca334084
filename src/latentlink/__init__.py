"""Semantic MIMO links: two devices, two latent spaces, one channel, one task.

Read the packages from the bottom up; each imports only those before it. `numerics` and `storage` are helpers, `execution` computes many
items at a time. `latents` has the pilots and their moments, `channels` the channels, what is known of them and the 3GPP models, `streams`
their parallel streams, `alignment` moments without (many) pairs, `power` the limits of the budget. `links` is the interface of every
transceiver, `tasks` what the receiver wants, `evaluation` how a link is measured. Designs are in `linear` (exact and ADMM), `nonlinear`
(without training), `baselines`, `digital` and `neural`, limits in `bounds`, links that follow what changes in `living`, surfaces in
`surfaces`, many users in `networks`. `deploy` writes codecs for other runtimes, `data` reads files and encodes images and texts, `studies`
runs experiments, `report` draws them, `cli` is the command line. `csi`, `budget`, `metrics`, `objectives` and `nn` collect public names.
"""

import lazy_loader

__version__ = "0.2.0"

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

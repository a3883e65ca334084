"""Links that live: they follow new pairs, remember as much of the past as serves, and notice that the scene has moved.

Read `running_modes` (modes that follow each pair), `memory` (how much the past counts), then `watch` (an alarm from the received latents
alone), with its parts `cusum` and `blocks`, and `agreement` (an alarm from a few decisions that both ends make).
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

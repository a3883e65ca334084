"""The digital competitor of a semantic link: a separate source and channel code for the same task, every bit counted.

Read `design` (what is chosen when), `transceiver` (latents to payloads to blocks, and back), `adaptation` (which block a
channel is given), `genie`, then `source/` (latents as payloads), `coding/` (payloads as symbols) and `operations` (their cost).
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

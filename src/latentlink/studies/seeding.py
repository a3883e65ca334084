"""The random streams of a study: every draw has a name, and its seed is the hash of that name and of the cell's seed.

Streams of different names or seeds have nothing to do with each other, up to a collision of hashes (see `numerics.seeds`). Methods and SNRs
of a study share the streams of channels and noise, so that they are compared on the same draws.
"""

from enum import StrEnum

import torch

from latentlink.numerics.seeds import stream, stream_generator


class Draw(StrEnum):
    """What a study draws; each member is used in one place.

    `Draw.NOISE.seed(27)` is an integer below 2³¹, which every design takes; `Draw.NOISE.generator(27)` draws from all 63 bits.
    """

    PILOTS = "pilots"
    CHANNELS = "channels"
    STATISTICS = "channel statistics"
    ESTIMATES = "channel estimates"
    NOISE = "receiver noise"
    BLOCKS = "noise of lost blocks"
    DESIGN = "design"
    TRAINING_CHANNELS = "channels to train on"

    def seed(self, seed: int, *names: str | int) -> int:
        """The seed in [0, 2^31) of this draw in a cell of seed `seed`; `names` tell apart several draws of a kind."""
        return stream(seed, self.value, *names) >> 32

    def generator(self, seed: int, *names: str | int, device: torch.device | str = "cpu") -> torch.Generator:
        """The generator of this draw on a device."""
        return stream_generator(seed, self.value, *names, device=device)

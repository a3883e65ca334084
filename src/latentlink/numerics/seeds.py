"""Independent random streams from one seed: a stream is the hash of the seed and of the names of what is drawn.

Arithmetic on seeds (seed + 1, seed + number) makes streams meet that should have nothing to do with each other: the second stream of seed 0
is the first of seed 1. Hashed names do not: `stream(seed, "pilots", 3)` is the same on every machine, and no two different tuples of a seed
and names give the same stream, up to the collision of two 63-bit hashes.
"""

import hashlib
import json
from enum import StrEnum

import torch


def stream(seed: int, *names: str | int) -> int:
    """The seed in [0, 2^63) of the stream that a seed and names stand for.

    Args:
        seed: of the experiment.
        names: what is drawn, such as "channel noise" and the number of a block.

    Example:
        >>> from latentlink.numerics.seeds import stream
        >>> stream(0, "pilots") != stream(1, "pilots") != stream(0, "noise")
        True
    """
    return int.from_bytes(hashlib.sha256(json.dumps([int(seed), *names]).encode()).digest()[:8], "little") >> 1


def stream_generator(seed: int, *names: str | int, device: torch.device | str = "cpu") -> torch.Generator:
    """The generator of a stream (see `stream`) on a device."""
    return torch.Generator(device=device).manual_seed(stream(seed, *names))


class Stream(StrEnum):
    """The base of a room's list of what it draws; the value of a member is the name of its stream, and each is used in one place.

    `Draw.NOISE.seed(27)` is an integer below 2³¹, which every design takes; `Draw.NOISE.generator(27)` draws from all 63 bits.
    """

    def seed(self, seed: int, *names: str | int) -> int:
        """The seed in [0, 2^31) of this draw for the seed of an experiment; `names` distinguish several draws of a kind."""
        return stream(seed, self.value, *names) >> 32

    def generator(self, seed: int, *names: str | int, device: torch.device | str = "cpu") -> torch.Generator:
        """The generator of this draw on a device."""
        return stream_generator(seed, self.value, *names, device=device)

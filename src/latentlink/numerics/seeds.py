"""Independent random streams from one seed: a stream is the hash of the seed and of the names of what is drawn.

Arithmetic on seeds (seed + 1, seed + number) makes streams meet that should have nothing to do with each other: the second stream of seed 0
is the first of seed 1. Hashed names do not: `stream(seed, "pilots", 3)` is the same on every machine, and no two different tuples of a seed
and names give the same stream, up to the collision of two 63-bit hashes.
"""

import hashlib
import json

import torch


def stream(seed: int, *names: str | int) -> int:
    """The seed in [0, 2^63) of the stream that a seed and names stand for.

    Args:
        seed: of the experiment.
        names: what is drawn, such as "channel noise" and the number of a block.

    Example:
        >>> stream(0, "pilots") != stream(1, "pilots") != stream(0, "noise")
        True
    """
    return int.from_bytes(hashlib.sha256(json.dumps([seed, *names]).encode()).digest()[:8], "little") >> 1


def stream_generator(seed: int, *names: str | int, device: torch.device | str = "cpu") -> torch.Generator:
    """The generator of a stream (see `stream`) on a device."""
    return torch.Generator(device=device).manual_seed(stream(seed, *names))

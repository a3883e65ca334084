"""What the laws of every source and sink need: samples that say who they are, and a reader of whole streams."""

from typing import Any

import numpy as np

from latentlink_runtime.iq.protocol import Block

Array = np.ndarray[Any, Any]


def numbered(n: int, antennas: int = 2, start: int = 0) -> Array:
    """Samples whose real part is their number and whose imaginary part is that of their antenna."""
    return (np.arange(start, start + n)[:, None] + 1j * np.arange(1, antennas + 1)).astype(np.complex64)


def read_all(source: Any, count: int, most: int = 1000, timeout: float = 5.0) -> tuple[Array, list[Block]]:
    """`count` samples, of blocks that follow each other."""
    blocks: list[Block] = []
    while (have := sum(len(block.samples) for block in blocks)) < count:
        blocks.append(source.read(min(most, count - have), timeout))
        assert 1 <= len(blocks[-1].samples) <= most
        assert blocks[-1].samples.dtype == np.complex64
        if len(blocks) > 1:
            assert blocks[-1].first == blocks[-2].first + len(blocks[-2].samples)
        assert not blocks[-1].samples[: blocks[-1].lost].any()
    return np.concatenate([block.samples for block in blocks]), blocks

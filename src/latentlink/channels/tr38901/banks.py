"""Channel banks: grids are drawn block by block, each is stored on disk as soon as it is drawn, and found again by what it depends on.

A bank's folder is named by the SHA-256 of all that its channels depend on, also of the version of what draws them, so nothing in it is
ever out of date; a file holds one block of channels, drawn from a seed of its own. An interrupted bank goes on at its first missing file.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Complex
from torch import Tensor

from latentlink.numerics.extras import import_extra
from latentlink.numerics.progress import Progress
from latentlink.storage.artifacts import artifact, load_if_there, save
from latentlink.storage.folders import cache_folder

_BANK_VERSION = 1  # of how channels come from what a bank is named by


@artifact("channels")
@dataclass(frozen=True, eq=False)
class _Kept:
    """Channels of a bank, as they are stored.

    Attributes:
        h: the channels (n, u, n_rx, n_tx) complex64.
    """

    h: Complex[Tensor, "n u r t"]

    def to_tensors(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Return the tensors and facts of the saved file."""
        return {"h": torch.view_as_real(self.h)}, {}

    @classmethod
    def from_tensors(cls, tensors: dict[str, Tensor], manifest: dict[str, Any]) -> "_Kept":
        """Read the channels of a saved file."""
        return cls(torch.view_as_complex(tensors["h"]))


@dataclass(frozen=True)
class Bank:
    """Channels that `draw` gives, named by all that they depend on.

    Attributes:
        identity: all that the channels depend on.
        shape: (u, n_rx, n_tx).
        block: number of channels that are drawn from one seed.
        draw: draws the block of a number, (block, u, n_rx, n_tx) complex64.
    """

    identity: str
    shape: tuple[int, int, int]
    block: int
    draw: Callable[[int], Tensor]

    @property
    def folder(self) -> Path:
        """The folder that its channels are stored in."""
        try:
            source = version("sionna-no-rt")
        except PackageNotFoundError:
            source = "none"
        digest = hashlib.sha256(f"{self.identity} block {self.block} sionna {source} bank {_BANK_VERSION}".encode())
        return cache_folder() / "channels" / digest.hexdigest()

    def grids(self, count: int, *, chunk: int, workers: int, cache: bool, progress: Progress) -> Complex[Tensor, "count u r t"]:
        """Take the first `count` channels; blocks that are not stored yet are drawn, about `chunk` channels at a time by each worker."""
        h = torch.empty(count, *self.shape, dtype=torch.complex64)
        blocks, step = -(-count // self.block), max(1, chunk // self.block)
        ranges = [range(first, min(first + step, blocks)) for first in range(0, blocks, step)]
        folder = self.folder if cache else None
        joblib = import_extra("joblib", "3gpp")
        run = joblib.Parallel(n_jobs=workers, return_as="generator", pre_dispatch="n_jobs")
        parts = run(joblib.delayed(_take_blocks)(self, folder, of) for of in ranges)
        for of, part in zip(ranges, parts, strict=True):
            start, stop = of.start * self.block, min(of.stop * self.block, count)
            h[start:stop] = part[: stop - start]
            progress(stop, count)
        return h


def _take_blocks(bank: Bank, folder: Path | None, numbers: range) -> Complex[Tensor, "n u r t"]:
    """Take some blocks, from their files where there are such."""
    return torch.cat([_take_block(bank, folder / f"{number}.safetensors" if folder else None, number) for number in numbers])


def _take_block(bank: Bank, path: Path | None, number: int) -> Complex[Tensor, "n u r t"]:
    """Read a block from its file, or draw it and store it there."""
    before = load_if_there(path, _Kept) if path else None
    if before is not None and before.h.shape == (bank.block, *bank.shape):
        return before.h
    h = bank.draw(number)
    if path is not None:
        save("channels", _Kept(h), path)
    return h

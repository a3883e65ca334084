"""Channel banks: grids drawn chunk by chunk, each kept on disk as soon as it is there, and found again by what it depends on.

A bank's folder is named by the SHA-256 of all that its channels depend on, also of the version of what draws them, so nothing in it is
ever out of date; a file holds channels START to STOP. An interrupted bank goes on at its first missing file.
"""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Complex
from joblib import Parallel, delayed
from torch import Tensor

from latentlink.io.artifacts import artifact, kept, save
from latentlink.io.folders import cache_folder

Progress = Callable[[int, int], None]
_BANK_VERSION = 1  # of how channels come from what a bank is named by


@artifact("channels")
@dataclass(frozen=True, eq=False)
class _Kept:
    """Some channels of a bank (n, u, n_rx, n_tx) complex64."""

    h: Complex[Tensor, "n u r t"]

    def to_tensors(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Tensors and facts of the saved file."""
        return {"h": torch.view_as_real(self.h)}, {}

    @classmethod
    def from_tensors(cls, tensors: dict[str, Tensor], manifest: dict[str, Any]) -> "_Kept":
        """The channels of a saved file."""
        return cls(torch.view_as_complex(tensors["h"]))


@dataclass(frozen=True)
class Bank:
    """Channels that `draw` gives, named by all that they depend on.

    Attributes:
        identity: all that the channels depend on. shape: (u, n_rx, n_tx).
        draw: channels START to STOP (n, u, n_rx, n_tx) complex64; START is a multiple of what it draws at a time.
    """

    identity: str
    shape: tuple[int, int, int]
    draw: Callable[[int, int], Tensor]

    @property
    def folder(self) -> Path:
        """Where its channels are kept."""
        try:
            source = version("sionna-no-rt")
        except PackageNotFoundError:
            source = "none"
        digest = hashlib.sha256(f"{self.identity} sionna {source} bank {_BANK_VERSION}".encode())
        return cache_folder() / "channels" / digest.hexdigest()

    def grids(self, count: int, chunk: int, workers: int, cache: bool, progress: Progress | None) -> Complex[Tensor, "count u r t"]:
        """The first `count` channels; what is not kept yet is drawn, `chunk` at a time by each worker."""
        h = torch.empty(count, *self.shape, dtype=torch.complex64)
        for start, stop, part in self._parts(count, chunk, workers, cache):
            h[start:stop] = part
            if progress is not None:
                progress(stop, count)
        return h

    def _parts(self, count: int, chunk: int, workers: int, cache: bool) -> Iterator[tuple[int, int, Tensor]]:
        """(start, stop, channels) in order."""
        ranges = [(start, min(start + chunk, count)) for start in range(0, count, chunk)]
        folder = self.folder if cache else None
        parts = Parallel(n_jobs=workers, return_as="generator", pre_dispatch="n_jobs")(delayed(_part)(self, folder, *at) for at in ranges)
        for (start, stop), part in zip(ranges, parts, strict=True):
            yield start, stop, part


def _part(bank: Bank, folder: Path | None, start: int, stop: int) -> Complex[Tensor, "n u r t"]:
    """Channels START to STOP, from their file if there is one."""
    if folder is None:
        return bank.draw(start, stop)
    path = folder / f"{start}-{stop}.safetensors"
    before = kept(path, _Kept)
    if before is not None and before.h.shape == (stop - start, *bank.shape):
        return before.h
    h = bank.draw(start, stop)
    save("channels", _Kept(h), path)
    return h

"""Latents computed once: encoded in shards, each written whole as soon as it is done, found again by what it depends on.

A shard's folder is named by the encoder's fingerprint and its file by the SHA-256 of its own images, so nothing is ever out of date, and
sets that begin alike share their shards: the first 12,000 images of a set are not encoded again once all are. An interrupted encoding
goes on at the first missing shard; a damaged shard (its digest no longer fits) is missing. Two processes at once do double work and
nothing worse: shards appear by renaming, and both write the same latents.
"""

import hashlib
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float32
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TaskID, TextColumn, TimeRemainingColumn
from rich.text import Text
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from latentlink.data.datasets.images import ImageSet
from latentlink.data.encoders.catalogue import Encoder
from latentlink.storage.atomic import write_atomically
from latentlink.storage.folders import cache_folder

SHARD_SIZE = 2000  # images: divides the numbers that sets and studies have, so that parts of a set end where shards do
LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Shard:
    """Rows `start` to `stop` of the latents, and the file that keeps them."""

    path: Path
    start: int
    stop: int
    dim: int

    def read(self) -> Float32[Tensor, "rows d"] | None:
        """The rows, or None where the file is absent or damaged."""
        try:
            with safe_open(self.path, framework="pt") as file:
                facts = file.metadata() or {}
                latents: Tensor = file.get_tensor("latents")
        except FileNotFoundError:
            return None
        except (SafetensorError, OSError) as error:
            LOG.warning("computing %s again: it cannot be read (%s)", self.path, error)
            return None
        right = latents.dtype == torch.float32 and tuple(latents.shape) == (self.stop - self.start, self.dim)
        if not right or facts.get("sha256") != _digest(latents):
            LOG.warning("computing %s again: its content does not fit its SHA-256", self.path)
            return None
        return latents

    def write(self, latents: Float32[Tensor, "rows d"]) -> None:
        """Put the rows in the file, at once and whole."""
        content = save({"latents": latents}, {"sha256": _digest(latents)})
        write_atomically(self.path, content)


def encode(
    encoder: Encoder,
    images: ImageSet,
    *,
    batch_size: int = 64,
    shard_size: int = SHARD_SIZE,
    folder: Path | None = None,
    progress: bool = True,
) -> Float32[Tensor, "n d"]:
    """The latents of a set of images, computed where they are not yet in the cache.

    Args:
        encoder, images: what gives d, and n of them.
        batch_size: images that go through the encoder together; on CPUs 32 to 128 are about twice as fast as 256.
        shard_size: images in one file, which is what an interruption can cost; another size is encoded anew.
        folder: the cache, `cache_folder()` if not given; files are `latents/<encoder>/<images>.safetensors` in it.
        progress: show a bar on stderr while something is computed.

    Returns:
        (n, d) on the CPU.

    Raises:
        ValueError: no images, sizes below one, or an encoder that gives NaN, infinity or another shape.
        OSError: the cache cannot be written.
    """
    for name, value in (("batch_size", batch_size), ("shard_size", shard_size), ("number of images", len(images))):
        if value < 1:
            raise ValueError(f"{name}: got {value}, expected at least 1")
    shards = _shards(encoder, images, shard_size, cache_folder() if folder is None else folder)
    latents = torch.empty(len(images), encoder.dim)
    missing = []
    for shard in shards:
        if (kept := shard.read()) is None:
            missing.append(shard)
        else:
            latents[shard.start : shard.stop] = kept
    if missing:
        _fill(latents, missing, encoder, images, batch_size, progress)
    return latents


def _fill(latents: Tensor, missing: list[Shard], encoder: Encoder, images: ImageSet, batch_size: int, progress: bool) -> None:
    """Compute the missing shards into their rows of `latents`, each being written before the next is begun."""
    with _bar(f"{images.name} → {encoder.name}", sum(shard.stop - shard.start for shard in missing), progress) as (bar, task):
        for shard in missing:
            for start in range(shard.start, shard.stop, batch_size):
                stop = min(start + batch_size, shard.stop)
                batch = encoder(images.images[start:stop]).cpu()
                if not batch.isfinite().all():
                    first = start + int((~batch.isfinite()).any(1).nonzero()[0])
                    raise ValueError(f"encoder {encoder.name}: gave NaN or infinity for image {first} of {images.name}")
                latents[start:stop] = batch
                bar.advance(task, stop - start)
            shard.write(latents[shard.start : shard.stop])


def _shards(encoder: Encoder, images: ImageSet, shard_size: int, folder: Path) -> list[Shard]:
    home = folder / "latents" / hashlib.sha256(f"{encoder.fingerprint} {encoder.dim}".encode()).hexdigest()
    n = len(images)
    shards = []
    for start in range(0, n, shard_size):
        part = images.images[start : start + shard_size].cpu().contiguous()
        key = hashlib.sha256(f"{tuple(part.shape)}".encode())
        key.update(part.numpy().data)
        shards.append(Shard(home / f"{key.hexdigest()}.safetensors", start, min(start + shard_size, n), encoder.dim))
    return shards


def _digest(latents: Tensor) -> str:
    return hashlib.sha256(latents.contiguous().numpy().data).hexdigest()


class _Rate(ProgressColumn):
    """Images a second, over the last half minute."""

    def render(self, task: Task) -> Text:
        return Text("" if task.speed is None else f"{task.speed:.0f} images/s")


@contextmanager
def _bar(what: str, total: int, shown: bool) -> Iterator[tuple[Progress, TaskID]]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), _Rate(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), disable=not shown) as bar:
        yield bar, bar.add_task(what, total=total)

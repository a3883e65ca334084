"""The cache of latents: encoded in shards, each written atomically as soon as it is computed, found again by what it depends on.

A shard's folder is named by the encoder's fingerprint and its file by the SHA-256 of its own images or texts, so no entry is ever out of
date, and sets that begin alike share their shards: the first 12,000 images of a set are not encoded again when all are. An interrupted
encoding resumes at the first missing shard; a damaged shard (its digest does not match) counts as missing. Two processes at once compute
some shards twice and nothing worse: shards appear by renaming, and both write the same latents.
"""

import hashlib
import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float32, UInt8
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from latentlink.data.datasets.images import ImageSet
from latentlink.data.datasets.texts import Observations, TextSet, seen_by
from latentlink.data.encoders.image_encoder import Encoder
from latentlink.execution.executor import Executor
from latentlink.execution.local import Threads
from latentlink.numerics.doors import integer
from latentlink.numerics.validation import validate_call
from latentlink.storage.atomic import write_atomically
from latentlink.storage.folders import cache_folder

EncodingProgress = Callable[[str, int, int], object]  # called with (what is encoded by what, images done, images in all)

Part = UInt8[np.ndarray, "n ..."] | tuple[str, ...]  # pixels, or texts

SHARD_SIZE = 2000  # observations: divides the sizes of the data sets and of the studies, so that parts of a set end where shards do
LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Shard:
    """Rows `start` to `stop` of the latents, and the file that stores them.

    Attributes:
        path: the file.
        start: first row.
        stop: one after the last row.
        dim: d, the length of a latent.
    """

    path: Path
    start: int
    stop: int
    dim: int

    def read(self) -> Float32[Tensor, "rows d"] | None:
        """Read the rows; None if the file is absent or damaged."""
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
            LOG.warning("computing %s again: its content does not match its SHA-256", self.path)
            return None
        return latents

    def write(self, latents: Float32[Tensor, "rows d"]) -> None:
        content = save({"latents": latents}, {"sha256": _digest(latents)})
        write_atomically(self.path, content)


@validate_call
def encode(
    encoder: Encoder,
    images: Observations,
    *,
    batch_size: int = 64,
    shard_size: int = SHARD_SIZE,
    folder: str | Path | None = None,
    progress: EncodingProgress | None = None,
    executor: Executor | None = None,
) -> Float32[Tensor, "n d"]:
    """Encode a set of images or texts, computing only the latents that are not in the cache.

    Args:
        encoder: gives d.
        images: n of them; or a `TextSet` for an encoder of texts, or `TitledImages`, of which the encoder sees its part.
        batch_size: images or texts that go through the encoder together; on CPUs 32 to 128 are about twice as fast as 256.
        shard_size: images in one file, the most that an interruption can lose; another size is encoded anew.
        folder: the cache, `cache_folder()` if not given; its files are `latents/<encoder>/<images>.safetensors`.
        progress: callback, called after each batch that is computed with (description, images done, images to compute); after each
            shard where there is an executor.
        executor: computes several shards at a time, for instance on a cluster, whose workers get the encoder and the images of a shard.

    Returns:
        Latents (n, d) on the CPU.

    Raises:
        ValueError: there are no images, the encoder takes texts and these are images (or the other way round), a size is below one, or the
            encoder returned NaN, infinity or another shape.
        OSError: the cache cannot be written, or the cluster is lost.

    Example:
        >>> import torch, latentlink as ll
        >>> images = ll.data.ImageSet("black", torch.zeros(10, 8, 8, dtype=torch.uint8))
        >>> flat = ll.data.from_callable("flat", lambda images: images.flatten(1).float(), dim=64, version="1")
        >>> ll.data.encode(flat, images).shape  # a second call reads them from the cache
        torch.Size([10, 64])
    """
    integer("batch_size", batch_size)
    integer("shard_size", shard_size)
    seen = seen_by(encoder.sees, images, encoder.name)
    integer("number of images", len(seen))
    latents = torch.empty(len(seen), encoder.dim, device="cpu")
    missing = []
    for shard in _shards(encoder, seen, shard_size, cache_folder() if folder is None else Path(folder)):
        stored = shard.read()
        if stored is None:
            missing.append(shard)
        else:
            latents[shard.start : shard.stop] = stored
    done, to_compute = 0, sum(shard.stop - shard.start for shard in missing)

    def count(images_done: int) -> None:
        nonlocal done
        done += images_done
        if progress is not None:
            progress(f"{seen.name} → {encoder.name}", done, to_compute)

    encoding = _Encoding(encoder, seen.name, batch_size, count if executor is None else None)
    parts = [(shard.start, _part(seen, shard.start, shard.stop)) for shard in missing]
    for ended in (Threads(1) if executor is None else executor).run(encoding, parts):
        shard, computed = missing[ended.number], ended.result()
        shard.write(computed)
        latents[shard.start : shard.stop] = computed
        if executor is not None:
            count(len(computed))
    return latents


@dataclass(frozen=True, eq=False)
class _Encoding:
    """The encoding of a shard, from the number of its first observation and its pixels or texts.

    Attributes:
        encoder: gives d.
        name: of the images.
        batch_size: images that go through the encoder together.
        count: callback, called with the number of images of each batch.
    """

    encoder: Encoder
    name: str
    batch_size: int
    count: Callable[[int], None] | None = None

    def __call__(self, numbered: tuple[int, Part]) -> Float32[Tensor, "n d"]:
        start, part = numbered
        latents = []
        for first in range(0, len(part), self.batch_size):
            some = part[first : first + self.batch_size]
            latents.append(self.encoder(torch.from_numpy(some) if isinstance(some, np.ndarray) else some).cpu())
            bad = (~latents[-1].isfinite()).any(1)
            if bad.any():
                number = start + first + int(bad.nonzero()[0])
                raise ValueError(
                    f"encoder {self.encoder.name} returned NaN or infinity for {self.encoder.sees[:-1]} {number} of {self.name}"
                )
            if self.count is not None:
                self.count(len(latents[-1]))
        return torch.cat(latents)


def _part(seen: ImageSet | TextSet, start: int, stop: int) -> Part:
    """The pixels or texts from one row to another; views of arrays are pickled alone, those of tensors with all they are views of."""
    return seen.texts[start:stop] if isinstance(seen, TextSet) else seen.images.cpu().numpy()[start:stop]


def _shards(encoder: Encoder, seen: ImageSet | TextSet, shard_size: int, folder: Path) -> list[Shard]:
    home = folder / "latents" / hashlib.sha256(f"{encoder.fingerprint} {encoder.dim}".encode()).hexdigest()
    n = len(seen)
    shards = []
    for start in range(0, n, shard_size):
        key = _key(_part(seen, start, start + shard_size))
        shards.append(Shard(home / f"{key}.safetensors", start, min(start + shard_size, n), encoder.dim))
    return shards


def _key(part: Part) -> str:
    """SHA-256 of what is encoded: texts with their lengths, so that no two lists of them run together alike."""
    if not isinstance(part, np.ndarray):
        return hashlib.sha256("".join(f"{len(text)} {text}" for text in part).encode()).hexdigest()
    key = hashlib.sha256(f"{part.shape}".encode())
    key.update(np.ascontiguousarray(part).data)
    return key.hexdigest()


def _digest(latents: Tensor) -> str:
    return hashlib.sha256(latents.contiguous().numpy().data).hexdigest()

"""A random sample of pairs that are larger than memory, drawn evenly from all blocks in one pass, with the digests of all."""

import hashlib
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from jaxtyping import Int
from torch import Tensor

from latentlink.data.readers.labels import read_or_take_labels
from latentlink.data.readers.opening import Source
from latentlink.data.readers.pairing import found_labels, given_labels
from latentlink.data.readers.pooling import Pooling
from latentlink.data.sharded.paired_rows import PairedRows, label_of, pair_rows
from latentlink.latents.labels import AnyLabels, Labels
from latentlink.latents.pilots import Pilots
from latentlink.numerics.doors import integer
from latentlink.numerics.progress import CountProgress, on_terminal
from latentlink.numerics.seeds import stream_generator
from latentlink.numerics.validation import validate_call


class Sample(NamedTuple):
    """Some of many pairs.

    Attributes:
        pilots: the pairs, in the order of their rows.
        rows: their numbers (k,) among all.
        digests: SHA-256 of all latents at the transmitter and at the receiver, as `storage.provenance.digest_of` computes it.
    """

    pilots: Pilots
    rows: Int[Tensor, "k"]
    digests: tuple[str, str]


@validate_call
def sample_pairs(
    tx: Source,
    rx: Source,
    labels: Source | AnyLabels | None = None,
    *,
    count: int = 20_000,
    seed: int = 0,
    on: str | None = None,
    columns: str | Sequence[str] | None = None,
    pool: Pooling | None = None,
    names: Sequence[str] | None = None,
    progress: CountProgress | None = None,
) -> Pilots:
    """Draw some of many pairs at random: to look at them, to fit a head or to train a codec, where all of them are larger than memory.

    Args:
        tx: latents at the transmitter, as for `moments_of_shards`.
        rx: latents at the receiver, likewise.
        labels: as for `read_pairs`; all of them are read, since their names have to be numbered.
        count: number of pairs, or all where there are fewer.
        seed: of the draw, which depends on nothing else but the number of rows and the dimensions.
        on: as for `moments_of_shards`.
        columns: likewise.
        pool: likewise.
        names: as for `read_pairs`.
        progress: as for `moments_of_shards`.

    Returns:
        Pilots in the order of their rows.

    Raises:
        FileNotFoundError: a file is absent.
        ValueError: as for `moments_of_shards` and `read_pairs`.

    Example:
        >>> import torch, latentlink as ll
        >>> x = torch.randn(500, 8, generator=torch.Generator().manual_seed(0))
        >>> y = x[:, :6].tanh()
        >>> for part in range(2):
        ...     ll.data.write_array(f"vit-{part}.npy", x[part::2])
        ...     ll.data.write_array(f"resnet-{part}.npy", y[part::2])
        >>> ll.data.sample_pairs("vit-*.npy", "resnet-*.npy", count=100)
        Pilots(100 pairs, 8 → 6, no labels)
    """
    pairs = pair_rows(tx, rx, on=on, columns=columns, pool=pool)
    shown = on_terminal("sample of pairs") if progress is None else progress
    return draw_sample(pairs, labels_of(pairs, labels, names), integer("count", count), integer("seed", seed, 0), shown).pilots


def draw_sample(pairs: PairedRows, labels: Labels | None, count: int, seed: int, progress: CountProgress) -> Sample:
    """Draw pairs from every block as many as its share; see `sample_pairs`."""
    total = len(pairs)
    count = min(count, total)
    digests = None
    x, y, numbers = [], [], []
    for rows in pairs.blocks():
        both = pairs.read(rows)
        digests = digests or [hashlib.sha256(f"({total}, {end.shape[1]}) {str(end.dtype)[6:]}".encode()) for end in both]
        for digest, end in zip(digests, both, strict=True):
            digest.update(end.numpy().data)
        wanted = count * rows.stop // total - count * rows.start // total
        chosen = torch.randperm(len(rows), generator=stream_generator(seed, "sample", rows.start), device="cpu")[:wanted].sort().values
        x.append(both[0][chosen])
        y.append(both[1][chosen])
        numbers.append(rows.start + chosen)
        progress(rows.stop, total)
    assert digests is not None
    taken = torch.cat(numbers)
    latents = torch.cat(x), torch.cat(y)
    pilots = Pilots(*latents) if labels is None else Pilots(*latents, labels.numbers[taken], names=labels.names)
    return Sample(pilots, taken, (digests[0].hexdigest(), digests[1].hexdigest()))


def labels_of(pairs: PairedRows, labels: Source | AnyLabels | None, names: Sequence[str] | None) -> Labels | None:
    """Read the labels of all pairs, of a source of their own or of the tables' column, or take those given; None where there are none.

    Raises:
        FileContentError: their number is that of neither end, or two ends hold different ones.
    """
    kept: tuple[Any, Any] = (slice(None), slice(None)) if pairs.kept is None else pairs.kept
    ends = (pairs.tx, pairs.rx)
    if labels is not None:
        return given_labels(read_or_take_labels(labels, names), [(end.origin, len(end)) for end in ends], kept)
    found = []
    for rows, end in zip(kept, ends, strict=True):
        name = label_of(end)
        if name is not None:
            held = end.labels(name, range(len(end)))
            found.append(held._replace(labels=held.labels[rows]))
    return found_labels(found, names)

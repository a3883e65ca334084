"""The rows of two ends that belong together, read block by block, however the files of each end are cut.

Where both ends name their observations, ids are compared as far as they go in the same order, and else joined by an index of ids in
memory: rows that one end lacks are left out. Rows in another order at one end are refused, since they would have to be read one by one.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from latentlink.data.readers.content import Array, FileContentError
from latentlink.data.readers.opening import Source, check_source
from latentlink.data.readers.pairing import ID, check_counts, join_ids
from latentlink.data.readers.pooling import Pooling
from latentlink.data.readers.rows import LatentRows, open_rows, without_columns
from latentlink.data.readers.tables import LABELS
from latentlink.latents.moments import CHUNK

_BLOCK = 2**21  # numbers of both ends that are read at a time, where a chunk of rows has not more


@dataclass(frozen=True)
class PairedRows:
    """Pairs of latents, counted and not read yet.

    Attributes:
        tx: latents at the transmitter.
        rx: latents at the receiver.
        kept: the rows of each end that are paired, ascending; None where all are, in order.
        on: the column that names the observation, where one was asked for.
    """

    tx: LatentRows
    rx: LatentRows
    kept: tuple[Array, Array] | None = None
    on: str | None = None

    def __len__(self) -> int:
        return len(self.tx) if self.kept is None else len(self.kept[0])

    def read(self, rows: range) -> tuple[Float[Tensor, "k d"], Float[Tensor, "k m"]]:
        """Read consecutive pairs."""
        if self.kept is None:
            return torch.from_numpy(self.tx.read(rows)), torch.from_numpy(self.rx.read(rows))
        x, y = (_gather(end, kept[rows.start : rows.stop]) for end, kept in zip((self.tx, self.rx), self.kept, strict=True))
        return torch.from_numpy(x), torch.from_numpy(y)

    def blocks(self, start: int = 0) -> Iterator[range]:
        """Yield the rows from `start` on, in blocks whose limits depend on nothing but the dimensions of the latents."""
        yield from blocks(len(self), self.tx.dimension + self.rx.dimension, start)


def blocks(count: int, dimensions: int, start: int = 0) -> Iterator[range]:
    """Yield the rows from `start` to `count` in blocks of so many numbers a row."""
    size = max(1, _BLOCK // dimensions // CHUNK) * CHUNK
    for first in range(start, count, size):
        yield range(first, min(first + size, count))


def _gather(end: LatentRows, kept: Array) -> Array:
    """Read ascending rows, of which some in between may be left out."""
    parts = []
    while len(kept):
        near = int(np.searchsorted(kept, kept[0] + 2 * len(kept)))
        parts.append(end.read(range(int(kept[0]), int(kept[near - 1]) + 1))[kept[:near] - kept[0]])
        kept = kept[near:]
    return np.concatenate(parts)


def pair_rows(
    tx: Source, rx: Source, *, on: str | None = None, columns: str | Sequence[str] | None = None, pool: Pooling | None = None
) -> PairedRows:
    """Pair the rows of two sources; the arguments are those of `read_pairs`.

    Raises:
        FileNotFoundError: a file is absent.
        ValueError: as for `read_pairs`; ids that both ends have in another order.

    Warns:
        UserWarning: observations that only one end has, which are left out.
    """
    wanted = ID if on is None else on
    check_source("tx", tx)
    check_source("rx", rx)
    ends = [open_rows(source, columns=columns, pool=pool) for source in (tx, rx)]
    named = [wanted in end.schema for end in ends]
    for end, has_ids in zip(ends, named, strict=True):
        if on is not None and not has_ids:
            raise FileContentError(f"{end.origin}: has no column {on!r} to join rows on")
    transmitter, receiver = (without_columns(end, [name for name in (wanted, label_of(end)) if name in end.schema]) for end in ends)
    if not all(named):
        check_counts((transmitter.origin, len(transmitter)), (receiver.origin, len(receiver)))
        return PairedRows(transmitter, receiver)
    return PairedRows(transmitter, receiver, _kept(transmitter, receiver, wanted), on)


def label_of(end: LatentRows) -> str | None:
    """The column of labels of tables, if any."""
    return next((name for name in LABELS if name in end.schema), None)


def _kept(transmitter: LatentRows, receiver: LatentRows, on: str) -> tuple[Array, Array] | None:
    """The rows whose ids both ends have, or None where all ids are equal in order."""
    if len(transmitter) == len(receiver) and all(
        np.array_equal(transmitter.column(on, rows), receiver.column(on, rows)) for rows in blocks(len(transmitter), 2)
    ):
        return None
    ids = [(end.origin, np.concatenate([end.column(on, rows) for rows in blocks(len(end), 2)])) for end in (transmitter, receiver)]
    left, right = join_ids(ids[0], ids[1], on)
    if (np.diff(right) < 0).any():
        raise FileContentError(
            f"{transmitter.origin} and {receiver.origin}: hold {on} in another order, and rows are read in order where they may be beyond "
            f"memory: sort both, such as by polars.scan_parquet(…).sort({on!r}).sink_parquet(…), or read_pairs where they fit in memory"
        )
    return left, right

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

from latentlink.data.readers.columns import LABELS, role_of
from latentlink.data.readers.content import Array, FileContentError
from latentlink.data.readers.ids import check_comparable, check_once, join_columns, join_ids, warn_of_order
from latentlink.data.readers.labels import FoundLabels
from latentlink.data.readers.opening import Source, check_source
from latentlink.data.readers.pairing import ID, check_agreement, check_counts
from latentlink.data.readers.pooling import Pooling
from latentlink.data.readers.rows import LatentRows, open_rows, without_columns
from latentlink.latents.rows import CHUNK

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
        UserWarning: observations that only one end has, which are left out; ids at one end alone, which do not ascend.
    """
    wanted = ID if on is None else on
    check_source("tx", tx)
    check_source("rx", rx)
    ends = [open_rows(source, columns=columns, pool=pool) for source in (tx, rx)]
    named = [role_of(end.tables, [wanted]) for end in ends]
    for end, name in zip(ends, named, strict=True):
        if on is not None and name is None:
            raise FileContentError(f"{end.origin}: has no column {on!r} to join rows on")
    roles = [[name for name in (identity, label_of(end)) if name is not None] for end, identity in zip(ends, named, strict=True)]
    transmitter, receiver = (without_columns(end, names) for end, names in zip(ends, roles, strict=True))
    if named[0] is None or named[1] is None:
        check_counts((transmitter.origin, len(transmitter)), (receiver.origin, len(receiver)))
        for name, end, other in zip(named, (transmitter, receiver), (receiver, transmitter), strict=True):
            if name is not None and not _ascend(end, name):
                warn_of_order(end.origin, other.origin, name)
        return PairedRows(transmitter, receiver)
    return PairedRows(transmitter, receiver, _kept((transmitter, named[0]), (receiver, named[1])), on)


def label_of(end: LatentRows) -> str | None:
    """The column of labels of tables, if any."""
    return role_of(end.tables, LABELS)


def _kept(transmitter: tuple[LatentRows, str], receiver: tuple[LatentRows, str]) -> tuple[Array, Array] | None:
    """The rows whose ids both ends have, or None where all ids are equal in order and none comes twice."""
    (tx, on), (rx, _) = transmitter, receiver
    check_comparable([(end.origin, end.ids(name, range(1))) for end, name in (transmitter, receiver)], on)
    if len(tx) == len(rx) and all(np.array_equal(tx.ids(on, rows), rx.ids(receiver[1], rows)) for rows in blocks(len(tx), 2)):
        if not _ascend(tx, on):
            check_once(tx.origin, _whole(tx, on), on)
        return None
    left, right = join_ids((tx.origin, _whole(tx, on)), (rx.origin, _whole(rx, receiver[1])), on)
    if (np.diff(right) < 0).any():
        raise FileContentError(
            f"{tx.origin} and {rx.origin}: hold {on} in another order, and rows are read in order where they may be beyond "
            f"memory: sort both, such as by polars.scan_parquet(…).sort({on!r}).sink_parquet(…), or read_pairs where they fit in memory"
        )
    return left, right


def _whole(end: LatentRows, on: str) -> Array:
    """All ids of an end."""
    return join_columns(end.origin, [end.ids(on, rows) for rows in blocks(len(end), 2)])


def _ascend(end: LatentRows, on: str) -> bool:
    """Tell whether each id is larger than the one before it, so that none comes twice."""
    last: Array | None = None
    for rows in blocks(len(end), 2):
        ids = end.ids(on, rows)
        if not (ids[1:] > ids[:-1]).all() or (last is not None and not last[0] < ids[0]):
            return False
        last = ids[-1:]
    return True


def check_labels(pairs: PairedRows) -> None:
    """Refuse pairs whose tables hold different labels at both ends, as `read_pairs` does; raises FileContentError."""
    ends = [(end, label_of(end), kept) for end, kept in zip((pairs.tx, pairs.rx), pairs.kept or (None, None), strict=True)]
    if any(name is None for _, name, _ in ends):
        return
    for rows in blocks(len(pairs), 2):
        check_agreement([_rows_of(end, str(name), kept, rows) for end, name, kept in ends])


def _rows_of(end: LatentRows, name: str, kept: Array | None, rows: range) -> FoundLabels:
    """The labels of some of the pairs."""
    if kept is None:
        return end.labels(name, rows)
    chosen = kept[rows.start : rows.stop]
    found = end.labels(name, range(int(chosen[0]), int(chosen[-1]) + 1))
    return found._replace(labels=found.labels[chosen - chosen[0]])

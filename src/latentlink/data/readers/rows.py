"""Latents by the numbers of their rows, whatever files they are distributed over: no more than what is asked for is read at a time.

A shard that can be read only whole (.csv, .npz, .pt, …) is kept while rows of it are asked for, and no longer.
"""

import bisect
import itertools
from collections.abc import Callable, Collection, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from latentlink.data.readers.content import Array, FileContentError, check_values
from latentlink.data.readers.frames import HuggingFace
from latentlink.data.readers.ids import ids_of, join_columns
from latentlink.data.readers.labels import FoundLabels
from latentlink.data.readers.latents import latents_of_array, latents_of_table
from latentlink.data.readers.opening import Source, open_source
from latentlink.data.readers.partial import open_array
from latentlink.data.readers.pooling import Pooling
from latentlink.data.readers.tables import Table


@dataclass(frozen=True)
class Shard:
    """A part of a source, and its rows among all.

    Attributes:
        origin: its name, for messages.
        at: the file, or the table.
        count: number of its rows.
    """

    origin: str
    at: Path | Table
    count: int


@dataclass(frozen=True)
class LatentRows:
    """The latents of a source whose shards are counted and not read yet.

    Attributes:
        shards: that have any rows, in order.
        key: which array or column of them.
        columns: as for `read_latents`.
        pool: likewise.
        left_out: columns of tables that are no features.
    """

    shards: tuple[Shard, ...]
    key: str | None
    columns: tuple[str, ...] | None
    pool: Pooling | None
    left_out: tuple[str, ...] = ()
    _open: "_OpenShard" = field(default_factory=lambda: _OpenShard(), compare=False, repr=False)

    def __len__(self) -> int:
        return sum(shard.count for shard in self.shards)

    def __getstate__(self) -> dict[str, Any]:
        return vars(self) | {"_open": _OpenShard()}  # another process opens its own

    @property
    def origin(self) -> str:
        """The first shard, for messages."""
        return self.shards[0].origin

    @property
    def tables(self) -> tuple[Table, ...]:
        """The shards that are tables."""
        return tuple(shard.at for shard in self.shards if isinstance(shard.at, Table))

    @property
    def dimension(self) -> int:
        """The dimension d of a latent."""
        return int(self.read(range(1)).shape[1])

    def read(self, rows: range) -> Array:
        """Read consecutive rows (k, d) into memory of their own, in float32 or float64.

        Raises:
            FileContentError: as `read_latents`; a shard has another dimension than the first.
        """
        return np.require(self._joined(rows, self._latents), requirements=["C", "W"])

    def ids(self, name: str, rows: range) -> Array:
        """Read some rows of a column of ids (k,), as `ids_of` makes them comparable."""
        return self._joined(rows, lambda number, part: ids_of(self._table(number).part(part), name))

    def labels(self, name: str, rows: range) -> FoundLabels:
        """Read some rows of a column of labels."""
        labels = self._joined(rows, lambda number, part: self._table(number).part(part).column(name))
        return FoundLabels(self.origin, labels, self.tables[0].classes.get(name))

    def _joined(self, rows: range, read: Callable[[int, range], Array]) -> Array:
        """Read consecutive rows from all shards that hold any of them."""
        starts = list(itertools.accumulate((shard.count for shard in self.shards), initial=0))
        first = bisect.bisect_right(starts, rows.start) - 1
        parts = []
        for number in range(first, len(self.shards)):
            part = range(max(rows.start, starts[number]) - starts[number], min(rows.stop, starts[number + 1]) - starts[number])
            if not part:
                break
            parts.append(read(number, part))
            if parts[-1].shape[1:] != parts[0].shape[1:]:
                found, expected = (dict(enumerate(each.shape)).get(1, 1) for each in (parts[-1], parts[0]))
                origin = self.shards[first].origin
                raise FileContentError(f"{self.shards[number].origin}: has {found} dimensions, expected {expected} as in {origin}")
        return parts[0] if len(parts) == 1 else join_columns(self.origin, parts)

    def _latents(self, number: int, part: range) -> Array:
        shard = self.shards[number]
        if isinstance(shard.at, Table):
            table = self._table(number).without(self.left_out).part(part)
            latents = latents_of_table(table, self.key, self.columns, self.pool)
        else:
            stored = self._open.array(shard.at, self.key)
            latents = latents_of_array(shard.origin, stored.take(part), self.pool)
        check_values(shard.origin, latents, part.start)
        return latents

    def _table(self, number: int) -> Table:
        at = self.shards[number].at
        assert isinstance(at, Table)
        return self._open.table(at)


class _OpenShard:
    """The one shard that is open: rows are mostly asked for in order."""

    def __init__(self) -> None:
        self.stack = ExitStack()
        self.at: Any = None
        self.opened: Any = None

    def array(self, path: Path, key: str | None) -> Any:
        """The open array of a file."""
        return self._changed(path, lambda: self.stack.enter_context(open_array(path, key)))

    def table(self, table: Table) -> Table:
        """A table that keeps what can be read only whole."""
        found: Table = self._changed(table, table.held)
        return found

    def _changed(self, at: Any, opener: Callable[[], Any]) -> Any:
        if self.at is not at:
            self.stack.close()
            self.at = self.opened = None
            self.opened, self.at = opener(), at
        return self.opened


def open_rows(
    source: Source, *, key: str | None = None, columns: str | Sequence[str] | None = None, pool: Pooling | None = None
) -> LatentRows:
    """Find the shards of a source and count their rows; the arguments are those of `read_latents`.

    Raises:
        FileNotFoundError: a file is absent.
        ValueError: as for `read_latents`, as far as it shows without reading all latents.
    """
    opened = open_source(source, key)
    if columns is not None and opened.files:
        raise FileContentError(f"{opened.files[0]}: columns are those of a table, and this file has none: drop them, or give a key")
    shards = [Shard(table.origin, table, table.count()) for table in opened.tables]
    for path in opened.files:
        with open_array(path, opened.key) as stored:
            if not stored.shape:
                raise FileContentError(f"{path}: got a single number, expected (n, d)")
            shards.append(Shard(str(path), path, stored.shape[0]))
    names = None if columns is None else (columns,) if isinstance(columns, str) else tuple(columns)
    held = tuple(shard for shard in shards if shard.count)
    if not held:
        raise FileContentError(f"{opened.origin}: holds no latents")
    return LatentRows(held, opened.key, names, pool)


def describe_sources(rows: LatentRows) -> list[list[str | int]]:
    """What tells that the files of latents have changed: name, size and time of each.

    Raises:
        ValueError: the latents are those of a frame in memory, of which nobody can tell.
    """
    described: list[list[str | int]] = []
    for shard in rows.shards:
        path = shard.at.path if isinstance(shard.at, Table) else shard.at
        mapped = shard.at.source if isinstance(shard.at, Table) else None
        if path is not None:
            found = path.stat()
            described.append([path.name, found.st_size, found.st_mtime_ns])
        elif isinstance(mapped, HuggingFace):
            described.append([shard.origin, shard.count, str(mapped.data._fingerprint)])
        else:
            raise ValueError(f"checkpoint must go with files, got a {shard.origin} in memory, of which none can tell if it has changed")
    return described


def without_columns(rows: LatentRows, names: Collection[str]) -> LatentRows:
    """The same latents, of tables whose columns of these names are no features."""
    return LatentRows(rows.shards, rows.key, rows.columns, rows.pool, tuple(names))

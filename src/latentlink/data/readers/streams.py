"""Latents of a stream, block by block in the order of their arrival, in memory that does not grow with it.

Standard input and files that grow hold lines of text, one message a line, or arrays in NumPy's format one after the other, such as
`latentlink radio rx --stream` writes. Files of all other formats are complete, and read by the numbers of their rows (`rows`).
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from latentlink.data.readers.arrays_in_turn import MAGIC, arrays_in_turn
from latentlink.data.readers.content import Array, FileContentError, check_values
from latentlink.data.readers.following import STDIN, name_of, pieces_of
from latentlink.data.readers.latents import latents_of_array
from latentlink.data.readers.pooling import Pooling
from latentlink.data.readers.rows import open_rows
from latentlink.data.readers.tables import DELIMITED
from latentlink.data.readers.text_lines import lines_of

_NUMBERS = 1 << 20  # of a block


class Arrived(NamedTuple):
    """Messages that arrived one after the other.

    Attributes:
        latents: (k, m) in float32 or float64, finite.
        times: when each came, in the words of the source; None where it does not tell.
    """

    latents: Array
    times: Sequence[str] | None = None


def stream_latents(
    source: str, *, columns: Sequence[str] | None = None, pool: Pooling | None = None, time: str | None = None, follow: bool = False
) -> Iterator[Arrived]:
    """Read messages as they arrive.

    Args:
        source: a file, a pattern or a folder as for `read_latents`, or "-" for standard input.
        columns: as for `read_latents`.
        pool: likewise.
        time: the column of lines of text that says when a message came.
        follow: True to wait for more at the end of a file of text or arrays.

    Raises:
        FileNotFoundError: the file is absent.
        ValueError: as `read_latents`; the source cannot be followed or tells no times, or ends within a message.
    """
    name, path = name_of(source), Path(source)
    streamed = source == STDIN or (path.is_file() and path.suffix.lower() in (*DELIMITED, ".npy"))
    if not streamed:
        if follow:
            if not path.exists():
                raise FileNotFoundError(f"{name}: there is no such file yet, seen from {Path.cwd()}; follow it when its writer has made it")
            raise FileContentError(f"{name}: only lines of text ({', '.join(DELIMITED)}), .npy and standard input (-) can be followed")
        _refuse_time(name, time)
        yield from _by_rows(source, columns, pool)
        return
    row = 0
    for arrived in _as_it_comes(source, follow, columns, time):
        latents = latents_of_array(name, arrived.latents, pool, named=True)
        check_values(name, latents, row)
        row += len(latents)
        yield Arrived(latents, arrived.times)


def _as_it_comes(source: str, follow: bool, columns: Sequence[str] | None, time: str | None) -> Iterator[Arrived]:
    """Numbers as they come, by what the first bytes say that they are."""
    name, pieces = name_of(source), pieces_of(source, follow)
    first = next(pieces, b"")
    while len(first) < len(MAGIC) and MAGIC.startswith(first) and (more := next(pieces, b"")):
        first += more
    if not first:
        raise FileContentError(f"{name}: holds no messages")

    def every() -> Iterator[bytes]:
        yield first
        yield from pieces

    if not first.startswith(MAGIC):
        if Path(source).suffix.lower() == ".npy":
            raise FileContentError(f"{name}: cannot be read as .npy, it is damaged or something else; np.save writes one")
        yield from (Arrived(*each) for each in lines_of(name, every(), columns, time))
        return
    _refuse_time(name, time)
    if columns is not None:
        raise FileContentError(f"{name}: columns are those of a table, and arrays have none: drop them")
    yield from (Arrived(rows) for rows in arrays_in_turn(name, every()))


def _by_rows(source: str, columns: Sequence[str] | None, pool: Pooling | None) -> Iterator[Arrived]:
    rows = open_rows(source, columns=columns, pool=pool)
    size = max(1, _NUMBERS // rows.dimension)
    for start in range(0, len(rows), size):
        yield Arrived(np.asarray(rows.read(range(start, min(start + size, len(rows))))))


def _refuse_time(name: str, time: str | None) -> None:
    if time is not None:
        raise FileContentError(f"{name}: has no column {time!r} of times: only lines of text with a header tell times")

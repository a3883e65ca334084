"""Frames: where the columns of a table are, in a file or in memory, and how some of their rows are read without the others.

Parquet and Arrow files (`arrow_files`) and a Hugging Face data set are read by rows and columns. A text file has to be read whole; one that
is held keeps what was read, for those who read several of its columns. polars is imported only when a table is read.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar, runtime_checkable

from latentlink.data.readers.arrow_types import frame_of_arrow
from latentlink.data.readers.content import FileContentError
from latentlink.numerics.extras import import_extra

EXTRA = "lab"
T = TypeVar("T")


@runtime_checkable
class FrameSource(Protocol):
    """The protocol of what holds the columns of a table."""

    def count(self) -> int:
        """Number of rows."""

    def read(self, names: Sequence[str], rows: range | None) -> Any:
        """A polars frame of some columns, of all rows or of consecutive ones."""

    def held(self) -> "FrameSource":
        """The same for repeated reading: what can be read only whole is read now, and kept."""


@dataclass(frozen=True)
class InMemory:
    """A polars frame.

    Attributes:
        frame: with all columns.
    """

    frame: Any

    def count(self) -> int:
        return len(self.frame)

    def read(self, names: Sequence[str], rows: range | None) -> Any:
        chosen = self.frame.select(names)
        return chosen if rows is None else chosen.slice(rows.start, len(rows))

    def held(self) -> FrameSource:
        return self


@dataclass(frozen=True)
class HuggingFace:
    """A data set of Hugging Face, which is mapped from its files.

    Attributes:
        data: of one split.
    """

    data: Any

    def count(self) -> int:
        return int(self.data.num_rows)

    def read(self, names: Sequence[str], rows: range | None) -> Any:
        chosen = self.data.select_columns(list(names)).with_format("arrow")
        try:
            return frame_of_arrow(chosen[slice(0, None) if rows is None else slice(rows.start, rows.stop)], names)
        except FileContentError as error:
            raise FileContentError(f"datasets Dataset: {error}") from error

    def held(self) -> FrameSource:
        return self


def guarded(path: Path, function: Callable[[], T]) -> T:
    """Call a function of polars on a file; its parser panics on some damaged files, which is no `Exception`.

    Raises:
        FileContentError: the file is damaged.
    """
    polars = import_extra("polars", EXTRA)
    try:
        return function()
    except (polars.exceptions.PanicException, polars.exceptions.PolarsError, OSError) as error:
        text = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise FileContentError(unreadable(path, text)) from error


def unreadable(path: Path, reason: str) -> str:
    """The sentence on a file that its format's reader refuses."""
    return f"{path}: cannot be read as {path.suffix}, it is damaged or something else ({reason})"

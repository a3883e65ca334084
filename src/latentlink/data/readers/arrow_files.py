"""Parquet and Arrow files, of which rows and columns are read without the others.

Files come from anywhere, and some of them are damaged. Apache Arrow's own reader, whose authors test it against such files, refuses them;
polars' ends the process at some, since it asks the system for as much memory as a damaged number says. What is read is therefore an Arrow
table, checked in full, of which polars then makes a frame. Both libraries are imported only when a file is read.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from latentlink.data.readers.arrow_types import empty_of_schema, frame_of_arrow
from latentlink.data.readers.content import FileContentError
from latentlink.data.readers.frames import EXTRA, FrameSource, unreadable
from latentlink.numerics.extras import import_extra

T = TypeVar("T")


@dataclass(frozen=True)
class ArrowFile(ABC):
    """A file of batches of rows.

    Attributes:
        path: of the file.
    """

    path: Path

    @contextmanager
    @abstractmethod
    def _opened(self) -> Iterator[Any]:
        """The reader of the file, as long as the context lasts."""

    @abstractmethod
    def _schema(self, reader: Any) -> Any:
        """The Arrow schema of the columns."""

    @abstractmethod
    def _lengths(self, reader: Any) -> list[int]:
        """The number of rows of each batch."""

    @abstractmethod
    def _batches(self, reader: Any, numbers: Sequence[int], names: Sequence[str]) -> Any:
        """An Arrow table of some batches, with at least the columns that are asked for."""

    def schema(self) -> Mapping[str, Any]:
        """The polars type of each column, in order; raises FileContentError where the file is damaged."""

        def found(reader: Any) -> dict[str, Any]:
            schema = self._schema(reader)
            return dict(frame_of_arrow(empty_of_schema(schema), schema.names).schema)

        return self._guarded(found)

    def count(self) -> int:
        """Number of rows; raises FileContentError where the file is damaged."""
        return self._guarded(lambda reader: sum(self._lengths(reader)))

    def read(self, names: Sequence[str] | None = None, rows: range | None = None) -> Any:
        """A polars frame of some columns (None for all) and rows; raises FileContentError where the file is damaged."""
        return self._guarded(lambda reader: self._read(reader, names, rows))

    def held(self) -> FrameSource:
        return self

    def _read(self, reader: Any, names: Sequence[str] | None, rows: range | None) -> Any:
        chosen = self._schema(reader).names if names is None else list(names)
        lengths = self._lengths(reader)
        first, last = (0, sum(lengths)) if rows is None else (rows.start, rows.stop)
        numbers: list[int] = []
        before = start = 0
        for number, length in enumerate(lengths):
            if not numbers:
                start = before
            if start < last and before < last and before + length > first:
                numbers.append(number)
            before += length
        table = self._batches(reader, numbers, chosen).select(chosen)
        table.validate(full=True)
        if len(table) != sum(lengths[number] for number in numbers):
            raise ValueError(f"{len(table)} rows instead of those that it declares")
        return frame_of_arrow(table.slice(first - start if numbers else 0, last - first), chosen)

    def _guarded(self, function: Callable[[Any], T]) -> T:
        """What a function makes of the reader; a file that cannot be read is refused."""
        polars = import_extra("polars", EXTRA).exceptions
        arrow = import_extra("pyarrow", EXTRA).ArrowException
        try:
            with self._opened() as reader:
                return function(reader)
        except FileContentError as error:
            raise FileContentError(f"{self.path}: {error}") from error
        except (arrow, polars.PanicException, polars.PolarsError, ValueError, KeyError, NotImplementedError, OSError) as error:
            text = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise FileContentError(unreadable(self.path, text)) from error


@dataclass(frozen=True)
class ParquetFile(ArrowFile):
    """A Parquet file; its batches are row groups."""

    @contextmanager
    def _opened(self) -> Iterator[Any]:
        parquet = import_extra("pyarrow.parquet", EXTRA)
        with parquet.ParquetFile(self.path, memory_map=True, page_checksum_verification=True) as reader:
            yield reader

    def metadata(self) -> Mapping[str, str]:
        """Notes that the writer left beside the columns; raises FileContentError where the file is damaged."""

        def found(reader: Any) -> dict[str, str]:
            return {key.decode(errors="replace"): value.decode(errors="replace") for key, value in (reader.metadata.metadata or {}).items()}

        return self._guarded(found)

    def _schema(self, reader: Any) -> Any:
        return reader.schema_arrow

    def _lengths(self, reader: Any) -> list[int]:
        return [reader.metadata.row_group(number).num_rows for number in range(reader.num_row_groups)]

    def _batches(self, reader: Any, numbers: Sequence[int], names: Sequence[str]) -> Any:
        return reader.read_row_groups(list(numbers), columns=list(names), use_threads=False)


@dataclass(frozen=True)
class IpcFile(ArrowFile):
    """An Arrow file, also called Feather of version 2; its batches are record batches."""

    @contextmanager
    def _opened(self) -> Iterator[Any]:
        pyarrow = import_extra("pyarrow", EXTRA)
        with pyarrow.memory_map(str(self.path)) as source:
            yield pyarrow.ipc.open_file(source)

    def _schema(self, reader: Any) -> Any:
        return reader.schema

    def _lengths(self, reader: Any) -> list[int]:
        return [reader.get_batch(number).num_rows for number in range(reader.num_record_batches)]

    def _batches(self, reader: Any, numbers: Sequence[int], names: Sequence[str]) -> Any:
        pyarrow = import_extra("pyarrow", EXTRA)
        schema = pyarrow.schema([reader.schema.field(name) for name in names])
        return pyarrow.Table.from_batches([reader.get_batch(number).select(list(names)) for number in numbers], schema)


@dataclass(frozen=True)
class IpcStream(ArrowFile):
    """An Arrow stream, as Hugging Face writes it; it is one batch, mapped where it lies."""

    @contextmanager
    def _opened(self) -> Iterator[Any]:
        pyarrow = import_extra("pyarrow", EXTRA)
        with pyarrow.memory_map(str(self.path)) as source:
            yield pyarrow.ipc.open_stream(source).read_all()

    def _schema(self, reader: Any) -> Any:
        return reader.schema

    def _lengths(self, reader: Any) -> list[int]:
        return [len(reader)]

    def _batches(self, reader: Any, numbers: Sequence[int], names: Sequence[str]) -> Any:
        return reader

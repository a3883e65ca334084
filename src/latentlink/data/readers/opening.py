"""Opening: what a source holds, as tables or as files of arrays; one function for latents, labels and pairs."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from latentlink.data.readers import matlab
from latentlink.data.readers.containers import CONTAINERS
from latentlink.data.readers.content import Array, FileContentError
from latentlink.data.readers.hub import is_on_hub, load_from_hub
from latentlink.data.readers.sources import AnyPath, locate
from latentlink.data.readers.tables import COLUMNAR, DELIMITED, Table, alike, table_at, table_of

SUFFIXES = (*CONTAINERS, *COLUMNAR, *DELIMITED, *matlab.SUFFIXES)
Source = AnyPath | Sequence[AnyPath] | Any  # a path, a pattern, a folder, a list of files, a frame or a data set
_HELD_BYTES = 1 << 26  # shards of text that are larger together are parsed again when they are read, instead of being all in memory


class Opened(NamedTuple):
    """A source whose files are found and not read yet.

    Attributes:
        tables: the shards, where they are tables; else empty.
        files: the shards, where each holds arrays; else empty.
        key: the array or column that is asked for, or None.
    """

    tables: tuple[Table, ...]
    files: tuple[Path, ...]
    key: str | None

    @property
    def origin(self) -> str:
        """The first shard, for messages."""
        return self.tables[0].origin if self.tables else str(self.files[0])


def check_source(name: str, source: object) -> None:
    """Refuse by name what is neither a path, nor a list of them, nor a frame or a data set."""
    try:
        table = None if isinstance(source, str | os.PathLike | list | tuple) else table_of(source)
    except FileContentError as error:
        raise FileContentError(f"{name}: {error}") from error
    if not isinstance(source, str | os.PathLike | list | tuple) and table is None:
        kind = type(source).__name__
        raise ValueError(f"{name} must be a file, a pattern, a folder, a frame or a data set, got {kind}; an array needs no reading")
    if isinstance(source, list | tuple) and not (source and all(isinstance(each, str | os.PathLike) for each in source)):
        got = "a list of other things" if source else "an empty list"
        raise ValueError(f"{name} must be a file, a pattern, a folder or a list of files, got {got}")


def open_source(source: Source, key: str | None = None) -> Opened:
    """Find the shards of a source.

    Raises:
        FileNotFoundError: a file is absent.
        ValueError: the source is neither a path nor a frame, or its files cannot be read.
        OSError: a path of the Hugging Face Hub cannot be read.
        ImportError: the package that reads the format is not installed.
    """
    table = table_of(source)
    if table is not None:
        return Opened((table,), (), key)
    if is_on_hub(source):
        address, _, named = str(source).partition("::")
        table = table_of(load_from_hub(address))
        return Opened(() if table is None else (table,), (), key or named or None)
    check_source("path", source)
    files, key = locate(source, key, SUFFIXES)
    if all(file.suffix.lower() in (*COLUMNAR, *DELIMITED) for file in files):
        held = len(files) == 1 or sum(file.stat().st_size for file in files) <= _HELD_BYTES
        tables = tuple(table_at(file, held) for file in files)
        return Opened(tables if key is not None else alike(tables), (), key)
    arrays = [file for file in files if file.suffix.lower() not in (*COLUMNAR, *DELIMITED)]
    if len(arrays) < len(files):
        other = next(file for file in files if file not in arrays)
        raise FileContentError(
            f"{arrays[0]} holds an array and {other} a table, expected shards of one format: read them one by one, or write them alike"
        )
    return Opened((), files, key)


def read_array(path: Path, key: str | None) -> Array:
    """Read one array of a container, as it is stored.

    Raises:
        FileContentError: a damaged file, or a wrong or missing key.
        ImportError: the package that reads the format is not installed.
    """
    reader = CONTAINERS.get(path.suffix.lower(), matlab.read_hdf5)
    with readable(path):
        return reader(path, key)


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """Name the file in whatever its parser raises, which is nearly anything where the file is damaged."""
    try:
        yield
    except (ImportError, FileContentError):
        raise
    except Exception as error:
        text = (str(error).splitlines() or [type(error).__name__])[0]
        suffix = path.suffix.lower()
        raise FileContentError(f"{path}: cannot be read as {suffix}, it is damaged or something else ({text})") from error

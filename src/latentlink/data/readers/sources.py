"""Sources: the files that a path, a pattern, a folder or a list of them stands for, in order.

`FILE::KEY` names an array of a container or a column of a table. The files of a pattern or a folder are shards of one array: they are read
in the order of their names, in which numbers count by value (part-2 comes before part-10).
"""

import glob
import os
import re
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import NamedTuple

from latentlink.data.readers.content import FileContentError
from latentlink.storage.refusals import naming_refusals

AnyPath = str | os.PathLike[str]


class Located(NamedTuple):
    """Files and what is to be read of them.

    Attributes:
        files: the shards, in order; at least one.
        key: the array or column in each of them, or None.
    """

    files: tuple[Path, ...]
    key: str | None


def locate(source: AnyPath | Sequence[AnyPath], key: str | None, suffixes: Collection[str]) -> Located:
    """Find the files of a source.

    Args:
        source: a file, `FILE::KEY`, a pattern such as "part-*.parquet", a folder of shards, or a list of files.
        key: the array or column, where `source` does not name it.
        suffixes: formats that the caller can read; the other files of a folder are no shards.

    Raises:
        FileNotFoundError: the file is absent, a link leads nowhere, or a pattern matches none.
        OSError: the system refuses to open a file; PermissionError where the right to read it is lacking.
        FileContentError: a folder holds no shards or shards of several formats, or keys contradict each other.
    """
    if isinstance(source, str | os.PathLike):
        with naming_refusals(source):
            return _locate_one(os.fspath(source), key, suffixes)
    if not isinstance(source, Sequence) or not all(isinstance(part, str | os.PathLike) for part in source):
        raise FileContentError("path must be a file, a pattern, a folder or a list of files, got a list of other things")
    parts = [locate(part, key, suffixes) for part in source]
    keys = {part.key for part in parts}
    if len(keys) > 1:
        raise FileContentError(f"{source[0]} …: shards must be read by one key, got {', '.join(sorted(map(str, keys)))}")
    if not parts:
        raise FileNotFoundError("no file was given")
    return Located(tuple(file for part in parts for file in part.files), parts[0].key)


def _locate_one(source: str, key: str | None, suffixes: Collection[str]) -> Located:
    path, separator, named = source.rpartition("::")
    if separator and not Path(source).exists():
        if key is not None and key != named:
            raise FileContentError(f"{source}: names the key {named!r}, got key {key!r} beside it")
        source, key = path, named
    _refuse_null(source)
    if Path(source).is_dir():
        return Located(_folder(Path(source), suffixes), key)
    if Path(source).exists() or not glob.has_magic(source):
        return Located((_existing(Path(source), suffixes),), key)
    found = [path for path in map(Path, glob.glob(source, recursive=True)) if _is_entry(path)]  # noqa: PTH207 (Path.glob refuses absolute patterns)
    if not found:
        raise FileNotFoundError(f"{source}: no file matches this pattern, seen from {Path.cwd()}")
    return Located(tuple(_existing(path, suffixes) for path in in_order(found)), key)


def _refuse_null(source: str) -> None:
    if "\0" in source:
        raise FileContentError(f"{source!r}: a path holds no null character")


def _is_entry(path: Path) -> bool:
    """Tell files, and links to what is no longer there, which are refused as shards instead of being left out, from folders."""
    return path.is_file() or (path.is_symlink() and not path.exists())


def _existing(path: Path, suffixes: Collection[str]) -> Path:
    """Check what can be checked before a file is opened."""
    if path.is_symlink() and not path.exists():
        raise FileNotFoundError(f"{path}: a link to {path.readlink()}, which is not there: bring it back, or remove the link")
    if not path.exists():
        raise FileNotFoundError(f"{path}: there is no such file, seen from {Path.cwd()}")
    if path.suffix.lower() not in suffixes:
        raise FileContentError(f"{path}: suffix {path.suffix!r} cannot be read here, expected one of {', '.join(suffixes)}")
    if not path.is_file():
        raise FileContentError(f"{path}: not a file")
    with path.open("rb") as file:  # a file without permission to read raises PermissionError here
        if not file.read(1):
            raise FileContentError(f"{path}: empty file")
    return path


def _folder(folder: Path, suffixes: Collection[str]) -> tuple[Path, ...]:
    shards = [path for path in folder.iterdir() if _is_entry(path) and path.suffix.lower() in suffixes and path.name[0] not in "._"]
    formats = sorted({path.suffix.lower() for path in shards})
    if not shards:
        raise FileContentError(f"{folder}: a folder without shards, expected files of one of {', '.join(suffixes)}")
    if len(formats) > 1:
        raise FileContentError(f"{folder}: shards of several formats ({', '.join(formats)}); say which: {folder}/*{formats[0]}")
    return tuple(_existing(path, suffixes) for path in in_order(shards))


def in_order(paths: list[Path]) -> list[Path]:
    """Sort paths by their names, in which numbers count by value."""
    return sorted(paths, key=lambda path: [int(part) if number % 2 else part for number, part in enumerate(re.split(r"(\d+)", str(path)))])

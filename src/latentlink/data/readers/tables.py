"""Tables: Parquet, Arrow and CSV files and the frames of pandas, polars and Hugging Face, as named columns of numbers or of lists.

Features are found by type and by name: one column of lists of numbers, or numeric columns side by side. Columns that are no features
(ids, labels, row numbers) never become dimensions of a latent: where they stand beside features, the table is refused until the caller says
which columns he means. polars is imported only when a table is read.
"""

import fnmatch
import json
import os
import re
import warnings
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from latentlink.data.readers.arrow_files import IpcFile, IpcStream, ParquetFile
from latentlink.data.readers.columns import check_alike, is_no_feature
from latentlink.data.readers.content import Array, FileContentError
from latentlink.data.readers.delimited import delimited
from latentlink.data.readers.frames import EXTRA, FrameSource, HuggingFace, InMemory
from latentlink.data.readers.pandas_frames import polars_of_pandas
from latentlink.numerics.extras import import_extra

COLUMNAR = (".parquet", ".pq", ".arrow", ".feather", ".ipc")
DELIMITED = (".csv", ".tsv", ".txt")
_PANDAS_INDEX = re.compile(r"__index_level_\d+__")


@dataclass(frozen=True)
class Table:
    """Named columns of a file or a frame.

    Attributes:
        origin: the file's path, or what the frame is; messages begin with it.
        schema: the polars type of each column, in order.
        source: where the columns are.
        index: columns of which pandas says that they are its index.
        rows: consecutive rows that are meant; None for all.
        path: the file; None for a frame.
        classes: names of the classes that the numbers of a column stand for, in their order, where a data set of Hugging Face tells them.
    """

    origin: str
    schema: Mapping[str, Any]
    source: FrameSource
    index: frozenset[str] = frozenset()
    rows: range | None = None
    path: Path | None = None
    classes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def read(self, names: Sequence[str]) -> Any:
        """A polars frame of some columns."""
        return self.source.read(names, self.rows)

    def count(self) -> int:
        """Number of rows."""
        return self.source.count() if self.rows is None else len(self.rows)

    def column(self, name: str) -> Array:
        """Read one column: numbers (n,), words (n,), or lists of equal lengths (n, d) or (n, T, d).

        Raises:
            FileContentError: there is no such column, values are missing, or lists have different lengths.
        """
        if name not in self.schema:
            raise FileContentError(f"{self.origin}: has no array {name!r}; its keys are: {', '.join(self.schema) or 'none'}")
        return _array(self.origin, self.read([name]).to_series())

    def features(self, columns: str | Sequence[str] | None) -> Array:
        """Read the features: one column of lists as it is, or numeric columns side by side (n, d).

        Args:
            columns: names or patterns such as "f*" of the columns that are features; patterns pass over ids, labels and row numbers. None
                finds them by type and name.

        Raises:
            FileContentError: columns that are no features stand beside the features, a pattern matches nothing, or values are missing.
        """
        names = self.feature_names(columns)
        if len(names) == 1 and self.schema[names[0]].is_nested():
            return self.column(names[0])
        wrong = [name for name in names if not self.schema[name].is_numeric()]
        if wrong:
            raise FileContentError(f"{self.origin}: columns must be numeric or one column of lists, got {self._described(wrong)}")
        frame = self.read(names)
        for column in frame.get_columns():
            _refuse_missing(self.origin, column)
        return np.asarray(_plain(frame).to_numpy())

    def feature_names(self, columns: str | Sequence[str] | None) -> list[str]:
        """The columns that are features; the argument and errors are those of `features`."""
        return self._named(columns) if columns is not None else self._found()

    def without(self, names: Collection[str]) -> "Table":
        """The table without some of its columns."""
        return replace(self, schema={name: kind for name, kind in self.schema.items() if name not in names})

    def ordered(self, names: Sequence[str]) -> "Table":
        """The table with its columns in another order."""
        return replace(self, schema={name: self.schema[name] for name in names})

    def part(self, rows: range) -> "Table":
        """The table of some consecutive rows, which are read without the others where the format allows."""
        return replace(self, rows=rows)

    def held(self) -> "Table":
        """The same table for repeated reading, of which what can be read only whole is read now, and kept."""
        return replace(self, source=self.source.held())

    def _named(self, columns: str | Sequence[str]) -> list[str]:
        patterns = [columns] if isinstance(columns, str) else list(columns)
        names: dict[str, None] = {}
        for pattern in patterns:
            matched = [
                name for name in self.schema if name == pattern or (_fits(name, str(pattern), list(self.schema)) and name not in self.index)
            ]
            if not matched:
                raise FileContentError(f"{self.origin}: no column matches {pattern!r}; its columns are: {', '.join(self.schema)}")
            names.update(dict.fromkeys(matched))
        return list(names)

    def _found(self) -> list[str]:
        """The columns that are features, where their types and names leave no doubt."""
        index = [name for name in self.schema if name in self.index or _PANDAS_INDEX.fullmatch(name)]
        if index:
            warnings.warn(f"{self.origin}: {', '.join(index)} is the index of a pandas frame and is left out", UserWarning, stacklevel=2)
        names = [name for name in self.schema if name not in index]
        lists = [name for name in names if self.schema[name].is_nested()]
        numbers = [name for name in names if self.schema[name].is_numeric()]
        floats = [name for name in numbers if not self.schema[name].is_integer()]
        if len(lists) == 1 and not floats:
            return lists
        suspects = [name for name in numbers if is_no_feature(name, names) and len(numbers) > 1]
        if floats:
            suspects = [name for name in numbers if name in suspects or name not in floats]
        if suspects and not lists and len(numbers) == len(names):
            features = [name for name in numbers if name not in suspects]
            prefix = os.path.commonprefix(features)  # noqa: RUF071 (of words)
            shared = len(features) > 1 and prefix and not any(name.startswith(prefix) for name in suspects)
            some = f"[{features[0]!r}, {features[1]!r}, …, {features[-1]!r}]" if len(features) > 4 else repr(features)
            remedy = f"columns={repr(prefix + '*') if shared else some}"
            raise FileContentError(
                f"{self.origin}: {self._described(suspects)} stand beside {len(features)} other numeric columns and look like ids, labels "
                f"or row numbers, which are no features: name the features by columns, such as {remedy} (--columns on the command line)"
            )
        if not names or len(numbers) < len(names):
            described = self._described(names) or "nothing"
            raise FileContentError(
                f"{self.origin}: expected one list column or numeric columns only, or a key that says which; it has: {described}"
            )
        return names

    def _described(self, names: Sequence[str]) -> str:
        shown = [f"{name or '(no name)'} ({self.schema[name]})" for name in names[:12]]
        return ", ".join(shown) + (f" and {len(names) - 12} more" if len(names) > 12 else "")


def _fits(name: str, pattern: str, beside: Sequence[str]) -> bool:
    """Tell whether a pattern with wildcards names a column; ids, labels and row numbers have to be named in full."""
    return fnmatch.fnmatchcase(name, pattern) and not is_no_feature(name, beside)


def table_of(source: Any) -> Table | None:
    """The table of a frame in memory, or None for what is no frame.

    Args:
        source: a polars or pandas frame, or a Hugging Face data set.

    Raises:
        FileContentError: a data set of several splits, or one that is streamed.
    """
    package = type(source).__module__.split(".")[0]
    kind = type(source).__name__
    polars = package == "polars" and kind in ("DataFrame", "LazyFrame")
    if not polars and (package, kind) != ("pandas", "DataFrame") and package != "datasets":
        return None
    origin = f"{package} {kind}"
    if package == "datasets":
        return _from_hugging_face(origin, source)
    if package == "pandas":
        source = polars_of_pandas(origin, source)
    frame = source.collect() if kind == "LazyFrame" else source
    return Table(origin, dict(frame.schema), InMemory(frame))


def alike(tables: Sequence[Table]) -> tuple[Table, ...]:
    """Tables whose columns are in the order of the first one; raises FileContentError where their columns differ."""
    check_alike(tables)
    return tuple(table.ordered(list(tables[0].schema)) for table in tables)


def _from_hugging_face(origin: str, data: Any) -> Table:
    if hasattr(data, "keys") and not hasattr(data, "to_polars"):
        raise FileContentError(f"{origin}: several splits ({', '.join(map(str, data.keys()))}); give one of them, such as data['train']")
    if not hasattr(data, "num_rows"):
        raise FileContentError(f"{origin}: a streamed data set has no rows to pair; load it without streaming=True")
    classes = {name: tuple(kind.names) for name, kind in (data.features or {}).items() if type(kind).__name__ == "ClassLabel"}
    plain = data.with_format(None)
    held = HuggingFace(plain)
    return Table(origin, dict(held.read(plain.column_names, range(0)).schema), held, classes=classes)


def table_at(path: Path, held: bool = True) -> Table:
    """The table of a file; only its columns' names and types are read yet.

    Args:
        path: the file.
        held: whether to keep what can be read only whole, a text file, and has to be for its types; else it is read again.

    Raises:
        ImportError: polars is not installed.
        FileContentError: the file is damaged.
    """
    if path.suffix.lower() in DELIMITED:
        text = delimited(path)
        found = text.held()
        return Table(str(path), dict(found.frame.schema), found if held else text, path=path)
    if path.suffix.lower() in (".parquet", ".pq"):
        parquet = ParquetFile(path)
        notes = parquet.metadata()
        classes = _class_names(notes.get("huggingface"))
        return Table(str(path), parquet.schema(), parquet, _pandas_index(notes.get("pandas")), path=path, classes=classes)
    with path.open("rb") as file:
        start = file.read(6)
    if start[:4] == b"FEA1":
        raise FileContentError(f"{path}: Feather of version 1, which is no Arrow file: write it anew by pandas or polars")
    batches = IpcFile(path) if start == b"ARROW1" else IpcStream(path)
    return Table(str(path), batches.schema(), batches, path=path)


def _pandas_index(note: str | None) -> frozenset[str]:
    """The columns that pandas' own note in a Parquet file calls its index."""
    try:
        columns = json.loads(note).get("index_columns", []) if note else []
    except (ValueError, AttributeError):
        columns = []
    return frozenset(name for name in columns if isinstance(name, str))


def _class_names(note: str | None) -> dict[str, tuple[str, ...]]:
    """The names of classes in the note of a Parquet file that `datasets` wrote."""
    try:
        features = json.loads(note)["info"]["features"] if note else {}
        return {name: tuple(kind["names"]) for name, kind in features.items() if kind.get("_type") == "ClassLabel" and "names" in kind}
    except (ValueError, KeyError, TypeError, AttributeError):
        return {}


def _plain(frame: Any) -> Any:
    """Numbers that NumPy has: decimals and integers of 128 bits become float64."""
    polars = import_extra("polars", EXTRA)
    wide = polars.selectors.decimal() | polars.selectors.by_dtype(polars.Int128, polars.UInt128)
    return frame.with_columns(wide.cast(polars.Float64))


def _array(origin: str, column: Any) -> Array:
    """Numbers or words (n,), or lists of equal lengths (n, d), (n, T, d), …"""
    polars = import_extra("polars", EXTRA)
    _refuse_missing(origin, column)
    shape = [len(column)]
    name = column.name
    while isinstance(column.dtype, polars.List | polars.Array):
        length = column.dtype.size if isinstance(column.dtype, polars.Array) else None
        lists = column.cast(polars.List(column.dtype.inner)) if length is not None else column
        lengths = lists.list.len().unique().sort().to_list()
        if len(lengths) != 1 or lengths[0] == 0:
            counts = f"{lengths[0]} to {lengths[-1]}" if lengths else "no"
            raise FileContentError(f"{origin}: lists in column {name} have {counts} values, expected one length")
        shape.append(int(lengths[0]))
        column = lists.explode()
        _refuse_missing(origin, column.alias(name))
    if column.dtype.is_numeric():
        return np.asarray(_plain(column.to_frame()).to_series().to_numpy()).reshape(shape)
    if len(shape) == 1 and column.dtype in (polars.String, polars.Categorical, polars.Enum, polars.Boolean):
        words = column.to_list()
        return np.asarray(words) if column.dtype == polars.Boolean else np.asarray(words, object)
    raise FileContentError(f"{origin}: column {name} is {column.dtype}, expected numbers or lists of numbers")


def _refuse_missing(origin: str, column: Any) -> None:
    if column.null_count():
        row = column.is_null().arg_max()
        raise FileContentError(f"{origin}: column {column.name} has {column.null_count()} missing values, the first in row {row}")

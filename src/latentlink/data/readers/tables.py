"""The columns of a Parquet file as one array: one column of lists, one numeric column, or several numeric columns side by side.

polars is imported only when such a file is read.
"""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentlink.numerics.extras import import_extra

EXTRA = "lab"


class FileContentError(ValueError):
    """A file exists and cannot be used; the message names the file, what came and what was expected."""


def column_names(path: Path) -> list[str]:
    """Read the names of the columns.

    Raises:
        ImportError: polars is not installed.
        FileContentError: the file is damaged.
    """
    return [*_call(path, "read_parquet_schema")]


def read_columns(path: Path, column: str | None) -> NDArray[Any]:
    """Read one column, or all of them, as an array (n,) or (n, d).

    Raises:
        ImportError: polars is not installed.
        FileContentError: the file is damaged, has columns that are no numbers, missing values, or lists of different lengths.
    """
    table = _call(path, "read_parquet", columns=None if column is None else [column])
    if table.width == 1:
        return _column(path, table.to_series())
    if table.width == 0 or not all(dtype.is_numeric() for dtype in table.dtypes):
        described = ", ".join(f"{name} ({dtype})" for name, dtype in table.schema.items())
        raise FileContentError(f"{path}: expected one list column or numeric columns only, or a key that says which; it has: {described}")
    _refuse_missing(path, table.get_columns())
    return np.asarray(table.to_numpy())


def _call(path: Path, function: str, **arguments: Any) -> Any:
    """Call a function of polars on a file; its parser panics on some damaged files, which is no `Exception`."""
    polars = import_extra("polars", EXTRA)
    try:
        return getattr(polars, function)(path, **arguments)
    except polars.exceptions.PanicException as error:
        raise FileContentError(f"{path}: cannot be read as .parquet, it is damaged or something else ({error})") from error


def _column(path: Path, column: Any) -> NDArray[Any]:
    """A numeric column (n,), or one of lists of equal length (n, d)."""
    polars = import_extra("polars", EXTRA)
    _refuse_missing(path, [column])
    if column.dtype.is_numeric():
        return np.asarray(column.to_numpy())
    inner = column.dtype.inner if isinstance(column.dtype, polars.List | polars.Array) else None
    if inner is None or not inner.is_numeric():
        raise FileContentError(f"{path}: column {column.name} is {column.dtype}, expected numbers or lists of numbers")
    lists = column.cast(polars.List(inner))
    lengths = lists.list.len().unique().sort().to_list()
    if len(lengths) != 1 or lengths[0] == 0:
        raise FileContentError(f"{path}: lists in column {column.name} have {lengths[0]} to {lengths[-1]} values, expected one length")
    values = lists.explode()
    _refuse_missing(path, [values])
    return np.asarray(values.to_numpy()).reshape(len(lists), -1)


def _refuse_missing(path: Path, columns: list[Any]) -> None:
    for column in columns:
        if column.null_count():
            raise FileContentError(f"{path}: column {column.name} has {column.null_count()} missing values")

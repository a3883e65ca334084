"""Frames of pandas as frames of polars, which is imported only when one is given."""

from typing import Any

from latentlink.data.readers.content import FileContentError
from latentlink.data.readers.frames import EXTRA
from latentlink.numerics.extras import import_extra


def polars_of_pandas(origin: str, frame: Any) -> Any:
    """A polars frame of the columns; pandas' own index is no column.

    Raises:
        FileContentError: two columns have one name, or a column holds neither numbers, nor words, nor lists of numbers.
    """
    polars = import_extra("polars", EXTRA)
    names = [str(name) for name in frame.columns]
    twice = next((name for name in names if names.count(name) > 1), None) if len(set(names)) < len(names) else None
    if twice is not None:
        raise FileContentError(f"{origin}: {names.count(twice)} columns are named {twice!r}, expected one: rename or drop the others")
    columns = []
    for number, name in enumerate(names):
        values = frame.iloc[:, number]
        try:
            plain = values.to_numpy() if str(values.dtype.kind) in "biuf" and not values.isna().any() else _values(values)
            columns.append(polars.Series(name, plain))
        except (TypeError, ValueError, AttributeError, polars.exceptions.PolarsError) as error:
            text = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise FileContentError(f"{origin}: column {name} cannot be read as numbers or lists of numbers ({text})") from error
    return polars.DataFrame(columns)


def _values(values: Any) -> Any:
    """Python's own values; None where words or nullable numbers are missing, and NaN among plain numbers."""
    if values.dtype.kind == "f" and type(values.dtype).__module__.startswith("numpy"):
        return values.to_numpy()
    return [None if missing is True else value for value, missing in zip(values.tolist(), values.isna().tolist(), strict=True)]

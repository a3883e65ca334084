"""Types of Arrow: tables of those that polars cannot take become tables of those that it can. Imported only when a table is read."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from latentlink.data.readers.content import FileContentError
from latentlink.numerics.extras import import_extra

_EXTRA = "lab"


def frame_of_arrow(table: Any, names: Sequence[str]) -> Any:
    """A polars frame of an Arrow table; polars has names of its own for columns without one.

    Raises:
        FileContentError: a column is of a type that cannot be read.
    """
    pyarrow = import_extra("pyarrow", _EXTRA)
    columns = [_readable(pyarrow, name, column) for name, column in zip(names, table.columns, strict=True)]
    plain = pyarrow.table(columns, names=[str(number) for number in range(len(columns))])
    frame = import_extra("polars", _EXTRA).from_arrow(plain)
    frame.columns = list(names)
    return frame


def empty_of_schema(schema: Any) -> Any:
    """An Arrow table without rows, of whatever types."""
    pyarrow = import_extra("pyarrow", _EXTRA)
    arrays = []
    for name, kind in zip(schema.names, schema.types, strict=True):
        extended = isinstance(kind, pyarrow.BaseExtensionType)
        try:
            stored = pyarrow.array([], kind.storage_type if extended else kind)
        except NotImplementedError as error:
            raise _unreadable(name, kind) from error
        arrays.append(pyarrow.ExtensionArray.from_storage(kind, stored) if extended else stored)
    return pyarrow.Table.from_arrays(arrays, schema=schema)


def _readable(pyarrow: Any, name: str, column: Any) -> Any:
    """The column in a type that polars reads."""
    kind, types = column.type, pyarrow.types
    if isinstance(kind, pyarrow.FixedShapeTensorType):
        return pyarrow.chunked_array([_nested(pyarrow, name, kind, chunk) for chunk in column.chunks], _nested_type(pyarrow, kind))
    if isinstance(kind, pyarrow.BaseExtensionType):
        stored = pyarrow.chunked_array([chunk.storage for chunk in column.chunks], kind.storage_type)
        return _readable(pyarrow, name, stored)
    if types.is_list_view(kind) or types.is_large_list_view(kind):
        inner = _readable(pyarrow, name, pyarrow.chunked_array([], kind.value_type)).type
        return pyarrow.chunked_array([_listed(pyarrow, name, chunk) for chunk in column.chunks], pyarrow.large_list(inner))
    if types.is_decimal256(kind):
        return column.cast(pyarrow.float64())
    if _is_strange(pyarrow, kind):
        raise _unreadable(name, kind)
    return column


def _unreadable(name: str, kind: Any) -> FileContentError:
    return FileContentError(
        f"column {name} is of Arrow's type {kind}, which cannot be read: leave it out, or cast it to numbers or lists of them"
    )


def _listed(pyarrow: Any, name: str, chunk: Any) -> Any:
    """Views of lists as lists of their own, one after the other."""
    missing = chunk.is_null().to_numpy(zero_copy_only=False)
    sizes = np.where(missing, 0, chunk.sizes.to_numpy(zero_copy_only=False))
    offsets = pyarrow.array(np.concatenate([[0], np.cumsum(sizes)]), pyarrow.int64())
    values = _readable(pyarrow, name, pyarrow.chunked_array([chunk.flatten()])).combine_chunks()
    return pyarrow.LargeListArray.from_arrays(offsets, values, mask=pyarrow.array(missing))


def _is_strange(pyarrow: Any, kind: Any) -> bool:
    """Tell whether polars cannot take a type, or one inside it."""
    types = pyarrow.types
    if types.is_union(kind) or types.is_interval(kind) or types.is_decimal256(kind) or types.is_run_end_encoded(kind) or types.is_map(kind):
        return True
    if types.is_list_view(kind) or types.is_large_list_view(kind) or isinstance(kind, pyarrow.BaseExtensionType):
        return True
    if types.is_dictionary(kind):
        return _is_strange(pyarrow, kind.value_type)
    return any(_is_strange(pyarrow, kind.field(number).type) for number in range(kind.num_fields))


def _shape(kind: Any) -> tuple[int, ...]:
    """The shape of a tensor as its axes are meant, in whatever order they are stored."""
    order = kind.permutation or range(len(kind.shape))
    return tuple(kind.shape[axis] for axis in order)


def _nested_type(pyarrow: Any, kind: Any) -> Any:
    nested = kind.value_type
    for length in reversed(_shape(kind)):
        nested = pyarrow.list_(nested, length)
    return nested


def _nested(pyarrow: Any, name: str, kind: Any, chunk: Any) -> Any:
    """Tensors as lists in lists of fixed lengths."""
    if chunk.null_count:
        raise FileContentError(f"column {name} has {chunk.null_count} missing values")
    stored = chunk.storage.flatten().to_numpy(zero_copy_only=False).reshape(len(chunk), *kind.shape)
    order = kind.permutation or range(len(kind.shape))
    values = np.ascontiguousarray(stored.transpose(0, *(axis + 1 for axis in order))).reshape(-1)
    nested = pyarrow.array(values, kind.value_type)
    shape = _shape(kind)
    for length in reversed(shape):
        nested = pyarrow.FixedSizeListArray.from_arrays(nested, length)
    assert len(nested) * math.prod(shape) == len(values)
    return nested

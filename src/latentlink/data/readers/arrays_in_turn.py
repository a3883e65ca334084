"""Arrays in NumPy's format one after the other, whose rows are handed out as they come."""

import io
import math
import tokenize
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from latentlink.data.readers.content import Array, FileContentError, check_kind

MAGIC = b"\x93NUMPY"
_LONGEST = 1 << 16  # bytes of a header, beyond which it is none


class _Header(NamedTuple):
    """What is said of an array before its numbers.

    Attributes:
        shape: of the array.
        dtype: of its numbers.
        in_columns: True where columns come one after the other, and not rows.
        size: bytes of the header.
    """

    shape: tuple[int, ...]
    dtype: np.dtype
    in_columns: bool
    size: int


def arrays_in_turn(name: str, pieces: Iterator[bytes]) -> Iterator[Array]:
    """Hand out the rows (k, …) of all arrays as far as they have come; all have one shape but for their number of rows.

    Args:
        name: of the source, for messages.
        pieces: its bytes.

    Raises:
        FileContentError: something else than arrays of real numbers of one dimension, or an end within one.
    """
    data, header, left, row = bytearray(), None, 0, 0
    first: tuple[int, ...] | None = None
    for piece in pieces:
        data += piece
        while True:
            if not left:
                header = _header_of(name, data)
                if header is None:
                    break
                first = first or header.shape[1:]
                if header.shape[1:] != first:
                    raise FileContentError(f"{name}: after {row} rows come some of shape {header.shape[1:]}, expected {first} as before")
                del data[: header.size]
                left = header.shape[0]
            assert header is not None
            size = header.dtype.itemsize * math.prod(header.shape[1:])
            count = min(left, len(data) // size)
            if header.in_columns and count < left:
                break  # its rows are there when all of it is
            if count:
                yield _rows(header, data[: count * size], count)
                del data[: count * size]
                left, row = left - count, row + count
            if left:
                break
    if left or data:
        raise FileContentError(f"{name}: ends within an array, {left or 'some'} of whose rows are missing: it is truncated")


def _rows(header: _Header, content: bytearray, count: int) -> Array:
    shape = (count, *header.shape[1:])
    return np.frombuffer(content, header.dtype).reshape(shape, order="F" if header.in_columns else "C")


def _header_of(name: str, data: bytearray) -> _Header | None:
    """The header that stands at the beginning; None where it has not come yet.

    Raises:
        FileContentError: something else stands there, or an array that holds no rows of real numbers.
    """
    start = bytes(data[:_LONGEST])
    if len(start) < 12 and MAGIC.startswith(start[: len(MAGIC)]):
        return None
    if not start.startswith(MAGIC):
        raise FileContentError(f"{name}: is no array, or arrays one after the other, as np.save writes them")
    wide = start[6] > 1
    size = (12 if wide else 10) + int.from_bytes(start[8 : 12 if wide else 10], "little")
    file = io.BytesIO(start)
    try:
        version = np.lib.format.read_magic(file)
        if len(start) < size <= _LONGEST:
            return None
        reader = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, in_columns, dtype = reader(file)
    except (ValueError, tokenize.TokenError) as error:  # the latter of brackets that are never closed
        raise FileContentError(f"{name}: is no array, or arrays one after the other, as np.save writes them ({error})") from error
    check_kind(name, np.empty(0, dtype), "real numbers", "fiu")
    if not shape or not math.prod(shape[1:]):
        raise FileContentError(f"{name}: got an array of shape {shape}, expected (n, m)")
    return _Header(shape, dtype, in_columns, size)

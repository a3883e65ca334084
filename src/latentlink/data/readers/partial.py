"""Arrays of files of which some rows are read without the others: .npy, .safetensors and HDF5; others are read whole and kept."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
from safetensors import safe_open

from latentlink.data.readers import matlab
from latentlink.data.readers.containers import choose, map_npy
from latentlink.data.readers.content import Array, numpy_of
from latentlink.data.readers.opening import read_array, readable
from latentlink.numerics.doors import release


class StoredArray(NamedTuple):
    """An array in a file that is open.

    Attributes:
        shape: of the whole array.
        take: returns consecutive rows, as they are stored.
    """

    shape: tuple[int, ...]
    take: Callable[[range], Array]


@contextmanager
def open_array(path: Path, key: str | None) -> Iterator[StoredArray]:
    """Open one array of a file, to read some of its rows at a time.

    Raises:
        FileContentError: as `read_array`.
        ImportError: as `read_array`.
    """
    opener = _OPENERS.get(path.suffix.lower(), _whole)
    with readable(path), opener(path, key) as stored:
        yield stored


@contextmanager
def _npy(path: Path, key: str | None) -> Iterator[StoredArray]:
    array = map_npy(path, key, "r")

    def take(rows: range) -> Array:
        copied = np.array(array[rows.start : rows.stop])
        release(array)
        return copied

    yield StoredArray(array.shape, take)


@contextmanager
def _safetensors(path: Path, key: str | None) -> Iterator[StoredArray]:
    with safe_open(path, framework="pt") as file:
        part = file.get_slice(choose(str(path), file.keys(), key))
        yield StoredArray(tuple(part.get_shape()), lambda rows: numpy_of(part[rows.start : rows.stop]))


@contextmanager
def _hdf5(path: Path, key: str | None) -> Iterator[StoredArray]:
    with matlab.open_dataset(path, key) as found:
        if found is None:  # of MATLAB's version 5, or a cell array
            with _whole(path, key) as stored:
                yield stored
        else:
            yield StoredArray(*found)


@contextmanager
def _whole(path: Path, key: str | None) -> Iterator[StoredArray]:
    array = read_array(path, key)
    yield StoredArray(array.shape, lambda rows: array[rows.start : rows.stop])


_OPENERS: dict[str, Callable[[Path, str | None], AbstractContextManager[StoredArray]]] = {
    ".npy": _npy,
    ".safetensors": _safetensors,
    **dict.fromkeys(matlab.SUFFIXES, _hdf5),
}

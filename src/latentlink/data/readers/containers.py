"""Containers of arrays: read one array from a .npy, .npz, .safetensors, .parquet, .pt, .csv, .h5 or .mat file.

`files` decides what the numbers mean; here only types that NumPy cannot hold are converted. Nothing is unpickled.
"""

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import safe_open
from torch import Tensor

from latentlink.data.readers import tables
from latentlink.data.readers.tables import FileContentError
from latentlink.numerics.extras import import_extra

Array = NDArray[Any]
ARRAYS = (".npy", ".npz", ".safetensors", ".parquet", ".pt", ".pth")
LISTS = (".csv", ".txt")
HDF5 = (".h5", ".hdf5", ".mat")


def read_array(path: str | os.PathLike[str], key: str | None, suffixes: tuple[str, ...]) -> Array:
    """Read one array.

    Args:
        path: the file; its suffix says which format it has.
        key: which array, if the container names its arrays; not needed if it holds only one.
        suffixes: the formats that make sense to the caller.

    Raises:
        FileNotFoundError: the file is absent.
        FileContentError: another suffix, a damaged file, a wrong or missing key.
        ImportError: the package that reads HDF5 (h5py) or Parquet (polars) is not installed.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if not path.exists():
        raise FileNotFoundError(f"{path}: there is no such file")
    if suffix not in suffixes:
        raise FileContentError(f"{path}: suffix {suffix!r} cannot be read here, expected one of {', '.join(suffixes)}")
    if not path.is_file():
        raise FileContentError(f"{path}: not a file")
    with path.open("rb") as file:  # a file without permission to read raises PermissionError here
        if not file.read(1):
            raise FileContentError(f"{path}: empty file")
    try:
        return np.asarray(READERS[suffix](path, key))
    except (ImportError, FileContentError):
        raise
    except Exception as error:  # a damaged file makes its parser raise nearly anything
        raise FileContentError(f"{path}: cannot be read as {suffix}, it is damaged or something else ({error})") from error


def _choose(path: Path, names: Iterable[str], key: str | None) -> str:
    """The requested key, or the only one."""
    known = list(names)
    listed = ", ".join(known) if known else "none"
    if key is None and len(known) == 1:
        return known[0]
    if key is None:
        raise FileContentError(f"{path}: expected one array or a key that says which; its keys are: {listed}")
    if key not in known:
        raise FileContentError(f"{path}: has no array {key!r}; its keys are: {listed}")
    return key


def _no_key(path: Path, key: str | None) -> None:
    if key is not None:
        raise FileContentError(f"{path}: holds one array without a name, got key {key!r}")


def _npy(path: Path, key: str | None) -> Array:
    _no_key(path, key)
    with path.open("rb") as file:
        array: Array = np.lib.format.read_array(file, allow_pickle=False)
    return array


def _npz(path: Path, key: str | None) -> Array:
    with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:  # given a path, numpy leaves a damaged file open
        array: Array = archive[_choose(path, archive.files, key)]
    return array


def _safetensors(path: Path, key: str | None) -> Array:
    with safe_open(path, framework="pt") as file:
        return _numpy(file.get_tensor(_choose(path, file.keys(), key)))


def _torch(path: Path, key: str | None) -> Array:
    content = torch.load(path, map_location="cpu", weights_only=True)
    if isinstance(content, Tensor):
        _no_key(path, key)
        return _numpy(content)
    if not isinstance(content, dict):
        raise FileContentError(f"{path}: holds a {type(content).__name__}, expected a tensor or a dict of tensors")
    tensors = {str(name): value for name, value in content.items() if isinstance(value, Tensor)}
    return _numpy(tensors[_choose(path, tensors, key)])


def _numpy(tensor: Tensor) -> Array:
    plain = tensor.detach().resolve_conj().resolve_neg()
    narrow = plain.is_floating_point() and plain.dtype not in (torch.float16, torch.float32, torch.float64)
    array: Array = (plain.float() if narrow else plain).numpy()  # NumPy has no bfloat16
    return array


def _parquet(path: Path, key: str | None) -> Array:
    return tables.read_columns(path, None if key is None else _choose(path, tables.column_names(path), key))


def _lines(path: Path, key: str | None) -> Array:
    """One number a line; the first line may be a header, empty lines do not count."""
    _no_key(path, key)
    lines = [(number, line.strip()) for number, line in enumerate(path.read_text(encoding="utf-8-sig").splitlines(), 1) if line.strip()]
    values = []
    for position, (number, line) in enumerate(lines):
        value = _number(line)
        if value is None and position > 0:
            raise FileContentError(f"{path}: line {number} is {line[:40]!r}, expected one integer a line")
        if value is not None:
            values.append(value)
    return np.array(values)


def _number(text: str) -> int | float | None:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return None


def _hdf5(path: Path, key: str | None) -> Array:
    """A dataset of an HDF5 file, with the axes in the order their author wrote them."""
    with path.open("rb") as file:
        if file.read(10) == b"MATLAB 5.0":
            raise FileContentError(f"{path}: a MATLAB file older than v7.3, which is not HDF5: save it with '-v7.3'")
    h5py = import_extra("h5py", "hdf5")
    if path.suffix.lower() == ".mat" and not h5py.is_hdf5(path):
        raise FileContentError(f"{path}: not HDF5: damaged, or a MATLAB file older than v7.3; save it with '-v7.3'")
    with h5py.File(path, "r") as file:
        names: list[str] = []
        file.visititems(lambda name, item: names.append(name) if isinstance(item, h5py.Dataset) and name[0] != "#" else None)
        dataset = file[_choose(path, names, None if key is None else key.strip("/"))]
        array = np.asarray(dataset[()])
        # MATLAB stores by columns and HDF5 by rows: its axes come reversed, and only its own mark tells
        return array.T if "MATLAB_class" in dataset.attrs else array


READERS: dict[str, Callable[[Path, str | None], Array]] = {
    ".npy": _npy,
    ".npz": _npz,
    ".safetensors": _safetensors,
    ".parquet": _parquet,
    **dict.fromkeys((".pt", ".pth"), _torch),
    **dict.fromkeys(LISTS, _lines),
    **dict.fromkeys(HDF5, _hdf5),
}

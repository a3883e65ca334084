"""Containers of arrays: one array out of a .npy, .npz, .safetensors or .pt file, or the lines of a text file.

Nothing is unpickled, and no more memory is taken than the file declares and holds.
"""

import math
import tokenize
import zipfile
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from safetensors import safe_open
from torch import Tensor

from latentlink.data.readers.content import Array, FileContentError, numpy_of

MAPPED_BYTES = 1 << 26  # a larger .npy file is mapped, copy on write, instead of being read


def choose(origin: str, names: Iterable[str], key: str | None) -> str:
    """Return the requested key, or the only one.

    Raises:
        FileContentError: several arrays and no key, or a key that names none of them; the message lists all.
    """
    known = list(names)
    listed = ", ".join(known[:50]) if known else "none"
    if key is None and len(known) == 1:
        return known[0]
    if key is None:
        raise FileContentError(f"{origin}: expected one array or a key that says which; its keys are: {listed}")
    if key not in known:
        raise FileContentError(f"{origin}: has no array {key!r}; its keys are: {listed}")
    return key


def refuse_key(path: Path, key: str | None) -> None:
    """Refuse a key for a file whose one array has no name.

    Raises:
        FileContentError: there is a key.
    """
    if key is not None:
        raise FileContentError(f"{path}: holds one array without a name, got key {key!r}")


def _npy(path: Path, key: str | None) -> Array:
    if path.stat().st_size > MAPPED_BYTES:
        return map_npy(path, key, "c")
    array: Array = map_npy(path, key, "r").copy(order="K")
    return array


def map_npy(path: Path, key: str | None, mode: Literal["r", "c"]) -> Array:
    """Map the array of a .npy file, to be read ("r") or so that changes stay private ("c"); an array without entries is made anew.

    Raises:
        FileContentError: there is a key, or the file is damaged or holds objects.
    """
    refuse_key(path, key)
    with path.open("rb") as file:
        shape, fortran, dtype = _npy_header(path, file)
        start = file.tell()
    _check_declared(str(path), shape, dtype, path.stat().st_size - start)
    if math.prod(shape) == 0:
        return np.zeros(shape, dtype)
    return np.memmap(path, dtype, mode, start, shape, "F" if fortran else "C")


def _npy_header(name: object, file: Any) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    version = np.lib.format.read_magic(file)
    if version not in ((1, 0), (2, 0), (3, 0)):
        raise FileContentError(f"{name}: a .npy file of version {version}, which is unknown here")
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    try:
        return read(file)
    except tokenize.TokenError as error:  # brackets that are never closed
        raise FileContentError(f"{name}: damaged: its header cannot be read ({error})") from error


def _check_declared(origin: str, shape: tuple[int, ...], dtype: np.dtype[Any], held: int) -> None:
    """Refuse arrays of objects, and a header that declares more than the file holds, or less."""
    if dtype.hasobject:
        raise FileContentError(f"{origin}: cannot be read: an array of objects, which is not unpickled: np.stack the rows and save numbers")
    declared = math.prod(shape) * dtype.itemsize
    if min(shape, default=0) < 0 or declared > held:
        raise FileContentError(f"{origin}: damaged: its header declares {shape} of {dtype}, {declared} bytes, and {held} bytes follow")
    if declared < held:
        raise FileContentError(
            f"{origin}: {held} bytes follow its header, expected the {declared} of {shape} {dtype} that it declares: its shape is damaged, "
            "or several arrays were saved into one open file: save each into a file of its own"
        )


def _npz(path: Path, key: str | None) -> Array:
    with path.open("rb") as file, zipfile.ZipFile(file) as archive:
        entries = _members(path, archive)
        name = choose(str(path), entries, key)
        entry = archive.getinfo(entries[name])
        with archive.open(entry) as member:
            shape, fortran, dtype = _npy_header(path, member)
            _check_declared(f"{path}::{name}", shape, dtype, entry.file_size - member.tell())
            content = member.read(math.prod(shape) * dtype.itemsize)
    array = np.frombuffer(bytearray(content), dtype) if content else np.zeros(0, dtype)
    return array.reshape(shape, order="F" if fortran else "C")


def _members(path: Path, archive: zipfile.ZipFile) -> dict[str, str]:
    """The members of a .npz file by the names of their arrays, each of which has to stand for one member."""
    members = archive.namelist()
    entries = {name.removesuffix(".npy"): name for name in members}
    if len(entries) < len(members):
        stems = Counter(name.removesuffix(".npy") for name in members)
        twice = sorted({name for name in members if stems[name.removesuffix(".npy")] > 1})
        raise FileContentError(
            f"{path}: several members are one array by name ({', '.join(twice[:10])}), expected one each: save them under other names"
        )
    return entries


def _safetensors(path: Path, key: str | None) -> Array:
    with safe_open(path, framework="pt") as file:
        return numpy_of(file.get_tensor(choose(str(path), file.keys(), key)))


def _torch(path: Path, key: str | None) -> Array:
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        if "weights_only" in str(error) or "WeightsUnpickler" in str(error):
            raise FileContentError(
                f"{path}: cannot be read safely, it holds more than tensors (a NumPy array, a module or another object), which is not "
                "unpickled: save a tensor by torch.save, or the array by np.save"
            ) from error
        raise
    if isinstance(content, dict):
        found = {str(name): value for name, value in content.items() if isinstance(value, Tensor) or _batches(value)}
        content = found[choose(str(path), found, key)]
    else:
        refuse_key(path, key)
    if _batches(content):
        return _joined(path, content)
    if not isinstance(content, Tensor):
        raise FileContentError(f"{path}: holds a {type(content).__name__}, expected a tensor, a list of batches or a dict of tensors")
    return numpy_of(_dense(path, content))


def _batches(value: object) -> bool:
    return isinstance(value, list | tuple) and len(value) > 0 and all(isinstance(part, Tensor) and part.ndim > 0 for part in value)


def _joined(path: Path, batches: list[Tensor]) -> Array:
    """A list of batches as one array, in the order of the list."""
    if len({(part.shape[1:], part.dtype) for part in batches}) > 1:
        shapes = ", ".join(sorted({f"{part.dtype} {tuple(part.shape[1:])}" for part in batches}))
        raise FileContentError(f"{path}: a list of {len(batches)} tensors of several kinds ({shapes}), which cannot be joined")
    return numpy_of(torch.cat([_dense(path, part) for part in batches]))


def _dense(path: Path, tensor: Tensor) -> Tensor:
    if tensor.layout != torch.strided or tensor.is_quantized:
        raise FileContentError(f"{path}: holds a {tensor.layout} tensor, expected a dense one: save tensor.to_dense()")
    return tensor


CONTAINERS: dict[str, Callable[[Path, str | None], Array]] = {
    ".npy": _npy,
    ".npz": _npz,
    ".safetensors": _safetensors,
    ".pt": _torch,
    ".pth": _torch,
}

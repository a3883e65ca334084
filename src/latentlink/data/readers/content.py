"""Contents of files as NumPy arrays, and the checks that every reader makes of them."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Array = NDArray[Any]
_ROWS = 65_536  # rows that are looked at together, so that a memory-mapped array is never copied whole


class Cells(np.ndarray):
    """An array that was a cell array of MATLAB: its first axis counts the cells, whatever order the axes of a file have."""


class FileContentError(ValueError):
    """A file exists and cannot be used; the message names the file, what came, what was expected and the usual remedy."""


def numpy_of(tensor: Tensor) -> Array:
    """Convert a tensor, of whatever dtype, to an array; NumPy has neither bfloat16 nor 8-bit floats, which become float32."""
    plain = tensor.detach().cpu().resolve_conj().resolve_neg()
    narrow = plain.is_floating_point() and plain.dtype not in (torch.float16, torch.float32, torch.float64)
    return (plain.float() if narrow else plain).numpy()


def check_kind(origin: str, array: Array, expected: str, kinds: str) -> None:
    """Refuse an array whose dtype is of another kind, with the remedy for those that people have.

    Raises:
        FileContentError: naming the dtype and what was expected.
    """
    if array.dtype.kind == "V" and array.dtype.itemsize in (1, 2):
        what = {1: "an 8-bit float", 2: "bfloat16"}[array.dtype.itemsize]
        raise FileContentError(f"{origin}: got {array.dtype}, which is how NumPy writes {what}: save it as float32")
    if array.dtype.kind == "O":
        raise FileContentError(f"{origin}: got an array of objects, which is not unpickled: np.stack the rows and save numbers")
    if array.dtype.kind not in kinds:
        raise FileContentError(f"{origin}: got {array.dtype}, expected {expected}")


def narrowed(origin: str, array: Array, dtype: Any) -> Array:
    """The numbers in another precision, into which all of them have to fit; NaN and infinities pass, and are told by `check_values`.

    Raises:
        FileContentError: finite numbers would become infinite, as those of long doubles can.
    """
    if not (array.dtype.kind in "fc" and array.dtype.itemsize > np.dtype(dtype).itemsize):
        return np.asanyarray(array, dtype)
    with np.errstate(over="ignore"):
        found = np.asanyarray(array, dtype)
    lost = np.isfinite(array) & ~np.isfinite(found)
    if lost.any():
        row = int(np.argwhere(lost)[0, 0]) if lost.ndim else 0
        raise FileContentError(
            f"{origin}: {int(lost.sum())} values of {array.dtype} are too large for {np.dtype(dtype)}, the first in row {row}: "
            "scale the array down before saving it"
        )
    return found


def check_values(origin: str, array: Array, row: int = 0) -> None:
    """Refuse an empty array and numbers that are not finite, naming the first such row; a block of rows is looked at at a time.

    Args:
        origin: where the array comes from, for messages.
        array: numbers (n, …).
        row: number of its first row.

    Raises:
        FileContentError: naming the shape, or how many values are not finite.
    """
    if array.size == 0:
        raise FileContentError(f"{origin}: got shape {array.shape}, which holds nothing")
    if array.dtype.kind in "iu":
        return
    bad = 0
    first: int | None = None
    rows = max(1, _ROWS * len(array) // array.size) if array.size > _ROWS else len(array)
    for start in range(0, len(array), rows):
        finite = np.isfinite(array[start : start + rows])
        if not finite.all():
            bad += int((~finite).sum())
            first = row + start + int(np.argwhere(~finite)[0, 0]) if first is None else first
    if first is not None:
        raise FileContentError(f"{origin}: {bad} values are NaN or infinite, the first in row {first}")

"""Arrays whose numbers are not what they seem: bits of half precision, a column that counts the rows, and one that looks like labels."""

import warnings

import numpy as np

from latentlink.data.readers.content import Array, FileContentError

_BITS, _MOSTLY = 8192, 0.97  # bits of half precision are integers above this but for values below 0.008; of uniform integers 7/8 are
_ROWS, _NUMBERS = 4096, 2**22  # rows, and numbers, that are looked at
_LEAST = 8  # rows, below which whole numbers may be chance


def check_bits(origin: str, array: Array) -> None:
    """Refuse integers of 16 bits that are the bits of floats.

    Raises:
        FileContentError: with how they become floats.
    """
    if array.dtype not in (np.uint16, np.int16):
        return
    bits = np.asarray(array[:_ROWS]).view(np.uint16) & 0x7FFF  # without the sign
    if (bits > 0).any() and (bits[bits > 0] >= _BITS).mean() > _MOSTLY:
        raise FileContentError(
            f"{origin}: got {array.dtype} whose values are nearly all at least {_BITS} from zero, as the bits of bfloat16 or float16 "
            "are: save them as float32, such as torch.from_numpy(array).view(torch.bfloat16).float()"
        )


def check_columns(origin: str, array: Array) -> None:
    """Look at the first rows of an array for a column that stands out among features.

    Args:
        origin: where it comes from, for messages.
        array: latents (n, d); arrays with other axes pass.

    Raises:
        FileContentError: one column counts the rows.

    Warns:
        UserWarning: one column holds whole numbers, as labels do, and all others fractions.
    """
    if array.ndim != 2 or array.shape[1] < 3 or len(array) < _LEAST:
        return
    rows = array[: max(_LEAST, min(_ROWS, _NUMBERS // array.shape[1]))].astype(np.float64)
    with np.errstate(invalid="ignore"):
        whole = (rows == np.rint(rows)).all(0) & np.isfinite(rows).all(0)
        counts = np.flatnonzero(whole & (np.diff(rows, axis=0) == 1).all(0))
        fractions = (rows != np.rint(rows)).mean(0) > 0.5
    if len(counts) == 1:
        raise FileContentError(
            f"{origin}: column {counts[0]} of {array.shape[1]} counts the rows, {rows[0, counts[0]]:.0f}, {rows[1, counts[0]]:.0f}, …, "
            f"which is no feature: save np.delete(array, {counts[0]}, 1), or name the columns of a table that are features by columns"
        )
    strays = np.flatnonzero(whole & (rows.min(0) < rows.max(0)))
    if len(strays) == 1 and fractions.sum() == array.shape[1] - 1:
        kinds = len(np.unique(rows[:, strays[0]]))
        warnings.warn(
            f"{origin}: column {strays[0]} holds whole numbers ({kinds} different ones) beside {array.shape[1] - 1} columns of fractions, "
            f"as labels do: if it is no feature, save np.delete(array, {strays[0]}, 1), and the labels apart",
            UserWarning,
            stacklevel=2,
        )

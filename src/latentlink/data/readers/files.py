"""Latents, labels, channels and images from files, checked once and turned into tensors.

Every error is a ValueError that begins with the path and says what came and what was expected.
"""

import io
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Complex128, Float, Int64, UInt8
from safetensors.torch import save
from torch import Tensor

from latentlink.data.readers.containers import ARRAYS, HDF5, LISTS, Array, read_array
from latentlink.data.readers.tables import EXTRA as TABLES_EXTRA
from latentlink.data.readers.tables import FileContentError
from latentlink.numerics.extras import import_extra
from latentlink.storage.atomic import write_atomically

CHANNEL_SUFFIXES = (".npy", ".npz", *HDF5)
COMPOUNDS = (("real", "imag"), ("r", "i"))  # the names of MATLAB and h5py for the parts of a complex number


def read_latents(path: str | os.PathLike[str], key: str | None = None) -> Float[Tensor, "n d"]:
    """Read latents, one a row.

    Args:
        path: .npy, .npz, .safetensors, .parquet (one column of lists, or numeric columns only), .pt or .pth.
        key: which array or column, if there are several.

    Returns:
        Latents (n, d), float64 if they are stored in double precision, else float32.

    Raises:
        FileNotFoundError: the file is absent.
        ValueError: an unknown suffix, a damaged file, several arrays and no key, or an array that is not real, finite and (n, d).
        ImportError: Parquet without polars (extra `lab`).

    Example:
        >>> x = read_latents("tx.npy")  # doctest: +SKIP
    """
    array = read_array(path, key, ARRAYS)
    _check_kind(path, array, "real numbers", "fiu")
    if array.ndim != 2:
        raise FileContentError(f"{path}: got shape {array.shape}, expected (n, d): one latent a row")
    _check_values(path, array)
    double = array.dtype.kind == "f" and array.dtype.itemsize >= 8
    return torch.from_numpy(np.require(array, np.float64 if double else np.float32, ["C", "W"]))


def read_labels(path: str | os.PathLike[str], key: str | None = None) -> Int64[Tensor, "n"]:
    """Read labels, the numbers of classes.

    Args:
        path: a file that `read_latents` takes, or .csv or .txt with one integer a line; the first line may be a header.
        key: which array or column, if there are several.

    Returns:
        Labels (n,), int64, all >= 0. A single column (n, 1) is flattened to (n,), and floats with integer values become integers.

    Raises:
        FileNotFoundError: the file is absent.
        ValueError: as for `read_latents`; several columns, negative or fractional numbers. Are they one-hot? Save their argmax.
    """
    array = read_array(path, key, ARRAYS + LISTS)
    if array.size == 0:
        raise FileContentError(f"{path}: holds no labels")
    _check_kind(path, array, "integers", "fiu")
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 1:
        raise FileContentError(
            f"{path}: got shape {array.shape}, expected (n,) or (n, 1), one label an image; save the argmax(1) of one-hot labels"
        )
    _check_values(path, array)
    wrong = (array < 0) | (array != np.trunc(array)) | (array >= 2**63)
    if wrong.any():
        row = int(np.argmax(wrong))
        raise FileContentError(f"{path}: label {row} is {array[row]}, expected an integer ≥ 0")
    return torch.from_numpy(np.require(array, np.int64, ["C", "W"]))


def read_channels(path: str | os.PathLike[str], key: str | None = None) -> Complex128[Tensor, "n u r t"]:
    """Read measured or simulated channel matrices.

    Args:
        path: .npy, .npz, .h5, .hdf5, or .mat saved with '-v7.3'. Complex numbers, or HDF5 pairs named real/imag or r/i.
            MATLAB's axes, which are reversed in its files, are put back in order; those of other HDF5 files stay as they are.
            MATLAB drops last axes of length one: write channels with one transmit antenna and several uses with another tool.
        key: which array, if there are several; HDF5 groups are separated by slashes.

    Returns:
        Channels H (N, u, n_rx, n_tx), linear amplitudes as stored; u = 1 for a file of (N, n_rx, n_tx).

    Raises:
        FileNotFoundError: the file is absent.
        ValueError: as for `read_latents`; real numbers, another number of axes, MATLAB files older than v7.3.
        ImportError: HDF5 or MATLAB without h5py.
    """
    array = _join_parts(read_array(path, key, CHANNEL_SUFFIXES))
    _check_kind(path, array, "a complex array", "c")
    if array.ndim not in (3, 4):
        raise FileContentError(f"{path}: got shape {array.shape}, expected (N, rx, tx) or (N, uses, rx, tx)")
    _check_values(path, array)
    h = torch.from_numpy(np.require(array, np.complex128, ["C", "W"]))
    return h.unsqueeze(1) if h.ndim == 3 else h


def _join_parts(array: Array) -> Array:
    """Join pairs (real, imaginary) to complex numbers; other arrays are returned unchanged."""
    for real, imaginary in COMPOUNDS:
        if array.dtype.names is not None and set(array.dtype.names) == {real, imaginary}:
            joined = np.empty(array.shape, np.complex128)
            joined.real = array[real]
            joined.imag = array[imaginary]
            return joined
    return array


def _check_kind(path: str | os.PathLike[str], array: Array, expected: str, kinds: str) -> None:
    if array.dtype.kind not in kinds:
        raise FileContentError(f"{path}: got {array.dtype}, expected {expected}")


def _check_values(path: str | os.PathLike[str], array: Array) -> None:
    """Refuse an empty array and numbers that are not finite, naming the first such row."""
    if array.size == 0:
        raise FileContentError(f"{path}: got shape {array.shape}, which holds nothing")
    finite = np.isfinite(array)
    if not finite.all():
        row = int(np.argwhere(~finite)[0, 0])
        raise FileContentError(f"{path}: {int((~finite).sum())} values are NaN or infinite, the first in row {row}")


def read_images(path: str | os.PathLike[str]) -> UInt8[Tensor, "n ..."]:
    """Read images (n, height, width) or (n, height, width, 3), uint8, from a .npy file.

    Raises:
        FileNotFoundError: the file is absent.
        ValueError: another suffix, a damaged file, another dtype or shape.
    """
    array = read_array(path, None, (".npy",))
    if array.dtype != np.uint8 or not (array.ndim == 3 or (array.ndim == 4 and array.shape[3] == 3)) or array.size == 0:
        raise FileContentError(f"{path}: got {array.dtype} {array.shape}, expected uint8 (n, height, width) or (n, height, width, 3)")
    return torch.from_numpy(np.require(array, requirements=["C", "W"]))


def write_array(path: str | os.PathLike[str], values: Tensor) -> None:
    """Write latents (n, d) or labels (n,) so that `read_latents` and `read_labels` read them back; atomic.

    Raises:
        ValueError: the suffix is not .npy, .safetensors, .parquet or .pt.
        OSError: the file cannot be written.
    """
    writer = _writer(path)
    buffer = io.BytesIO()
    writer(values.detach().cpu().contiguous(), buffer)
    write_atomically(path, buffer.getvalue())


def check_writable_suffix(path: str | os.PathLike[str]) -> None:
    """Refuse early what `write_array` would refuse after the work is done.

    Raises:
        ValueError: the suffix is not .npy, .safetensors, .parquet or .pt.
    """
    _writer(path)


def _writer(path: str | os.PathLike[str]) -> Callable[[Tensor, io.BytesIO], object]:
    writers: dict[str, Callable[[Tensor, io.BytesIO], object]] = {
        ".npy": lambda values, buffer: np.save(buffer, values.numpy()),
        ".safetensors": lambda values, buffer: buffer.write(save({"values": values})),
        ".parquet": lambda values, buffer: import_extra("polars", TABLES_EXTRA).DataFrame({"values": values.numpy()}).write_parquet(buffer),
        ".pt": torch.save,
    }
    suffix = Path(path).suffix
    if suffix not in writers:
        raise ValueError(f"{path}: cannot write {suffix or 'a file without a suffix'}, expected {', '.join(writers)}")
    return writers[suffix]

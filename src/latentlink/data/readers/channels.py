"""Channel matrices of files, with their axes in the package's order."""

import warnings
from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Complex128
from torch import Tensor

from latentlink.data.readers import matlab
from latentlink.data.readers.axes import arrange
from latentlink.data.readers.containers import CONTAINERS
from latentlink.data.readers.content import Array, FileContentError, check_kind, check_values, narrowed
from latentlink.data.readers.opening import read_array
from latentlink.data.readers.sources import AnyPath, locate
from latentlink.numerics.validation import validate_call

SUFFIXES = (*CONTAINERS, *matlab.SUFFIXES)
_REAL = "amplitudes only? a link needs complex baseband coefficients, amplitudes with phases"
_LARGEST = 1e150  # whose square float64 holds, and sums of many
_USUAL_GAIN = (1e-5, 1e5)  # beyond these, mean |h|² is a path loss and not a fading channel's


@validate_call
def read_channels(path: AnyPath | Sequence[AnyPath], *, key: str | None = None, axes: str | None = None) -> Complex128[Tensor, "n u r t"]:
    """Read measured or simulated channel matrices.

    Args:
        path: a file (.npy, .npz, .safetensors, .pt, .h5, .hdf5 or .mat), `FILE::KEY`, a pattern, a folder of shards or a list of files.
            HDF5 holds complex numbers as pairs named real and imag, or r and i.
        key: which array, if there are several; HDF5 groups and the fields of a struct are separated by slashes or points.
        axes: "latentlink", "matlab", "quadriga", "deepmimo", "sionna", or the names of the axes in order, such as "rx tx n". Without it
            one matrix (rx, tx), and (N, rx, tx) in a file that is not MATLAB's, with one channel or at least as many as transmit
            antennas, are recognised; everything else has to be said.

    Returns:
        Channels H (N, uses, n_rx, n_tx), linear amplitudes as stored; one use where no axis counts uses.

    Raises:
        FileNotFoundError: the file is absent.
        OSError: the system refuses to open it; PermissionError where the right to read it is lacking.
        ValueError: a damaged file, a missing key, real or not finite numbers, or axes that are unknown or not said.
        ImportError: HDF5 without h5py, or MATLAB without scipy.

    Warns:
        UserWarning: the imaginary parts are all zero, or mean |h|² is far from one, as where a path loss was left in.

    Example:
        >>> import numpy as np, latentlink as ll
        >>> np.save("measured.npy", ll.rayleigh(2, 4, batch=(100,), generator=0).numpy())
        >>> h = ll.read_channels("measured.npy")
        >>> h.shape
        torch.Size([100, 1, 2, 4])
        >>> ll.Channel.from_grid(h, snr_db=20.0)
        Channel(100 channels, 2×4, 1 use, SNR 20 dB, power 1)
    """
    located = locate(path, key, SUFFIXES)
    parts = []
    for file in located.files:
        array = read_array(file, located.key)
        if array.dtype.kind in "biuf":
            raise FileContentError(f"{file}: got {array.dtype}, expected complex numbers: {_remedy(array)}")
        check_kind(str(file), array, "complex numbers", "c")
        check_values(str(file), array)
        parts.append(arrange(str(file), narrowed(str(file), array, np.complex128), axes, file.suffix.lower() == ".mat"))
    if len({part.shape[1:] for part in parts}) > 1:
        shapes = sorted({part.shape[1:] for part in parts})
        raise FileContentError(f"{path}: shards of several shapes, {shapes}, expected one (uses, rx, tx)")
    h = np.require(np.concatenate(parts), np.complex128, ["C", "W"])
    if max(h.real.max(), -h.real.min(), h.imag.max(), -h.imag.min()) > _LARGEST:
        raise FileContentError(f"{path}: has channels above {_LARGEST:.0e}, whose squares overflow: bring them to mean |h|² = 1")
    _warn(str(located.files[0]), h)
    return torch.from_numpy(h)


def _remedy(real: Array) -> str:
    """What makes complex channels of real ones: parts along the last or the first axis are joined."""
    parts = {"last": (-1, "h[..., 0] + 1j * h[..., 1]"), "first": (0, "h[0] + 1j * h[1]")}
    for name, (axis, joined) in parts.items():
        if real.ndim > 2 and real.shape[axis] == 2:
            return f"if the {name} axis of {real.shape} holds real and imaginary parts, save {joined}; else: {_REAL}"
    return _REAL


def _warn(origin: str, h: Array) -> None:
    if not h.imag.any():
        warnings.warn(f"{origin}: the imaginary parts of all channels are zero: {_REAL}", UserWarning, stacklevel=3)
    gain = float(np.mean(np.abs(h) ** 2))
    if not _USUAL_GAIN[0] <= gain <= _USUAL_GAIN[1]:
        remedy = "normalise the channels, h / sqrt(mean |h|²), or give the SNR by a link budget that counts the path loss"
        warnings.warn(f"{origin}: mean |h|² is {gain:.1e}: {remedy}", UserWarning, stacklevel=3)

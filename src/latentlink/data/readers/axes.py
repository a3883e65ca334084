"""Axes of channel arrays: what each axis counts is said, or follows from the file's format; it is never guessed.

- `latentlink`: (n, rx, tx) or (n, use, rx, tx), this package's own order.
- `matlab`: (rx, tx), (rx, tx, n) or (rx, tx, use, n), MATLAB's habit, the samples last.
- `quadriga`: likewise; QuaDRiGa's `fr` gives receive antennas, transmit antennas, carriers and snapshots.
- `deepmimo`: (n, rx, tx, use); users, receive antennas, transmit antennas and subcarriers.
- `sionna`: (n, n, rx, n, tx, use, use); a frequency response of a batch, receivers and their antennas, transmitters and their antennas,
  OFDM symbols and subcarriers. Each pair of a receiver and a transmitter is a channel of its own.

Own axes are written as a list of these names, such as "rx tx n". A name may come more than once: such axes are merged, the first one
slowest. `use` counts the channel uses of one message (subcarriers, symbols); write `n` instead where each shall be a channel of its own.
"""

import math
import re

import numpy as np

from latentlink.data.readers.content import Array, Cells, FileContentError

_MANY_ANTENNAS = 64  # at the transmitter, beyond which an axis that is longer than the first one rather counts channels
_LONG, _TIMES = 16, 4  # an axis of one matrix that is longer, and so many times the other, may count channels of one antenna
NAMES = ("n", "use", "rx", "tx")
PRESETS: dict[str, tuple[str, ...]] = {
    "latentlink": ("n rx tx", "n use rx tx"),
    "matlab": ("rx tx", "rx tx n", "rx tx use n"),
    "quadriga": ("rx tx", "rx tx n", "rx tx use n"),
    "deepmimo": ("n rx tx use",),
    "sionna": ("n n rx n tx use use",),
}
_ASK = (
    "say which axis is which by axes (--axes on the command line): one of "
    f"{', '.join(PRESETS)}, or names in order such as 'rx tx n' (n counts channels, use the uses of one message)"
)


def arrange(origin: str, h: Array, axes: str | None, matlab: bool) -> Array:
    """Bring channels to (N, uses, rx, tx).

    Args:
        origin: the file, for messages.
        h: an array of any order of axes.
        axes: a preset or the names of the axes in order; None recognises (N, rx, tx) in files that are not MATLAB's.
        matlab: the file is MATLAB's, whose axes are never taken for (N, rx, tx) unsaid, unless the first one counts the cells of a cell
            array: then each cell is a channel, and a preset is that of one cell.

    Raises:
        FileContentError: unknown axes, another number of them, or axes that have to be said and are not.
    """
    names = (_recognised(origin, h, matlab) if axes is None else _said(origin, h, axes)).split()
    order = [position for name in NAMES for position, axis in enumerate(names) if axis == name]
    sizes = [math.prod(h.shape[position] for position, axis in enumerate(names) if axis == name) for name in NAMES]
    return np.transpose(np.asarray(h), order).reshape(sizes)


def _said(origin: str, h: Array, axes: str) -> str:
    preset = PRESETS.get(axes.strip().lower())
    if preset is not None:
        if isinstance(h, Cells):
            preset = tuple(dict.fromkeys(f"n {' '.join(name for name in names.split() if name != 'n')}" for names in preset))
        fitting = [names for names in preset if len(names.split()) == h.ndim]
        if not fitting:
            layouts = " or ".join(f"({', '.join(names.split())})" for names in preset)
            raise FileContentError(f"{origin}: got shape {h.shape}, expected {layouts} by axes={axes!r}")
        _check_matrix(origin, h)
        return fitting[0]
    names = re.split(r"[\s,]+", axes.strip().strip("()").strip().lower())
    unknown = [name for name in names if name not in NAMES]
    if unknown or not {"rx", "tx"} & set(names):
        raise FileContentError(f"{origin}: axes={axes!r} must name rx and tx (one of them where the other end has one antenna); {_ASK}")
    if len(names) != h.ndim:
        raise FileContentError(f"{origin}: axes={axes!r} name {len(names)} axes, got shape {h.shape}")
    return " ".join(names)


def _check_matrix(origin: str, h: Array) -> None:
    """Refuse one matrix that may be many channels, of which an axis of length one was left out, as MATLAB does."""
    if h.ndim == 2 and max(h.shape) > max(_LONG, _TIMES * min(h.shape)):
        raise FileContentError(
            f"{origin}: got shape {h.shape}, one channel of {h.shape[0]}×{h.shape[1]} antennas, or {max(h.shape)} channels of one antenna "
            "at an end: say axes='rx tx' for one channel, or 'n tx', 'n rx', 'tx n' or 'rx n' for many (--axes on the command line)"
        )


def _recognised(origin: str, h: Array, matlab: bool) -> str:
    """The axes of a file that says nothing: one matrix, or channels of this package's own layout."""
    if h.ndim == 2:
        _check_matrix(origin, h)
        return "rx tx"
    if h.ndim != 3:
        raise FileContentError(f"{origin}: got shape {h.shape}, whose {h.ndim} axes are ambiguous: {_ASK}")
    if matlab and not isinstance(h, Cells):
        raise FileContentError(f"{origin}: got shape {h.shape} in MATLAB's order of axes, whose samples may come first or last: {_ASK}")
    n, _, last = h.shape
    if not isinstance(h, Cells) and ((1 < n < last) or last > max(n, _MANY_ANTENNAS)):
        raise FileContentError(
            f"{origin}: got shape {h.shape}; as (n, rx, tx) that is {n} channels of {h.shape[1]}×{last} antennas, as (rx, tx, n) "
            f"{last} channels of {n}×{h.shape[1]}: {_ASK}"
        )
    return "n rx tx"

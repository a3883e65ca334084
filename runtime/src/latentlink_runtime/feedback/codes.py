"""Steps of the report's numbers: angles and amplitudes as integers, and what each integer stands for.

φ takes b bits and ψ two fewer (at least one), both at the middle of their step. An amplitude takes b bits: 2^b − 1 steps in decibels, of
60 dB, below the most that a channel may have, n_rx n_tx gain + 10 dB, and one code for nothing. Powers of the header are in hundredths of
a decibel, and the lowest code is nothing.
"""

import functools
import math
from typing import Any

import numpy as np

from latentlink_runtime.feedback.givens import from_givens_angles, givens_angles

Array = np.ndarray[Any, Any]

TOP_DB, RANGE_DB = 10.0, 60.0  # of h² over n_rx n_tx gain
NOTHING = -(2**15)  # code of a power of zero
_LARGEST = 2**15 - 1


def psi_bits(bits: int) -> int:
    """Bits of each ψ where φ and amplitudes take `bits`."""
    return max(bits - 2, 1)


def power_code(power: float) -> int:
    """A power in hundredths of a decibel, from −327.67 to 327.67 dB; `NOTHING` for zero."""
    return NOTHING if power <= 0 else min(max(round(1000 * math.log10(power)), NOTHING + 1), _LARGEST)


def code_power(code: int) -> float:
    """The power that a code stands for."""
    return 0.0 if code == NOTHING else float(10.0 ** (code / 1000))


def encode_beams(V: Array, bits: int) -> tuple[Array, Array]:
    """Codes of φ and ψ (…, a) of matrices with orthonormal columns (…, n_tx, q)."""
    phi, psi = givens_angles(V)
    return _steps(np.mod(phi, 2 * np.pi), 2 * np.pi, bits), _steps(psi, np.pi / 2, psi_bits(bits))


def decode_beams(phi: Array, psi: Array, bits: int, q: int, n_tx: int, dtype: Any = np.float64) -> Array:
    """V̂ (…, n_tx, q) of codes (…, a), in the precision of a real dtype."""
    phi = (phi + 0.5) * (2 * np.pi / 2**bits)
    psi = (psi + 0.5) * (np.pi / 2 / 2 ** psi_bits(bits))
    return from_givens_angles(phi.astype(dtype), psi.astype(dtype), q, n_tx)


def encode_amplitudes(h: Array, bits: int, strongest: float) -> Array:
    """Codes of amplitudes h, steps below the strongest h² a channel may have."""
    steps = 2**bits - 1
    h = np.asarray(h, np.float64)
    if strongest <= 0:
        return np.full(h.shape, steps, np.int64)
    level = 20 * np.log10(np.maximum(h / strongest**0.5, 1e-30)) - TOP_DB
    return np.clip(np.floor(-level / (RANGE_DB / steps)), 0, steps).astype(np.int64)


def decode_amplitudes(codes: Array, bits: int, strongest: float) -> Array:
    """ĥ of codes: equal codes give equal numbers, lane by lane, since all are read from one table."""
    return strongest**0.5 * _levels(bits)[codes]


def quantisation_variance(n_rx: int, n_tx: int, bits: int, gain: float) -> float:
    """Variance of each entry of H that quantisation leaves, to first order and for isotropic V: steps Δ err by Δ²/12 each.

    An error of φ moves one row of what is left of V, one of ψ two rows; rows i … of q − i columns hold (q − i)/(n_tx − i) each.
    """
    q = min(n_rx, n_tx)
    phi = (2 * math.pi / 2**bits) ** 2 / 12
    psi = (math.pi / 2 / 2 ** psi_bits(bits)) ** 2 / 12
    rows = sum((n_tx - 1 - i) * (q - i) / (n_tx - i) for i in range(min(q, n_tx - 1)))
    amplitude = (RANGE_DB / (2**bits - 1) * math.log(10) / 20) ** 2 / 12
    return gain * min(1.0, rows * (phi + 2 * psi) / q + amplitude)


@functools.cache
def _levels(bits: int) -> Array:
    """The amplitude of each code, of a strongest one of 1."""
    steps = 2**bits - 1
    levels = 10 ** ((TOP_DB - (np.arange(steps + 1) + 0.5) * (RANGE_DB / steps)) / 20)
    levels[steps] = 0.0
    levels.setflags(write=False)
    return levels


def _steps(values: Array, end: float, bits: int) -> Array:
    """The number of the step in which each value from 0 to `end` lies."""
    return np.clip(np.floor(values / (end / 2**bits)), 0, 2**bits - 1).astype(np.int64)

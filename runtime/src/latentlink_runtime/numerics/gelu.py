"""The Gaussian error linear unit, x Φ(x) = x (1 + erf(x / √2)) / 2, of float32 arrays.

erf is a rational function of x² times x, of degrees 4 and 6, on |x| ≤ 3.8325, beyond which float32 rounds it to ±1. Its coefficients are
those of the XLA compiler; it needs no exponential, and is within 3 units in the last place.
"""

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

_END = np.float32(3.832506856900711)
_NUMERATOR = np.array(
    [0.00022905065861350646, 0.0034082910107109506, 0.050955695062380861, 0.18520832239976145, 1.128379143519084], np.float32
)
_DENOMINATOR = np.array(
    [
        -1.1791602954361697e-7,
        0.000023547966471313185,
        0.0010179625278914885,
        0.014070470171167667,
        0.11098505178285362,
        0.49746925110067538,
        1.0,
    ],
    np.float32,
)
_ROOT_HALF = np.float32(0.5**0.5)


def erf(x: Array) -> Array:
    """The error function of a float32 array."""
    x = np.clip(x, -_END, _END)
    square = x * x
    return x * _polynomial(square, _NUMERATOR) / _polynomial(square, _DENOMINATOR)


def gelu(x: Array) -> Array:
    """x Φ(x) of a float32 array."""
    value = erf(x * _ROOT_HALF)
    value += 1
    value *= x
    value *= np.float32(0.5)
    return value


def _polynomial(x: Array, coefficients: Array) -> Array:
    """The polynomial of these coefficients, that of the highest power first."""
    value = x * coefficients[0]
    for coefficient in coefficients[1:-1]:
        value += coefficient
        value *= x
    value += coefficients[-1]
    return value

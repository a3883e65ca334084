"""Cyclic prefixes against what they repeat: where samples are missing or doubled within a symbol, its prefix is not its end.

    d_l(n) = r(n) − r(n + N) over the CP samples n of symbol l's prefix
    E|d_l,a(n)|² = 2 σ² + (Λ(n) + 0.02) (S_l,a + S_l−1,a)

Λ(n) is the share of the channel's power that comes more than n samples after the window's beginning, and S the power of the signal in a
symbol at antenna a; 0.02 is what a path between two samples leaves, as the clock moves it. Pilots are blind to shifts of whole symbols and
to some others; the prefix of the symbol within which it happened is not.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from latentlink_runtime.radio.numerology import Numerology

Array = np.ndarray[Any, Any]

_BETWEEN = 0.02  # of the signal of two symbols
DEVIATIONS = 4.75  # of a normal variable, which it passes with the probability 10⁻⁶


@dataclass(frozen=True, eq=False)
class Prefixes:
    """The samples of a frame from its training field on.

    Attributes:
        numerology: of the frame.
        samples: (n, n_rx) from the first LTF symbol's prefix on, frequency offset taken out.
        late: Λ (CP,).
        noise_variance: σ² of a sample at a receive antenna.
        training: symbols of the LTF and the header, which are known to be there.
    """

    numerology: Numerology
    samples: Array
    late: Array
    noise_variance: float
    training: int

    def chi_square(self, shift: Array) -> tuple[Array, float]:
        """A mean (symbols,) of |d|² / E|d|², symbol l `shift[l]` samples late, and of how many complex values it is; at most 1 if sound.

        Places of the prefix weigh 1 / (E|d|²)², so that those which late paths spoil say nothing. Noise and late paths are raised to their
        median over the training's symbols at places where they are below, and then all brought to it: σ² and Λ need not be quite right.
        """
        energy, expected, between = self._energies(shift)
        known = slice(self.training)
        expected = expected * np.maximum(np.median((energy / expected).mean(2)[known], axis=0), 1.0)[:, None]
        weight = 1 / (expected + between)[known].mean((0, 2)) ** 2
        weight /= weight.sum()
        usual = max(float(np.median((energy / expected).mean(2)[known] @ weight)), np.finfo(float).tiny)
        chi_square: Array = (energy / (usual * expected + between)).mean(2) @ weight
        spoilt = 1 - float((2 * self.noise_variance / expected[known]).mean((0, 2)) @ weight)
        return chi_square, 1 / float((weight**2).sum()) * self._apart(spoilt)

    def _apart(self, spoilt: float) -> float:
        """Complex values for each place: antennas share what late paths bring, this part, and the used carriers tie places together."""
        antennas = self.samples.shape[1]
        return self.numerology.n_used / self.numerology.n_fft * antennas / (1 + (antennas - 1) * max(spoilt, 0.0) ** 2)

    def _energies(self, shift: Array) -> tuple[Array, Array, Array]:
        """|d|² (symbols, CP, n_rx), what noise and late paths make of it, and (symbols, 1, n_rx) what paths between samples may."""
        length, prefix = self.numerology.symbol_length, self.numerology.cyclic_prefix
        symbols = len(shift)
        whole = self.samples[: symbols * length].reshape(symbols, length, -1)
        signal = np.maximum((np.abs(whole[:, prefix:]) ** 2).mean(1) - self.noise_variance, 0.0)
        before = np.concatenate([signal[: self.training].max(0, keepdims=True), signal[:-1]])  # the short training field's is not known
        starts = length * np.arange(symbols) + np.rint(shift).astype(int)
        index = np.clip(starts[:, None] + np.arange(prefix), 0, len(self.samples) - self.numerology.n_fft - 1)
        apart = self.samples[index] - self.samples[index + self.numerology.n_fft]
        both = (signal + before)[:, None]
        return np.abs(apart) ** 2, 2 * self.noise_variance + self.late[:, None] * both, _BETWEEN * both


def limit(freedom: float) -> float:
    """What χ² of so many complex values passes with the probability 10⁻⁶: the Wilson–Hilferty approximation."""
    return (1 - 1 / (9 * freedom) + DEVIATIONS / np.sqrt(9 * freedom)) ** 3

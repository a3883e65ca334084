"""An air of its own between transmit and receive antennas, which knows nothing of the radio's room.

    r(n) = g e^{j(2πfn + φ)} Σ_d H_d s(n (1 + ζ) − d − delay) + σ v(n)

with taps H_d (taps, n_rx, n_tx), the samples between samples read by a sinc under a Kaiser window.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import i0

Array = np.ndarray[Any, Any]

_REACH = 24  # samples on each side of the interpolating sinc


@dataclass(frozen=True, eq=False)
class Air:
    """What lies between the antennas; see the module."""

    taps: Array
    noise_variance: float = 0.0
    frequency: float = 0.0
    clock: float = 0.0
    delay: float = 0.0
    gain: float = 1.0
    phase: float = 0.0

    def __call__(self, samples: Array, rng: np.random.Generator, tail: int = 200) -> Array:
        """Samples (n + tail, n_rx) at the receive antennas."""
        length, n_rx = len(samples) + tail, self.taps.shape[1]
        clean = np.zeros((length + 64, n_rx), complex)
        for lag, tap in enumerate(self.taps):
            clean[lag : lag + len(samples)] += samples @ tap.T
        at = np.arange(length) * (1 + self.clock) - self.delay
        r = resample(clean, at) if self.clock or self.delay % 1 else _shifted(clean, int(self.delay), length)
        r = r * np.exp(1j * (2 * np.pi * self.frequency * np.arange(length) + self.phase))[:, None]
        return self.gain * (r + noise(rng, r.shape, self.noise_variance))

    def response(self, carriers: Array, n_fft: int) -> Array:
        """H (carriers, n_rx, n_tx) of the taps."""
        turn = np.exp(-2j * np.pi * np.outer(carriers, np.arange(len(self.taps)) + self.delay) / n_fft)
        return self.gain * np.tensordot(turn, self.taps, 1)


def noise(rng: np.random.Generator, shape: tuple[int, ...], variance: float) -> Array:
    """Complex white noise."""
    return np.sqrt(variance / 2) * (rng.standard_normal(shape) + 1j * rng.standard_normal(shape))


def rayleigh(rng: np.random.Generator, taps: int, n_rx: int, n_tx: int, decay: float = 0.5) -> Array:
    """Taps of falling power, E Σ|h|² = 1 for each pair of antennas; decay is the ratio of powers of neighbours."""
    profile = decay ** np.arange(taps)
    return noise(rng, (taps, n_rx, n_tx), 1.0) * np.sqrt(profile / profile.sum())[:, None, None]


def resample(samples: Array, at: Array) -> Array:
    """Samples (n, antennas) at these times (m,)."""
    base = np.floor(at).astype(int)
    out = np.zeros((len(at), samples.shape[1]), complex)
    padded = np.concatenate([np.zeros((_REACH, samples.shape[1])), samples, np.zeros((_REACH + 1, samples.shape[1]))])
    for offset in range(1 - _REACH, _REACH + 1):
        apart = at - (base + offset)
        window = i0(8.0 * np.sqrt(np.clip(1 - (apart / _REACH) ** 2, 0, None))) / i0(8.0)
        place = np.clip(base + offset + _REACH, 0, len(padded) - 1)
        out += (np.sinc(apart) * window)[:, None] * padded[place]
    return out


def _shifted(samples: Array, delay: int, length: int) -> Array:
    out = np.zeros((length, samples.shape[1]), complex)
    part = samples[: length - delay]
    out[delay : delay + len(part)] = part
    return out

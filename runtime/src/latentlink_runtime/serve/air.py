"""An air in NumPy between two streams of samples, which goes on from block to block: for tests, and where there is no radio.

    r(n) = e^{j2πfn} Σ_d H_d s(n (1 + ζ) − d − delay) + v(n),      v ~ CN(0, σ²) a sample at each antenna

with taps H_d (taps, n_rx, n_tx). Samples between samples are read by a sinc under a Kaiser window of 16 samples on each side.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from latentlink_runtime.iq.protocol import IQSink, IQSource, IQTimeoutError

Array = np.ndarray[Any, Any]

_REACH, _PHASES, _BETA = 16, 512, 8.0


class Air:
    """What lies between the antennas; see the module.

    Attributes:
        taps: H_d (taps, n_rx, n_tx); other taps of the same shape may take their place at any time, for the blocks that follow.
        noise_variance: σ².
        frequency: f in cycles a sample.
        clock: ζ, by which the transmitter's samples come faster.
        delay: in samples.
    """

    def __init__(
        self, taps: Any, noise_variance: float = 0.0, *, frequency: float = 0.0, clock: float = 0.0, delay: float = 0.0, seed: int = 0
    ) -> None:
        self.taps = np.asarray(taps, complex)
        if self.taps.ndim != 3 or 0 in self.taps.shape or not np.isfinite(self.taps).all():
            raise ValueError(f"taps must be finite of shape (taps, n_rx, n_tx), got {self.taps.shape}")
        if not 0 <= noise_variance < np.inf or not 0 <= delay < np.inf or not abs(clock) < 0.01 or not abs(frequency) < 0.5:
            raise ValueError(
                "noise_variance and delay must not be negative, |clock| below 0.01 and |frequency| below 0.5, got "
                f"{noise_variance}, {delay}, {clock}, {frequency}"
            )
        self.noise_variance, self.frequency, self.clock, self.delay = noise_variance, frequency, clock, delay
        self._random = np.random.default_rng(seed)
        self._past = np.zeros((len(self.taps) - 1, self.taps.shape[2]), complex)
        self._clean = np.zeros((_REACH, self.taps.shape[1]), complex)  # after the taps, from number _first on
        self._first, self._sent = -_REACH, 0
        self._table = _filters()

    def __call__(self, samples: Array) -> Array:
        """The next samples (n', n_rx) at the receive antennas, n' being near n of the samples (n, n_tx) at the transmit antennas."""
        self._spread(samples)
        last = self._first + len(self._clean) - _REACH  # times below it can be read
        count = max(0, int(np.floor((last + self.delay) / (1 + self.clock))) - self._sent)
        n = np.arange(self._sent, self._sent + count)
        r = self._read(n * (1 + self.clock) - self.delay)
        self._sent += count
        r *= np.exp(2j * np.pi * ((self.frequency * n) % 1.0))[:, None]
        noise = self._random.standard_normal((count, r.shape[1], 2)) @ np.array([1, 1j])
        received: Array = (r + np.sqrt(self.noise_variance / 2) * noise).astype(np.complex64)
        return received

    def response(self, carriers: Array, n_fft: int) -> Array:
        """H (carriers, n_rx, n_tx) of the taps."""
        turn = np.exp(-2j * np.pi * np.outer(carriers, np.arange(len(self.taps))) / n_fft)
        return np.tensordot(turn, self.taps, 1)

    def _spread(self, samples: Array) -> None:
        """Add samples, spread by the taps, and forget what is not read any more."""
        history = np.concatenate([self._past, samples])
        lags = len(self.taps)
        spread = np.zeros((len(samples), self.taps.shape[1]), complex)
        for lag, tap in enumerate(self.taps):
            spread += history[lags - 1 - lag : len(history) - lag] @ tap.T
        self._past = history[len(history) - lags + 1 :]
        oldest = int(np.floor(self._sent * (1 + self.clock) - self.delay)) - _REACH
        keep = min(max(oldest - self._first, 0), len(self._clean))
        self._clean = np.concatenate([self._clean[keep:], spread])
        self._first += keep

    def _read(self, times: Array) -> Array:
        """Samples (n, n_rx) at these times; zeros before the first."""
        if not len(times):
            return np.zeros((0, self._clean.shape[1]), complex)
        base = np.floor(times).astype(np.int64)
        place, share = np.divmod((times - base) * _PHASES, 1.0)
        index = place.astype(int)
        weight = self._table[index] * (1 - share)[:, None] + self._table[index + 1] * share[:, None]
        first = base + 1 - _REACH - self._first
        before = max(0, -int(first[0]))
        clean = np.concatenate([np.zeros((before, self._clean.shape[1])), self._clean]) if before else self._clean
        windows = np.lib.stride_tricks.sliding_window_view(clean, 2 * _REACH, axis=0)
        read: Array = (windows[first + before] @ weight[..., None])[..., 0]
        return read


def rayleigh(seed: int, taps: int, n_rx: int, n_tx: int, decay: float = 0.5) -> Array:
    """Taps (taps, n_rx, n_tx) of falling power, E Σ|h|² = 1 for each pair of antennas; decay is the ratio of powers of neighbours."""
    profile = decay ** np.arange(taps)
    drawn = np.random.default_rng(seed).standard_normal((taps, n_rx, n_tx, 2)) @ np.array([1, 1j])
    return drawn * np.sqrt(profile / profile.sum() / 2)[:, None, None]


def carry(source: IQSource, sink: IQSink, air: Air, stop: Callable[[], bool], most: int = 4096, wait_s: float = 0.1) -> int:
    """Carry samples through the air until `stop` or the end of the stream; what the sink does not take in time is dropped.

    Returns:
        Samples that were carried.
    """
    carried = 0
    while not stop():
        try:
            samples = air(source.read(most, wait_s).samples)
            if len(samples):
                sink.write(samples, wait_s)
                carried += len(samples)
        except IQTimeoutError:
            continue
        except EOFError:
            break
    return carried


def _filters() -> Array:
    """Weights (phases + 1, 32) of the samples around a time, for each part of a sample after one of them."""
    apart = np.arange(_PHASES + 1)[:, None] / _PHASES - np.arange(1 - _REACH, _REACH + 1)
    window = np.i0(_BETA * np.sqrt(np.clip(1 - (apart / _REACH) ** 2, 0, None))) / np.i0(_BETA)
    weights: Array = np.sinc(apart) * window
    return weights

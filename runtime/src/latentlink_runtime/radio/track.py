"""Phases through a frame: what is left of the carrier's and of the clock's offset after the training fields.

    Y_lk = X_lk e^{jθ_lk} + noise ν_k,     θ_lk = φ + 2π f t_l + 2π k (ζ t_l + δ) / N,     ζ ~ N(ζ₀, v) from the frames before

X are the header, decoded and sent anew through Ĥ, and the pilots; t_l is a symbol's time after the LTF's middle; δ is the delay by which
noise moved Ĥ, without which ζ would look more certain than it is. f comes first, from the largest |Σ_l c_l e^{−j2πf t_l}| with c = Σ X* Y;
Gauss–Newton steps on the likelihood then give φ, f, ζ and δ, and how certain ζ is. What they leave of the pilots' phase is averaged over 5
symbols and taken out by its share above noise. Then χ², a symbol's mean of |Y − X e^{jθ}|² / ν over pilots and antennas, is
1 ± 1/√(pilots n_rx) where nothing happened.
"""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

PRIOR_DEVIATION = 30e-6  # of a clock that was never heard
DRIFT_DEVIATION = 0.5e-6  # from one frame to the next
SURPRISE_DEVIATIONS = 4.0
FAR = 0.25  # samples that a clock moved at a frame's end, from which on carriers no longer add up in the first fit
_FIRST = 16  # symbols
_STEPS = 4
_NEIGHBOURS = 5


@dataclass(frozen=True)
class Clock:
    """What is known of the transmitter's clock against ours, ζ: its samples come 1 + ζ times as fast.

    Attributes:
        offset: mean of ζ.
        variance: of ζ.
    """

    offset: float = 0.0
    variance: float = PRIOR_DEVIATION**2

    def after(self, posterior: "Clock") -> "Clock":
        """What is known before the next frame: the posterior of this one, less certain by the drift; as good as nothing after a surprise.

        A frame moves the mean by a variance of this one's less the posterior's; by more than 4 deviations, another clock has taken over.
        """
        learnt = max(self.variance - posterior.variance, np.finfo(float).tiny)
        surprised = (posterior.offset - self.offset) ** 2 > SURPRISE_DEVIATIONS**2 * learnt and self.variance < PRIOR_DEVIATION**2
        variance = PRIOR_DEVIATION**2 if surprised else posterior.variance + DRIFT_DEVIATION**2
        return Clock(posterior.offset, min(variance, PRIOR_DEVIATION**2))


@dataclass(frozen=True, eq=False)
class Observation:
    """Known symbols as they came (see the module); entries that are not known have X = 0.

    Attributes:
        received: Y (symbols, K, n_rx).
        expected: X (symbols, K, n_rx).
        times: t (symbols,), in samples.
        noise: ν (K,).
        delay_variance: of δ.
    """

    received: Array
    expected: Array
    times: Array
    noise: Array
    delay_variance: float

    def part(self, symbols: slice) -> "Observation":
        """Some of the symbols."""
        return replace(self, received=self.received[symbols], expected=self.expected[symbols], times=self.times[symbols])

    @cached_property
    def correlation(self) -> Array:
        """c = Σ_a X* Y / ν (symbols, K)."""
        return np.einsum("lka,lka->lk", self.expected.conj(), self.received) / self.noise

    @cached_property
    def weight(self) -> Array:
        """Σ_a |X|² / ν (symbols, K): the SNR."""
        return np.einsum("lka,lka->lk", self.expected.conj(), self.expected).real / self.noise


@dataclass(frozen=True)
class Line:
    """Phases of a frame.

    Attributes:
        phase: φ in radians.
        frequency: f in cycles a sample.
        clock: posterior of ζ.
        delay: δ in samples.
    """

    phase: float
    frequency: float
    clock: Clock
    delay: float = 0.0

    def theta(self, times: Array, carriers: Array, n_fft: int) -> Array:
        """θ (symbols, K)."""
        turn: Array = carriers * (self.clock.offset * times[:, None] + self.delay) / n_fft
        return self.phase + 2 * np.pi * (self.frequency * times[:, None] + turn)


def fit_line(observation: Observation, carriers: Array, n_fft: int, prior: Clock) -> Line:
    """The most likely φ, f, ζ and δ of evenly spaced symbols; where the clock is far from the prior's, of 16, of 32, … of all of them."""
    line = _fit_line(observation, carriers, n_fft, prior, prior.offset)
    symbols = len(observation.times)
    if abs(line.clock.offset - prior.offset) * float(np.abs(observation.times).max()) <= FAR:
        return line
    guess, count = prior.offset, _FIRST
    while count < symbols:
        guess = _fit_line(observation.part(slice(count)), carriers, n_fft, prior, guess).clock.offset
        count *= 2
    return _fit_line(observation, carriers, n_fft, prior, guess)


def _fit_line(observation: Observation, carriers: Array, n_fft: int, prior: Clock, guess: float) -> Line:
    """The fit that begins at a guess of ζ."""
    c, weight, times = observation.correlation, observation.weight, observation.times
    ahead = c * np.exp(-2j * np.pi * carriers * guess * times[:, None] / n_fft)
    frequency = _coarse_frequency(ahead.sum(1), times)
    phase = float(np.angle((ahead.sum(1) * np.exp(-2j * np.pi * frequency * times)).sum()))
    prior_deviation = np.sqrt([prior.variance, observation.delay_variance])
    unit = np.array([1.0, 1 / max(np.abs(times).max(), 1.0), *prior_deviation])  # keeps the normal equations well conditioned
    turns = 2 * np.pi * times[:, None], 2 * np.pi * carriers * times[:, None] / n_fft, 2 * np.pi * carriers / n_fft
    slopes = np.stack([np.broadcast_to(turn, c.shape) for turn in (np.ones(1), *turns)]).reshape(4, -1) * unit[:, None]
    start = np.array([phase, frequency, prior.offset, 0.0]) / unit
    precision = np.diag([1e-9, 1e-9, 1.0, 1.0])
    information = 2 * (slopes * weight.ravel()) @ slopes.T + precision
    mean = np.array([phase, frequency, guess, 0.0]) / unit
    for _ in range(_STEPS):
        gradient = 2 * slopes @ (c.ravel() * np.exp(-1j * (mean @ slopes))).imag + precision @ (start - mean)
        mean = mean + np.linalg.solve(information, gradient)
    variance = float(np.linalg.inv(information)[2, 2]) * prior.variance
    phase, frequency, offset, delay = (float(value) for value in mean * unit)
    return Line(phase, frequency, Clock(offset, variance), delay)


def remaining_phase(pilots: Observation, theta: Array) -> Array:
    """What is left of the common phase (symbols,) after θ (symbols, K): a mean over 5 symbols, shrunk by its share above noise."""
    if not pilots.expected.any():
        return np.zeros(len(theta))
    phasor = (pilots.correlation * np.exp(-1j * theta)).sum(1)
    window = np.ones(min(_NEIGHBOURS, len(phasor)))
    summed = np.convolve(phasor, window, "full")[len(window) // 2 :][: len(phasor)]
    weight = np.convolve(pilots.weight.sum(1), window, "full")[len(window) // 2 :][: len(phasor)]
    heard = weight > 0
    angle = np.where(heard, np.angle(summed), 0.0)
    expected, seen = float((0.5 / weight[heard]).sum()), float((angle**2).sum())
    return angle * max(0.0, 1 - expected / seen) if seen else angle


def best_phase(observation: Observation, theta: Array) -> Array:
    """θ (symbols, K) with each symbol turned as a whole to where it fits best."""
    return theta + np.angle((observation.correlation * np.exp(-1j * theta)).sum(1))[:, None]


def misfit(observation: Observation, theta: Array) -> Array:
    """χ² (symbols,), the mean of |Y − X e^{jθ}|² / ν over known carriers and antennas."""
    known = observation.weight > 0
    left = observation.received - observation.expected * np.exp(1j * theta)[..., None]
    energy = np.einsum("lka,lka->lk", left.conj(), left).real / observation.noise
    mean: Array = (energy * known).sum(1) / np.maximum(known.sum(1), 1) / left.shape[-1]
    return mean


def bend(observation: Observation, theta: Array, symbols: Array, repetitions: int) -> float:
    """How far the channel of known symbols d (symbols, K) is from Ĥ, as a mean of |H b − g Ĥ b|² / ν over carriers and antennas.

    It is what (Y e^{−jθ} − g X) d* has in common over the symbols of a repetition, g real; distortion and noise have nothing in common.
    """
    turned = observation.received * np.exp(-1j * theta)[..., None]
    gain = float((turned * observation.expected.conj()).real.sum() / (np.abs(observation.expected) ** 2).sum())
    left = (turned - gain * observation.expected) * (symbols.conj() / np.sqrt(observation.noise))[..., None]
    alike = left.reshape(repetitions, -1, *left.shape[1:])
    count = alike.shape[1]
    common = float((np.abs(alike.mean(1)) ** 2).mean())
    if count == 1:
        return common - 1.0  # a numerology whose header is one symbol cannot tell distortion
    return (count * common - float((np.abs(alike) ** 2).mean())) / (count - 1)


def _coarse_frequency(phasor: Array, times: Array) -> float:
    """argmax |Σ_l c_l e^{−j2πf t_l}| over a fine grid of |f| < ½ / spacing, by an FFT."""
    if len(phasor) < 2:
        return 0.0
    size = 8 << len(phasor).bit_length()
    peak = int(np.abs(np.fft.fft(phasor, size)).argmax())
    turns = peak / size
    return float((turns - np.round(turns)) / (times[1] - times[0]))

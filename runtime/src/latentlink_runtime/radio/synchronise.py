"""Where a frame begins, and its carrier frequency offset.

    detection   | Σ_a P_a(n) / E_a(n) | / n_rx > √(13 / 240 n_rx),   P_a(n) = Σ_i r_a*(n + i) r_a(n + i + 16),   E_a its Schwarz bound
    place       the 19 neighbouring products of periods whose sum is largest, each weighed against half of their mean
    guard       the STF fills 12 tones; a carrier fills one: (Σ w)² / Σ w² of the tones' energies w must be above 2.5
    CFO         f̂ = argmax of Σ |FFT over periods|²: the likelihood of a signal of period 16, all lags 16, 32, … at once, |f| < 1/32
    timing      |Σ_m W*[t, m] Σ_n b*(n) r_a(n + d + m (N + CP))|², summed over t and a, and over the window d … d + CP − lead

Normalised by each antenna's own energy, noise passes the threshold with e^{−13} a step of 16 samples whatever the powers of the antennas.
"""

from functools import lru_cache
from typing import Any

import numpy as np

from latentlink_runtime.radio import waveform
from latentlink_runtime.radio.frame import FrameFormat
from latentlink_runtime.radio.numerology import STF_PERIOD, Numerology

Array = np.ndarray[Any, Any]

FALSE_ALARM_EXPONENT = 13.0
FEWEST_TONES = 2.5
TIMING_REACH = 64  # samples around the LTF's expected start
_RINGING = 32  # samples at the STF's beginning that are not periodic yet
_TIE = 0.01


def window_blocks(numerology: Numerology) -> int:
    """Periods of the detector's window: 15 of the 20, so that 5 steps see it full."""
    return numerology.stf_length // STF_PERIOD - 5


def detector_span(numerology: Numerology) -> int:
    """Samples that one step of the detector looks at."""
    return STF_PERIOD * (window_blocks(numerology) + 1)


def metric(samples: Array, numerology: Numerology) -> Array:
    """The detector at samples 0, 16, … of a stretch (n, n_rx), as far as it sees whole windows (steps,)."""
    width = window_blocks(numerology)
    blocks = _blocks(samples)
    product = _moving(np.einsum("bna,bna->ba", blocks[:-1].conj(), blocks[1:]), width)
    energy = np.einsum("bna,bna->ba", blocks.conj(), blocks).real
    bound = np.sqrt(_moving(energy[:-1], width) * _moving(energy[1:], width))
    return np.abs(np.divide(product, bound, out=np.zeros_like(product), where=bound > 0).mean(-1))


def threshold(n_rx: int, numerology: Numerology) -> float:
    """What the metric of noise passes with the probability e^{−13}."""
    return float(np.sqrt(FALSE_ALARM_EXPONENT / (STF_PERIOD * window_blocks(numerology) * n_rx)))


def stf_start(samples: Array, numerology: Numerology) -> int:
    """The STF's most likely first sample in a stretch (n, n_rx), which may have only its end: before 0 where samples are missing.

    All products of neighbouring periods of the STF together are A e^{j2π16f} each; a period too many costs as much as one too few, A / 2.
    """
    width = numerology.stf_length // STF_PERIOD - 1
    blocks = _blocks(samples)
    product = np.pad(np.einsum("bna,bna->b", blocks[:-1].conj(), blocks[1:]), width)
    inside = np.pad(np.ones(len(blocks) - 1), width)
    total = np.abs(_moving(product, width))
    score = total - 0.5 * total.max() / width * _moving(inside, width)
    peak = int(score[1:-1].argmax()) + 1
    before, at, after = score[peak - 1 : peak + 2]
    sharp = at - min(before, after)
    return round(STF_PERIOD * (peak - width + (0.5 * (after - before) / sharp if sharp > 0 else 0.0)))


def periodic_stretch(numerology: Numerology, start: int, length: int) -> slice:
    """The samples that are surely periodic of an STF that begins at `start`, moved into a stretch of this length."""
    first, last = start + _RINGING, start + numerology.stf_length - STF_PERIOD
    move = min(max(-first, 0), max(length - last, 0)) + min(length - last, 0)
    return slice(first + move, last + move)


def frequency_offset(stretch: Array) -> float:
    """f̂ in cycles a sample, |f̂| < 1/32, of a stretch (n, n_rx) of period 16 up to the offset."""
    periods = stretch.reshape(-1, STF_PERIOD * stretch.shape[-1])
    size = 512
    spectrum = np.fft.fft(periods, size, axis=0)
    energy = np.einsum("fa,fa->f", spectrum.conj(), spectrum).real
    peak = int(energy.argmax())
    before, at, after = energy[peak - 1], energy[peak], energy[(peak + 1) % size]
    bend = before - 2 * at + after
    part = 0.5 * (before - after) / bend if bend < 0 else 0.0
    turns = (peak + part) / size
    return float((turns - np.round(turns)) / STF_PERIOD)


def tones(stretch: Array, frequency: float) -> float:
    """Tones that carry the energy of a stretch (n, n_rx) of period 16: (Σ w)² / Σ w²; 1 of a bare carrier."""
    turned = stretch * np.exp(-2j * np.pi * frequency * np.arange(len(stretch)))[:, None]
    period = turned.reshape(-1, STF_PERIOD, stretch.shape[-1]).mean(0)
    energy = (np.abs(np.fft.fft(period, axis=0)) ** 2).sum(-1)
    return float(energy.sum() ** 2 / max((energy**2).sum(), np.finfo(float).tiny))


def timing(samples: Array, frame_format: FrameFormat) -> int:
    """Where the window of the LTF's first body begins, `lead` samples before the earliest path.

    Args:
        samples: (n, n_rx), from `TIMING_REACH` samples before the first body's expected start, frequency offset taken out.
        frame_format: of the frame.
    """
    numerology = frame_format.numerology
    base = ltf_body(numerology)
    places = 2 * TIMING_REACH
    starts = numerology.symbol_length * np.arange(frame_format.ltf_symbols)
    body = samples[starts[:, None] + np.arange(places + numerology.n_fft - 1)]  # (m, n, a)
    W = waveform.training_matrix(frame_format.n_tx, numerology.ltf_repetitions)
    apart = np.tensordot(W.conj(), body, 1)  # (t, n, a): antennas of the transmitter, one by one
    size = 1 << (apart.shape[1] + numerology.n_fft - 1).bit_length()
    filtered = np.fft.ifft(np.fft.fft(apart, size, axis=1) * np.fft.fft(base, size).conj()[:, None], axis=1)[:, :places]
    return best_window((np.abs(filtered) ** 2).sum((0, 2)), numerology)


def best_window(energy: Array, numerology: Numerology) -> int:
    """The start of the window, less the lead, whose taps have the largest energy; amid windows that have as much but for 1 %."""
    width = numerology.longest_channel
    total = np.convolve(energy, np.ones(width), "valid")
    peak = int(total.argmax())
    close = total >= (1 - _TIE) * total[peak]
    near = np.flatnonzero(close & (np.abs(np.arange(len(total)) - peak) < width))
    return int(near[0] + near[-1]) // 2 - numerology.lead


@lru_cache(maxsize=32)
def ltf_body(numerology: Numerology) -> Array:
    """Samples (N,) of the base sequence, without a prefix."""
    return waveform.modulate(numerology, waveform.ltf_sequence(numerology)[None, :, None])[numerology.cyclic_prefix :, 0]


def _blocks(samples: Array) -> Array:
    """Whole periods (periods, 16, n_rx) of a stretch."""
    return samples[: len(samples) // STF_PERIOD * STF_PERIOD].reshape(-1, STF_PERIOD, samples.shape[-1])


def _moving(values: Array, width: int) -> Array:
    """Sums over `width` neighbours (steps, …), each added in the same order."""
    steps = max(len(values) - width + 1, 0)
    total = np.zeros((steps, *values.shape[1:]), values.dtype)
    for offset in range(width):
        total += values[offset : offset + steps]
    return total

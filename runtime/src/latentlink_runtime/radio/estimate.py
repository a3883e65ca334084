"""The channel of every carrier, the noise, and how wrong the estimate is.

Y_m = H W_m b / √n_tx + V            ⇒   least squares   Ĥ = √n_tx / M Σ_m Y_m W*_m b*,     error σ² n_tx / M of an entry
c = Qᴴ Ĥ                             Q: delays from −½ to CP + ½ as vectors over the carriers, the part with the energy (52 → 19)
σ̂² = |Ĥ − Q c|² M / n_tx, a mean     what is in none of these dimensions is noise
Ĥ ← Q W c                             W = R (R + ε I)⁻¹, ε = σ̂² n_tx / M, R = A diag(p) Aᴴ, A = Qᴴ e(delays, ½ sample apart)
p ← p aᴴ C⁻¹ S C⁻¹ a / aᴴ C⁻¹ a       C = R + ε I, S = mean c cᴴ over antenna pairs: towards the most likely power of each delay
τ̂ = ε diag(Q W Qᴴ) (1 + 0.3 / pairs²) the error that is left, with what few antenna pairs hide of p's own (measured)
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from latentlink_runtime.radio import waveform
from latentlink_runtime.radio.frame import FrameFormat
from latentlink_runtime.radio.numerology import Numerology

Array = np.ndarray[Any, Any]

DISTORTION = 1e-3  # of the signal, which radios and clocks leave however little noise there is, and which is none of the guards' business
_LEAST_SHARE = 1e-4  # of the energy of delays that a dimension must have to be kept
_LEAST_NOISE = 1e-12  # of the mean |Ĥ|², so that weights stay finite where there is no noise at all
_DELAY_STEP = 0.5  # samples
_STEPS = 6
_UNCERTAINTY = 0.3
_UNSURE = 1.0  # samples by which a delay may be later than it seems


@dataclass(frozen=True, eq=False)
class ChannelEstimate:
    """Ĥ and what is known of its error.

    Attributes:
        h: Ĥ (K, n_rx, n_tx), of the used carriers.
        noise_variance: σ̂² of a carrier at a receive antenna.
        error_variance: τ̂ (K,), of an entry of Ĥ.
        unevenness: the largest of the LTF symbols' parts of σ̂² over their mean: 1 but for chance, more where samples are missing in one.
        late: share (CP,) of the channel's power that comes more than 0, 1, … samples after the window's beginning; None if not known.
    """

    h: Array
    noise_variance: float
    error_variance: Array
    unevenness: float = 1.0
    late: Array | None = None

    @property
    def disturbance(self) -> Array:
        """σ̂² + τ̂ (K,): what is around Ĥ s, s of power 1."""
        return self.noise_variance + self.error_variance


@lru_cache(maxsize=16)
def delay_basis(numerology: Numerology) -> Array:
    """Q (K, dimensions), orthonormal: delays from −½ to CP + ½ samples after the window's beginning, as they turn over the carriers."""
    first, last = _delays(numerology)
    apart = (numerology.carriers[:, None] - numerology.carriers) / numerology.n_fft
    energy = np.exp(-1j * np.pi * apart * (first + last)) * np.sinc(apart * (last - first))
    value, vector = np.linalg.eigh(energy)
    return np.ascontiguousarray(vector[:, value > _LEAST_SHARE * value[-1]])


@lru_cache(maxsize=16)
def delay_atoms(numerology: Numerology) -> Array:
    """A (dimensions, delays): each delay of a grid in the basis."""
    first, last = _delays(numerology)
    delays = np.arange(first, last + _DELAY_STEP / 2, _DELAY_STEP)
    return delay_basis(numerology).conj().T @ np.exp(-2j * np.pi * np.outer(numerology.carriers, delays) / numerology.n_fft)


def least_squares(received: Array, frame_format: FrameFormat) -> Array:
    """Ĥ (K, n_rx, n_tx) of LTF carriers (M, K, n_rx), each carrier alone."""
    numerology, n_tx = frame_format.numerology, frame_format.n_tx
    W = waveform.training_matrix(n_tx, numerology.ltf_repetitions)
    base = waveform.ltf_sequence(numerology).conj()
    return np.einsum("mka,tm,k->kat", received, W.conj(), base, optimize=True) * (np.sqrt(n_tx) / W.shape[1])


def estimate_channel(received: Array, frame_format: FrameFormat) -> ChannelEstimate:
    """Ĥ, σ̂² and τ̂ of LTF carriers (M, K, n_rx) (see the module)."""
    numerology = frame_format.numerology
    Q = delay_basis(numerology)
    alone = least_squares(received, frame_format)
    flat = alone.reshape(len(Q), -1)
    c = Q.conj().T @ flat
    outside = (flat - Q @ c).reshape(alone.shape)
    floor = _LEAST_NOISE * float((np.abs(flat) ** 2).mean()) + np.finfo(float).tiny
    error = max(float((np.abs(outside) ** 2).sum()) / (flat.size - c.size), floor)
    p = delay_power(c, error, delay_atoms(numerology))
    W = smoother(p, error, delay_atoms(numerology))
    kept = np.einsum("kd,de,ke->k", Q, W, Q.conj(), optimize=True).real
    tau = error * kept * (1 + _UNCERTAINTY / c.shape[1] ** 2)
    training = waveform.training_matrix(frame_format.n_tx)
    parts = (np.abs(outside @ training) ** 2).sum((0, 1))
    distorted = DISTORTION * float((np.abs(alone @ training) ** 2).sum((0, 1)).mean()) + np.finfo(float).tiny
    unevenness = float((parts.max() + distorted) / (parts.mean() + distorted))
    h = (Q @ (W @ c)).reshape(alone.shape)
    return ChannelEstimate(h, error * numerology.ltf_repetitions, np.maximum(tau, 0.0), unevenness, late_share(p, numerology))


def estimate_from_samples(samples: Array, frame_format: FrameFormat, times: Array, clock: float) -> ChannelEstimate:
    """Ĥ, σ̂² and τ̂ of samples (n, n_rx) from the first LTF body on, a clock's offset taken out of its symbols at these times."""
    numerology = frame_format.numerology
    received = waveform.demodulate(numerology, samples, 0, frame_format.ltf_symbols)
    turn = numerology.carriers * clock * times[:, None] / numerology.n_fft
    return estimate_channel(received * np.exp(-2j * np.pi * turn)[..., None], frame_format)


def delay_power(c: Array, error: float, atoms: Array) -> Array:
    """p (delays,): the power of each delay, of coefficients c (dimensions, pairs) with white errors of this variance."""
    S = c @ c.conj().T / c.shape[1]
    mean = max(float(np.trace(S).real) - error * len(c), 0.1 * error)
    p = np.full(atoms.shape[1], mean / (np.abs(atoms) ** 2).sum())
    for _ in range(_STEPS):
        B = np.linalg.solve((atoms * p) @ atoms.conj().T + error * np.eye(len(c)), atoms)
        wanted = np.einsum("dg,dg->g", B.conj(), S @ B).real
        p = p * wanted / np.einsum("dg,dg->g", atoms.conj(), B).real
    return p


def smoother(p: Array, error: float, atoms: Array) -> Array:
    """W (dimensions, dimensions) of coefficients with white errors of this variance, the delays having the powers p."""
    R = (atoms * p) @ atoms.conj().T
    return np.linalg.solve(R + error * np.eye(len(R)), R)  # they commute


def late_share(p: Array, numerology: Numerology) -> Array:
    """Share (CP,) of the power p of delays that comes more than 0, 1, … samples after the window's beginning."""
    first, last = _delays(numerology)
    delays = np.arange(first, last + _DELAY_STEP / 2, _DELAY_STEP)
    later = delays > np.arange(numerology.cyclic_prefix)[:, None] - _UNSURE
    share: Array = later @ p / max(float(p.sum()), np.finfo(float).tiny)
    return share


def _delays(numerology: Numerology) -> tuple[float, float]:
    return -0.5, numerology.cyclic_prefix + 0.5

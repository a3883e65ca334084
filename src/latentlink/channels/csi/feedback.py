"""Quantised feedback of the precoder: the report of a receiver that knows H = U diag(h) Vᴴ to the transmitter.

V (n_tx × q, q = min(n_rx, n_tx)) is fed back as angles [ieee2021wlan]. Up to phases of its columns, which do not matter to any design,

    V = Π_{i < min(q, n_tx − 1)} [ D_i(φ) Π_{l > i} G_il(ψ)ᵀ ] I_{n_tx × q},

D_i turning the phases of rows i … n_tx − 2 and G_il rotating rows i and l. Each φ ∈ [0, 2π) takes b bits and each ψ ∈ [0, π/2] two fewer
(at least one), both at the middle of their step; each h takes b bits, 2^b − 1 steps in decibels below the most a channel may have and one
for nothing. The transmitter takes Ĥ = diag(ĥ) V̂ᴴ for H: its Gram matrix is all that a precoder needs.
"""

import math
from dataclasses import replace

import torch
from jaxtyping import Complex, Float
from torch import Tensor

from latentlink.channels.channel import Channel, is_block_fading
from latentlink.channels.snr import mean_square, warn_of_prior
from latentlink.numerics.doors import integer, real
from latentlink.numerics.validation import validate_call

_TOP_DB, _RANGE_DB = 10.0, 60.0  # of h² over n_rx n_tx gain, which one strong path reaches; what is 50 dB below is not worth power


def angle_count(n_tx: int, q: int) -> int:
    """Count the angles of an n_tx × q matrix with orthonormal columns: as many φ as ψ."""
    return sum(2 * (n_tx - 1 - i) for i in range(min(q, n_tx - 1)))


@validate_call
def feedback_bits(channel: Channel, bits: int) -> int:
    """Count the bits that one channel of the batch takes: angles and amplitudes of each use, or of one where all uses are the same.

    Args:
        channel: channels (…, u, n_rx, n_tx), of which the sizes count.
        bits: number b of bits for each φ and each amplitude.

    Returns:
        Bits per channel.

    Raises:
        ValueError: bits is no integer from 1 to 32.

    Example:
        >>> import latentlink as ll
        >>> ll.csi.feedback_bits(ll.Channel.from_snr(ll.rayleigh(4, 4, generator=0), snr_db=20.0), bits=6)
        84
    """
    bits = integer("bits", bits, 1, 32)
    q = min(channel.n_rx, channel.n_tx)
    angles = angle_count(channel.n_tx, q) // 2
    matrices = 1 if is_block_fading(channel.h) else channel.uses
    return matrices * (angles * (bits + _psi_bits(bits)) + q * bits)


@validate_call
def quantise_feedback(channel: Channel, bits: int, gain: float = 1.0) -> Channel:
    """Quantise the receiver's knowledge of channels (…, u, n_rx, n_tx) to that of the transmitter.

    The result suffices for a precoder, but it is no channel, since U is not fed back; match the decoder at reception.

    Args:
        channel: the receiver's estimate; its error variance stays.
        bits: number b of bits for each φ and each amplitude.
        gain: E|h|², which places the range of amplitudes.

    Returns:
        Channels of quantised right singular vectors and amplitudes (rows beyond q are zero), whose `error_variance` has that of the
        quantisation added (see `quantisation_variance`).

    Raises:
        ValueError: bits is no integer from 1 to 32, or the gain is not positive and finite.

    Warns:
        UserWarning: a gain that is not that of the channels, by a factor of 10,000 or more.

    Example:
        >>> import latentlink as ll
        >>> channel = ll.Channel.from_snr(ll.rayleigh(2, 4, generator=0), snr_db=20.0)
        >>> known = ll.csi.quantise_feedback(channel, bits=6)
        >>> known.h.shape, round(float(known.error_variance), 3)
        (torch.Size([1, 2, 4]), 0.004)
    """
    bits, gain = integer("bits", bits, 1, 32), real("gain", gain, above=0.0)
    once = channel.h.narrow(-3, 0, 1) if is_block_fading(channel.h) else channel.h
    warn_of_prior(float((mean_square(once) + channel.error_variance).mean()), gain, gain)
    _, h, Vh = torch.linalg.svd(once, full_matrices=False)
    phi, psi = givens_angles(Vh.mH)
    V = from_givens_angles(
        _quantise(phi.remainder(2 * torch.pi), 2 * torch.pi / 2**bits, 2**bits),
        _quantise(psi, torch.pi / 2 / 2 ** _psi_bits(bits), 2 ** _psi_bits(bits)),
        h.shape[-1],
        channel.n_tx,
    )
    known = _quantise_amplitudes(h, bits, channel.n_rx * channel.n_tx * gain).unsqueeze(-1) * V.mH
    known = torch.nn.functional.pad(known, (0, 0, 0, channel.n_rx - known.shape[-2]))
    variance = quantisation_variance(channel.n_rx, channel.n_tx, bits, gain=gain)
    return replace(channel, h=known.expand(channel.h.shape), error_variance=channel.error_variance + variance)


@validate_call
def quantisation_variance(n_rx: int, n_tx: int, bits: int, *, gain: float = 1.0) -> float:
    """Compute the variance per entry of H that quantisation leaves, to first order and for isotropic V: steps Δ err by Δ²/12 each.

    An error of φ moves one row of what is left of V, one of ψ two rows; rows i … of q − i columns hold (q − i)/(n_tx − i) each.

    Args:
        n_rx: number of receive antennas.
        n_tx: number of transmit antennas.
        bits: number b of bits for each φ and each amplitude.
        gain: E|h|², which the variance is proportional to.

    Returns:
        The variance τ of each entry, at most the gain.

    Raises:
        ValueError: as `quantise_feedback`.

    Example:
        >>> import latentlink as ll
        >>> [round(ll.csi.quantisation_variance(4, 4, bits), 3) for bits in (4, 6, 8)]
        [0.076, 0.005, 0.0]
    """
    bits, gain = integer("bits", bits, 1, 32), real("gain", gain, above=0.0)
    n_rx, n_tx = integer("n_rx", n_rx), integer("n_tx", n_tx)
    q = min(n_rx, n_tx)
    phi = (2 * math.pi / 2**bits) ** 2 / 12
    psi = (math.pi / 2 / 2 ** _psi_bits(bits)) ** 2 / 12
    rows = sum((n_tx - 1 - i) * (q - i) / (n_tx - i) for i in range(min(q, n_tx - 1)))
    amplitude = (_RANGE_DB / (2**bits - 1) * math.log(10) / 20) ** 2 / 12
    return float(gain * min(1.0, rows * (phi + 2 * psi) / q + amplitude))


def givens_angles(V: Complex[Tensor, "*batch t q"]) -> tuple[Float[Tensor, "*batch a"], Float[Tensor, "*batch a"]]:
    """Find φ and ψ (…, a) of matrices with orthonormal columns (…, n_tx, q), in the order in which they turn V into I."""
    n, q = V.shape[-2:]
    rows = list(V.unbind(-2))
    phi, psi = [], []
    for i in range(min(q, n - 1)):
        turn = _phase(rows[n - 1][..., i]).conj()  # of the column, which costs nothing
        for row in range(i, n - 1):
            phase = _phase(rows[row][..., i] * turn)
            phi.append(phase.angle())
            rows[row] = rows[row] * phase.conj().unsqueeze(-1)
        for row in range(i + 1, n):
            angle = torch.atan2(rows[row][..., i].abs(), rows[i][..., i].abs())
            psi.append(angle)
            cos, sin = angle.cos().unsqueeze(-1), angle.sin().unsqueeze(-1)
            rows[i], rows[row] = cos * rows[i] + sin * rows[row], cos * rows[row] - sin * rows[i]
    empty = V.real.new_zeros(*V.shape[:-2], 0)
    return (torch.stack(phi, -1), torch.stack(psi, -1)) if phi else (empty, empty)


def from_givens_angles(phi: Float[Tensor, "*batch a"], psi: Float[Tensor, "*batch a"], q: int, n_tx: int) -> Complex[Tensor, "*batch t q"]:
    """Make V (…, n_tx, q) of its angles; its columns are orthonormal whatever they are."""
    eye = torch.eye(n_tx, q, dtype=torch.complex(phi, phi).dtype, device=phi.device)
    rows = list(eye.expand(*phi.shape[:-1], n_tx, q).unbind(-2))
    for i in reversed(range(min(q, n_tx - 1))):
        start = i * (n_tx - 1) - i * (i - 1) // 2  # number of the first angle
        for row in reversed(range(i + 1, n_tx)):
            angle = psi[..., start + row - i - 1].unsqueeze(-1)
            cos, sin = angle.cos(), angle.sin()
            rows[i], rows[row] = cos * rows[i] - sin * rows[row], cos * rows[row] + sin * rows[i]
        for row in range(i, n_tx - 1):
            angle = phi[..., start + row - i].unsqueeze(-1)
            rows[row] = rows[row] * torch.polar(torch.ones_like(angle), angle)
    return torch.stack(rows, -2)


def _phase(z: Complex[Tensor, "*batch"]) -> Complex[Tensor, "*batch"]:
    """Compute z / |z|; 1 for 0."""
    return torch.polar(torch.ones_like(z.real), z.angle())


def _quantise(values: Tensor, step: float, count: int) -> Tensor:
    """Find the middle of the step that each value lies in."""
    return ((values / step).floor().clamp(0, count - 1) + 0.5) * step


def _quantise_amplitudes(h: Float[Tensor, "*batch q"], bits: int, strongest: float) -> Float[Tensor, "*batch q"]:
    """Quantise ĥ to the middle of its step in decibels, and to 0 below the lowest."""
    steps = 2**bits - 1
    step = _RANGE_DB / steps
    level = 20 * torch.log10(h / strongest**0.5) - _TOP_DB  # at most 0; −inf for 0
    down = (-level / step).floor().clamp(min=0)
    quantised = strongest**0.5 * 10 ** ((_TOP_DB - (down.clamp(max=steps) + 0.5) * step) / 20)
    return torch.where(down < steps, quantised, 0.0)


def _psi_bits(bits: int) -> int:
    return max(bits - 2, 1)

"""Gray-labelled amplitudes: the bits that one real dimension carries, and the information that a receiver gets of them.

Square QAM of 2b bits is two independent dimensions of 2^b equally spaced levels each, Gray-labelled by position: label p ⊕ (p >> 1) for
position p, the most significant bit first. With unit mean energy over noise of variance 1/γ the exact bit log-likelihood ratios L (positive
for 1) carry, bit by bit,

    I_j(γ) = 1 − E log2(1 + e^{−L}),  V_j(γ) = Var log2(1 + e^{−L}),      L signed towards the bit sent     [caire1998bit],

the mutual information of bit-interleaved coded modulation and its dispersion (Gauss–Hermite quadrature, once).
"""

from functools import cache

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

MOST_BITS = 5  # per real dimension: 1024-QAM, the largest of 5G
_LOWEST_DB, _HIGHEST_DB, _STEP_DB = -25.0, 55.0, 0.5  # SNRs of the tables; beyond them nothing changes
_NODES = 64


def levels(bits: int) -> Float[Tensor, "l"]:
    """Amplitudes (2^bits,) by label, of unit mean energy."""
    position = torch.arange(2**bits, device="cpu")
    ordered = (2.0 * position.double() - (2**bits - 1)) * (3 / (4**bits - 1)) ** 0.5
    return torch.zeros_like(ordered).scatter(0, position ^ (position >> 1), ordered)


def label_bits(bits: int) -> Int[Tensor, "l b"]:
    """The bits (2^bits, bits) of each label, most significant first."""
    return torch.arange(2**bits, device="cpu").unsqueeze(-1) >> torch.arange(bits - 1, -1, -1, device="cpu") & 1


def amplitudes(coded: Int[Tensor, "*a b"]) -> Float[Tensor, "*a"]:
    """Amplitudes (…) that carry bits (…, b)."""
    bits = coded.shape[-1]
    weights = 2 ** torch.arange(bits - 1, -1, -1, device=coded.device)
    return levels(bits).to(coded.device)[(coded * weights).sum(-1)]


def log_ratios(received: Float[Tensor, "*a"], bits: int, snr: Float[Tensor, "*b"]) -> Float[Tensor, "*a c"]:
    """Exact log P(1) / P(0) (…, bits) of amplitudes received (…) in noise of variance 1 / snr; snr broadcasts with them."""
    points, labels = levels(bits).to(received), label_bits(bits).to(received.device)
    metric = (received.unsqueeze(-1) - points).square() * (-0.5 * snr.unsqueeze(-1))
    ones = [torch.logsumexp(metric[..., labels[:, j] == 1], -1) - torch.logsumexp(metric[..., labels[:, j] == 0], -1) for j in range(bits)]
    return torch.stack(ones, -1)


@cache
def _tables() -> tuple[Float[Tensor, "b g j"], Float[Tensor, "b g j"]]:
    """The tables of I_j and V_j (MOST_BITS, SNRs, MOST_BITS), zero for bits that there are not."""
    snr = 10 ** (torch.arange(_LOWEST_DB, _HIGHEST_DB + _STEP_DB / 2, _STEP_DB, dtype=torch.float64, device="cpu") / 10)
    nodes, weights = (torch.from_numpy(values) for values in np.polynomial.hermite_e.hermegauss(_NODES))
    weights = weights / weights.sum()
    information, dispersion = torch.zeros(2, MOST_BITS, len(snr), MOST_BITS, dtype=torch.float64, device="cpu")
    for bits in range(1, MOST_BITS + 1):
        received = levels(bits)[:, None, None] + nodes * snr.rsqrt().unsqueeze(-1)  # (levels, SNRs, nodes)
        sign = 2 * label_bits(bits)[:, None, None, :] - 1
        lost = torch.nn.functional.softplus(-sign * log_ratios(received, bits, snr.unsqueeze(-1))) / np.log(2)
        mean, square = (torch.einsum("lgnj,n->gj", power, weights) / 2**bits for power in (lost, lost.square()))
        information[bits - 1, :, :bits] = (1 - mean).clamp(0, 1)
        dispersion[bits - 1, :, :bits] = (square - mean.square()).clamp(min=0)
    return information, dispersion


def totals(snr: Float[Tensor, "*a"]) -> tuple[Float[Tensor, "*a b"], Float[Tensor, "*a b"]]:
    """Sums I and V (…, MOST_BITS) over the bits of a dimension of this SNR that carries 1 to MOST_BITS bits, interpolated."""
    information, dispersion = _tables()
    return _interpolate(snr, information.sum(-1)), _interpolate(snr, dispersion.sum(-1))


def reliabilities(snr: Float[Tensor, "*a"], bits: int) -> Float[Tensor, "*a c"]:
    """The information I_j (…, bits) of each bit of a dimension of this SNR."""
    information, _ = _tables()
    return _interpolate(snr, information[bits - 1 : bits, :, :bits]).squeeze(-2)


def _interpolate(snr: Tensor, table: Tensor) -> Tensor:
    """The entries (…, b) or (…, b, j) of a table (b, SNRs) or (b, SNRs, j) at an SNR, zero below the lowest."""
    place = (10 * snr.double().clamp(min=1e-9).log10() - _LOWEST_DB) / _STEP_DB
    place = place.clamp(0, table.shape[1] - 1.001)
    low = place.long()
    by_snr = table.to(snr.device).transpose(0, 1)
    weight = (place - place.floor()).reshape(*place.shape, *[1] * (table.ndim - 1))
    silent = (snr <= 10 ** (_LOWEST_DB / 10)).reshape(weight.shape)
    return torch.where(silent, 0.0, by_snr[low] * (1 - weight) + by_snr[low + 1] * weight)


def symbol_error(bits: Int[Tensor, "*a"], snr: Float[Tensor, "*a"]) -> Float[Tensor, "*a"]:
    """Probability (…) that the nearest level is not the one sent, 2^bits levels in noise of variance 1 / snr [proakis2008digital]."""
    count = 2.0 ** bits.double()
    distance = (3 * snr / (count.square() - 1).clamp(min=1)).sqrt()
    return torch.where(bits > 0, (1 - 1 / count) * torch.erfc(distance / 2**0.5), 0.0)

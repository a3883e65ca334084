"""SNR of a radio link by its link budget, and SINR of each stream after an equaliser."""

import math
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from latentlink.channels.channel import Channel
from latentlink.channels.interference import no_interference
from latentlink.numerics.doors import choice, integer, real
from latentlink.numerics.validation import validate_call

THERMAL_DBM_PER_HZ = -173.98  # k · 290 K


@validate_call
def link_budget_snr_db(power_dbm: float, bandwidth_hz: float, n_tx: int, *, noise_figure_db: float = 9.0) -> float:
    """Compute P / (n_tx σ²) in dB for channels whose h holds the path loss (`normalisation="path-loss"`), σ² being thermal noise.

    Args:
        power_dbm: P in dBm, of all transmit antennas together, over `bandwidth_hz`.
        bandwidth_hz: bandwidth in Hz that P is spread over, all of it in use: 19.08 MHz for 53 resource blocks at 30 kHz.
        n_tx: number of transmit antennas.
        noise_figure_db: noise figure of the receiver in dB, 9 dB for a user in TR 38.901's calibration.

    Returns:
        SNR per transmit antenna in dB, which `Channel.from_grid` takes with such channels.

    Raises:
        ValueError: the bandwidth is not positive, or there is no antenna.

    Example:
        >>> import latentlink as ll
        >>> round(ll.channels.link_budget_snr_db(44.0, 20e6, 8), 1)
        126.9
    """
    bandwidth_hz, n_tx = real("bandwidth_hz", bandwidth_hz, above=0.0), integer("n_tx", n_tx)
    return power_dbm - THERMAL_DBM_PER_HZ - 10 * math.log10(bandwidth_hz) - noise_figure_db - 10 * math.log10(n_tx)


@validate_call
def equalised_snr_db(channel: Channel, kind: Literal["zf", "mmse"] = "zf") -> Float[Tensor, "*batch u t"]:
    """Compute the SNR in dB of each stream after the receiver's equaliser: one stream a transmit antenna, with P / n_tx each.

    With Q = (n_tx σ² / P) (HᴴH)⁻¹ zero forcing leaves 1 / Q_ii; with Q = (I + P / (n_tx σ²) HᴴH)⁻¹ the MMSE filter leaves 1 / Q_ii − 1
    (unbiased, interference counted as noise). −inf where zero forcing is impossible (n_rx < n_tx, or H is singular).

    Args:
        channel: channels (…, u, n_rx, n_tx), which the receiver knows exactly.
        kind: "zf" for zero forcing, "mmse" for the MMSE filter.

    Returns:
        SNRs (…, u, n_tx) in dB.

    Raises:
        ValueError: kind is neither "zf" nor "mmse", there is no noise, or there is interference.

    Example:
        >>> import torch, latentlink as ll
        >>> channel = ll.Channel.from_snr(torch.tensor([[1.0, 0.5], [0.5, 1.0]]) + 0j, snr_db=20.0)
        >>> [ll.channels.equalised_snr_db(channel, kind).flatten().round(decimals=2) for kind in ("zf", "mmse")]
        [tensor([16.5300, 16.5300]), tensor([16.5900, 16.5900])]
    """
    choice("kind", kind, ("zf", "mmse"))
    no_interference(channel.interference, "for the SNR of an equaliser in white noise")
    if bool((channel.noise_variance == 0).any()):
        raise ValueError("channel must have noise for an SNR, got noise_variance 0")
    snr = (channel.power / (channel.n_tx * channel.noise_variance))[..., None, None]
    _, h, Vh = torch.linalg.svd(channel.h, full_matrices=channel.n_rx < channel.n_tx)
    h = torch.nn.functional.pad(h, (0, channel.n_tx - h.shape[-1]))
    weight = Vh.abs().square().mT  # |v_ij|² of antenna i in mode j
    if kind == "mmse":
        seen = snr * h.square()  # 1 / Q_ii − 1 without the difference
        signal = (weight * (seen / (1 + seen)).unsqueeze(-2)).sum(-1)
        error = (weight * (1 / (1 + seen)).unsqueeze(-2)).sum(-1)
        return 10 * torch.log10(signal / error)
    seen = h > h[..., :1] * torch.finfo(h.dtype).eps * max(channel.n_rx, channel.n_tx)
    inverse = torch.where(seen, h, 1.0).square().reciprocal().masked_fill(~seen, torch.inf)
    return 10 * torch.log10(snr / (weight.clamp(min=torch.finfo(h.dtype).tiny) * inverse.unsqueeze(-2)).sum(-1))

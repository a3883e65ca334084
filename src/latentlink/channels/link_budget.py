"""SNRs that hang on more than one number: that of a real radio link, and those of streams behind an equaliser."""

import math
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from latentlink.channels.channel import Channel

THERMAL_DBM_PER_HZ = -173.98  # k · 290 K


def link_budget_snr_db(power_dbm: float, bandwidth_hz: float, n_tx: int, noise_figure_db: float = 9.0) -> float:
    """P / (n_tx σ²) in dB for channels whose h holds the path loss (`normalisation="path-loss"`), σ² being thermal noise.

    Args:
        power_dbm: P, of all transmit antennas together, over `bandwidth_hz`.
        bandwidth_hz: that P is spread over, all of it in use: 19.08 MHz for 53 resource blocks at 30 kHz.
        n_tx: transmit antennas.
        noise_figure_db: of the receiver, 9 dB for a user in TR 38.901's calibration.

    Raises:
        ValueError: the bandwidth is not positive, or there is no antenna.

    Example:
        44 dBm over 20 MHz at 8 antennas are 126.9 dB.
    """
    if not bandwidth_hz > 0:
        raise ValueError(f"bandwidth_hz must be positive, got {bandwidth_hz}")
    if n_tx < 1:
        raise ValueError(f"n_tx must be at least 1, got {n_tx}")
    return power_dbm - THERMAL_DBM_PER_HZ - 10 * math.log10(bandwidth_hz) - noise_figure_db - 10 * math.log10(n_tx)


def equalised_snr_db(channel: Channel, kind: Literal["zf", "mmse"] = "zf") -> Float[Tensor, "*batch u t"]:
    """SNR in dB of each stream after the receiver's equaliser (…, u, n_tx), one stream a transmit antenna with P / n_tx each.

    With Q = (n_tx σ² / P) (HᴴH)⁻¹ zero forcing leaves 1 / Q_ii; with Q = (I + P / (n_tx σ²) HᴴH)⁻¹ the MMSE filter leaves 1 / Q_ii − 1
    (unbiased, interference counted as noise). −inf where zero forcing is impossible (n_rx < n_tx, or H is singular).

    Raises:
        ValueError: kind is neither "zf" nor "mmse", or there is no noise.
    """
    if kind not in ("zf", "mmse"):
        raise ValueError(f"kind must be 'zf' or 'mmse', got {kind!r}")
    if bool((channel.noise_variance == 0).any()):
        raise ValueError("channel must have noise for an SNR, got noise_variance 0")
    snr = (channel.power / (channel.n_tx * channel.noise_variance))[..., None, None]
    _, h, Vh = torch.linalg.svd(channel.h, full_matrices=channel.n_rx < channel.n_tx)
    h = torch.nn.functional.pad(h, (0, channel.n_tx - h.shape[-1]))
    weight = Vh.abs().square().mT  # |v_ij|² of antenna i in mode j
    if kind == "mmse":
        seen = snr * h.square()  # 1 / Q_ii − 1 without the difference
        kept, left = ((weight * share.unsqueeze(-2)).sum(-1) for share in (seen / (1 + seen), 1 / (1 + seen)))
        return 10 * torch.log10(kept / left)
    seen = h > h[..., :1] * torch.finfo(h.dtype).eps * max(channel.n_rx, channel.n_tx)
    inverse = torch.where(seen, h, 1.0).square().reciprocal().masked_fill(~seen, torch.inf)
    return 10 * torch.log10(snr / (weight.clamp(min=torch.finfo(h.dtype).tiny) * inverse.unsqueeze(-2)).sum(-1))

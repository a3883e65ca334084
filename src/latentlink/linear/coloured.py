"""The exact linear design in coloured noise, such as other users' signals.

With the noise's covariance N in real coordinates and N^{-1/2} H = U diag(h) Vᵀ over all uses, the closed form holds with noise of
variance 1 (`linear/closed_form.py`): F = V diag(√p) Φ, strongest mode with strongest singular value. All uses are one group, and every
real singular value carries one mode: improper noise splits the two of a symbol.
"""

import torch

from latentlink.channels.channel import Channel
from latentlink.channels.interference import no_interference
from latentlink.linear.closed_form import ROBUST, LinearSolution, design_exactly, expected_on, mark_status
from latentlink.linear.modes import SemanticModes
from latentlink.links.status import Status
from latentlink.numerics.division import root
from latentlink.power import Mean, PowerLimit
from latentlink.streams.waterfilling import mse_waterfilling
from latentlink.streams.whitened import whitened


def design_in_any_noise(modes: SemanticModes, channel: Channel, limit: PowerLimit) -> LinearSolution:
    """The optimal pair for channels with or without interference; a channel's error counts as white noise.

    Raises:
        ValueError: there is interference, for which the power limit or the modes have no design.
    """
    if not channel.coloured:
        return design_exactly(modes, channel, limit)
    if limit != Mean():
        no_interference(channel.interference, f"with power={limit!r}")
    if not modes.widely_linear:
        raise ValueError("modes must be widely linear for a channel with interference: semantic_modes(…, widely_linear=True)")
    return _design_in_interference(modes, channel)


def _design_in_interference(modes: SemanticModes, channel: Channel) -> LinearSolution:
    """The closed form of the whitened channel, all of whose uses are one group."""
    exact = channel.to(torch.float64)
    _, h, Vh = torch.linalg.svd(whitened([exact]), full_matrices=False)
    h = torch.where(h > torch.finfo(h.dtype).eps * max(Vh.shape[-2:]) * h[..., :1], h, 0.0)
    s = min(len(modes), h.shape[-1])
    strength = modes.strength[:s].double().expand(*h.shape[:-1], s)
    p = mse_waterfilling(strength, h[..., :s], torch.ones_like(exact.power), exact.uses * exact.power)
    precoder = (Vh[..., :s, :].mT * root(p).unsqueeze(-2)).unsqueeze(-3).to(modes.strength)
    streams = torch.arange(s, device=precoder.device).expand(*p.shape[:-1], -1)
    link = modes.transceiver(channel, streams, precoder)
    status = Status.OPTIMAL.where(p.sum(-1) > 0)
    status = mark_status(status, (channel.error_variance > 0) & (channel.uses > 1), ROBUST)
    return expected_on(modes, link, status, {"stream_power": p.to(precoder)}, channel)

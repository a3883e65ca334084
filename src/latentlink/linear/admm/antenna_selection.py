"""Antenna selection by local search: no exchange of one selected antenna for another lowers the error.

With the singular values h of the channel of antennas S alone and the water-filling p over them, the least error of all precoders on S is

    J(S) = V − Σ b_i² x_i / (x_i + N),        x_i = p_i h_i².

Each antenna of S in turn makes place for the one with which J is least, until no exchange of one antenna lowers J.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from latentlink.channels.channel import Channel
from latentlink.linear.modes import SemanticModes
from latentlink.streams.allocation import Allocation

_GAIN = 1e-9  # relative: what an exchange brings beyond rounding


def exchange_antennas(modes: SemanticModes, channel: Channel, antennas: Int[Tensor, "*batch q"]) -> Int[Tensor, "*batch q"]:
    """Improve the sets S of antennas, of the same size for each channel, until no exchange of one antenna lowers J."""
    S, least = antennas.clone(), least_error(modes, channel, antennas)
    while True:
        before = least
        for i in range(S.shape[-1]):
            selected = torch.zeros(*S.shape[:-1], channel.n_tx, dtype=torch.int8, device=S.device).scatter(-1, S, 1)
            others = selected.argsort(dim=-1, stable=True)[..., : channel.n_tx - S.shape[-1]]
            tried = S.expand(others.shape[-1], *S.shape).clone()
            tried[..., i] = others.movedim(-1, 0)
            J, which = torch.cat([least.unsqueeze(0), least_error(modes, channel, tried)]).min(0)
            other = torch.cat([S[..., i : i + 1], others], -1).gather(-1, which.unsqueeze(-1)).squeeze(-1)
            better = least - J > _GAIN * least
            S[..., i] = torch.where(better, other, S[..., i])
            least = torch.where(better, J, least)
        if bool((least == before).all()):
            return S


def least_error(modes: SemanticModes, channel: Channel, antennas: Int[Tensor, "*more q"]) -> Float[Tensor, "*more"]:
    """Compute J (…) of sets of antennas (…, q), for the channels of the batch or for several sets of each."""
    columns = antennas[..., None, None, :].expand(*antennas.shape[:-1], channel.uses, channel.n_rx, -1)
    h = torch.linalg.svdvals(channel.h.expand(*antennas.shape[:-1], *channel.h.shape[-3:]).gather(-1, columns))
    N = (channel.effective_noise / 2).expand(h.shape[:-2])
    best = Allocation.of(modes.strength, h, N, (channel.uses * channel.power).expand(h.shape[:-2]))
    return modes.weighted_variance - best.explained(modes.strength, N).sum(-1)

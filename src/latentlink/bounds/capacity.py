"""Capacity of a message's channel uses by water-filling.

With the pooled budget u·P over the singular values h_i of all uses of a message, the capacity is

    C = Σ log2(1 + p_i h_i² / σ²)  bits per message,      p_i = (μ − σ² / h_i²)⁺,   Σ p_i = u·P.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from latentlink.channels.channel import Channel
from latentlink.links.shapes import check_channel
from latentlink.numerics.validation import validate_call
from latentlink.streams.spatial import SpatialModes
from latentlink.streams.waterfilling import capacity_waterfilling


@validate_call
def capacity(channel: Channel) -> Float[Tensor, "*batch"]:
    """Capacity C = Σ log2(1 + p_i h_i² / σ²) over all uses of known channels with the pooled budget; inf without noise, 0 where h = 0.

    Args:
        channel: batch of channels (…, u, n_rx, n_tx); an error variance does not count.

    Returns:
        C (…) in bits per message.

    Raises:
        ValueError: channel is no Channel, or has interference.

    Example:
        >>> import torch, latentlink as ll
        >>> h = torch.ones(1, 1, dtype=torch.complex128)
        >>> ll.bounds.capacity(ll.Channel.from_snr(h, snr_db=[0.0, 10.0, 20.0]))  # log2(1 + SNR) bits per message
        tensor([1.0000, 3.4594, 6.6582], dtype=torch.float64)
    """
    return capacity_gains(channel).log2().sum(-1)


def capacity_gains(channel: Channel) -> Float[Tensor, "*batch s"]:
    """One plus the SNR, 1 + p_i h_i² / σ², of each symbol of a message (…, s), by water-filling."""
    check_channel(channel)
    h = SpatialModes.of(channel.h).pooled().amplitude
    noise = channel.noise_variance.unsqueeze(-1)
    alive = (h > 0) & (h.square() * torch.finfo(h.dtype).max > noise)
    cost = torch.where(alive, noise / torch.where(alive, h, 1.0).square(), torch.inf)
    p = capacity_waterfilling(cost, channel.uses * channel.power)
    return torch.where(p > 0, 1 + p / cost, 1.0)

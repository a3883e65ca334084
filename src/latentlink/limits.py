"""What no link can pass: capacity, Gaussian OPTA, ceilings and floor.

The capacity of all uses of a message, with the pooled budget u·P over the singular values h_i of the channel, is

    C = Σ log2(1 + p_i h_i² / σ²)  bits per message,      p_i = (μ − σ² / h_i²)⁺,   Σ p_i = u·P       (water-filling).

At that rate the least weighted error that any scheme of any length and complexity can reach for *Gaussian* latents with these moments
(optimal performance theoretically attainable: indirect rate distortion, reverse water-filling [dobrushin1962information,
wolf1970transmission]) is

    D* = tr(W Ry Wᵀ) − Σ b_i² + Σ min(θ, b_i²),        ½ Σ log2⁺(b_i² / θ) = C.

For other latents with the same moments D* is an upper bound of the true limit: a good nonlinear scheme may go below it. Of all *affine*
pairs the closed form is the limit, whatever the distribution.
"""

import math
from typing import Any

import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from latentlink.channels.channel import Channel
from latentlink.latents.moments import as_latents
from latentlink.linear.modes import SemanticModes
from latentlink.linear.spatial import SpatialModes


def capacity(channel: Channel) -> Float[Tensor, "*batch"]:
    """C (…), bits per message (all uses of the channel together), at known channel and pooled budget; inf without noise, 0 where h = 0."""
    h = SpatialModes.of(channel.h).amplitude.flatten(-2).sort(-1, descending=True).values
    noise, budget = channel.noise_variance.unsqueeze(-1), (channel.uses * channel.power).unsqueeze(-1)
    alive = (h > 0) & (h.square() * torch.finfo(h.dtype).max > noise)
    c = torch.where(alive, noise / torch.where(alive, h, 1.0).square(), torch.inf)
    count = torch.arange(1, h.shape[-1] + 1, dtype=h.dtype, device=h.device)
    level = (budget + torch.where(alive, c, 0.0).cumsum(-1)) / count
    active = (alive & (level > c)).sum(-1, keepdim=True)
    water = level.gather(-1, (active - 1).clamp(min=0))
    gain = torch.where(alive & (water > c), water / c, 1.0)
    return gain.log2().sum(-1)


def opta(modes: SemanticModes, channel: Channel) -> Float[Tensor, "*batch"]:
    """Gaussian OPTA D* (…): least total weighted MSE (unweighted for modes without a goal) at the channel's capacity.

    Args:
        modes: all modes of the moments in question, widely linear and without shrinkage: `semantic_modes(moments, shrinkage=0.0)`; for a
            statement on test data, of the test data's moments.
        channel: batch of channels.

    Raises:
        ValueError: the modes were made with shrinkage, or are complex-linear.
    """
    if modes.shrinkage != 0:
        raise ValueError(f"modes must be made with shrinkage=0.0 for a bound, got {modes.shrinkage:g}")
    if not modes.widely_linear:
        raise ValueError("modes must be widely linear for a bound: complex-linear ones leave out what improper latents tell")
    energy = modes.strength.square()
    if len(energy) == 0:
        return modes.weighted_variance.expand(channel.batch)
    rest = (modes.weighted_variance - energy.sum()).clamp(min=0)  # what x does not tell, up to rounding
    return rest + _reverse_waterfilling(energy, capacity(channel)).to(energy)


def _reverse_waterfilling(energy: Float[Tensor, "k"], bits: Float[Tensor, "*batch"]) -> Float[Tensor, "*batch"]:
    """Σ min(θ, b_i²) (…) with ½ Σ log2⁺(b_i² / θ) = bits; energy b² is sorted, strongest first, and positive."""
    count = torch.arange(1, len(energy) + 1, dtype=energy.dtype, device=energy.device)
    log_theta = (energy.log().cumsum(-1) - 2 * math.log(2) * bits.unsqueeze(-1)) / count
    active = (energy.log() > log_theta).sum(-1, keepdim=True)  # a prefix: θ of j modes is below b_j² until it is not
    theta = log_theta.gather(-1, (active - 1).clamp(min=0)).exp()
    return torch.minimum(energy, theta).sum(-1)


def unaligned(x: Tensor | NDArray[Any], dim: int) -> Float[Tensor, "n m"]:
    """The floor: the transmitter's latents read as if they were the receiver's, cut or padded with zeros to its dimension (n, dim).

    The ceilings are the receiver's own latents y, and `SemanticModes.align(x)`, linear alignment with no channel between.
    """
    x = as_latents("x", x)
    if dim < 1:
        raise ValueError(f"dim must be at least 1, got {dim}")
    return torch.nn.functional.pad(x, (0, dim - x.shape[1]))

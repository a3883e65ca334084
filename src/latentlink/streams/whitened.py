"""Channels as real matrices over all uses of a message, and whitened by noise that is not white.

Coordinates are the real parts of all uses and antennas, use by use, then the imaginary parts. Noise of covariance N is white after
N^{-1/2}, so that any problem over H with that noise is one over N^{-1/2} H with noise of variance 1. With the symmetric root a complex
channel in proper noise stays the real embedding of one; improper noise splits its pairs of equal singular values.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Complex, Float
from torch import Tensor

from latentlink.channels.channel import Channel
from latentlink.latents.packing import real_embedding

_FLOOR = 1e-15  # of what arrives: noise of this share keeps a noise-free receiver's covariance definite


def real_channel(channel: Channel) -> Float[Tensor, "*batch r2 t2"]:
    """The real embedding (…, 2 u n_rx, 2 u n_tx) of a channel that is block-diagonal over its uses."""
    return real_uses(channel.h)


def real_uses(h: Complex[Tensor, "*batch u r t"]) -> Float[Tensor, "*batch r2 t2"]:
    """The real embedding (…, 2 u r, 2 u t) of the matrices of all uses, block by block."""
    u, r, t = h.shape[-3:]
    blocks = torch.zeros(*h.shape[:-3], u, r, u, t, dtype=h.dtype, device=h.device)
    index = torch.arange(u, device=h.device)
    blocks[..., index, :, index, :] = h.movedim(-3, 0)
    return real_embedding(blocks.flatten(-4, -3).flatten(-2))


def complex_uses(slope: Float[Tensor, "*batch r2 t2"], uses: int) -> Complex[Tensor, "*batch u r t"]:
    """The gradient (…, u, r, t) of the matrices of all uses from that of their real embedding: the adjoint of `real_uses`."""
    (a, b), (c, d) = (half.unflatten(-1, (2, -1)).unbind(-2) for half in slope.unflatten(-2, (2, -1)).unbind(-3))
    whole = torch.complex(a + d, c - b).unflatten(-2, (uses, -1)).unflatten(-1, (uses, -1))
    return whole.diagonal(dim1=-4, dim2=-2).movedim(-1, -3)


def noise_covariance(row: Sequence[Channel]) -> Float[Tensor, "*batch r2 r2"]:
    """The covariance of a receiver's noise, whose channels from all transmitters these are: channel errors count at full power."""
    white = row[0].noise_variance + sum(each.error_variance * each.power for each in row)
    size = 2 * row[0].uses * row[0].n_rx
    covariance = white[..., None, None] / 2 * torch.eye(size, dtype=white.dtype, device=white.device)
    return covariance if row[0].interference is None else covariance + row[0].interference


def whitened(row: Sequence[Channel]) -> Float[Tensor, "*batch r2 a"]:
    """N^{-1/2} [H_1, H_2, …] (…, 2 u n_rx, a) of one receiver and all transmitters."""
    H = torch.cat([real_channel(each) for each in row], -1)
    N = noise_covariance(row)
    power = sum(each.power for each in row)
    level = N.diagonal(dim1=-2, dim2=-1)
    floor = _FLOOR * (H.square().sum((-2, -1)) * power / H.shape[-2] + level.mean(-1))
    floor = torch.where(floor > 0, floor, 1.0).unsqueeze(-1)
    if row[0].interference is None:
        return H / (level + floor).sqrt().unsqueeze(-1)
    values, vectors = torch.linalg.eigh(N)
    return (vectors / (values.clamp(min=0) + floor).sqrt().unsqueeze(-2)) @ (vectors.mT @ H)

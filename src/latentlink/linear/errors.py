"""The mean squared error of a linear link from second moments alone.

A link that returns ẑ = T z + n for the coefficients z of the semantic modes, noise covariance C_n, leaves with any moments of (x, y)

    E||y − μy − Ψ ẑ||² = tr Ry − 2 tr(T Φ Rxy Ψ) + tr(ΨᵀΨ (T (Φ Rx Φᵀ) Tᵀ + C_n)).
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from latentlink.channels.channel import Channel
from latentlink.linear.modes import SemanticModes

_AT_ONCE = 2**23  # numbers in a stack of dense responses


def total_mse(modes: SemanticModes, T: Float[Tensor, "*batch s s"], noise: Float[Tensor, "*batch s s"]) -> Float[Tensor, "*batch"]:
    """Total unweighted MSE (…) for full T and noise covariance on the s strongest modes."""
    s = T.shape[-1]
    gram, cross, covariance = modes.gram[:s, :s], modes.cross[:s, :s], modes.covariance[:s, :s]
    received = T @ covariance @ T.mT + noise
    return modes.variance - 2 * (T * cross.mT).sum((-2, -1)) + (gram * received).sum((-2, -1))


def parallel_mse(modes: SemanticModes, t: Float[Tensor, "*batch s"], noise: Float[Tensor, "*batch s"]) -> Float[Tensor, "*batch"]:
    """The same (…) where T and the noise covariance are diagonal: t (…, s) and noise (…, s)."""
    s = t.shape[-1]
    gram, cross, covariance = modes.gram[:s, :s], modes.cross[:s, :s], modes.covariance[:s, :s]
    return modes.variance - 2 * t @ cross.diagonal() + (t @ (gram * covariance) * t).sum(-1) + noise @ gram.diagonal()


def response_mse(
    modes: SemanticModes, channel: Channel, streams: Int[Tensor, "*batch s"], precoder: Float[Tensor, "*batch g t2 q2"]
) -> Float[Tensor, "*batch"]:
    """Total unweighted MSE (…) of precoders with the decoder for the channel, from the full response, a few channels at a time."""
    s, count = streams.shape[-1], max(1, _AT_ONCE // (streams.shape[-1] + 1) // (channel.uses * channel.n_tx + streams.shape[-1]))
    values = (channel.h, channel.noise_variance, channel.power, channel.error_variance, streams, precoder)
    flat = [value.reshape(-1, *value.shape[len(channel.batch) :]) for value in values]
    parts = []
    for *known, at, F in zip(*(value.split(count) for value in flat), strict=True):
        link = modes.transceiver(Channel(*known), at, F)
        parts.append(total_mse(modes, *link.response(covariance=modes.covariance[:s, :s])))
    return torch.cat(parts).reshape(channel.batch)

"""The mean squared error of a linear link from second moments alone.

A link that returns ẑ = T z + n for the coefficients z of the semantic modes, noise covariance C_n, leaves with any moments of (x, y)

    E||y − μy − Ψ ẑ||² = tr Ry − 2 tr(T Φ Rxy Ψ) + tr(ΨᵀΨ (T (Φ Rx Φᵀ) Tᵀ + C_n)).
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from latentlink.channels.channel import Channel
from latentlink.linear.modes import SemanticModes
from latentlink.linear.transceiver import LinearTransceiver

_AT_ONCE = 2**23  # entries of dense responses in memory at a time
_NOTHING = 1e-10  # share of the largest diagonal entry below which the others count as zero


def total_mse(modes: SemanticModes, T: Float[Tensor, "*batch s s"], noise: Float[Tensor, "*batch s s"]) -> Float[Tensor, "*batch"]:
    """Total unweighted MSE (…) of the s strongest modes for full matrices T and noise covariance (…, s, s)."""
    s = T.shape[-1]
    gram, cross, covariance = modes.gram[:s, :s], modes.cross[:s, :s], modes.covariance[:s, :s]
    received = T @ covariance @ T.mT + noise
    return modes.variance - 2 * (T * cross.mT).sum((-2, -1)) + (gram * received).sum((-2, -1))


def link_mse(modes: SemanticModes, link: LinearTransceiver, channel: Channel | None = None) -> Float[Tensor, "*batch"]:
    """Total unweighted MSE (…) of a link on a channel, its decoder's own if none is given, under the modes' covariance."""
    s = link.streams.shape[-1]
    return total_mse(modes, *link.response(channel, covariance=modes.covariance[:s, :s]))


def parallel_mse(modes: SemanticModes, t: Float[Tensor, "*batch s"], noise: Float[Tensor, "*batch s"]) -> Float[Tensor, "*batch"]:
    """Total unweighted MSE (…) where T and the noise covariance are diagonal, with diagonals t and noise (…, s)."""
    s = t.shape[-1]
    gram, cross, covariance = modes.gram[:s, :s], modes.cross[:s, :s], modes.covariance[:s, :s]
    return modes.variance - 2 * t @ cross.diagonal() + (t @ (gram * covariance) * t).sum(-1) + noise @ gram.diagonal()


def response_mse(
    modes: SemanticModes,
    channel: Channel,
    streams: Int[Tensor, "*batch s"],
    precoder: Float[Tensor, "*batch g t2 q2"],
    assumed: Channel | None = None,
) -> Float[Tensor, "*batch"]:
    """Total unweighted MSE (…) of precoders on a channel, some channels at a time to save memory.

    The decoder is the LMMSE decoder for the channel, or for the channel that the receiver assumes.
    """
    s = streams.shape[-1]
    groups, slots = precoder.shape[-3], precoder.shape[-1]
    certain = not channel.uncertain and not channel.coloured  # interference correlates groups of uses
    apart = certain and _apart(modes, s)
    entries = 4 * groups * slots**2 if apart else (s + 1) * (channel.uses * channel.n_tx + s)
    count = max(1, _AT_ONCE // entries)
    flat = channel.flattened()
    decoded = flat if assumed is None else assumed.flattened()
    streams = streams.reshape(-1, s)
    precoder = precoder.reshape(-1, *precoder.shape[-3:])
    parts = []
    for start in range(0, max(1, len(streams)), count):
        some = slice(start, start + count)
        link = modes.transceiver(decoded[some], streams[some], precoder[some])
        parts.append(grouped_mse(modes, link, apart) if certain else link_mse(modes, link, flat[some]))
    return torch.cat(parts).reshape(channel.batch)


def is_white(modes: SemanticModes, s: int) -> bool:
    """Return True if the pilots' covariance of the s strongest modes is the design covariance I."""
    C = modes.covariance[:s, :s]
    return bool(((C - torch.eye(len(C), dtype=C.dtype, device=C.device)).abs() <= torch.finfo(C.dtype).eps ** 0.5).all())


def _apart(modes: SemanticModes, s: int) -> bool:
    """Return True if ΨᵀΨ or C is diagonal (no goal, or no shrinkage): correlations between groups of uses then add no error."""

    def diagonal(M: Tensor) -> bool:
        return bool((M - torch.diag(M.diagonal())).abs().max() <= _NOTHING * M.diagonal().amax())

    return diagonal(modes.gram[:s, :s]) or diagonal(modes.covariance[:s, :s])


def grouped_mse(modes: SemanticModes, link: LinearTransceiver, apart: bool) -> Float[Tensor, "*batch"]:
    """Total unweighted MSE (…) of a link on the certain channel that its decoder is matched to, group of uses by group of uses.

    Streams of different groups do not mix: T and the noise are block-diagonal, and of tr(ΨᵀΨ T C Tᵀ) only blocks within a group are left
    where ΨᵀΨ or C is diagonal (`apart`).
    """
    T, noise = link.group_response()
    s = link.streams.shape[-1]
    groups, width = T.shape[-3], T.shape[-1]
    at = link.slot_modes()
    place = at.flatten(-2)
    gram, cross, covariance = (torch.nn.functional.pad(M[:s, :s], (0, 1, 0, 1)) for M in (modes.gram, modes.cross, modes.covariance))
    rows, columns = at.unsqueeze(-1), at.unsqueeze(-2)  # of blocks (…, g, q2, q2)
    linear = (gram[rows, columns] * noise - 2 * T * cross[columns, rows]).sum((-3, -2, -1))
    if apart:
        return modes.variance + linear + (gram[rows, columns] * (T @ covariance[rows, columns] @ T.mT)).sum((-3, -2, -1))
    G, C = (M[place.unsqueeze(-1), place.unsqueeze(-2)] for M in (gram, covariance))  # (…, slots, slots)
    half = (T @ C.unflatten(-2, (groups, width))).flatten(-3, -2).unflatten(-1, (groups, width))  # T C, columns by group
    received = torch.einsum("...sgb,...gcb->...sgc", half, T).flatten(-2)
    return modes.variance + linear + (G * received).sum((-2, -1))

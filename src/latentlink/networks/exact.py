"""Where the optimum of a network is known: the closed form of one real channel for stacked goals.

If every user sees the same whitened channel H, Σ_k J_k is the error of one receiver that wants the stack B = [B_1; B_2; …], whose closed
form (`linear/closed_form.py`) is the optimum: with H = U diag(h) Vᵀ and B = … diag(b) V_Bᵀ,

    F = V diag(√p) V_Bᵀ,      Σ_i b_i² / (1 + p_i h_i²)      by MSE water-filling, strongest with strongest.

Receivers that do not disturb each other under one budget, be it by orthogonal channels, by nulls or in uses of their own, are parallel
closed forms with one water level over the pairs (b, h) of all of them.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from latentlink.numerics.division import root
from latentlink.streams.waterfilling import mse_waterfilling

_RANK = 1e-14


class Exact(NamedTuple):
    """A closed form.

    Attributes:
        F: precoder (…, a, c).
        error: J (…) above what no channel could avoid.
    """

    F: Float[Tensor, "*batch a c"]
    error: Float[Tensor, "*batch"]


def exact(B: Float[Tensor, "*#batch q c"], H: Float[Tensor, "*batch r a"], power: Float[Tensor, "*batch"]) -> Exact:
    """The closed form for one receiver with white noise of variance 1, coordinates white (C = I)."""
    parts, error = parallel([B], [H], power)
    return Exact(parts[0], error)


def parallel(
    wanted: Sequence[Float[Tensor, "*#batch _q c"]], channels: Sequence[Float[Tensor, "*batch _r a"]], power: Float[Tensor, "*batch"]
) -> tuple[list[Float[Tensor, "*batch a c"]], Float[Tensor, "*batch"]]:
    """The precoder for each of several receivers that do not disturb each other, of what it wants on its channel, and the sum of errors."""
    total, pairs = power.new_zeros(()), []
    for B, H in zip(wanted, channels, strict=True):
        _, b, VBh = torch.linalg.svd(B, full_matrices=False)
        _, h, Vh = torch.linalg.svd(H, full_matrices=False)
        s = min(b.shape[-1], h.shape[-1])
        h = torch.where(h > torch.finfo(h.dtype).eps * max(H.shape[-2:]) * h[..., :1], h, 0.0)
        paired = torch.where(b[..., :s] > _RANK * b[..., :1], b[..., :s], 0.0).expand(*h.shape[:-1], s)
        total = total + b.square().sum(-1)
        pairs.append((paired, h[..., :s], Vh[..., :s, :].mT, VBh[..., :s, :]))
    b, h = (torch.cat([pair[n] for pair in pairs], -1) for n in range(2))
    order = (b * h).argsort(dim=-1, descending=True, stable=True)
    p = mse_waterfilling(b.gather(-1, order), h.gather(-1, order), torch.ones_like(power), power)
    p = torch.zeros_like(p).scatter(-1, order, p)
    shares = p.split([pair[0].shape[-1] for pair in pairs], -1)
    parts = [(V * root(share).unsqueeze(-2)) @ VBh for share, (_, _, V, VBh) in zip(shares, pairs, strict=True)]
    return parts, (total - (b.square() * (1 - 1 / (1 + p * h.square()))).sum(-1))

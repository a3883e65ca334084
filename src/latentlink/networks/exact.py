"""Where the optimum of a network is known: the closed form of one real channel for stacked goals.

If every user sees the same whitened channel H, Σ_k J_k is the error of one receiver that wants the stack B = [B_1; B_2; …], whose closed
form (`linear/closed_form.py`) is the optimum: with H = U diag(h) Vᵀ and B = … diag(b) V_Bᵀ,

    F = V diag(√p) V_Bᵀ,      Σ_i b_i² / (1 + p_i h_i²)      by MSE water-filling, strongest with strongest.
"""

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
    _, b, VBh = torch.linalg.svd(B, full_matrices=False)
    _, h, Vh = torch.linalg.svd(H, full_matrices=False)
    s = min(b.shape[-1], h.shape[-1])
    cut = torch.finfo(h.dtype).eps * max(H.shape[-2:]) * h[..., :1]
    h = torch.where(h > cut, h, 0.0)
    paired = torch.where(b[..., :s] > _RANK * b[..., :1], b[..., :s], 0.0).expand(*h.shape[:-1], s)
    p = mse_waterfilling(paired, h[..., :s], torch.ones_like(power), power)
    F = (Vh[..., :s, :].mT * root(p).unsqueeze(-2)) @ VBh[..., :s, :]
    error = b.square().sum(-1) - (paired.square() * (1 - 1 / (1 + p * h[..., :s].square()))).sum(-1)
    return Exact(F, error)

"""What a channel is worth: its least semantic error, its capacity or its gain, each with the gradient of the channel.

All are functions of the squared singular values g_i of H over all uses, so that by the envelope theorem, with powers p at their optimum,

    J = Σ_i b_i² / (1 + p_i g_i / N):      dJ = −Σ_i b_i² (p_i / N) / (1 + p_i g_i / N)² dg_i,      dg_i = 2 h_i Re u_iᴴ dH v_i,

and the gradient of H is U diag(2 h_i ∂J/∂g_i) Vᴴ. It is unique where singular values are equal, unlike their vectors.
"""

import math
from collections.abc import Callable

import torch
from jaxtyping import Complex, Float
from torch import Tensor

from latentlink.linear.modes import SemanticModes
from latentlink.streams.waterfilling import capacity_waterfilling, mse_waterfilling

_SILENT = 1e-30  # the least cost of a stream, as a share of the power

Worth = Callable[[Tensor], tuple[Tensor, Tensor]]  # H (…, u, r, t) to values (…), the less the better, and gradients of H


def semantic_error(modes: SemanticModes, noise: Float[Tensor, "*batch"], power: Float[Tensor, "*batch"]) -> Worth:
    """Σ_i b_i² / (1 + p_i g_i / N) of the closed form with budget u·P, N = σ²/2."""
    b = modes.strength.double()

    def worth(H: Complex[Tensor, "*batch u r t"]) -> tuple[Tensor, Tensor]:
        U, h, Vh = torch.linalg.svd(H, full_matrices=False)
        pooled, order = h.flatten(-2).sort(dim=-1, descending=True, stable=True)
        real = pooled.repeat_interleave(2, -1)
        s = min(len(b), real.shape[-1])
        N, budget = noise / 2, H.shape[-3] * power
        p = mse_waterfilling(b[:s].expand(*real.shape[:-1], s), real[..., :s], N.expand(real.shape[:-1]), budget.expand(real.shape[:-1]))
        loud = N.unsqueeze(-1) + p * real[..., :s].square()
        safe = torch.where(loud > 0, loud, 1.0)
        left = torch.where(loud > 0, N.unsqueeze(-1) / safe, torch.where(p * real[..., :s] > 0, 0.0, 1.0))
        value = (b[:s].square() * left).sum(-1) + b[s:].square().sum()
        each = -b[:s].square() * N.unsqueeze(-1) * p / safe.square() * 2 * real[..., :s]
        each = torch.nn.functional.pad(each, (0, real.shape[-1] - s)).unflatten(-1, (-1, 2)).sum(-1)
        return value, _at_modes(U, each, order, h, Vh)

    return worth


def minus_capacity(noise: Float[Tensor, "*batch"], power: Float[Tensor, "*batch"]) -> Worth:
    """−Σ_i log2(1 + p_i g_i / σ²) with budget u·P, finite without noise: a stream's SNR counts as 300 dB at most."""

    def worth(H: Complex[Tensor, "*batch u r t"]) -> tuple[Tensor, Tensor]:
        U, h, Vh = torch.linalg.svd(H, full_matrices=False)
        pooled, order = h.flatten(-2).sort(dim=-1, descending=True, stable=True)
        alive = pooled.square() > torch.finfo(h.dtype).tiny
        safe = torch.where(alive, pooled, 1.0)
        budget = (H.shape[-3] * power).expand(pooled.shape[:-1])
        floor = (_SILENT * budget).clamp(min=torch.finfo(h.dtype).tiny).unsqueeze(-1)
        cost = torch.where(alive, torch.maximum(noise.unsqueeze(-1) / safe.square(), floor), torch.inf)
        p = capacity_waterfilling(cost, budget)
        value = -torch.where(p > 0, 1 + p / cost, 1.0).log2().sum(-1)
        return value, _at_modes(U, -2 / math.log(2) / safe * torch.where(p > 0, p / (cost + p), 0.0), order, h, Vh)

    return worth


def minus_gain(H: Complex[Tensor, "*batch u r t"]) -> tuple[Float[Tensor, "*batch"], Complex[Tensor, "*batch u r t"]]:
    """−||H||_F² over all uses."""
    return -H.abs().square().sum((-3, -2, -1)), -2 * H


def _at_modes(U: Tensor, slope: Tensor, order: Tensor, h: Tensor, Vh: Tensor) -> Complex[Tensor, "*batch u r t"]:
    """U diag(∂/∂h) Vᴴ of every use from slopes (…, u q) in the order of all uses together."""
    own = torch.zeros_like(slope).scatter(-1, order, slope).unflatten(-1, h.shape[-2:])
    return (U * own.unsqueeze(-2)) @ Vh

"""The priced best answer: a pair's exact design where the interference that it causes costs something.

J_j is a minimum over decoders of functions that are linear in Q_k = F_k F_kᵀ, hence concave in Q_k: its tangent, with the price matrix

    Π_k = Σ_{j≠k} H_jkᵀ G_jᵀ G_j H_jk,

bounds it from above. So pair k's step, min over ||F||² ≤ P of J_k(F) + tr Fᵀ Π_k F, never raises the sum (majorise–minimise). It is the
closed form in the metric Ω = Π_k + μ I: with H_k Ω^{-1/2} = U diag(h) Vᵀ, H_k whitened by interference too,

    F = Ω^{-1/2} V diag(√p) V_Bᵀ,      p = (b / h − 1 / h²)⁺,      μ ≥ 0 by bisection so that ||F||² ≤ P.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from latentlink.linear.priced import priced_form
from latentlink.networks.pairs import require_pairs
from latentlink.networks.problem import Problem

_BISECTIONS = 40


def answer_prices(problem: Problem, F: Float[Tensor, "*batch a c"], rounds: int) -> Float[Tensor, "*batch a c"]:
    """Some rounds, in each of which every pair in turn answers the others' prices; Σ_k J_k never rises.

    Raises:
        ValueError: the network is not one of pairs.
    """
    require_pairs(problem, 'method="prices"')
    F = F.clone()
    for _ in range(rounds):
        for k, (rows, columns) in enumerate(zip(problem.rows, problem.columns, strict=True)):
            if columns.start == columns.stop:
                continue
            G, _ = problem.lmmse(F)
            through = G @ problem.H[..., rows]
            through = torch.cat([through[..., :k, :, :], through[..., k + 1 :, :, :]], -3).flatten(-3, -2)
            prices = through.mT @ through
            others = F.clone()
            others[..., rows, :] = 0
            arriving = problem.H[..., k, :, :] @ others
            eye = torch.eye(arriving.shape[-2], dtype=arriving.dtype, device=arriving.device)
            values, vectors = torch.linalg.eigh(eye + arriving @ arriving.mT)
            white = (vectors * values.rsqrt().unsqueeze(-2)).mT @ problem.H[..., k, :, rows]
            F[..., rows, columns] = priced(problem.B[..., k, :, columns], white, prices, problem.power[..., k])
    return F


def priced(
    B: Float[Tensor, "*#batch q c"], H: Float[Tensor, "*batch r a"], prices: Float[Tensor, "*batch a a"], power: Float[Tensor, "*batch"]
) -> Float[Tensor, "*batch a c"]:
    """The priced closed form for white noise of variance 1 within a budget."""
    _, b, VBh = torch.linalg.svd(B, full_matrices=False)
    most = b[..., 0] * torch.linalg.matrix_norm(H, 2) / power.clamp(min=1e-300).sqrt() + b.square().sum(-1) / power.clamp(min=1e-300)
    low, high = 1e-12 * most, 2 * most
    F = _at(b, VBh, H, prices, low)
    free = F.square().sum((-2, -1)) <= power  # the budget does not bind: prices alone hold the power
    for _ in range(_BISECTIONS):
        middle = (low * high).sqrt()
        spends = _at(b, VBh, H, prices, middle).square().sum((-2, -1)) > power
        low, high = torch.where(spends, middle, low), torch.where(spends, high, middle)
    return torch.where(free[..., None, None], F, _at(b, VBh, H, prices, high))


def _at(b: Tensor, VBh: Tensor, H: Tensor, prices: Tensor, mu: Float[Tensor, "*batch"]) -> Float[Tensor, "*batch a c"]:
    """The minimiser of J(F) + tr Fᵀ(Π + μ I)F."""
    eye = torch.eye(prices.shape[-1], dtype=prices.dtype, device=prices.device)
    F = priced_form(b, H, prices + mu[..., None, None] * eye).F
    return F @ VBh[..., : F.shape[-1], :]

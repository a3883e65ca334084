"""Block descent of a network's error: decoders given precoders, precoders given decoders, each exactly.

Given G (see `problem`), Σ_k E||W_k y_k − G_k r_k||² is quadratic in the precoder F_t of one transmitter,

    tr F_tᵀ A_tt F_t − 2 tr F_tᵀ (D_t − Σ_{j≠t} A_tj F_j C_jt) + …,      D_t the rows of transmitter t and the columns of its sources.

*Separate budgets*, ||F_t||² ≤ P_t: F_t = (A_tt + μ I)^{-1} (…), where μ ≥ 0 solves the secular equation ||F_t||² = P_t, or is 0 where less
power is best. *One budget* P for all: more power never hurts, so that with s = ||F||² / P the problem is the unconstrained

    min over F, G of Σ_k ||…||² + (s − 1) Σ_k ||G_k||²      (noise of variance 1),

a linear solve with μ = Σ_k ||G_k||² / P, after which F is scaled back to P. The objective never rises. Two convex blocks (transmitters
whose sources are independent, or one transmitter) have stationary limit points [grippo2000convergence].
"""

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from latentlink.networks.problem import Problem

Budget = Literal["separate", "sum"]
FURTHER = 4  # rounds that go on from other weights
_NEWTON = 30  # steps of the secular equation; it converges quadratically from below


def descend(problem: Problem, F: Float[Tensor, "*batch a c"], steps: int, budget: Budget) -> Float[Tensor, "*batch a c"]:
    """Some rounds of block descent from precoders within the budget."""
    for _ in range(steps):
        F = step(problem, F, budget)
    return F


def step(problem: Problem, F: Float[Tensor, "*batch a c"], budget: Budget) -> Float[Tensor, "*batch a c"]:
    """One round: the LMMSE decoders, then every transmitter in turn; precoders of zero (a dead network) stay."""
    G, _ = problem.lmmse(F)
    A, D = problem.normal(G)
    if budget == "sum":
        total = problem.power.sum(-1)
        mu = G.square().sum((-3, -2, -1)) / torch.where(total > 0, total, 1.0)
        return within_sum(problem, _transmitters(problem, A, D, F, mu))
    return _transmitters(problem, A, D, F, None)


def within_sum(problem: Problem, F: Float[Tensor, "*batch a c"]) -> Float[Tensor, "*batch a c"]:
    """Precoders scaled to spend the whole of one budget; zeros stay."""
    spent, total = F.square().sum((-2, -1)), problem.power.sum(-1)
    return F * (total / torch.where(spent > 0, spent, 1.0)).sqrt()[..., None, None]


def within_separate(problem: Problem, F: Float[Tensor, "*batch a c"], full: bool = False) -> Float[Tensor, "*batch a c"]:
    """Precoders scaled down to each transmitter's budget, or to spend the whole of it (`full`)."""
    F = F.clone()
    spent = problem.spent(F)
    ratio = (problem.power / torch.where(spent > 0, spent, 1.0)).sqrt()
    ratio = torch.where(spent > 0, ratio if full else ratio.clamp(max=1.0), 1.0)
    for t, rows in enumerate(problem.rows):
        F[..., rows, :] *= ratio[..., t, None, None]
    return F


def _transmitters(
    problem: Problem, A: Float[Tensor, "*batch a a"], D: Float[Tensor, "*batch a c"], F: Float[Tensor, "*batch a c"], mu: Tensor | None
) -> Float[Tensor, "*batch a c"]:
    """Every transmitter's precoder in turn, with one multiplier μ for all or that of its own budget."""
    F = F.clone()
    for t, (rows, columns) in enumerate(zip(problem.rows, problem.columns, strict=True)):
        wanted = D[..., rows, columns]
        if len(problem.rows) > 1:
            others = F @ problem.C[:, columns] - F[..., :, columns] @ problem.C[columns, columns]
            wanted = wanted - A[..., rows, :] @ others
        own = A[..., rows, rows]
        if mu is None:
            F[..., rows, columns] = within_budget(own, wanted, problem.power[..., t])
        else:
            loading = torch.where(mu > 0, mu, 1.0)[..., None, None]
            F[..., rows, columns] = torch.linalg.solve(own + loading * torch.eye(own.shape[-1], dtype=own.dtype, device=own.device), wanted)
    return F


def within_budget(
    A: Float[Tensor, "*batch a a"], D: Float[Tensor, "*batch a c"], power: Float[Tensor, "*batch"]
) -> Float[Tensor, "*batch a c"]:
    """Minimise tr FᵀAF − 2 tr FᵀD over ||F||² ≤ P, A positive semidefinite: F = (A + μ I)^{-1} D by the secular equation.

    With A = U diag(λ) Uᵀ and w = ||row i of UᵀD||², μ ≥ 0 solves Σ w_i / (λ_i + μ)² = P. Newton's method on 1 / ||F(μ)||, which is concave,
    rises to it from below, from the largest μ_i at which one term alone spends P.
    """
    values, U = torch.linalg.eigh(A)
    values = values.clamp(min=0).unsqueeze(-1)
    turned = U.mT @ D
    w = turned.square().sum(-1, keepdim=True)
    P = power[..., None, None]
    mu = (w.sqrt() / torch.where(P > 0, P, 1.0).sqrt() - values).amax(-2, keepdim=True).clamp(min=0)
    tiny = 1e-14 * values.amax(-2, keepdim=True) + 1e-90  # whose third power is finite
    for _ in range(_NEWTON):
        inverse = 1 / (values + mu).clamp(min=tiny)
        spent = (w * inverse.square()).sum(-2, keepdim=True)
        slope = (w * inverse**3).sum(-2, keepdim=True)
        move = spent / torch.where(slope > 0, slope, 1.0) * ((spent / torch.where(P > 0, P, 1.0)).sqrt() - 1)
        if bool((move <= 1e-13 * mu).all()):
            break
        mu = mu + move.clamp(min=0)
    F = U @ (turned / (values + mu).clamp(min=tiny))
    spent = F.square().sum((-2, -1), keepdim=True)
    return F * (P / torch.where(spent > 0, spent, 1.0)).clamp(max=1.0).sqrt()

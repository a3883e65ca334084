"""The equivalent channel of a broadcast: one channel whose closed form serves all users at once.

If the users want the same, B_kᵀB_k = c_k BᵀB with Σ c_k = 1, the sum of their errors with R_k = H_kᵀH_k and Q = F Fᵀ is

    Σ_k J_k = tr B (Σ_k c_k (I + FᵀR_kF)^{-1}) Bᵀ = tr B (I + FᵀR F)^{-1} Bᵀ      at      R = S (I − QS)^{-1},
    S = Σ_k c_k H_kᵀ (I + H_k Q H_kᵀ)^{-1} H_k,

so that the closed form on R is repeated from the mean of the R_k. With Q = W Wᵀ and E = Σ_k c_k (I + WᵀR_kW)^{-1}, R = S + S W E^{-1} Wᵀ S:
nothing that may be singular is inverted, as some R_k are where users have fewer antennas than the transmitter. For users who want different
things it is a start for block descent, with c_k their shares of ΣB_k². As a matrix function's inverse is convex,

    closed form of (B, Σ_k c_k R_k)  ≤  least Σ_k J_k  ≤  closed form of (B, (Σ_k c_k R_k^{-1})^{-1}).
"""

import torch
from jaxtyping import Float
from torch import Tensor

from latentlink.networks.exact import exact
from latentlink.networks.problem import Problem
from latentlink.numerics.division import ratio


def shares(problem: Problem) -> Float[Tensor, "*#batch K"]:
    """c_k (…, K), each user's part of what is wanted; zero for users of no weight."""
    wanted = problem.B.square().sum((-2, -1))
    return ratio(wanted, wanted.sum(-1, keepdim=True))


def stacked(B: Float[Tensor, "*#batch K q c"]) -> Float[Tensor, "*#batch Kq c"]:
    """[B_1; B_2; …], what all users want together."""
    return B.flatten(-3, -2)


def factor(R: Float[Tensor, "*batch a a"]) -> Float[Tensor, "*batch a a"]:
    """H with HᵀH = R, a channel that has the gains R."""
    values, vectors = torch.linalg.eigh(R)
    return values.clamp(min=0).sqrt().unsqueeze(-1) * vectors.mT


def strongest(problem: Problem) -> Float[Tensor, "*#batch n c"]:
    """diag(b) V_Bᵀ of the stack, in as many rows as can be sent: all that its closed form takes of it."""
    _, b, Vh = torch.linalg.svd(stacked(problem.B), full_matrices=False)
    n = min(b.shape[-1], problem.H.shape[-1])
    return b[..., :n, None] * Vh[..., :n, :]


def mean_channel(problem: Problem, rows: Float[Tensor, "*#batch n c"]) -> Float[Tensor, "*batch a c"]:
    """Precoders (…, a, c): the closed form of the stack's strongest rows on Σ_k c_k R_k."""
    gains = problem.H.mT @ problem.H
    return _closed_form(problem, rows, (shares(problem)[..., None, None] * gains).sum(-3))


def equivalent_channel(problem: Problem, rows: Float[Tensor, "*#batch n c"], F: Float[Tensor, "*batch a c"]) -> Float[Tensor, "*batch a c"]:
    """Precoders (…, a, c) after one round: the closed form of the stack's strongest rows on the equivalent channel at F."""
    c, W = shares(problem)[..., None, None], factor(F @ F.mT).mT  # Q = W Wᵀ, of fewer columns than F
    M = problem.received(W)
    inner = torch.cholesky_solve(problem.H, torch.linalg.cholesky(M @ M.mT + _eye(M.shape[-2], M)))
    S = (c * (problem.H.mT @ inner)).sum(-3)
    E = (c * torch.cholesky_inverse(torch.linalg.cholesky(M.mT @ M + _eye(M.shape[-1], M)))).sum(-3)
    E = E + torch.finfo(E.dtype).eps * _eye(E.shape[-1], E)
    SW = S @ W
    R = S + SW @ torch.linalg.solve_ex(E, SW.mT).result
    R = torch.where(R.isfinite().all(-1, keepdim=True).all(-2, keepdim=True), R, S)
    return _closed_form(problem, rows, (R + R.mT) / 2)


def _closed_form(problem: Problem, rows: Float[Tensor, "*#batch n c"], R: Float[Tensor, "*batch a a"]) -> Float[Tensor, "*batch a c"]:
    return exact(rows, factor(R), problem.power.sum(-1)).F


def _eye(n: int, like: Tensor) -> Float[Tensor, "n n"]:
    return torch.eye(n, dtype=like.dtype, device=like.device)

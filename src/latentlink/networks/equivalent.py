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

_UNTIED = 1e-3  # relative difference that is put between equal gains


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
    rows = b[..., :n, None] * Vh[..., :n, :]
    return rows * _sign(rows)


def mean_channel(problem: Problem, rows: Float[Tensor, "*#batch n c"]) -> Float[Tensor, "*batch a c"]:
    """Precoders (…, a, c): the closed form of the stack's strongest rows on Σ_k c_k R_k."""
    gains = problem.H.mT @ problem.H
    return for_all(problem, rows, (shares(problem)[..., None, None] * gains).sum(-3))


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
    return for_all(problem, rows, (R + R.mT) / 2)


def for_all(problem: Problem, rows: Float[Tensor, "*#batch n c"], R: Float[Tensor, "*batch a a"]) -> Float[Tensor, "*batch a c"]:
    """The closed form of the stack's strongest rows on gains R.

    On one channel the signs of beams and the places of messages in a complex channel's equal pairs are nothing; for several users they are
    a choice, which is made alike everywhere, for rounding would decide where descent ends.
    """
    mean = R.diagonal(dim1=-2, dim2=-1).mean(-1)[..., None, None]
    slope = torch.linspace(0, 1, R.shape[-1], dtype=R.dtype, device=R.device).diag()
    F = exact(rows, factor(R + _UNTIED * mean * slope), problem.power.sum(-1)).F
    size = torch.linalg.vector_norm(rows, dim=-1, keepdim=True)
    unit = rows / torch.where(size > 0, size, 1.0)
    beams = F @ unit.mT
    return (beams * _sign(beams.mT).mT) @ unit


def _sign(rows: Float[Tensor, "*batch n c"]) -> Float[Tensor, "*batch n 1"]:
    """1 or −1 for each row, so that it points along one fixed direction."""
    along = (rows @ torch.linspace(1, 2, rows.shape[-1], dtype=rows.dtype, device=rows.device)).unsqueeze(-1)
    return torch.where(along < 0, -1.0, 1.0)


def _eye(n: int, like: Tensor) -> Float[Tensor, "n n"]:
    return torch.eye(n, dtype=like.dtype, device=like.device)

"""What designs for several transmitters have in common: where they start, and what they cannot do better than."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from latentlink.networks.descent import within_separate
from latentlink.networks.exact import exact
from latentlink.networks.problem import Problem
from latentlink.numerics.seeds import stream_generator

_ROUNDS = 20  # of prices, after which the bound no longer moves in the fifth digit
_RATE = 0.7
_LEAST = 1e-6  # of shares of budgets, and of prices


def own_designs(problem: Problem) -> Float[Tensor, "*batch a c"]:
    """Every transmitter's closed form for those who want its sources, as if it were alone: on Σ_k c_k R_k, c_k their shares of its goal."""
    F = problem.H.new_zeros(*problem.batch, *problem.allowed.shape)
    for t, (rows, columns) in enumerate(zip(problem.rows, problem.columns, strict=True)):
        if columns.start == columns.stop:
            continue
        B = problem.B[..., columns]
        share = B.square().sum((-2, -1))
        share = share / torch.where(share.sum(-1, keepdim=True) > 0, share.sum(-1, keepdim=True), 1.0)
        H = (problem.H[..., rows] * share.sqrt()[..., None, None]).flatten(-3, -2)
        F[..., rows, columns] = exact(B.flatten(-3, -2), H, problem.power[..., t]).F
    return F


def random_precoders(problem: Problem, number: int) -> Float[Tensor, "*batch a c"]:
    """Gaussian precoders that spend every budget, the same for every network of a batch; `number` is the seed."""
    allowed = problem.allowed
    X = torch.randn(allowed.shape, dtype=torch.float64, generator=stream_generator(0, "several transmitters", number), device="cpu")
    return within_separate(problem, (X.to(allowed.device) * allowed).expand(*problem.batch, *allowed.shape), full=True)


def cooperative_bound(problem: Problem, budget: str) -> Float[Tensor, "*batch"]:
    """A bound (…) on Σ_k J_k: transmitters that know all sources and share their power at prices θ_t, each user served alone.

    Budgets ||F_t||² ≤ P_t imply Σ_t θ_t ||F_t||² ≤ Σ_t θ_t P_t, under which one transmitter with all antennas and coordinates has a closed
    form on H_k diag(θ)^{-1/2}. Any prices give a bound; the dual that they maximise rises along ||F_t||² − P_t, so that they follow
    θ_t ← θ_t (||F_t||² / P_t)^{0.7}. A user is served by the transmitters that have something it wants, or sources that depend on such.
    Users who see the same channel are one receiver.
    """
    values, vectors = torch.linalg.eigh(problem.C)
    kept = values > 1e-9 * values.max() if len(values) else values > 0
    B, H = problem.B @ (vectors[:, kept] * values[kept].rsqrt()), problem.H
    serves = _serving(problem).to(H)
    if H.shape[-3] > 1 and bool(((H - H[..., :1, :, :]).abs() <= 1e-12 * H.abs().max()).all()):
        B, H, serves = B.flatten(-3, -2).unsqueeze(-3), H[..., :1, :, :], torch.ones_like(serves[:1])
    theta, best = torch.ones_like(problem.power), torch.full(problem.batch, -torch.inf, dtype=H.dtype, device=H.device)
    for _ in range(_ROUNDS if budget == "separate" and len(problem.rows) > 1 else 1):
        total = theta * problem.power
        error, spent = torch.zeros_like(best), torch.zeros_like(theta)
        for k, serving in enumerate(serves if budget == "separate" else torch.ones_like(serves)):
            price = _by_antenna(problem, theta.rsqrt() * serves[k])
            found = exact(B[..., k, :, :], H[..., k, :, :] * price, (total * serving).sum(-1))
            error, F = error + found.error, found.F * price.mT
            spent = spent + torch.stack([F[..., rows, :].square().sum((-2, -1)) for rows in problem.rows], -1)
        best = torch.maximum(best, error)
        offered = problem.power * serves.sum(0)
        share = torch.where(offered > 0, spent / torch.where(offered > 0, offered, 1.0), 1.0)
        theta = theta * share.clamp(min=_LEAST) ** _RATE
        theta = (theta / theta.mean(-1, keepdim=True)).clamp(min=_LEAST)
    return best


def _by_antenna(problem: Problem, each: Float[Tensor, "*batch T"]) -> Float[Tensor, "*batch 1 a"]:
    """The value of each transmitter at each of its antennas."""
    parts = [each[..., t, None].expand(*each.shape[:-1], rows.stop - rows.start) for t, rows in enumerate(problem.rows)]
    return torch.cat(parts, -1).unsqueeze(-2)


def _serving(problem: Problem) -> Bool[Tensor, "K T"]:
    """Which transmitters can help which user: those with sources that it wants, or that depend on such."""
    wants = (problem.B.square().sum(-2) > 0).flatten(0, -3).any(0) if problem.B.ndim > 3 else problem.B.square().sum(-2) > 0
    told = wants | ((wants.to(problem.C) @ (problem.C.abs() > 1e-12).to(problem.C)) > 0)
    return torch.stack([told[:, columns].any(-1) for columns in problem.columns], -1)


def best_of(problem: Problem, candidates: list[Float[Tensor, "*batch a c"]]) -> Float[Tensor, "*batch a c"]:
    """For every network the candidate of the least Σ_k J_k."""
    values = torch.stack([problem.errors(F).sum(-1) for F in candidates])
    chosen = values.argmin(0)
    F = candidates[0]
    for number, candidate in enumerate(candidates):
        F = torch.where((chosen == number)[..., None, None], candidate, F)
    return F

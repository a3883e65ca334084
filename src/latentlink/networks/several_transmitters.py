"""What designs for several transmitters have in common: where they start, and what they cannot do better than."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from latentlink.networks.descent import within_separate
from latentlink.networks.exact import exact
from latentlink.networks.problem import Problem
from latentlink.numerics.seeds import stream_generator

_FACTORS = torch.tensor([0.1, 0.25, 0.4, 0.55, 0.7, 0.85, 1.0, 1.2, 1.4, 1.8, 2.5, 4.0, 10.0], dtype=torch.float64, device="cpu")
_SWEEPS = 2  # over the transmitters' prices, where there are three or more


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
    form on H_k diag(θ)^{-1/2}. The best prices are searched transmitter by transmitter; any prices give a bound. A user is served by the
    transmitters that have something it wants, or sources that depend on such. Users who see the same channel are one receiver.
    """
    values, vectors = torch.linalg.eigh(problem.C)
    kept = values > 1e-9 * values.max() if len(values) else values > 0
    B = problem.B @ (vectors[:, kept] * values[kept].rsqrt())
    users = problem.H.shape[-3]
    same = users > 1 and bool((problem.H - problem.H[..., :1, :, :]).abs().max() <= 1e-12 * problem.H.abs().max())
    serves = _serving(problem) | torch.full_like(_serving(problem), same)
    theta = torch.ones_like(problem.power)

    def value(theta: Float[Tensor, "*b T"]) -> Float[Tensor, "*b"]:
        power = theta * problem.power
        power = power @ serves.to(power).mT if budget == "separate" else power.sum(-1, keepdim=True).expand(*power.shape[:-1], users)
        H = problem.H * torch.cat(
            [
                (serves[:, t].to(theta) * theta[..., t : t + 1].rsqrt())[..., None, None].expand(
                    *theta.shape[:-1], users, 1, rows.stop - rows.start
                )
                for t, rows in enumerate(problem.rows)
            ],
            -1,
        )
        if same:
            return exact(B.flatten(-3, -2), H[..., 0, :, :], power[..., 0]).error
        return torch.stack([exact(B[..., k, :, :], H[..., k, :, :], power[..., k]).error for k in range(users)]).sum(0)

    best = value(theta)
    if budget == "sum" or len(problem.rows) == 1:
        return best
    for _ in range(_SWEEPS if len(problem.rows) > 2 else 1):
        for t in range(1, len(problem.rows)):
            centre = theta.clone()
            for factor in _FACTORS.tolist():
                tried = centre.clone()
                tried[..., t] *= factor
                found = value(tried)
                theta = torch.where((found > best).unsqueeze(-1), tried, theta)
                best = torch.maximum(best, found)
    return best


def _serving(problem: Problem) -> Bool[Tensor, "K T"]:
    """Which transmitters can help which user: those with sources that it wants, or that depend on such."""
    wants = (problem.B.abs().amax(-2) > 0).flatten(0, -3).any(0) if problem.B.ndim > 3 else problem.B.abs().amax(-2) > 0
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

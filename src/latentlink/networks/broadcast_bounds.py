"""What the sum of the users' errors of one transmitter cannot be below, whatever they want of it. The largest of four is the bound.

*Alone*: each user with all power for itself, Σ_k J_k(alone).

*Least upper channel*: if R̄ ⪰ R_k for all users of a set, no user of it does worse on a channel of gains R̄, where the closed form of their
stack is the optimum. R ∨ S = R + (S − R)⁺ is such a channel of least trace, and is repeated over the users, strongest first.

*Groups*: users whose wanted rows are orthogonal to those of all others, private messages say, only disturb each other. If nobody
disturbs another group, the error is that of parallel closed forms, each on its group's least upper channel, under one budget: one water
level over the pairs (b, h) of all groups. One group gives the bound above, groups of one user that of private messages.

*Pairs*: Σ_k J_k is the mean over pairs of users of what the two leave, times K / 2; each pair is bounded on its least upper channel.

*Mean channel*: (B, X) ↦ tr B X^{-1} Bᵀ is convex in both, so that for c_k ≥ 0 of sum 1 and any B̃_k with B̃_kᵀB̃_k = B_kᵀB_k,

    Σ_k tr B_k (I + FᵀR_kF)^{-1} B_kᵀ ≥ tr B̃ (I + Fᵀ(Σ_k c_k R_k)F)^{-1} B̃ᵀ,      B̃ = Σ_k √c_k B̃_k,

whose closed form bounds it; B̃_k = (B_kᵀB_k)^{1/2} aligns users who want nearly the same, and loses nothing where they want the same.
"""

from itertools import combinations

import torch
from jaxtyping import Float
from torch import Tensor

from latentlink.networks.design import alone
from latentlink.networks.equivalent import factor, shares, stacked
from latentlink.networks.exact import exact, parallel
from latentlink.networks.problem import Problem

_ORTHOGONAL = 1e-12  # share of the users' strengths below which wanted rows are orthogonal
_PAIRS = 45  # users of more pairs than this are bounded without them


def broadcast_bound(problem: Problem) -> Float[Tensor, "*batch"]:
    """The largest of the bounds (…) of Σ_k J_k for one transmitter."""
    R = problem.H.mT @ problem.H
    users, every = R.shape[-3], groups(problem)
    found = [alone(problem).sum(-1), _grouped(problem, R, every), _mean_channel(problem, R)]
    if len(every) > 1:
        found.append(_grouped(problem, R, [list(range(users))]))
    pairs = list(combinations(range(users), 2))
    if users > 2 and len(pairs) <= _PAIRS:
        found.append(torch.stack([_grouped(problem, R, [list(pair)]) for pair in pairs]).sum(0) / (users - 1))
    return torch.stack(torch.broadcast_tensors(*found)).amax(0)


def groups(problem: Problem) -> list[list[int]]:
    """The users, those together whose wanted rows are not orthogonal, directly or through others."""
    overlap = (problem.B.unsqueeze(-3) @ problem.B.unsqueeze(-4).mT).square().sum((-2, -1)).sqrt()  # (…, K, K): ||B_j B_kᵀ||
    own = overlap.diagonal(dim1=-2, dim2=-1)
    together = overlap > _ORTHOGONAL * (own.unsqueeze(-1) * own.unsqueeze(-2)).sqrt()
    together = together.reshape(-1, *together.shape[-2:]).any(0)
    left, found = set(range(len(together))), []
    while left:
        group, edge = set(), {min(left)}
        while edge:
            group |= edge
            edge = {j for i in edge for j in left if bool(together[i, j])} - group
        found.append(sorted(group))
        left -= group
    return found


def _grouped(problem: Problem, R: Float[Tensor, "*batch K a a"], every: list[list[int]]) -> Float[Tensor, "*batch"]:
    """The error of groups that do not disturb each other under one budget, each on its least upper channel."""
    wanted = [stacked(problem.B[..., group, :, :]) for group in every]
    return parallel(wanted, [factor(upper(R[..., group, :, :])) for group in every], problem.power.sum(-1))[1]


def upper(R: Float[Tensor, "*batch n a a"]) -> Float[Tensor, "*batch a a"]:
    """A matrix that no R_k exceeds: R ∨ S = R + (S − R)⁺ from one to the next, from the largest trace to the least."""
    order = R.diagonal(dim1=-2, dim2=-1).sum(-1).argsort(dim=-1, descending=True, stable=True)
    R = R.gather(-3, order[..., None, None].expand(R.shape))
    found = R[..., 0, :, :]
    for k in range(1, R.shape[-3]):
        values, vectors = torch.linalg.eigh(R[..., k, :, :] - found)
        found = found + (vectors * values.clamp(min=0).unsqueeze(-2)) @ vectors.mT
    return found


def _mean_channel(problem: Problem, R: Float[Tensor, "*batch K a a"]) -> Float[Tensor, "*batch"]:
    """The closed form on the mean channel for what the users want in common."""
    c = shares(problem)
    values, vectors = torch.linalg.eigh(problem.B.mT @ problem.B)
    roots = (vectors * values.clamp(min=0).sqrt().unsqueeze(-2)) @ vectors.mT
    common = (c.sqrt()[..., None, None] * roots).sum(-3)
    return exact(common, factor((c[..., None, None] * R).sum(-3)), problem.power.sum(-1)).error

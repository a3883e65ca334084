"""What makes a network one of pairs: every transmitter has one user of its own, and sources that say nothing of each other.

Then what the others send is noise to a user, and with R_k = H_kkᵀ(I + Σ_{j≠k} H_kj F_j F_jᵀ H_kjᵀ)^{-1} H_kk its error is a function of its
own precoder, J_k = tr B_k (I + F_kᵀ R_k F_k)^{-1} B_kᵀ. The game and prices stand on this; where sources depend on each other, or two
users want one of them, another's signal is no mere noise, and neither holds.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from latentlink.networks.exact import exact
from latentlink.networks.problem import Problem

_INDEPENDENT = 1e-12  # correlation below which sources are independent
_PROPER = 1e-9  # relative distance from the real embedding of a complex channel


def are_pairs(problem: Problem) -> bool:
    """Return True if there is one transmitter for each user, whose sources only that user wants, and sources are independent."""
    C, B = problem.C, problem.B
    if len(problem.rows) != problem.H.shape[-3] or bool(((C - torch.diag(torch.ones_like(C.diagonal()))).abs() > _INDEPENDENT).any()):
        return False
    return all(not bool((B[..., k, :, :].square().sum(-2) > 0)[..., _outside(problem, k)].any()) for k in range(len(problem.rows)))


def require_pairs(problem: Problem, what: str) -> None:
    """Refuse a network that is not one of pairs."""
    if not are_pairs(problem):
        raise ValueError(
            f"modes and links must be pairs for {what}: one transmitter for each user, with sources that only that user wants and that "
            'are independent of the others\' (observations="own"); see Broadcast, MultipleAccess or Cooperative for other networks'
        )


def can_be_proper(problem: Problem) -> bool:
    """Return True if pairs can signal properly: interference from outside is proper, and no user wants one real mode only."""
    return is_complex(problem) and all(columns.stop - columns.start != 1 for columns in problem.columns)


def is_complex(problem: Problem) -> bool:
    """Return True if every whitened channel is the real embedding of a complex one: interference from outside is proper."""
    size = problem.H.abs().max() if problem.H.numel() else problem.H.new_zeros(())
    for rows in problem.rows:
        top, bottom = problem.H[..., rows].unflatten(-2, (2, -1)).unbind(-3)
        (re, minus), (im, again) = (half.unflatten(-1, (2, -1)).unbind(-2) for half in (top, bottom))
        if bool(((re - again).abs() > _PROPER * size).any() | ((im + minus).abs() > _PROPER * size).any()):
            return False
    return True


def alone_with_own(problem: Problem) -> Float[Tensor, "*batch"]:
    """Σ_k of every user's error alone on the band, with its own transmitter's budget: a bound."""
    parts = zip(problem.rows, problem.columns, strict=True)
    return torch.stack(
        [exact(problem.B[..., k, :, c], problem.H[..., k, :, r], problem.power[..., k]).error for k, (r, c) in enumerate(parts)], -1
    ).sum(-1)


def _outside(problem: Problem, k: int) -> Tensor:
    """Coordinates (c,) of other transmitters than that of user k."""
    outside = torch.ones(len(problem.C), dtype=torch.bool, device=problem.C.device)
    outside[problem.columns[k]] = False
    return outside

"""The last steps of a design: L-BFGS over precoders that meet the budget by construction.

Block descent has long plateaus, which a quasi-Newton method has not. F(X) is X scaled to the budget: to the whole of one budget, or down
to each transmitter's where it exceeds it. The gradient is the envelope's (`Problem.objective`), without its radial part where X is scaled.
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from latentlink.networks.descent import Budget, within_separate, within_sum
from latentlink.networks.problem import Problem
from latentlink.numerics.lbfgs import minimise_each


def polish(problem: Problem, F: Float[Tensor, "*batch a c"], steps: int, budget: Budget) -> Float[Tensor, "*batch a c"]:
    """At most so many steps of L-BFGS, each network by itself; no network gets worse."""
    if steps == 0 or F.numel() == 0:
        return F
    shape, allowed = F.shape, problem.allowed
    scale = within_sum if budget == "sum" else within_separate

    def function(theta: Tensor) -> tuple[Tensor, Tensor]:
        X = torch.zeros(*theta.shape[:-1], *shape[-2:], dtype=theta.dtype, device=theta.device)
        X[..., allowed] = theta
        scaled = scale(problem, X)
        value, slope = problem.objective(scaled)
        return value, _pulled_back(problem, X, scaled, slope, budget)[..., allowed]

    found = minimise_each(F[..., allowed], function, steps)
    X = torch.zeros_like(F)
    X[..., allowed] = found.argument
    return scale(problem, X)


def _pulled_back(problem: Problem, X: Tensor, scaled: Tensor, slope: Tensor, budget: Budget) -> Float[Tensor, "*batch a c"]:
    """The gradient with respect to X of a function of X that was scaled to its budget, for each block that has one."""
    blocks = [slice(None)] if budget == "sum" else list(problem.rows)
    parts = []
    for t, rows in enumerate(blocks):
        x, y, g = X[..., rows, :], scaled[..., rows, :], slope[..., rows, :]
        norm = x.square().sum((-2, -1), keepdim=True)
        safe = torch.where(norm > 0, norm, 1.0)
        factor = (y.square().sum((-2, -1), keepdim=True) / safe).sqrt()
        radial = x * ((x * g).sum((-2, -1), keepdim=True) / safe)
        acts: Bool[Tensor, "*batch 1 1"] = norm > 0 if budget == "sum" else norm > problem.power[..., t, None, None] * (1 - 1e-12)
        parts.append(torch.where(acts, factor * (g - radial), g))
    return torch.cat(parts, -2)

"""The iteration of ADMM for a linear pair under any constraint set that has a projection.

    min over F ∈ C, G of  E||W (y − G (H F x + v))||²,          scaled ADMM on the copy Z ∈ C of F:

    G ← LMMSE(F)
    F ← argmin of  E||W (y − G (H F x + v))||² + ρ ||F − Z + U||²
    Z ← Π_C(F + U)
    U ← U + F − Z

`step` is these four lines; `problem` says how the first two are computed from moments alone. The method is that of [pandolfo2025latent]; it
has three blocks and is not convex, so nothing is promised. What is delivered is the best feasible Z that was seen. The residuals
r = ||F − Z|| and s = ρ ||Z − Z'||, Z' being the copy before, stop each channel of the batch by itself and balance ρ as in
[boyd2011distributed].
"""

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from latentlink.linear.admm.constraints import ConstraintSet
from latentlink.linear.admm.problem import Problem
from latentlink.numerics.division import ratio

_BALANCE, _FACTOR, _EVERY = 10.0, 2.0, 10  # residual balancing [boyd2011distributed, §3.4.1]


class Iterate(NamedTuple):
    """The state of the iteration.

    Attributes:
        F: the precoders (…, g, c), in the field of the problem.
        Z: their feasible copies.
        U: the scaled dual variables.
    """

    F: Tensor
    Z: Tensor
    U: Tensor


def step(problem: Problem, constraint: ConstraintSet, rho: Float[Tensor, "*batch"], now: Iterate) -> Iterate:
    """Make one round of the module's four updates; B stands for the decoder G (see `problem`)."""
    B = problem.lmmse(now.F)
    F = problem.proximal_precoder(B, now.Z - now.U, rho)
    Z = project(problem, constraint, F + now.U)
    return Iterate(F, Z, now.U + F - Z)


def project(problem: Problem, constraint: ConstraintSet, F: Tensor) -> Tensor:
    """Project F (…, g, c) onto a constraint set."""
    return problem.matrix(constraint.project(problem.entries(F), problem.channel.power, problem.covariance))


class Outcome(NamedTuple):
    """The result of an iteration.

    Attributes:
        best: the best feasible precoders that were seen.
        rho: ρ (…) as last used.
        standing: the state of each channel.
        history: the series (…, iterations) of `primal_residual`, `dual_residual`, `objective` and `residual`, the sum of both residuals
            relative to the start; the last value is repeated once a channel has stopped.
    """

    best: "Best"
    rho: Float[Tensor, "*batch"]
    standing: "Standing"
    history: dict[str, Float[Tensor, "*batch iterations"]]


def solve(
    problem: Problem,
    constraint: ConstraintSet,
    start: Tensor,
    unit: Float[Tensor, "*batch"],
    *,
    rho: float,
    adaptive: bool,
    max_iterations: int,
    tolerance: float,
    runaway: float = 1e6,
) -> Outcome:
    """Iterate every channel of the batch until it converges, runs away or has used up its iterations.

    Args:
        problem: the batch of problems.
        constraint: the set C.
        start: F (…, u, t, c) to begin with; it is projected first.
        unit: the unit of ρ (…); channels where it is 0 can carry nothing, so they send nothing and are not iterated.
        rho: ρ in that unit.
        adaptive: whether ρ balances the residuals, in the first half of the iterations.
        max_iterations: the most iterations.
        tolerance: of both residuals, in the norm of the start and, for the dual one, in the unit of ρ.
        runaway: size of F, in that of the start, at which a channel is given up: F does not come back from there.
    """
    Z = project(problem, constraint, problem.matrix(start)) * (unit > 0)[..., None, None]
    scale = norm(Z)
    now = Iterate(Z, Z, torch.zeros_like(Z))
    best = Best(Z, problem.error(Z))
    active = (unit > 0) & (scale > 0)
    standing = Standing(active, torch.zeros_like(active), torch.zeros_like(active), torch.zeros_like(active, dtype=torch.long))
    unit = torch.where(unit > 0, unit, 1.0)
    penalty = rho * unit
    zero = torch.zeros_like(best.error)
    history = {"primal_residual": [zero], "dual_residual": [zero], "objective": [best.error], "residual": [zero]}
    for iteration in range(1, max_iterations + 1):
        if not bool(standing.active.any()):
            break
        new = step(problem, constraint, penalty, now)
        residuals = Residuals.between(now, new, penalty)
        error = problem.error(new.Z)
        seen = {"primal_residual": residuals.primal, "dual_residual": residuals.dual, "objective": error}
        for name, value in {**seen, "residual": residuals.relative_to(scale, penalty)}.items():
            history[name].append(torch.where(standing.active, value, history[name][-1]))
        best = best.improve(standing.active, new.Z, error)
        now = Iterate(*(_choose(standing.active, after, before) for after, before in zip(new, now, strict=True)))
        escaped = ~(residuals.precoder <= runaway * scale)  # also where it is NaN
        standing = standing.advance(residuals.within(tolerance, scale, unit), escaped)
        if adaptive and iteration <= max_iterations // 2 and iteration % _EVERY == 0:
            factor = torch.where(standing.active, residuals.balance(), 1.0)
            penalty = penalty * factor
            now = now._replace(U=now.U / factor[..., None, None])  # U is the dual variable over ρ
    return Outcome(best, penalty, standing, {name: torch.stack(series, -1)[..., 1:] for name, series in history.items()})


class Residuals(NamedTuple):
    """The distances of an iterate from a fixed point, and the sizes that they are compared with; each (…).

    Attributes:
        primal: r = ||F − Z||.
        dual: s = ρ ||Z − Z'||.
        precoder: ||F||.
        copy: ||Z||.
        multiplier: ρ ||U||, the size of the dual variable.
    """

    primal: Float[Tensor, "*batch"]
    dual: Float[Tensor, "*batch"]
    precoder: Float[Tensor, "*batch"]
    copy: Float[Tensor, "*batch"]
    multiplier: Float[Tensor, "*batch"]

    @classmethod
    def between(cls, before: Iterate, after: Iterate, rho: Float[Tensor, "*batch"]) -> "Residuals":
        """Compare an iterate with the one before."""
        return cls(norm(after.F - after.Z), rho * norm(after.Z - before.Z), norm(after.F), norm(after.Z), rho * norm(after.U))

    def within(self, tolerance: float, scale: Float[Tensor, "*batch"], unit: Float[Tensor, "*batch"]) -> Bool[Tensor, "*batch"]:
        """Judge whether both residuals are within the tolerance, relative and absolute in the size of the start and the unit of ρ."""
        primal = self.primal <= tolerance * (scale + torch.maximum(self.precoder, self.copy))
        return primal & (self.dual <= tolerance * (unit * scale + self.multiplier))

    def relative_to(self, scale: Float[Tensor, "*batch"], rho: Float[Tensor, "*batch"]) -> Float[Tensor, "*batch"]:
        """Add both residuals in the size of the start."""
        return ratio(self.primal, scale) + ratio(self.dual, rho * scale)

    def balance(self) -> Float[Tensor, "*batch"]:
        """Find the factor of ρ that brings the relative residuals together."""
        r, s = ratio(self.primal, torch.maximum(self.precoder, self.copy)), ratio(self.dual, self.multiplier)
        return torch.where(r > _BALANCE * s, _FACTOR, torch.where(s > _BALANCE * r, 1 / _FACTOR, 1.0))


class Best(NamedTuple):
    """The best feasible precoders seen so far.

    Attributes:
        Z: the precoders (…, g, c).
        error: their weighted errors (…).
    """

    Z: Tensor
    error: Float[Tensor, "*batch"]

    def improve(self, where: Bool[Tensor, "*batch"], Z: Tensor, error: Float[Tensor, "*batch"]) -> "Best":
        """Take other precoders for those channels of a mask where their error is smaller."""
        better = where & (error < self.error)
        return Best(_choose(better, Z, self.Z), torch.where(better, error, self.error))


class Standing(NamedTuple):
    """The state of each channel of the batch; each (…).

    Attributes:
        active: whether it still iterates.
        converged: whether its residuals met the tolerance.
        runaway: whether its precoder grew beyond bounds.
        iterations: the number of its iterations.
    """

    active: Bool[Tensor, "*batch"]
    converged: Bool[Tensor, "*batch"]
    runaway: Bool[Tensor, "*batch"]
    iterations: Int[Tensor, "*batch"]

    def advance(self, met: Bool[Tensor, "*batch"], escaped: Bool[Tensor, "*batch"]) -> "Standing":
        """Count one iteration of the active channels and stop those that met the tolerance or escaped."""
        converged, runaway = self.converged | (self.active & met), self.runaway | (self.active & escaped)
        return Standing(self.active & ~met & ~escaped, converged, runaway, self.iterations + self.active)


def norm(F: Tensor) -> Float[Tensor, "*batch"]:
    """The Frobenius norm (…) of F (…, g, c)."""
    return F.abs().square().sum((-2, -1)).sqrt()


def _choose(where: Bool[Tensor, "*batch"], F: Tensor, other: Tensor) -> Tensor:
    return torch.where(where[..., None, None], F, other)

"""The class `Admm`: linear pairs under power limits and other constraints, by the iteration of `iteration`."""

from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from latentlink.channels.channel import Channel
from latentlink.linear.admm.constraints import ConstraintSet, set_of
from latentlink.linear.admm.dual_bound import power_multiplier
from latentlink.linear.admm.iteration import Best, Outcome, norm, solve
from latentlink.linear.admm.problem import Problem
from latentlink.linear.closed_form import LinearSolution, expected_on, in_precision_of
from latentlink.linear.modes import SemanticModes
from latentlink.links.status import Status
from latentlink.numerics.division import ratio
from latentlink.numerics.doors import flag, integer, real
from latentlink.numerics.parts import change_tensors, move_tensor
from latentlink.numerics.reprs import Summarised
from latentlink.power import Mean, PowerLimit
from latentlink.streams.projections import Precoders

CONVERGED = Status(
    "converged",
    "feasible, residuals below tolerance: a stationary pair, which need not be the optimum: its distance is at most trace['gap']",
)
UNCONVERGED = Status(
    "unconverged", "feasible, but residuals were above tolerance when iterations ran out: raise max_iterations, or let rho adapt"
)
DIVERGED = Status("diverged", "feasible, the best pair before the iteration diverged: raise rho, let it adapt, or set warm_start")
REFITTED_SELECTION = Status(
    "refitted selection",
    "feasible: the closed form on the selected antennas; no exchange of one antenna lowers the error, but another set may be better: try "
    "several seeds",
)

_APART = 0.1  # of the start: residuals above it late in a run, and no smaller than early in it, do not vanish with more iterations
_SHORT = 50  # iterations from which that can be judged


@dataclass(frozen=True, kw_only=True)
class Admm(Summarised):
    """The alternating direction method of multipliers for a linear pair, for a whole batch of channels at once.

    Attributes:
        power: what the power budget limits: `power.Mean()`, `power.PerUse()` or `power.PerAntenna(limits=…)`.
        constraint: a further constraint within the mean power, ActiveAntennas(q), or in the latents' own coordinates
            SparsePrecoder(moments, nonzeros) or ConstantModulus(moments), or an own ConstraintSet; None for none.
        rho: ρ in units of the Lagrange multiplier of the power (what a unit of power saves at the closed form) and of the inputs' mean
            variance, so that it does not depend on the scale of anything.
        adaptive: whether ρ balances the residuals, for each channel by itself.
        max_iterations: the most iterations; a channel stops earlier by itself.
        tolerance: of both residuals, relative and absolute: in the norm of the start and, for the dual one, in the unit of ρ.
        warm_start: whether to start near the closed form rather than at random; under PerAntenna, at the closed form for the best Lagrange
            multipliers of the antennas.
        seed: seed of the random start and of the disturbance of a warm start, which are the same for every channel of a batch.

    Raises:
        ValueError: an attribute is of another kind or out of range, the power limit has no projection, or a constraint is combined with a
            power limit other than the mean.

    References:
        [pandolfo2025latent, boyd2011distributed].

    Example:
        >>> import torch, latentlink as ll
        >>> x = torch.randn(500, 8, generator=torch.Generator().manual_seed(0))
        >>> modes = ll.semantic_modes(ll.Moments.from_pairs(x, x[:, :6].tanh()))
        >>> channel = ll.Channel.from_snr(ll.rayleigh(2, 2, generator=0), snr_db=20.0)
        >>> solution = ll.Admm(warm_start=True, adaptive=True, tolerance=1e-4).design(modes, channel)
        >>> solution
        Solution(1 channel, 2×2, 1 use, converged)
        >>> [round(float(each.expected_mse), 2) for each in (solution, ll.ClosedForm().design(modes, channel))]
        [0.86, 0.86]
    """

    power: PowerLimit = field(default_factory=Mean)
    constraint: ConstraintSet | None = None
    rho: float = 1.0
    adaptive: bool = False
    max_iterations: int = 500
    tolerance: float = 1e-6
    warm_start: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        set_of(self.power)
        if self.constraint is not None and not isinstance(self.power, Mean):
            raise ValueError(f"power must be Mean() where there is a constraint, got {self.power!r}; leave one of the two out")
        flag("adaptive", self.adaptive)
        flag("warm_start", self.warm_start)
        real("rho", self.rho, above=0.0)
        integer("max_iterations", self.max_iterations)
        real("tolerance", self.tolerance, least=0.0)
        integer("seed", self.seed, 0, 2**32 - 1)

    @torch.no_grad()
    def design(self, modes: SemanticModes, channel: Channel) -> LinearSolution:
        """Find the best feasible pair that the iteration sees, for every channel of the batch at once.

        Args:
            modes: the semantic modes of the pair of devices, on the channel's device; the design has their precision.
            channel: the channels (…, u, n_rx, n_tx). A channel error counts as noise of variance τ P, which is exact for one use.

        Returns:
            Solution, whose objectives and bound are weighted errors under the design covariance in the units of `modes.weighted_variance`.
            Its `trace` holds

            - `primal_residual`, `dual_residual` and `objective` (…, iterations), after each iteration; the last values are repeated once a
              channel has stopped;
            - `iterations` (…), the number of iterations of each channel;
            - `rho` (…), as last used;
            - `delivered` (…), the objective of what is returned: the least of all and, with ActiveAntennas, that of the closed form on the
              antennas found, once no exchange of one of them helps;
            - `bound` (…), below which no pair of the set can be;
            - `gap` (…), (delivered − bound) / delivered.

        Raises:
            ValueError: modes or channel are of another type or on different devices, or the constraint does not fit them.
        """
        channel = in_precision_of(modes, channel)
        if channel.uses > 1 and channel.uncertain:
            raise ValueError(
                "channel must be known exactly where it has several uses (ADMM has no model of an error that they share), "
                f"got error_variance up to {float(channel.error_variance.max()):g}; design with ClosedForm or replace it by 0"
            )
        dtype = modes.strength.dtype
        self.allowed.check(modes, channel)
        modes, channel = modes.to(torch.float64), channel.to(torch.float64)  # without noise the objective is a small difference
        problem = Problem.of(modes, self.allowed.usable(channel), self.allowed.latent_moments)
        variance = problem.spread.mean() if problem.inputs else problem.V
        unit = power_multiplier(modes, problem.channel) * variance
        settings: dict[str, Any] = {name: getattr(self, name) for name in ("rho", "adaptive", "max_iterations", "tolerance")}
        outcome = solve(problem, self.allowed, self.start(modes, problem), unit, **settings)
        delivered, refitted = self._refine(modes, problem, outcome)
        link = replace(problem, channel=channel).transceiver(problem.entries(delivered.Z), self.allowed.power_limit)
        trace = self._trace(modes, problem, outcome, delivered)
        solution = expected_on(problem.basis_modes, link, _status(outcome, delivered, refitted), trace, link.channel)
        return change_tensors(solution, partial(move_tensor, target=dtype))

    @property
    def allowed(self) -> ConstraintSet:
        """The set of precoders that the power limit and the constraint leave."""
        return set_of(self.power) if self.constraint is None else self.constraint

    def start(self, modes: SemanticModes, problem: Problem) -> Precoders:
        """Make the precoder (…, u, t, c) to begin with: random, with every mode in it, or the set's warm start."""
        channel, generator = problem.channel, torch.Generator().manual_seed(self.seed)
        shape = (2, channel.uses, channel.n_tx, problem.inputs)
        drawn = torch.randn(shape, dtype=problem.N.dtype, generator=generator, device="cpu").to(problem.N.device)
        random = problem.scale_to_budget(torch.complex(drawn[0], drawn[1]).expand(*channel.batch, *shape[1:]))
        return self.allowed.warm_start(modes, problem, random) if self.warm_start else random

    def _refine(self, modes: SemanticModes, problem: Problem, outcome: Outcome) -> tuple[Best, Bool[Tensor, "*batch"]]:
        """Let the set improve what was found; also say where it did."""
        refined = self.allowed.refine(modes, problem, outcome.best.Z)
        if refined is None:
            return outcome.best, torch.zeros_like(outcome.standing.active)
        error = problem.error(refined)
        better = error < outcome.best.error
        return outcome.best.improve(better, refined, error), better

    def _trace(self, modes: SemanticModes, problem: Problem, outcome: Outcome, delivered: Best) -> dict[str, Tensor]:
        """Collect what `design` documents."""
        bound = self.allowed.lower_bound(modes, problem.channel, delivered.error)
        return {
            **{name: outcome.history[name] for name in ("primal_residual", "dual_residual", "objective")},
            "iterations": outcome.standing.iterations,
            "rho": outcome.rho,
            "bound": bound,
            "gap": ratio((delivered.error - bound).clamp(min=0), delivered.error),  # below 0 is rounding
            "delivered": delivered.error,
        }


def _status(outcome: Outcome, delivered: Best, refitted: Bool[Tensor, "*batch"]) -> Int[Tensor, "*batch"]:
    """Judge how each channel ended; what was refitted is not an iterate that may be circling."""
    status = torch.full_like(outcome.standing.iterations, UNCONVERGED.code)
    status = status.masked_fill(_circles(outcome.history["residual"]) | outcome.standing.runaway, DIVERGED.code)
    status = status.masked_fill(outcome.standing.converged, CONVERGED.code)
    status = status.masked_fill(refitted, REFITTED_SELECTION.code)
    return status.masked_fill(norm(delivered.Z) == 0, Status.NOTHING_TO_SEND.code)


def _circles(residual: Float[Tensor, "*batch i"]) -> Bool[Tensor, "*batch"]:
    """Find the channels (…) whose residuals stay large and do not fall any more."""
    n = residual.shape[-1]
    if n < _SHORT:
        return torch.zeros(residual.shape[:-1], dtype=torch.bool, device=residual.device)
    early, late = residual[..., n // 4 : n // 2].mean(-1), residual[..., 3 * n // 4 :].mean(-1)
    return (late > _APART) & (late > 0.9 * early)

"""ADMM for linear pairs under any constraint set with a projection, on moments alone.

    min over F ∈ C, G of  E||W (y − G (H F x + v))||²,          scaled ADMM on the copy Z ∈ C of F:

    G ← LMMSE(F)                    M = W G H = W Ryx Fᴴ P,   P = Hᴴ (H F R Fᴴ Hᴴ + N I)⁻¹ H,   B = P F
    F ← solution of  Mᴴ M F R + ρ F = Mᴴ W Ryx + ρ (Z − U),     Mᴴ M = B Ω Bᴴ,   Mᴴ W Ryx = B Ω,   Ω = Rxy WᴴW Ryx
    Z ← Π_C(F + U)
    U ← U + F − Z

With Mᴴ M = Q Λ Qᴴ and, once, R = E Δ Eᴴ, F = Q [ (Qᴴ (B Ω + ρ (Z − U)) E) / (Λ Δ + ρ) ] Eᴴ: a Sylvester equation by two
eigendecompositions, which in mode coordinates (R = I, Ω = diag(b²)) costs the same for all latents. G is never formed. This is the method
of [pandolfo2025latent], three-block and not convex: nothing is promised. Delivered is the best feasible Z seen with its own G; primal and
dual residuals, r = ||F − Z|| and s = ρ ||Z − Z'||, stop it and balance ρ as in [boyd2011distributed].
"""

from dataclasses import dataclass, field, replace

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from latentlink.channels.channel import Channel
from latentlink.linear.admm.antenna_selection import exchanged
from latentlink.linear.admm.constraints import ActiveAntennas, AntennaPower, ConstraintSet, TotalPower, UsePower, row_power
from latentlink.linear.admm.dual_bound import heard, power_price, priced, weighted_bound
from latentlink.linear.admm.problem import Coordinates
from latentlink.linear.closed_form import ClosedForm, checked
from latentlink.linear.modes import SemanticModes
from latentlink.linear.mse import total_mse
from latentlink.linear.transceiver import LinearTransceiver
from latentlink.links.solution import Solution, Status
from latentlink.numerics.division import ratio

_BLOWN = 1e6  # times the start: F beyond it will not come back
_APART = 0.1  # of the start: residuals above it late in a run, and no smaller than early in it, will not vanish with more iterations
_SHORT = 50  # iterations from which that can be told
_BALANCE, _STEP, _EVERY = 10.0, 2.0, 10  # residual balancing [boyd2011distributed, §3.4.1]
_PERTURBED = 0.03  # of the budget's root: a warm start is a stationary point, and absent modes stay absent


@dataclass(frozen=True)
class Admm:
    """The alternating direction method for a linear pair, for a whole batch of channels at once.

    Attributes:
        constraint: TotalPower(), UsePower(), AntennaPower(limits), ActiveAntennas(q), or in the latents' own coordinates
            SparsePrecoder(moments, nonzeros), ConstantModulus(moments), or an own ConstraintSet.
        rho: ρ in units of the price of power (what a unit of it saves at the closed form) and of the inputs' mean variance: scale free.
        adaptive: balance the residuals by ρ, each channel its own.
        max_iterations: at most; a channel stops earlier by itself.
        tolerance: of both residuals, relative and absolute: in the norm of the start and, of the dual one, the unit of ρ.
        warm_start: start near the closed form rather than at random; under AntennaPower, at that for the best prices of the antennas.
        seed: of the random start, and of what a warm start is perturbed by; the same for every channel of a batch.

    Raises:
        ValueError: any of them is of another kind or out of range.

    References:
        [pandolfo2025latent, boyd2011distributed].
    """

    constraint: ConstraintSet = field(default_factory=TotalPower)
    rho: float = 1.0
    adaptive: bool = False
    max_iterations: int = 500
    tolerance: float = 1e-6
    warm_start: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        if isinstance(self.constraint, type) or not isinstance(self.constraint, ConstraintSet):
            raise ValueError(f"constraint must be a constraint set such as TotalPower() or ActiveAntennas(2), got {self.constraint!r}")
        if not isinstance(self.rho, int | float) or not 0 < self.rho < float("inf"):
            raise ValueError(f"rho must be positive and finite, got {self.rho!r}")
        if not isinstance(self.max_iterations, int) or isinstance(self.max_iterations, bool) or self.max_iterations < 1:
            raise ValueError(f"max_iterations must be an integer >= 1, got {self.max_iterations!r}")
        if not isinstance(self.tolerance, int | float) or not 0 <= self.tolerance < float("inf"):
            raise ValueError(f"tolerance must be finite and not negative, got {self.tolerance!r}")
        if isinstance(self.seed, bool) or not isinstance(self.seed, int) or not 0 <= self.seed < 2**32:
            raise ValueError(f"seed must be an integer >= 0 to 2**32 - 1, got {self.seed!r}")

    @torch.no_grad()
    def design(self, modes: SemanticModes, channel: Channel) -> Solution[LinearTransceiver]:
        """The best feasible pair seen, for every channel of the batch at once.

        Args:
            modes: of the pair of devices, on the channel's device; the design has their precision.
            channel: the channels (…, u, n_rx, n_tx). A channel error counts as noise of variance τ P, which is exact for one use.

        Returns:
            Solution with `trace` holding `primal_residual`, `dual_residual` and `objective` (…, iterations), after each iteration (the last
            values repeated once a channel has stopped); `iterations` (…), `rho` (…) as last used; `delivered` (…), the objective of what is
            returned, the least of all and with ActiveAntennas that of the closed form on the antennas found, once no exchange of one of
            them helps; `bound` (…), below which no pair of the set can be; `gap` (…), (delivered − bound) / delivered. Objectives and bound
            are the weighted error under the design covariance, in the units of `modes.weighted_variance`.

        Raises:
            ValueError: modes or channel are of another type or on different devices, or the constraint does not fit them.
        """
        wanted = modes.strength.dtype if isinstance(modes, SemanticModes) else torch.float64
        channel = _checked(modes, channel, self.constraint)
        modes, channel = modes.to(torch.float64), channel.to(torch.float64)  # without noise the objective is a small difference
        self.constraint.check(channel, Coordinates.of(modes, channel, self.constraint.moments).inputs)
        problem = Coordinates.of(modes, heard(channel, self.constraint), self.constraint.moments)
        variance = problem.spread.mean() if problem.inputs else problem.V
        run = _Run.begin(problem, self.constraint, self.start(modes, problem), power_price(modes, problem.channel) * variance, self.rho)
        while run.going and len(run.history) < self.max_iterations:
            run.step(self.tolerance, self.adaptive and len(run.history) < self.max_iterations // 2)
        if isinstance(self.constraint, ActiveAntennas):
            run.refit(modes, self.constraint.q)
        return _in_precision(run.solution(modes, channel), wanted)

    def start(self, modes: SemanticModes, problem: Coordinates) -> Tensor:
        """F (…, u, t, c) to begin with: random with every mode in it, or the closed form, slightly disturbed, or for priced antennas."""
        channel, generator = problem.channel, torch.Generator().manual_seed(self.seed)
        if self.warm_start and isinstance(self.constraint, AntennaPower):
            scaled, root = priced(modes, channel, self.constraint)
            return problem.closed_form(ClosedForm().design(modes, scaled).transceiver) * root[..., None, :, None]
        shape = (2, channel.uses, channel.n_tx, problem.inputs)
        drawn = torch.randn(shape, dtype=problem.N.dtype, generator=generator).to(problem.N.device)
        drawn = torch.complex(drawn[0], drawn[1]).expand(*channel.batch, *shape[1:])
        start = _at_budget(drawn, problem)
        if self.warm_start:
            start = _at_budget(problem.closed_form(ClosedForm().design(modes, channel).transceiver) + _PERTURBED * start, problem)
        return start


def _in_precision(solution: Solution[LinearTransceiver], dtype: torch.dtype) -> Solution[LinearTransceiver]:
    """The solution in the precision of the modes it was asked for."""
    if dtype == torch.float64:
        return solution
    trace = {name: value.to(dtype) if value.is_floating_point() else value for name, value in solution.trace.items()}
    assert solution.expected_mse is not None
    mse, power = solution.expected_mse.to(dtype), solution.expected_power.to(dtype)
    return Solution(solution.transceiver.to(dtype), solution.status, mse, power, trace)


def _at_budget(F: Tensor, problem: Coordinates) -> Tensor:
    spent = row_power(F, problem.covariance).sum((-2, -1))
    return F * ratio(problem.channel.uses * problem.channel.power, spent).sqrt()[..., None, None, None]


def _norm(F: Tensor) -> Float[Tensor, "*batch"]:
    return F.abs().square().sum((-2, -1)).sqrt()


@dataclass(eq=False)
class _Run:
    """The state of one batch: F = X Eᴴ, its feasible copy Z, the scaled dual U, ρ and its unit, and for each channel the best Z."""

    problem: Coordinates
    constraint: ConstraintSet
    X: Tensor
    Z: Tensor
    U: Tensor
    unit: Float[Tensor, "*batch"]
    rho: Float[Tensor, "*batch"]
    scale: Float[Tensor, "*batch"]
    best: Tensor
    least: Float[Tensor, "*batch"]
    active: Bool[Tensor, "*batch"]
    converged: Bool[Tensor, "*batch"]
    blown: Bool[Tensor, "*batch"]
    iterations: Tensor
    history: list[list[Tensor]] = field(default_factory=list)
    refitted: Bool[Tensor, "*batch"] | None = None

    @classmethod
    def begin(cls, problem: Coordinates, constraint: ConstraintSet, start: Tensor, unit: Float[Tensor, "*batch"], rho: float) -> "_Run":
        """F = Z = the start projected, U = 0; channels that can carry nothing, or are given nothing, rest from the beginning."""
        Z = problem.matrix(constraint.project(start, problem.channel.power, problem.covariance)) * (unit > 0)[..., None, None]
        X, scale, never = problem.turned(Z), _norm(Z), torch.zeros_like(unit, dtype=torch.bool)
        active, unit = (unit > 0) & (scale > 0), torch.where(unit > 0, unit, 1.0)
        none = torch.zeros_like(unit, dtype=torch.long)
        return cls(problem, constraint, X, Z, torch.zeros_like(Z), unit, rho * unit, scale, Z, problem.error(X), active, never, never, none)

    @property
    def going(self) -> bool:
        """Whether any channel still moves."""
        return bool(self.active.any())

    def step(self, tolerance: float, adaptive: bool) -> None:
        """One iteration of the module's updates, for the channels that still move."""
        problem, rho = self.problem, self.rho[..., None, None]
        BL = problem.gradient(self.X) @ problem.L
        Lambda, Q = torch.linalg.eigh(BL @ BL.mH)
        right = BL @ problem.L.mH + rho * problem.turned(self.Z - self.U)
        X = Q @ ((Q.mH @ right) / (Lambda.clamp(min=0).unsqueeze(-1) * problem.spread + rho))
        F = problem.back(X)
        Z = problem.matrix(self.constraint.project(problem.entries(F + self.U), problem.channel.power, problem.covariance))
        U = self.U + F - Z
        primal, dual, size = _norm(F - Z), self.rho * _norm(Z - self.Z), _norm(F)
        error = problem.error(problem.turned(Z))
        self._keep(X, Z, U, error)
        residual = ratio(primal, self.scale) + ratio(dual, self.rho * self.scale)
        self.history.append([self._latest(row, value) for row, value in enumerate((primal, dual, error, residual))])
        self.iterations = self.iterations + self.active
        met = (primal <= tolerance * (self.scale + torch.maximum(size, _norm(Z)))) & (
            dual <= tolerance * (self.unit * self.scale + self.rho * _norm(U))
        )
        self.converged, self.blown = self.converged | (self.active & met), self.blown | (self.active & ~(size <= _BLOWN * self.scale))
        self.active = self.active & ~met & ~self.blown
        if adaptive and len(self.history) % _EVERY == 0:
            self._balance(primal, dual, size, _norm(Z))

    def _keep(self, X: Tensor, Z: Tensor, U: Tensor, error: Float[Tensor, "*batch"]) -> None:
        """The new state where channels move, and the best Z."""
        moves = self.active[..., None, None]
        self.X, self.Z, self.U = torch.where(moves, X, self.X), torch.where(moves, Z, self.Z), torch.where(moves, U, self.U)
        better = self.active & (error < self.least)
        self.best, self.least = torch.where(better[..., None, None], Z, self.best), torch.where(better, error, self.least)

    def _latest(self, row: int, value: Float[Tensor, "*batch"]) -> Float[Tensor, "*batch"]:
        """A value of the history, repeated where a channel has stopped."""
        resting = self.history[-1][row] if self.history else (self.least if row == 2 else torch.zeros_like(value))
        return torch.where(self.active, value, resting)

    def _balance(self, primal: Tensor, dual: Tensor, F: Tensor, Z: Tensor) -> None:
        """Residuals relative to what they are compared with; ρ towards the larger, and U = (dual variable) / ρ with it."""
        r, s = ratio(primal, torch.maximum(F, Z)), ratio(dual, self.rho * _norm(self.U))
        up, down = self.active & (r > _BALANCE * s), self.active & (s > _BALANCE * r)
        factor = torch.where(up, _STEP, torch.where(down, 1 / _STEP, 1.0))
        self.rho, self.U = self.rho * factor, self.U / factor[..., None, None]

    def refit(self, modes: SemanticModes, q: int) -> None:
        """The closed form on the antennas that were selected, and exchanged while that helps: only the total power is left to meet."""
        problem, channel = self.problem, self.problem.channel
        strongest = row_power(problem.entries(self.best)).sum(-2).topk(q, -1).indices
        antennas = exchanged(modes, channel, strongest)
        sends = torch.zeros_like(channel.h.real[..., 0, 0, :]).scatter(-1, antennas, 1.0)[..., None, None, :]
        restricted = Channel(channel.h * sends, channel.noise_variance, channel.power, channel.error_variance)
        F = problem.closed_form(ClosedForm().design(modes, restricted).transceiver) * sends.movedim(-1, -2)
        Z = problem.matrix(self.constraint.project(F, channel.power))
        error = problem.error(Z)
        better = error < self.least
        self.refitted = better
        self.best, self.least = torch.where(better[..., None, None], Z, self.best), torch.where(better, error, self.least)

    def solution(self, modes: SemanticModes, channel: Channel) -> Solution[LinearTransceiver]:
        """The best Z with its own decoder for the channel, and how it came about."""
        problem = self.problem
        link = replace(problem, channel=channel).transceiver(
            problem.entries(self.best), "per use" if isinstance(self.constraint, UsePower) else "mean"
        )
        known = problem.basis_modes
        mse = total_mse(known, *link.response(covariance=known.covariance))
        rows = [torch.stack(row, -1) for row in zip(*self.history, strict=True)] or [self.least.new_zeros(*self.least.shape, 0)] * 4
        trace = dict(zip(("primal_residual", "dual_residual", "objective"), rows[:3], strict=True))
        bound = weighted_bound(self.constraint, modes, problem.channel, self.least)
        gap = ratio((self.least - bound).clamp(min=0), self.least)  # below 0 is rounding
        trace |= {"iterations": self.iterations, "rho": self.rho, "bound": bound, "gap": gap}
        trace["delivered"] = self.least
        return Solution(link, self._status(rows[3]), mse, link.expected_power(known.covariance), trace)

    def _status(self, residual: Float[Tensor, "*batch i"]) -> Int[Tensor, "*batch"]:
        status = torch.full_like(self.iterations, Status.UNCONVERGED.code)
        if (n := residual.shape[-1]) >= _SHORT:
            early, late = residual[..., n // 4 : n // 2].mean(-1), residual[..., 3 * n // 4 :].mean(-1)
            status = status.masked_fill((late > _APART) & (late > 0.9 * early), Status.DIVERGED.code)
        status = status.masked_fill(self.blown, Status.DIVERGED.code).masked_fill(self.converged, Status.CONVERGED.code)
        if self.refitted is not None:  # what is delivered is not an iterate that may be circling
            status = status.masked_fill(self.refitted, Status.REFITTED_SELECTION.code)
        return status.masked_fill(_norm(self.best) == 0, Status.NOTHING_TO_SEND.code)


def _checked(modes: SemanticModes, channel: Channel, constraint: ConstraintSet) -> Channel:
    """The channel in the modes' precision; a constraint's moments must be those of the modes."""
    channel = checked(modes, channel)
    if channel.uses > 1 and bool((channel.error_variance > 0).any()):
        raise ValueError(
            "channel must be known exactly where it has several uses (ADMM has no model of an error that they share), "
            f"got error_variance up to {float(channel.error_variance.max()):g}; design with ClosedForm or replace it by 0"
        )
    if (moments := constraint.moments) is not None:
        got, expected = (len(moments.mean_x), len(moments.mean_y)), (len(modes.mean_x), len(modes.mean_y))
        if got != expected:
            raise ValueError(f"moments of the constraint must have the modes' dimensions {expected}, got {got}")
        if not torch.allclose(moments.mean_x.to(modes.mean_x), modes.mean_x, rtol=1e-4, atol=1e-4 * float(moments.cov_x.trace() ** 0.5)):
            raise ValueError("moments of the constraint must be those the modes were made of, got other means of x")
    return channel

"""Limits on each use, E||s_u||² ≤ P, where uses differ: the best precoder, and a bound that certifies it.

The pooled optimum may overload some uses. With M = diag(h) F̃ the received streams, the best precoder within the limits is found by L-BFGS
on F̃_u = √P X_u / ||X_u||,

    min over X of  J(F̃) = Σ b² − tr B Mᵀ (I + M Mᵀ / N)^{-1} M B / N,

and certified by the Lagrangian dual: with multipliers μ_u ≥ 0, a unit of received SNR on symbol i of use u costs π = μ_u N / h_i², and
strongest modes on cheapest symbols give

    D(μ) = Σ_i min over x ≥ 0 of [ b_i² / (1 + x) + π_i x ] − P Σ_u μ_u  ≤  the least error.

The bound is tight: minimisers at ties of π differ by rotations of the tied symbols, and by the Schur–Horn theorem rotations reach all
powers in the convex hull of what the orderings of the tied symbols give, so one of them meets every limit. At the optimum
∂J/∂F̃_u = −2 μ_u F̃_u, from which the ascent of the dual starts.
"""

from dataclasses import dataclass
from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor

from latentlink.latents.packing import alternating, complex_linear_part, halves, real_embedding
from latentlink.numerics.ascend import ascend
from latentlink.numerics.gradients import with_gradients
from latentlink.numerics.minimise import minimise
from latentlink.streams.allocation import Placement
from latentlink.streams.spatial import SpatialModes

_DUAL_STEPS = 500


@dataclass(frozen=True, eq=False)
class PerUseProblem:
    """The problem of the module: min J(F̃) within the limits, F̃ (…, u, 2q, s) in the coordinates of the spatial modes.

    Attributes:
        b: strengths (s,) of the modes that have a symbol.
        spatial: spatial modes of the channels.
        noise: N (…), noise variance per real dimension.
        power: P (…), limit on the power of each use.
        widely_linear: False restricts F̃ to complex-linear precoders, which commute with multiplication by j.
    """

    b: Float[Tensor, "s"]
    spatial: SpatialModes
    noise: Float[Tensor, "*batch"]
    power: Float[Tensor, "*batch"]
    widely_linear: bool

    @with_gradients
    def solve(self, max_iterations: int, tolerance: float) -> Placement:
        """The best precoder with each use at power P, all uses in one group; it is settled where its gap is within tolerance."""
        F = self.best_precoder(max_iterations)
        gap = self.gap(F)
        antennas = (real_embedding(self.spatial.transmit) @ F).unflatten(-2, (2, -1))  # (…, u, 2, n_tx, s)
        precoder = antennas.movedim(-3, -4).flatten(-4, -2).unsqueeze(-3)
        streams = torch.arange(F.shape[-1], device=F.device).expand(*gap.shape, -1)
        return Placement(streams, F.square().sum((-3, -2)), precoder, gap=gap, settled=gap <= tolerance)

    @property
    def h(self) -> Float[Tensor, "*batch u q"]:
        """Amplitudes of the symbols."""
        return self.spatial.amplitude

    @property
    def N(self) -> Float[Tensor, "*batch"]:
        """Noise variance (…), at least the rounding error of the received signal: without noise the error has no finite gradient."""
        floor = torch.finfo(self.h.dtype).eps * self.h.square().amax((-2, -1)) * self.power
        return torch.maximum(self.noise, floor).clamp(min=torch.finfo(self.h.dtype).tiny)

    @property
    def scale(self) -> Float[Tensor, ""]:
        """Σ b², the error of sending nothing."""
        return self.b.square().sum().clamp(min=torch.finfo(self.b.dtype).tiny)

    def best_precoder(self, max_iterations: int) -> Float[Tensor, "*batch u q2 s"]:
        """F̃ (…, u, 2q, s) by L-BFGS from a random start without symmetries; the dual bound checks the result."""
        generator = torch.Generator(device=self.h.device).manual_seed(0)
        shape = (*self.h.shape[:-1], 2 * self.h.shape[-1], len(self.b))
        start = torch.randn(shape, dtype=self.b.dtype, device=self.b.device, generator=generator)

        def loss(X: Tensor) -> Tensor:
            return (self.error(self.at_limit(X)) / self.scale).sum()

        (X,) = minimise([start], loss, max_iterations, tolerance=1e-12, change=1e-18, history=30)
        return self.at_limit(X)

    def at_limit(self, X: Float[Tensor, "*batch u q2 s"]) -> Float[Tensor, "*batch u q2 s"]:
        """F̃_u = √P X_u / ||X_u|| (…, u, 2q, s), zero for a use whose channel is zero."""
        X = X if self.widely_linear else alternating(complex_linear_part(halves(X)))
        spent = self.power.sqrt().unsqueeze(-1) * (self.h.amax(-1) > 0)
        return (spent / X.flatten(-2).norm(dim=-1))[..., None, None] * X

    def error(self, F: Float[Tensor, "*batch u q2 s"]) -> Float[Tensor, "*batch"]:
        """J(F̃) (…) with the LMMSE decoder."""
        h = torch.cat([self.h, self.h], -1).flatten(-2)
        M = h.unsqueeze(-1) * F.flatten(-3, -2)
        explained = M * self.b
        K = torch.eye(M.shape[-2], dtype=M.dtype, device=M.device) + M @ M.mT / self.N[..., None, None]
        return self.b.square().sum() - (explained * torch.linalg.solve(K, explained)).sum((-2, -1)) / self.N

    def gap(self, F: Float[Tensor, "*batch u q2 s"]) -> Float[Tensor, "*batch"]:
        """Distance (…) of the error to the dual bound, relative to the error; errors at the level of rounding count as zero.

        The ascent starts at the Lagrange multipliers μ (…, u) that the gradient gives at the optimum.
        """
        F = F.detach().requires_grad_()
        with torch.enable_grad():
            error = self.error(F)
            (slope,) = torch.autograd.grad(error.sum(), F)
        F, error = F.detach(), error.detach()
        power = self.power.unsqueeze(-1).clamp(min=torch.finfo(F.dtype).tiny)
        start = -(slope * F).sum((-2, -1)).clamp(max=0) / (2 * power)
        dual = partial(per_use_bound, self.b, self.h, self.noise, self.power)
        bound = ascend(dual, error, start, steps=_DUAL_STEPS, patience=_DUAL_STEPS).value
        visible = torch.finfo(self.b.dtype).eps ** 0.5 * self.scale
        return ((error - bound) / (error + visible)).clamp(min=0)


@with_gradients
def per_use_bound(
    strength: Float[Tensor, "k"],
    amplitude: Float[Tensor, "*batch u q"],
    noise: Float[Tensor, "*batch"],
    power: Float[Tensor, "*batch"],
    multipliers: Float[Tensor, "*batch u"],
) -> tuple[Float[Tensor, "*batch"], Float[Tensor, "*batch u"]]:
    """Dual D(μ) (…), a lower bound on Σ b² / (1 + x) under per-use limits P for every μ ≥ 0 (…, u), and a supergradient (…, u)."""
    q = amplitude.shape[-1]
    tiny = torch.finfo(amplitude.dtype).tiny
    cost = (noise[..., None, None] / amplitude.square().clamp(min=tiny)).clamp(max=1 / tiny)  # power for a unit of x
    unit_cost = torch.where(amplitude > 0, multipliers.unsqueeze(-1) * cost, 1 / tiny)  # a symbol of amplitude zero is never used
    weighted, order = unit_cost.flatten(-2).repeat_interleave(2, -1).sort(-1)
    b = strength[: weighted.shape[-1]]
    pi, symbol = weighted[..., : len(b)], order[..., : len(b)] // 2
    x = (b / pi.clamp(min=tiny).sqrt() - 1).clamp(min=0)
    spent = torch.zeros_like(multipliers).scatter_add(-1, symbol // q, x * cost.flatten(-2).gather(-1, symbol))
    rest = strength.square().sum() - b.square().sum()
    value = rest + (b.square() / (1 + x) + pi * x).sum(-1) - power * multipliers.sum(-1)
    return value, spent - power.unsqueeze(-1)

"""What the power budget limits: the mean over uses (default), each use, or each message; and two ways to spend it use by use.

Per use, with uses that differ, the pooled optimum may overload some of them. The best precoder under E||s_u||² ≤ P for every u is found
here by L-BFGS on F̃ = √P X_u / ||X_u||, and certified by the Lagrangian dual: with multipliers μ_u ≥ 0, a unit of received SNR on symbol
i of use u costs π = μ_u N / h_i², and strongest modes on cheapest symbols give

    D(μ) = Σ_i min over x ≥ 0 of [ b_i² / (1 + x) + π_i x ] − P Σ_u μ_u  ≤  the least error.

The bound is tight: minimisers at ties of π differ by rotations of the tied symbols, and by the Schur–Horn theorem rotations reach all
powers in the convex hull of what the orderings of the tied symbols give, so one of them meets every limit.
"""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from latentlink.numerics.minimise import minimise

_DUAL_STEPS = 500


def per_use_bound(
    strength: Float[Tensor, "k"],
    amplitude: Float[Tensor, "*batch u q"],
    noise: Float[Tensor, "*batch"],
    power: Float[Tensor, "*batch"],
    multiplier: Float[Tensor, "*batch u"],
) -> tuple[Float[Tensor, "*batch"], Float[Tensor, "*batch u"]]:
    """Dual D(μ) (…), a lower bound on Σ b² / (1 + x) under per-use limits P for every μ ≥ 0 (…, u), and a supergradient (…, u)."""
    q = amplitude.shape[-1]
    tiny = torch.finfo(amplitude.dtype).tiny
    cost = (noise[..., None, None] / amplitude.square().clamp(min=tiny)).clamp(max=1 / tiny)  # power for a unit of x
    price, order = (multiplier.unsqueeze(-1) * cost).flatten(-2).repeat_interleave(2, -1).sort(-1)
    b = strength[: price.shape[-1]]
    price, order = price[..., : len(b)], order[..., : len(b)] // 2
    x = (b / price.clamp(min=tiny).sqrt() - 1).clamp(min=0)
    spent = torch.zeros_like(multiplier).scatter_add(-1, order // q, x * cost.flatten(-2).gather(-1, order))
    rest = strength.square().sum() - b.square().sum()
    return rest + (b.square() / (1 + x) + price * x).sum(-1) - power * multiplier.sum(-1), spent - power.unsqueeze(-1)


def _tightened(
    bound: Callable[[Tensor], tuple[Tensor, Tensor]], value: Float[Tensor, "*batch"], multiplier: Float[Tensor, "*batch u"]
) -> Float[Tensor, "*batch"]:
    """The best bound (…) found by Polyak's supergradient steps towards a feasible value: fast at kinks, where the optimum lies."""
    best = torch.zeros_like(value)
    for _ in range(_DUAL_STEPS):
        dual, slope = bound(multiplier)
        best = torch.maximum(best, dual)
        step = (value - dual) / slope.square().sum(-1).clamp(min=torch.finfo(value.dtype).tiny)
        multiplier = (multiplier + step.unsqueeze(-1) * slope).clamp(min=0)
    return best


def per_use_precoder(
    strength: Float[Tensor, "k"],
    amplitude: Float[Tensor, "*batch u q"],
    noise: Float[Tensor, "*batch"],
    power: Float[Tensor, "*batch"],
    max_iterations: int,
    widely_linear: bool = True,
) -> tuple[Float[Tensor, "*batch u q2 s"], Float[Tensor, "*batch"]]:
    """F̃ in the coordinates of the spatial modes, (…, u, 2q, s), each use at power P; and the relative gap (…) to the dual bound."""
    uses, q = amplitude.shape[-2:]
    b = strength[: 2 * uses * q]
    h = torch.cat([amplitude, amplitude], -1).flatten(-2)
    tiny = torch.finfo(b.dtype).tiny
    floor = torch.finfo(b.dtype).eps * h.square().amax(-1) * power
    N = torch.maximum(noise, floor).clamp(min=tiny)[..., None, None]  # without noise the error has no finite gradient
    spent = power.sqrt().unsqueeze(-1) * (amplitude.amax(-1) > 0)  # a use that carries nothing costs nothing

    def at_limit(X: Tensor) -> Tensor:
        X = X if widely_linear else _complex_linear(X)
        limited: Tensor = (spent / X.flatten(-2).norm(dim=-1))[..., None, None] * X
        return limited

    def error(F: Tensor) -> Tensor:
        M = h.unsqueeze(-1) * F.flatten(-3, -2)
        saved = M * b
        left = torch.eye(M.shape[-2], dtype=M.dtype, device=M.device) + M @ M.mT / N
        rest: Tensor = b.square().sum() - (saved * torch.linalg.solve(left, saved)).sum((-2, -1)) / N[..., 0, 0]
        return rest

    start = torch.Generator(device=h.device).manual_seed(0)  # any start without symmetries serves; the result is checked by the bound
    X = torch.randn(*amplitude.shape[:-1], 2 * q, len(b), dtype=b.dtype, device=b.device, generator=start)
    scale = b.square().sum().clamp(min=tiny)
    (X,) = minimise([X], lambda X: (error(at_limit(X)) / scale).sum(), max_iterations, tolerance=1e-12, change=1e-18, history=30)
    F = at_limit(X).requires_grad_()
    with torch.enable_grad():
        value = error(F)
        (slope,) = torch.autograd.grad(value.sum(), F)
    value, F = value.detach(), F.detach()
    multiplier = -(slope * F).sum((-2, -1)).clamp(max=0) / (2 * power.unsqueeze(-1).clamp(min=tiny))  # KKT: ∂error/∂F_u = −2 μ_u F_u
    bound = _tightened(lambda mu: per_use_bound(b, amplitude, noise, power, mu), value, multiplier)
    visible = torch.finfo(b.dtype).eps ** 0.5 * scale  # an error below this share of all there is to explain is rounding
    return F, ((value - bound) / (value + visible)).clamp(min=0)


def _complex_linear(X: Float[Tensor, "*batch u q2 s"]) -> Float[Tensor, "*batch u q2 s"]:
    """The part that commutes with j: rows are real halves before imaginary ones, columns alternate."""
    real, imag = X.unflatten(-2, (2, -1)).unflatten(-1, (-1, 2)).unbind(-4)
    a, b = (real[..., 0] + imag[..., 1]) / 2, (imag[..., 0] - real[..., 1]) / 2
    return torch.cat([torch.stack([a, -b], -1), torch.stack([b, a], -1)], -3).flatten(-2)

"""What the power budget limits: the mean over uses (default), each use, or each message.

Per use, with uses that differ, the pooled optimum may overload some of them. The best precoder under E||s_u||² ≤ P for every u is found
here by
L-BFGS on F̃ = √P X_u / ||X_u||, and certified by its Lagrangian dual: for every weight ν ≥ 0, Σ_u ν_u = K, the closed form for the
channels H_u / √ν_u under the pooled budget is a lower bound, because a precoder that meets every limit also meets their weighted mean.
The bound is tight: minimisers of the dual at ties of h_u / √ν_u differ by rotations, and by the Schur–Horn theorem rotations reach
all powers in the convex hull of what the orderings of the tied symbols give.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from latentlink.latents.moments import as_latents
from latentlink.linear.waterfilling import mse_waterfilling


@dataclass(frozen=True)
class MeanPower:
    """The mean over messages and channel uses is limited: Σ_u E||s_u||² ≤ u·P."""


@dataclass(frozen=True)
class PerUsePower:
    """Each channel use is limited: E||s_u||² ≤ P. Exact and immediate for block fading, iterative where uses differ.

    Attributes:
        max_iterations: of L-BFGS where uses differ.
        tolerance: relative gap to the dual bound that counts as optimal there.
    """

    max_iterations: int = 4000
    tolerance: float = 1e-6


@dataclass(frozen=True, eq=False)
class PerMessagePower:
    """Each message is scaled to the whole budget, Σ_u ||s_u||² = u·P, and the decoder refitted to the scaled pilots.

    Attributes:
        x: latents of the pilots at the transmitter (n, d).
        y: latents of the pilots at the receiver (n, m).

    Raises:
        ValueError: x or y is malformed, or they differ in length.
    """

    x: Float[Tensor, "n d"]
    y: Float[Tensor, "n m"]

    def __init__(self, x: Tensor | NDArray[Any], y: Tensor | NDArray[Any]) -> None:
        x, y = as_latents("x", x).double(), as_latents("y", y).double()
        if len(x) != len(y):
            raise ValueError(f"x and y must pair row by row, got {len(x)} and {len(y)} rows")
        object.__setattr__(self, "x", x)
        object.__setattr__(self, "y", y)


PowerLimit = MeanPower | PerUsePower | PerMessagePower


def per_use_bound(
    strength: Float[Tensor, "k"],
    amplitude: Float[Tensor, "*batch u q"],
    noise: Float[Tensor, "*batch"],
    power: Float[Tensor, "*batch"],
    weight: Float[Tensor, "*batch u"],
) -> Float[Tensor, "*batch"]:
    """Lower bound (…) on Σ b² / (1 + p g) under per-use limits P, from weights ν ≥ 0 that sum to the number of uses."""
    tiny = torch.finfo(weight.dtype).tiny
    scaled = (amplitude / weight.clamp(min=tiny).sqrt().unsqueeze(-1)).flatten(-2).sort(-1, descending=True).values
    h = scaled.repeat_interleave(2, -1)[..., : len(strength)]
    b = strength[: h.shape[-1]].expand_as(h)
    p = mse_waterfilling(b, h, noise, amplitude.shape[-2] * power)
    served = p * h.square()
    left = noise.unsqueeze(-1) / (served + noise.unsqueeze(-1)).clamp(min=tiny)
    return strength.square().sum() - b.square().sum(-1) + (b.square() * torch.where(served > 0, left, 1.0)).sum(-1)


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
    F = at_limit(_minimised(X, lambda X: error(at_limit(X)) / scale, max_iterations)).requires_grad_()
    with torch.enable_grad():
        value = error(F)
        (slope,) = torch.autograd.grad(value.sum(), F)
    multiplier = -(slope * F.detach()).sum((-2, -1)).clamp(max=0)  # KKT: ∂error/∂F_u = −2 ν_u F_u
    total = multiplier.sum(-1, keepdim=True)
    weight = torch.where(total > 0, uses * multiplier / torch.where(total > 0, total, 1.0), 1.0)
    bound = per_use_bound(b, amplitude, noise, power, weight)
    value = value.detach()
    return F.detach(), ((value - bound) / value.clamp(min=tiny)).clamp(min=0)


def _minimised(X: Tensor, error: Callable[[Tensor], Tensor], max_iterations: int) -> Tensor:
    """L-BFGS on the sum of the errors of all channels of the batch."""
    X = X.requires_grad_()
    solver = torch.optim.LBFGS(
        [X], max_iter=max_iterations, max_eval=2 * max_iterations, history_size=30, line_search_fn="strong_wolfe",
        tolerance_grad=1e-12, tolerance_change=1e-18,
    )  # fmt: skip

    def loss() -> Tensor:
        solver.zero_grad()
        value = error(X).sum()
        value.backward()
        return value

    with torch.enable_grad():
        solver.step(loss)
    return X.detach()


def _complex_linear(X: Float[Tensor, "*batch u q2 s"]) -> Float[Tensor, "*batch u q2 s"]:
    """The part that commutes with j: rows are real halves before imaginary ones, columns alternate."""
    real, imag = X.unflatten(-2, (2, -1)).unflatten(-1, (-1, 2)).unbind(-4)
    a, b = (real[..., 0] + imag[..., 1]) / 2, (imag[..., 0] - real[..., 1]) / 2
    return torch.cat([torch.stack([a, -b], -1), torch.stack([b, a], -1)], -3).flatten(-2)

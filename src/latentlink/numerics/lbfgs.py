"""Limited-memory BFGS for a batch of independent problems: each member has its own steps, so that a batch gives what its members give.

For each member, with the last pairs s = θ⁺ − θ and y = ∇⁺ − ∇ of positive curvature sᵀy, the two-loop recursion makes a direction d of the
gradient; the step along it is halved until Armijo's condition f(θ + t d) ≤ f(θ) + c t ∇ᵀd holds [nocedal2006numerical]. A member whose step
does not pass, or gains less than the tolerance twice in a row, rests. The value of a member never rises.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

Smooth = Callable[[Tensor], tuple[Tensor, Tensor]]  # arguments θ (…, n) to the values (…) and gradients (…, n)

_SUFFICIENT = 1e-4  # share c of the decrease that the slope promises
_HALVINGS = 20


class Minimum(NamedTuple):
    """The least that was found.

    Attributes:
        argument: θ (…, n).
        value: f(θ) (…), at most that of the start.
    """

    argument: Float[Tensor, "*batch n"]
    value: Float[Tensor, "*batch"]


def minimise_each(start: Float[Tensor, "*batch n"], function: Smooth, steps: int, tolerance: float = 1e-12, history: int = 10) -> Minimum:
    """Minimise a smooth function of each member of a batch from a start (…, n).

    Args:
        start: θ at which each member begins.
        function: values (…) and gradients (…, n) of all members at once; what it gives for one must not depend on the others.
        steps: the number of steps at most, each of one evaluation or more.
        tolerance: relative gain of a step below which a member rests, if the step before gained as little.
        history: number of pairs that are remembered.
    """
    theta, (value, gradient) = start, function(start)
    pairs: list[tuple[Tensor, Tensor, Tensor]] = []
    little = torch.zeros_like(value)  # steps in a row of little gain
    for _ in range(steps):
        resting = (little >= 2) | ~(gradient.square().sum(-1) > 0)
        if bool(resting.all()):
            break
        direction = _direction(gradient, pairs)
        slope = (gradient * direction).sum(-1)
        downhill = slope < 0
        direction = torch.where(downhill.unsqueeze(-1), direction, -gradient)
        slope = torch.where(downhill, slope, -gradient.square().sum(-1))
        first = torch.ones_like(value) if pairs else 0.1 * value.abs() / -slope.clamp(max=-torch.finfo(slope.dtype).tiny)
        ahead, found, slope_there = _line_search(theta, value, direction, slope, first, function, resting)
        gain = value - found
        little = torch.where(gain <= tolerance * found.abs(), little + 1, 0.0)
        pairs = [*pairs[-(history - 1) :], _pair(ahead - theta, slope_there - gradient)]
        theta, value, gradient = ahead, found, slope_there
    return Minimum(theta, value)


def _line_search(
    theta: Tensor, value: Tensor, direction: Tensor, slope: Tensor, first: Tensor, function: Smooth, resting: Bool[Tensor, "*batch"]
) -> tuple[Tensor, Tensor, Tensor]:
    """The point, value and gradient of each member after its step; where no step passes, or it rests, those of where it is."""
    step = torch.where(resting, 0.0, first)
    for _ in range(_HALVINGS):
        ahead = theta + step.unsqueeze(-1) * direction
        found, gradient = function(ahead)
        passed = found <= value + _SUFFICIENT * step * slope
        passed = passed | (step == 0)
        if bool(passed.all()):
            return ahead, torch.where(step == 0, value, found), gradient
        step = torch.where(passed, step, step / 4)
    step = torch.where(passed, step, 0.0)
    ahead = theta + step.unsqueeze(-1) * direction
    found, gradient = function(ahead)
    return ahead, torch.where(step == 0, value, found), gradient


def _pair(s: Tensor, y: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """A pair s, y and 1 / sᵀy (…, 1), which is 0 where the curvature is not positive."""
    curvature = (s * y).sum(-1, keepdim=True)
    enough = curvature > 1e-10 * y.square().sum(-1, keepdim=True).clamp(min=torch.finfo(y.dtype).tiny)
    return s, y, torch.where(enough, 1 / torch.where(enough, curvature, 1.0), 0.0)


def _direction(gradient: Tensor, pairs: list[tuple[Tensor, Tensor, Tensor]]) -> Tensor:
    """The two-loop recursion: minus the approximate inverse Hessian (scaled by sᵀy / yᵀy of the last pair) times the gradient."""
    q, weights = gradient, []
    for s, y, inverse in reversed(pairs):
        alpha = inverse * (s * q).sum(-1, keepdim=True)
        weights.append(alpha)
        q = q - alpha * y
    if pairs:
        s, y, inverse = pairs[-1]
        scale = (s * y).sum(-1, keepdim=True) / y.square().sum(-1, keepdim=True).clamp(min=torch.finfo(y.dtype).tiny)
        q = torch.where(inverse > 0, scale, 1.0) * q
    for (s, y, inverse), alpha in zip(pairs, reversed(weights), strict=True):
        q = q + (alpha - inverse * (y * q).sum(-1, keepdim=True)) * s
    return -q

"""Polyak's supergradient ascent of a concave function, for a whole batch at once.

With a value D(μ), a supergradient g and a level L that D may reach, the step is

    μ ← (μ + (L − D(μ))⁺ / ‖g‖² · g)⁺ .

It converges fast at kinks, where the optimum of a Lagrangian dual usually lies. The level starts at the ceiling, a value that D cannot
exceed (such as that of a feasible point). Where the ceiling is out of reach the steps are too long, so the level is lowered: it halves its
distance to the best value whenever progress stops.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

ConcaveFunction = Callable[[Tensor], tuple[Tensor, Tensor]]  # arguments μ (…, t) to the values D (…) and supergradients g (…, t)


class Ascent(NamedTuple):
    """The best that an ascent found.

    Attributes:
        value: the largest D (…), at least 0.
        argument: the μ ≥ 0 (…, t) at which it was found.
    """

    value: Float[Tensor, "*batch"]
    argument: Float[Tensor, "*batch t"]


def ascend(
    function: ConcaveFunction,
    ceiling: Float[Tensor, "*batch"],
    start: Float[Tensor, "*batch t"],
    *,
    steps: int = 400,
    patience: int = 15,
) -> Ascent:
    """Maximise a concave function, which reaches 0 and does not exceed the ceiling (…), over μ ≥ 0 from a start (…, t).

    After `patience` steps without progress the level is lowered; it stays at the ceiling if that is at least `steps`.
    """
    tiny = torch.finfo(ceiling.dtype).tiny
    mu = start
    best = Ascent(torch.zeros_like(ceiling), start)
    ahead = torch.full_like(ceiling, torch.inf)  # distance of the level from the best value
    waited = torch.zeros_like(ceiling)
    for _ in range(steps):
        value, slope = function(mu)
        better = value > best.value
        waited = torch.where(value > best.value + ahead / 4, 0.0, waited + 1)
        best = Ascent(torch.where(better, value, best.value), torch.where(better.unsqueeze(-1), mu, best.argument))
        stuck = waited > patience
        ahead = torch.minimum(torch.where(stuck, ahead / 2, ahead), ceiling - best.value).clamp(min=0)
        waited = torch.where(stuck, 0.0, waited)
        step = (best.value + ahead - value).clamp(min=0) / slope.square().sum(-1).clamp(min=tiny)
        mu = torch.where(stuck.unsqueeze(-1), best.argument, (mu + step.unsqueeze(-1) * slope).clamp(min=0))
    return best

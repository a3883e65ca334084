"""The augmented Lagrangian: a smooth function under quadratic limits, for a batch of independent problems.

min f(F) subject to c_l(F) ≤ 0 for all l: with multipliers m ≥ 0 and penalties ρ > 0 every round minimises

    f(F) + Σ_l ρ_l / 2 ( ((c_l(F) + m_l / ρ_l)⁺)² − (m_l / ρ_l)² )

by L-BFGS, and then m_l ← (m_l + ρ_l c_l(F))⁺ [nocedal2006numerical]. Unlike a Lagrangian it has curvature where several points are as good
for the multipliers, and so finds those among them that meet the limits.
"""

from collections.abc import Callable
from typing import NamedTuple

from jaxtyping import Float
from torch import Tensor

from latentlink.numerics.lbfgs import minimise_each

Limited = Callable[[Tensor], tuple[Tensor, Tensor, Tensor, Tensor]]  # F (…, n) to f (…), its gradient, c (…, l) and gradients (…, l, n)


class Saddle(NamedTuple):
    """Where the rounds ended.

    Attributes:
        argument: F (…, n), which may miss the limits by a little.
        multipliers: m ≥ 0 (…, l).
    """

    argument: Float[Tensor, "*batch n"]
    multipliers: Float[Tensor, "*batch l"]


def augmented(
    start: Float[Tensor, "*batch n"],
    multipliers: Float[Tensor, "*batch l"],
    penalties: Float[Tensor, "*batch l"],
    function: Limited,
    rounds: int,
    steps: int,
) -> Saddle:
    """Some rounds from a start and multipliers, each of at most so many steps of L-BFGS."""
    F, m = start, multipliers
    for _ in range(rounds):
        F = minimise_each(F, _penalised(function, m, penalties), steps).argument
        m = (m + penalties * function(F)[2]).clamp(min=0)
    return Saddle(F, m)


def _penalised(function: Limited, m: Tensor, rho: Tensor) -> Callable[[Tensor], tuple[Tensor, Tensor]]:
    """The augmented Lagrangian and its gradient."""

    def value(F: Tensor) -> tuple[Tensor, Tensor]:
        f, slope, c, slopes = function(F)
        pushed = (c * rho + m).clamp(min=0)
        penalty = (pushed.square() - m.square()) / (2 * rho)
        return f + penalty.sum(-1), slope + (pushed.unsqueeze(-1) * slopes).sum(-2)

    return value

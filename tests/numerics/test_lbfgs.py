"""The batched L-BFGS: it finds minima, never rises, and each member goes its own way."""

import torch
from torch import Tensor

from latentlink.numerics.lbfgs import minimise_each


def _valley(theta: Tensor) -> tuple[Tensor, Tensor]:
    """Rosenbrock's function of two variables and its gradient."""
    a, b = theta.unbind(-1)
    value = 100 * (b - a.square()).square() + (1 - a).square()
    return value, torch.stack([-400 * a * (b - a.square()) - 2 * (1 - a), 200 * (b - a.square())], -1)


def test_each_member_finds_the_minimum_and_goes_its_own_way() -> None:
    start = torch.randn(20, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    all_at_once = minimise_each(start, _valley, 200)
    assert all_at_once.value.max() < 1e-12
    alone = minimise_each(start[3:4], _valley, 200)
    assert torch.equal(alone.argument[0], all_at_once.argument[3])


def test_the_value_never_rises_with_more_steps() -> None:
    start = torch.randn(10, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    values = torch.stack([minimise_each(start, _valley, steps).value for steps in range(0, 40, 4)])
    assert bool((values[1:] <= values[:-1]).all())
    assert torch.equal(values[0], _valley(start)[0])

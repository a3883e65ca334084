"""Polyak's ascent on concave functions whose maximum is known."""

import pytest
import torch

from latentlink.numerics.ascend import ascend
from oracles import normal


def cone(top, height):
    """D(μ) = height − ‖μ − top‖, which has a kink at its maximum."""

    def function(mu):
        away = mu - top
        length = away.norm(dim=-1)
        return height - length, -away / length.clamp(min=1e-300).unsqueeze(-1)

    return function


def bowl(top, height):
    """D(μ) = height − ‖μ − top‖², which is smooth."""
    return lambda mu: (height - (mu - top).square().sum(-1), -2 * (mu - top))


@pytest.mark.parametrize("shape", [cone, bowl])
@pytest.mark.parametrize("above", [0.0, 0.5, 30.0])
def test_the_maximum_is_found_whether_the_ceiling_is_tight_or_not(shape, above):
    top, height = normal(1, 4, 3).abs(), torch.tensor([1.0, 2.0, 5.0, 0.5], dtype=torch.float64)
    best = ascend(shape(top, height), height + above, torch.zeros(4, 3, dtype=torch.float64))
    assert (best.value <= height).all()
    torch.testing.assert_close(best.value, height, rtol=1e-4, atol=0.0)
    torch.testing.assert_close(shape(top, height)(best.argument)[0], best.value)


def test_arguments_are_never_negative_and_a_value_is_at_least_zero():
    top, height = torch.tensor([[-1.0, 2.0]], dtype=torch.float64), torch.tensor([3.0], dtype=torch.float64)
    best = ascend(bowl(top, height), height, torch.ones(1, 2, dtype=torch.float64))
    assert (best.argument >= 0).all()
    torch.testing.assert_close(best.value, torch.tensor([2.0], dtype=torch.float64), rtol=1e-4, atol=0.0)  # at (0, 2)
    nowhere = ascend(bowl(top, height - 10), height, torch.ones(1, 2, dtype=torch.float64))
    assert nowhere.value == 0


def test_a_batch_is_its_members():
    top, height = normal(2, 5, 2).abs(), normal(3, 5).abs() + 1
    start = torch.ones(5, 2, dtype=torch.float64)
    together = ascend(cone(top, height), height + 1, start)
    alone = ascend(cone(top[3], height[3]), height[3] + 1, start[3])
    torch.testing.assert_close(together.value[3], alone.value, rtol=1e-9, atol=0.0)

"""Designs that spend the budget on the messages that are really sent."""

import time

import pytest
import torch

import latentlink as ll
from latentlink.links.solution import Solution
from latentlink.studies.running.gain_control import design_at_budget, mean_power


@pytest.fixture
def pair():
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(400, 6, dtype=torch.float64, generator=generator)
    y = x @ torch.randn(6, 5, dtype=torch.float64, generator=generator)
    channel = ll.Channel.from_snr(ll.rayleigh(2, 2, batch=(3,), generator=generator), snr_db=10.0, power=2.0)
    modes = ll.semantic_modes(ll.Moments.from_pairs(x[:40], y[:40]))

    def design(budget) -> Solution:
        return ll.ClosedForm().design(modes, channel.with_power(budget))

    return design, 1.7 * x[40:], channel


def test_the_measured_power_is_the_budget(pair):
    design, x, channel = pair
    planned = mean_power(design(channel.power).transceiver, x, channel)
    assert (planned > 1.5 * channel.power).all()
    controlled = design_at_budget(design, x, channel)
    spent = mean_power(controlled.solution.transceiver, x, channel)
    torch.testing.assert_close(spent, channel.power, rtol=2e-3, atol=0.0)
    assert (controlled.budget < channel.power).all()
    torch.testing.assert_close(mean_power(controlled.solution.transceiver, x, channel, entries=100), spent)
    assert design_at_budget(design, x, channel, controlled=False).budget is channel.power


def test_the_time_is_that_of_one_design_also_where_nothing_is_corrected(pair):
    design, x, channel = pair
    calls = []

    def slow_at_first(budget):
        calls.append(1)
        time.sleep(1.5 if len(calls) == 1 else 0.0)
        return design(budget)

    assert 3 * design_at_budget(slow_at_first, x, channel, tolerance=torch.inf).seconds < 1.4
    assert len(calls) == 2

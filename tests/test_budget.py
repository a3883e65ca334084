"""Complexity budgets: one family, checked once."""

import pytest

import latentlink as ll


def test_budgets_hold_what_they_are_given_by_name_or_place():
    assert ll.budget.Weights(0.3) == ll.budget.Weights(share=0.3)
    assert ll.budget.Flops(6e5) == ll.budget.Flops(flops=600_000)
    assert isinstance(ll.budget.Flops(6e5).flops, int)
    assert ll.budget.Latency(40) == ll.budget.Latency(microseconds=40.0, batch=1)


@pytest.mark.parametrize("wrong", [0.0, -0.1, 1.1, float("nan"), True])
def test_weights_are_a_share(wrong):
    with pytest.raises(ValueError, match="share must be"):
        ll.budget.Weights(wrong)


@pytest.mark.parametrize("wrong", [0, -3, True, 2.5, float("inf"), float("nan")])
def test_flops_are_a_number_of_operations(wrong):
    with pytest.raises(ValueError, match="flops must be an integer >= 1"):
        ll.budget.Flops(wrong)


def test_a_latency_is_positive_and_of_some_messages():
    for wrong in (0.0, -1.0, float("inf"), float("nan"), True):
        with pytest.raises(ValueError, match="microseconds must be"):
            ll.budget.Latency(wrong)
    with pytest.raises(ValueError, match="batch must be"):
        ll.budget.Latency(10.0, batch=0)

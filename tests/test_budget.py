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
    with pytest.raises(ValueError, match=r"flops must be (an integer >= 1|a number)"):
        ll.budget.Flops(wrong)


def test_a_latency_is_positive_and_of_some_messages():
    for wrong in (0.0, -1.0, float("inf"), float("nan"), True):
        with pytest.raises(ValueError, match="microseconds must be"):
            ll.budget.Latency(wrong)
    with pytest.raises(ValueError, match="batch must be"):
        ll.budget.Latency(10.0, batch=0)


def test_words_give_budgets_in_one_place():
    assert ll.budget.named() is None
    assert ll.budget.named(weights=0.3) == ll.budget.Weights(0.3)
    assert ll.budget.named(flops=600) == ll.budget.Flops(600)
    assert ll.budget.named(microseconds=4.0) == ll.budget.Latency(4.0)
    with pytest.raises(ValueError, match="weights and flops are 2 budgets for the same link: give one of them"):
        ll.budget.named(weights=0.3, flops=600)


def test_designs_and_methods_of_studies_take_the_family_and_its_words():
    """A study refused operations for networks, which `Neural` has always taken; in Python the argument had two names."""
    from latentlink.studies.methods.codec import CodecMethod
    from latentlink.studies.methods.neural import NeuralMethod

    words = {"weights": 0.3, "flops": 6000, "microseconds": 4.0}
    for kind, method, kept in ((ll.Neural, NeuralMethod, ("weights", "flops")), (ll.CodecTraining, CodecMethod, ("flops", "microseconds"))):
        for word, value in words.items():
            given = {word: value}
            if word in kept:
                assert kind(budget=ll.budget.named(**given)).budget == ll.budget.named(**given)
                assert getattr(method(**given), word) == value
            else:
                with pytest.raises(ValueError, match=r"budget (must|cannot) be"):
                    kind(budget=ll.budget.named(**given))
                with pytest.raises(ValueError, match=r"budget cannot be|Extra inputs are not permitted"):
                    method(**given)
    assert NeuralMethod(flops=6000).network(0).budget == ll.budget.Flops(6000)

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import latentlink as ll
from latentlink.neural.paper.layers import ComplexLinear
from latentlink.neural.paper.pruning import GreatestWeights, HardThreshold, SoftThreshold, pruning_for


def layer(inputs=5, outputs=4, seed=0):
    return ComplexLinear(inputs, outputs, torch.Generator().manual_seed(seed))


@given(st.integers(0, 2**20), st.floats(0.01, 0.6))
def test_the_soft_threshold_is_the_prox_of_the_sum_of_moduli(seed, tau):
    one = layer(seed=seed)
    before = torch.complex(*one.weight.detach().clone())
    SoftThreshold(tau / 0.1).after_epoch([one], 1, 1, 0.1)
    after = torch.complex(*one.weight.detach())

    def objective(w):
        return 0.5 * (w - before).abs().square() + tau * w.abs()

    for trial in (0 * before, before, 0.9 * after, 1.1 * after, after * 1j**0.01, after + 0.01, after + 0.01j, after - 0.01):
        assert (objective(after) <= objective(trial) + 1e-6).all()


@given(st.integers(0, 2**20), st.floats(0.01, 0.6))
def test_the_hard_threshold_is_the_prox_of_the_number_of_weights(seed, tau):
    one = layer(seed=seed)
    before = torch.complex(*one.weight.detach().clone())
    HardThreshold(tau / 0.1).after_epoch([one], 1, 1, 0.1)
    after = torch.complex(*one.weight.detach())
    kept = after != 0
    assert (before[kept].abs() > tau * 0.999).all()
    assert (before[~kept].abs() <= tau * 1.001).all()
    assert torch.equal(after[kept], before[kept])
    penalty = tau**2 / 2  # min ½|w − b|² + τ²/2 [w ≠ 0] keeps b exactly if |b| > τ
    assert (
        0.5 * (after - before).abs().square() + penalty * kept <= torch.minimum(0.5 * before.abs().square(), torch.tensor(penalty)) + 1e-6
    ).all()


def test_a_budget_is_met_from_its_settling_on_and_narrow_layers_keep_more():
    layers, budget = [layer(40, 30), layer(30, 2, seed=1)], GreatestWeights(0.1)
    counts = []
    for epoch in range(1, 9):
        budget.after_epoch(layers, epoch, 8, 1e-3)
        left = sum(int(one.mask.sum()) for one in layers)
        counts.append(left)
        assert budget.settled(epoch, 8) == (left <= 0.1 * 1260)
    assert counts == sorted(counts, reverse=True)
    assert counts[-1] == 126
    assert layers[1].mask.float().mean() > 3 * layers[0].mask.float().mean()


def test_a_budget_keeps_the_greatest_weights_of_a_layer():
    one = layer(20, 20)
    sizes = one.modulus()
    GreatestWeights(0.25).after_epoch([one], 1, 1, 1e-3)
    assert sizes[one.mask].min() >= sizes[~one.mask].max()


@pytest.mark.parametrize("kind", [HardThreshold, SoftThreshold])
@pytest.mark.parametrize("strength", [-1.0, float("nan"), float("inf")])
def test_thresholds_are_not_negative(kind, strength):
    with pytest.raises(ValueError, match=r"strength must be a (finite )?number"):
        kind(strength)


@pytest.mark.parametrize("setting", [0.3, "hard", HardThreshold, object()])
def test_what_is_no_pruning_is_refused(setting):
    with pytest.raises(ValueError, match="pruning must be a Pruning, such as HardThreshold"):
        pruning_for(setting, None, 1000, 100)


def test_a_threshold_and_a_budget_are_two_ways_of_leaving_out_weights():
    with pytest.raises(ValueError, match="pruning and budget both leave out weights"):
        ll.Neural(pruning=ll.HardThreshold(1.0), budget=ll.budget.Weights(0.5))
    with pytest.raises(ValueError, match=r"budget must be budget.Weights\(share\), budget.Flops\(flops\) or None, got 0.3"):
        pruning_for(None, 0.3, 1000, 100)
    with pytest.raises(ValueError, match=r"pruning must be a Pruning, .* budget=budget.Weights"):
        pruning_for(ll.budget.Weights(0.5), None, 1000, 100)


def test_a_budget_of_time_is_refused_with_the_remedy():
    with pytest.raises(ValueError, match=r"saves no time: limit operations by budget.Flops"):
        pruning_for(None, ll.budget.Latency(20.0), 1000, 100)


def test_a_budget_of_operations_is_the_share_of_weights_that_it_leaves():
    assert pruning_for(None, ll.budget.Flops(1000 + 8 * 25), 1000, 100) == GreatestWeights(0.25)
    assert pruning_for(None, ll.budget.Flops(10**9), 1000, 100) == GreatestWeights(1.0)
    own = HardThreshold(3.0)
    assert pruning_for(own, None, 1000, 100) is own

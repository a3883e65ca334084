"""Pruned networks: what is delivered is what is counted, in every form."""

import pytest
import torch

import latentlink as ll
from neural.paper.networks_small import by, channel, pilots, small


@pytest.mark.parametrize("pruning", [ll.HardThreshold(40.0), ll.SoftThreshold(10.0), ll.budget.Weights(0.2)])
def test_what_is_delivered_is_pruned_and_counted(pruning):
    solution = small(**by(pruning), epochs=8, learning_rate=5e-3).design(pilots(), channel())
    link = solution.transceiver
    nonzero = sum(int((w != 0).any(0).sum()) for end in (link.precoder, link.decoder) for w in end.weights)
    total = sum(w[0].numel() for end in (link.precoder, link.decoder) for w in end.weights)
    assert 0 < nonzero < total
    assert link.density == nonzero / total
    if isinstance(pruning, ll.budget.Weights):
        assert link.density <= 0.2
    linear = [line for line in link.layer_flops() if "linear" in line.name]
    assert sum(line.weights for line in linear) == nonzero
    assert sum(line.flops for line in linear) == 8 * nonzero
    assert link.flops.total == sum(line.flops for line in link.layer_flops())


def test_stronger_thresholds_leave_less():
    densities = [
        small(pruning=ll.HardThreshold(strength), learning_rate=5e-3).design(pilots(), channel()).transceiver.density
        for strength in (0.0, 10.0, 40.0, 400.0)
    ]
    assert densities == sorted(densities, reverse=True)
    assert densities[0] == 1.0
    assert densities[-1] == 0.0


@pytest.mark.parametrize("pruning", [ll.HardThreshold(40.0), ll.HardThreshold(400.0), ll.budget.Weights(0.05)])
def test_compacted_and_sparse_forms_are_the_same_function(pruning):
    link = small(**by(pruning), learning_rate=5e-3).design(pilots(), channel()).transceiver
    x, r = pilots(20, seed=4).x, channel().apply(link.encode(pilots(20, seed=4).x))
    for form in (link.compacted(), link.as_sparse(), link.compacted().as_sparse(), link.for_clock(x, 1)):
        torch.testing.assert_close(form.encode(x), link.encode(x), rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(form.decode(r), link.decode(r), rtol=1e-4, atol=1e-5)
    assert link.compacted().flops.total <= link.flops.total


@pytest.mark.parametrize("excess", [0, 400, 800])
def test_a_budget_of_operations_is_met_and_used(excess):
    full = small(epochs=1).design(pilots(), channel()).transceiver
    fixed = full.flops.total - 8 * (full.precoder.size + full.decoder.size)
    flops = fixed + 8 + excess
    link = small(budget=ll.budget.Flops(flops), epochs=4).design(pilots(), channel()).transceiver
    assert flops - 8 * 32 < link.flops.total <= flops  # units that die give their activation back
    with pytest.raises(ValueError, match=f"flops must be above {fixed}"):
        small(budget=ll.budget.Flops(fixed)).design(pilots(), channel())


def test_networks_that_lose_all_weights_send_nothing_and_say_so():
    solution = small(pruning=ll.HardThreshold(1e6)).design(pilots(), channel())
    assert solution.transceiver.density == 0.0
    assert float(solution.expected_power) == 0.0
    for link in (solution.transceiver, solution.transceiver.compacted(), solution.transceiver.compacted().as_sparse()):
        y_hat = ll.transmit(link, pilots().x, channel())
        torch.testing.assert_close(y_hat, pilots().y.mean(0).expand_as(y_hat), atol=1e-5, rtol=1e-5)


def test_forms_are_saved_with_the_link(tmp_path):
    link = small(budget=ll.budget.Weights(0.2)).design(pilots(), channel()).transceiver.compacted().as_sparse()
    link.save(tmp_path / "link.safetensors")
    loaded = ll.load(tmp_path / "link.safetensors")
    assert (loaded.precoder.form, loaded.decoder.form) == ("sparse", "sparse")
    assert torch.equal(loaded.encode(pilots(5).x), link.encode(pilots(5).x))
    assert loaded.flops == link.flops

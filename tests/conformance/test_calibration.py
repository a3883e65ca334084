"""Every link that can change its power spends the budget on the messages that it was calibrated with, and decodes them as before."""

import pytest
import torch

import latentlink as ll
from conformance.registry import D, M, channel, modes, pilots, solution
from latentlink.links.calibration import TOLERANCE, mean_power

SCALED = ("exact", "disjoint", "top-k", "digital", "codec")
EXACT = ("exact, per message", "neural")  # whose messages spend the budget one by one
X = 1.3 * pilots().x[:100] + 0.2


def link(name):
    return solution(name).transceiver


@pytest.mark.parametrize("name", SCALED)
def test_the_power_of_a_calibrated_link_is_the_budget(name):
    budget = link(name).channel.power
    before = mean_power(link(name), X, link(name).channel)
    assert ((before / budget - 1).abs() > 10 * TOLERANCE).any()
    calibrated = link(name).calibrated(X)
    torch.testing.assert_close(mean_power(calibrated, X, link(name).channel).to(budget), budget, rtol=TOLERANCE, atol=0)
    assert torch.equal(calibrated.channel.power, budget)


@pytest.mark.parametrize("name", EXACT)
def test_a_link_that_spends_the_budget_already_is_left_as_it_is(name):
    assert link(name).calibrated(X) is link(name)
    assert not link(name).scalable


@pytest.mark.parametrize("name", ["exact", "disjoint", "top-k", "codec"])
def test_without_noise_the_scaled_link_decodes_as_before(name):
    silent = ll.Channel(link(name).channel.h, 0.0)
    one = link(name)
    one = one if name == "codec" else one.matched_to(silent)  # a linear decoder is matched anew, which changes nothing without noise
    twice = one.scaled(torch.full(one.batch, 2.0, dtype=torch.float64))
    as_before = one.informed_by(X).decode(silent.apply(one.encode(X)))
    torch.testing.assert_close(twice.informed_by(X).decode(silent.apply(twice.encode(X))), as_before, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_decoder_of_a_scaled_exact_link_is_matched_to_its_signal(dtype):
    one = link("exact").to(dtype)
    twice = one.scaled(torch.full(one.batch, 2.0))
    torch.testing.assert_close(twice.decoder, twice.matched_to(one.channel).decoder)
    assert twice.precoder.dtype == dtype
    own = one.matched_to(ll.Channel(one.channel.h, 4.0))  # a decoder for another noise than that of its channel is left to its kind
    other = ll.LinearTransceiver(**{**vars(own), "channel": one.channel})
    torch.testing.assert_close(other.scaled(torch.full(one.batch, 4.0)).decoder, own.decoder / 2)


def test_a_calibrated_link_is_what_gain_control_designs():
    """One gain for a saved link gives what a new design with a corrected budget gives, but for how water-filling spreads the difference."""
    radio = channel((3,))
    x, y = 1.1 * pilots().x, 1.1 * pilots().y
    saved = ll.ClosedForm().design(modes(), radio).transceiver
    spent = mean_power(saved, x, radio)
    designed = ll.ClosedForm().design(modes(), radio.with_power(radio.power**2 / spent)).transceiver
    first, second = (ll.evaluate(one, x, y, channel=radio, generator=0) for one in (saved.calibrated(x), designed))
    torch.testing.assert_close(first.power, radio.power, rtol=TOLERANCE, atol=0)
    torch.testing.assert_close(first.nmse, second.nmse, rtol=2e-3, atol=0)


def test_what_is_no_latent_and_what_sends_nothing():
    with pytest.raises(ValueError, match="x is empty"):
        link("exact").calibrated(X[:0])
    with pytest.raises(ValueError, match=f"dim|{D}"):
        link("exact").calibrated(X[:, : D - 1])
    silent = ll.ClosedForm().design(modes(), ll.Channel(torch.zeros(1, 2, 2, dtype=torch.complex128), 1.0)).transceiver
    assert silent.calibrated(X) is silent
    assert len(silent.mean_y) == M

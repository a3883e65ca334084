"""What must not matter."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import latentlink as ll
from latentlink.channels.channel import Channel
from oracles import channel, moments, normal


def unitary(seed, n):
    return torch.linalg.qr(torch.complex(normal(seed, n, n), normal(seed + 1, n, n))).Q


def designed(one, power=None, csi=None, seed=1):
    modes = ll.semantic_modes(moments(seed, 7, 6), shrinkage=0.0)
    return ll.ClosedForm(power=power or ll.power.Mean(), csi=csi or ll.csi.BothEnds()).design(modes, one)


def same(first, second, rtol=1e-9):
    torch.testing.assert_close(first.expected_mse, second.expected_mse, rtol=rtol, atol=0.0)
    torch.testing.assert_close(first.expected_power, second.expected_power, rtol=rtol, atol=0.0)
    assert torch.equal(first.status, second.status)


POWERS = {"mean": (ll.power.Mean, 1e-9), "per use": (ll.power.PerUse, 1e-5)}  # per use is as exact as its gap


@pytest.mark.parametrize("power", POWERS)
@given(st.integers(0, 2**20), st.integers(1, 3), st.integers(1, 3), st.sampled_from([0.0, 0.05]))
def test_rotating_the_antennas_changes_nothing(power, seed, n_rx, n_tx, error):
    make, rtol = POWERS[power]
    one = channel(seed, n_rx, n_tx, uses=1)
    one = Channel(one.h, one.noise_variance, one.power, error_variance=error).repeated(2)
    turned = Channel(unitary(seed, n_rx) @ one.h @ unitary(seed + 5, n_tx), one.noise_variance, one.power, error_variance=error)
    same(designed(one, make()), designed(turned, make()), rtol)


@given(st.integers(0, 2**20), st.floats(-3, 3))
def test_scaling_channel_noise_and_error_together_changes_nothing(seed, exponent):
    one, c = channel(seed, 2, 3, uses=2), 10.0**exponent
    same(designed(one), designed(Channel(c * one.h, c**2 * one.noise_variance, one.power)))
    uncertain = Channel(one.h, one.noise_variance, one.power, error_variance=0.05)
    same(designed(uncertain), designed(Channel(c * one.h, c**2 * one.noise_variance, one.power, error_variance=c**2 * 0.05)))


@given(st.integers(0, 2**20), st.floats(-3, 3))
def test_power_and_noise_scale_together(seed, exponent):
    one, c = channel(seed, 2, 3), 10.0**exponent
    louder = designed(Channel(one.h, c * one.noise_variance, c * one.power))
    torch.testing.assert_close(louder.expected_mse, designed(one).expected_mse, rtol=1e-9, atol=0.0)
    torch.testing.assert_close(louder.expected_power, c * one.power, rtol=1e-9, atol=0.0)


@pytest.mark.parametrize("power", POWERS)
def test_the_order_of_uses_changes_nothing(power):
    make, rtol = POWERS[power]
    for seed in range(2):
        one = channel(seed, 2, 2, uses=3)
        shuffled = Channel(one.h[torch.tensor([2, 0, 1])], one.noise_variance, one.power)
        same(designed(one, make()), designed(shuffled, make()), rtol)


@given(st.integers(0, 2**20), st.integers(1, 2), st.integers(1, 2))
def test_an_antenna_that_hears_or_says_nothing_changes_nothing(seed, n_rx, n_tx):
    one = channel(seed, n_rx, n_tx)
    padded = Channel(torch.nn.functional.pad(one.h, (0, 1, 0, 2)), one.noise_variance, one.power)
    same(designed(one), designed(padded))


@given(st.integers(0, 2**20), st.floats(-20, 40), st.floats(0.0, 10.0))
def test_more_noise_less_power_or_more_doubt_never_helps(seed, snr_db, factor):
    one = channel(seed, 2, 2, uses=2, snr_db=snr_db)
    best = designed(one).expected_mse * (1 - 1e-12)
    for worse in (
        Channel(one.h, one.noise_variance * (1 + factor), one.power),
        Channel(one.h, one.noise_variance, one.power / (1 + factor)),
        Channel(one.h, one.noise_variance, one.power, error_variance=factor),
        Channel(one.h / (1 + factor), one.noise_variance, one.power),
    ):
        assert designed(worse).expected_mse >= best


@given(st.integers(0, 2**20))
def test_another_use_or_antenna_never_hurts(seed):
    one = channel(seed, 3, 3, uses=2)
    fewer = (one.h[:1], one.h[:, :2], one.h[:, :, :2])
    for h in fewer:
        assert designed(one).expected_mse <= designed(Channel(h, one.noise_variance, one.power)).expected_mse * (1 + 1e-12)


def test_designing_twice_gives_the_same():
    one = Channel(channel(3, 2, 2, uses=2).h, 0.1, 1.0, error_variance=0.05)
    for power in (ll.power.Mean(), ll.power.PerUse()):
        assert torch.equal(designed(one, power).transceiver.precoder, designed(one, power).transceiver.precoder)
    csi = ll.csi.Transmitter(draws=4)
    assert torch.equal(designed(one, csi=csi).expected_mse, designed(one, csi=csi).expected_mse)

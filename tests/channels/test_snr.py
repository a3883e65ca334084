import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from latentlink.channels.channel import Channel
from latentlink.channels.fading import rayleigh
from latentlink.channels.snr import SnrDefinition, convert_snr, noise_variance_from_snr, snr_db_from_noise_variance

OURS, TOTAL, RECEIVED = SnrDefinition.PER_TRANSMIT_ANTENNA, SnrDefinition.TOTAL_POWER, SnrDefinition.PER_RECEIVE_ANTENNA
DB, POWERS, ANTENNAS = st.floats(-60, 120), st.floats(1e-3, 1e3), st.integers(1, 64)
DEFINITIONS = st.sampled_from(SnrDefinition)


def scalar(value):
    return torch.tensor(value, dtype=torch.float64)


@given(DB, POWERS, ANTENNAS)
def test_decibels_go_round(snr_db, power, n_tx):
    noise = noise_variance_from_snr(scalar(snr_db), scalar(power), n_tx)
    torch.testing.assert_close(noise, scalar(power / n_tx * 10 ** (-snr_db / 10)))
    torch.testing.assert_close(snr_db_from_noise_variance(noise, scalar(power), n_tx), scalar(snr_db), rtol=1e-12, atol=1e-9)


def test_infinite_snr_is_no_noise_and_0_db_is_0_db():
    assert noise_variance_from_snr(scalar(math.inf), scalar(2.0), 4) == 0
    assert snr_db_from_noise_variance(scalar(0.0), scalar(2.0), 4) == math.inf
    assert noise_variance_from_snr(scalar(0.0), scalar(2.0), 4) == 0.5


@given(DB, DEFINITIONS, DEFINITIONS, DEFINITIONS, ANTENNAS, st.floats(1e-3, 1e3))
def test_definitions_convert_back_and_through_each_other(snr_db, a, b, c, n_tx, gain):
    there = convert_snr(snr_db, a, b, n_tx=n_tx, gain=gain)
    assert convert_snr(there, b, a, n_tx=n_tx, gain=gain) == pytest.approx(snr_db, abs=1e-9)
    assert convert_snr(there, b, c, n_tx=n_tx, gain=gain) == pytest.approx(convert_snr(snr_db, a, c, n_tx=n_tx, gain=gain), abs=1e-9)
    assert convert_snr(snr_db, a, a, n_tx=n_tx, gain=gain) == pytest.approx(snr_db, abs=1e-9)


@given(DB, POWERS, ANTENNAS)
def test_total_power_is_p_over_the_noise(snr_db, power, n_tx):
    noise = noise_variance_from_snr(scalar(snr_db), scalar(power), n_tx)
    assert convert_snr(snr_db, OURS, TOTAL, n_tx=n_tx) == pytest.approx(10 * (scalar(power) / noise).log10().item(), abs=1e-9)


def test_20_db_at_8x8_are_29_elsewhere_and_one_antenna_agrees_with_everyone():
    assert convert_snr(20.0, OURS, TOTAL, n_tx=8) == pytest.approx(29.03, abs=5e-3)
    assert convert_snr(20.0, OURS, RECEIVED, n_tx=8, gain=0.5) == pytest.approx(26.02, abs=5e-3)
    for definition in SnrDefinition:
        assert convert_snr(7.0, definition, OURS, n_tx=1) == 7.0


def test_the_receive_antenna_definition_is_what_a_receive_antenna_measures():
    snr_db, power, n_rx, n_tx, gain, n = 3.0, 2.0, 3, 4, 0.5, 40_000
    generator = torch.Generator().manual_seed(0)
    h = rayleigh(n_rx, n_tx, gain, batch=(n,), generator=generator)
    channel = Channel.from_snr(h, snr_db, power)
    s = math.sqrt(power / n_tx) * torch.randn(n, n_tx, 1, dtype=h.dtype, generator=generator)  # isotropic, E||s||² = P
    ratio = (h @ s).abs().square().sum((-2, -1)) / n_rx / channel.noise_variance
    measured, deviation = ratio.mean().item(), ratio.std().item() / math.sqrt(n)
    assert abs(measured - 10 ** (convert_snr(snr_db, OURS, RECEIVED, n_tx=n_tx, gain=gain) / 10)) < 5 * deviation


def test_impossible_links_are_refused():
    with pytest.raises(ValueError, match="n_tx must be an integer >= 1, got 0"):
        convert_snr(0.0, OURS, TOTAL, n_tx=0)
    for gain in (0.0, -1.0, math.nan):
        with pytest.raises(ValueError, match="gain must be a"):
            convert_snr(0.0, OURS, RECEIVED, n_tx=2, gain=gain)

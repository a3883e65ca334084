import math

import pytest
import torch

import latentlink as ll
from latentlink.channels.snr import SnrDefinition


def seeded(seed):
    return torch.Generator().manual_seed(seed)


def test_a_link_budget_by_hand():
    """46 dBm over 10 MHz at two antennas, noise figure 7 dB: 46 − (−173.98 + 70 + 7) − 3.01."""
    assert ll.channels.link_budget_snr_db(46.0, 10e6, 2, noise_figure_db=7.0) == pytest.approx(46 + 173.98 - 70 - 7 - 10 * math.log10(2))
    assert ll.channels.link_budget_snr_db(44.0, 20e6, 8) == pytest.approx(126.94, abs=0.01)


@pytest.mark.parametrize(("n_rx", "n_tx"), [(4, 2), (3, 3), (8, 1)])
def test_zero_forcing_leaves_what_the_converter_says_on_average(n_rx, n_tx):
    """Over Rayleigh fading the stream SNR is chi-square with 2 (n_rx − n_tx + 1) degrees: its mean within 5 standard errors."""
    h = ll.rayleigh(n_rx, n_tx, gain=0.5, batch=(20_000,), generator=seeded(1))
    snr = 10 ** (ll.channels.equalised_snr_db(ll.Channel.from_snr(h, 7.0)) / 10)
    expected = 10 ** (
        ll.channels.convert_snr(7.0, SnrDefinition.PER_TRANSMIT_ANTENNA, SnrDefinition.POST_EQUALISATION, n_tx=n_tx, gain=0.5, n_rx=n_rx)
        / 10
    )
    deviation = snr.std().item() / math.sqrt(20_000)
    assert abs(snr.mean().item() - expected) < 5 * deviation


def test_the_filters_leave_what_they_leave():
    """Against direct matrices: zero forcing by the pseudo-inverse, MMSE by its filter, signal over interference and noise."""
    one = ll.Channel.from_snr(ll.rayleigh(4, 3, batch=(5,), generator=seeded(2)), 5.0)
    H, noise, p = one.h[:, 0], one.noise_variance, 1 / 3
    G = torch.linalg.pinv(H)
    zf = 10 * torch.log10(p / (noise[:, None] * G.abs().square().sum(-1)))
    torch.testing.assert_close(ll.channels.equalised_snr_db(one)[:, 0], zf)
    G = torch.linalg.solve(H.mH @ H + noise[:, None, None] / p * torch.eye(3), H.mH)
    T = (G @ H).abs().square()
    signal = p * T.diagonal(dim1=-2, dim2=-1)
    rest = p * T.sum(-1) - signal + noise[:, None] * G.abs().square().sum(-1)
    torch.testing.assert_close(ll.channels.equalised_snr_db(one, "mmse")[:, 0], 10 * torch.log10(signal / rest))
    assert (ll.channels.equalised_snr_db(one, "mmse") >= ll.channels.equalised_snr_db(one) - 1e-9).all()


def test_what_cannot_be_zero_forced_has_no_snr():
    wide = ll.Channel.from_snr(ll.rayleigh(1, 2, generator=seeded(3)), 5.0)
    assert ll.channels.equalised_snr_db(wide).isneginf().all()
    assert ll.channels.equalised_snr_db(wide, "mmse").isfinite().all()


def test_mistakes_are_named():
    one = ll.Channel.from_snr(ll.rayleigh(1, 2), 5.0)
    with pytest.raises(ValueError, match="noise_variance 0"):
        ll.channels.equalised_snr_db(ll.Channel(one.h))
    with pytest.raises(ValueError, match="bandwidth_hz must be a finite number > 0, got 0"):
        ll.channels.link_budget_snr_db(1.0, 0.0, 1)
    with pytest.raises(ValueError, match="n_tx must be an integer >= 1"):
        ll.channels.link_budget_snr_db(1.0, 1.0, 0)
    with pytest.raises(ValueError, match="n_rx must be at least n_tx = 2 for an SNR after zero forcing, got 1"):
        ll.channels.convert_snr(1.0, SnrDefinition.TOTAL_POWER, SnrDefinition.POST_EQUALISATION, n_tx=2, n_rx=1)

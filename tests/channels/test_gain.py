"""A path loss that was left in the channels is told where an SNR is given to them; usual channels are not accused."""

import math
import warnings

import pytest
import torch

import latentlink as ll

H = ll.rayleigh(2, 2, batch=(5,), generator=0)


@pytest.mark.parametrize("factor", [1e-6, 1e-20, 1e6, 1e25])
def test_a_scale_that_no_radio_has_is_told_with_the_remedy(factor):
    with pytest.warns(UserWarning, match=r"mean SNR at a receive antenna is .* dB, since mean \|h\|² is .*: normalise the channels"):
        ll.Channel.from_snr(H.to(torch.complex128) * factor, 20.0)


@pytest.mark.parametrize(("factor", "snr_db"), [(1.0, 20.0), (0.0, 20.0), (1.0, float("inf")), (1e-5, 110.0), (1e-2, -10.0), (1.0, 60.0)])
def test_what_arrives_counts_and_not_the_gain_alone(factor, snr_db):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ll.Channel.from_snr(H * factor, snr_db)


def test_an_unusual_snr_is_told_by_its_own_name():
    with pytest.warns(UserWarning, match=r"is 40\d dB, since snr_db is 400 and mean \|h\|² .*: give snr_db in dB"):
        ll.Channel.from_snr(H, 400.0)


def test_magnitudes_are_told_from_channels_with_phases():
    for magnitudes in (H.abs(), H.abs()[:, :1, :1]):
        with pytest.warns(UserWarning, match="imaginary parts of all channels are zero: .* complex baseband coefficients"):
            ll.Channel.from_snr(magnitudes + 0j, 20.0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for h in (H, H[0].abs() + 0j, torch.eye(2).expand(5, 2, 2) + 0j, torch.rand(5, 2).diag_embed() + 0j, torch.zeros_like(H)):
            ll.Channel.from_snr(h, 20.0)


@pytest.mark.parametrize("factor", [1e-3, 1e3])
def test_a_prior_that_is_not_that_of_the_channels_is_told(factor):
    channel = ll.Channel.from_snr(H * factor, 20.0 - 20 * math.log10(factor))
    prior = factor**2
    for known in (lambda **given: ll.csi.quantise_feedback(channel, 4, **given), lambda **given: channel.estimated(1e-8, **given)):
        with pytest.warns(
            UserWarning, match=r"gain is 1, the prior of each coefficient, and mean \|h\|² of the channels is .*: give gain=mean"
        ):
            known()
        known(gain=prior)  # warnings are errors here


def test_priors_of_faded_silent_and_hardly_known_channels_are_not_accused():
    channel = ll.Channel.from_snr(H, 20.0)
    assert channel.estimated(1e6, generator=0).error_variance.max() <= 1
    ll.csi.quantise_feedback(channel.estimated(1e6, generator=0), 4)
    ll.Channel(torch.zeros(1, 2, 2, dtype=torch.complex64)).estimated(0.0)
    ll.csi.quantise_feedback(ll.Channel.from_snr(H[:1] * 0.02, 40.0), 4)

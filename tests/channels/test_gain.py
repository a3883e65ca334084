"""A path loss that was left in the channels is told where an SNR is given to them; usual channels are not accused."""

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

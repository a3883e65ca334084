import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from latentlink.channels.csi.posterior import inflate, posterior
from latentlink.channels.fading import rayleigh


@given(st.floats(0, 10), st.floats(1e-3, 10))
def test_the_posterior_splits_the_prior(error_variance, gain):
    estimate = rayleigh(2, 2, generator=torch.Generator().manual_seed(0)).unsqueeze(0)
    mean, uncertainty = posterior(estimate, torch.tensor(error_variance, dtype=torch.float64), gain)
    trust = (mean / estimate).real
    torch.testing.assert_close(trust**2 * (gain + error_variance) + uncertainty, torch.full_like(trust, gain))  # law of total variance
    assert 0 <= uncertainty <= min(gain, error_variance) * (1 + 1e-12)


@given(st.integers(0, 2**31), st.integers(1, 4), st.integers(1, 4), st.floats(0, 2))
def test_the_inflated_channel_is_a_root_of_the_second_moment(seed, n_rx, n_tx, tau):
    h = rayleigh(n_rx, n_tx, batch=(3, 2), generator=torch.Generator().manual_seed(seed))
    amplitude, V = inflate(h, torch.full((3,), tau, dtype=torch.float64))
    expected = h.mH @ h + n_rx * tau * torch.eye(n_tx)
    torch.testing.assert_close((V * amplitude.square().unsqueeze(-2)) @ V.mH, expected)
    torch.testing.assert_close(V.mH @ V, torch.eye(n_tx, dtype=V.dtype).expand_as(V))
    assert (amplitude.diff() <= 0).all()


@pytest.mark.parametrize("gain", [0.0, -1.0, math.inf, math.nan])
def test_a_prior_needs_a_positive_gain(gain):
    with pytest.raises(ValueError, match="gain must be a finite number > 0"):
        posterior(torch.ones(1, 1, 1, dtype=torch.complex128), torch.tensor(0.1), gain)

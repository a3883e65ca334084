"""Robust against naive, under the error model H = H̄ + E, E ~ CN(0, τ): how much a design gains that knows of the error.

Monte Carlo draws are paired (the same errors for both) and antithetic (E and −E count as one draw): what is linear in E cancels. Bounds
are one-sided, at three standard errors: 99.87 % for each comparison.
"""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import latentlink as ll
from latentlink.channels.channel import Channel, is_block_fading
from latentlink.linear.mse import total_mse
from oracles import channel, dense_pair, descend, least_mean_error, moments, normal, seeded

Z = 3.0
KNOWN = moments(1, 14, 12)
MODES = ll.semantic_modes(KNOWN, shrinkage=0.0)
GOAL = ll.semantic_modes(KNOWN, ll.Goal(normal(2, 3, 12), fidelity=0.1), shrinkage=0.2)
COMPLEX = ll.semantic_modes(KNOWN, shrinkage=0.0, widely_linear=False)


def estimated(shape, uses, snr_db, error_variance, batch, seed=0, times=1):
    truth = Channel.from_grid(ll.rayleigh(*shape, batch=(*batch, uses), generator=seeded(seed)), snr_db)
    return truth.repeated(times).estimated(error_variance, generator=seeded(seed + 1))


def naive_of(known):
    return Channel(known.h, known.noise_variance, known.power)


def weighted(modes, T, noise):
    """Σ b² of what is left of each mode under the design covariance: what a design minimises."""
    b = modes.strength[: T.shape[-1]]
    return modes.weighted_variance - b.square().sum() + (1 - 2 * T + T @ T.mT + noise).diagonal(dim1=-2, dim2=-1) @ b.square()


def drawn(known, draws, seed):
    """Pairs of channels H̄ ± E."""
    uses = 1 if is_block_fading(known.h) else known.uses
    E = ll.rayleigh(known.n_rx, known.n_tx, batch=(draws, *known.batch, uses), generator=seeded(seed))
    E = known.error_variance.sqrt()[..., None, None, None] * E
    return [Channel(known.h + sign * E, known.noise_variance, known.power) for sign in (1, -1)]


def over(modes, link, channels):
    return sum(weighted(modes, *link.response(one)) for one in channels) / len(channels)


SETTINGS = [  # n_rx, n_tx, uses, repeated, SNR
    (1, 1, 1, 1, 10.0),
    (2, 2, 1, 1, 20.0),
    (4, 4, 1, 1, 0.0),
    (2, 4, 1, 1, 10.0),
    (4, 2, 1, 1, 30.0),
    (1, 1, 3, 1, 20.0),
    (2, 2, 4, 1, 10.0),
    (3, 2, 2, 1, 30.0),
    (1, 1, 1, 3, 10.0),
    (2, 2, 1, 4, 20.0),
    (2, 3, 2, 2, 10.0),
]


class TestAtBothEnds:
    @pytest.mark.parametrize("error_variance", [1e-3, 0.03, 0.3, 3.0])
    @pytest.mark.parametrize(("n_rx", "n_tx", "uses", "times", "snr_db"), SETTINGS)
    def test_robust_beats_naive_over_drawn_errors(self, n_rx, n_tx, uses, times, snr_db, error_variance):
        known = estimated((n_rx, n_tx), uses, snr_db, error_variance, (10,), times=times)
        robust, naive = (ll.ClosedForm().design(MODES, one).transceiver for one in (known, naive_of(known)))
        channels = drawn(known, 400, seed=3)
        gain = (over(MODES, naive, channels) - over(MODES, robust, channels)).mean(-1)  # of each draw, over ten estimates
        assert gain.mean() - Z * gain.std() / len(gain) ** 0.5 > 0

    @given(
        st.integers(0, 2**20),
        st.sampled_from(SETTINGS),
        st.floats(-10, 40),
        st.floats(1e-5, 10),
        st.sampled_from([MODES, GOAL, COMPLEX]),
    )
    def test_robust_beats_naive_for_every_estimate_in_the_exact_mean(self, seed, setting, snr_db, error_variance, modes):
        """Strictly: with the naive precoder alone the decoder's gain is positive, and the best of the precoders tried is no worse."""
        n_rx, n_tx, uses, times, _ = setting
        known = estimated((n_rx, n_tx), uses, snr_db, error_variance, (6,), seed, times)
        robust, naive = (ll.ClosedForm().design(modes, one).transceiver for one in (known, naive_of(known)))
        mine, other = (weighted(modes, *link.response(known)) for link in (robust, naive))
        assert (mine < other).all()

    def test_they_tie_where_nothing_is_sent_or_nothing_is_unknown(self):
        known = estimated((2, 2), 2, 10.0, 0.3, ())
        corners = [
            Channel(known.h, known.noise_variance, 0.0, error_variance=known.error_variance),
            Channel(torch.zeros_like(known.h), known.noise_variance, 1.0, error_variance=known.error_variance),
            naive_of(known),
        ]
        for corner in corners:
            robust, naive = (ll.ClosedForm().design(MODES, one).transceiver for one in (corner, naive_of(corner)))
            torch.testing.assert_close(weighted(MODES, *robust.response(corner)), weighted(MODES, *naive.response(corner)))

    @pytest.mark.parametrize(("uses", "times"), [(1, 2), (3, 1)])
    def test_little_is_left_to_gain_over_several_uses(self, uses, times):
        """2×2, 8 modes: the best of six descents over all precoders, with the best decoder of each; naive is up to 30 % above it."""
        few = moments(41, 8, 8)
        modes = ll.semantic_modes(few, shrinkage=0.0)
        gaps = []
        for seed in range(3):
            known = estimated((2, 2), uses, 15.0, 0.3, (), 10 * seed, times)
            found = descend(lambda F, one=known: least_mean_error(few, one, F, times > 1), normal(1, 6, 2 * known.uses * 2, 8), 100).min()
            robust = ll.ClosedForm().design(modes, known).expected_mse
            naive = ll.ClosedForm().design(modes, naive_of(known)).transceiver
            assert robust <= least_mean_error(few, known, dense_pair(naive)[0], times > 1)
            gaps.append(robust / found - 1)
        assert max(gaps) < 0.03


class TestAtTheTransmitter:
    @pytest.mark.parametrize("error_variance", [0.03, 0.3, 1.0])
    @pytest.mark.parametrize(("n_rx", "n_tx", "uses", "times", "snr_db"), SETTINGS)
    def test_the_choice_is_never_worse_than_naive(self, n_rx, n_tx, uses, times, snr_db, error_variance):
        """On errors that the choice has not seen, channel by channel at four standard errors (some 330 channels), and in the mean."""
        known = estimated((n_rx, n_tx), uses, snr_db, error_variance, (10,), times=times)
        chosen = ll.ClosedForm(csi=ll.csi.Transmitter()).design(MODES, known)
        naive = ll.ClosedForm().design(MODES, naive_of(known)).transceiver
        same = chosen.trace["candidate"] == 0
        channels = drawn(known, 100, seed=9)
        mine, other = (
            sum(weighted(MODES, *link.matched_to(one).response()) for one in channels) / 2 for link in (chosen.transceiver, naive)
        )
        loss = mine - other
        assert (loss.abs()[:, same] <= 1e-6 * other[:, same]).all()
        assert (loss.mean(0) <= 4 * loss.std(0) / len(loss) ** 0.5 + 1e-6 * other.mean(0)).all()
        assert loss.mean() <= 1e-6 * other.mean()

    def test_it_pays_where_much_is_unknown_and_little_noise(self):
        known = estimated((4, 4), 1, 20.0, 1.0, (20,))
        chosen = ll.ClosedForm(csi=ll.csi.Transmitter()).design(MODES, known)
        naive = ll.ClosedForm().design(MODES, naive_of(known)).transceiver
        channels = drawn(known, 100, seed=9)
        mine, other = (sum(weighted(MODES, *link.matched_to(one).response()) for one in channels) for link in (chosen.transceiver, naive))
        gain = (other - mine).mean(-1)
        assert (chosen.trace["candidate"] > 0).any()
        assert gain.mean() - Z * gain.std() / len(gain) ** 0.5 > 0


class TestEstimatedFromPilots:
    """The error is then not the model's: it is common to neighbouring elements. The mean over channels, 99.87 %."""

    STATISTICS = ll.csi.ScatteringStatistics(rms_delay_spread_s=200e-9, doppler_hz=150.0)
    PILOTS = ll.channels.ResourceElements.comb(12, 48)

    @pytest.mark.parametrize("delay", [0, 28])
    def test_robust_beats_naive_on_what_pilots_tell(self, delay):
        message = ll.channels.ResourceElements.over_frequency(3, 48, symbol=12).delayed(delay)
        both = ll.channels.ResourceElements(self.PILOTS.subcarriers + message.subcarriers, self.PILOTS.symbols + message.symbols)
        values, vectors = torch.linalg.eigh(self.STATISTICS.covariance(both, both))
        h = (vectors * values.clamp(min=0).sqrt()) @ ll.rayleigh(len(both), 4, batch=(400,), generator=seeded(0))
        at_pilots, at_message = h.unflatten(-1, (2, 2)).split([len(self.PILOTS), len(message)], dim=-3)
        truth = Channel.from_grid(at_message, 15.0)
        best = ll.csi.lmmse_estimator(self.STATISTICS, self.PILOTS, message, pilot_noise=0.05)
        plain = ll.csi.least_squares_estimator(self.STATISTICS, self.PILOTS, message, pilot_noise=0.05)
        lmmse, corrected, interpolated = (e.known(truth, at_pilots, seeded(1)) for e in (best, plain.corrected(), plain))
        links = [ll.ClosedForm().design(MODES, one).transceiver for one in (lmmse, naive_of(lmmse), corrected, naive_of(interpolated))]
        errors = [weighted(MODES, *link.response(truth)) for link in links]
        for mine, other in ((errors[0], errors[1]), (errors[2], errors[3]), (errors[0], errors[2])):
            gain = other - mine
            assert gain.mean() - Z * gain.std() / len(gain) ** 0.5 > 0
        promised = ll.ClosedForm().design(MODES, lmmse).expected_mse
        left = errors[0] - promised
        assert left.mean().abs() < 5 * left.std() / len(left) ** 0.5 + 0.02 * promised.mean()  # one τ for all elements of a message


@pytest.mark.parametrize("shrinkage", ["auto", 1.0])
@pytest.mark.parametrize("uses", [1, 3, "repeated"])
@pytest.mark.parametrize("error_variance", [1e-4, 1e-2, 0.1])
def test_under_shrinkage_the_robust_pair_is_never_worse_than_the_naive_one_for_the_pilots(shrinkage, uses, error_variance):
    """With few pilots their covariance is less than the design's, and so is the noise that the error makes: exact, channel by channel."""
    modes = ll.semantic_modes(moments(1, 20, 12, n=40), shrinkage=shrinkage)
    truth = channel(2, 2, 2, 3 if uses == 3 else 1, 30.0, batch=(200,))
    known = (truth.repeated(3) if uses == "repeated" else truth).estimated(error_variance, generator=seeded(3))
    robust, naive = (ll.ClosedForm().design(modes, one) for one in (known, known.without_error()))
    s = naive.transceiver.streams.shape[-1]
    expected = total_mse(modes, *naive.transceiver.response(known, modes.covariance[:s, :s]))
    assert (robust.expected_mse <= expected * (1 + 1e-9)).all()
    measured = total_mse(modes, *robust.transceiver.response(known, modes.covariance[:s, :s]))
    torch.testing.assert_close(robust.expected_mse, measured, rtol=1e-9, atol=0.0)

import math

import pytest
import torch

import latentlink as ll
from latentlink.channels.channel import Channel
from latentlink.channels.csi.ageing import age_channel, age_estimate
from latentlink.channels.csi.estimation import least_squares_estimator, lmmse_estimator
from latentlink.channels.csi.posterior import posterior
from latentlink.channels.csi.statistics import SampledStatistics, ScatteringStatistics, correlation_over_time, doppler_hz
from latentlink.channels.ofdm import ResourceElements

SIGMAS = 5


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def statistics(**changes):
    return ScatteringStatistics(**{"rms_delay_spread_s": 300e-9, "doppler_hz": 200.0, "gain": 0.7, **changes})


def root(R):
    values, vectors = torch.linalg.eigh(R)
    return vectors * values.clamp(min=0).sqrt()


def drawn(known, sets, count, seed=0):
    """Channels (count, elements, 1, 1) at several sets of elements, Gaussian with these statistics."""
    together = ResourceElements(*(sum((getattr(one, name) for one in sets), ()) for name in ("subcarriers", "symbols")))
    w = ll.rayleigh(len(together), 1, batch=(count,), generator=seeded(seed))
    h = root(known.covariance(together, together)) @ w
    return [part.unsqueeze(-1) for part in h.split([len(one) for one in sets], dim=-2)]


PILOTS = ResourceElements.comb(6, 48)
MESSAGE = ResourceElements.over_frequency(7, 48, symbol=5)


class TestStatistics:
    def test_paths_are_a_sum_of_phasors_and_turn_with_frequency(self):
        known = ScatteringStatistics(delays_s=(0.0, 1e-6), powers=(3.0, 1.0), subcarrier_spacing_hz=15e3, gain=2.0)
        R = known.covariance(ResourceElements((5,), (0,)), ResourceElements((0, 5), (0, 0)))
        expected = 2 * (0.75 + 0.25 * torch.polar(torch.tensor(1.0), torch.tensor(-2 * math.pi * 75e3 * 1e-6)).to(torch.complex128))
        torch.testing.assert_close(R[0], torch.stack([expected, torch.tensor(2 + 0j, dtype=torch.complex128)]), rtol=1e-6, atol=0.0)

    def test_an_exponential_profile_is_the_limit_of_its_paths(self):
        delays = torch.arange(4000, dtype=torch.float64) * 2e-9
        paths = ScatteringStatistics(tuple(delays.tolist()), tuple((-delays / 300e-9).exp().tolist()), doppler_hz=200.0, gain=0.7)
        elements = ResourceElements.block(8, 3)
        expected = statistics().covariance(elements, elements)
        torch.testing.assert_close(paths.covariance(elements, elements), expected, rtol=0.0, atol=2e-3)

    def test_time_is_jakes(self):
        known = statistics(doppler_hz=500.0)
        later = known.covariance(ResourceElements((3,), (28,)), ResourceElements((3,), (0,)))
        torch.testing.assert_close(later.real.squeeze(), 0.7 * correlation_over_time(1e-3, 500.0))  # 28 symbols of 30 kHz are 1 ms
        waves = (torch.arange(1000, dtype=torch.float64) * 2 * math.pi / 1000).cos()
        torch.testing.assert_close(correlation_over_time(1e-3, 500.0), (2 * math.pi * 0.5 * waves).cos().mean())
        assert doppler_hz(30 / 3.6, 3.5e9) == pytest.approx(97.3, abs=0.1)

    def test_the_standards_profiles_are_those_of_sionna(self):
        ofdm = pytest.importorskip("sionna.phy.ofdm")
        theirs = ofdm.tdl_freq_cov_mat("A", 30e3, 32, 100e-9, precision="double", device="cpu")
        from sionna.phy.channel.tr38901 import TDL

        tdl = TDL("A", 100e-9, 3.5e9, precision="double", device="cpu")
        known = ScatteringStatistics(tuple(tdl.delays.tolist()), tuple(tdl.mean_powers.tolist()))
        band = ResourceElements.contiguous(32)
        torch.testing.assert_close(known.covariance(band, band), theirs, rtol=0.0, atol=1e-6)

    def test_a_bank_gives_the_covariance_it_was_drawn_with(self):
        elements = ResourceElements.block(4, 3)
        known = statistics()
        (bank,) = drawn(known, [elements], 20_000)
        sampled = SampledStatistics.of(bank, elements)
        few = ResourceElements((1, 2), (0, 2))
        torch.testing.assert_close(
            sampled.covariance(few, elements), known.covariance(few, elements), rtol=0.0, atol=SIGMAS * 0.7 / 20_000**0.5
        )
        with pytest.raises(ValueError, match="among the bank's"):
            sampled.covariance(few, ResourceElements((4,), (0,)))

    @pytest.mark.parametrize(
        ("changes", "name"),
        [
            ({"rms_delay_spread_s": None}, "rms_delay_spread_s"),
            ({"delays_s": (0.0,), "powers": (1.0,)}, "rms_delay_spread_s"),
            ({"rms_delay_spread_s": None, "delays_s": (0.0,), "powers": ()}, "powers"),
            ({"rms_delay_spread_s": None, "delays_s": (0.0,), "powers": (0.0,)}, "powers"),
            ({"doppler_hz": -1.0}, "doppler_hz"),
            ({"gain": 0.0}, "gain"),
            ({"subcarrier_spacing_hz": math.inf}, "subcarrier_spacing_hz"),
        ],
    )
    def test_wrong_input_is_named(self, changes, name):
        with pytest.raises(ValueError, match=name):
            statistics(**changes)


class TestEstimators:
    def test_lmmse_conditions_the_joint_gaussian(self):
        """The Schur complement of the joint covariance of message and pilots, by its inverse's blocks."""
        known, noise = statistics(), 0.05
        R_dd, R_dp, R_pp = known.covariance(MESSAGE, MESSAGE), known.covariance(MESSAGE, PILOTS), known.covariance(PILOTS, PILOTS)
        joint = torch.cat([torch.cat([R_dd, R_dp], 1), torch.cat([R_dp.mH, R_pp + noise * torch.eye(len(PILOTS))], 1)])
        precision = torch.linalg.inv(joint + 1e-11 * torch.eye(len(joint)))  # an oracle may
        u = len(MESSAGE)
        estimator = lmmse_estimator(known, PILOTS, MESSAGE, pilot_noise=noise)
        torch.testing.assert_close(estimator.weights, -torch.linalg.solve(precision[:u, :u], precision[:u, u:]), rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(estimator.error_variance, torch.linalg.inv(precision[:u, :u]).diagonal().real, rtol=1e-4, atol=1e-7)

    def test_lmmse_is_sionnas_where_pilots_take_one_symbol(self):
        ofdm = pytest.importorskip("sionna.phy.ofdm")
        grid = ofdm.ResourceGrid(4, 24, 30e3, num_streams_per_tx=4, pilot_pattern="kronecker", pilot_ofdm_symbol_indices=[1])
        known, noise, band = statistics(gain=1.0, doppler_hz=900.0), 0.1, ResourceElements.contiguous(24)
        in_time = known.covariance(ResourceElements.over_slots(14, 1), ResourceElements.over_slots(14, 1))[:4, :4]
        theirs = ofdm.LMMSEChannelEstimator(
            grid, in_time.to(torch.complex64), known.covariance(band, band).to(torch.complex64), order="f-t", device="cpu"
        )
        sent = torch.as_tensor(grid.pilot_pattern.pilots)[0, 0]  # of the first stream, zero where others have theirs
        own = tuple(sent.abs().nonzero().flatten().tolist())
        seen = torch.randn(1, 24, dtype=torch.complex64, generator=seeded(1))
        y = torch.zeros(1, 1, 1, 4, 24, dtype=torch.complex64)
        y[0, 0, 0, 1] = seen * sent.cpu()
        h, error = theirs(y, torch.tensor(noise))
        ours = lmmse_estimator(
            known,
            ResourceElements(own, (1,) * len(own)),
            ResourceElements.block(24, 4),
            pilot_noise=noise / float(sent.abs().square().max()),
        )
        estimate = ours.weights @ seen[0, list(own)].to(torch.complex128)
        torch.testing.assert_close(h[0, 0, 0, 0, 0].flatten().cpu().to(torch.complex128), estimate, rtol=0.0, atol=1e-4)
        torch.testing.assert_close(error[0, 0, 0, 0, 0].flatten().cpu().double(), ours.error_variance, rtol=0.0, atol=1e-4)

    @pytest.mark.parametrize("estimator", [lmmse_estimator, least_squares_estimator])
    @pytest.mark.parametrize("delay", [0, 20])
    def test_the_error_is_what_it_is_said_to_be(self, estimator, delay):
        """20,000 channels, element by element, within five standard errors; what correction leaves is also white on the estimate."""
        known, count, message = statistics(), 20_000, MESSAGE.delayed(delay)
        at_pilots, truth = drawn(known, [PILOTS, message], count)
        one = estimator(known, PILOTS, message, pilot_noise=0.05)
        for used in (one, one.corrected()):
            error = truth - used.estimate(at_pilots, seeded(1))
            measured = error.abs().square().mean(0).flatten()
            assert ((measured - used.error_variance).abs() <= SIGMAS * used.error_variance / count**0.5).all()
        estimate = one.corrected().estimate(at_pilots, seeded(1))
        correlation = ((truth - estimate) * estimate.conj()).mean(0).abs().flatten()
        assert (correlation <= SIGMAS * (one.uncertainty * 0.7 / count).sqrt()).all()

    def test_more_of_pilots_never_hurts_and_age_does(self):
        known = statistics()

        def error(spacing=6, noise=0.1, delay=0):
            pilots, message = ResourceElements.comb(spacing, 48, (0,)), MESSAGE.delayed(delay)
            return lmmse_estimator(known, pilots, message, pilot_noise=noise).error_variance.mean().item()

        assert error(noise=1.0) > error(noise=0.1) > error(noise=0.01) > error(noise=0.0)
        everywhere, half = ResourceElements.comb(1, 48, (0,)), ResourceElements(tuple(range(0, 48, 2)), (0,) * 24)
        quarter = ResourceElements(tuple(range(0, 48, 4)), (0,) * 12)
        errors = [lmmse_estimator(known, pilots, MESSAGE, pilot_noise=0.1).error_variance for pilots in (everywhere, half, quarter)]
        assert (errors[0] < errors[1]).all()
        assert (errors[1] < errors[2]).all()
        ages = [error(delay=delay) for delay in (0, 10, 20, 30, 40)]
        assert ages == sorted(ages)

    def test_long_after_the_pilots_only_the_prior_is_left(self):
        known, late = statistics(doppler_hz=2000.0), MESSAGE.delayed(200_000)
        old = lmmse_estimator(known, PILOTS, late, pilot_noise=0.01)
        assert (old.error_variance > 0.7 * 0.99).all()
        assert (old.error_variance <= 0.7 * (1 + 1e-12)).all()
        held = least_squares_estimator(known, PILOTS, late, pilot_noise=0.01)
        assert (held.error_variance > 1.9 * 0.7 * 0.9).all()  # an outdated estimate used as it is is worse than none
        torch.testing.assert_close(held.uncertainty, old.error_variance, rtol=0.02, atol=0.0)

    def test_lmmse_beats_what_correction_makes_of_interpolation(self):
        known = statistics()
        best, linear, nearest = (
            lmmse_estimator(known, PILOTS, MESSAGE, pilot_noise=0.1),
            *(least_squares_estimator(known, PILOTS, MESSAGE, pilot_noise=0.1, linear=x) for x in (True, False)),
        )
        assert (best.error_variance < linear.uncertainty).all()
        assert (linear.uncertainty < linear.error_variance).all()
        assert linear.error_variance.mean() < nearest.error_variance.mean()

    def test_interpolation_is_linear_in_frequency_and_time_and_held_outside(self):
        pilots = ResourceElements((4, 8, 4, 8), (2, 2, 6, 6))
        message = ResourceElements((5, 0, 9, 4, 6), (2, 2, 9, 5, 4))
        A = least_squares_estimator(statistics(), pilots, message, pilot_noise=0.0).weights
        expected = [[0.75, 0.25, 0, 0], [1, 0, 0, 0], [0, 0, 0, 1], [0.25, 0, 0.75, 0], [0.25] * 4]
        torch.testing.assert_close(A, torch.tensor(expected, dtype=torch.complex128))
        nearest = least_squares_estimator(statistics(), pilots, message, pilot_noise=0.0, linear=False).weights
        torch.testing.assert_close(
            nearest[:4], torch.tensor([[1, 0, 0, 0], [1, 0, 0, 0], [0, 0, 0, 1], [0, 0, 1, 0]], dtype=torch.complex128)
        )

    def test_one_pilot_at_the_element_is_the_scalar_posterior(self):
        one = ResourceElements((3,), (4,))
        least = least_squares_estimator(statistics(gain=2.0), one, one, pilot_noise=0.5)
        both = (lmmse_estimator(statistics(gain=2.0), one, one, pilot_noise=0.5), least.corrected())
        _, tau = posterior(torch.ones(1, 1, 1, dtype=torch.complex128), torch.tensor(0.5, dtype=torch.float64), 2.0)
        for estimator in both:
            torch.testing.assert_close(estimator.weights.real.squeeze(), torch.tensor(2.0 / 2.5, dtype=torch.float64))
            torch.testing.assert_close(estimator.error_variance.squeeze(), tau)
        assert least.error_variance.item() == pytest.approx(0.5)

    def test_what_is_known_is_a_channel_and_noises_are_a_batch(self):
        known = statistics()
        h = ll.rayleigh(3, 2, batch=(4, 1, len(PILOTS)), generator=seeded())
        truth = Channel(ll.rayleigh(3, 2, batch=(4, 1, len(MESSAGE)), generator=seeded()), 0.1)
        estimator = lmmse_estimator(known, PILOTS, MESSAGE, pilot_noise=[0.01, 1.0])
        seen = estimator.known(truth, h, seeded(2))
        assert seen.h.shape == (4, 2, len(MESSAGE), 3, 2)
        torch.testing.assert_close(seen.error_variance[3], estimator.error_variance.mean(-1))
        alone = lmmse_estimator(known, PILOTS, MESSAGE, pilot_noise=1.0)
        torch.testing.assert_close(alone.weights, estimator.weights[1])

    def test_wrong_input_is_named(self):
        with pytest.raises(ValueError, match="pilot_noise"):
            lmmse_estimator(statistics(), PILOTS, MESSAGE, pilot_noise=-1.0)
        estimator = lmmse_estimator(statistics(), PILOTS, MESSAGE, pilot_noise=0.1)
        with pytest.raises(ValueError, match="at_pilots"):
            estimator.estimate(torch.ones(3, 1, 1, dtype=torch.complex128))
        with pytest.raises(ValueError, match="truth"):
            estimator.known(Channel(torch.ones(2, 1, 1, dtype=torch.complex128)), torch.ones(len(PILOTS), 1, 1, dtype=torch.complex128))
        with pytest.raises(ValueError, match="spacing"):
            ResourceElements.comb(13, 12)


AGE = {"delay_s": 2e-3, "speed_mps": 30 / 3.6, "carrier_hz": 3.5e9}


class TestAgeing:
    def test_truth_and_estimate_come_from_one_model(self):
        count, gain = 40_000, 0.7
        then = Channel(ll.rayleigh(1, 1, gain, batch=(count, 1), generator=seeded()))
        now = age_channel(then.h, **AGE, gain=gain, generator=seeded(1))
        known = age_estimate(then.estimated(0.2, gain, seeded(2)), **AGE, gain=gain)
        assert now.abs().square().mean().item() == pytest.approx(gain, rel=SIGMAS / count**0.5)
        error = now - known.h
        tau = known.error_variance[0].item()
        assert error.abs().square().mean().item() == pytest.approx(tau, rel=SIGMAS / count**0.5)
        assert (error * known.h.conj()).mean().abs() <= SIGMAS * (tau * gain / count) ** 0.5
        assert 0 < tau < gain

    def test_no_delay_changes_nothing_and_a_long_one_leaves_the_prior(self):
        then = Channel(ll.rayleigh(2, 2, generator=seeded()).unsqueeze(0), error_variance=0.1)
        assert torch.equal(age_channel(then.h, 0.0, 10.0, carrier_hz=3e9), then.h)
        assert torch.equal(age_estimate(then, 0.0, 10.0, carrier_hz=3e9).error_variance, then.error_variance)
        old = age_estimate(then, 1e6, 10.0, carrier_hz=3e9)
        assert old.error_variance.item() == pytest.approx(1.0, abs=1e-3)

    @pytest.mark.parametrize("name", ["delay_s", "speed_mps", "carrier_hz", "gain"])
    def test_wrong_input_is_named(self, name):
        values = {"delay_s": 1e-3, "speed_mps": 1.0, "carrier_hz": 1e9, "gain": 1.0} | {name: -1.0}
        h = ll.rayleigh(1, 1, generator=seeded())
        with pytest.raises(ValueError, match=name):
            age_channel(h, **values)
        with pytest.raises(ValueError, match=name):
            age_estimate(Channel(h.unsqueeze(0)), **values)

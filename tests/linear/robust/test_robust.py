import pytest
import torch

import latentlink as ll
from latentlink.channels.channel import Channel
from latentlink.linear.closed_form import ROBUST
from oracles import Problem, channel, dense_pair, descend, embed, error_noise, least_mean_error, moments, normal, seeded

DRAWS = 1000
SIGMAS = 5


def real_channels(known_channel, shared, seed=0, draws=DRAWS):
    """H_r (draws, 2 u r, 2 u t) of H = H̄ + E, E ~ CN(0, τ) the same in all uses (shared) or independent."""
    h = known_channel.h
    E = torch.complex(normal(seed, draws, *h.shape), normal(seed + 1, draws, *h.shape)) / 2**0.5
    E = E[:, :1] if shared else E
    drawn = h + known_channel.error_variance.sqrt() * E
    uses, r, t = h.shape
    dense = torch.zeros(draws, uses, r, uses, t, dtype=h.dtype)
    for u in range(uses):
        dense[:, u, :, u] = drawn[:, u]
    return embed(dense.reshape(draws, uses * r, uses * t))


def over_errors(known, one, link, shared, seed=0, draws=DRAWS):
    """Errors (draws,) of a fixed pair when the channel is not the estimate."""
    F, G = dense_pair(link)
    problem = Problem.of(known, one)
    return Problem(*list(vars(problem).values())[:4], real_channels(one, shared, seed, draws), problem.noise, problem.budget).error(F, G)


def mean_error(known, one, F, G, shared):
    """Exact mean over errors of the error of a fixed pair."""
    return Problem.of(known, one).error(F, G) + ((G @ error_noise(known, one, F, shared)) * G).sum((-2, -1))


def estimate(seed, error_variance=0.1, snr_db=20.0, shape=(4, 4)):
    truth = Channel.from_snr(ll.rayleigh(*shape, generator=seeded(seed)), snr_db)
    return truth.estimated(error_variance, generator=seeded(seed + 1))


class TestAtBothEnds:
    def test_knowing_the_error_beats_inflating_the_noise_beats_ignoring_it(self):
        """4×4, 20 dB, σ_e² = 0.1: the figures of the theory are 1.594, 1.258 and 1.114; the same errors for all three."""
        known = moments(1, 8, 8)
        modes, sigma = ll.semantic_modes(known, shrinkage=0.0), 0.1
        losses = {"naive": [], "inflated": [], "posterior": []}
        for seed in range(12):
            posterior = estimate(10 * seed, sigma)
            seen = posterior.h * (1 + sigma)  # Ĥ: the posterior mean is Ĥ / (1 + σ_e²)
            designs = {
                "naive": Channel(seen, posterior.noise_variance),
                "inflated": Channel(seen, posterior.noise_variance + sigma),
                "posterior": posterior,
            }
            for name, design in designs.items():
                link = ll.ClosedForm().design(modes, design).transceiver
                losses[name].append(over_errors(known, posterior, link, shared=False, seed=seed, draws=500).mean())
        naive, inflated, robust = (torch.stack(losses[name]) for name in ("naive", "inflated", "posterior"))
        assert naive.mean() > inflated.mean() > robust.mean()
        assert (robust <= inflated).all()  # on the posterior, ours is the optimum: for each estimate, up to Monte Carlo
        assert (robust < naive).all()

    @pytest.mark.parametrize("shrinkage", [0.0, 0.3])
    @pytest.mark.parametrize("goal", [None, ll.Goal(normal(2, 3, 6), fidelity=0.1)], ids=["mse", "goal"])
    @pytest.mark.parametrize("power", [ll.power.Mean(), ll.power.PerUse()], ids=["mean", "per use"])
    @pytest.mark.parametrize("uses", ["one", "block fading", "grid"])
    def test_expected_mse_is_the_mean_over_errors(self, uses, power, goal, shrinkage):
        known = moments(3, 8, 6)
        one = channel(4, 2, 2, uses=3 if uses == "grid" else 1)
        one = one.estimated(0.2, generator=seeded(5)).repeated(3 if uses == "block fading" else 1)
        solution = ll.ClosedForm(power=power).design(ll.semantic_modes(known, goal, shrinkage), one)
        errors = over_errors(known, one, solution.transceiver, shared=uses == "block fading", seed=6)
        exact = mean_error(known, one, *dense_pair(solution.transceiver), shared=uses == "block fading")
        assert abs(errors.mean() - exact) <= SIGMAS * errors.std() / DRAWS**0.5
        torch.testing.assert_close(solution.expected_mse, exact, rtol=1e-9, atol=0.0)

    @pytest.mark.parametrize("uses", ["one", "block fading", "grid"])
    def test_what_is_called_optimal_is_not_beaten(self, uses):
        """Over several uses the noise that an error makes depends on the precoder, and the closed form is no longer exact."""
        known = moments(41, 6, 6)
        one = channel(1, 2, 2, uses=2 if uses == "grid" else 1, snr_db=15.0).estimated(0.2, generator=seeded(5))
        one = one.repeated(2 if uses == "block fading" else 1)
        solution = ll.ClosedForm().design(ll.semantic_modes(known, shrinkage=0.0), one)
        start = normal(1, 10, 2 * one.uses * one.n_tx, 6)
        found = descend(lambda F: least_mean_error(known, one, F, uses == "block fading"), start, 150).min()
        assert found >= solution.expected_mse * (1 - 1e-8) or ll.Status.OPTIMAL.code not in solution.messages()

    def test_is_not_worse_than_ignoring_the_error(self):
        known = moments(42, 6, 6)
        modes = ll.semantic_modes(known, shrinkage=0.0)
        for seed in range(6):
            for uses, times in ((1, 1), (1, 2), (3, 1)):
                one = channel(seed, 1, 2, uses, snr_db=15.0).estimated(0.2, generator=seeded(5)).repeated(times)
                naive = ll.ClosedForm().design(modes, Channel(one.h, one.noise_variance)).transceiver
                mine = ll.ClosedForm().design(modes, one).expected_mse
                assert mine <= least_mean_error(known, one, dense_pair(naive)[0], shared=times > 1) * (1 + 1e-9)

    def test_the_decoder_is_optimal_under_the_error_model(self):
        """No G does better on average over errors, shared or not: the linear minimum in closed form from E[H F Rx Fᵀ Hᵀ]."""
        known = moments(7, 8, 6)
        modes = ll.semantic_modes(known, shrinkage=0.0)
        one = channel(8, 2, 2).estimated(0.2, generator=seeded(9))
        for shared, uses, power in ((False, 1, ll.power.Mean()), (True, 3, ll.power.PerUse())):
            repeated = one.repeated(uses)
            link = ll.ClosedForm(power=power).design(modes, repeated).transceiver
            F, G = dense_pair(link)
            H = real_channels(repeated, shared, seed=10, draws=20_000)
            M = H @ F
            second = (M @ known.cov_x @ M.mT).mean(0) + repeated.noise_variance / 2 * torch.eye(M.shape[1], dtype=torch.float64)
            best = torch.linalg.solve(second, M.mean(0) @ known.cov_yx.mT).mT
            assert (G - best).norm() < 0.05 * best.norm()

    def test_nothing_beats_it_on_one_use(self):
        """E s is white for every s, so any pair sees noise σ² + τ tr(F Rx Fᵀ)."""
        known = moments(11, 7, 6)
        one = channel(12, 3, 2).estimated(0.3, generator=seeded(13))
        solution = ll.ClosedForm().design(ll.semantic_modes(known, shrinkage=0.0), one)
        noisier = Channel(one.h, one.noise_variance + one.error_variance * one.power, one.power)
        F, G = dense_pair(solution.transceiver)
        problem = Problem.of(known, noisier)
        torch.testing.assert_close(solution.expected_mse, problem.error(F, G), rtol=1e-9, atol=0.0)
        assert (problem.best_error(normal(14, 200, *F.shape)) >= solution.expected_mse).all()

    def test_is_differentiable_with_silent_modes(self):
        """At 0 dB some modes carry nothing; one step along the gradient changes the error as it says."""
        modes = ll.semantic_modes(moments(43, 8, 8), shrinkage=0.0)
        one = channel(3, 2, 2, 2, snr_db=0.0).estimated(0.1, generator=seeded(5))
        noise = one.noise_variance.clone().requires_grad_()

        def error(noise):
            return ll.ClosedForm().design(modes, Channel(one.h, noise, one.power, error_variance=one.error_variance)).expected_mse

        (slope,) = torch.autograd.grad(error(noise), noise)
        step = 1e-6 * float(one.noise_variance)
        assert abs(float(error(one.noise_variance + step) - error(one.noise_variance)) / step / float(slope) - 1) < 0.05


class TestAtTheTransmitter:
    @pytest.mark.parametrize("snr_db", [0.0, 10.0, 20.0, 30.0])
    def test_is_not_worse_than_naive_and_keeps_its_promise(self, snr_db):
        """Decoder matched to the channel that really comes; fresh errors, the same for both."""
        known = moments(20, 8, 8)
        modes, draws = ll.semantic_modes(known, shrinkage=0.0), 200
        csi = ll.csi.Transmitter(draws=draws)
        gains = []
        for seed in range(2):
            one = estimate(30 + 10 * seed, 0.3, snr_db, shape=(3, 4))
            robust = ll.ClosedForm(csi=csi).design(modes, one)
            naive = ll.ClosedForm().design(modes, Channel(one.h, one.noise_variance, one.power))
            assert robust.messages() == [ROBUST.message]
            H = real_channels(one, False, seed=seed, draws=1000)
            problem = Problem.of(known, one)
            problem = Problem(*list(vars(problem).values())[:4], H, problem.noise, problem.budget)
            mine, other = (problem.best_error(dense_pair(solution.transceiver)[0]) for solution in (robust, naive))
            assert abs(mine.mean() - robust.expected_mse) <= SIGMAS * mine.std() * (1 / 1000 + 1 / draws) ** 0.5
            regret = SIGMAS * (mine - other).std() / draws**0.5  # the choice was made on so many draws
            assert mine.mean() - other.mean() <= regret
            gains.append(other.mean() - mine.mean())
        assert torch.stack(gains).mean() >= -1e-3 * known.cov_y.trace()

    def test_matched_decoder_is_the_lmmse_one(self):
        known = moments(21, 8, 6)
        one = estimate(22, 0.3)
        link = ll.ClosedForm(csi=ll.csi.Transmitter(draws=8)).design(ll.semantic_modes(known, shrinkage=0.0), one).transceiver
        arrived = channel(23, 4, 4)
        F, G = dense_pair(link.matched_to(arrived))
        torch.testing.assert_close(G, Problem.of(known, arrived).decoder(F), rtol=1e-7, atol=1e-9)

    def test_without_error_it_is_the_perfect_design(self):
        known = moments(24, 8, 6)
        modes, one = ll.semantic_modes(known, shrinkage=0.0), channel(25, 3, 2)
        perfect = ll.ClosedForm().design(modes, one)
        alone = ll.ClosedForm(csi=ll.csi.Transmitter(draws=2)).design(modes, one)
        assert torch.equal(alone.expected_mse, perfect.expected_mse)
        mixed = Channel(one.h.expand(2, -1, -1, -1), one.noise_variance, one.power, error_variance=[0.0, 0.3])
        first = ll.ClosedForm(csi=ll.csi.Transmitter(draws=2)).design(modes, mixed)
        torch.testing.assert_close(first.expected_mse[0], perfect.expected_mse, rtol=1e-7, atol=0.0)

    def test_a_goal_is_what_decides(self):
        known, W = moments(26, 8, 6), normal(27, 2, 6)
        modes = ll.semantic_modes(known, ll.Goal(W), shrinkage=0.0)
        one = estimate(28, 0.5, 10.0, shape=(2, 2))
        robust = ll.ClosedForm(csi=ll.csi.Transmitter(draws=200)).design(modes, one)
        H = real_channels(one, False, seed=29, draws=1000)
        problem = Problem.of(known, one, W)
        weighted = Problem(*list(vars(problem).values())[:4], H, problem.noise, problem.budget)
        naive = ll.ClosedForm().design(modes, Channel(one.h, one.noise_variance))
        mine, other = (weighted.best_error(dense_pair(solution.transceiver)[0]) for solution in (robust, naive))
        assert mine.mean() - other.mean() <= SIGMAS * (mine - other).std() / 200**0.5

    def test_wrong_input_is_named(self):
        with pytest.raises(ValueError, match="draws"):
            ll.csi.Transmitter(draws=0)
        modes = ll.semantic_modes(moments(30, 4, 4))
        for power in (ll.power.PerUse(), ll.power.PerMessage(x=normal(0, 9, 4), y=normal(1, 9, 4))):
            with pytest.raises(ValueError, match="Mean"):
                ll.ClosedForm(power=power, csi=ll.csi.Transmitter()).design(modes, estimate(31))


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("csi", [ll.csi.BothEnds(), ll.csi.Transmitter(draws=4)], ids=["both", "transmitter"])
def test_corners_are_finite_and_within_the_budget(csi, dtype):
    """No noise, no power, no channel, no modes, an empty batch."""
    full = ll.semantic_modes(moments(44, 8, 8), shrinkage=0.1).to(dtype)
    for modes in (full, full.truncated(1), full.truncated(0)):
        for shape, uses, noise, power in (((2, 3), 1, 0.0, 1.0), ((3, 2), 3, 0.0, 1.0), ((2, 2), 3, 0.1, 0.0), ((2, 3), 3, 0.1, 1.0)):
            h = ll.rayleigh(*shape, batch=(3, uses), generator=seeded(0))
            h[0] = 0.0
            one = Channel(h, noise, power, error_variance=[0.0, 0.1, 1.0])
            solution = ll.ClosedForm(csi=csi).design(modes, one)
            assert (solution.expected_mse <= modes.variance * (1 + 1e-3)).all()
            assert (solution.expected_power <= power * (1 + 1e-4)).all()
            assert solution.transceiver.decoder.isfinite().all()
            assert ll.ClosedForm(csi=csi).design(modes, one[:0]).expected_mse.shape == (0,)

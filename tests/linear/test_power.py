import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import latentlink as ll
from latentlink.channels.channel import Channel
from latentlink.linear.closed_form import STOPPED
from latentlink.linear.per_message import REFITTED
from latentlink.streams.per_use import per_use_bound
from oracles import Problem, channel, dense_channel, dense_pair, descend, moments, normal, pairs, seeded


def use_powers(known, link):
    """E||s_u||² (…, u) of the dense precoder."""
    F, _ = dense_pair(link)
    parts = F.unflatten(-2, (2, link.channel.uses, link.channel.n_tx))
    return torch.einsum("...cuad,de,...cuae->...u", parts, known.cov_x, parts)


def design(known, one, power, **options):
    return ll.ClosedForm(power=power).design(ll.semantic_modes(known, shrinkage=0.0, **options), one)


class TestPerUse:
    @pytest.mark.parametrize("widely_linear", [True, False])
    @pytest.mark.parametrize("shape", [(2, 2, 3), (1, 3, 2), (3, 1, 4), (2, 2, 1)])
    def test_identical_uses_cost_nothing(self, shape, widely_linear):
        n_rx, n_tx, uses = shape
        known, one = moments(1, 8, 6), channel(2, n_rx, n_tx).repeated(uses)
        mean, limited = (design(known, one, power, widely_linear=widely_linear) for power in (ll.power.Mean(), ll.power.PerUse()))
        torch.testing.assert_close(limited.expected_mse, mean.expected_mse, rtol=1e-10, atol=0.0)
        powers = use_powers(known, limited.transceiver)
        torch.testing.assert_close(powers, torch.ones_like(powers), rtol=1e-9, atol=0.0)
        F, G = dense_pair(limited.transceiver)
        torch.testing.assert_close(limited.expected_mse, Problem.of(known, one).error(F, G), rtol=1e-9, atol=0.0)

    @pytest.mark.parametrize("shape", [(2, 2, 2, 5.0), (1, 2, 3, 20.0), (2, 1, 4, -10.0)])
    def test_different_uses_keep_their_limit_and_come_within_the_gap_of_the_bound(self, shape):
        n_rx, n_tx, uses, snr_db = shape
        known, one = moments(3, 6, 5), channel(4, n_rx, n_tx, uses, snr_db)
        limit, mean = design(known, one, ll.power.PerUse()), design(known, one, ll.power.Mean())
        assert (use_powers(known, limit.transceiver) <= 1 + 1e-9).all()
        assert limit.expected_mse >= mean.expected_mse * (1 - 1e-10)
        assert limit.status.item() == ll.Status.OPTIMAL.code
        assert limit.trace["gap"] <= ll.power.PerUse().tolerance
        F, G = dense_pair(limit.transceiver)
        problem = Problem.of(known, one)
        torch.testing.assert_close(limit.expected_mse, problem.error(F, G), rtol=1e-9, atol=0.0)

        def at_each_limit(X):
            parts = X.unflatten(-2, (2, uses, n_tx))
            used = torch.einsum("...cuad,de,...cuae->...u", parts, known.cov_x, parts)
            return (parts / used.sqrt()[..., None, :, None, None]).flatten(-4, -2)

        def error(X):
            F = at_each_limit(X)
            return problem.error(F, problem.decoder(F))

        found = descend(error, normal(5, 10, *F.shape))
        scale = known.cov_y.trace()
        assert (found >= limit.expected_mse - 2 * limit.trace["gap"] * scale - 1e-9 * scale).all()
        parts = dense_pair(mean.transceiver)[0].unflatten(-2, (2, uses, n_tx))  # naive: each use of the pooled optimum cut to its limit
        rescaled = (parts * use_powers(known, mean.transceiver).clamp(min=1.0).rsqrt()[None, :, None, None]).flatten(0, 2)
        assert limit.expected_mse <= problem.error(rescaled, problem.decoder(rescaled)) + 1e-9

    def test_every_multiplier_gives_a_bound_and_the_best_equal_ones_the_pooled_optimum(self):
        known, one = moments(6, 6, 5), channel(7, 2, 2, 3)
        modes = ll.semantic_modes(known, shrinkage=0.0)
        limited, mean = (ll.ClosedForm(power=power).design(modes, one) for power in (ll.power.PerUse(), ll.power.Mean()))
        equal = torch.logspace(-3, 3, 20_001, dtype=torch.float64).unsqueeze(-1).expand(-1, 3)
        drawn = torch.rand(2000, 3, dtype=torch.float64, generator=seeded(8)).mul(12).sub(6).exp()
        multipliers = torch.cat([drawn, equal])
        n = len(multipliers)
        noise, power = (one.noise_variance / 2).expand(n), one.power.expand(n)
        amplitude = torch.linalg.svdvals(one.h).expand(n, -1, -1)
        dual, slope = per_use_bound(modes.strength, amplitude, noise, power, multipliers)
        bounds = dual + modes.variance - modes.strength.square().sum()
        assert (bounds <= limited.expected_mse * (1 + 1e-9)).all()
        torch.testing.assert_close(bounds[2000:].max(), mean.expected_mse, rtol=1e-6, atol=0.0)  # the grid is 7e-4 fine, the maximum smooth
        others = multipliers.flip(0)
        assert (dual.flip(0) <= dual + (slope * (others - multipliers)).sum(-1) + 1e-9 * modes.variance).all()  # concave

    @pytest.mark.parametrize("dead", ["use", "all"])
    def test_dead_uses_carry_nothing(self, dead):
        known = moments(9, 6, 5)
        h = ll.rayleigh(2, 2, batch=(3,), generator=seeded(10))
        h = h * torch.tensor([1.0, 0.0, 2.0] if dead == "use" else [0.0, 0.0, 0.0])[:, None, None]
        solution = design(known, Channel(h, noise_variance=0.1), ll.power.PerUse())
        assert solution.expected_mse.isfinite()
        powers = use_powers(known, solution.transceiver)
        assert (powers <= 1 + 1e-9).all()
        assert powers[1] == 0
        expected = ll.Status.OPTIMAL if dead == "use" else ll.Status.NOTHING_TO_SEND
        assert solution.status.item() == expected.code
        assert dead == "all" or solution.trace["gap"] <= 1e-6  # a dead use leaves the bound finite

    def test_stopped_early_is_feasible_and_says_so(self):
        known, one = moments(11, 8, 6), channel(12, 2, 2, 3, snr_db=30.0)
        solution = design(known, one, ll.power.PerUse(max_iterations=2))
        assert solution.messages() == [STOPPED.message]
        assert (use_powers(known, solution.transceiver) <= 1 + 1e-9).all()
        exact = design(known, one, ll.power.PerUse())
        assert exact.expected_mse <= solution.expected_mse
        assert solution.expected_mse * (1 - solution.trace["gap"]) <= exact.expected_mse * (1 + 1e-9)

    def test_complex_linear_modes_keep_the_limit_and_stay_complex_linear(self):
        known, one = moments(13, 8, 6), channel(14, 2, 2, 2)
        solution = design(known, one, ll.power.PerUse(), widely_linear=False)
        assert (use_powers(known, solution.transceiver) <= 1 + 1e-9).all()
        F, G = dense_pair(solution.transceiver)
        for real in (F, G):
            (a, b), (c, d) = (half.tensor_split(2, -1) for half in real.tensor_split(2, -2))
            torch.testing.assert_close(a, d, rtol=0.0, atol=1e-6)
            torch.testing.assert_close(b, -c, rtol=0.0, atol=1e-6)


class TestPerMessage:
    @staticmethod
    def pilots(seed=20, n=400, d=7, m=5):
        return pairs(seed, n, d, m)

    @pytest.mark.parametrize("uses", [1, 3])
    @pytest.mark.parametrize("widely_linear", [True, False])
    def test_every_message_has_the_whole_budget_and_the_decoder_is_least_squares(self, uses, widely_linear):
        x, y = self.pilots(d=8, m=6)
        one = channel(21, 2, 2, uses, power=2.0)
        solution = design(ll.Moments.from_pairs(x, y), one, ll.power.PerMessage(x=x, y=y), widely_linear=widely_linear)
        link = solution.transceiver
        s = link.encode(x)
        torch.testing.assert_close(
            s.abs().square().sum((-2, -1)), torch.full((len(x),), 2.0 * uses, dtype=torch.float64), rtol=1e-12, atol=0.0
        )
        assert solution.messages() == [REFITTED.message]
        torch.testing.assert_close(solution.expected_power, one.power)
        sent = torch.cat([s.flatten(-2).real, s.flatten(-2).imag], -1)
        G, noise = self.decoder(link), float(one.noise_variance) / 2

        def error(G):
            return (y - link.mean_y - sent @ (G @ dense_channel(one)).mT).square().sum(-1).mean() + noise * G.square().sum()

        torch.testing.assert_close(solution.expected_mse, error(G), rtol=1e-9, atol=0.0)
        if widely_linear:  # in the span of Ψ nothing fits better; ε² says that the gradient is zero
            best = torch.linalg.solve(
                dense_channel(one) @ sent.mT @ sent @ dense_channel(one).mT / len(x)
                + noise * torch.eye(len(dense_channel(one)), dtype=torch.float64),
                dense_channel(one) @ sent.mT @ (y - link.mean_y) / len(x),
            ).mT
            span = torch.linalg.qr(link.synthesis).Q
            torch.testing.assert_close(G, span @ span.mT @ best, rtol=1e-7, atol=1e-9)
        for seed in range(20):
            step = 1e-4 * link.synthesis @ normal(seed, link.synthesis.shape[1], G.shape[1])
            if not widely_linear:
                step = self.complex_part(step)
            assert error(G + step) >= error(G) - 1e-12

    @staticmethod
    def decoder(link):
        units = torch.eye(link.channel.uses * link.channel.n_rx, dtype=torch.complex128).unflatten(
            -1, (link.channel.uses, link.channel.n_rx)
        )
        return (link.decode(torch.cat([units, 1j * units])) - link.mean_y).mT

    @staticmethod
    def complex_part(real):
        """Of a map between stacked halves."""
        (a, b), (c, d) = (half.tensor_split(2, -1) for half in real.tensor_split(2, -2))
        a, c = (a + d) / 2, (c - b) / 2
        return torch.cat([torch.cat([a, -c], -1), torch.cat([c, a], -1)])

    def test_a_goal_is_refitted_too(self):
        x, y = self.pilots(22)
        modes = ll.semantic_modes(ll.Moments.from_pairs(x, y), ll.Goal(normal(23, 2, 5), fidelity=0.05), shrinkage=0.0)
        one = channel(24, 2, 3)
        link = ll.ClosedForm(power=ll.power.PerMessage(x=x, y=y)).design(modes, one).transceiver
        sent = link.encode(x).flatten(-2)
        sent, H, G = torch.cat([sent.real, sent.imag], -1), dense_channel(one), self.decoder(link)

        def error(G):
            residual = (y - link.mean_y - sent @ (G @ H).mT) @ modes.weight.mT
            return residual.square().sum(-1).mean() + float(one.noise_variance) / 2 * (modes.weight @ G).square().sum()

        assert all(error(G + 1e-4 * normal(seed, *G.shape)) >= error(G) - 1e-12 for seed in range(20))

    def test_refitting_helps(self):
        x, y = self.pilots(25)
        one = channel(26, 2, 2, snr_db=20.0)
        solution = design(ll.Moments.from_pairs(x, y), one, ll.power.PerMessage(x=x, y=y))
        plain = design(ll.Moments.from_pairs(x, y), one, ll.power.Mean()).transceiver
        received = one.apply(solution.transceiver.encode(x), seeded(27))
        assert ll.metrics.mse(solution.transceiver.decode(received), y).mean() < ll.metrics.mse(plain.decode(received), y).mean()

    def test_a_batch_is_its_members(self):
        x, y = self.pilots(28, 50)
        both = Channel(ll.rayleigh(2, 2, batch=(3, 1), generator=seeded(29)), noise_variance=[0.1, 0.5, 0.0], power=[1.0, 0.0, 2.0])
        known = ll.Moments.from_pairs(x, y)
        together = design(known, both, ll.power.PerMessage(x=x, y=y))
        for i in range(3):
            alone = design(known, both[i], ll.power.PerMessage(x=x, y=y))
            torch.testing.assert_close(together.expected_mse[i], alone.expected_mse)
            torch.testing.assert_close(together.transceiver.encode(x)[i], alone.transceiver.encode(x))
            assert together.status[i] == alone.status

    def test_a_dead_channel_is_safe(self):
        x, y = self.pilots(30, 60)
        dead = Channel(torch.zeros(2, 2, 2, dtype=torch.complex128), noise_variance=0.1)
        solution = design(ll.Moments.from_pairs(x, y), dead, ll.power.PerMessage(x=x, y=y))
        assert solution.messages() == [ll.Status.NOTHING_TO_SEND.message]
        assert (solution.transceiver.encode(x) == 0).all()
        torch.testing.assert_close(ll.transmit(solution.transceiver, x, dead, generator=seeded(0)), y.mean(0).expand_as(y))
        torch.testing.assert_close(solution.expected_mse, ll.Moments.from_pairs(x, y).cov_y.trace())

    def test_wrong_pilots_are_named(self):
        x, y = self.pilots(31, 20)
        with pytest.raises(ValueError, match="pair row by row"):
            ll.power.PerMessage(x=x, y=y[:-1])
        with pytest.raises(ValueError, match="power must hold pilots"):
            design(ll.Moments.from_pairs(x, y), channel(32, 2, 2), ll.power.PerMessage(x=x[:, :3], y=y))


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 2**20), st.integers(1, 4), st.integers(1, 4), st.integers(1, 3), st.floats(-40, 60), st.floats(1e-3, 1e3))
def test_the_mean_budget_is_met_to_rounding(seed, n_rx, n_tx, uses, snr_db, power):
    known, one = moments(seed, 6, 5), channel(seed, n_rx, n_tx, uses, snr_db, power)
    solution = design(known, one, ll.power.Mean())
    torch.testing.assert_close(use_powers(known, solution.transceiver).mean(), one.power, rtol=1e-10, atol=0.0)
    torch.testing.assert_close(solution.expected_power, one.power, rtol=1e-10, atol=0.0)

"""No feasible pair beats the closed form: the claim of the project, against searches that know nothing of it."""

import pytest
import torch

import latentlink as ll
from latentlink.channels.channel import Channel
from oracles import Problem, alternate, channel, dense_channel, dense_pair, descend, moments, normal, pairs, seeded

STARTS = 20
BEATEN = 1e-8  # relative
REACHED = 1e-4  # a search that does not come this near to the optimum would prove nothing


def with_rank(seed, n_rx, n_tx, rank, uses=1):
    left, right = ll.rayleigh(n_rx, rank, batch=(uses,), generator=seeded(seed)), ll.rayleigh(rank, n_tx, generator=seeded(seed + 1))
    return Channel(left @ right, noise_variance=0.1)


def block_fading(seed, n_rx, n_tx, uses):
    return Channel.from_snr(ll.rayleigh(n_rx, n_tx, generator=seeded(seed)), snr_db=5.0).repeated(uses)


def uneven_grid():
    """Uses of very different gain, one of them dead."""
    grid = ll.rayleigh(2, 2, batch=(3,), generator=seeded(60)) * torch.tensor([3.0, 0.3, 0.0]).reshape(3, 1, 1)
    return Channel.from_grid(grid, snr_db=10.0)


def awkward_pairs():
    """A constant feature and two copies of one."""
    x, y = pairs(70, 300, 6, 5)
    return ll.Moments.from_pairs(torch.cat([x, x[:, :1], torch.ones(300, 1, dtype=torch.float64)], 1), torch.cat([y, y[:, :1]], 1))


INSTANCES = {
    "square": (lambda: moments(0, 7, 6), lambda: channel(1, 2, 2)),
    "more receive antennas": (lambda: moments(10, 7, 6), lambda: channel(11, 4, 2)),
    "more transmit antennas": (lambda: moments(20, 7, 6), lambda: channel(21, 2, 4, snr_db=20.0)),
    "one antenna": (lambda: moments(30, 6, 8), lambda: channel(31, 1, 1, snr_db=0.0)),
    "rank-deficient h": (lambda: moments(40, 7, 6), lambda: with_rank(41, 3, 3, 1)),
    "more streams than latent dimensions": (lambda: moments(50, 3, 5), lambda: channel(51, 4, 4)),
    "fewer pilots than dimensions": (lambda: ll.Moments.from_pairs(*pairs(55, 5, 8, 6)), lambda: channel(56, 2, 2)),
    "different uses": (lambda: moments(58, 8, 6), uneven_grid),
    "constant and duplicated features": (awkward_pairs, lambda: channel(71, 2, 3)),
    "block fading": (lambda: moments(80, 8, 7), lambda: block_fading(81, 1, 2, 3)),
    "very low SNR": (lambda: moments(90, 6, 6), lambda: channel(91, 2, 2, snr_db=-30.0, power=3.0)),
}
WEIGHTS = {
    "mse": lambda m: None,
    "low rank": lambda m: ll.Goal(normal(5, 2, m)),
    "full rank": lambda m: ll.Goal(normal(6, m + 1, m)),
    "fidelity": lambda m: ll.Goal(normal(7, 2, m), fidelity=0.05),
}


def starts(seed, problem):
    return normal(seed, STARTS, problem.H.shape[1], len(problem.Rx))


def assert_not_beaten(problem, F, G):
    """Feasible, and no better than anything that the searches find."""
    mine = problem.error(F, G)
    assert problem.power(F) <= problem.budget * (1 + 1e-10)
    found = [descend(problem.best_error, starts(1, problem)), alternate(problem, starts(2, problem))]
    scale = problem.error(torch.zeros_like(F), torch.zeros_like(G))
    assert all((values >= mine - BEATEN * scale).all() for values in found)
    assert found[0].min() <= mine + REACHED * scale


# every instance, without a goal in every third, and every goal in several instances
CASES = [(name, ("mse", "low rank", "mse", "full rank", "fidelity")[i % 5]) for i, name in enumerate(INSTANCES)]


@pytest.mark.parametrize(("instance", "weight"), CASES)
def test_nothing_beats_the_design(instance, weight):
    known, one = (make() for make in INSTANCES[instance])
    modes = ll.semantic_modes(known, WEIGHTS[weight](len(known.mean_y)), shrinkage=0.0)
    solution = ll.ClosedForm().design(modes, one)
    F, G = dense_pair(solution.transceiver)
    assert_not_beaten(Problem.of(known, one, modes.weight), F, G)
    torch.testing.assert_close(solution.expected_mse, Problem.of(known, one).error(F, G), rtol=1e-9, atol=0.0)  # unweighted, always
    torch.testing.assert_close(solution.expected_power * one.uses, Problem.of(known, one).power(F), rtol=1e-10, atol=0.0)


@pytest.mark.parametrize("weight", ["mse", "fidelity"])
def test_nothing_beats_a_regularised_design_under_its_design_covariance(weight):
    known, one = ll.Moments.from_pairs(*pairs(100, 12, 8, 6)), channel(101, 2, 3)
    modes = ll.semantic_modes(known, WEIGHTS[weight](6), shrinkage=0.3)
    solution = ll.ClosedForm().design(modes, one)
    F, G = dense_pair(solution.transceiver)
    designed, pilots = Problem.of(known, one, modes.weight, shrinkage=0.3), Problem.of(known, one)
    torch.testing.assert_close(designed.power(F), torch.tensor(designed.budget, dtype=torch.float64), rtol=1e-10, atol=0.0)
    assert_not_beaten(designed, F, G)
    torch.testing.assert_close(solution.expected_mse, pilots.error(F, G), rtol=1e-9, atol=0.0)
    torch.testing.assert_close(solution.expected_power * one.uses, pilots.power(F), rtol=1e-10, atol=0.0)
    assert solution.expected_power < one.power


@pytest.mark.parametrize("instance", INSTANCES)
def test_the_least_error_is_the_formula_of_the_theory(instance):
    known, one = (make() for make in INSTANCES[instance])
    modes = ll.semantic_modes(known, ll.Goal(normal(5, 3, len(known.mean_y))), shrinkage=0.0)
    solution = ll.ClosedForm().design(modes, one)
    F, G = dense_pair(solution.transceiver)
    p = solution.trace["stream_power"]
    h = torch.linalg.svdvals(dense_channel(one)).sort(descending=True).values[: len(p)]
    b2 = modes.strength.square()
    least = modes.weighted_variance - b2.sum() + (b2[: len(p)] / (1 + p * h.square() / (one.noise_variance / 2))).sum() + b2[len(p) :].sum()
    torch.testing.assert_close(Problem.of(known, one, modes.weight).error(F, G), least, rtol=1e-9, atol=0.0)


class TestComplexLinear:
    """The paper's formulation: F and G complex-linear in the packed latents (first half real, second half imaginary)."""

    INSTANCES = ("square", "more transmit antennas", "rank-deficient h", "different uses", "fewer pilots than dimensions")

    @staticmethod
    def linear_part(F):
        """The nearest real matrix that commutes with multiplication by j."""
        a, b, c, d = *F.tensor_split(2, -2)[0].tensor_split(2, -1), *F.tensor_split(2, -2)[1].tensor_split(2, -1)
        return embed_halves((a + d) / 2, (c - b) / 2)

    @pytest.mark.parametrize(("instance", "weight"), [(name, ("mse", "low rank", "fidelity")[i % 3]) for i, name in enumerate(INSTANCES)])
    def test_no_complex_linear_pair_beats_the_design(self, instance, weight):
        known, one = (make() for make in INSTANCES[instance])
        known = even(known)
        modes = ll.semantic_modes(known, WEIGHTS[weight](len(known.mean_y)), shrinkage=0.0, widely_linear=False)
        solution = ll.ClosedForm().design(modes, one)
        F, G = dense_pair(solution.transceiver)
        torch.testing.assert_close(F, self.linear_part(F))
        torch.testing.assert_close(G, self.linear_part(G))
        torch.testing.assert_close(solution.expected_mse, Problem.of(known, one).error(F, G), rtol=1e-9, atol=0.0)
        proper = Problem.of(known, one, modes.weight)
        proper = Problem(*(self.linear_part(R) for R in (proper.Rx, proper.Ryx, proper.Ry)), *list(vars(proper).values())[3:])

        def restricted(X):
            return proper.best_error(self.linear_part(X))  # under proper moments the LMMSE decoder is complex-linear by itself

        scale, mine = proper.error(torch.zeros_like(F), torch.zeros_like(G)), proper.error(F, G)
        assert proper.power(F) <= proper.budget * (1 + 1e-10)
        found = descend(restricted, starts(3, proper))
        assert (found >= mine - BEATEN * scale).all()
        assert found.min() <= mine + REACHED * scale
        assert (alternate(proper, self.linear_part(starts(4, proper))) >= mine - BEATEN * scale).all()
        if weight == "mse":  # the metric is complex-linear itself: averaging over j changes nothing for such a pair
            torch.testing.assert_close(mine, Problem.of(known, one).error(F, G), rtol=1e-9, atol=0.0)


def even(known):
    """The first dimensions, an even number at both ends."""
    d, m = len(known.mean_x) // 2 * 2, len(known.mean_y) // 2 * 2
    return ll.Moments(known.count, known.mean_x[:d], known.mean_y[:m], known.cov_x[:d, :d], known.cov_yx[:m, :d], known.cov_y[:m, :m])


def embed_halves(real, imag):
    return torch.cat([torch.cat([real, -imag], -1), torch.cat([imag, real], -1)], -2)


def test_a_dead_channel_leaves_the_variance():
    known = moments(0, 5, 4)
    dead = Channel(torch.zeros(2, 2, 2, dtype=torch.complex128), noise_variance=0.1)
    solution = ll.ClosedForm().design(ll.semantic_modes(known, shrinkage=0.0), dead)
    F, G = dense_pair(solution.transceiver)
    assert (F == 0).all()
    assert (G == 0).all()
    torch.testing.assert_close(solution.expected_mse, known.cov_y.trace())
    assert solution.status.item() == ll.Status.NOTHING_TO_SEND.code

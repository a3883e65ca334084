"""From any start, at any ρ, in any shape: ADMM under total power ends feasible, and never below the closed form."""

import pytest
import torch

import latentlink as ll
from latentlink.linear.admm.antenna_selection import exchange_antennas, least_error
from latentlink.linear.admm.constraints import ActiveAntennas, ConstantModulus, SparsePrecoder
from latentlink.linear.admm.design import Admm
from latentlink.power import PerAntenna, PerUse
from oracles import Problem, channel, dense_pair, moments, normal, pairs

INSTANCES = {
    "square": lambda: (moments(1, 8, 6), channel(2, 3, 3, batch=(3,))),
    "more receive antennas": lambda: (moments(3, 7, 9), channel(4, 4, 2, batch=(3,))),
    "more transmit antennas": lambda: (moments(5, 9, 5), channel(6, 2, 4, batch=(3,))),
    "several uses": lambda: (moments(7, 12, 10), channel(8, 2, 2, uses=3, batch=(2,))),
    "rank-deficient h": lambda: (moments(9, 6, 6), rank_one()),
    "fewer pilots than dimensions": lambda: (ll.Moments.from_pairs(*pairs(10, 5, 8, 6)), channel(11, 2, 2, batch=(2,))),
    "low SNR": lambda: (moments(12, 6, 7), channel(13, 2, 3, snr_db=-20.0, power=3.0, batch=(2,))),
    "high SNR": lambda: (moments(12, 6, 7), channel(13, 2, 3, snr_db=50.0, batch=(2,))),
    "no noise": lambda: (moments(14, 6, 7), ll.Channel(channel(15, 2, 2, batch=(2,)).h)),
    "more streams than latents": lambda: (moments(16, 3, 5), channel(17, 4, 4, batch=(2,))),
}
KINDS = {
    "plain": {"shrinkage": 0.0},
    "goal": {"goal": ll.Goal, "shrinkage": 0.0},
    "regularised": {"shrinkage": 0.3},
    "complex-linear": {"shrinkage": 0.0, "widely_linear": False},
    "complex-linear goal": {"goal": ll.Goal, "shrinkage": 0.1, "widely_linear": False},
}
# every instance plain and in one other kind, every kind in several instances
CASES = [(name, kind) for i, name in enumerate(INSTANCES) for kind in ("plain", [*KINDS][1 + i % 4])]


def rank_one():
    one = channel(18, 3, 3, batch=(2,))
    return ll.Channel(one.h[..., :1] @ one.h[..., :1, :], one.noise_variance)


def made(instance, kind):
    known, channels = INSTANCES[instance]()
    options = dict(KINDS[kind])
    if "goal" in options:
        options["goal"] = ll.Goal(normal(5, 2, len(known.mean_y)), fidelity=0.05)
    return known, channels, ll.semantic_modes(known, **options)


def weighted(known, one, modes, F, G):
    """Under the design covariance; of the packed (proper) part for complex-linear modes, whose dimensions are even here."""
    problem = Problem.of(known, one, modes.weight, shrinkage=modes.shrinkage)
    if not modes.widely_linear:
        proper = (linear_part(R) for R in (problem.Rx, problem.Ryx, problem.Ry))
        problem = Problem(*proper, *list(vars(problem).values())[3:])
    return problem.error(F, G), problem.power(F), problem.budget


def linear_part(R):
    (a, b), (c, d) = ([*half.tensor_split(2, -1)] for half in R.tensor_split(2, -2))
    real, imag = (a + d) / 2, (c - b) / 2
    return torch.cat([torch.cat([real, -imag], -1), torch.cat([imag, real], -1)], -2)


def even(known):
    d, m = len(known.mean_x) // 2 * 2, len(known.mean_y) // 2 * 2
    return ll.Moments(known.count, known.mean_x[:d], known.mean_y[:m], known.cov_x[:d, :d], known.cov_yx[:m, :d], known.cov_y[:m, :m])


@pytest.mark.parametrize(("instance", "kind"), CASES)
def test_from_cold_starts_at_any_rho(instance, kind):
    _, channels, modes = made(instance, kind)
    exact = ll.ClosedForm().design(modes, channels)
    for seed, rho in enumerate((1e-3, 0.1, 1.0, 30.0)):
        solution = Admm(rho=rho, adaptive=seed % 2 == 1, max_iterations=25, seed=seed).design(modes, channels)
        assert (solution.trace["delivered"] >= solution.trace["bound"] * (1 - 1e-9)).all()
        assert (solution.trace["objective"] >= solution.trace["bound"].unsqueeze(-1) * (1 - 1e-9)).all()
        if kind == "plain":  # there the expected error is the objective
            assert (solution.expected_mse >= exact.expected_mse * (1 - 1e-9)).all()
            torch.testing.assert_close(solution.trace["bound"], exact.expected_mse, rtol=1e-9, atol=0.0)
        power = solution.transceiver.expected_power(torch.eye(solution.transceiver.streams.shape[-1], dtype=torch.float64))
        assert (power <= channels.power * (1 + 1e-9)).all()


@pytest.mark.parametrize("kind", ["plain", "goal", "complex-linear"])
def test_it_gets_near_from_a_cold_start_and_very_near_from_a_warm_one(kind):
    _, channels, modes = made("square", kind)
    assert (Admm(max_iterations=500).design(modes, channels).trace["gap"] < 0.01).all()
    assert (Admm(max_iterations=200, warm_start=True).design(modes, channels).trace["gap"] < 1e-4).all()


SETS = {
    "mean": lambda known: {},
    "use": lambda known: {"power": PerUse()},
    "antenna": lambda known: {"power": PerAntenna(limits=[0.3, 0.5, 0.1])},
    "active": lambda known: {"constraint": ActiveAntennas(2)},
    "sparse": lambda known: {"constraint": SparsePrecoder(known, 11)},
    "modulus": lambda known: {"constraint": ConstantModulus(known)},
}


@pytest.mark.parametrize("stopped", [1, 30])
@pytest.mark.parametrize("kind", ["goal", "regularised", "complex-linear goal"])
@pytest.mark.parametrize("name", SETS)
def test_every_set_is_met_and_never_beats_total_power_whenever_it_stops(name, kind, stopped):
    known, channels = even(moments(20, 8, 6)), channel(21, 3, 3, uses=2, batch=(2,))
    options = dict(KINDS[kind])
    if "goal" in options:
        options["goal"] = ll.Goal(normal(5, 2, len(known.mean_y)), fidelity=0.05)
    modes = ll.semantic_modes(known, **options)
    solution = Admm(**SETS[name](known), max_iterations=stopped).design(modes, channels)
    F, G = dense_pair(solution.transceiver)
    for i in range(2):
        error, power, budget = weighted(known, channels[i], modes, F[i], G[i])
        torch.testing.assert_close(error, solution.trace["delivered"][i], rtol=1e-8, atol=0.0)  # the oracle agrees
        assert power <= budget * (1 + 1e-9)
        assert error >= solution.trace["bound"][i] * (1 - 1e-9)
        pilots = Problem.of(known, channels[i])
        torch.testing.assert_close(solution.expected_mse[i], pilots.error(F[i], G[i]), rtol=1e-9, atol=0.0)
        torch.testing.assert_close(2 * solution.expected_power[i], pilots.power(F[i]), rtol=1e-9, atol=0.0)
        if not modes.widely_linear:
            torch.testing.assert_close(F[i], linear_part(F[i]), rtol=1e-9, atol=1e-12)
            torch.testing.assert_close(G[i], linear_part(G[i]), rtol=1e-9, atol=1e-12)
        assert_member(name, known, modes, F[i])


def assert_member(name, known, modes, F):
    R = known.cov_x + modes.shrinkage * known.cov_x.trace() / len(known.cov_x) * torch.eye(len(known.cov_x), dtype=torch.float64)
    R = R if modes.widely_linear else linear_part(R)
    rows = (F @ R * F).sum(-1).unflatten(-1, (2, 2, 3)).sum(-3)  # (u, t)
    entries = torch.complex(*F.tensor_split(2, 0))
    entries = entries if modes.widely_linear else entries[:, : F.shape[-1] // 2]
    if name == "use":
        assert (rows.sum(-1) <= 1 + 1e-9).all()
    if name == "antenna":
        assert (rows.sum(-2) <= 2 * torch.tensor([0.3, 0.5, 0.1]) * (1 + 1e-6)).all()
    if name == "active":
        assert (rows.sum(-2) > 0).sum() <= 2
    if name == "sparse":
        assert (entries != 0).sum() <= 11
    if name == "modulus":
        torch.testing.assert_close(entries.abs(), entries.abs().mean().expand(entries.shape), rtol=1e-9, atol=0.0)


@pytest.mark.parametrize(("shape", "q", "snr_db", "above"), [((3, 5), 2, 0.0, 1e-9), ((4, 5), 2, 15.0, 1e-9), ((2, 6), 3, -10.0, 0.03)])
def test_selection_is_that_of_exhaustive_selection_on_small_cases(shape, q, snr_db, above):
    channels, modes = channel(23, *shape, snr_db=snr_db, batch=(30,)), ll.semantic_modes(moments(22, 10, 9), shrinkage=0.0)
    errors = []
    for subset in torch.combinations(torch.arange(shape[1]), q):
        sends = torch.zeros(shape[1]).index_fill(0, subset, 1.0)
        alone = ll.Channel(channels.h * sends, channels.noise_variance)
        errors.append(ll.ClosedForm().design(modes, alone).expected_mse)
        torch.testing.assert_close(least_error(modes, channels, subset.expand(30, -1)), errors[-1], rtol=1e-9, atol=0.0)
    best = torch.stack(errors).amin(0)
    solution = Admm(constraint=ActiveAntennas(q), max_iterations=50).design(modes, channels)
    assert (solution.expected_mse >= best * (1 - 1e-9)).all()
    assert (solution.expected_mse <= best * (1 + above)).all()
    assert (solution.expected_mse / best).mean() < 1 + 1e-3


def test_no_exchange_of_an_antenna_helps():
    channels, modes = channel(24, 3, 7, uses=2, batch=(2, 2)), ll.semantic_modes(moments(22, 10, 9), shrinkage=0.0)
    found = exchange_antennas(modes, channels, torch.tensor([0, 1, 2]).expand(2, 2, 3))
    least = least_error(modes, channels, found)
    for i in range(3):
        for other in range(7):
            tried = found.clone()
            tried[..., i] = other
            twice = (found == other).any(-1)
            assert (twice | (least_error(modes, channels, tried) >= least * (1 - 1e-9))).all()
    everyone = torch.arange(7).expand(2, 2, 7)
    assert torch.equal(exchange_antennas(modes, channels, everyone), everyone)

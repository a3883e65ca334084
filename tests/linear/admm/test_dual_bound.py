import pytest
import torch

import latentlink as ll
from latentlink.bounds.per_antenna import per_antenna
from latentlink.linear.admm.design import Admm
from latentlink.linear.admm.dual_bound import antenna_dual
from latentlink.power import PerAntenna, PerUse
from oracles import Problem, channel, dense_pair, moments, normal, seeded

KNOWN = moments(1, 8, 7)
MODES = ll.semantic_modes(KNOWN, shrinkage=0.0)
SHAPES = {
    "square": lambda: channel(2, 3, 3, batch=(2,)),
    "more transmit antennas": lambda: channel(3, 2, 4, batch=(2,)),
    "fewer transmit antennas": lambda: channel(4, 4, 2, batch=(2,)),
    "different uses": lambda: channel(5, 2, 2, uses=2, batch=(2,)),
    "complex power": lambda: channel(6, 2, 3, snr_db=20.0, power=3.0, batch=(2,)),
}
LIMITS = {"equal": None, "uneven": lambda c: torch.linspace(0.5, 1.5, c.n_tx).double() * c.power.max() / c.n_tx, "loose": lambda c: 0.7}


def feasible_errors(one, limits, count=40):
    """Weighted errors of random precoders under the limits, with their LMMSE decoders."""
    problem = Problem.of(KNOWN, one)
    allowed = PerAntenna(limits=limits)
    F = normal(9, count, problem.H.shape[1], len(problem.Rx)) * torch.linspace(0.2, 3, count)[:, None, None].double()
    values, vectors = torch.linalg.eigh(problem.Rx)
    entries = torch.complex(*(F @ vectors).tensor_split(2, -2)).unflatten(-2, (one.uses, one.n_tx))  # white inputs
    member = allowed.project(entries, one.power.expand(count)).flatten(-3, -2)
    F = torch.cat([member.real, member.imag], -2) * values.rsqrt() @ vectors.mT
    return problem.error(F, problem.decoder(F))


@pytest.mark.parametrize(("shape", "limits"), [(shape, ("equal", "loose", "uneven")[i % 3]) for i, shape in enumerate(SHAPES)])
def test_the_dual_is_below_every_feasible_pair_at_every_multiplier_and_admm_nearly_meets_it(shape, limits):
    channels = SHAPES[shape]()
    chosen = None if LIMITS[limits] is None else LIMITS[limits](channels)
    solution = Admm(power=PerAntenna(limits=chosen), warm_start=True, max_iterations=150).design(MODES, channels)
    reached = solution.trace["delivered"]
    best = per_antenna(MODES, channels, chosen)
    for scale in (1e-3, 0.1, 1.0, 30.0):
        multiplier = scale * normal(7, 2, channels.n_tx).abs()
        somewhere = per_antenna(MODES, channels, chosen, multiplier=multiplier)
        assert (somewhere <= reached * (1 + 1e-9)).all()
        assert (somewhere <= best * (1 + 1e-4)).all()
    assert (best <= reached * (1 + 1e-9)).all()
    assert (solution.trace["bound"] <= reached * (1 + 1e-9)).all()
    assert (solution.trace["gap"] <= 3e-3).all(), solution.trace["gap"]
    torch.testing.assert_close(best, solution.trace["bound"], rtol=3e-3, atol=0.0)
    assert (feasible_errors(channels[0], chosen) >= best[0]).all()


def test_the_slope_is_a_supergradient_and_the_dual_concave():
    channels = channel(11, 3, 4, batch=(3,))
    for limit in (PerAntenna(), PerAntenna(limits=0.5)):
        dual = antenna_dual(MODES.strength, channels, limit.limits_of(channels.power, 4))
        for seed in range(10):
            a, b = normal(seed, 3, 5).abs() * 0.3, normal(seed + 50, 3, 5).abs() * 0.3
            (value, slope), (other, _), (middle, _) = dual(a), dual(b), dual((a + b) / 2)
            assert (other <= value + (slope * (b - a)).sum(-1) + 1e-9 * value.abs()).all()
            assert (middle >= (value + other) / 2 - 1e-9 * middle.abs()).all()


def test_one_antenna_is_total_power():
    channels = channel(12, 3, 1, batch=(3,))
    exact = ll.ClosedForm().design(MODES, channels).expected_mse
    torch.testing.assert_close(per_antenna(MODES, channels), exact, rtol=1e-5, atol=0.0)


def test_antennas_without_power_are_as_if_they_were_not_there():
    channels = channel(2, 4, 4, snr_db=20.0, batch=(4,))
    limits = torch.tensor([0.0, 0.5, 0.5, 0.0], dtype=torch.float64)
    two = ll.Channel(channels.h[..., 1:3], channels.noise_variance)
    bound = per_antenna(MODES, two, limits[1:3])
    for warm_start in (True, False):
        iterations = 100 if warm_start else 200
        solution = Admm(power=PerAntenna(limits=limits), warm_start=warm_start, max_iterations=iterations).design(MODES, channels)
        torch.testing.assert_close(solution.trace["bound"], bound, rtol=1e-3, atol=0.0)
        assert (solution.trace["gap"] < (1e-4 if warm_start else 1e-2)).all(), solution.trace["gap"]
        link = solution.transceiver
        assert torch.equal(link.channel.h, channels.h)
        torch.testing.assert_close(solution.expected_mse, solution.trace["delivered"])
        assert (link.encode(normal(1, 5, 8))[..., [0, 3]] == 0).all()


@pytest.mark.parametrize(
    ("limits", "widely_linear"),
    [([1e-6, 0.5, 0.5, 1e-6], True), ([1e-3, 0.5, 0.5, 1e-3], False), ([0.05, 0.05, 0.05, 0.85], False), ([1e-3] * 4, True)],
)
def test_a_warm_start_is_near_the_bound_whatever_the_limits(limits, widely_linear):
    modes = ll.semantic_modes(KNOWN, shrinkage=0.0, widely_linear=widely_linear)
    channels = channel(2, 4, 4, snr_db=torch.tensor([0.0, 20.0]).repeat(2), batch=(4,))
    solution = Admm(power=PerAntenna(limits=torch.tensor(limits)), warm_start=True, max_iterations=50).design(modes, channels)
    assert (solution.trace["gap"] < 0.015).all(), solution.trace["gap"]


def test_limits_beyond_the_budget_are_total_power():
    channels = channel(13, 3, 3, batch=(3,))
    exact = ll.ClosedForm().design(MODES, channels).expected_mse
    bound = per_antenna(MODES, channels, 1.0)
    torch.testing.assert_close(bound, exact, rtol=1e-9, atol=0.0)


def test_per_use_limits_are_certified_too():
    channels = channel(14, 2, 2, uses=3, batch=(1,))
    solution = Admm(power=PerUse(), warm_start=True, max_iterations=200).design(MODES, channels)
    exact = ll.ClosedForm(power=ll.power.PerUse()).design(MODES, channels)
    assert (solution.expected_mse >= exact.expected_mse * (1 - 1e-6)).all()
    assert (solution.trace["bound"] <= exact.expected_mse * (1 + 1e-9)).all()
    assert (solution.trace["bound"] >= exact.expected_mse * (1 - 1e-3)).all()
    assert (solution.trace["gap"] <= 5e-3).all()
    F, _ = dense_pair(solution.transceiver)
    rows = (F @ KNOWN.cov_x * F).sum(-1).unflatten(-1, (2, 3, 2)).sum((-3, -1))
    assert (rows <= channels.power.unsqueeze(-1) * (1 + 1e-9)).all()


def test_dead_noise_free_and_powerless_channels_have_finite_bounds():
    h = ll.rayleigh(2, 2, batch=(3, 1), generator=seeded(1)) * torch.tensor([1.0, 0.0, 1.0])[:, None, None, None]
    channels = ll.Channel(h, torch.tensor([0.0, 0.1, 0.1]), torch.tensor([1.0, 1.0, 0.0]))
    bound = per_antenna(MODES, channels)
    assert bound.isfinite().all()
    torch.testing.assert_close(bound[1:], MODES.weighted_variance.expand(2), rtol=1e-9, atol=0.0)
    rest = MODES.weighted_variance - MODES.strength[:4].square().sum()
    assert bound[0] <= rest * (1 + 1e-9)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"limits": [0.1, 0.2]}, "limits must hold"),
        ({"limits": -1.0}, "limits must be"),
        ({"multiplier": [0.1, 0.2]}, "multiplier must be"),
        ({"multiplier": [0.1, -0.2, 0.3]}, "multiplier must be"),
    ],
)
def test_bad_arguments_are_refused_by_name(arguments, named):
    with pytest.raises(ValueError, match=named):
        per_antenna(MODES, channel(1, 2, 3), **arguments)


@pytest.mark.parametrize("limits", [[0.0, 1.0], [0.0, 0.0], [1e-9, 1.0]])
def test_silent_antennas_do_not_spoil_the_certificate(limits):
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(300, 6, dtype=torch.float64, generator=generator)
    y = x @ torch.randn(6, 5, dtype=torch.float64, generator=generator)
    modes = ll.semantic_modes(ll.Moments.from_pairs(x, y), shrinkage=0.0)
    h = ll.rayleigh(2, 2, generator=generator)
    channel = ll.Channel.from_snr(h, 30.0).repeated(2)
    audible = ll.Channel(channel.h * (torch.tensor(limits) > 1e-6), channel.noise_variance, channel.power)
    exact = ll.ClosedForm().design(modes, audible)
    bound = ll.bounds.per_antenna(modes, channel, torch.tensor(limits, dtype=torch.float64))
    assert bound <= exact.expected_mse * (1 + 1e-9)
    assert bound >= 0.98 * exact.expected_mse

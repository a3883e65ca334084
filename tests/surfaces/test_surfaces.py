"""Laws of surfaces: gradients, levels, what must not matter, and that each objective is best at its own."""

from itertools import pairwise, product

import pytest
import torch

import latentlink as ll
import network_cases as cases
from conformance.registry import modes
from latentlink.surfaces.bounds import least_error
from latentlink.surfaces.objectives import minus_capacity, minus_gain, semantic_error
from oracles import normal

POWER = torch.ones(3, dtype=torch.float64)
WORTHS = {
    "semantic": lambda: semantic_error(modes(), 0.1 * POWER, POWER),
    "capacity": lambda: minus_capacity(0.1 * POWER, POWER),
    "gain": lambda: minus_gain,
}


def _stack(uses: int = 1) -> "ll.surfaces.StackedSurface":
    source = torch.Generator().manual_seed(1)
    shapes = ((4, 2), (3, 4), (2, 3))
    drawn = [ll.rayleigh(*shape, batch=(3, uses), generator=source).to(torch.complex128) for shape in shapes]
    return ll.surfaces.StackedSurface([0.7 * each for each in drawn])


@pytest.mark.parametrize("objective", WORTHS)
@pytest.mark.parametrize("made", [lambda: cases.surface(uses=2), _stack, lambda: _stack(2)])
def test_gradients_are_those_of_differences(objective, made):
    surface, worth = made(), WORTHS[objective]()
    theta, move = normal(2, 3, surface.elements), normal(3, 3, surface.elements)
    slope = surface.pulled_back(theta, worth(surface.matrix(theta))[1])
    ahead, behind = (worth(surface.matrix(theta + sign * 1e-5 * move))[0] for sign in (1, -1))
    torch.testing.assert_close((slope * move).sum(-1), (ahead - behind) / 2e-5, rtol=1e-6, atol=1e-7)


def test_the_semantic_objective_is_the_error_of_the_closed_form():
    surface = cases.surface(uses=2)
    solution = ll.surfaces.SurfaceDesign(starts=1).design(modes(), surface, 10.0)
    signal = solution.link.trace["stream_power"]
    b = modes().strength
    h = torch.linalg.svdvals(solution.channel.h).flatten(-2).sort(dim=-1, descending=True).values.repeat_interleave(2, -1)
    s = signal.shape[-1]
    left = b[:s].square() / (1 + signal * h[..., :s].square() / (solution.channel.noise_variance.unsqueeze(-1) / 2))
    torch.testing.assert_close(solution.trace["objective"], left.sum(-1) + b[s:].square().sum(), rtol=1e-9, atol=0.0)


def test_each_objective_is_best_at_its_own():
    surface = cases.surface(elements=12)
    found = {name: ll.surfaces.SurfaceDesign(objective=name).design(modes(), surface, 0.0) for name in WORTHS}
    noise, power = found["gain"].channel.noise_variance, found["gain"].channel.power
    worths = {"semantic": semantic_error(modes(), noise, power), "capacity": minus_capacity(noise, power), "gain": minus_gain}
    for name, worth in worths.items():
        values = {other: worth(solution.channel.h)[0] for other, solution in found.items()}
        assert all(bool((values[name] <= value + 0.01 * value.abs()).all()) for value in values.values())
        random = worth(surface.matrix(6.28 * torch.rand(3, 12, dtype=torch.float64, generator=torch.Generator().manual_seed(0))))[0]
        assert bool((values[name] <= random).all())


def test_the_search_over_levels_is_near_the_best_of_all():
    surface = cases.surface(elements=4)
    worth = semantic_error(modes(), surface.channel(torch.zeros(4), 10.0).noise_variance, POWER)
    grid = torch.pi / 2 * torch.tensor(list(product(range(4), repeat=4)), dtype=torch.float64)
    best = torch.stack([worth(surface.matrix(each.expand(3, 4)))[0] for each in grid]).amin(0)
    found = ll.surfaces.SurfaceDesign(bits=2, starts=3).design(modes(), surface, 10.0)
    assert bool((found.trace["objective"] <= 1.01 * best).all())
    levels = found.phases / (torch.pi / 2)
    torch.testing.assert_close(levels, levels.round(), rtol=0.0, atol=1e-9)


def test_more_bits_are_never_worse_and_none_are_best():
    surface = cases.surface(elements=8)
    J = [ll.surfaces.SurfaceDesign(bits=bits, starts=1).design(modes(), surface, 5.0).trace["objective"] for bits in (1, 2, 3, 4)]
    assert all(bool((after <= before * (1 + 1e-12)).all()) for before, after in pairwise(J))
    continuous = ll.surfaces.SurfaceDesign(starts=1).design(modes(), surface, 5.0).trace["objective"]
    assert bool((continuous <= J[-1] * (1 + 1e-3)).all())


@pytest.mark.parametrize("objective", WORTHS)
@pytest.mark.parametrize("made", [lambda: cases.surface(uses=2), lambda: cases.surface(direct=0.0), _stack, lambda: _single(_stack(2))])
def test_no_phases_pass_the_bound(objective, made):
    surface, design = made(), ll.surfaces.SurfaceDesign(objective=objective, starts=2)
    for snr_db in (-20.0, 0.0, 30.0):
        trace = design.design(modes(), surface, snr_db).trace
        assert bool((trace["bound"] <= trace["objective"] + 1e-9 * trace["objective"].abs()).all())


def test_one_antenna_at_each_end_meets_its_bound():
    surface = _single(_stack(), antennas=1)  # all paths add up
    for objective in ("gain", "capacity"):
        trace = ll.surfaces.SurfaceDesign(objective=objective).design(modes(), surface, 40.0).trace
        torch.testing.assert_close(trace["bound"], trace["objective"], rtol=2e-3, atol=0.0)


@pytest.mark.parametrize("gain", [0.0, 0.5, 3.0, 40.0, 1e6])
def test_no_split_is_below_the_least_error(gain):
    noise, budget, total = (torch.tensor(value, dtype=torch.float64) for value in (0.2, 1.5, gain))
    X = (4 * budget * total / noise).sqrt()
    for b in (torch.ones(4, dtype=torch.float64), normal(7, 6).abs().sort(descending=True).values):
        bound = least_error(b, noise, budget, total, streams=2)
        shares = torch.rand(500, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) ** 4
        x = X * shares / shares.sum(-1, keepdim=True)
        assert bool((bound <= (b[:4].square() / (1 + x.square())).sum(-1) + b[4:].square().sum() + 1e-12).all())
    equal = 1 - X / 8 if X <= 4 else 1 / (1 + (X / 4).square())
    torch.testing.assert_close(least_error(torch.ones(4, dtype=torch.float64), noise, budget, total, 2), 4 * equal, rtol=1e-9, atol=1e-12)


def _single(stack: "ll.surfaces.StackedSurface", antennas: int = 2) -> "ll.surfaces.StackedSurface":
    """The first and the last layers of propagation of a stack, about one layer of elements."""
    return ll.surfaces.StackedSurface([stack.layers[0][..., :3, :antennas], stack.layers[-1][..., :antennas, :]])


def test_without_a_direct_path_a_common_phase_changes_nothing():
    surface = cases.surface(direct=0.0)
    theta = normal(4, 3, 5)
    for made in WORTHS.values():
        values = [made()(surface.matrix(theta + turn))[0] for turn in (0.0, 1.3)]
        torch.testing.assert_close(*values, rtol=1e-10, atol=1e-12)


def test_batches_precision_and_dead_surfaces():
    surface, design = cases.surface(), ll.surfaces.SurfaceDesign(starts=2)
    whole = design.design(modes(), surface, 10.0)
    alone = design.design(modes(), ll.surfaces.Surface(*(each[1] for each in (surface.direct, surface.incident, surface.reflected))), 10.0)
    torch.testing.assert_close(whole.trace["objective"][1], alone.trace["objective"], rtol=1e-9, atol=0.0)
    single = design.design(modes().to(torch.float32), surface, 10.0)
    torch.testing.assert_close(single.trace["objective"].double(), whole.trace["objective"], rtol=1e-4, atol=0.0)
    for direct in (0.0, 1.0):
        dead = ll.surfaces.Surface(direct * surface.direct, 0 * surface.incident, surface.reflected)
        for name in WORTHS:
            found = ll.surfaces.SurfaceDesign(objective=name, starts=1).design(modes(), dead, 10.0)
            assert bool(found.phases.isfinite().all() & found.link.expected_mse.isfinite().all())


@pytest.mark.parametrize(("snr_db", "power"), [(torch.inf, 1.0), (10.0, 5e-324)])
@pytest.mark.parametrize("objective", WORTHS)
def test_phases_are_finite_without_noise_or_power(objective, snr_db, power):
    found = ll.surfaces.SurfaceDesign(objective=objective, starts=2).design(modes(), cases.surface(), snr_db, power)
    assert bool(found.phases.isfinite().all() & found.trace["objective"].isfinite().all())


@pytest.mark.parametrize(
    ("made", "says"),
    [
        (lambda s: ll.surfaces.Surface(s.direct.real, s.incident, s.reflected), "direct must be complex"),
        (lambda s: ll.surfaces.Surface(s.direct, s.incident[..., :3, :], s.reflected), "must be"),
        (lambda s: s.matrix(torch.zeros(4)), "phases"),
        (lambda s: s.matrix(torch.full((5,), torch.nan)), "phases"),
        (lambda s: ll.surfaces.SurfaceDesign(objective="rate"), "objective"),
        (lambda s: ll.surfaces.SurfaceDesign(bits=0), "bits"),
        (lambda s: ll.surfaces.StackedSurface([s.incident]), "layers"),
        (lambda s: ll.surfaces.StackedSurface([s.incident, s.incident]), "layers"),
    ],
)
def test_what_does_not_fit_is_refused(made, says):
    with pytest.raises(ValueError, match=says):
        made(cases.surface())

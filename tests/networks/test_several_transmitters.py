"""Laws of sensors, selfish and cooperative pairs, and fairness."""

from dataclasses import replace

import pytest
import torch

import latentlink as ll
import network_cases as cases
from latentlink.networks.exact import exact
from latentlink.networks.game import CYCLING
from latentlink.networks.pairs import alone_with_own
from latentlink.networks.pricing import answer_prices, priced
from latentlink.networks.problem import Problem
from latentlink.networks.several_transmitters import cooperative_bound, own_designs, random_precoders
from oracles import normal

nw = ll.networks


def _pairs(cross: float, batch: int = 4, snr_db: float = 10.0) -> "nw.Links":
    """Three pairs with cross channels of a given amplitude."""
    table = cases.links("interference", batch=batch, snr_db=snr_db).table
    h = [[each.h * (1.0 if k == t else cross) for t, each in enumerate(row)] for k, row in enumerate(table)]
    return nw.Links(h, table[0][0].noise_variance)


def _values(names: list[str], solution: "nw.NetworkSolution") -> bool:
    return solution.status_names() == names


@pytest.mark.parametrize("order", ["sequential", "simultaneous"])
def test_at_an_equilibrium_no_pair_gains_by_changing(order):
    modes, links = cases.modes("interference"), _pairs(0.3)
    solution = nw.SemanticGame(order=order).design(modes, links)
    assert _values(["equilibrium"], solution)
    assert bool((solution.trace["gain"] <= 1e-10).all())
    problem = Problem.of(modes, links)
    J = problem.errors(solution.precoder)
    source = torch.Generator().manual_seed(0)
    for k in range(3):  # proper precoders of the same power, random and near: nobody gains
        rows, columns = problem.rows[k], problem.columns[k]
        for size in (1e-3, 0.1, 10.0):
            F = solution.precoder.clone()
            own = torch.complex(*F[..., rows, columns].unflatten(-2, (2, -1)).unbind(-3))
            _, _, Vh = torch.linalg.svd(problem.B[k][:, columns])
            beams = own @ Vh.mT.to(own)  # columns 2i and 2i + 1 are one symbol: v and j v
            v = (beams[..., 0::2] - 1j * beams[..., 1::2]) / 2
            v = v + size * torch.randn(v.shape, dtype=v.dtype, generator=source)
            pairs = torch.stack([v, 1j * v], -1).flatten(-2) @ Vh.to(v)
            pairs = pairs * (problem.power[..., k, None, None] / pairs.abs().square().sum((-2, -1), keepdim=True)).sqrt()
            F[..., rows, columns] = torch.cat([pairs.real, pairs.imag], -2)
            assert bool((problem.errors(F)[..., k] >= J[..., k] * (1 - 1e-9)).all())


def test_pairs_that_do_not_hear_each_other_settle_at_once_at_what_each_has_alone():
    modes, links = cases.modes("interference"), _pairs(0.0)
    solution = nw.SemanticGame().design(modes, links)
    assert bool((solution.trace["rounds"] <= 1).all())
    problem = Problem.of(modes, links)
    cooperative = nw.Cooperative(starts=1).design(modes, links)
    torch.testing.assert_close(cooperative.trace["objective"], alone_with_own(problem), rtol=1e-8, atol=1e-10)
    assert _values(["optimal"], cooperative)
    mac = nw.MultipleAccess(budget="separate", starts=1).design(modes, links)
    torch.testing.assert_close(mac.trace["objective"], alone_with_own(problem), rtol=1e-8, atol=1e-10)


def test_widely_linear_answers_are_honest_about_cycling():
    solution = nw.SemanticGame(proper=False, rounds=30).design(cases.modes("interference"), _pairs(0.7))
    moving = solution.trace["gain"] > 1e-10
    assert bool(moving.any())
    assert torch.equal(solution.status == CYCLING.code, moving)


def test_cooperation_is_never_worse_than_the_game_and_never_below_its_bound():
    modes = cases.modes("interference")
    for cross in (0.3, 1.0):
        links = _pairs(cross)
        nash, together = nw.SemanticGame().design(modes, links), nw.Cooperative(starts=2).design(modes, links)
        assert bool((together.trace["objective"] <= nash.trace["objective"] * (1 + 1e-12)).all())
        assert bool((together.bound <= together.weighted.sum(-1)).all())
        assert bool((nash.bound <= nash.weighted.sum(-1)).all())
        assert bool((together.expected_power <= 1 + 1e-9).all())


def test_answers_to_prices_never_raise_the_sum():
    problem = Problem.of(cases.modes("interference"), _pairs(1.0))
    F, before = random_precoders(problem, 3), None
    for _ in range(6):
        J = problem.errors(F).sum(-1)
        assert before is None or bool((before * (1 + 1e-9) >= J).all())
        assert bool((problem.spent(F) <= problem.power * (1 + 1e-6)).all())
        F, before = answer_prices(problem, F, 1), J


def test_without_prices_the_priced_answer_is_the_closed_form():
    B, H, power = normal(1, 3, 5), normal(2, 4, 4, 6), torch.full((4,), 0.7, dtype=torch.float64)
    F = priced(B, H, torch.zeros(4, 6, 6, dtype=torch.float64), power)
    expected = exact(B, H, power)
    M = H @ F
    error = (torch.linalg.solve(torch.eye(5, dtype=torch.float64) + M.mT @ M, B.mT.expand(4, 5, 3)) * B.mT).sum((-2, -1))
    torch.testing.assert_close(error, expected.error, rtol=1e-8, atol=0.0)


def test_sensors_share_what_is_near_the_best_that_cooperation_could():
    modes, links = cases.modes("sensors"), cases.links("sensors", batch=6, uses=2)
    separate, together = (nw.MultipleAccess(budget=budget).design(modes, links) for budget in ("separate", "sum"))
    assert bool((together.trace["objective"] <= separate.trace["objective"] * (1 + 1e-3)).all())
    problem = Problem.of(modes, links)
    own = problem.errors(own_designs(problem)).sum(-1)
    assert bool((separate.trace["objective"] <= own).all())
    for solution in (separate, together):
        assert bool((solution.bound <= solution.weighted.sum(-1) * (1 + 1e-12)).all())
    prices = replace(problem, power=problem.power * torch.tensor([1.0, 4.0]))
    assert bool((cooperative_bound(prices, "separate") >= cooperative_bound(prices, "sum") * (1 - 1e-12)).all())


def test_prices_of_power_bound_sensors_as_well_as_a_grid_of_prices_does():
    """Any prices give a bound; those of the ascent are as good as the best of a fine grid, and equal prices are one budget's."""
    problem = Problem.of(cases.modes("sensors"), cases.links("sensors", batch=6, uses=2))
    problem = replace(problem, H=problem.H * torch.cat([torch.full((4 * 2,), 0.3), torch.ones(4 * 2)]))
    found, grid = cooperative_bound(problem, "separate"), []
    for a in torch.linspace(0.02, 0.98, 49).tolist():
        priced_power = torch.tensor([a, 1 - a])
        weights = priced_power.rsqrt().repeat_interleave(8)
        priced_one = replace(problem, H=problem.H * weights, power=problem.power * priced_power)
        grid.append(cooperative_bound(priced_one, "sum"))
    assert bool((found >= torch.stack(grid).amax(0) * (1 - 1e-6)).all())
    assert bool((found <= problem.errors(nw.MultipleAccess().solve(problem).F).sum(-1)).all())


def test_fairness_helps_the_worst_user_and_knows_what_it_cannot_pass():
    modes, links = cases.modes("interference"), _pairs(1.0)
    inner = nw.Cooperative(starts=1)
    usual, fair = inner.design(modes, links), nw.Fair(by=inner, rounds=20).design(modes, links)
    win = modes.weighted_variance - modes.rest
    worst = ((usual.weighted - modes.rest) / win).amax(-1)
    assert bool((fair.trace["worst"] <= worst * (1 + 1e-9)).all())
    torch.testing.assert_close(fair.trace["worst"], ((fair.weighted - modes.rest) / win).amax(-1), rtol=1e-6, atol=0.0)
    assert bool((fair.trace["worst_bound"] <= fair.trace["worst"]).all())
    equal = [[cases.links("broadcast").table[0][0].h]] * 3
    exactly = nw.Fair(by=nw.Broadcast(), rounds=40).design(cases.modes("broadcast"), nw.Links(equal, 0.1))
    assert bool((exactly.trace["gap"] < 0.05).all())


def test_what_is_no_design_or_budget_is_refused():
    for made, says in (
        (lambda: nw.MultipleAccess(budget="both"), "budget"),
        (lambda: nw.Cooperative(method="prices", budget="sum"), "budget"),
        (lambda: nw.SemanticGame(tolerance=0.0), "tolerance"),
        (lambda: nw.Fair(by=ll.ClosedForm()), "by"),
        (lambda: nw.Fair(by=nw.SemanticGame()), "by must be a design that weighs its users"),
    ):
        with pytest.raises(ValueError, match=says):
            made()


@pytest.mark.parametrize("kind", ["interference", "sensors"])
def test_transmitters_in_turn_do_not_disturb_each_other(kind):
    """What pairs reach in turn is the closed form of each in its own uses; sharing all uses is better."""
    modes, links = cases.modes(kind), cases.links(kind, uses=3)
    turns = nw.TimeDivision().design(modes, links)
    problem = Problem.of(modes, links)
    assert bool((problem.spent(turns.precoder) <= problem.power * (1 + 1e-9)).all())
    if kind == "interference":
        own = [
            ll.ClosedForm().design(modes.pair(k), ll.Channel(links.own(k).h[..., k : k + 1, :, :], links.own(k).noise_variance, 3.0))
            for k in range(3)
        ]
        torch.testing.assert_close(turns.expected_mse, torch.stack([each.expected_mse for each in own], -1), rtol=1e-7, atol=0.0)
    together = (nw.Cooperative(starts=2) if kind == "interference" else nw.MultipleAccess()).design(modes, links)
    assert bool((together.trace["objective"] <= turns.trace["objective"]).all())
    with pytest.raises(ValueError, match="uses"):
        nw.TimeDivision().design(modes, cases.links(kind))

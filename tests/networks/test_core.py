"""The equations of networks against what arrives, and every user's link against what was expected of it."""

from dataclasses import replace

import pytest
import torch

import latentlink as ll
import network_cases as cases
from latentlink.networks.descent import step, within_budget, within_sum
from latentlink.networks.polish import polish
from latentlink.networks.problem import Problem
from latentlink.networks.several_transmitters import cooperative_bound, random_precoders
from latentlink.streams.whitened import real_channel
from oracles import normal

DESIGNS = {
    "broadcast": ll.networks.Broadcast(starts=1, steps=5, polish=5),
    "private": ll.networks.Broadcast(starts=1, steps=5, polish=5),
    "sensors": ll.networks.MultipleAccess(starts=1, steps=5, polish=5),
    "interference": ll.networks.Cooperative(starts=1, steps=5, polish=5),
}


def _latents(kind: str) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
    """Latents of every source and of every user, as `cases.moments` has them."""
    x = cases.latents()
    if kind == "sensors":
        return [x[:, :4], x[:, 2:]], [x.tanh()]
    if kind == "broadcast":
        return [x], [(x @ cases.latents(k + 1)[:6, :4]).tanh() for k in range(3)]
    xs = [cases.latents(k) for k in range(3)]
    return xs, [(each @ cases.latents(k + 1)[:6, :4]).tanh() for k, each in enumerate(xs)]


def _problem(kind: str, **settings: int) -> Problem:
    return Problem.of(cases.modes(kind), cases.links(kind, **settings))


@pytest.mark.parametrize("kind", cases.KINDS)
def test_every_user_has_an_ordinary_link_that_is_measured_as_expected(kind, tmp_path):
    modes, links = cases.modes(kind), cases.links(kind, uses=2)
    solution = DESIGNS[kind].design(modes, links)
    x, y = _latents(kind)
    for k in range(modes.users):
        link = solution.user(k)
        seen = torch.cat([x[i] for i in modes.sources_of(k)], -1).repeat(40, 1)
        measured = ll.evaluate(link, seen, y[k].repeat(40, 1), channel=link.channel, generator=0)
        torch.testing.assert_close(measured.mse, solution.expected_mse[:, k], rtol=0.02, atol=0.0)
    link.save(tmp_path / "link.safetensors")
    again = ll.load(tmp_path / "link.safetensors", ll.LinearTransceiver)
    assert torch.equal(again.decoder, link.decoder)
    assert bool((solution.expected_power <= torch.stack([each.power for each in links.table[0]], -1) * (1 + 1e-9)).all())


@pytest.mark.parametrize("kind", [*cases.KINDS, "sensors that repeat each other"])
def test_decoders_have_the_error_that_precoders_are_designed_for(kind):
    """The error of the decoders, from the pilots' moments, is that of the designs' objective, also where sources depend on each other."""
    if kind == "sensors that repeat each other":
        x = cases.latents()
        kind, moments = "sensors", ll.networks.NetworkMoments.from_pilots([x[:, :4], x[:, :4]], [x.tanh()])
    else:
        moments = cases.moments(kind)
    modes = ll.networks.network_modes(moments, shrinkage=0.0)
    solution = DESIGNS[kind].design(modes, cases.links(kind))
    torch.testing.assert_close(solution.expected_mse / modes.variance, solution.weighted / modes.weighted_variance, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("kind", cases.KINDS)
def test_what_arrives_over_all_links_at_once_has_the_expected_error(kind):
    modes, links = cases.modes(kind), cases.links(kind)
    solution = DESIGNS[kind].design(modes, links)
    x, y = _latents(kind)
    rows = [torch.arange(len(x[0]))] * len(x)
    if kind in ("private", "interference"):  # what others see is independent
        rows = [torch.randperm(len(x[0]), generator=torch.Generator().manual_seed(k)) for k in range(len(x))]
    x = [each[r].repeat(60, 1) for each, r in zip(x, rows, strict=True)]
    y = [each[rows[min(k, len(rows) - 1)]].repeat(60, 1) for k, each in enumerate(y)]
    places = [0] * len(x) if links.transmitters == 1 else range(len(x))
    sent = [each.encode(*[x[i] for i, t in enumerate(places) if t == number]) for number, each in enumerate(solution.transmitters)]
    received = links.apply(sent, 0)
    for k, receiver in enumerate(solution.receivers):
        errors = (receiver.decode(received[min(k, len(received) - 1)]) - y[k]).square().sum(-1).mean(-1)
        torch.testing.assert_close(
            errors, solution.expected_mse[:, k], rtol=0.12 if kind in ("private", "interference") else 0.03, atol=0.0
        )


@pytest.mark.parametrize("kind", cases.KINDS)
@pytest.mark.parametrize("budget", ["separate", "sum"])
def test_no_step_raises_the_error_or_the_power(kind, budget):
    problem = _problem(kind, uses=2)
    F = random_precoders(problem, 1)
    F = within_sum(problem, F) if budget == "sum" else F
    J = problem.errors(F).sum(-1)
    for number in range(8):
        F = step(problem, F, budget) if number < 6 else polish(problem, F, 4, budget)
        after = problem.errors(F).sum(-1)
        assert bool((after <= J * (1 + 1e-10)).all())
        spent = problem.spent(F)
        assert (
            bool((spent <= problem.power * (1 + 1e-9)).all())
            if budget == "separate"
            else bool((spent.sum(-1) <= problem.power.sum(-1) * (1 + 1e-9)).all())
        )
        J = after
    assert bool((cooperative_bound(problem, budget) * (1 - 1e-9) <= J).all())


def test_the_gradient_is_that_of_differences():
    problem = _problem("interference")
    F = random_precoders(problem, 2)
    _, slope = problem.objective(F)
    move = normal(3, *F.shape) * problem.allowed
    ahead, behind = (problem.objective(F + sign * 1e-5 * move)[0] for sign in (1, -1))
    torch.testing.assert_close((ahead - behind) / 2e-5, (slope * move).sum((-2, -1)), rtol=1e-6, atol=1e-8)


def test_a_budget_that_binds_is_spent_and_others_are_not():
    root = normal(4, 5, 4, 4)
    A, D = root @ root.mT, normal(5, 5, 4, 3)
    free = torch.linalg.solve(A, D)
    for scale in (0.01, 0.5, 2.0):
        power = scale * free.square().sum((-2, -1))
        F = within_budget(A, D, power)
        spent = F.square().sum((-2, -1))
        torch.testing.assert_close(spent, power.clamp(max=free.square().sum((-2, -1))), rtol=1e-9, atol=0.0)
        gradient = A @ F - D
        along = -(gradient * F).sum((-2, -1)) / spent  # gradient + μ F = 0
        torch.testing.assert_close(gradient + along[..., None, None] * F, torch.zeros_like(F), rtol=0.0, atol=1e-8)
        assert bool((along >= -1e-10).all())
    assert not bool(within_budget(torch.zeros_like(A), torch.zeros_like(D), power).any())


def test_precoders_outside_the_rows_of_what_is_wanted_help_nobody():
    problem = _problem("broadcast")
    F = random_precoders(problem, 6)
    _, s, Vh = torch.linalg.svd(problem.B.flatten(0, 1), full_matrices=False)
    V = Vh[s > 1e-10 * s[0]].mT
    assert bool((problem.errors(F @ V @ V.mT) <= problem.errors(F) * (1 + 1e-12)).all())


@pytest.mark.parametrize("kind", cases.KINDS)
def test_one_user_is_the_closed_form(kind):
    one = {"sensors": "broadcast"}.get(kind, kind)
    moments = cases.moments(one, 1)
    modes = ll.networks.network_modes(moments, shrinkage=0.01)
    links = cases.links(one, 1, uses=2, n_rx=3)
    pair = ll.semantic_modes(moments.pairs[0][0], shrinkage=0.01)
    exact = ll.ClosedForm().design(pair, links.own(0))
    designs = [
        DESIGNS[kind], ll.networks.Cooperative(starts=1), ll.networks.MultipleAccess(starts=1, polish=0), ll.networks.Broadcast(),
        ll.networks.BlockDiagonal(), ll.networks.ReusedDesign(), ll.networks.Fair(by=ll.networks.Broadcast(), rounds=2),
    ]  # fmt: skip
    for design in designs:
        solution = design.design(modes, links)
        torch.testing.assert_close(solution.expected_mse[:, 0], exact.expected_mse, rtol=1e-10, atol=1e-10)
        torch.testing.assert_close(solution.user(0).precoder.square().sum((-3, -2, -1)), 2 * links.own(0).power, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("kind", cases.KINDS)
def test_batch_precision_and_dead_networks(kind):
    modes, links = cases.modes(kind), cases.links(kind)
    solution = DESIGNS[kind].design(modes, links)
    alone = DESIGNS[kind].design(modes, links[1])
    torch.testing.assert_close(solution.weighted[1], alone.weighted, rtol=1e-9, atol=1e-12)
    design = replace(DESIGNS[kind], starts=3, steps=60, polish=100)  # where a design has not converged, rounding may have it elsewhere
    single, double = design.design(modes.to(torch.float32), links), design.design(modes, links)
    assert single.precoder.dtype == torch.float32
    same = replace(double, modes=modes.to(torch.float32), links=links.to(torch.float32), precoder=double.precoder.float())
    torch.testing.assert_close(same.weighted.double(), double.weighted, rtol=1e-4, atol=0.0)
    torch.testing.assert_close(same.expected_mse.double(), double.expected_mse, rtol=1e-4, atol=0.0)
    torch.testing.assert_close(single.weighted.sum(-1).double(), double.weighted.sum(-1), rtol=1e-3, atol=0.0)  # or the next local optimum
    table = [[0 * each.h for each in row] for row in links.table]
    dead = DESIGNS[kind].design(modes, ll.networks.Links(table, 0.1))
    torch.testing.assert_close(dead.expected_mse, modes.variance.expand(2, -1))
    deaf = [[each.h * (k > 0 or len(links.table) == 1) for each in row] for k, row in enumerate(links.table)]
    for noise in (0.0, 1e-12):
        loud = DESIGNS[kind].design(modes, ll.networks.Links(deaf, noise))
        assert bool(loud.precoder.isfinite().all() & loud.weighted.isfinite().all() & loud.expected_mse.isfinite().all())


def test_silent_users_change_nobody():
    moments = cases.moments("broadcast")
    links = cases.links("broadcast")
    two = ll.networks.NetworkMoments(moments.pairs[:2], moments.cross)
    fewer = ll.networks.Links([[row[0].h] for row in links.table[:2]], links.table[0][0].noise_variance)
    design = ll.networks.Broadcast()
    with_silent = design.design(ll.networks.network_modes(moments, weights=[1, 1, 0], shrinkage=0.0), links)
    without = design.design(ll.networks.network_modes(two, shrinkage=0.0), fewer)
    torch.testing.assert_close(with_silent.weighted[:, :2], without.weighted, rtol=1e-4, atol=0.0)
    assert bool((with_silent.weighted[:, 2] == 0).all())


def test_errors_of_channels_count_as_noise_and_are_measured():
    """Decoders know the estimates only; one use. What is expected is the mean over the channels that the estimates leave open."""
    modes, links = cases.modes("interference"), cases.links("interference", batch=1)
    source = torch.Generator().manual_seed(5)
    known = ll.networks.Links([[each.h for each in row] for row in links.table], links.table[0][0].noise_variance, error_variance=0.05)
    solution = DESIGNS["interference"].design(modes, known)
    total, draws = torch.zeros(3, dtype=torch.float64), 4000
    for k, row in enumerate(known.table):
        errors = [
            (0.05 / 2) ** 0.5 * torch.view_as_complex(torch.randn(draws, 1, 2, 2, 2, dtype=torch.float64, generator=source)) for _ in row
        ]
        true = ll.networks.Links([[each.h[0] + error for each, error in zip(row, errors, strict=True)]], row[0].noise_variance)
        M = torch.cat([real_channel(each) for each in true.table[0]], -1) @ solution.precoder[0]
        G = solution.receivers[k].decoder[0]
        gram = modes.synthesis[k].mT @ modes.synthesis[k]
        T = G @ M
        noise = row[0].noise_variance[0] / 2 * (G @ G.mT)
        received = T @ modes.covariance @ T.mT + noise
        total[k] = (modes.variance[k] - 2 * (T * gram).sum((-2, -1)) + (gram * received).sum((-2, -1))).mean()
    torch.testing.assert_close(total, solution.expected_mse[0], rtol=0.03, atol=0.0)
    naive = DESIGNS["interference"].design(modes, links)
    assert bool((naive.expected_mse < solution.expected_mse).any())


def test_networks_that_do_not_fit_are_refused():
    h = cases.links("broadcast").table[0][0].h
    with pytest.raises(ValueError, match="transmitter_of"):
        ll.networks.Broadcast().design(cases.modes("private"), ll.networks.Links([[h, h]] * 3))
    with pytest.raises(ValueError, match="receiver_of"):
        ll.networks.Broadcast().design(cases.modes("broadcast"), ll.networks.Links([[h]] * 2))
    with pytest.raises(ValueError, match="one transmitter"):
        ll.networks.Broadcast().design(cases.modes("interference"), cases.links("interference"))
    with pytest.raises(ValueError, match="must be pairs for a game"):
        ll.networks.SemanticGame().design(cases.modes("broadcast"), cases.links("broadcast"))
    with pytest.raises(ValueError, match="pairs"):
        ll.networks.NetworkMoments(((None,),), ((None,),))
    with pytest.raises(ValueError, match="observations"):
        ll.networks.NetworkMoments.from_pilots([cases.latents()], [cases.latents()] * 2, "own")
    with pytest.raises(ValueError, match=r"goals\[0\]"):
        ll.networks.network_modes(cases.moments("broadcast"), ll.Goal(torch.eye(7)))

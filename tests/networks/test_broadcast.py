"""Laws of one transmitter for several users: the closed form where it is known, bounds, duality, and what must not matter."""

from dataclasses import replace

import pytest
import torch

import latentlink as ll
import network_cases as cases
from latentlink.networks.descent import descend, step, within_sum
from latentlink.networks.design import Outcome
from latentlink.networks.equivalent import factor, stacked
from latentlink.networks.exact import exact
from latentlink.networks.polish import polish
from latentlink.networks.problem import Problem
from oracles import normal

nw = ll.networks
USERS, RX, TX, ROWS, COORDINATES = 3, 4, 4, 3, 5  # antennas in real dimensions
BASELINES = [nw.BlockDiagonal(), nw.Slnr(), nw.ReusedDesign(), nw.TimeDivision(), nw.TimeDivision(overheard=True), nw.FederatedAdmm()]


def made(H: torch.Tensor, B: torch.Tensor, power: float = 1.0) -> Problem:
    """A problem of one transmitter with channels (…, K, r, a) and wanted rows (K, q, c)."""
    a, eye = H.shape[-1], torch.eye(B.shape[-1], dtype=torch.float64)
    most, budget = B.square().sum((-2, -1)), torch.full((*H.shape[:-3], 1), power, dtype=torch.float64)
    return Problem(H, B, eye, most, budget, (slice(0, a),), (slice(0, len(eye)),), eye, 1)


def complex_channels(seed: int, *shape: int) -> torch.Tensor:
    """Real embeddings (…, r, a) of complex Gaussian channels of gain 1."""
    real, imaginary = normal(seed, 2, *shape[:-2], shape[-2] // 2, shape[-1] // 2) / 2**0.5
    return torch.cat([torch.cat([real, -imaginary], -1), torch.cat([imaginary, real], -1)], -2)


def common(batch: int = 4, gain: float = 2.0) -> Problem:
    """Three users who want several rows of the same coordinates, on channels of their own."""
    return made(gain * complex_channels(1, batch, USERS, RX, TX), normal(2, USERS, ROWS, COORDINATES))


def weighed(problem: Problem, *weights: float) -> Problem:
    """The problem with other weights of its users."""
    B = problem.B * torch.tensor(weights, dtype=torch.float64).sqrt()[:, None, None]
    return replace(problem, B=B, most=B.square().sum((-2, -1)))


def private(H: torch.Tensor, strength: torch.Tensor) -> Problem:
    """Users of messages of their own, with strengths (K, q)."""
    K, q = strength.shape
    B = torch.zeros(K, q, K * q, dtype=torch.float64)
    for k in range(K):
        B[k, :, k * q : (k + 1) * q] = strength[k].diag()
    return made(H, B)


def random_start(problem: Problem, seed: int) -> torch.Tensor:
    return within_sum(problem, normal(seed, *problem.batch, problem.H.shape[-1], problem.B.shape[-1]))


def total(problem: Problem, F: torch.Tensor) -> torch.Tensor:
    return problem.errors(F).sum(-1)


def solved(problem: Problem, **settings: int) -> tuple[torch.Tensor, Outcome]:
    outcome = nw.Broadcast(**settings).solve(problem)
    return total(problem, outcome.F), outcome


@pytest.mark.parametrize("design", [nw.Broadcast(), *BASELINES], ids=repr)
def test_one_user_is_the_closed_form(design):
    """Every design of a network of one pair is that pair's optimum."""
    modes, links = cases.modes("broadcast", 1), cases.links("broadcast", 1)
    least = ll.ClosedForm().design(modes.pair(0), links.own(0)).expected_mse
    tolerance = 1e-6 if isinstance(design, nw.FederatedAdmm) else 1e-10
    assert torch.allclose(design.design(modes, links).expected_mse[..., 0], least, rtol=tolerance, atol=0)


def test_block_descent_meets_the_closed_form_from_above():
    problem = made(normal(1, 4, 1, RX, TX), normal(2, 1, ROWS, COORDINATES))
    least = exact(problem.B[0], problem.H[:, 0], problem.power.sum(-1)).error
    J = total(problem, descend(problem, random_start(problem, 3), 1000, "sum"))
    assert bool((least * (1 - 1e-12) <= J).all())
    assert torch.allclose(J, least, rtol=3e-4)


def test_equal_channels_are_the_closed_form_of_the_stack():
    """Whatever rotation the antennas have; a user twice is a user of twice the weight, and the order of users is nothing."""
    H, problem = normal(1, 4, 1, RX, TX), common()
    turns = torch.linalg.qr(normal(3, USERS, RX, RX)).Q
    same = replace(problem, H=turns @ H)
    J, outcome = solved(same)
    least = exact(stacked(problem.B), H[:, 0], problem.power.sum(-1)).error
    assert torch.allclose(J, least, rtol=1e-12)
    assert bool((outcome.status == ll.Status.OPTIMAL.code).all())
    assert torch.allclose(outcome.bound, least, rtol=1e-12)
    goals = torch.linalg.qr(normal(4, USERS, ROWS, ROWS)).Q
    assert torch.allclose(solved(replace(same, B=(goals @ problem.B)[[2, 0, 1]]))[0], least, rtol=1e-12)
    twice = made(problem.H[:, [0, 0, 1]], problem.B[[0, 0, 1]])
    heavier = weighed(made(problem.H[:, :2], problem.B[:2]), 2.0, 1.0)
    F = random_start(problem, 4)
    assert torch.allclose(total(twice, F), total(heavier, F), rtol=1e-12)


@pytest.mark.parametrize("kind", ["common", "private"])
def test_no_step_raises_the_error_or_leaves_the_budget(kind):
    problem = common() if kind == "common" else private(2 * normal(1, 4, USERS, 2, TX), normal(2, USERS, 2).abs())
    F = random_start(problem, 3)
    for _ in range(20):
        ahead = step(problem, F, "sum")
        assert bool((total(problem, ahead) <= total(problem, F) * (1 + 1e-10)).all())
        assert torch.allclose(problem.spent(ahead), problem.power, rtol=1e-12)
        F = ahead


def test_the_rows_that_are_wanted_are_enough():
    """Without what lies outside the rows of the stack no user is worse off."""
    problem = made(2 * normal(1, 4, 2, RX, TX), normal(2, 2, 1, COORDINATES))
    Q = torch.linalg.qr(stacked(problem.B).mT).Q
    F = random_start(problem, 3)
    assert bool((problem.errors(F @ Q @ Q.mT) <= problem.errors(F) + 1e-14).all())


def test_orthogonal_channels_are_parallel_closed_forms():
    """Users of private messages on antennas of their own: one water level, and the bound is met."""
    H = torch.zeros(3, 2, 2, 4, dtype=torch.float64)
    H[:, 0, :, :2], H[:, 1, :, 2:] = normal(1, 3, 2, 2), normal(2, 3, 2, 2)
    J, outcome = solved(private(H, normal(3, 2, 2).abs()))
    assert torch.allclose(J, outcome.bound, rtol=1e-9)
    assert bool((outcome.status == ll.Status.OPTIMAL.code).all())


def test_the_dual_uplink_is_no_worse_and_meets_it():
    """Users who send white s_k by G_kᵀ, of which the base wants Σ B_kᵀ s_k, leave at most the downlink's error at the same power."""
    problem = common()
    start = random_start(problem, 3)
    for F in (start, polish(problem, descend(problem, start, 300, "sum"), 500, "sum")):
        G, J = problem.lmmse(F)
        M = (G @ problem.H).flatten(-3, -2).mT  # (…, a, Σ q): H_kᵀ G_kᵀ of all users
        M = M * (problem.power / G.square().sum((-3, -2, -1)).unsqueeze(-1)).sqrt().unsqueeze(-1)
        wanted = stacked(problem.B)
        S = M @ M.mT + torch.eye(TX, dtype=torch.float64)
        uplink = wanted.square().sum() - ((M @ wanted).mT @ torch.linalg.solve(S, M @ wanted)).diagonal(dim1=-2, dim2=-1).sum(-1)
        assert bool((uplink <= J.sum(-1) * (1 + 1e-12)).all())
        assert F is start or torch.allclose(uplink, J.sum(-1), rtol=1e-6)  # stationary


def test_private_messages_of_equal_strengths_have_one_optimum():
    """The dual uplink is convex there: whatever the start, descent ends at the same error."""
    problem = private(2 * normal(1, 2, USERS, 2, TX), torch.ones(USERS, 2, dtype=torch.float64))
    F = torch.stack([random_start(problem, seed) for seed in range(5)])
    J = total(problem, polish(problem, descend(problem, F, 100, "sum"), 300, "sum"))
    assert torch.allclose(J, J[:1].expand_as(J), rtol=1e-8)


@pytest.mark.parametrize("gain", [0.3, 1.0, 5.0])
def test_bounds_hold_and_starts_suffice(gain):
    """For common, private and mixed messages nothing ends below the bound, and 20 random starts end no more than 2 % below the design."""
    mixed = private(gain * complex_channels(5, 3, USERS, 2, TX), normal(6, USERS, 2).abs() + 0.1)
    mixed.B[1, :, :2] += normal(7, 2, 2)
    for problem in (common(3, gain), private(gain * complex_channels(1, 3, USERS, 2, TX), normal(2, USERS, 2).abs()), mixed):
        problem = replace(problem, most=problem.B.square().sum((-2, -1)))
        J, outcome = solved(problem)
        F = torch.stack([random_start(problem, seed) for seed in range(20)])
        found = total(problem, polish(problem, descend(problem, F, 30, "sum"), 100, "sum")).amin(0)
        assert bool((torch.minimum(J, found) >= outcome.bound * (1 - 1e-12)).all())
        assert bool((found >= J * (1 - 2e-2)).all())
        nearby = [total(problem, within_sum(problem, outcome.F + size * random_start(problem, 9))) for size in (1e-5, 1e-3, 0.1)]
        assert bool((torch.stack(nearby) >= J * (1 - 1e-6)).all())


def test_users_who_want_the_same_lie_between_two_closed_forms():
    problem = made(2 * normal(1, 4, USERS, RX, TX), normal(2, 1, ROWS, COORDINATES).expand(USERS, -1, -1) / USERS**0.5)
    R, B, P = problem.H.mT @ problem.H, normal(2, ROWS, COORDINATES), problem.power.sum(-1)
    J, outcome = solved(problem)
    lower = exact(B, factor(R.mean(-3)), P).error
    assert bool((lower <= outcome.bound * (1 + 1e-12)).all())
    assert bool((exact(B, factor(torch.linalg.inv(torch.linalg.inv(R).mean(-3))), P).error >= J).all())


@pytest.mark.parametrize("design", [nw.Broadcast(starts=6), *BASELINES[1:]], ids=repr)
def test_a_batch_is_its_members_and_float32_is_near(design):
    modes, links = cases.modes("broadcast"), cases.links("broadcast", uses=3)
    whole = design.design(modes, links)
    for n in range(2):
        part = design.design(modes, links[n : n + 1])
        assert torch.allclose(part.weighted[0], whole.weighted[n], rtol=1e-9)
        assert torch.allclose(part.bound[0], whole.bound[n], rtol=1e-12)
    assert bool((whole.expected_power <= 1 + 1e-9).all())
    assert bool((whole.weighted.sum(-1) >= whole.bound).all())
    single = design.design(modes.to(torch.float32), links.to(torch.float32))
    assert single.precoder.dtype == torch.float32
    if isinstance(design, nw.Broadcast | nw.ReusedDesign):  # others turn with what breaks the tie of a complex channel's equal gains
        assert torch.allclose(single.weighted.double(), whole.weighted, rtol=1e-4)


@pytest.mark.parametrize("design", [nw.Broadcast(), *BASELINES], ids=repr)
def test_nothing_is_nan_at_the_edges(design):
    """Channels of zero, dead receivers, no power, users of no weight or rows, no noise, and nothing that is wanted."""
    problem = replace(made(normal(1, 2, 2, 2, 8), normal(2, 2, ROWS, COORDINATES)), uses=2)
    dead = problem.H.clone()
    dead[:, 1] = 0
    for edge in (
        replace(problem, H=0 * problem.H), replace(problem, H=dead), replace(problem, power=0 * problem.power),
        weighed(problem, 1.0, 0.0), replace(problem, H=1e7 * problem.H), weighed(problem, 0.0, 0.0),
    ):  # fmt: skip
        outcome = design.solve(edge)
        J = edge.errors(outcome.F)
        assert bool(outcome.F.isfinite().all())
        assert bool(J.isfinite().all())
        assert bool((outcome.bound <= J.sum(-1) + 1e-9 * problem.most.sum()).all())
    assert bool((nw.Broadcast().solve(replace(problem, H=dead)).status == ll.Status.OPTIMAL.code).all())  # one user is left


def test_a_silent_user_changes_nobody_else():
    problem = common()
    silent = weighed(problem, 1.0, 1.0, 0.0)
    (J, outcome), (others, left) = solved(silent), solved(made(problem.H[:, :2], problem.B[:2]))
    assert torch.allclose(outcome.bound, left.bound, rtol=1e-12)
    assert torch.allclose(J, others, rtol=1e-12)


def test_what_does_not_fit_is_refused():
    common_modes, links = cases.modes("broadcast"), cases.links("broadcast")
    with pytest.raises(ValueError, match="starts must be an integer >= 1, got 0"):
        nw.Broadcast(starts=0)
    with pytest.raises(ValueError, match="rho must be a finite number > 0"):
        nw.FederatedAdmm(rho=0.0)
    with pytest.raises(ValueError, match="user must be an integer from 0 to 2, got 3"):
        nw.ReusedDesign(user=3).design(common_modes, links)
    with pytest.raises(ValueError, match="links must have uses for each of 3 users, got 1"):
        nw.TimeDivision().design(common_modes, links)
    with pytest.raises(ValueError, match="links must have more transmit antennas"):
        nw.BlockDiagonal().design(common_modes, links)
    with pytest.raises(ValueError, match="links must have one transmitter for a broadcast, got 3"):
        nw.Broadcast().design(cases.modes("interference"), cases.links("interference"))

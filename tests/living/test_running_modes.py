"""Modes that follow new pairs: the same as of a batch, at any cut into blocks, with or without memory."""

import pytest
import torch

import latentlink as ll
from latentlink.numerics.parts import named_tensors
from oracles import normal, pairs

D, M = 9, 6
X, Y = pairs(1, 1300, D, M)
GOAL = ll.Goal(normal(9, 3, M))


def first(count, shrinkage=1e-3):
    return ll.living.RunningModes.of(ll.Moments.from_pairs(X[:count], Y[:count]), GOAL, shrinkage)


def batch(x, y, ridge):
    """Recursive least squares of a batch in one go, by dense matrices alone: T and the strengths of W y, and Φ up to signs."""
    n, x0, y0 = len(x), x - x.mean(0), (y - y.mean(0)) @ GOAL.weight.mT
    T = torch.linalg.solve(x0.mT @ x0 + ridge * torch.eye(D).double(), x0.mT @ y0).mT
    return T, torch.linalg.eigvalsh(T @ (x0.mT @ y0) / n).flip(-1).sqrt()


def test_a_thousand_updates_are_the_batch():
    running = first(300)
    for row in range(300, 1300):
        running = running.update(X[row : row + 1], Y[row : row + 1])
    T, strength = batch(X, Y, first(300).ridge)
    torch.testing.assert_close(running.regression, T, rtol=1e-8, atol=1e-8)
    modes = running.modes()
    torch.testing.assert_close(modes.strength, strength, rtol=1e-8, atol=0)
    moments = ll.Moments.from_pairs(X, Y)
    refit = ll.semantic_modes(moments, GOAL, shrinkage=running.ridge / 1300 * D / float(moments.cov_x.trace()))
    for name in ("strength", "gram", "cross", "covariance", "variance", "weighted_variance", "mean_x", "mean_y"):
        a, b = getattr(modes, name), getattr(refit, name)
        torch.testing.assert_close(a.abs(), b.abs(), rtol=1e-8, atol=1e-8, msg=lambda text, name=name: f"{name}: {text}")
    torch.testing.assert_close(modes.align(X), refit.align(X), rtol=1e-8, atol=1e-8)
    assert modes.shrinkage == pytest.approx(refit.shrinkage, rel=1e-9)


def test_blocks_may_be_cut_anywhere_and_nothing_is_changed_in_place():
    start = first(300)
    before = start.regression.clone(), start.precision.clone()
    at_once = start.update(X[300:400], Y[300:400])
    cut = start.update(X[300:301], Y[300:301]).update(X[301:350], Y[301:350]).update(X[350:400], Y[350:400])
    torch.testing.assert_close(cut.regression, at_once.regression, rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(cut.precision, at_once.precision, rtol=1e-9, atol=1e-12)
    assert torch.equal(before[0], start.regression)
    assert torch.equal(before[1], start.precision)


def test_memory_is_the_past_counted_as_so_many_pairs():
    running = first(300).update(X[300:340], Y[300:340], memory=80)
    assert running.count == 120
    assert running.ridge == pytest.approx(first(300).ridge * 80 / 300)
    merged = ll.Moments.from_pairs(X[:300], Y[:300]).counted_as(80) + ll.Moments.from_pairs(X[300:340], Y[300:340])
    refit = ll.semantic_modes(merged, GOAL, shrinkage=running.modes().shrinkage)
    torch.testing.assert_close(running.modes().align(X), refit.align(X), rtol=1e-8, atol=1e-8)


def test_with_a_constant_memory_the_past_fades_geometrically():
    running = first(300)
    for row in range(300, 900):
        running = running.update(X[row : row + 1] + 5, Y[row : row + 1] - 5, memory=20)
    assert running.count == 21
    assert (running.mean_x - X[300:900].mean(0) - 5).norm() < 2
    fresh = running.update(X[900:901], Y[900:901], memory=20)
    share = 1 / 21
    torch.testing.assert_close(fresh.mean_x, (1 - share) * running.mean_x + share * X[900])


def test_a_design_of_them_is_like_any_other():
    channel = ll.Channel.from_snr(ll.rayleigh(2, 2, batch=(3,), generator=0), snr_db=20.0)
    solution = ll.ClosedForm().design(first(300).update(X[300:], Y[300:]).modes(), channel)
    error = (ll.transmit(solution, X, channel, generator=0) - Y).square().sum(-1).mean(-1)
    torch.testing.assert_close(error, solution.known_mse, rtol=0.05, atol=0)


def test_float32_follows():
    short, long = first(300).to(torch.float32), first(300)
    for row in range(300, 500):
        short, long = (each.update(X[row : row + 1], Y[row : row + 1]) for each in (short, long))
    assert short.precision.dtype == torch.float32
    torch.testing.assert_close(short.modes().strength.double(), long.modes().strength, rtol=1e-3, atol=0)


def test_what_it_does_not_take_is_refused_by_name():
    moments = ll.Moments.from_pairs(X, Y)
    with pytest.raises(ValueError, match="goal must have no fidelity"):
        ll.living.RunningModes.of(moments, ll.Goal(GOAL.weight, fidelity=0.01))
    with pytest.raises(ValueError, match="goal must weigh latents of dimension 6"):
        ll.living.RunningModes.of(moments, ll.Goal(torch.eye(2, 5)))
    with pytest.raises(ValueError, match="x and y must be of the dimensions"):
        first(300).update(X[:, :8], Y)
    with pytest.raises(ValueError, match="memory must be"):
        first(300).update(X, Y, memory=0)
    with pytest.raises(ValueError, match="latents x that vary"):
        ll.living.RunningModes.of(ll.Moments.from_pairs(torch.ones(9, D), Y[:9]), GOAL)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_saved_modes_go_on_as_if_they_had_never_been_away(tmp_path, dtype):
    x, y = normal(1, 60, 5), normal(2, 60, 4)
    running = (
        ll.living.RunningModes.of(ll.Moments.from_pairs(x[:40], y[:40]), ll.Goal(torch.eye(2, 4))).to(dtype).update(x[40:50], y[40:50])
    )
    running.save(tmp_path / "modes.safetensors")
    again = ll.load(tmp_path / "modes.safetensors", ll.living.RunningModes)
    for memory in (None, 30):
        went_on, came_back = (each.update(x[50:], y[50:], memory) for each in (running, again))
        for name, value in named_tensors(went_on).items():
            assert torch.equal(value, named_tensors(came_back)[name])
        assert (went_on.count, went_on.ridge) == (came_back.count, came_back.ridge)
        assert torch.equal(went_on.modes().analysis, came_back.modes().analysis)


def test_pairs_whose_squares_overflow_leave_no_modes_behind():
    for x, y in ((X[:5] * 1e200, Y[:5]), (X[:5] * 1e160, Y[:5] * 1e160)):
        with pytest.raises(ValueError, match="x or y is too large: its squares overflow"):
            first(300).update(x, y)

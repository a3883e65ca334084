"""How much of the past counts: what the new pairs say that were held out."""

import pytest
import torch

import latentlink as ll
from latentlink.latents.folds import fold_numbers
from oracles import normal, pairs

D, M = 9, 6
X, Y = pairs(1, 900, D, M)
PAST = ll.Moments.from_pairs(X[:600], Y[:600])
GOAL = ll.Goal(normal(9, 2, M))


@pytest.mark.parametrize("goal", [None, GOAL, ll.Goal(GOAL.weight, fidelity=0.5)])
def test_a_scene_that_has_not_moved_is_remembered_and_another_one_forgotten(goal):
    same, other = ll.living.remember(PAST, X[600:640], Y[600:640], goal), ll.living.remember(PAST, X[600:640], -Y[600:640], goal)
    assert same.count >= 160
    assert other.count == 20
    assert same.candidates == other.candidates == (20, 40, 80, 160, 320, 600)


def test_what_is_merged_is_the_past_as_so_many_pairs():
    memory = ll.living.remember(PAST, X[600:640], Y[600:640], GOAL)
    expected = PAST.counted_as(memory.count) + ll.Moments.from_pairs(X[600:640], Y[600:640])
    assert memory.moments.count == memory.count + 40
    for name in ("mean_x", "cov_x", "cov_yx", "cov_y"):
        torch.testing.assert_close(getattr(memory.moments, name), getattr(expected, name))
    assert int(memory.losses.argmin()) == memory.candidates.index(memory.count)


def test_losses_are_those_of_pairs_that_were_held_out():
    """By brute force over the folds, for the memory and the shrinkage that were chosen."""
    x, y = X[600:660], Y[600:660] + normal(3, 60, M)
    memory = ll.living.remember(PAST, x, y, GOAL)
    fold, loss = fold_numbers(0, 60, 60, 3), 0.0
    for held in range(3):
        a, b = fold != held, fold == held
        moments = PAST.counted_as(memory.count) + ll.Moments.from_pairs(x[a], y[a])
        ridge = memory.shrinkage * moments.cov_x.trace() / D * torch.eye(D).double()
        T = torch.linalg.solve(moments.cov_x + ridge, (GOAL.weight @ moments.cov_yx).mT).mT
        wanted = y[b] @ GOAL.weight.mT
        got = moments.mean_y @ GOAL.weight.mT + (x[b] - moments.mean_x) @ T.mT
        loss += float((wanted - got).square().sum() / (wanted - wanted.mean(0)).square().sum()) / 3
    assert float(memory.losses.min()) == pytest.approx(loss, rel=1e-9)


def test_many_pairs_that_count_as_few_are_not_shrunk_to_nothing():
    """Cross-validation by the count would take 600 pairs in 60 dimensions that count as 20 for 20 pairs."""
    x, y = pairs(5, 660, 60, M)
    memory = ll.living.remember(ll.Moments.from_pairs(x[:600], y[:600]), x[600:640], y[600:640])
    assert memory.shrinkage <= 0.1
    counted = ll.Moments.from_pairs(x[:600], y[:600]).counted_as(20) + ll.Moments.from_pairs(x[600:640], y[600:640])
    by_count, chosen = ll.semantic_modes(counted), ll.semantic_modes(memory.moments, shrinkage=memory.shrinkage)
    errors = [(modes.align(x[640:]) - y[640:]).square().mean() for modes in (chosen, by_count)]
    assert errors[0] < errors[1]


def test_what_cannot_be_remembered_is_refused_by_name():
    for x, y in ((X[:5], Y[:5]), (X[:9, :4], Y[:9]), (X[:9], Y[:9, :2])):
        with pytest.raises(ValueError, match="x and y must be at least 6 pairs of dimensions"):
            ll.living.remember(PAST, x, y)
    with pytest.raises(ValueError, match="y must vary among the new pairs"):
        ll.living.remember(PAST, X[:9], torch.ones(9, M))

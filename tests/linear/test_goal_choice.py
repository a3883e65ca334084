from dataclasses import replace

import pytest
import torch

import latentlink as ll
from latentlink.linear.held_out import HeldOut
from oracles import normal, seeded

STREAMS, SNRS = (2, 8), (0.0, 20.0)


@pytest.fixture(scope="module")
def pilots():
    labels = torch.arange(180) % 4
    y = 2 * normal(1, 4, 10)[labels] + normal(2, 180, 10)
    x = y @ normal(3, 10, 12) + 0.3 * normal(4, 180, 12)
    return x, y, labels


@pytest.fixture(scope="module")
def head(pilots):
    return ll.fit_head(pilots[1], pilots[2])


@pytest.fixture(scope="module")
def choice(pilots, head):
    x, y, labels = pilots
    return ll.choose_goal(x, y, head, labels=labels, streams=STREAMS, snr_db=SNRS, channels=3)


def channel_at(streams, snr_db, gain=1.0):
    return ll.Channel.from_snr(ll.rayleigh(streams // 2, streams // 2, gain=gain, batch=(64,), generator=seeded(5)), snr_db)


def test_the_choice_is_never_worse_than_mse(choice):
    assert next(iter(choice.modes)) == "mse"
    assert choice.score.shape == (len(STREAMS), len(SNRS), len(choice.modes))
    assert ((choice.score >= 0) & (choice.score <= 1)).all()
    best = choice.score.gather(-1, choice.best.unsqueeze(-1)).squeeze(-1)
    torch.testing.assert_close(best, choice.score.amax(-1))
    assert (best >= choice.score[..., 0]).all()


def test_ties_go_to_mse(pilots, head):
    x, y, labels = pilots
    goals = {"mse again": ll.Goal(torch.eye(10, dtype=torch.float64))}
    same = ll.choose_goal(x, y, head, labels=labels, goals=goals, streams=STREAMS, snr_db=SNRS, channels=2)
    torch.testing.assert_close(same.score[..., 0], same.score[..., 1], rtol=0.0, atol=0.02)
    assert (same.best[same.score[..., 0] == same.score[..., 1]] == 0).all()


def test_modes_are_those_of_the_nearest_grid_point(choice):
    names = list(choice.modes)
    labelled = replace(choice, best=torch.arange(4).reshape(2, 2) % len(names))  # every grid point its own
    for i, streams in enumerate(STREAMS):
        for j, snr_db in enumerate(SNRS):
            for near in (snr_db - 4, snr_db + 4):
                assert labelled.name_for(channel_at(streams, near)) == names[int(labelled.best[i, j])]
    assert labelled.name_for(channel_at(2, 20.0, gain=0.01)) == names[int(labelled.best[0, 0])]  # 20 dB lower by its gain
    assert labelled.modes_for(channel_at(8, 21.0)) is choice.modes[names[int(labelled.best[1, 1])]]
    noise_free = ll.Channel(channel_at(2, 0.0).h, noise_variance=0.0)
    dead = ll.Channel(torch.zeros(1, 1, 1, dtype=torch.complex128), noise_variance=0.1)
    assert labelled.name_for(noise_free) == names[int(labelled.best[0, 1])]
    assert labelled.name_for(dead) == names[int(labelled.best[0, 0])]


def test_the_modes_kept_are_designed_on_all_pilots(choice, pilots):
    x, y, _ = pilots
    whole = ll.semantic_modes(ll.Moments.from_pairs(x, y))
    torch.testing.assert_close(choice.modes["mse"].strength, whole.strength, rtol=1e-9, atol=0.0)


def test_a_seed_fixes_everything(choice, pilots, head):
    x, y, labels = pilots
    again = ll.choose_goal(x.numpy(), y.numpy(), head, labels=labels.numpy(), streams=STREAMS, snr_db=SNRS, channels=3)
    assert torch.equal(again.score, choice.score)
    other = ll.choose_goal(x, y, head, labels=labels, streams=STREAMS, snr_db=SNRS, channels=3, seed=1)
    assert not torch.equal(other.score, choice.score)


def test_without_labels_agreement_is_the_score(pilots, head):
    x, y, _ = pilots
    own = head(y).argmax(-1)
    first, second = (ll.choose_goal(x, y, head, labels=truth, streams=(4,), snr_db=(10.0,), channels=2) for truth in (None, own))
    torch.testing.assert_close(first.score, second.score)


def test_wrong_input_is_named(pilots, head):
    x, y, labels = pilots
    wrong = {
        "folds": [{"folds": 1}, {"folds": 181}],
        "streams": [{"streams": (3,)}, {"streams": ()}, {"streams": (0,)}],
        "snr_db": [{"snr_db": ()}],
        "mse": [{"goals": {"mse": ll.Goal(torch.eye(10))}}],
    }
    for match, cases in wrong.items():
        for case in cases:
            with pytest.raises(ValueError, match=match):
                ll.choose_goal(x, y, head, labels=labels, **case)
    with pytest.raises(ValueError, match="labels"):
        ll.choose_goal(x, y, head, labels=labels[:-1])
    with pytest.raises(ValueError, match="channels"):
        ll.choose_goal(x, y, head, labels=labels, channels=0)
    with pytest.raises(ValueError, match="pair row by row"):
        ll.choose_goal(x[:-1], y, head, labels=labels)


def test_modes_goals_and_choices_are_told_in_one_line_and_in_a_small_table(choice, pilots):
    x, y, _ = pilots
    goal = ll.Goal(torch.eye(10, dtype=torch.float64)[:3], fidelity=0.5)
    moments = ll.Moments.from_pairs(x, y, folds=3)
    seen = HeldOut(torch.tensor([1.0, 3.0]), torch.tensor([1.5, 1.5]))
    told = {
        goal: "Goal(weight 3×10, fidelity 0.5)",
        ll.semantic_modes(moments, shrinkage=0.1): "SemanticModes(10 modes, 12 → 10, MSE, shrinkage 0.1)",
        ll.semantic_modes(moments, ll.Goal(goal.weight), 0.0): "SemanticModes(3 modes, 12 → 10, goal of 3 directions, shrinkage 0)",
        ll.semantic_modes(moments, None, 0.0, widely_linear=False): "SemanticModes(10 modes, 12 → 10, MSE, shrinkage 0, complex-linear)",
        seen: "HeldOut(2 channels, MSE 2 (1 to 3), power 1.5)",
        replace(choice, best=torch.tensor([[0, 0], [2, 2]])): (
            "GoalChoice(candidates mse/logits/fisher/fisher-3, streams 2/8, SNR 0/20 dB, chosen mse/fisher)"
        ),
    }
    for thing, line in told.items():
        assert repr(thing) == line
        assert thing._repr_html_().startswith("<table>")

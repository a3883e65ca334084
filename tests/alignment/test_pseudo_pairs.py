"""Pseudo-pairs: class means, whose moments are those of the classes, and what pairs add beside the goal."""

import pytest
import torch

import latentlink as ll
from oracles import normal

N, D, M, CLASSES = 240, 9, 6, 4
LABELS = torch.arange(N) % CLASSES
X = normal(0, N, D) + 2 * normal(1, CLASSES, D)[LABELS] + 1.0
Y = normal(2, N, M) + 2 * normal(3, CLASSES, M)[LABELS] - 2.0
TX, RX = ll.alignment.Concepts.from_labels(X, LABELS), ll.alignment.Concepts.from_labels(Y, LABELS)
GOAL = ll.Goal(normal(4, 2, M), fidelity=0.1)


def test_their_cross_covariance_is_that_of_the_classes():
    made = ll.alignment.pseudo_pairs(X, LABELS, RX)
    shared = TX.shared_with(RX)
    between = (shared.probability * (shared.means_y - RX.marginal.mean).mT) @ (shared.means_x - TX.marginal.mean)
    torch.testing.assert_close(ll.Moments.from_pairs(made.x, made.y).cov_yx, between)
    assert torch.equal(made.require_labels(), LABELS)


def test_pairs_add_their_map_and_nothing_in_what_the_goal_sees():
    classes, W = ll.Moments.from_concepts(TX, RX, goal=GOAL), GOAL.weight
    filled = ll.Moments.from_concepts(TX, RX, ll.Moments.from_pairs(X[:60], Y[:60]), goal=GOAL)
    made = ll.alignment.pseudo_pairs(X, LABELS, RX, classes, filled)
    torch.testing.assert_close(made.y @ W.mT, RX.means[LABELS] @ W.mT)
    added = ll.semantic_modes(filled, GOAL).align(X) - ll.semantic_modes(classes, GOAL).align(X)
    torch.testing.assert_close(made.y - RX.means[LABELS], added)
    assert float(added.square().sum()) > 1.0


def test_classes_are_found_by_name_whatever_their_order():
    names, turned = ("a", "b", "c", "d"), ("d", "c", "b", "a")
    plain = ll.alignment.pseudo_pairs(X, LABELS, RX)
    back = ll.alignment.Concepts.from_labels(Y, CLASSES - 1 - LABELS, turned)
    named = ll.alignment.pseudo_pairs(X, [names[number] for number in LABELS.tolist()], back)
    torch.testing.assert_close(named.y, plain.y)
    assert named.names == names
    torch.testing.assert_close(ll.alignment.pseudo_pairs(X, LABELS, back, names=names).y, plain.y)


def test_what_does_not_fit_is_named():
    moments, make = ll.Moments.from_concepts(TX, RX), ll.alignment.pseudo_pairs
    with pytest.raises(ValueError, match="rx must have latents of every class in labels, got none of class 4"):
        make(X, LABELS + 1, RX)
    with pytest.raises(ValueError, match="labels and rx must both have names of classes or neither"):
        make(X, LABELS, RX, names=("a", "b", "c", "d"))
    with pytest.raises(ValueError, match="classes must be given too"):
        make(X, LABELS, RX, filled=moments)
    with pytest.raises(ValueError, match=r"classes must be moments of these latents \(m, d\) = \(6, 5\), got \(6, 9\)"):
        make(X[:, :5], LABELS, RX, moments, moments)

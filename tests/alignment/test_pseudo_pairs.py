"""Pseudo-pairs: the class mean in what the goal sees, the linear estimate in the rest; their moments are those of the classes."""

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


def test_without_a_goal_their_cross_covariance_is_that_of_the_classes():
    made = ll.alignment.pseudo_pairs(X, LABELS, RX, ll.Moments.from_concepts(TX, RX))
    shared = TX.shared_with(RX)
    between = (shared.probability * (shared.means_y - RX.marginal.mean).mT) @ (shared.means_x - TX.marginal.mean)
    torch.testing.assert_close(ll.Moments.from_pairs(made.x, made.y).cov_yx, between)
    assert torch.equal(made.require_labels(), LABELS)


def test_the_goal_sees_the_class_mean_and_the_rest_is_the_linear_estimate():
    rest = ll.Moments.from_pairs(X[:60], Y[:60])
    moments = ll.Moments.from_concepts(TX, RX, rest, goal=GOAL)
    made = ll.alignment.pseudo_pairs(X, LABELS, RX, moments, GOAL)
    W = GOAL.weight
    torch.testing.assert_close(made.y @ W.mT, RX.means[LABELS] @ W.mT)
    aligned = ll.semantic_modes(moments, GOAL).align(X)
    unseen = torch.eye(M, dtype=W.dtype) - torch.linalg.pinv(W) @ W
    torch.testing.assert_close(made.y @ unseen, aligned @ unseen)


def test_classes_are_found_by_name_whatever_their_order():
    names, turned = ("a", "b", "c", "d"), ("d", "c", "b", "a")
    moments = ll.Moments.from_concepts(TX, RX)
    plain = ll.alignment.pseudo_pairs(X, LABELS, RX, moments)
    back = ll.alignment.Concepts.from_labels(Y, CLASSES - 1 - LABELS, turned)
    named = ll.alignment.pseudo_pairs(X, [names[number] for number in LABELS.tolist()], back, moments)
    torch.testing.assert_close(named.y, plain.y)
    assert named.names == names
    torch.testing.assert_close(ll.alignment.pseudo_pairs(X, LABELS, back, moments, names=names).y, plain.y)


def test_what_does_not_fit_is_named():
    moments, make = ll.Moments.from_concepts(TX, RX), ll.alignment.pseudo_pairs
    with pytest.raises(ValueError, match="rx must have latents of every class in labels, got none of class 4"):
        make(X, LABELS + 1, RX, moments)
    with pytest.raises(ValueError, match="labels and rx must both have names of classes or neither"):
        make(X, LABELS, RX, moments, names=("a", "b", "c", "d"))
    with pytest.raises(ValueError, match="x must be of the moments' latents of dimension 9, got 5 dimensions"):
        make(X[:, :5], LABELS, RX, moments)
    with pytest.raises(ValueError, match="rx must be of the moments' latents of dimension 6, got 9 dimensions"):
        make(X, LABELS, TX, moments)
    with pytest.raises(ValueError, match=r"goal must weigh latents of dimension 6, got a weight of shape \(2, 3\)"):
        make(X, LABELS, RX, moments, ll.Goal(torch.ones(2, 3)))

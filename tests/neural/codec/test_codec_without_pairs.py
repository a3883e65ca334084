"""A codec from the classes at both ends, on observations of their own: better than the linear design, and shut where labels say nothing."""

from functools import cache

import pytest
import torch

import latentlink as ll
from latentlink.neural.codec.cross_fitting import cross_fitted_coordinates
from neural.codec.clouds import channel, pilots, training, understood, world
from oracles import seeded


@cache
def known(shuffled=None, pairs=0):
    """Moments of the classes and of both, modes and pseudo-pairs, of labelled x and of y of other observations."""
    at_tx, at_rx, head = pilots(480), pilots(480, seed=11), world()[2]
    order = torch.arange(480) if shuffled is None else torch.randperm(480, generator=seeded(shuffled))
    labels = at_tx.labels[order]
    tx, rx = ll.alignment.Concepts.from_labels(at_tx.x, labels), ll.alignment.Concepts.from_labels(at_rx.y, at_rx.labels)
    goal = ll.Goal(head.weight[:6], fidelity=0.01)
    classes = filled = ll.Moments.from_concepts(tx, rx, goal=goal)
    if pairs:
        rest = ll.alignment.FewPairs(classes).fit(at_tx[:pairs], tx, rx)
        filled = ll.Moments.from_concepts(tx, rx, rest, goal=goal)
    made = ll.alignment.pseudo_pairs(at_tx.x, labels, rx, classes, filled)
    return classes, filled, ll.semantic_modes(filled, goal), made


def fitted(modes, made, seed=0):
    settings = training(rounds=2, steps=40, channels=4, folds=10, bank=(300, 16, 200), seed=seed)
    return settings.fit(modes, made, ll.objectives.HeadDivergence(world()[2]), progress=None)


def test_it_is_ahead_of_the_linear_design_on_latents_that_it_has_not_seen():
    _, _, modes, made = known()
    codec, radio = fitted(modes, made).codec, channel(1, 1, batch=(40,), seed=8)
    linear = ll.ClosedForm().design(modes, radio).transceiver.to(torch.float32)
    assert understood(codec.design(radio).transceiver, radio).mean() > understood(linear, radio).mean() + 0.1


@pytest.mark.parametrize("seed", [0, 2])  # one whose gate is shut, and one with luck on the pilots held back, which is open in part
def test_where_labels_say_nothing_of_x_the_gate_stays_shut_or_does_no_harm(seed):
    _, _, modes, made = known(shuffled=seed)
    codec = fitted(modes, made, seed=seed).codec
    assert codec.gate.open.double().mean() < 0.25
    for n in (1, 2, 4):
        radio = channel(n, n, batch=(40,), seed=8)
        solution, linear = codec.design(radio), ll.ClosedForm().design(modes, radio)
        lost = understood(linear.transceiver.to(torch.float32), radio).mean() - understood(solution.transceiver, radio).mean()
        assert lost < 0.005
        if not codec.gate.open.any():
            assert not solution.trace["active"].any()
            torch.testing.assert_close(solution.expected_mse, linear.expected_mse, rtol=1e-5, atol=0.0)


def test_cross_fitting_leaves_a_latent_out_of_the_regression_on_classes_and_leaves_what_pairs_add():
    classes, filled, modes, made = known(pairs=42)
    x, n, T = made.x.double() - modes.mean_x, len(made), filled.regression()
    added = T - classes.regression()
    means = made.y - modes.mean_y - x @ added.mT
    R = x.mT @ x / n
    ridge = (modes.task_weight @ (means.mT @ x / n - (T - added) @ R)).norm() / (modes.task_weight @ T).norm()  # λ v, of normal equations
    left = means[1:].mT @ x[1:] @ torch.linalg.inv(x[1:].mT @ x[1:] + n * ridge * torch.eye(len(R)))
    metric = modes.weight.mT @ modes.weight
    by_hand = modes.synthesis.mT @ metric @ (left + added) @ x[0] / modes.strength.square()
    crossed = cross_fitted_coordinates(modes, made, n, seeded(0))
    strong = modes.strength > 1e-3
    torch.testing.assert_close(crossed[0, strong], by_hand[strong], rtol=1e-5, atol=1e-5)
    assert not torch.allclose(crossed[0], modes.coefficients(made.x[:1])[0].double(), rtol=1e-3, atol=1e-3)

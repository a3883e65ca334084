"""Embedding, regression and retrieval: links are measured by what their receiver does, and never by the largest of real outputs."""

import numpy as np
import pytest
import torch
from sklearn.metrics import r2_score
from torch import nn

import latentlink as ll
from latentlink.evaluation.measurement import Measurement
from latentlink.evaluation.spread import Spread

N, D, M = 240, 6, 5
GENERATOR = torch.Generator().manual_seed(4)


def normal(*shape):
    return torch.randn(*shape, dtype=torch.float64, generator=GENERATOR)


X = normal(N, D)
Y = X @ normal(D, M) + 0.2 * normal(N, M) + 1
TARGETS = Y[:, :2] @ torch.tensor([[1.0, 2.0], [-1.0, 0.5]], dtype=torch.float64) + 0.3 * normal(N, 2)
CHANNEL = ll.Channel(ll.rayleigh(2, 2, batch=(3,), generator=7).unsqueeze(-3), 0.3)
SILENT = ll.Channel(CHANNEL.h, 0.0)  # without noise, so that ŷ is known
LINK = ll.ClosedForm().design(ll.semantic_modes(ll.Moments.from_pairs(X, Y)), CHANNEL).transceiver
Y_HAT = ll.transmit(LINK, X, SILENT)
HEAD = nn.Linear(M, 2, dtype=torch.float64).requires_grad_(False)
BENT = nn.Sequential(HEAD, nn.Tanh())
HEADS = pytest.mark.parametrize("head", [HEAD, BENT], ids=["affine", "bent"])


class Whole:
    """A link that loses nothing: each real number has a symbol of its own."""

    def encode(self, x):
        return torch.complex(x, torch.zeros_like(x)).unsqueeze(-2)

    def decode(self, r):
        return r.real.squeeze(-2)


def whole(latents, noise=0.0):
    return Whole(), latents, latents, ll.Channel(torch.eye(latents.shape[1], dtype=torch.complex128).unsqueeze(0), noise)


def measured(entries=2**23, **given):
    return ll.evaluate(LINK, X, Y, channel=SILENT, entries=entries, **given)


def test_cosines_are_those_of_the_latents():
    expected = torch.cosine_similarity(Y_HAT, Y, dim=-1).mean(-1)
    torch.testing.assert_close(measured().cosine, expected)
    assert measured().agreement is measured().regression is measured().retrieval is None


@HEADS
def test_a_regression_is_what_brute_force_counts(head):
    seen = measured(head=head, targets=TARGETS).regression
    outputs, own = head(Y_HAT), head(Y)
    for i in range(3):
        np.testing.assert_allclose(seen.r2[i], r2_score(TARGETS, outputs[i], multioutput="raw_values"))
    torch.testing.assert_close(seen.mse, (outputs - TARGETS).square().sum(-1).mean(-1))
    torch.testing.assert_close(seen.output_nmse, ll.metrics.nmse(outputs, own))


@HEADS
def test_where_targets_are_the_heads_own_outputs_r2_is_one_minus_their_nmse(head):
    one = nn.Sequential(head, nn.Linear(2, 1, dtype=torch.float64))
    seen = measured(head=one, targets=one(Y).detach()).regression
    torch.testing.assert_close(seen.r2.squeeze(-1), 1 - seen.output_nmse)
    flat = measured(head=one, targets=one(Y).detach().squeeze(-1)).regression
    assert torch.equal(flat.r2, seen.r2)


@HEADS
def test_real_outputs_are_never_taken_for_classes(head):
    seen = measured(head=head)
    assert seen.agreement is None
    assert seen.accuracy is None
    torch.testing.assert_close(seen.regression.output_nmse, ll.metrics.nmse(head(Y_HAT), head(Y)))
    asked = measured(head=head, task="classification")
    assert asked.regression is None
    torch.testing.assert_close(asked.agreement, (head(Y_HAT).argmax(-1) == head(Y).argmax(-1)).double().mean(-1))


def test_recall_is_what_brute_force_counts():
    gallery = torch.cat([Y, normal(50, M)])
    seen = measured(gallery=gallery).retrieval
    cosines = torch.cosine_similarity(Y_HAT.unsqueeze(-2), gallery, dim=-1)
    ranks = (cosines > cosines.diagonal(dim1=-2, dim2=-1).unsqueeze(-1)).sum(-1)
    torch.testing.assert_close(seen.recall_at_1, (ranks < 1).double().mean(-1))
    torch.testing.assert_close(seen.recall_at_10, (ranks < 10).double().mean(-1))
    assert seen.gallery == N + 50


def test_a_link_that_loses_nothing_finds_every_latent_and_a_link_of_noise_none():
    link, x, y, channel = whole(Y)
    assert ll.evaluate(link, x, y, channel=channel, gallery=y).retrieval.recall_at_1 == 1
    noise = normal(4000, 8)
    link, x, y, channel = whole(noise, noise=1e12)
    found = ll.evaluate(link, x, y, channel=channel, gallery=y, generator=0).retrieval
    for recall, k in ((found.recall_at_1, 1), (found.recall_at_10, 10)):
        assert abs(float(recall) - k / 4000) < 5 * (k / 4000 / 4000) ** 0.5


def test_ties_count_by_the_share_of_their_orders():
    twins = Y[:60].repeat(4, 1)  # every latent four times
    link, x, y, channel = whole(twins)
    seen = ll.evaluate(link, x, y, channel=channel, gallery=y).retrieval
    torch.testing.assert_close(seen.recall_at_1, torch.tensor(0.25, dtype=torch.float64))
    assert seen.recall_at_10 == 1


def test_retrieval_agrees_with_the_objective_where_no_latent_comes_twice():
    wanted = ll.objectives.Retrieval().wanted(Y, LINK.synthesis, LINK.mean_y)
    hits = wanted.score(LINK.receive(SILENT.apply(LINK.encode(X))), torch.arange(N))
    torch.testing.assert_close(measured(gallery=Y).retrieval.recall_at_1, hits.mean(-1))


def every(seen):
    return {**seen.figures(), "antennas": seen.antenna_power, **({} if seen.regression is None else {"r2 of each": seen.regression.r2})}


GIVEN = {
    "regression": {"head": HEAD, "targets": TARGETS},
    "outputs": {"head": BENT},
    "retrieval": {"gallery": Y},
    "classes": {"head": HEAD, "task": "classification"},
}


@pytest.mark.parametrize("given", GIVEN.values(), ids=GIVEN)
def test_neither_parts_nor_shards_change_the_figures(given):
    whole = every(measured(**given))
    few = every(measured(entries=150, **given))
    for name, value in whole.items():
        torch.testing.assert_close(few[name], value, msg=lambda text, name=name: f"{name}: {text}")
    targets = given.get("targets")
    task = given.get("task", "regression" if "head" in given else None)
    shards = Measurement(LINK, SILENT, head=given.get("head"), task=task, gallery=given.get("gallery"))
    for rows in torch.arange(N).split(70):
        shards.add(X[rows], Y[rows], None, None if targets is None else targets[rows])
    for name, value in every(shards.evaluation()).items():
        torch.testing.assert_close(value, whole[name], msg=lambda text, name=name: f"{name}: {text}")


def test_shards_of_other_classes_join():
    labels = torch.arange(N) // 60
    head = ll.fit_head(Y, labels)
    whole = measured(head=head, labels=labels)
    shards = Measurement(LINK, SILENT, head=head, task="classification")
    for rows in torch.arange(N).split(60):
        shards.add(X[rows], Y[rows], labels[rows])
    joined = shards.evaluation()
    torch.testing.assert_close(joined.accuracy, whole.accuracy)
    torch.testing.assert_close(joined.per_class, whole.per_class)


def test_spreads_of_parts_are_those_of_the_whole():
    spread = Spread()
    for rows in (1000 + X).split(37):
        spread.add(rows)
    torch.testing.assert_close(spread.each, X.var(0, correction=0))
    torch.testing.assert_close(spread.total, X.var(0, correction=0).sum())
    torch.testing.assert_close(spread.mean, 1000 + X.mean(0))


def test_the_error_of_the_power_is_that_of_its_mean():
    energy = LINK.encode(X).abs().square().sum((-2, -1)) / SILENT.uses
    torch.testing.assert_close(measured().power_error, energy.std(-1, correction=0) / N**0.5)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"targets": TARGETS}, "head must be given where targets are"),
        ({"task": "regression"}, "head must be given where task='regression' are"),
        ({"head": HEAD, "labels": torch.zeros(N).long(), "targets": TARGETS}, "got both"),
        ({"head": HEAD, "labels": TARGETS[:, 0]}, "a regression are targets, not labels"),
        ({"head": HEAD, "targets": TARGETS, "task": "classification"}, "task must be regression where targets are given"),
        ({"head": HEAD, "task": "guess"}, "task must be one of classification, regression"),
        ({"head": HEAD, "targets": TARGETS[:5]}, r"targets must be real of shape \(240, q\)"),
        ({"head": HEAD, "targets": TARGETS[:, :1]}, r"targets must be \(n, 2\)"),
        ({"gallery": Y[:5]}, "gallery must have shape"),
        ({"gallery": Y[:, :2]}, "gallery must have shape"),
    ],
)
def test_what_does_not_belong_together_is_refused(given, words):
    with pytest.raises(ValueError, match=words):
        measured(**given)

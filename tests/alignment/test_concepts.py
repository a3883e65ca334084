"""Concepts and moments without pairs: what they say where the truth is known, whatever the parts, order and coordinates."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import latentlink as ll
from latentlink.latents import rows
from latentlink.latents.concepts import Concepts
from latentlink.latents.marginal import Marginal
from latentlink.latents.moments import Moments
from oracles import channel

SEEDS = st.integers(0, 2**31)


def normal(seed, *shape):
    return torch.from_numpy(np.random.default_rng(seed).standard_normal(shape))


def labelled(seed=0, n=400, d=6, m=5, classes=4):
    """Latents of both ends that belong together by their class alone, and in which every class occurs."""
    labels = torch.arange(n) % classes
    x = 2 * normal(seed, classes, d)[labels] + normal(seed + 1, n, d) @ normal(seed + 2, d, d) + 3
    y = 2 * normal(seed + 3, classes, m)[labels] + normal(seed + 4, n, m) - 1
    return x, y, labels


def ends(*arguments, **settings):
    x, y, labels = labelled(*arguments, **settings)
    return Concepts.from_labels(x, labels), Concepts.from_labels(y, labels)


def assert_same(a, b, tolerance=1e-10):
    assert a.marginal.count == b.marginal.count
    for one, other in ((a.counts, b.counts), (a.means, b.means), (a.marginal.mean, b.marginal.mean)):
        torch.testing.assert_close(one, other, rtol=tolerance, atol=tolerance)
    torch.testing.assert_close(a.marginal.covariance, b.marginal.covariance, rtol=tolerance, atol=tolerance)


def test_each_sample_its_own_class_is_all_pairs():
    x, y = normal(1, 60, 6), normal(2, 60, 5)
    each = torch.arange(60)
    found = Moments.from_concepts(Concepts.from_labels(x, each), Concepts.from_labels(y, each), shrinkage=0.0)
    pairs = Moments.from_pairs(x, y)
    for name in ("mean_x", "mean_y", "cov_x", "cov_yx", "cov_y"):
        torch.testing.assert_close(getattr(found, name), getattr(pairs, name), rtol=1e-10, atol=1e-10)
    assert (found.estimated, found.count) == (True, 60)


@given(SEEDS, st.lists(st.integers(1, 30), min_size=1, max_size=5))
def test_neither_parts_nor_order_matter(seed, sizes):
    draw = np.random.default_rng(seed)
    x, labels = draw.standard_normal((sum(sizes), 3)) + 5, draw.integers(0, 4, sum(sizes))
    order = draw.permutation(len(x))
    cuts = np.cumsum(sizes)[:-1]
    parts = [Concepts.from_labels(a, b) for a, b in zip(np.split(x[order], cuts), np.split(labels[order], cuts), strict=True)]
    whole = Concepts.from_labels(x, labels)
    assert_same(sum(parts), whole)
    assert_same(sum(parts[::-1]), whole)
    for number in range(len(whole.counts)):
        expected = x[labels == number].mean(0) if (labels == number).any() else np.zeros(3)
        np.testing.assert_allclose(whole.means[number], expected, rtol=1e-10)


def test_named_classes_find_each_other_in_any_order():
    x, y, labels = labelled()
    names = np.array(["ant", "bee", "cat", "dog"])
    a, b = Concepts.from_labels(x[:200], names[labels[:200]]), Concepts.from_labels(x[200:], labels[200:]).named(*names)
    other = Concepts.from_labels(x[200:], 3 - labels[200:], names=names[::-1].tolist())
    assert (other + b).names == ("dog", "cat", "bee", "ant")
    assert_same(a + b, Concepts.from_labels(x, labels).named(*names))
    tx, rx = a + other, Concepts.from_labels(y, 3 - labels, names=names[::-1].tolist())
    by_number = Moments.from_concepts(*ends())
    torch.testing.assert_close(Moments.from_concepts(tx, rx).cov_yx, by_number.cov_yx)


def test_orthogonal_maps_and_shifts_only_turn_the_link():
    x, y, labels = labelled()
    Q, P = (torch.linalg.qr(normal(seed, size, size)).Q for seed, size in ((5, 6), (6, 5)))
    plain = Moments.from_concepts(*ends())
    turned = Moments.from_concepts(Concepts.from_labels(x @ Q.mT + 7, labels), Concepts.from_labels(y @ P.mT - 3, labels))
    torch.testing.assert_close(turned.cov_yx, P @ plain.cov_yx @ Q.mT, rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(turned.cov_x, Q @ plain.cov_x @ Q.mT, rtol=1e-9, atol=1e-9)
    estimates = [ll.semantic_modes(each).align(data) for each, data in ((plain, x), (turned, x @ Q.mT + 7))]
    torch.testing.assert_close(estimates[1], estimates[0] @ P.mT - 3, rtol=1e-8, atol=1e-8)


def test_where_nothing_but_the_class_is_shared_it_is_the_regression_on_all_pairs():
    x, y, labels = labelled(n=200_000)
    tx, rx = Concepts.from_labels(x[:100_000], labels[:100_000]), Concepts.from_labels(y[100_000:], labels[100_000:])
    T, truth = Moments.from_concepts(tx, rx).regression(), Moments.from_pairs(x, y).regression()
    assert float((T - truth).norm() / truth.norm()) < 0.03  # 1/√(n / d), thrice


def test_pairs_fill_what_the_goal_leaves_open():
    x, y, _ = labelled()
    tx, rx = ends()
    goal = ll.Goal(normal(7, 2, 5), fidelity=0.01)
    rest = Moments.from_pairs(x[:40], y[:40])
    classes, both = (Moments.from_concepts(tx, rx, other, goal=goal) for other in (None, rest))
    T0, T = classes.regression(), both.regression()
    torch.testing.assert_close(goal.weight @ T, goal.weight @ T0, rtol=1e-9, atol=1e-9)
    _, _, rows_seen = torch.linalg.svd(goal.weight)
    torch.testing.assert_close(rows_seen[2:] @ T, rows_seen[2:] @ rest.regression(), rtol=1e-9, atol=1e-9)
    twice = Moments.from_concepts(tx, rx, rest, goal=ll.Goal(torch.cat([goal.weight, goal.weight])))  # a weight that is short of rank
    torch.testing.assert_close(twice.cov_yx, both.cov_yx, rtol=1e-9, atol=1e-9)


def test_power_is_what_was_asked_for_under_the_covariance_of_the_marginals():
    tx, rx = ends()
    moments = Moments.from_concepts(tx, rx)
    A = normal(8, 5, 6) / 10
    for each in (moments, Moments.from_aligner(A, tx, rx.marginal)):
        modes = ll.semantic_modes(each)
        torch.testing.assert_close(modes.covariance, torch.eye(len(modes), dtype=torch.float64), rtol=1e-9, atol=1e-9)
        link = ll.ClosedForm().design(modes, channel(3, 2, 2)).transceiver
        F = link.encode(tx.marginal.mean + torch.cat([torch.linalg.cholesky(6 * tx.marginal.covariance).mT] * 1))
        assert float(F.abs().square().sum((-1, -2)).mean()) == pytest.approx(1.0, rel=1e-9)  # rows L_i √d have the mean of squares Rx


def test_an_aligner_of_all_pairs_gives_their_moments():
    x, y, _ = labelled()
    pairs = Moments.from_pairs(x, y)
    alignment = ll.baselines.LeastSquares(shrinkage=0.0).fit(pairs)
    for A in (alignment, alignment.matrix, alignment.matrix.numpy()):
        found = Moments.from_aligner(A, Marginal.from_latents(x), Marginal.from_latents(y))
        torch.testing.assert_close(found.cov_yx, pairs.cov_yx, rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(found.regression(), alignment.matrix, rtol=1e-9, atol=1e-9)


def test_moments_counted_as_others_merge_as_if_of_so_many_pairs():
    x, y, _ = labelled()
    a, b = Moments.from_pairs(x[:300], y[:300], folds=3), Moments.from_pairs(x[300:], y[300:])
    found = a.counted_as(84) + b
    share = 100 / 184
    dx, dy = b.mean_x - a.mean_x, b.mean_y - a.mean_y
    assert found.count == 184
    torch.testing.assert_close(found.mean_x, (1 - share) * a.mean_x + share * b.mean_x)
    expected = (1 - share) * a.cov_yx + share * b.cov_yx + share * (1 - share) * dy.outer(dx)
    torch.testing.assert_close(found.cov_yx, expected, rtol=1e-12, atol=1e-12)
    again = a.counted_as(300)
    assert (again.count, again.folds, again.estimated) == (300, (), False)
    for count in (0, 1.5, -3):
        with pytest.raises(ValueError, match="count must be an integer"):
            a.counted_as(count)


def test_precision_is_that_of_the_latents_and_sums_are_double():
    x, _, labels = labelled()
    single = Concepts.from_labels(x.float().numpy(), labels.int().numpy())
    assert single.means.dtype == torch.float64
    assert_same(single, Concepts.from_labels(x.float().double(), labels))


def test_no_more_than_a_chunk_is_taken_at_a_time(monkeypatch, tmp_path):
    """Neither the file's size nor the number of its rows enters what is in memory: ten million rows take as much as ten chunks."""
    x, _, labels = labelled(n=500)
    np.save(tmp_path / "x.npy", x.numpy())
    mapped, taken = np.load(tmp_path / "x.npy", mmap_mode="r"), []
    monkeypatch.setattr("latentlink.latents.concepts.CHUNK", 64)
    one_chunk = rows.LatentChunks.__getitem__

    def watched(self, part):
        found = one_chunk(self, part)
        taken.append(len(found))
        return found

    monkeypatch.setattr(rows.LatentChunks, "__getitem__", watched)
    found = Concepts.from_labels(mapped, labels)
    assert sum(taken) == 500
    assert max(taken) == 64
    monkeypatch.undo()
    assert_same(found, Concepts.from_labels(x, labels))


def test_goes_round_through_a_file(tmp_path):
    tx, rx = ends()
    for one in (tx, tx.named("a", "b", "c", "d")):
        one.save(tmp_path / "concepts.safetensors")
        again = ll.load(tmp_path / "concepts.safetensors", Concepts)
        assert_same(again, one, 0)
        assert again.names == one.names
    assert repr(tx) == "Concepts(4 classes, 400 latents, 6 dimensions)"
    moments = Moments.from_concepts(tx, rx)
    moments.save(tmp_path / "moments.safetensors")
    again = ll.load(tmp_path / "moments.safetensors", Moments)
    assert again.estimated
    assert torch.equal(again.cov_yx, moments.cov_yx)


def test_a_class_that_one_end_lacks_is_named():
    x, y, labels = labelled()
    some = labels < 3
    tx, rx = ends()
    short = Concepts.from_labels(y[some], labels[some])
    with pytest.raises(ValueError, match="the receiver has no latents of class 3, which the other end has"):
        Moments.from_concepts(tx, short)
    with pytest.raises(ValueError, match="the transmitter has no latents of class dog"):
        Moments.from_concepts(Concepts.from_labels(x[some], labels[some]).named("ant", "bee", "cat"), rx.named("ant", "bee", "cat", "dog"))
    empty_at_both = Concepts.from_labels(x[some], labels[some], names=["ant", "bee", "cat", "dog"])
    assert len(empty_at_both.shared_with(short.named("ant", "bee", "cat")).probability) == 3


def test_probabilities_of_the_classes():
    tx, rx = ends()
    told = Moments.from_concepts(tx, rx, probability=np.full(4, 5))
    torch.testing.assert_close(told.cov_yx, Moments.from_concepts(tx, rx).cov_yx)  # they are equal
    one = tx.shared_with(rx, torch.tensor([1, 0, 0, 0])).probability
    assert one.tolist() == [1, 0, 0, 0]
    for wrong in (np.ones(3), [-1.0, 1, 1, 1], [1.0, 1, 1, np.nan], torch.zeros(4)):
        with pytest.raises(ValueError, match="probability"):
            tx.shared_with(rx, wrong)


def test_refusals():
    x, y, labels = labelled()
    tx, rx = ends()
    goal = ll.Goal(torch.eye(2, 5))
    with pytest.raises(ValueError, match="names at one end alone"):
        Moments.from_concepts(tx.named("a", "b", "c", "d"), rx)
    with pytest.raises(ValueError, match="both have names of classes or neither"):
        tx.named("a", "b", "c", "d") + tx
    with pytest.raises(ValueError, match="names must be 4"):
        tx.named("a")
    with pytest.raises(ValueError, match="tx must be a Concepts"):
        Moments.from_concepts(tx.marginal, rx)
    with pytest.raises(ValueError, match="rest needs a goal"):
        Moments.from_concepts(tx, rx, Moments.from_pairs(x, y))
    with pytest.raises(ValueError, match=r"rest must be moments of the same latents \(m, d\) = \(5, 6\)"):
        Moments.from_concepts(tx, rx, Moments.from_pairs(x, x), goal=goal)
    with pytest.raises(ValueError, match="rest must be"):
        Moments.from_concepts(tx, rx, tx, goal=goal)
    with pytest.raises(ValueError, match="goal must weigh latents of dimension 5"):
        Moments.from_concepts(tx, rx, goal=ll.Goal(torch.eye(6)))
    with pytest.raises(ValueError, match="shrinkage"):
        Moments.from_concepts(tx, rx, shrinkage=-1.0)
    with pytest.raises(ValueError, match="regularised already"):
        ll.semantic_modes(Moments.from_concepts(tx, rx), shrinkage=0.1)
    with pytest.raises(ValueError, match=r"A must be real of shape \(5, 6\)"):
        Moments.from_aligner(torch.eye(6), tx, rx)
    with pytest.raises(ValueError, match="A has NaN"):
        Moments.from_aligner(torch.full((5, 6), torch.nan), tx, rx)
    with pytest.raises(ValueError, match="labels must have shape"):
        Concepts.from_labels(x, labels[1:])
    with pytest.raises(ValueError, match="concepts only, got 3"):
        3 + tx
    with pytest.raises(ValueError, match="overflow"):
        Concepts.from_labels(np.array([[1e200], [-1e200]]), [0, 1])
    with pytest.warns(UserWarning, match="times the variance that y has"):
        Moments.from_aligner(100 * torch.eye(5, 6), tx, rx)


def test_counting_as_fewer_pairs_does_not_forget_how_sure_they_are():
    x = seeded_pairs(0, 4000, 30)
    old, new = Moments.from_pairs(*x), Moments.from_pairs(*seeded_pairs(1, 40, 30))
    mixed = old.counted_as(80) + new
    assert mixed.count == 120
    assert mixed.effective_count == pytest.approx(120**2 / (80**2 / 4000 + 40))
    assert old.counted_as(80).effective_count == pytest.approx(4000)
    assert old.counted_as(80).counted_as(4000).effective_count == pytest.approx(4000)
    assert (mixed - new).effective_count == pytest.approx(4000)
    plain = ll.semantic_modes(old).shrinkage
    assert ll.semantic_modes(old.counted_as(31)).shrinkage == plain  # 31 pairs of 30 dimensions would be shrunk to nearly nothing
    assert old.effective_count == 4000


def test_moments_that_count_as_others_are_saved(tmp_path):
    mixed = Moments.from_pairs(*seeded_pairs(0, 300, 5)).counted_as(20)
    mixed.save(tmp_path / "moments.safetensors")
    assert ll.load(tmp_path / "moments.safetensors").effective_count == pytest.approx(300)


def seeded_pairs(seed, count, dimension):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(count, dimension, generator=generator)
    return x, x[:, :4].tanh() + torch.randn(count, 4, generator=generator)

import numpy as np
import pytest
import torch

from latentlink.latents.labels import as_labels
from latentlink.latents.moments import Moments
from latentlink.latents.pilot_selection import PilotSelection
from latentlink.latents.pilots import Pilots

X, Y, LABELS = np.arange(6.0).reshape(3, 2), np.ones((3, 4), np.float32), np.array([2, 0, 2])


def test_keep_floats_as_they_are_and_make_doubles_of_integers():
    pilots = Pilots(X.astype(int), Y, LABELS.astype(np.uint8))
    assert (pilots.x.dtype, pilots.y.dtype, pilots.labels.dtype) == (torch.float64, torch.float32, torch.int64)
    assert pilots.x.numpy().tolist() == X.tolist()
    assert pilots.labels.tolist() == LABELS.tolist()
    assert len(pilots) == 3
    moved = pilots.to("cpu")
    assert torch.equal(moved.x, pilots.x)
    assert torch.equal(moved.labels, pilots.labels)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (LABELS[:2], r"labels must have shape \(3,\).*got \(2,\)"),
        (LABELS[:, None], r"got \(3, 1\)"),
        (LABELS.astype(float), "integers.*float64"),
        (LABELS.astype(complex), "integers"),
        (LABELS - 1, "got -1 to 1"),
        (LABELS * 10**6, "got 0 to 2000000"),
    ],
)
def test_labels_are_class_numbers_one_per_latent(labels, message):
    with pytest.raises(ValueError, match=message):
        as_labels(labels, 3)
    with pytest.raises(ValueError, match=message):
        Pilots(X, Y, labels)


def test_latents_pair_row_by_row_and_are_finite():
    with pytest.raises(ValueError, match="got 2 and 3 rows"):
        Pilots(X[:2], Y, LABELS)
    with pytest.raises(ValueError, match="y has NaN"):
        Pilots(X, Y * np.nan, LABELS)
    with pytest.raises(ValueError, match="x must be real"):
        Pilots(X * 1j, Y, LABELS)


def test_some_of_them_keep_latents_and_labels_together():
    pilots = Pilots(np.arange(10.0).reshape(5, 2), -np.arange(15.0).reshape(5, 3), np.array([4, 3, 2, 1, 0]))
    for rows in ([3, 1], torch.tensor([3, 1]), np.array([3, 1], np.uint8), np.array([-2, 1])):
        some = pilots[rows]
        assert some.x.tolist() == [[6, 7], [2, 3]]
        assert some.y.tolist() == [[-9, -10, -11], [-3, -4, -5]]
        assert some.labels.tolist() == [1, 3]
    for rows in (pilots.labels > 2, (pilots.labels > 2).numpy(), [True, True, False, False, False], slice(0, 2)):
        assert pilots[rows].labels.tolist() == [4, 3]
    assert len(pilots[:None]) == 5
    assert len(pilots[: 10**9]) == 5


@pytest.mark.parametrize(
    ("rows", "error", "message"),
    [
        (slice(0, 0), ValueError, "x is empty"),
        (torch.tensor(1), ValueError, r"rows must be a slice.*got torch.int64 \(\)"),
        (torch.ones(3), ValueError, "float32"),
        (torch.zeros(1, 2, dtype=torch.int64), ValueError, r"\(1, 2\)"),
        ([3], IndexError, "out of"),
        (np.array([True]), IndexError, "mask"),
    ],
)
def test_rows_that_are_none(rows, error, message):
    with pytest.raises(error, match=message):
        Pilots(X, Y, LABELS)[rows]


def test_pilots_without_labels_do_all_that_needs_none():
    pilots = Pilots(X, Y)
    assert pilots.labels is None
    assert pilots[[0, 2]].labels is None
    assert pilots.to("cpu").labels is None
    assert len(pilots) == 3


def test_what_needs_labels_says_so():
    with pytest.raises(ValueError, match=r"must have labels for this, got none: Pilots\(x, y, labels\)"):
        Pilots(X, Y).require_labels()
    with pytest.raises(ValueError, match="labels must be class numbers"):
        PilotSelection(1).choose(Pilots(X, Y))
    with pytest.raises(ValueError, match=r"one-hot labels\? labels.argmax\(1\)"):
        Pilots(X, Y, np.eye(3, dtype=int))


def test_a_line_and_a_table_say_what_they_are():
    assert repr(Pilots(X, Y)) == "Pilots(3 pairs, 2 → 4, no labels)"
    assert repr(Pilots(X, Y, LABELS)) == "Pilots(3 pairs, 2 → 4, 2 classes)"
    assert "<td>2 classes</td>" in Pilots(X, Y, LABELS)._repr_html_()
    assert repr(Moments.from_pairs(X, Y, folds=3)) == "Moments(3 pairs, 2 → 4, 3 folds)"
    assert repr(Moments.from_pairs(X, Y)) == "Moments(3 pairs, 2 → 4)"

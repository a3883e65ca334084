import numpy as np
import pytest
import torch

from latentlink.latents.pilots import Pilots, as_labels

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
        (LABELS.astype(float), "whole numbers.*float64"),
        (LABELS.astype(complex), "whole numbers"),
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

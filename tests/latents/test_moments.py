import copy
import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import latentlink as ll
from latentlink.latents.moments import Moments
from latentlink.storage.artifacts import save

FIELDS = ("mean_x", "mean_y", "cov_x", "cov_yx", "cov_y")
SEEDS = st.integers(0, 2**31)


def pairs(seed, n, d=3, m=2):
    draw = np.random.default_rng(seed)
    x = draw.standard_normal((n, d)) @ draw.standard_normal((d, d)) + 5 * draw.standard_normal(d)
    return x, x @ draw.standard_normal((d, m)) + draw.standard_normal((n, m))


def oracle(x, y):
    x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
    d = x.shape[1]
    joint = np.cov(np.hstack([x, y]).T, bias=True).reshape(d + y.shape[1], -1)
    return dict(zip(FIELDS, (x.mean(0), y.mean(0), joint[:d, :d], joint[d:, :d], joint[d:, d:]), strict=True))


def assert_moments(moments, count, expected, **tolerance):
    assert moments.count == count
    for name in FIELDS:
        value = getattr(moments, name)
        assert value.dtype == torch.float64
        np.testing.assert_allclose(value.numpy(), np.asarray(expected[name]), **(tolerance or {"rtol": 1e-10, "atol": 1e-10}))


def assert_same(a, b, **tolerance):
    assert_moments(a, b.count, {name: getattr(b, name) for name in FIELDS}, **tolerance)


@given(SEEDS, st.integers(1, 40), st.integers(1, 5), st.integers(1, 5))
def test_are_means_and_covariances_over_n(seed, n, d, m):
    x, y = pairs(seed, n, d, m)
    assert_moments(Moments.from_pairs(x, y), n, oracle(x, y))


@given(SEEDS, st.lists(st.integers(1, 20), min_size=1, max_size=6))
def test_neither_chunks_nor_order_matter(seed, sizes):
    x, y = pairs(seed, sum(sizes))
    order = np.random.default_rng(seed).permutation(len(x))
    ends = np.cumsum(sizes)[:-1]
    parts = [Moments.from_pairs(a, b) for a, b in zip(np.split(x[order], ends), np.split(y[order], ends), strict=True)]
    total = parts[-1]
    for part in parts[-2::-1]:
        total = total + part
    assert_moments(total, len(x), oracle(x, y))
    assert_same(Moments.merged(parts), total)


def test_more_rows_than_are_centred_at_a_time_change_nothing():
    x, y = pairs(1, 9001)
    assert_moments(Moments.from_pairs(x, y), 9001, oracle(x, y))


def test_large_means_of_float32_latents_cost_no_digits():
    x, y = (torch.from_numpy(1e6 + z).float() for z in pairs(2, 10_000))
    assert_moments(Moments.from_pairs(x, y), 10_000, oracle(x, y), rtol=1e-9, atol=1e-8)


@given(SEEDS, st.integers(1, 30), st.integers(1, 30))
def test_what_was_merged_can_be_removed(seed, n_a, n_b):
    x, y = pairs(seed, n_a + n_b)
    a, b = Moments.from_pairs(x[:n_a], y[:n_a]), Moments.from_pairs(x[n_a:], y[n_a:])
    assert_same(a + b - b, a, rtol=1e-8, atol=1e-8)
    assert_same(a + b, b + a)


@given(SEEDS, st.integers(2, 20), st.data())
def test_folds_are_disjoint_equal_parts_of_the_whole(seed, n, data):
    folds = data.draw(st.integers(2, min(n, 6)))
    x, y = np.eye(n), pairs(seed, n)[1]  # row i is alone in dimension i: the mean of a fold says which rows are in it
    moments = Moments.from_pairs(x, y, folds)
    rows = torch.stack([fold.count * fold.mean_x for fold in moments.folds])
    torch.testing.assert_close(rows, rows.round())
    assert rows.round().sum(0).tolist() == [1] * n
    counts = [fold.count for fold in moments.folds]
    assert len(counts) == folds
    assert max(counts) - min(counts) <= 1
    assert_moments(moments, n, oracle(x, y))
    assert_same(Moments.merged(moments.folds), moments)
    for training, held_out in moments.training_folds():
        assert not training.folds
        assert_same(training + held_out, moments)


def test_folds_do_not_follow_the_order_of_the_data():
    n, folds = 5000, 5
    classes = np.repeat(np.arange(10), n // 10)  # as in files sorted by class
    position = np.linspace(-1, 1, n)[:, None]
    moments = Moments.from_pairs(position, np.eye(10)[classes], folds)
    per_fold = n / folds
    for fold in moments.folds:
        assert abs(fold.mean_x.item()) < 5 * math.sqrt(1 / 3 / per_fold)
        assert (fold.mean_y - 0.1).abs().max() < 5 * math.sqrt(0.1 * 0.9 / per_fold)


def test_folds_are_merged_and_removed_one_by_one():
    x, y = pairs(3, 61)
    a, b = Moments.from_pairs(x[:31], y[:31], 3), Moments.from_pairs(x[31:], y[31:], 3)
    both = a + b
    for fold, of_a, of_b in zip(both.folds, a.folds, b.folds, strict=True):
        assert_same(fold, of_a + of_b)
    assert_same(Moments.merged(both.folds), both)
    for fold, of_a in zip((both - b).folds, a.folds, strict=True):
        assert_same(fold, of_a, rtol=1e-8, atol=1e-8)


def test_numpy_integers_float32_and_tensors_are_the_same_latents():
    x, y = (np.round(10 * z) for z in pairs(4, 20))
    expected = Moments.from_pairs(x, y)
    for convert in (
        torch.from_numpy,
        lambda z: z.astype(np.int64),
        lambda z: z.astype(np.float32),
        lambda z: torch.from_numpy(z).int(),
        np.asfortranarray,
    ):
        assert_same(Moments.from_pairs(convert(x), convert(y)), expected)


def test_read_only_and_reversed_arrays_are_taken_without_a_word():
    x, y = pairs(5, 6)
    frozen = x.copy()
    frozen.flags.writeable = False
    assert_same(Moments.from_pairs(frozen, y), Moments.from_pairs(x, y))
    assert_same(Moments.from_pairs(x[::-1], y[::-1]), Moments.from_pairs(x, y))


X, Y = pairs(0, 6)
HOLED = np.where(np.arange(6)[:, None] == 3, np.nan, X)


@pytest.mark.parametrize(
    ("x", "y", "folds", "message"),
    [
        (X + 1j, Y, 1, r"x must be real.*complex \(6, 3\)"),
        (X, Y.astype(np.complex64), 1, "y must be real"),
        (X[:0], Y[:0], 1, r"x is empty, got shape \(0, 3\)"),
        (X[:, :0], Y, 1, "x is empty"),
        (X[0], Y, 1, r"x must have shape \(n, dim\), got \(3,\)"),
        (X, Y[None], 1, "y must have shape"),
        (X[:5], Y, 1, "got 5 and 6 rows"),
        (HOLED, Y, 1, "x has NaN"),
        (X, np.full((6, 2), np.inf, np.float32), 1, "y has NaN or infinite"),
        (X, Y, 0, r"folds must be an integer from 1 to 6, got 0"),
        (X, Y, 7, "got 7"),
    ],
)
def test_malformed_pilots_are_named(x, y, folds, message):
    with pytest.raises(ValueError, match=message):
        Moments.from_pairs(x, y, folds)


def test_moments_that_do_not_fit_are_not_merged_or_removed():
    whole, part = Moments.from_pairs(X, Y), Moments.from_pairs(X[:2], Y[:2])
    with pytest.raises(ValueError, match="cannot remove 6 pairs from 6"):
        whole - whole
    with pytest.raises(ValueError, match="cannot remove 6 pairs from 2"):
        part - whole
    for other in (Moments.from_pairs(X[:, :2], Y), Moments.from_pairs(X, Y[:, :1])):
        with pytest.raises(ValueError, match="same latents"):
            whole + other
        with pytest.raises(ValueError, match="same latents"):
            whole - Moments.merged([other])
    with pytest.raises(ValueError, match="number of folds"):
        whole + Moments.from_pairs(X, Y, 2)
    with pytest.raises(ValueError, match="folds=5"):
        whole.training_folds()


def test_moments_go_round_through_a_file(tmp_path):
    x, y = pairs(6, 31)
    for folds in (1, 4):
        moments = Moments.from_pairs(x, y, folds)
        moments.save(tmp_path / "moments.safetensors")
        read = ll.load(tmp_path / "moments.safetensors", Moments)
        for whole, part in zip((moments, *moments.folds), (read, *read.folds), strict=True):
            assert_same(part, whole, rtol=0)


@pytest.mark.parametrize(
    "change",
    [{"count": 7}, {"count": True}, {"cov_x": -torch.eye(3).double()}, {"cov_y": torch.eye(3).double()}, {"mean_x": torch.ones(2)}],
)
def test_forged_moments_are_refused(tmp_path, change):
    moments = copy.copy(Moments.from_pairs(*pairs(6, 31), folds=2))
    vars(moments).update(change)  # past the checks of the constructor
    save("moments", moments, tmp_path / "forged.safetensors")
    with pytest.raises(ll.ArtifactError, match=r"forged\.safetensors: not what a moments is made of"):
        ll.load(tmp_path / "forged.safetensors")


@pytest.mark.parametrize("change", [lambda z: z.astype(">f4"), lambda z: z.astype(np.int16), np.asfortranarray, lambda z: z])
def test_mapped_files_of_any_kind_are_taken_as_they_are(tmp_path, change):
    x, y = (change(np.round(10 * z)) for z in pairs(7, 9001))
    for name, array in (("x", x), ("y", y)):
        np.save(tmp_path / f"{name}.npy", array)
    mapped = [np.load(tmp_path / f"{name}.npy", mmap_mode="r") for name in "xy"]
    assert_same(Moments.from_pairs(*mapped), Moments.from_pairs(x, y), rtol=1e-12)
    inner = Moments.from_pairs(*(array[10:-10] for array in mapped), folds=3)
    assert_same(inner, Moments.from_pairs(x[10:-10], y[10:-10], folds=3), rtol=1e-12)

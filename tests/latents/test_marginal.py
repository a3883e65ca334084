"""The knowledge of one end: what NumPy says of the rows, whatever the parts, and the part that `Moments` has of it."""

import copy

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import latentlink as ll
from latentlink.latents.marginal import Marginal
from latentlink.latents.moments import Moments
from latentlink.storage.artifacts import save

SEEDS = st.integers(0, 2**31)


def latents(seed, n, d=3):
    draw = np.random.default_rng(seed)
    return draw.standard_normal((n, d)) @ draw.standard_normal((d, d)) + 5 * draw.standard_normal(d)


def assert_same(a, b, **tolerance):
    assert a.count == b.count
    np.testing.assert_allclose(a.mean, b.mean, **(tolerance or {"rtol": 1e-10, "atol": 1e-10}))
    np.testing.assert_allclose(a.covariance, b.covariance, **(tolerance or {"rtol": 1e-10, "atol": 1e-10}))


@given(SEEDS, st.lists(st.integers(1, 20), min_size=1, max_size=6))
def test_is_mean_and_covariance_over_n_whatever_the_parts(seed, sizes):
    x = latents(seed, sum(sizes))
    oracle = Marginal(len(x), torch.from_numpy(x.mean(0)), torch.from_numpy(np.cov(x.T, bias=True).reshape(3, 3)))
    assert_same(Marginal.from_latents(x), oracle)
    assert_same(sum(Marginal.from_latents(part) for part in np.split(x, np.cumsum(sizes)[:-1])), oracle)


def test_is_the_part_of_the_moments_that_concerns_one_end():
    x, y = latents(1, 9001), latents(2, 9001, 2)
    moments, marginal = Moments.from_pairs(x, y), Marginal.from_latents(x)
    assert torch.equal(marginal.mean, moments.mean_x)
    assert torch.equal(marginal.covariance, moments.cov_x)


def test_goes_round_through_a_file(tmp_path):
    marginal = Marginal.from_latents(latents(3, 20))
    marginal.save(tmp_path / "marginal.safetensors")
    assert_same(ll.load(tmp_path / "marginal.safetensors", Marginal), marginal, rtol=0)
    assert repr(marginal) == "Marginal(20 latents, 3 dimensions)"


@pytest.mark.parametrize(
    ("mean", "covariance", "count"),
    [
        (torch.full((2,), torch.inf), torch.eye(2), 3),
        (torch.zeros(2), -torch.eye(2), 3),
        (torch.zeros(2), torch.tensor([[1.0, 0.5], [0.0, 1.0]]), 3),
        (torch.zeros(2), torch.eye(3), 3),
        (torch.zeros(2), torch.eye(2), 0),
        (torch.zeros(2), torch.eye(2), 2.5),
    ],
)
def test_forged_files_are_refused(tmp_path, mean, covariance, count):
    marginal = copy.copy(Marginal.from_latents(latents(3, 20)))
    vars(marginal).update(count=count, mean=mean.double(), covariance=covariance.double())  # past the checks of the constructor
    save("marginal", marginal, tmp_path / "forged.safetensors")
    with pytest.raises(ll.ArtifactError, match=r"forged\.safetensors: (not what a marginal is made of|NaN or infinite entries in mean)"):
        ll.load(tmp_path / "forged.safetensors")


def test_what_cannot_be_merged_or_is_none():
    one = Marginal.from_latents(latents(4, 5))
    with pytest.raises(ValueError, match="of the same latents, got 3 and 2 dimensions"):
        one + Marginal.from_latents(latents(4, 5, 2))
    with pytest.raises(ValueError, match="added to marginals only, got 3"):
        3 + one
    with pytest.raises(ValueError, match="overflow"):
        Marginal.from_latents(np.array([[1e200], [-1e200]]))
    with pytest.raises(ValueError, match="x has NaN"):
        Marginal.from_latents(np.array([[np.nan]]))

"""Evidence of pairing from moments alone: unpaired rows are told before a design is called optimal, paired ones never are."""

import math
import warnings

import pytest
import torch

import latentlink as ll
from latentlink.latents.dependence import LEAST_EVIDENCE, ChanceWarning, evidence
from oracles import normal, pairs, seeded


def of_permuted(x, y, count, seed=0):
    generator = seeded(seed)
    return torch.tensor([evidence(ll.Moments.from_pairs(x, y[torch.randperm(len(y), generator=generator)])) for _ in range(count)])


def test_under_permutations_it_has_mean_zero_and_variance_one():
    z = of_permuted(*pairs(0, 60, 6, 4, decay=0.9), 2000)
    assert abs(z.mean()) < 4 / 2000**0.5
    assert z.var() == pytest.approx(1.0, abs=0.15)


@pytest.mark.parametrize("n", [16, 100, 1000])
def test_of_equal_latents_it_is_the_largest_that_so_many_pairs_give(n):
    x = normal(1, n, 3)
    assert evidence(ll.Moments.from_pairs(x, x)) == pytest.approx(((n + 1) * (n - 2) / 2) ** 0.5)
    assert evidence(ll.Moments.from_pairs(x, x @ torch.linalg.qr(normal(2, 3, 3))[0])) > LEAST_EVIDENCE


def test_units_means_and_constants_do_not_matter():
    x, y = pairs(3, 200, 5, 4)
    units = torch.tensor([1e-6, 1.0, 1e5, 1.0, 2.0], dtype=torch.float64)
    changed = torch.cat([x * units + 7, torch.full((200, 1), 3.0, dtype=torch.float64)], 1)
    assert evidence(ll.Moments.from_pairs(changed, y)) == pytest.approx(evidence(ll.Moments.from_pairs(x, y)))


@pytest.mark.parametrize("n", [40, 100, 1000])
def test_permuted_rows_look_so_in_99_of_100_draws_and_paired_ones_never(n):
    shuffled, shifted = [], []
    for seed in range(100):
        x, y = pairs(10 * seed, n, 12, 8)
        assert evidence(ll.Moments.from_pairs(x, y)) > LEAST_EVIDENCE
        shuffled.append(of_permuted(x, y, 1, seed))
        shifted.append(evidence(ll.Moments.from_pairs(x, y.roll(1, 0))))
    for z in (torch.cat(shuffled), torch.tensor(shifted)):
        assert (z < LEAST_EVIDENCE).double().mean() >= 0.98  # of 99 expected ones, one more or less


@pytest.mark.parametrize("widely_linear", [True, False])
def test_a_design_for_permuted_rows_is_told_to_fit_chance(widely_linear):
    x, y = pairs(3, 100, 12, 8)
    ll.semantic_modes(ll.Moments.from_pairs(x, y), widely_linear=widely_linear)  # warnings are errors here
    with pytest.warns(ChanceWarning, match=r"in these 100 pairs x and y depend .* no more than permuted rows .*read_pairs"):
        ll.semantic_modes(ll.Moments.from_pairs(x, y.roll(1, 0)), widely_linear=widely_linear)


@pytest.mark.parametrize(("n", "d"), [(15, 2), (40, 64), (60, 64)])
def test_pairs_that_are_too_few_to_tell_are_not_accused(n, d):
    x, y = normal(5, n, d), normal(6, n, 4)
    assert evidence(ll.Moments.from_pairs(x, y)) == math.inf


def test_latents_without_variance_are_not_accused():
    x = torch.zeros(50, 3, dtype=torch.float64)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert evidence(ll.Moments.from_pairs(x, normal(7, 50, 2))) == math.inf

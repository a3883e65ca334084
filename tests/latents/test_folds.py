"""Folds are known from a row's number alone, equally large, and without regard to the order of the rows."""

import itertools

import numpy as np
import pytest
import torch

from latentlink.latents.folds import fold_numbers


@pytest.mark.parametrize(("count", "folds"), [(1, 1), (7, 3), (5000, 5), (131_072, 7), (300_000, 5), (300_001, 11)])
def test_all_are_equally_large_to_one_row_whatever_is_asked_for_at_a_time(count, folds):
    whole = fold_numbers(0, count, count, folds)
    sizes = whole.bincount(minlength=folds)
    assert sizes.max() - sizes.min() <= 1
    ends = [0, *sorted(np.random.default_rng(0).integers(0, count, 5)), count]
    parts = [fold_numbers(int(a), int(b), count, folds) for a, b in itertools.pairwise(ends) if b > a]
    assert torch.equal(torch.cat(parts), whole)


def test_they_do_not_follow_any_period_of_the_rows():
    count, folds = 400_000, 5
    numbers = fold_numbers(0, count, count, folds)
    for period in (2, 5, 10, 1000, 131_072):
        rows = torch.arange(count)[torch.arange(count) % period == 0]
        share = numbers[rows].bincount(minlength=folds) / len(rows)
        assert float((share - 1 / folds).abs().max()) < 5 * (0.16 / len(rows)) ** 0.5

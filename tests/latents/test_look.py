"""A look at latents: unpaired rows are found and paired ones are not accused, and what misleads a design is told."""

import numpy as np
import pytest
import torch

from latentlink.latents.look import look


def pairs(seed, n, rank=8, noise=1.0, d=24, m=16, classes=4):
    """Latents of two ends that share `rank` dimensions and their classes, with noise of their own."""
    g = torch.Generator().manual_seed(seed)
    maps = torch.Generator().manual_seed(1)
    labels = torch.randint(classes, (n,), generator=g)
    common = torch.randn(n, rank, generator=g) + 2 * torch.eye(classes, rank)[labels]
    x = common @ torch.randn(rank, d, generator=maps) + noise * torch.randn(n, d, generator=g)
    y = common @ torch.randn(rank, m, generator=maps) + noise * torch.randn(n, m, generator=g)
    return x, y, labels, g


def within(labels, g):
    """A permutation that leaves each row in its class."""
    permutation = torch.arange(len(labels))
    for number in labels.unique():
        rows = (labels == number).nonzero().squeeze(1)
        permutation[rows] = rows[torch.randperm(len(rows), generator=g)]
    return permutation


SHUFFLES = {
    "permuted": lambda labels, g: torch.randperm(len(labels), generator=g),
    "shifted": lambda labels, g: torch.arange(len(labels)).roll(1),
    "sorted by class at one end": lambda labels, g: labels.argsort(stable=True),
    "reversed": lambda labels, g: torch.arange(len(labels)).flip(0),
    "permuted within classes": within,
}


def test_names_of_classes_are_labels():
    x, y, labels, _ = pairs(0, 300)
    words = [("ant", "bee", "cat", "dog")[number] for number in labels]
    for named in (words, np.array(words)):
        assert look(x, y, named).classes.tolist() == look(x, y, labels).classes.tolist()


@pytest.mark.parametrize("name", SHUFFLES)
@pytest.mark.parametrize("n", [80, 300])
def test_unpaired_rows_are_found(name, n):
    found = 0
    for seed in range(4):
        x, y, labels, g = pairs(seed, n)
        warnings = look(x, y[SHUFFLES[name](labels, g)], labels).warnings
        found += any("permuted rows" in warning for warning in warnings)
    assert found == 4


@pytest.mark.parametrize("n", [16, 80, 300])
def test_paired_rows_are_not_accused(n):
    for seed in range(6):
        x, y, labels, _ = pairs(seed, n, noise=0.5)
        seen = look(x, y, labels)
        assert seen.dependence.is_paired
        assert not any("paired" in warning for warning in seen.warnings)


@pytest.mark.parametrize("share", [0.4, 0.6])
def test_the_share_of_unpaired_rows_is_estimated(share):
    x, y, labels, g = pairs(0, 1000, noise=0.2)
    rows = torch.randperm(1000, generator=g)[: int(1000 * share)]
    order = torch.arange(1000)
    order[rows] = rows[torch.randperm(len(rows), generator=g)]
    seen = look(x, y[order], labels)
    assert seen.dependence.unpaired == pytest.approx(share, abs=0.12)
    assert any("of the rows look unpaired" in warning for warning in seen.warnings)


def test_r2_is_that_of_new_rows():
    x, y, _, _ = pairs(0, 1000, noise=2.0)
    more_x, more_y, _, _ = pairs(7, 20_000, noise=2.0)
    mean = y.mean(0)
    weights = torch.linalg.lstsq(torch.cat([x, torch.ones(1000, 1)], 1), y).solution
    left = (more_y - torch.cat([more_x, torch.ones(20_000, 1)], 1) @ weights) / y.std(0)
    explained = 1 - left.square().sum() / ((more_y - mean) / y.std(0)).square().sum()
    assert look(x, y).dependence.r2 == pytest.approx(float(explained), abs=0.03)


def test_units_change_nothing():
    x, y, labels, g = pairs(0, 300)
    scales = 10.0 ** torch.randint(-6, 7, (24,), generator=g).double()
    plain, scaled = look(x, y, labels), look(x.double() * scales, y * 1e5 + 3, labels)
    assert scaled.dependence.r2 == pytest.approx(plain.dependence.r2, rel=1e-3)


def facts(x, y, labels=None):
    return look(x, y, labels).warnings


def test_each_fault_is_told_with_its_remedy():
    x, y, labels, _ = pairs(0, 300, noise=0.3)
    assert facts(x, y, labels) == ()
    assert facts(x.repeat(3, 1), y.repeat(3, 1))[-1].startswith("600 of 900 pairs are repeats")
    huge = y.clone()
    huge[:, 2] *= 1e3
    assert any("One dimension of y holds 100% of the variance" in warning for warning in facts(x, huge))
    assert any("20 pairs are fewer than the 24 dimensions" in warning for warning in facts(x[:20], y[:20]))
    assert any("5 pairs are too few to tell" in warning for warning in facts(x[:5], y[:5]))
    assert any("one class" in warning for warning in facts(x, y, torch.zeros(300, dtype=torch.long)))


def test_degenerate_latents_are_looked_at_without_a_crash():
    for x, y in ((torch.zeros(40, 3), torch.randn(40, 2)), (torch.randn(40, 3), torch.ones(40, 2)), (torch.ones(1, 1), torch.ones(1, 1))):
        seen = look(x, y)
        assert seen.warnings
        assert "nan" not in str(seen)
    x = torch.randn(50, 4)
    assert look(x, x).dependence.r2 == pytest.approx(1.0, abs=1e-3)
    assert look(x.numpy().astype(np.float16), x).dependence.is_paired


def test_a_look_prints_every_line_and_shows_itself_in_one():
    x, y, labels, _ = pairs(0, 300, noise=0.3)
    seen = look(x, y, labels)
    assert repr(seen) == "Look(300 pairs, 24 → 16, 0 warnings)"
    for word in ("effective rank", "share of the largest dimension", "repeated rows", "R² of y on x", "R² within classes", "4 of"):
        assert word in str(seen)

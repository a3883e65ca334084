import pytest
import torch

import latentlink as ll
from latentlink.baselines.alignment import Aligner, LeastSquares, Procrustes
from oracles import moments, normal, pairs


def error(known, A):
    return known.cov_y.trace() - 2 * (A * known.cov_yx).sum((-2, -1)) + (A @ known.cov_x * A).sum((-2, -1))


def isometries(seed, count, m, d):
    return torch.linalg.qr(normal(seed, count, max(m, d), min(m, d))).Q if m >= d else torch.linalg.qr(normal(seed, count, d, m)).Q.mT


@pytest.mark.parametrize(("d", "m"), [(7, 6), (4, 9), (5, 5)])
def test_least_squares_is_what_all_semantic_modes_give(d, m):
    known, x = moments(1, d, m), normal(2, 5, d)
    for shrinkage in (0.0, 0.3, "auto"):
        A = LeastSquares(shrinkage).fit(known).matrix
        modes = ll.semantic_modes(known, shrinkage=shrinkage)
        torch.testing.assert_close(known.mean_y + (x - known.mean_x) @ A.mT, modes.align(x))


def test_least_squares_without_shrinkage_is_the_regression():
    x, y = pairs(3, 300, 6, 4)
    A = LeastSquares(0.0).fit(ll.Moments.from_pairs(x, y)).matrix
    torch.testing.assert_close(A.mT, torch.linalg.lstsq(x - x.mean(0), y - y.mean(0)).solution)


@pytest.mark.parametrize(("d", "m"), [(6, 6), (5, 7), (7, 5)])
def test_procrustes_is_a_scaled_isometry_and_no_random_one_is_better(d, m):
    known = moments(4, d, m)
    Q = Procrustes(scaled=False).fit(known).matrix
    small = Q @ Q.mT if m < d else Q.mT @ Q
    torch.testing.assert_close(small, torch.eye(min(d, m), dtype=torch.float64))
    others = isometries(5, 400, m, d)
    near = torch.linalg.svd(Q + 0.05 * normal(6, 400, m, d), full_matrices=False)
    others = torch.cat([others, near.U @ near.Vh])
    correlation = (others * known.cov_yx).sum((-2, -1))
    assert (correlation < (Q * known.cov_yx).sum()).all()
    if d <= m:
        assert (error(known, others) > error(known, Q)).all()


@pytest.mark.parametrize(("d", "m"), [(6, 6), (5, 7), (7, 5)])
def test_the_scale_is_the_best_one_and_regression_is_better_still(d, m):
    known = moments(7, d, m)
    A, Q = Procrustes().fit(known).matrix, Procrustes(scaled=False).fit(known).matrix
    best = error(known, A)
    for factor in (0.5, 0.99, 1.01, 2.0):
        assert error(known, factor * A) > best
    assert best < error(known, Q)
    assert error(known, LeastSquares(0.0).fit(known).matrix) < best


def test_procrustes_finds_a_rotation():
    x, Q = normal(8, 200, 5), torch.linalg.qr(normal(9, 5, 5)).Q
    known = ll.Moments.from_pairs(x, 3 * x @ Q.mT + 1)
    torch.testing.assert_close(Procrustes().fit(known).matrix, 3 * Q)


@pytest.mark.parametrize("aligner", [LeastSquares(), LeastSquares(0.0), Procrustes()])
def test_few_pilots_and_dead_dimensions_are_no_trouble(aligner):
    x, y = pairs(10, 8, 12, 9)
    x[:, 3] = 1e6 + 1 / 3
    fitted = aligner.fit(ll.Moments.from_pairs(x, y).without_rounding())
    assert fitted.matrix.isfinite().all()
    assert fitted.matrix.shape == (9, 12)
    held_out = pairs(10, 300, 12, 9)
    if aligner == LeastSquares():  # shrunk: fits what it has not seen no worse than the mean does
        lost = (held_out[1] - y.mean(0) - (held_out[0] - x.mean(0)) @ fitted.matrix.mT).square().sum(-1).mean()
        assert lost < 1.2 * (held_out[1] - y.mean(0)).square().sum(-1).mean()


@pytest.mark.parametrize("aligner", [LeastSquares(), Procrustes()])
def test_latents_that_do_not_vary_align_to_nothing(aligner):
    known = ll.Moments.from_pairs(torch.ones(20, 3), torch.ones(20, 4))
    assert (aligner.fit(known.without_rounding()).matrix @ known.cov_x == 0).all()


def test_a_fit_serves_as_an_aligner_of_latents_of_its_size():
    known = moments(11, 4, 3)
    fitted = LeastSquares().fit(known)
    assert isinstance(fitted, Aligner)
    assert fitted.fit(known) is fitted
    with pytest.raises(ValueError, match="aligner"):
        fitted.fit(moments(11, 5, 3))


@pytest.mark.parametrize("kind", [LeastSquares, Procrustes])
@pytest.mark.parametrize("shrinkage", ["none", -0.1, float("nan"), float("inf")])
def test_odd_shrinkage_is_refused(kind, shrinkage):
    with pytest.raises(ValueError, match="shrinkage"):
        kind(shrinkage=shrinkage)

"""Estimates from few pairs: equal to brute force, and to what is known in the limits of many pairs and of a trusted prior."""

import numpy as np
import pytest
import torch

import latentlink as ll
from latentlink.alignment.residual_ridge import STRENGTHS, ResidualRidge
from oracles import normal, pairs

FewPairs, Marginal, Spread = ll.alignment.FewPairs, ll.alignment.Marginal, ll.alignment.Spread
SIZES = [(7, 12, 5), (12, 12, 5), (30, 12, 5), (1, 12, 5)]
ESTIMATORS = (
    FewPairs(),
    ll.alignment.WhitenedProcrustes(),
    ll.alignment.ParsevalFrame(),
    ll.alignment.RelativeRepresentation(),
)


def ends(x, y):
    return Marginal.from_latents(x), Marginal.from_latents(y)


def clusters(seed=0, n=300, d=12, m=8, groups=5):
    """Latents in groups that both ends tell apart, each by a code of its own."""
    group = torch.arange(n) % groups
    x = 6 * normal(seed, groups, d)[group] + normal(seed + 1, n, d)
    y = 6 * normal(seed + 2, groups, m)[group] + 0.3 * normal(seed + 3, n, m)
    return x, y, group


@pytest.mark.parametrize(("k", "d", "m"), SIZES)
@pytest.mark.parametrize("shrinkage", [1e-4, 0.1, 3.0])
def test_dual_is_primal_and_leaving_out_is_brute_force(k, d, m, shrinkage):
    X, R = normal(1, k, d), normal(2, k, m)
    ridge = ResidualRidge.of(X, R, 0.7)
    penalty = shrinkage * k * 0.7 * torch.eye(d, dtype=torch.float64)
    primal = torch.linalg.solve(X.mT @ X + penalty, X.mT @ R).mT
    torch.testing.assert_close(ridge.correction(shrinkage), primal, rtol=1e-10, atol=1e-10)
    for row in range(k):
        others = torch.arange(k) != row
        without = torch.linalg.solve(X[others].mT @ X[others] + penalty, X[others].mT @ R[others]).mT
        torch.testing.assert_close(ridge.left_out(shrinkage)[row], R[row] - without @ X[row], rtol=1e-10, atol=1e-10)


def test_the_strength_has_the_least_error_of_leaving_one_out():
    x, y = pairs(3, 20, 12, 5)
    X, Y, W = x - x.mean(0), y - y.mean(0), normal(4, 2, 5)
    for weight in (torch.eye(5, dtype=torch.float64), W):
        ridge = ResidualRidge.of(X, Y, 1.0).weighed(weight)
        best, error = ridge.best_shrinkage()
        errors = [float(ridge.left_out(value).square().sum()) for value in STRENGTHS.tolist()]
        assert error == min(*errors, float((Y @ weight.mT).square().sum()))
        assert best in STRENGTHS.tolist()
    unrelated = ResidualRidge.of(X, 100 * torch.ones_like(Y) * (-1.0) ** torch.arange(20, dtype=torch.float64).unsqueeze(1), 1.0)
    assert unrelated.best_shrinkage()[0] > 1  # nothing to be learnt


def test_many_pairs_are_moments_of_pairs():
    x, y = pairs(5, 400, 6, 4)
    for shrinkage in (0.0, 0.3):
        found = FewPairs(shrinkage=shrinkage).fit(ll.Pilots(x, y), *ends(x, y))
        expected = ll.baselines.LeastSquares(shrinkage=shrinkage).fit(ll.Moments.from_pairs(x, y)).matrix
        torch.testing.assert_close(found.regression(), expected, rtol=1e-9, atol=1e-9)
        assert (found.count, found.estimated) == (400, True)
    chosen = FewPairs().fit(ll.Pilots(x, y), *ends(x, y)).regression()
    truth = ll.Moments.from_pairs(x, y).regression()
    assert float((chosen - truth).norm() / truth.norm()) < 0.05


def test_a_heavy_prior_is_the_prior():
    x, y = pairs(6, 60, 6, 4)
    prior = ll.Moments.from_pairs(*pairs(7, 200, 6, 4))
    pilots, known = ll.Pilots(x[:5], y[:5]), ends(x, y)
    torch.testing.assert_close(FewPairs(prior, 1e12).fit(pilots, *known).regression(), prior.regression(), rtol=1e-6, atol=1e-8)
    own = FewPairs(shrinkage=1e12).fit(pilots, *known)
    assert float(own.cov_yx.abs().max()) < 1e-9
    T0 = prior.regression()
    exact = ll.Pilots(x[:5], known[1].mean + (x[:5] - known[0].mean) @ T0.mT)  # pilots that say what the prior says
    torch.testing.assert_close(FewPairs(prior).fit(exact, *known).regression(), T0, rtol=1e-8, atol=1e-8)


def test_what_the_goal_sees_and_the_rest_have_strengths_of_their_own():
    x, y = pairs(8, 25, 12, 5)
    W = ll.Goal(normal(9, 2, 5))
    pilots, known = ll.Pilots(x, y), ends(*pairs(10, 500, 12, 5))
    plain, both = FewPairs().fit(pilots, *known).regression(), FewPairs().fit(pilots, *known, W).regression()
    seen = torch.linalg.svd(W.weight)[2]
    torch.testing.assert_close(seen[2:] @ both, seen[2:] @ plain, rtol=1e-9, atol=1e-9)
    ridge = ResidualRidge.of(x - known[0].mean, y - known[1].mean, float(known[0].covariance.diagonal().mean()))
    strength, _ = ridge.weighed(W.weight).best_shrinkage()
    torch.testing.assert_close(W.weight @ both, W.weight @ ridge.correction(strength), rtol=1e-8, atol=1e-8)


def test_power_and_covariances_are_those_of_all_latents():
    x, y, _ = clusters()
    tx, rx = ends(x, y)
    for estimator in (*ESTIMATORS, FewPairs(Spread(x))):
        found = estimator.fit(ll.Pilots(x[:9], y[:9]), tx, rx)
        modes = ll.semantic_modes(found)
        assert torch.equal(found.cov_x, tx.covariance)
        assert torch.equal(found.cov_y, rx.covariance)
        torch.testing.assert_close(modes.covariance, torch.eye(len(modes), dtype=torch.float64), rtol=1e-9, atol=1e-9)


def test_no_map_explains_more_than_there_is():
    x, y = pairs(18, 300, 6, 4)
    tx, rx = ends(x, y)
    far = rx.mean + 5 * (y[:3] - rx.mean)  # pilots larger than other latents
    found = FewPairs(shrinkage=0.0).fit(ll.Pilots(x[:3], far), tx, rx)
    T = found.regression()
    assert float((T @ tx.covariance * T).sum()) == pytest.approx(float(rx.covariance.trace()))
    small = FewPairs(shrinkage=0.0).fit(ll.Pilots(x[:3], rx.mean + 1e-3 * (far - rx.mean)), tx, rx).regression()
    torch.testing.assert_close(T / T.norm(), small / small.norm())


def test_the_graph_tells_groups_from_one_pilot_each():
    x, y, group = clusters()
    tx, rx = ends(x, y)
    own = Spread(x)
    assert torch.equal(own.shares(x[:5]).argmax(1), group)  # of one pilot of each group

    def error(prior, pilots):
        T = FewPairs(prior).fit(pilots, tx, rx).regression()
        return float(((y - rx.mean) - (x - tx.mean) @ T.mT).square().sum() / (y - rx.mean).square().sum())

    draws = [ll.Pilots(x[rows], y[rows]) for rows in (torch.arange(5 * start, 5 * start + 10) for start in range(20))]
    assert sum(error(own, pilots) for pilots in draws) < 0.7 * sum(error(None, pilots) for pilots in draws)
    decided = ll.alignment.DecisionPilots(x[:5], group[:5])
    assert torch.equal(decided.concepts(own).counts, group.bincount())


def test_a_graph_that_misleads_is_not_used():
    """Neighbours are alike in what is large at the transmitter, of which y tells nothing."""
    unused, errors = 0, torch.zeros(2, dtype=torch.float64)
    for seed in range(20, 30):
        x = normal(seed, 300, 40) * torch.cat([torch.full((10,), 5.0), torch.full((30,), 1.0)]).double()
        y = x[:, 10:] @ normal(seed + 100, 30, 4)
        tx, rx = ends(x, y)
        pilots = ll.Pilots(x[:25], y[:25])
        maps = [FewPairs(prior).fit(pilots, tx, rx).regression() for prior in (None, Spread(x))]
        errors += torch.stack([((y - rx.mean) - (x - tx.mean) @ T.mT)[25:].square().mean() for T in maps])
        V = torch.linalg.svd(x[:25] - tx.mean, full_matrices=False)[2]
        unused += float((maps[1] - maps[1] @ V.mT @ V).norm()) < 1e-9 * float(maps[1].norm())  # a map of the pilots alone
    assert unused >= 6
    assert errors[1] < 1.05 * errors[0]


def test_spreading_is_that_of_dense_matrices():
    x = normal(12, 40, 3)
    own = Spread(x, neighbours=4, reach=0.9)
    z = (x - x.mean(0)).numpy()
    distance = np.linalg.norm(z[:, None] - z[None], axis=-1)
    nearest = distance.argsort(1)[:, 1:5]
    scale = np.take_along_axis(distance, nearest, 1)[:, -1]
    W = np.zeros((40, 40))
    for row in range(40):
        W[row, nearest[row]] = np.exp(-(distance[row, nearest[row]] ** 2) / (scale[row] * scale[nearest[row]]))
    W = (W + W.T) / 2
    S = W / np.sqrt(np.outer(W.sum(0), W.sum(0)))
    np.testing.assert_allclose(own.graph.to_dense().numpy(), S, atol=1e-9)
    start = np.zeros((40, 2))
    start[3, 0] = start[7, 1] = 0.1
    Z = start
    for _ in range(40):
        Z = 0.9 * S @ Z + start
    np.testing.assert_allclose(own.shares(x[[3, 7]]).numpy(), Z, atol=1e-9)


def test_copies_and_strangers_in_the_graph():
    x, y, _ = clusters(5, n=100, groups=10)
    copies = torch.cat([x, x[:1].expand(40, -1)])
    own = Spread(copies)
    assert own.graph.values().isfinite().all()
    assert own.nodes(x[50:60] + 1e-3).tolist() == list(range(50, 60))
    found = FewPairs(own).fit(ll.Pilots(x[:10], y[:10]), *ends(x, y))
    assert found.cov_yx.isfinite().all()
    assert torch.equal(Spread(x.numpy()).graph.to_dense(), Spread(x).graph.to_dense())


def test_a_large_file_is_thinned(monkeypatch, tmp_path):
    x = normal(13, 90, 4)
    np.save(tmp_path / "x.npy", x.numpy())
    monkeypatch.setattr("latentlink.alignment.spread._MOST", 30)
    assert torch.equal(Spread(np.load(tmp_path / "x.npy", mmap_mode="r")).x, x[::3])


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=repr)
def test_exact_relations_are_found(estimator):
    """A rotation of white latents is what every aligner finds from enough pairs."""
    x = normal(14, 400, 5)
    x = (x - x.mean(0)) @ torch.linalg.inv(torch.linalg.cholesky(torch.cov(x.mT, correction=0))).mT
    Q = torch.linalg.qr(normal(15, 5, 5)).Q
    y = x @ Q.mT + 4
    T = estimator.fit(ll.Pilots(x[:100], y[:100]), *ends(x, y)).regression()
    torch.testing.assert_close(T, Q, rtol=0, atol=1e-4)


def test_decisions_stand_for_class_means():
    x, y, group = clusters()
    rx = ll.alignment.Concepts.from_labels(y, group)
    found = ll.alignment.DecisionPilots(x[:20], group[:20]).pairs(rx)
    assert torch.equal(found.y, rx.means[group[:20]])
    names = ["e", "d", "c", "b", "a"]
    told = [names[number] for number in group[:20].tolist()]
    named = ll.alignment.DecisionPilots(x[:20], told)
    assert torch.equal(named.pairs(rx.named(*names)).y, found.y)
    assert named.concepts().names == ("a", "b", "c", "d", "e")
    assert (len(named), repr(named)) == (20, "DecisionPilots(20 decisions, 5 classes)")
    with pytest.raises(ValueError, match="names at one alone"):
        named.pairs(rx)
    with pytest.raises(ValueError, match="rx must have latents of every class in decisions, got none of class 4"):
        ll.alignment.DecisionPilots(x[:20], group[:20]).pairs(ll.alignment.Concepts.from_labels(y[group < 4], group[group < 4]))
    with pytest.raises(ValueError, match="labels must have shape"):
        ll.alignment.DecisionPilots(x[:20], group[:19])


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=repr)
def test_what_does_not_fit_is_refused_by_every_estimator(estimator):
    x, y = pairs(16, 30, 6, 4)
    tx, rx = ends(x, y)
    pilots = ll.Pilots(x, y)
    with pytest.raises(ValueError, match="tx must be of the pilots' latents of dimension 6, got 4 dimensions"):
        estimator.fit(pilots, rx, rx)
    with pytest.raises(ValueError, match="rx must be of the pilots' latents of dimension 4"):
        estimator.fit(pilots, tx, tx)
    with pytest.raises(ValueError, match="goal must weigh latents of dimension 4"):
        estimator.fit(pilots, tx, rx, ll.Goal(torch.eye(6)))
    with pytest.raises(ValueError, match="rx must be a Marginal"):
        estimator.fit(pilots, tx, y)
    with pytest.raises(ValueError, match="pilots must be a Pilots"):
        estimator.fit(x, tx, rx)


def test_wrong_arguments_are_told():
    x, y = pairs(17, 30, 6, 4)
    for arguments, message in (
        ({"prior": "graph"}, "prior must be (a )?Moments"),
        ({"shrinkage": "gcv"}, "shrinkage must be one of loo"),
        ({"shrinkage": -1.0}, "shrinkage must be a finite number >= 0"),
    ):
        with pytest.raises(ValueError, match=message):
            FewPairs(**arguments)
    with pytest.raises(ValueError, match=r"prior must be moments of the pilots' latents \(m, d\) = \(4, 6\)"):
        FewPairs(ll.Moments.from_pairs(x, x)).fit(ll.Pilots(x, y), *ends(x, y))
    for arguments, message in (
        ({"neighbours": 0}, "neighbours must be an integer >= 1"),
        ({"neighbours": 30}, "x must have more rows than a latent has neighbours"),
        ({"reach": 1.0}, "reach must be a finite number > 0 and < 1"),
    ):
        with pytest.raises(ValueError, match=message):
            Spread(x, **arguments)
    with pytest.raises(ValueError, match="x must be of the graph's latents of dimension 6"):
        Spread(x).shares(y)
    with pytest.raises(ValueError, match="components must be an integer"):
        ll.alignment.WhitenedProcrustes(0)
    with pytest.raises(ValueError, match="shrinkage must be a finite number > 0"):
        ll.alignment.RelativeRepresentation(0.0)

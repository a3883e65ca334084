"""The price of pilots: the identity behind it, the two inequalities of Jensen, and the bracket on synthetic pairs."""

from dataclasses import replace

import pytest
import torch

import latentlink as ll
from oracles import normal

D, M = 8, 6
CHANNEL = ll.Channel.from_snr(ll.rayleigh(2, 2, batch=(5,), generator=3), snr_db=15.0)


def truth():
    """Moments of a linear pair, exact."""
    root, T = normal(1, D, D) * 0.7 ** torch.arange(D).double(), normal(2, M, D)
    Rx = root @ root.mT + 0.05 * torch.eye(D).double()
    return ll.Moments(10**6, torch.zeros(D).double(), torch.zeros(M).double(), Rx, T @ Rx, T @ Rx @ T.mT + 0.5 * torch.eye(M).double())


def drawn(seed, n):
    """n Gaussian pairs of the true moments."""
    whole = torch.cat([torch.cat([truth().cov_x, truth().cov_yx.mT], 1), torch.cat([truth().cov_yx, truth().cov_y], 1)])
    both = normal(seed, n, D + M) @ torch.linalg.cholesky(whole).mT
    return both[:, :D], both[:, D:]


def error_under(modes, there, solution):
    """Error (5,) of a link under moments without means, tr Ry − 2 tr(L Rxy) + tr(L Rx Lᵀ) + noise, and its map L (5, m, d)."""
    link = solution.transceiver
    T, noise = link.response()
    s = T.shape[-1]
    L = modes.synthesis[:, :s] @ T @ modes.analysis[:s]
    gram = modes.synthesis[:, :s].mT @ modes.synthesis[:, :s]
    signal = (L @ there.cov_x @ L.mT).diagonal(dim1=-2, dim2=-1).sum(-1)
    cross = (L * there.cov_yx).sum((-2, -1))
    return there.cov_y.trace() - 2 * cross + signal + (gram * noise).sum((-2, -1)), L


def test_the_loss_is_the_bregman_divergence_on_every_channel():
    """φ(A) is the variance less the least error: true error − optimum = φ(A) − φ(Â) − ⟨∇φ(Â), A − Â⟩, with Rx and Ry known."""
    there = truth()
    best = ll.ClosedForm().design(ll.semantic_modes(there, shrinkage=0.0), CHANNEL)
    seen = replace(there, cov_yx=there.cov_yx + 0.2 * normal(5, M, D))
    modes = ll.semantic_modes(seen, shrinkage=0.0)
    solution = ll.ClosedForm().design(modes, CHANNEL)
    measured, L = error_under(modes, there, solution)
    phi, guessed = there.cov_y.trace() - best.known_mse, there.cov_y.trace() - solution.known_mse
    divergence = phi - guessed - 2 * (L * (there.cov_yx - seen.cov_yx)).sum((-2, -1))
    assert (divergence > 1e-3).all()
    torch.testing.assert_close(measured - best.known_mse, divergence, rtol=1e-9, atol=1e-9)


def test_designs_expect_too_little_and_get_too_much():
    """Unbiased Ryx with known Rx and Ry: E expected ≤ optimum ≤ E true, over 200 draws of Gaussian pairs, by more than its error."""
    there, expected, true = truth(), [], []
    optimum = ll.ClosedForm().design(ll.semantic_modes(there, shrinkage=0.0), CHANNEL).known_mse
    for seed in range(200):
        x, y = drawn(100 + seed, 150)
        modes = ll.semantic_modes(replace(there, cov_yx=y.mT @ x / 150), shrinkage=0.0)
        solution = ll.ClosedForm().design(modes, CHANNEL)
        expected.append(solution.known_mse)
        true.append(error_under(modes, there, solution)[0])
    expected, true = torch.stack(expected), torch.stack(true)
    assert (true >= optimum * (1 - 1e-9)).all()
    assert (expected.mean(0) + 3 * expected.std(0) / 200**0.5 < optimum).all()
    assert (true.mean(0) - 3 * true.std(0) / 200**0.5 > optimum).all()


def test_the_bracket_holds_the_true_price_in_the_mean():
    there, n = truth(), 240
    optimum = ll.ClosedForm().design(ll.semantic_modes(there, shrinkage=0.0), CHANNEL).known_mse
    found, true = [], []
    for seed in range(10):
        moments = ll.Moments.from_pairs(*drawn(1000 + seed, n), folds=10)
        price = ll.bounds.pilot_price(moments, CHANNEL)
        modes = ll.semantic_modes(moments)
        error, L = error_under(modes, there, ll.ClosedForm().design(modes, CHANNEL))
        offset = (modes.mean_y - L @ modes.mean_x).square().sum(-1)
        true.append(10 * ((error + offset) / optimum).log10())
        found.append(torch.stack([price.low_db, price.high_db, price.bound_db]))
    low, high, bound = torch.stack(found).mean((0, 2))
    assert low - 0.1 < torch.stack(true).mean() < high + 0.05
    assert torch.stack(true).mean() < bound + 0.05


def test_more_pairs_cost_less_and_every_channel_has_its_own_price():
    few, many = (ll.bounds.pilot_price(ll.Moments.from_pairs(*drawn(7, n), folds=10), CHANNEL) for n in (60, 3000))
    assert few.low_db.shape == few.bound_db.shape == (5,)
    assert few.held_out.shape == (4, 5)
    assert few.counts.tolist() == [18, 30, 42, 54]
    assert (many.high_db < few.high_db).all()
    one = ll.bounds.pilot_price(ll.Moments.from_pairs(*drawn(7, 60), folds=10), ll.Channel(CHANNEL.h[2], CHANNEL.noise_variance[2]))
    torch.testing.assert_close(one.low_db, few.low_db[2])


def test_the_held_out_error_is_that_of_held_out():
    moments = ll.Moments.from_pairs(*drawn(7, 300), folds=10)
    price = ll.bounds.pilot_price(moments, CHANNEL)
    torch.testing.assert_close(price.held_out[-1], ll.held_out(moments, CHANNEL).mse)


def test_with_a_goal_the_error_is_the_goals():
    goal = ll.Goal(normal(4, 2, M), fidelity=0.01)
    moments = ll.Moments.from_pairs(*drawn(7, 300), folds=5)
    price = ll.bounds.pilot_price(moments, CHANNEL, goal, splits=2)
    modes = ll.semantic_modes(moments, goal)
    solution = ll.ClosedForm().design(modes, CHANNEL)
    x, y = drawn(7, 300)
    y_hat = torch.stack([ll.transmit(solution, x, CHANNEL, generator=seed) for seed in range(20)]).mean(0)  # hardly any noise
    inside = ((y - y_hat) @ modes.weight.mT).square().sum(-1).mean(-1)
    assert (price.held_out[-1] > 0.5 * inside).all()
    assert (price.held_out[-1] < modes.weighted_variance).all()
    assert price.counts.tolist() == [120, 240]


def test_what_has_no_price_is_refused_by_name():
    x, y = drawn(1, 60)
    with pytest.raises(ValueError, match="moments must have at least four folds, got 0"):
        ll.bounds.pilot_price(ll.Moments.from_pairs(x, y), CHANNEL)
    with pytest.raises(ValueError, match="design must have a mean or per-use limit"):
        ll.bounds.pilot_price(ll.Moments.from_pairs(x, y, 5), CHANNEL, design=ll.ClosedForm(power=ll.power.PerMessage(x=x, y=y)))


def test_a_handshake_of_numbers_and_of_decisions():
    channel = ll.Channel.from_snr(ll.rayleigh(8, 8, batch=(20,), generator=2), snr_db=20.0)
    numbers, decisions = ll.bounds.Handshake.of_numbers(420, 64, channel), ll.bounds.Handshake.of_decisions(420, 10, channel)
    assert (numbers.uses == 1680).all()
    expected = (420 * torch.tensor(10.0).double().log2() / ll.bounds.capacity(channel)).ceil()
    torch.testing.assert_close(decisions.uses, expected)
    torch.testing.assert_close(decisions.pays_after(0.17), decisions.uses / 0.17)
    torch.testing.assert_close(decisions.pays_after(0.17, uses=2), decisions.uses / 0.34)
    assert ll.bounds.Handshake.of_decisions(1, 2, ll.Channel(torch.zeros(1, 1, 1) + 0j)).uses.isinf()
    with pytest.raises(ValueError, match="classes must be"):
        ll.bounds.Handshake.of_decisions(420, 1, channel)
    with pytest.raises(ValueError, match="gain must be"):
        numbers.pays_after(0.0)

"""Pooling over a message's uses against spending the budget use by use."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import latentlink as ll
from latentlink.streams.waterfilling import mse_waterfilling
from oracles import Problem, channel, dense_pair, moments, seeded

POWERS = (ll.power.Equal(), ll.power.OneUseAtATime())


def design(modes, one, power):
    return ll.ClosedForm(power=power).design(modes, one)


@pytest.mark.filterwarnings("ignore:in these")  # among 60 pairs of latents there are independent ones
@settings(deadline=None, max_examples=60)
@given(
    seed=st.integers(0, 10**6),
    shape=st.tuples(st.integers(1, 4), st.integers(1, 4), st.integers(1, 6)),
    snr_db=st.floats(-20, 40),
    d=st.integers(2, 24),
    widely_linear=st.booleans(),
)
def test_pooled_water_filling_is_never_worse(seed, shape, snr_db, d, widely_linear):
    n_rx, n_tx, uses = shape
    d -= 0 if widely_linear else d % 2  # what pads an odd dimension counts in the error that is least, and not in the one expected
    modes = ll.semantic_modes(moments(seed, d, d, n=3 * d + 10), shrinkage=0.0, widely_linear=widely_linear)
    grids = channel(seed + 1, n_rx, n_tx, uses, snr_db, batch=(3,))
    pooled = design(modes, grids, ll.power.Mean()).expected_mse
    for power in POWERS:
        assert (pooled <= design(modes, grids, power).expected_mse * (1 + 1e-9)).all()


@pytest.mark.parametrize("power", POWERS)
@pytest.mark.parametrize("shape", [(2, 2, 3, 7), (3, 2, 4, 40), (1, 3, 5, 4), (2, 2, 1, 9)])
def test_each_use_has_its_budget_and_the_error_is_the_expected_one(power, shape):
    n_rx, n_tx, uses, d = shape
    known, one = moments(1, d, 6), channel(2, n_rx, n_tx, uses, 5.0)
    solution = design(ll.semantic_modes(known, shrinkage=0.0), one, power)
    F, G = dense_pair(solution.transceiver)
    torch.testing.assert_close(solution.expected_mse, Problem.of(known, one).error(F, G), rtol=1e-9, atol=0.0)
    parts = F.unflatten(-2, (2, uses, n_tx))
    used = torch.einsum("cuad,de,cuae->u", parts, known.cov_x, parts)
    assert (used <= 1 + 1e-9).all()
    assert used.amax().item() == pytest.approx(1)


def test_one_use_at_a_time_is_each_use_designed_alone_for_the_modes_whose_turn_it_is():
    modes, grid = ll.semantic_modes(moments(3, 12, 12), shrinkage=0.0), channel(4, 2, 2, 3, 10.0)
    together = design(modes, grid, ll.power.OneUseAtATime())
    h = torch.linalg.svdvals(grid.h).repeat_interleave(2, -1)  # (u, 4)
    b = modes.strength[:12].reshape(3, 4)
    for use in range(3):
        p = mse_waterfilling(b[use], h[use], grid.noise_variance / 2, grid.power)
        torch.testing.assert_close(together.trace["stream_power"][4 * use : 4 * use + 4], p)


def test_limits_per_use_are_kept_better_by_the_dual_than_by_equal_loading():
    modes = ll.semantic_modes(moments(5, 10, 8), shrinkage=0.0)
    grids = channel(6, 2, 2, 3, 10.0, batch=(4,))
    best = design(modes, grids, ll.power.PerUse())
    for power in POWERS:
        loaded = design(modes, grids, power)
        assert (best.expected_mse * (1 - best.trace["gap"]) <= loaded.expected_mse * (1 + 1e-9)).all()
        assert loaded.messages() == [ll.Status.BASELINE.message]


def test_one_use_is_the_exact_design():
    modes, one = ll.semantic_modes(moments(7, 9, 5), shrinkage=0.0), channel(8, 3, 3)
    exact = design(modes, one, ll.power.Mean()).expected_mse
    for power in POWERS:
        torch.testing.assert_close(design(modes, one, power).expected_mse, exact, rtol=1e-12, atol=0.0)


def test_a_dead_use_stays_silent():
    h = ll.rayleigh(2, 2, batch=(3,), generator=seeded(9))
    h[1] = 0
    modes = ll.semantic_modes(moments(10, 20, 20), shrinkage=0.0)
    for power in POWERS:
        s = design(modes, ll.Channel.from_grid(h, 10.0), power).transceiver.encode(torch.randn(5, 20, generator=seeded(1)))
        assert s[:, 1].abs().max() == 0
        assert s[:, [0, 2]].abs().min() > 0


@pytest.mark.parametrize("power", POWERS)
def test_a_baseline_stays_one_where_the_channel_is_known_up_to_an_error(power):
    modes, grids = ll.semantic_modes(moments(3, 12, 12), shrinkage=0.0), channel(4, 2, 2, 3, 10.0, batch=(2,))
    uncertain = replace(grids, error_variance=torch.tensor([0.0, 0.1]).to(grids.power))
    for case in (None, ll.csi.BothEnds()):
        solution = ll.ClosedForm(power=power, **({} if case is None else {"csi": case})).design(modes, uncertain)
        assert solution.status.tolist() == [ll.Status.BASELINE.code] * 2
        assert "candidate" not in solution.trace  # nothing was tried

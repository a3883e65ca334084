import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import latentlink as ll
from latentlink.channels.channel import Channel
from oracles import Problem, channel, dense_pair, moments, normal, pairs, seeded


def regularised(known, shrinkage):
    return known.cov_x + shrinkage * known.cov_x.trace() / len(known.cov_x) * torch.eye(len(known.cov_x), dtype=torch.float64)


def transformed(known, T=None, Q=None):
    """Moments of T x and Q y."""
    T = torch.eye(len(known.mean_x), dtype=torch.float64) if T is None else T
    Q = torch.eye(len(known.mean_y), dtype=torch.float64) if Q is None else Q
    return ll.Moments(
        known.count, T @ known.mean_x, Q @ known.mean_y, T @ known.cov_x @ T.mT, Q @ known.cov_yx @ T.mT, Q @ known.cov_y @ Q.mT
    )


def least_error(modes, one):
    return ll.ClosedForm().design(modes, one).expected_mse


@pytest.mark.parametrize("shrinkage", [0.0, 1e-3, 0.5, "auto"])
@pytest.mark.parametrize("dims", [(7, 5), (5, 8), (1, 1)])
@pytest.mark.parametrize("weighted", [False, True])
def test_are_what_the_theory_says(shrinkage, dims, weighted):
    known = moments(1, *dims)
    goal = ll.Goal(normal(2, 3, dims[1])) if weighted else None
    modes = ll.semantic_modes(known, goal, shrinkage)
    Phi, Psi = modes.analysis, modes.synthesis
    W = torch.eye(dims[1], dtype=torch.float64) if goal is None else goal.weight
    eye = torch.eye(len(modes), dtype=torch.float64)
    torch.testing.assert_close(Phi @ regularised(known, modes.shrinkage) @ Phi.mT, eye, rtol=0.0, atol=1e-10)
    torch.testing.assert_close(Psi, known.cov_yx @ Phi.mT)
    torch.testing.assert_close((W @ Psi).mT @ W @ Psi, torch.diag(modes.strength.square()), rtol=1e-9, atol=1e-9)
    assert (modes.strength.diff() <= 0).all()
    assert (modes.strength > 0).all()
    assert len(modes) <= min(dims[0], len(W))
    torch.testing.assert_close(modes.gram, Psi.mT @ Psi)
    torch.testing.assert_close(modes.cross, Phi @ known.cov_yx.mT @ Psi)
    torch.testing.assert_close(modes.covariance, Phi @ known.cov_x @ Phi.mT)
    torch.testing.assert_close(modes.variance, known.cov_y.trace())
    torch.testing.assert_close(modes.weighted_variance, (W @ known.cov_y @ W.mT).trace())


def test_align_is_the_best_affine_map():
    x, y = pairs(3, 200, 6, 5)
    modes = ll.semantic_modes(ll.Moments.from_pairs(x, y), shrinkage=0.0)
    ones = torch.cat([x, torch.ones(len(x), 1, dtype=torch.float64)], 1)
    torch.testing.assert_close(modes.align(x), ones @ torch.linalg.lstsq(ones, y).solution, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("widely_linear", [True, False])
@pytest.mark.parametrize("shrinkage", [0.0, 0.1])
@pytest.mark.parametrize("dims", [(7, 5), (6, 5), (7, 6), (1, 3)])
def test_odd_dimensions_round_trip_in_both_variants(widely_linear, shrinkage, dims):
    known = moments(4, *dims)
    modes = ll.semantic_modes(known, shrinkage=shrinkage, widely_linear=widely_linear)
    assert modes.analysis.shape == (len(modes), dims[0])
    assert modes.synthesis.shape == (dims[1], len(modes))
    one = channel(5, 2, 2)
    solution = ll.ClosedForm().design(modes, one)
    F, G = dense_pair(solution.transceiver)
    torch.testing.assert_close(solution.expected_mse, Problem.of(known, one).error(F, G), rtol=1e-9, atol=0.0)
    torch.testing.assert_close(solution.expected_power, Problem.of(known, one).power(F), rtol=1e-9, atol=0.0)
    assert solution.expected_power <= 1 + 1e-10
    if widely_linear or dims[0] % 2 == 0:
        assert Problem.of(known, one, shrinkage=shrinkage).power(F) <= 1 + 1e-10


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 2**20), st.integers(1, 7), st.integers(2, 7), st.floats(-10, 30))
def test_rotating_y_or_transforming_x_changes_no_design(seed, d, m, snr_db):
    known, one = moments(seed, d, m), channel(seed, 2, 2, snr_db=snr_db)
    Q = torch.linalg.qr(normal(seed + 1, m, m)).Q
    T = torch.linalg.qr(normal(seed + 2, d, d)).Q * torch.linspace(0.3, 3, d, dtype=torch.float64)
    plain = ll.semantic_modes(known, shrinkage=0.0)
    other = ll.semantic_modes(transformed(known, T, Q), shrinkage=0.0)
    torch.testing.assert_close(other.strength, plain.strength, rtol=1e-6, atol=1e-9)
    torch.testing.assert_close(least_error(other, one), least_error(plain, one), rtol=1e-7, atol=0.0)
    torch.testing.assert_close(Q.mT @ other.synthesis @ other.analysis @ T, plain.synthesis @ plain.analysis, rtol=1e-6, atol=1e-7)


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 2**20), st.integers(1, 4), st.integers(1, 4), st.integers(1, 3), st.integers(1, 3), st.floats(-20, 40))
def test_complex_linear_is_never_better(seed, half_d, half_m, n_rx, n_tx, snr_db):
    known, one = moments(seed, 2 * half_d, 2 * half_m), channel(seed, n_rx, n_tx, snr_db=snr_db)
    wide, narrow = (ll.semantic_modes(known, shrinkage=0.0, widely_linear=choice) for choice in (True, False))
    assert least_error(wide, one) <= least_error(narrow, one) * (1 + 1e-10)


def test_for_proper_latents_both_variants_are_one():
    """Moments that commute with multiplication by j."""
    R = normal(6, 12, 20)
    R = R @ R.mT / 20
    J = torch.block_diag(*[torch.kron(torch.tensor([[0.0, -1.0], [1.0, 0.0]], dtype=torch.float64), torch.eye(3, dtype=torch.float64))] * 2)
    R = (R + J @ R @ J.mT) / 2
    mean = torch.zeros(6, dtype=torch.float64)
    known = ll.Moments(1000, mean, mean, R[:6, :6], R[6:, :6], R[6:, 6:])
    wide, narrow = (ll.semantic_modes(known, shrinkage=0.0, widely_linear=choice) for choice in (True, False))
    torch.testing.assert_close(narrow.strength, wide.strength, rtol=1e-9, atol=0.0)
    for snr_db in (0.0, 20.0):
        one = channel(7, 2, 3, snr_db=snr_db)
        torch.testing.assert_close(least_error(narrow, one), least_error(wide, one), rtol=1e-10, atol=0.0)


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 2**20), st.floats(0, 12), st.sampled_from([0.0, 1e-6, "auto"]), st.booleans(), st.integers(4, 40))
def test_ill_conditioned_pilots_give_finite_feasible_designs(seed, decades, shrinkage, widely_linear, n):
    x, y = pairs(seed, n, 6, 4)
    x = x @ torch.linalg.qr(normal(seed, 6, 6)).Q * 10 ** torch.linspace(0, -decades / 2, 6, dtype=torch.float64)
    known = ll.Moments.from_pairs(x, y)
    modes = ll.semantic_modes(known, shrinkage=shrinkage, widely_linear=widely_linear)
    solution = ll.ClosedForm().design(modes, channel(seed, 2, 2))
    assert solution.expected_mse.isfinite().all()
    assert solution.expected_mse <= known.cov_y.trace() * (1 + 1e-9)
    assert solution.expected_power <= 1 + 1e-6
    assert ll.transmit(solution.transceiver, x, channel(seed, 2, 2), generator=seeded(0)).isfinite().all()


@pytest.mark.filterwarnings("ignore:moments are of 1 pair")
def test_one_pilot_and_latents_that_never_change_send_nothing():
    x, y = normal(8, 1, 4), normal(9, 1, 3)
    still = torch.ones(50, 4, dtype=torch.float64), normal(9, 50, 3)
    unrelated = ll.Moments(
        9, x[0], y[0], torch.eye(4, dtype=torch.float64), torch.zeros(3, 4, dtype=torch.float64), torch.eye(3, dtype=torch.float64)
    )
    one = channel(10, 2, 2)
    for known in (ll.Moments.from_pairs(x, y), ll.Moments.from_pairs(*still), unrelated):
        for shrinkage in (0.0, "auto"):
            modes = ll.semantic_modes(known, shrinkage=shrinkage)
            assert len(modes) == 0
            for power in (ll.power.Mean(), ll.power.PerUse(), ll.power.PerMessage(x=x.repeat(5, 1), y=y.repeat(5, 1))):
                solution = ll.ClosedForm(power=power).design(modes, one.repeated(2))
                assert solution.status.item() == ll.Status.NOTHING_TO_SEND.code
                torch.testing.assert_close(solution.expected_power, torch.zeros((), dtype=torch.float64))
                received = ll.transmit(solution.transceiver, x, one.repeated(2), generator=seeded(0))
                torch.testing.assert_close(received, known.mean_y.expand(1, -1))


def test_goal_that_weighs_nothing_sends_nothing_but_fidelity_rescues_it():
    known, one = moments(11, 5, 4), channel(12, 2, 2)
    nothing = ll.semantic_modes(known, ll.Goal(torch.zeros(2, 4, dtype=torch.float64)), shrinkage=0.0)
    assert len(nothing) == 0
    rescued = ll.semantic_modes(known, ll.Goal(torch.zeros(2, 4, dtype=torch.float64), fidelity=0.1), shrinkage=0.0)
    torch.testing.assert_close(least_error(rescued, one), least_error(ll.semantic_modes(known, shrinkage=0.0), one), rtol=1e-9, atol=0.0)


def test_a_scale_of_the_weight_changes_no_design():
    known, one, W = moments(13, 5, 4), channel(14, 2, 2), normal(15, 2, 4)
    for fidelity in (0.0, 0.01):
        errors = [least_error(ll.semantic_modes(known, ll.Goal(c * W, fidelity=fidelity), shrinkage=0.0), one) for c in (1e-6, 1.0, 1e6)]
        torch.testing.assert_close(torch.stack(errors), errors[1].expand(3), rtol=1e-9, atol=0.0)


def test_truncation_keeps_the_strongest():
    modes = ll.semantic_modes(moments(16, 6, 6), shrinkage=0.0)
    short = modes.truncated(3)
    assert len(short) == 3
    torch.testing.assert_close(short.strength, modes.strength[:3])
    torch.testing.assert_close(short.gram, modes.gram[:3, :3])
    assert len(modes.truncated(99)) == len(modes)
    one = Channel(torch.eye(3, dtype=torch.complex128)[None], noise_variance=0.0)
    torch.testing.assert_close(least_error(short, one), modes.variance - short.strength.square().sum())
    torch.testing.assert_close(modes.to(torch.float32).to(torch.float64).analysis, modes.analysis, rtol=1e-6, atol=1e-6)


def test_wrong_input_is_named():
    known = moments(17, 5, 4)
    for shrinkage in (-1.0, float("nan"), float("inf"), "oas"):
        with pytest.raises(ValueError, match="shrinkage"):
            ll.semantic_modes(known, shrinkage=shrinkage)
    with pytest.raises(ValueError, match="goal"):
        ll.semantic_modes(known, ll.Goal(torch.ones(2, 5)))
    modes = ll.semantic_modes(known, widely_linear=False)
    for k in (-2, 3):
        with pytest.raises(ValueError, match="k must"):
            modes.truncated(k)


def test_whole_numbers_are_numbers():
    known = moments(18, 5, 4)
    torch.testing.assert_close(ll.semantic_modes(known, shrinkage=0).strength, ll.semantic_modes(known, shrinkage=0.0).strength)
    goal, same = ll.Goal(normal(19, 2, 4), fidelity=1), ll.Goal(normal(19, 2, 4), fidelity=1.0)
    torch.testing.assert_close(ll.semantic_modes(known, goal).strength, ll.semantic_modes(known, same).strength)


def test_moments_of_a_few_pairs_are_told():
    x = normal(0, 12, 5)
    for few in (1, 2, 3):
        with pytest.warns(UserWarning, match=rf"moments are of {few} pairs?, .* take more, such as ten"):
            ll.semantic_modes(ll.Moments.from_pairs(x[:few], x[:few]))
    ll.semantic_modes(ll.Moments.from_pairs(x[:4], x[:4]))


def test_directions_of_mixed_units_that_are_dropped_are_told():
    x, Q = normal(1, 300, 6), torch.linalg.qr(normal(2, 6, 6))[0]
    y = x @ normal(3, 6, 6)

    def match(largest, target=y, **settings):
        units = torch.tensor([largest, 1, 1, 1, 1, 1], dtype=torch.float64)
        return ll.semantic_modes(ll.Moments.from_pairs(x * units @ Q, target), **settings)

    for shrinkage in (0.0, "auto"):
        with pytest.warns(UserWarning, match=r"5 directions whose variances are below 1e-10 .* explain at least \d\d% of y: .* whiten x"):
            match(1e6, shrinkage=shrinkage)
        for largest in (1.0, 1e3, 1e4):
            match(largest, shrinkage=shrinkage)
    with pytest.warns(UserWarning, match="no more than permuted rows") as told:
        match(1e6, normal(4, 300, 6))  # what is dropped says nothing of y, and neither does the rest
    assert len(told) == 1
    rank = (normal(5, 300, 6) @ normal(6, 6, 12)).float()  # single precision leaves noise in six directions
    ll.semantic_modes(ll.Moments.from_pairs(rank, rank @ normal(7, 12, 6).float()), shrinkage=0.0)

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import latentlink as ll
from latentlink.linear.admm.constraints import ActiveAntennas, ConstantModulus, ConstraintSet, SparsePrecoder, set_of
from latentlink.power import Mean, PerAntenna, PerUse, row_power
from oracles import channel, moments, normal

USES, ANTENNAS, INPUTS = 2, 4, 5
KNOWN = moments(0, INPUTS, 4)
MODES = ll.semantic_modes(KNOWN, shrinkage=0.0)
CONVEX = {
    "mean": set_of(Mean()),
    "use": set_of(PerUse()),
    "antenna": set_of(PerAntenna()),
    "loose antenna limits": set_of(PerAntenna(limits=[0.5, 0.1, 0.0, 2.0])),
    "tight antenna limits": set_of(PerAntenna(limits=[0.2, 0.1, 0.0, 0.1])),
}
NEAREST = {**CONVEX, "active": ActiveAntennas(2)}
SCALED = {"sparse": SparsePrecoder(KNOWN, 7), "modulus": ConstantModulus(KNOWN)}
SETS = {**NEAREST, **SCALED}
seeds = st.integers(0, 2**20)
POWER = torch.tensor([1.0, 3.0], dtype=torch.float64)


def precoders(seed, size=1.0):
    shape = (2, USES, ANTENNAS, INPUTS)
    return (
        size
        * torch.complex(normal(seed, *shape), normal(seed + 1, *shape))
        * torch.rand(4, 1, generator=torch.Generator().manual_seed(seed))
    )


def covariance(constraint):
    return None if constraint.latent_moments is None else constraint.latent_moments.cov_x


def assert_member(name, F, power=POWER, tolerance=1e-10):
    rows = row_power(F, covariance(SETS[name]))
    budget = USES * power * (1 + tolerance)
    assert (rows.sum((-2, -1)) <= budget).all()
    if name == "use":
        assert (rows.sum(-1) <= power.unsqueeze(-1) * (1 + tolerance)).all()
    if "antenna" in name:
        assert (rows.sum(-2) <= USES * SETS[name].limit.limits_of(power, ANTENNAS) * (1 + tolerance)).all()
    if name == "active":
        assert ((rows.sum(-2) > 0).sum(-1) <= 2).all()
    if name == "sparse":
        assert ((F.abs() > 0).flatten(-3).sum(-1) <= 7).all()
    if name == "modulus":
        torch.testing.assert_close(F.abs(), F.abs()[..., :1, :1, :1].expand_as(F.abs()), rtol=1e-12, atol=0.0)


@pytest.mark.parametrize("name", SETS)
@settings(max_examples=12)
@given(seed=seeds, size=st.sampled_from([1e-3, 0.3, 1.0, 30.0]))
def test_what_is_projected_is_in_the_set_and_stays(name, seed, size):
    constraint = SETS[name]
    once = constraint.project(precoders(seed, size), POWER, covariance(constraint))
    assert_member(name, once)
    torch.testing.assert_close(constraint.project(once, POWER, covariance(constraint)), once, rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize("name", NEAREST)
@settings(max_examples=12)
@given(seed=seeds, size=st.sampled_from([0.1, 0.5, 3.0]))
def test_no_member_is_nearer(name, seed, size):
    F = precoders(seed, size)
    mine = NEAREST[name].project(F, POWER)
    distance = (F - mine).abs().square().sum((-3, -2, -1))
    for other in range(8):
        anywhere = NEAREST[name].project(precoders(seed + 10 + other, size * 2), POWER)
        near = NEAREST[name].project(mine + 0.05 * precoders(seed + 30 + other, size), POWER)
        for member in (anywhere, near):
            assert_member(name, member)
            assert ((F - member).abs().square().sum((-3, -2, -1)) >= distance * (1 - 1e-10)).all()


@pytest.mark.parametrize("name", CONVEX)
@settings(max_examples=12)
@given(seed=seeds)
def test_projections_onto_convex_sets_bring_points_together(name, seed):
    A, B = precoders(seed, 2.0), precoders(seed + 5)
    before = (A - B).abs().square().sum((-3, -2, -1))
    after = (CONVEX[name].project(A, POWER) - CONVEX[name].project(B, POWER)).abs().square().sum((-3, -2, -1))
    assert (after <= before * (1 + 1e-12)).all()
    # the obtuse angle of a convex projection: <A − Π(A), Π(B) − Π(A)> ≤ 0
    angle = ((A - CONVEX[name].project(A, POWER)).conj() * (CONVEX[name].project(B, POWER) - CONVEX[name].project(A, POWER))).sum(
        (-3, -2, -1)
    )
    assert (angle.real <= 1e-9 * before).all()


def test_loose_limits_still_keep_the_budget_and_spend_it():
    F = precoders(1, 10.0)
    kept = PerAntenna(limits=0.6).project(F, POWER)
    torch.testing.assert_close(row_power(kept).sum((-2, -1)), USES * POWER.clamp(max=4 * 0.6))


def test_silent_rows_and_zero_budgets_stay_silent_and_finite():
    F = precoders(2)
    F[:, :, 1] = 0
    for name, constraint in SETS.items():
        silent = constraint.project(F, torch.zeros(2, dtype=torch.float64), covariance(constraint))
        assert (silent == 0).all(), name
        nothing = constraint.project(torch.zeros_like(F), POWER, covariance(constraint))
        assert nothing.isfinite().all(), name
        assert_member(name, nothing)
    assert (PerAntenna().project(F, POWER)[:, :, 1] == 0).all()


def test_sparsity_keeps_the_largest_entries_and_exactly_as_many_among_equals():
    F = torch.ones(1, USES, ANTENNAS, INPUTS, dtype=torch.complex128) * 1e-3
    F[0, 1, 2, 3] = 2e-3
    kept = SparsePrecoder(KNOWN, 7).project(F, POWER[:1], KNOWN.cov_x)
    assert (kept != 0).sum() == 7
    assert kept[0, 1, 2, 3] == F[0, 1, 2, 3]


def test_a_batch_is_its_members():
    F = precoders(3)
    for name, constraint in SETS.items():
        together = constraint.project(F, POWER, covariance(constraint))
        torch.testing.assert_close(together[1], constraint.project(F[1], POWER[1], covariance(constraint)), msg=name)


def test_all_are_constraint_sets():
    assert all(isinstance(constraint, ConstraintSet) for constraint in SETS.values())
    assert not isinstance("total", ConstraintSet)


@pytest.mark.parametrize(
    ("make", "named"),
    [
        (lambda: ActiveAntennas(0), "q must be"),
        (lambda: ActiveAntennas(1.5), "q"),
        (lambda: ActiveAntennas(True), "q must be"),
        (lambda: SparsePrecoder(KNOWN, 0), "nonzeros must be"),
        (lambda: SparsePrecoder("moments", 3), "moments"),
        (lambda: ConstantModulus(None), "moments"),
        (lambda: ActiveAntennas(5).check(MODES, channel(1, 2, 4)), "q must be at most"),
        (lambda: set_of(PerAntenna(limits=[1.0, 2.0])).check(MODES, channel(1, 2, 4)), "limits must hold"),
        (lambda: SparsePrecoder(KNOWN, 21).check(MODES, channel(1, 2, 4)), "nonzeros must be at most"),
    ],
)
def test_bad_sets_are_refused_by_name(make, named):
    with pytest.raises((ValueError, TypeError), match=named):
        make()

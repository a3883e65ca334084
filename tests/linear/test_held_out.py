import pytest
import torch

import latentlink as ll
from oracles import channel, dense_channel, dense_pair, normal, pairs, seeded

FOLDS = 4


def explicitly(x, y, one, design, **options):
    """Design on the training rows, apply L = G H F to the rows left out, fold by fold (the folds' rows as drawn by from_pairs)."""
    order = torch.randperm(len(x), generator=torch.Generator().manual_seed(0))
    parts, H = order.tensor_split(FOLDS), dense_channel(one)
    errors, powers = [], []
    for j, rows in enumerate(parts):
        training = torch.cat([*parts[:j], *parts[j + 1 :]])
        modes = ll.semantic_modes(ll.Moments.from_pairs(x[training], y[training]), **options)
        F, G = dense_pair(design.design(modes, one).transceiver)
        dx, dy = x[rows] - x[training].mean(0), y[rows] - y[training].mean(0)
        errors.append((dy - dx @ (G @ H @ F).mT).square().sum(-1).mean() + one.noise_variance / 2 * G.square().sum())
        powers.append((dx @ F.mT).square().sum(-1).mean() / one.uses)
    return torch.stack(errors).mean(), torch.stack(powers).mean()


OPTIONS = {
    "mse": {},
    "goal": {"goal": ll.Goal(normal(1, 2, 5), fidelity=0.1)},
    "unregularised": {"shrinkage": 0.0},
    "complex-linear": {"widely_linear": False},
}


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("power", [ll.power.Mean(), ll.power.PerUse()], ids=["mean", "per use"])
def test_equals_the_explicit_computation(options, power):
    x, y = pairs(2, 41, 7, 5)
    design = ll.ClosedForm(power=power)
    two = [channel(3, 2, 2).repeated(2), channel(4, 2, 2, snr_db=0.0).repeated(2)]
    both = ll.Channel(torch.stack([one.h for one in two]), torch.stack([one.noise_variance for one in two]))
    seen = ll.held_out(ll.Moments.from_pairs(x, y, folds=FOLDS), both, design=design, **OPTIONS[options])
    for i, one in enumerate(two):
        mse, spent = explicitly(x, y, one, design, **OPTIONS[options])
        torch.testing.assert_close(seen.mse[i], mse, rtol=1e-10, atol=0.0)
        torch.testing.assert_close(seen.power[i], spent, rtol=1e-10, atol=0.0)


def test_few_pilots_overspend_unseen_and_calibration_returns_to_the_budget():
    """The toy of the theory: n = 50 pilots in d = 100 dimensions; means over draws of pilots."""
    on_pilots, unseen, calibrated, promised, measured, judged = ([] for _ in range(6))
    for seed in range(12):
        x, y = pairs(100 * seed, 2050, 100, 60, decay=0.9, noise=0.1)
        known, one = ll.Moments.from_pairs(x[:50], y[:50], folds=10), channel(seed, 4, 4, snr_db=10.0)
        modes, seen = ll.semantic_modes(known), ll.held_out(known, one)

        def measure(budget, modes=modes, x=x):
            return ll.ClosedForm().design(modes, budget).transceiver.encode(x[50:]).abs().square().sum((-2, -1)).mean()

        solution = ll.ClosedForm().design(modes, one)
        on_pilots.append(solution.expected_power)
        promised.append(solution.expected_mse)
        unseen.append(measure(one))
        calibrated.append(measure(seen.calibrated(one)))
        judged.append(seen.mse)
        measured.append((ll.transmit(solution.transceiver, x[50:], one, generator=seeded(seed)) - y[50:]).square().sum(-1).mean())
    on_pilots, unseen, calibrated, promised, measured, judged = (
        torch.stack(v).mean() for v in (on_pilots, unseen, calibrated, promised, measured, judged)
    )
    assert on_pilots <= 1 < 1.03 < unseen
    assert abs(calibrated - 1) < 0.05
    assert abs(calibrated - 1) < abs(unseen - 1) / 2
    assert promised < judged
    assert abs(judged - measured) < abs(promised - measured) / 2


def test_calibration_of_nothing_sent_changes_nothing():
    x, y = pairs(5, 30, 4, 3)
    dead = ll.Channel(torch.zeros(1, 2, 2, dtype=torch.complex128), noise_variance=0.1)
    for one in (dead, channel(6, 2, 2).with_power(0.0)):
        seen = ll.held_out(ll.Moments.from_pairs(x, y, folds=3), one)
        torch.testing.assert_close(seen.calibrated(one).power, one.power)
        torch.testing.assert_close(seen.power, torch.zeros((), dtype=torch.float64))


def test_wrong_input_is_named():
    x, y = pairs(7, 30, 4, 3)
    with pytest.raises(ValueError, match="folds"):
        ll.held_out(ll.Moments.from_pairs(x, y), channel(8, 2, 2))
    with pytest.raises(ValueError, match="per-message"):
        ll.held_out(ll.Moments.from_pairs(x, y, folds=3), channel(8, 2, 2), design=ll.ClosedForm(power=ll.power.PerMessage(x=x, y=y)))

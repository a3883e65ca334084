"""What a CSI case expects is what a measurement gives, before and at the reception of messages."""

from dataclasses import replace
from functools import cache

import pytest
import torch

import latentlink as ll
from oracles import pairs, seeded

X, Y = pairs(3, 400, 6, 5)
MOMENTS = ll.Moments.from_pairs(X, Y)
SIGMAS = 5
CASES = {
    "perfect": ll.csi.Perfect(),
    "both ends": ll.csi.BothEnds(),
    "both ends, naive": ll.csi.BothEnds(robust=False),
    "transmitter": ll.csi.Transmitter(draws=200),
    "transmitter, naive": ll.csi.Transmitter(robust=False, draws=200),
    "receiver only": ll.csi.ReceiverOnly(),
    "transmitter only": ll.csi.TransmitterOnly(draws=4),
    "unaware": ll.csi.Unaware(),
}
SHAPES = {"one use": (2, 3, 1), "block": (2, 2, 2), "grid": (3, 2, 2)}
every_case = pytest.mark.parametrize("name", CASES)
every_shape = pytest.mark.parametrize("shape", SHAPES)


def setting(shape, shrinkage=0.0):
    """Modes, one channel, and what is known of it."""
    n_rx, n_tx, uses = SHAPES[shape]
    h = ll.rayleigh(n_rx, n_tx, batch=(1 if shape == "block" else uses,), generator=seeded(7))
    truth = ll.Channel.from_grid(h, 10.0)
    truth = truth.repeated(uses) if shape == "block" else truth
    return ll.semantic_modes(MOMENTS, shrinkage=shrinkage), truth, truth.estimated(0.2, generator=8)


@cache
def designed(name, shape, shrinkage=0.0):
    modes, _, known = setting(shape, shrinkage)
    return ll.ClosedForm(csi=CASES[name]).design(modes, known)


@every_case
@every_shape
@pytest.mark.parametrize("measured", [False, True])
def test_the_error_expected_at_reception_is_what_pilots_lose_on_the_way(name, shape, measured):
    case, (modes, truth, _) = CASES[name], setting(shape, shrinkage=0.1)
    received = truth.estimated(0.05, generator=9) if measured else None
    used = case.at_reception(designed(name, shape, shrinkage=0.1), modes, truth, received)
    lost = (ll.transmit(used.transceiver, X.expand(100, -1, -1), truth, generator=seeded(100)) - Y).square().sum(-1).mean(-1)
    assert abs(lost.mean() - used.expected_mse) <= SIGMAS * lost.std() / 10
    sent = used.transceiver.encode(X).abs().square().sum((-2, -1)).mean() / truth.uses
    torch.testing.assert_close(sent, used.expected_power)
    assert sent <= truth.power * (1 + 1e-9)


@pytest.mark.parametrize("name", ["perfect", "both ends", "both ends, naive", "transmitter", "transmitter, naive", "transmitter only"])
@every_shape
def test_the_error_expected_of_an_estimate_is_the_mean_over_the_channels_that_it_leaves_open(name, shape):
    case, (modes, _, known) = CASES[name], setting(shape)
    solution = designed(name, shape)
    one_error = 1 if shape == "block" else known.uses
    errors = ll.rayleigh(known.n_rx, known.n_tx, batch=(1000, one_error), generator=seeded(11))
    drawn = ll.Channel(known.h + known.error_variance.sqrt() * errors, known.noise_variance)
    lost = case.at_reception(solution, modes, drawn).expected_mse
    own = 0.0 if "transmitter" not in name or "only" in name else 1 / (200 // known.uses)  # draws of its own
    assert abs(lost.mean() - solution.expected_mse) <= SIGMAS * lost.std() * (1 / 1000 + own) ** 0.5


@pytest.mark.parametrize("name", ["receiver only", "unaware"])
def test_an_error_that_what_is_known_does_not_tell_is_left_out(name):
    modes, truth, known = setting("one use")
    solution = ll.ClosedForm(csi=CASES[name]).design(modes, known)
    assert solution.expected_mse is None
    with pytest.raises(ValueError, match="at_reception"):
        _ = solution.known_mse
    assert CASES[name].at_reception(solution, modes, truth).expected_mse.isfinite().all()


def test_an_estimate_without_error_is_the_channel_to_everybody_who_knows_it():
    modes, truth, _ = setting("grid")
    exact = ll.ClosedForm().design(modes, truth)
    for name in ("perfect", "both ends", "both ends, naive", "transmitter", "transmitter, naive"):
        assert torch.equal(ll.ClosedForm(csi=CASES[name]).design(modes, truth).expected_mse, exact.expected_mse)


def test_naive_designs_on_estimates_do_not_say_that_they_are_optimal():
    modes, _, known = setting("grid")
    for name in ("perfect", "both ends, naive", "transmitter, naive", "transmitter only", "unaware"):
        assert ll.ClosedForm(csi=CASES[name]).design(modes, known).messages() == [ll.Status.BASELINE.message]


def test_what_is_expected_of_messages_that_are_scaled_one_by_one_is_left_out_and_their_power_is_the_budget():
    modes, _, known = setting("grid")
    for name in ("perfect", "both ends, naive", "receiver only", "unaware"):
        solution = ll.ClosedForm(power=ll.power.PerMessage(x=X, y=Y), csi=CASES[name]).design(modes, known)
        assert solution.expected_mse is None
        assert torch.equal(solution.expected_power, known.power)


def test_a_channel_of_a_batch_that_is_known_exactly_is_designed_exactly():
    modes, truth, known = setting("one use")
    h, error = torch.stack([truth.h, known.h]), torch.stack([truth.error_variance, known.error_variance])
    both = ll.Channel(h, truth.noise_variance, error_variance=error)
    for case in (ll.csi.Perfect(), ll.csi.BothEnds(robust=False)):
        assert ll.ClosedForm(csi=case).design(modes, both).status.tolist() == [ll.Status.OPTIMAL.code, ll.Status.BASELINE.code]


@pytest.mark.parametrize("snr_db", [0.0, 20.0, 60.0])
@pytest.mark.parametrize("pilot_snr_db", [-10.0, 10.0, 40.0])
def test_a_robust_transmitter_is_better_than_a_naive_one_and_than_one_that_knows_nothing(snr_db, pilot_snr_db):
    """From useless to perfect estimates, fresh and old, in the mean over channels, within three standard errors of the paired differences
    and 0.1 % for the choice among few precoders."""
    modes, truth = ll.semantic_modes(MOMENTS, shrinkage=0.0), ll.Channel.from_snr(ll.rayleigh(2, 2, batch=(40,), generator=1), snr_db)
    for rho in (1.0, 0.5):
        known = truth.estimated(10 ** (-pilot_snr_db / 10), generator=2)
        now = replace(truth, h=rho * truth.h + (1 - rho**2) ** 0.5 * ll.rayleigh(2, 2, batch=(40, 1), generator=3))
        old = replace(known, h=rho * known.h, error_variance=rho**2 * known.error_variance + 1 - rho**2)
        cases = (ll.csi.Transmitter(), ll.csi.Transmitter(robust=False), ll.csi.ReceiverOnly())
        robust, *others = (case.at_reception(ll.ClosedForm(csi=case).design(modes, old), modes, now).expected_mse for case in cases)
        for other in others:
            worse = robust - other
            assert worse.mean() <= 3 * worse.std() / 40**0.5 + 1e-3 * other.mean()

"""What a design promises is what is measured, within the sampling error of the measurement."""

import pytest
import torch

import latentlink as ll
from oracles import moments, normal, seeded

MESSAGES = 40_000
SIGMAS = 5


def gaussian(known, seed, n=MESSAGES):
    """Pairs with exactly these moments in expectation."""
    joint = torch.cat([torch.cat([known.cov_x, known.cov_yx.mT], -1), torch.cat([known.cov_yx, known.cov_y], -1)])
    values, vectors = torch.linalg.eigh(joint)
    drawn = normal(seed, n, len(joint)) @ (vectors * values.clamp(min=0).sqrt()).mT
    d = len(known.mean_x)
    return drawn[:, :d] + known.mean_x, drawn[:, d:] + known.mean_y


def assert_within_sampling_error(samples, expected):
    """Mean over the last axis; SIGMAS standard errors of it."""
    mean, error = samples.mean(-1), samples.std(-1) / samples.shape[-1] ** 0.5
    assert ((mean - expected).abs() <= SIGMAS * error + 1e-12).all()


CHANNELS = {
    "one use": lambda: ll.Channel.from_snr(ll.rayleigh(2, 3, batch=(3, 1), generator=seeded(1)), torch.tensor([[-10.0], [0.0], [10.0]])),
    "block fading": lambda: ll.Channel.from_snr(ll.rayleigh(2, 2, batch=(2,), generator=seeded(2)), 10.0).repeated(3),
    "grid": lambda: ll.Channel.from_grid(ll.rayleigh(2, 2, batch=(2, 3), generator=seeded(3)), 10.0, power=2.0),
    "noise-free": lambda: ll.Channel(ll.rayleigh(2, 2, batch=(2, 1), generator=seeded(4))),
    "rank one": lambda: ll.Channel(ll.rayleigh(3, 1, batch=(1,), generator=seeded(5)) @ ll.rayleigh(1, 3, generator=seeded(6)), 0.1),
}
MODES = {
    "mse": {"shrinkage": 0.0},
    "goal": {"goal": ll.Goal(normal(7, 2, 6), fidelity=0.01), "shrinkage": 0.0},
    "regularised": {"shrinkage": 0.3},
    "complex-linear": {"shrinkage": 0.1, "widely_linear": False},
}


@pytest.mark.parametrize("options", MODES)
@pytest.mark.parametrize("where", CHANNELS)
@pytest.mark.parametrize("limit", ["mean", "per use", "per message"])
def test_measured_error_and_power_are_those_expected(where, options, limit):
    known, channels = moments(8, 8, 6), CHANNELS[where]()
    modes = ll.semantic_modes(known, **MODES[options])
    pilots = gaussian(known, 9, 20_000 if limit == "per message" else 1)
    power = {
        "mean": ll.power.Mean(),
        "per use": ll.power.PerUse(max_iterations=200),
        "per message": ll.power.PerMessage(x=pilots[0], y=pilots[1]),
    }[limit]
    solution = ll.ClosedForm(power=power).design(modes, channels)
    x, y = gaussian(known, 10, 20_000)
    s = solution.transceiver.encode(x)
    spent = s.abs().square().sum((-2, -1)) / channels.uses
    lost = (solution.transceiver.decode(channels.apply(s, seeded(11))) - y).square().sum(-1)
    if limit == "per message":  # promised from the pilots, which are a sample too
        torch.testing.assert_close(spent, channels.power.unsqueeze(-1).expand_as(spent), rtol=1e-10, atol=0.0)
        allowed = SIGMAS * 2**0.5 * lost.std(-1) / lost.shape[-1] ** 0.5
        assert ((lost.mean(-1) - solution.expected_mse).abs() <= allowed).all()
    else:
        assert_within_sampling_error(lost, solution.expected_mse)
        assert_within_sampling_error(spent, solution.expected_power)
        assert (solution.expected_power <= channels.power * (1 + 1e-10)).all()

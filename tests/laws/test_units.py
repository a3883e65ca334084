"""The units of the latents' dimensions change nothing that an exact design achieves."""

import pytest
import torch

import latentlink as ll
from oracles import normal, seeded

X = normal(1, 300, 6)
Y = X @ normal(2, 6, 5) + 0.1 * normal(3, 300, 5)
UNITS = {
    "one large": torch.tensor([2e5, 1, 1, 1, 1, 1]).double(),
    "one huge": torch.tensor([1, 1e9, 1, 1, 1, 1]).double(),
    "falling": 10.0 ** -torch.arange(0, 18, 3).double(),
    "one tiny": torch.tensor([1, 1, 1, 1, 1, 1e-12]).double(),
}


@pytest.mark.parametrize("name", UNITS)
@pytest.mark.parametrize("shrinkage", [0.0, "auto"])
def test_an_optimum_does_not_depend_on_the_units(name, shrinkage):
    channel = ll.Channel.from_snr(ll.rayleigh(3, 3, generator=4), 20.0)

    def achieved(x):
        modes = ll.semantic_modes(ll.Moments.from_pairs(x, Y), shrinkage=shrinkage)
        solution = ll.ClosedForm().design(modes, channel)
        received = ll.transmit(solution.transceiver, x, channel, generator=seeded(5))
        return float(solution.known_mse), float((received - Y).square().sum(-1).mean())

    expected, measured = achieved(X)
    assert achieved(X * UNITS[name]) == pytest.approx((expected, measured), rel=1e-3)


def test_alike_units_are_left_as_they_are():
    plain = ll.semantic_modes(ll.Moments.from_pairs(X, Y), shrinkage=0.1)
    doubled = ll.semantic_modes(ll.Moments.from_pairs(2 * X, Y), shrinkage=0.1)
    torch.testing.assert_close(plain.strength, doubled.strength)

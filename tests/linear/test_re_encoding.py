"""A new encoder at the transmitter: by composition, without a pair, and without a change at the receiver."""

import pytest
import torch

import latentlink as ll
from oracles import normal, pairs

D, M = 9, 6
X, Y = pairs(1, 500, D, M)
OWN, _ = pairs(1, 800, D, M)
Q, C = normal(5, D, D) + 2 * torch.eye(D), normal(6, D)
CHANNEL = ll.Channel.from_snr(ll.rayleigh(2, 2, batch=(4,), generator=0), snr_db=15.0)


def made(widely_linear=True, goal=None):
    return ll.semantic_modes(ll.Moments.from_pairs(X, Y), goal, widely_linear=widely_linear)


@pytest.mark.parametrize("widely_linear", [True, False])
@pytest.mark.parametrize("goal", [None, ll.Goal(normal(9, 2, M)), ll.Goal(normal(9, 2, M), fidelity=0.01)])
def test_an_invertible_affine_map_changes_nothing_that_is_received(widely_linear, goal):
    before = made(widely_linear, goal)
    after = before.re_encoded(OWN[500:], OWN[500:] @ Q.mT + C)
    old, new = (ll.ClosedForm().design(modes, CHANNEL).transceiver for modes in (before, after))
    assert torch.equal(old.decoder, new.decoder)
    assert torch.equal(old.precoder, new.precoder)
    got, expected = ll.transmit(new, X @ Q.mT + C, CHANNEL, generator=3), ll.transmit(old, X, CHANNEL, generator=3)
    torch.testing.assert_close(got, expected, rtol=1e-8, atol=1e-8)


def test_another_dimension_and_few_images_are_regressed_with_shrinkage():
    other = torch.cat([X @ Q.mT + C, normal(7, 500, 20)], 1)
    after = made().re_encoded(X[:25], other[:25])  # fewer images than dimensions
    assert after.analysis.shape == (len(made()), 29)
    error = (after.align(other[25:]) - made().align(X[25:])).square().sum() / (made().align(X[25:]) - made().mean_y).square().sum()
    assert error < 0.5
    more = made().re_encoded(X[:250], other[:250])
    z = made().coefficients(X[250:])
    assert (more.coefficients(other[250:]) - z).square().sum() < 0.01 * z.square().sum()


def test_the_mean_of_own_images_does_not_become_the_mean_of_the_link():
    """Images of one kind only: their coefficients are off zero, and stay so."""
    one_sided = OWN[made().coefficients(OWN)[:, 0] > 0]
    after = made().re_encoded(one_sided, one_sided @ Q.mT + C)
    torch.testing.assert_close(after.coefficients(X @ Q.mT + C), made().coefficients(X), rtol=1e-7, atol=1e-7)


def test_recentred_modes_take_out_a_shift_of_all_latents():
    shifted = X + normal(8, D)
    torch.testing.assert_close(made().recentred(shifted).align(shifted), made().align(X), rtol=1e-9, atol=1e-9)
    assert torch.equal(made().recentred(shifted).analysis, made().analysis)


def test_what_cannot_be_composed_is_refused_by_name():
    for old, new in ((X[:, :8], X), (X, X[:9]), (X[:1], X[:1])):
        with pytest.raises(ValueError, match="old and new must be latents of the same images"):
            made().re_encoded(old, new)
    with pytest.raises(ValueError, match=r"^old "):
        made().re_encoded(X * torch.nan, X)
    with pytest.raises(ValueError, match=r"^new "):
        made().re_encoded(X, X[0])
    with pytest.raises(ValueError, match=r"x must have shape \(n, 9\)"):
        made().recentred(X[:, :4])

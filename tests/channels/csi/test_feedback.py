from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import latentlink as ll
from latentlink.channels.channel import Channel
from latentlink.channels.csi.feedback import (
    angle_count,
    feedback_bits,
    from_givens_angles,
    givens_angles,
    quantisation_variance,
    quantise_feedback,
)
from latentlink.linear.mse import total_mse
from oracles import moments, seeded

SHAPES = [(1, 1), (1, 2), (2, 1), (2, 4), (4, 2), (3, 3), (4, 4), (8, 8)]


@pytest.mark.parametrize(
    ("n_tx", "q", "angles"),
    [(2, 1, 2), (2, 2, 2), (3, 1, 4), (3, 2, 6), (3, 3, 6), (4, 1, 6), (4, 2, 10), (4, 3, 12), (4, 4, 12), (8, 8, 56), (1, 1, 0)],
)
def test_as_many_angles_as_the_standard_counts(n_tx, q, angles):
    assert angle_count(n_tx, q) == angles
    phi, psi = givens_angles(torch.linalg.qr(ll.rayleigh(n_tx, q, generator=seeded(0)))[0])
    assert len(phi) + len(psi) == angles


@given(st.integers(0, 2**31), st.sampled_from(SHAPES))
def test_angles_give_back_the_columns_up_to_their_phases(seed, shape):
    n_rx, n_tx = shape
    V = torch.linalg.svd(ll.rayleigh(n_rx, n_tx, batch=(3, 2), generator=seeded(seed)), full_matrices=False)[2].mH
    phi, psi = givens_angles(V)
    assert ((psi >= 0) & (psi <= torch.pi / 2)).all()
    heard = from_givens_angles(phi, psi, V.shape[-1], n_tx)
    phases = (V.conj() * heard).sum(-2, keepdim=True)
    torch.testing.assert_close(V * phases, heard, rtol=0.0, atol=1e-12)


@given(st.integers(0, 2**31), st.sampled_from(SHAPES))
def test_whatever_the_angles_the_columns_are_orthonormal(seed, shape):
    n_tx, q = shape[1], min(shape)
    count = angle_count(n_tx, q) // 2
    phi, psi = (7 * torch.rand(2, 5, count, dtype=torch.float64, generator=seeded(seed))).unbind(0)
    V = from_givens_angles(phi, psi, q, n_tx)
    torch.testing.assert_close(V.mH @ V, torch.eye(q, dtype=V.dtype).expand(5, q, q), rtol=0.0, atol=1e-12)


@pytest.mark.parametrize("shape", SHAPES)
def test_many_bits_are_as_good_as_the_channel_itself_and_fewer_are_worse_on_average(shape):
    modes = ll.semantic_modes(moments(0, 16, 16), shrinkage=0.0)
    truth = Channel.from_snr(ll.rayleigh(*shape, batch=(200,), generator=seeded(1)), 15.0)
    exact = ll.ClosedForm().design(modes, truth).expected_mse

    def mse(bits):
        heard = Channel(quantise_feedback(truth, bits).h, truth.noise_variance)
        link = ll.ClosedForm().design(modes, heard).transceiver.matched_to(truth)
        return total_mse(modes, *link.response())

    torch.testing.assert_close(mse(30), exact, rtol=1e-6, atol=0.0)
    errors = [mse(bits) for bits in (3, 5, 7, 9)]
    assert all((error >= exact * (1 - 1e-9)).all() for error in errors)
    means = [error.mean() for error in errors]
    assert all(more >= fewer * (1 - 1e-6) for more, fewer in pairwise(means))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("bits", [5, 7])
def test_the_variance_of_quantisation_is_that_of_the_matrix_to_a_factor_of_two(shape, bits):
    h = ll.rayleigh(*shape, batch=(400,), generator=seeded(2))
    heard = quantise_feedback(Channel(h.unsqueeze(-3)), bits)
    _, amplitude, Vh = torch.linalg.svd(h, full_matrices=False)
    rows = amplitude.unsqueeze(-1) * Vh
    known = heard.h[:, 0, : min(shape)]
    phases = (known * rows.conj()).sum(-1, keepdim=True)
    error = (known - phases.sgn() * rows).abs().square().sum((-2, -1)).mean() / (shape[0] * shape[1])
    said = quantisation_variance(*shape, bits)
    assert said / 2 < error < 2 * said
    torch.testing.assert_close(heard.error_variance, torch.full((400,), said, dtype=torch.float64))


def test_bits_are_counted_for_each_use_that_differs():
    h = ll.rayleigh(4, 4, batch=(3,), generator=seeded(0))
    grid = Channel(h)
    assert feedback_bits(grid, 6) == 3 * (6 * 6 + 6 * 4 + 4 * 6)
    assert feedback_bits(Channel(h[:1]).repeated(5), 6) == 6 * 6 + 6 * 4 + 4 * 6
    assert feedback_bits(Channel(h[:, :2]), 2) == 3 * ((3 + 2) * (2 + 1) + 2 * 2)


def test_is_a_drop_in_of_the_same_shape_and_nothing_comes_from_nothing():
    for shape in SHAPES:
        truth = Channel(ll.rayleigh(*shape, batch=(2, 3), generator=seeded(3)), 0.1, 2.0, error_variance=0.05)
        heard = quantise_feedback(truth, 6)
        assert heard.h.shape == truth.h.shape
        assert torch.equal(heard.noise_variance, truth.noise_variance)
        assert (heard.error_variance > 0.05).all()
    assert (quantise_feedback(Channel(torch.zeros(1, 2, 2, dtype=torch.complex128)), 8).h == 0).all()
    repeated = quantise_feedback(Channel(ll.rayleigh(2, 2, generator=seeded(0)).unsqueeze(0)).repeated(3), 6)
    assert (repeated.h == repeated.h[:1]).all()


@pytest.mark.parametrize("bits", [0, 33, 2.0, True])
def test_bits_are_a_whole_number(bits):
    one = Channel(torch.ones(1, 1, 1, dtype=torch.complex128))
    with pytest.raises((ValueError, TypeError), match="bits"):
        quantise_feedback(one, bits)


@pytest.mark.parametrize("gain", [0.0, -1.0, float("inf")])
def test_a_gain_is_positive(gain):
    with pytest.raises(ValueError, match="gain"):
        quantise_feedback(Channel(torch.ones(1, 1, 1, dtype=torch.complex128)), 4, gain)

"""Gradients through a link to its channel are those of finite differences, or are refused in a sentence; never NaN."""

import pytest
import torch

import latentlink as ll

G = torch.Generator().manual_seed(0)
X = torch.randn(80, 5, generator=G, dtype=torch.float64)
MODES = ll.semantic_modes(ll.Moments.from_pairs(X, X @ torch.randn(5, 4, generator=G, dtype=torch.float64)), shrinkage=0.0)
GENERIC = ll.rayleigh(2, 3, generator=1).to(torch.complex128)
EYE = torch.eye(2, dtype=torch.complex128)
UNITARY = torch.linalg.qr(ll.rayleigh(2, 2, generator=3).to(torch.complex128))[0]  # equal to rounding
EQUAL = {"identity": EYE, "unitary": UNITARY, "several": torch.stack([EYE, 2 * EYE])}


def expected(h):
    return ll.ClosedForm().design(MODES, ll.Channel.from_snr(h, 10.0)).known_mse.sum()


def sent(h):
    """A function of the signal itself, which depends on singular vectors."""
    channel = ll.Channel.from_snr(h, 10.0)
    link = ll.ClosedForm().design(MODES, channel).transceiver
    return channel.apply(link.encode(X[:3]), 0).abs().square().sum()


def difference(function, h, step):
    return (function(h + 1e-6 * step) - function(h - 1e-6 * step)) / 2e-6


@pytest.mark.parametrize("function", [expected, sent])
def test_they_are_those_of_finite_differences(function):
    h, step = GENERIC.clone().requires_grad_(), ll.rayleigh(2, 3, generator=2).to(torch.complex128)
    function(h).backward()
    assert float((h.grad.conj() * step).real.sum()) == pytest.approx(float(difference(function, GENERIC, step)), rel=1e-4)
    assert h.grad.isfinite().all()


@pytest.mark.parametrize("name", EQUAL)
def test_where_singular_values_are_equal_those_of_expected_errors_are_finite(name):
    h = EQUAL[name].clone().requires_grad_()
    expected(h).backward()
    assert h.grad.isfinite().all()


@pytest.mark.parametrize("name", EQUAL)
def test_where_singular_values_are_equal_those_of_signals_are_refused(name):
    h = EQUAL[name].clone().requires_grad_()
    with pytest.raises(ValueError, match="equal singular values, whose vectors have no gradient"):
        sent(h).backward()
    assert h._backward_hooks is None  # the caller's own tensor is left as it was


@pytest.mark.parametrize("function", [expected, sent])
def test_over_a_channel_of_zeros_they_are_zero(function):
    h = torch.stack([torch.zeros_like(GENERIC), GENERIC]).requires_grad_()
    function(h).backward()
    assert h.grad[0].abs().max() == 0
    assert h.grad[1].isfinite().all()
    assert h.grad[1].abs().max() > 0

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from latentlink.latents.packing import pack, unpack
from latentlink.neural.paper.layers import ComplexLinear, ComplexMlp, as_halves, complex_product, from_halves, modulus_gelu


def stacked(z):
    return torch.stack([z.real, z.imag])


def complex_of(halves):
    return torch.complex(*halves)


def drawn(*shape, seed=0):
    return torch.randn(*shape, dtype=torch.complex64, generator=torch.Generator().manual_seed(seed))


def test_a_layer_is_torch_s_complex_layer():
    layer = ComplexLinear(5, 3, torch.Generator().manual_seed(0))
    with torch.no_grad():
        layer.bias.copy_(torch.randn(2, 1, 3, generator=torch.Generator().manual_seed(1)))
    z = drawn(4, 5)
    reference = nn.functional.linear(z, torch.complex(*layer.weight), torch.complex(*layer.bias.squeeze(1)))
    torch.testing.assert_close(complex_of(layer(stacked(z))), reference)


def test_halves_are_packed_latents():
    x = torch.randn(5, 8, generator=torch.Generator().manual_seed(0))
    assert torch.equal(complex_of(as_halves(x)), pack(x).squeeze(-2))
    assert torch.equal(from_halves(as_halves(x)), unpack(pack(x), 8))


def test_products_have_the_derivatives_of_torch_s_complex_ones():
    generator = torch.Generator().manual_seed(0)
    z, weight, g = (torch.randn(2, *shape, dtype=torch.float64, generator=generator) for shape in ((5, 4), (3, 4), (5, 3)))
    ours = [value.clone().requires_grad_() for value in (z, weight)]
    theirs = [value.clone().requires_grad_() for value in (z, weight)]
    complex_product(*ours, torch.float64).backward(g)
    out = complex_of(theirs[0]) @ complex_of(theirs[1]).mT
    (out.real * g[0] + out.imag * g[1]).sum().backward()
    for mine, reference in zip(ours, theirs, strict=True):
        torch.testing.assert_close(mine.grad, reference.grad)


def test_the_activation_is_gelu_of_the_modulus():
    z = 3 * drawn(50, 6)
    reference = nn.functional.gelu(z.abs()) * torch.exp(1j * z.angle())
    torch.testing.assert_close(complex_of(modulus_gelu(stacked(z))), reference, rtol=1e-5, atol=1e-6)


@given(st.floats(-7, 7), st.integers(0, 2**20))
def test_the_activation_keeps_the_phase(angle, seed):
    z = drawn(3, 4, seed=seed)
    turn = complex(math.cos(angle), math.sin(angle))
    turned = complex_of(modulus_gelu(stacked(turn * z)))
    torch.testing.assert_close(turned, turn * complex_of(modulus_gelu(stacked(z))), rtol=1e-4, atol=1e-5)


def test_the_activation_is_smooth_at_zero():
    z = torch.zeros(2, 3, 4, requires_grad=True)
    modulus_gelu(z).sum().backward()
    torch.testing.assert_close(z.grad, torch.full_like(z, 0.5))
    torch.manual_seed(0)
    assert torch.autograd.gradcheck(modulus_gelu, (torch.randn(2, 3, 4, dtype=torch.float64, requires_grad=True),))


def test_a_network_of_no_hidden_layer_is_complex_linear_up_to_its_bias():
    mlp = ComplexMlp([4, 3], torch.Generator().manual_seed(0))
    z = drawn(5, 4)
    torch.testing.assert_close(complex_of(mlp(stacked(1j * z))), 1j * complex_of(mlp(stacked(z))), rtol=1e-4, atol=1e-6)


def test_initial_weights_keep_the_power():
    mlp = ComplexLinear(400, 300, torch.Generator().manual_seed(0))
    assert complex_of(mlp(stacked(drawn(200, 400)))).abs().square().mean().item() == pytest.approx(1.0, rel=0.05)


def test_bfloat16_products_are_close_and_come_back_as_float32():
    mlp = ComplexMlp([64, 64, 32], torch.Generator().manual_seed(0))
    z = stacked(drawn(20, 64))
    coarse = mlp(z, torch.bfloat16)
    assert coarse.dtype == torch.float32
    assert ((coarse - mlp(z)).norm() / mlp(z).norm()).item() < 0.02


def test_what_is_pruned_stays_zero_and_takes_dead_biases_along():
    layer = ComplexLinear(3, 2, torch.Generator().manual_seed(0))
    with torch.no_grad():
        layer.bias.fill_(1.0)
    layer.prune(torch.tensor([[True, False, True], [False, False, False]]))
    layer.prune(torch.ones(2, 3, dtype=torch.bool))  # nothing comes back
    with torch.no_grad():
        layer.weight += 1.0
    layer.hold()
    assert (layer.weight[:, ~layer.mask] == 0).all()
    assert layer.mask.sum() == 2
    assert layer.bias.tolist() == [[[1.0, 0.0]], [[1.0, 0.0]]]

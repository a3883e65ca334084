"""Complex layers in real arithmetic, on halves z = (Re z, Im z) of shape (…, 2, n, c), of one network or of a batch … of them.

With [Re W; Im W] (2 out × in) as it is stored, one real product of all halves by all of W holds the four parts of the complex one,

    P = [Re z; Im z] [Re W; Im W]ᵀ,      W z = (P₀₀ − P₁₁) + j (P₀₁ + P₁₀),

and the derivatives, with D = [[Re g, Im g], [Im g, −Re g]] for g that of the output, are two more, D [Re W; Im W] and Dᵀ [Re z; Im z].
Nothing of the size of W is rearranged, and these products may run in bfloat16, all else in float32. The activation is GELU on the modulus
with the phase unchanged [pandolfo2025latent]: with GELU(r) = r Φ(r), Φ the normal distribution's,

    GELU(|z|) e^{j∠z} = Φ(|z|) z,

which is smooth at 0 and needs no angle.
"""

import math
from itertools import pairwise
from typing import Any, cast

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from latentlink.numerics.division import ratio


def as_halves(x: Float[Tensor, "n c2"]) -> Float[Tensor, "2 n c"]:
    """(Re z, Im z) of packed latents: first half real part, second half imaginary, as `latents.packing.pack` has it for one use."""
    return torch.stack(x.chunk(2, -1))


def from_halves(z: Float[Tensor, "2 n c"]) -> Float[Tensor, "n c2"]:
    """Packed latents, the inverse of `as_halves`."""
    return torch.cat([z[0], z[1]], -1)


def at_budget(s: Float[Tensor, "*batch 2 n t"], budget: Float[Tensor, "*batch"] | float) -> Float[Tensor, "*batch 2 n t"]:
    """Every message scaled to the whole budget; 0 stays 0."""
    energy = s.square().sum((-3, -1))[..., None, :, None]
    whole = budget[..., None, None, None].expand(energy.shape) if isinstance(budget, Tensor) else torch.full_like(energy, budget)
    return s * ratio(whole, energy).sqrt()


def combine_parts(parts: Float[Tensor, "*batch n2 out2"], n: int) -> Float[Tensor, "*batch 2 n out"]:
    """W z, from the four parts P of the product."""
    p = parts.view(*parts.shape[:-2], 2, n, 2, parts.shape[-1] // 2)
    real, imag = p.unbind(-4)
    return torch.stack([real[..., 0, :] - imag[..., 1, :], real[..., 1, :] + imag[..., 0, :]], -3)


class _Product(torch.autograd.Function):
    """W z of halves z (…, 2, n, in) and weights (…, 2, out, in), multiplied in `dtype`, returned in that of the weights.

    Where the weights alone are a batch, all of them are multiplied by the same z, as one matrix.
    """

    @staticmethod
    def forward(ctx: Any, z: Tensor, weight: Tensor, dtype: torch.dtype) -> Tensor:
        rows, matrix = z.to(dtype).flatten(-3, -2), weight.to(dtype).flatten(-3, -2)
        ctx.save_for_backward(rows, matrix)
        ctx.dtypes = z.dtype, weight.dtype
        return combine_parts((rows @ matrix.mT).contiguous(), z.shape[-2]).to(weight.dtype)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        rows, matrix = ctx.saved_tensors
        of_z, of_weight = ctx.dtypes
        real, imag = g.to(rows.dtype).unbind(-3)
        D = torch.cat([torch.cat([real, imag], -1), torch.cat([imag, -real], -1)], -2)
        to_z = (D @ matrix).to(of_z).unflatten(-2, (2, -1)) if ctx.needs_input_grad[0] else None
        to_weight = (D.mT @ rows).to(of_weight).unflatten(-2, (2, -1)) if ctx.needs_input_grad[1] else None
        return to_z, to_weight, None


class _ModulusGelu(torch.autograd.Function):
    """Φ(|z|) z; the derivative along g is Φ g + φ(|z|) / |z| · z ⟨z, g⟩, φ the normal density."""

    @staticmethod
    def forward(ctx: Any, z: Tensor) -> Tensor:
        real, imag = z.unbind(-3)
        energy = real.square().addcmul_(imag, imag).unsqueeze(-3)
        gain = energy.sqrt().mul_(0.5**0.5).erf_().mul_(0.5).add_(0.5)
        ctx.save_for_backward(z, energy, gain)
        return z * gain

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, g: Tensor) -> Tensor:
        z, energy, gain = ctx.saved_tensors
        slope = (energy * -0.5).exp_().mul_((2 * math.pi) ** -0.5).div_(energy.clamp(min=_TINY).sqrt_())
        (real, imag), (of_real, of_imag) = z.unbind(-3), g.unbind(-3)
        slope = slope.mul_((real * of_real).addcmul_(imag, of_imag).unsqueeze(-3))
        return (g * gain).addcmul_(z, slope)


_TINY = 1e-36  # ⟨z, g⟩ / |z| is 0 at z = 0


def complex_product(
    z: Float[Tensor, "*#batch 2 n in"], weight: Float[Tensor, "*#batch 2 out in"], dtype: torch.dtype
) -> Float[Tensor, "*#batch 2 n out"]:
    """W z, multiplied in `dtype`."""
    return cast(Tensor, _Product.apply(z, weight, dtype))  # type: ignore[no-untyped-call]


def modulus_gelu(z: Float[Tensor, "*batch 2 n c"]) -> Float[Tensor, "*batch 2 n c"]:
    """GELU on the modulus with the phase unchanged, Φ(|z|) z."""
    return cast(Tensor, _ModulusGelu.apply(z))  # type: ignore[no-untyped-call]


class ComplexLinear(nn.Module):
    """W z + b of halves z (…, 2, n, in) → (…, 2, n, out), of one layer or of a batch … of them.

    Attributes:
        weight: (…, 2, out, in), real and imaginary part.
        bias: (…, 2, 1, out), real and imaginary part.
        mask: (…, out, in), False where a weight is pruned for good.
    """

    weight: nn.Parameter
    bias: nn.Parameter
    mask: Tensor

    def __init__(self, inputs: int, outputs: int, generator: torch.Generator | None = None) -> None:
        super().__init__()
        bound = math.sqrt(3 / (2 * inputs))  # E|w|² = 1 / in: the power of what passes is unchanged
        drawn = 2 * torch.rand(2, outputs, inputs, generator=generator, dtype=torch.float32, device="cpu") - 1
        self.weight = nn.Parameter(bound * drawn)
        self.bias = nn.Parameter(torch.zeros(2, 1, outputs, dtype=torch.float32, device="cpu"))
        self.register_buffer("mask", torch.ones(outputs, inputs, dtype=torch.bool, device="cpu"))

    def forward(self, z: Float[Tensor, "*#batch 2 n in"], dtype: torch.dtype = torch.float32) -> Float[Tensor, "*#batch 2 n out"]:
        """W z + b, the product computed in `dtype`."""
        return complex_product(z, self.weight, dtype) + self.bias

    @torch.no_grad()
    def modulus(self) -> Float[Tensor, "*batch out in"]:
        """|w|."""
        return self.weight.square().sum(-3).sqrt()

    @torch.no_grad()
    def prune(self, left: Bool[Tensor, "*batch out in"]) -> None:
        """Set the weights outside `left` to zero for good, and the bias of outputs that no weight reaches any more."""
        self.mask &= left
        self.hold()

    @torch.no_grad()
    def hold(self) -> None:
        """Set pruned weights to zero again: an optimiser's momentum moves them even without a gradient."""
        self.weight.mul_(self.mask.unsqueeze(-3))
        self.bias.mul_(self.mask.any(-1)[..., None, None, :])


class ComplexMlp(nn.Module):
    """Complex layers with the activation between them: halves (…, 2, n, widths[0]) → (…, 2, n, widths[-1])."""

    def __init__(self, widths: list[int], generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.layers = nn.ModuleList(ComplexLinear(inputs, outputs, generator) for inputs, outputs in pairwise(widths))

    def forward(self, z: Float[Tensor, "*#batch 2 n in"], dtype: torch.dtype = torch.float32) -> Float[Tensor, "*#batch 2 n out"]:
        for layer in self.layers[:-1]:
            z = modulus_gelu(layer(z, dtype))
        return self.layers[-1](z, dtype)

    def linears(self) -> list[ComplexLinear]:
        return [layer for layer in self.layers if isinstance(layer, ComplexLinear)]

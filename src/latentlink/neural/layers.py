"""Complex layers in real arithmetic, on stacked halves [Re z, Im z].

A packed latent's stacked halves are the latent itself (`latents/packing.py`), and a complex matrix acts on them by its real embedding,

    W z   ⇔   [[Re W, −Im W], [Im W, Re W]] [Re z; Im z],

one real product instead of a complex one, at full speed on every device and in bfloat16 where that is native. The activation takes a
function of the modulus and keeps the phase [pandolfo2025latent]: with GELU(r) = r Φ(r), Φ the normal distribution's,

    GELU(|z|) e^{j∠z} = Φ(|z|) z,

which is smooth at 0 and needs no angle.
"""

import math
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn


class ComplexLinear(nn.Module):
    """W z + b of complex z (…, in), as stacked halves (…, 2 in) → (…, 2 out).

    Attributes:
        weight: (2, out, in), real and imaginary part. bias: (2, out). mask: (out, in), False where a weight is pruned for good.
    """

    mask: Tensor

    def __init__(self, inputs: int, outputs: int, generator: torch.Generator | None = None) -> None:
        super().__init__()
        bound = math.sqrt(3 / (2 * inputs))  # E|w|² = 1 / in: keeps the power of what passes
        drawn = 2 * torch.rand(2, outputs, inputs, generator=generator) - 1
        self.weight = nn.Parameter(bound * drawn)
        self.bias = nn.Parameter(torch.zeros(2, outputs))
        self.register_buffer("mask", torch.ones(outputs, inputs, dtype=torch.bool))

    def forward(self, z: Float[Tensor, "*n in2"], dtype: torch.dtype = torch.float32) -> Float[Tensor, "*n out2"]:
        """W z + b, the product computed in `dtype`, the result in float32."""
        product = nn.functional.linear(z.to(dtype), embedded(self.weight.to(dtype)))
        return product.float() + self.bias.flatten()

    @torch.no_grad()
    def prune(self, kept: Tensor) -> None:
        """Set the weights outside `kept` (out, in) to zero for good, and the bias of outputs that no weight reaches any more."""
        self.mask &= kept
        self.hold()

    @torch.no_grad()
    def hold(self) -> None:
        """Keep pruned weights at zero: an optimiser's momentum moves them even without a gradient."""
        self.weight.mul_(self.mask)
        self.bias.mul_(self.mask.any(-1))


def embedded(weight: Float[Tensor, "2 out in"]) -> Float[Tensor, "out2 in2"]:
    """[[Re W, −Im W], [Im W, Re W]]."""
    real, imag = weight
    return torch.cat([torch.cat([real, -imag], -1), torch.cat([imag, real], -1)])


def modulus_gelu(z: Float[Tensor, "*n c2"]) -> Float[Tensor, "*n c2"]:
    """GELU on the modulus with the phase kept, Φ(|z|) z, on stacked halves."""
    real, imag = z.chunk(2, -1)
    gain = 0.5 + 0.5 * torch.erf((0.5 * (real.square() + imag.square()) + _TINY).sqrt())
    return torch.cat([gain * real, gain * imag], -1)


_TINY = 1e-24  # keeps the derivative of the modulus finite at 0


class ComplexMlp(nn.Module):
    """Complex layers with the activation between them: stacked halves (…, 2 widths[0]) → (…, 2 widths[-1])."""

    def __init__(self, widths: list[int], generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.layers = nn.ModuleList(ComplexLinear(inputs, outputs, generator) for inputs, outputs in pairwise(widths))

    def forward(self, z: Float[Tensor, "*n in2"], dtype: torch.dtype = torch.float32) -> Float[Tensor, "*n out2"]:
        """The network, its products computed in `dtype`."""
        for layer in self.layers[:-1]:
            z = modulus_gelu(layer(z, dtype))
        out: Tensor = self.layers[-1](z, dtype)
        return out

    def linears(self) -> list[ComplexLinear]:
        """The layers, in order."""
        return [layer for layer in self.layers if isinstance(layer, ComplexLinear)]

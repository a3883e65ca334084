"""The closed form where every direction of the transmitter has its own price.

For strengths b and a whitened channel H, min over F of Σ_i b_i² (I + FᵀHᵀHF)^{-1}_ii + tr FᵀΩF is the closed form in the metric Ω: with
H Ω^{-1/2} = U diag(h) Vᵀ,

    F = Ω^{-1/2} V diag(√p),      p = (b / h − 1 / h²)⁺,      least value  Σ_{p>0} (2 b / h − 1 / h²) + Σ_{p=0} b².
"""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from latentlink.numerics.division import root


class Priced(NamedTuple):
    """A priced closed form.

    Attributes:
        F: beams (…, a, s), one for each of the s strongest modes, with their powers.
        snr: p h² (…, s) of each.
        value: the least value (…), over all strengths.
    """

    F: Float[Tensor, "*batch a s"]
    snr: Float[Tensor, "*batch s"]
    value: Float[Tensor, "*batch"]


def priced_form(b: Float[Tensor, "*#batch k"], H: Float[Tensor, "*batch r a"], Omega: Float[Tensor, "*batch a a"]) -> Priced:
    """The priced closed form of strengths b (…, k), falling, for positive definite prices Ω (…, a, a)."""
    values, vectors = torch.linalg.eigh(Omega)
    inverse = (vectors * values.clamp(min=torch.finfo(values.dtype).tiny).rsqrt().unsqueeze(-2)) @ vectors.mT
    _, h, Vh = torch.linalg.svd(H @ inverse, full_matrices=False)
    s = min(b.shape[-1], h.shape[-1])
    h = h[..., :s]
    safe = torch.where(h > 0, h, 1.0)
    p = torch.where(h > 0, (b[..., :s] / safe - safe**-2).clamp(min=0), 0.0)
    F = inverse @ (Vh[..., :s, :].mT * root(p).unsqueeze(-2))
    left = torch.where(p > 0, 2 * b[..., :s] / safe - safe**-2, b[..., :s].square())
    return Priced(F, p * h.square(), left.sum(-1) + b[..., s:].square().sum(-1))

"""Errors and outputs of a head on ŷ = μy + Ψ ẑ, computed from its coefficients ẑ.

Nothing of the latent's dimension is touched in training:

||y − ŷ||² = ||y − μy||² − 2 ẑᵀ Ψᵀ(y − μy) + ẑᵀ ΨᵀΨ ẑ,        head(ŷ) = (W Ψ) ẑ + head(μy)      (affine heads).
"""

import copy
from collections.abc import Callable

import torch
from torch import Tensor, nn

from latentlink.tasks.heads import apply_head, is_affine

Outputs = Callable[[Tensor], Tensor]


class Fidelity:
    """The error ||y − ŷ||² / tr Ry, computed from coefficients."""

    def __init__(self, y: Tensor, synthesis: Tensor, mean_y: Tensor) -> None:
        self.synthesis, self.mean_y, self.gram = synthesis, mean_y, synthesis.mT @ synthesis
        self._take(y)
        self.variance = self.energy.mean().clamp(min=torch.finfo(synthesis.dtype).tiny)

    def _take(self, y: Tensor) -> None:
        centred = y.to(self.synthesis) - self.mean_y
        self.projected, self.energy = centred @ self.synthesis, centred.square().sum(-1)

    def of(self, y: Tensor) -> "Fidelity":
        """The same error, in units of the same variance, for other latents."""
        other = copy.copy(self)
        other._take(y)
        return other

    def squared(self, z: Tensor, rows: Tensor) -> Tensor:
        """The squared error ||y − ŷ||² (…, n) of coefficients ẑ (…, n, k) where the latents y[rows] are wanted."""
        squared: Tensor = self.energy[rows] - 2 * (z * self.projected[rows]).sum(-1) + ((z @ self.gram) * z).sum(-1)
        return squared

    def error(self, z: Tensor, rows: Tensor) -> Tensor:
        """The same over tr Ry."""
        return self.squared(z, rows) / self.variance


def head_reader(head: nn.Module, synthesis: Tensor, mean_y: Tensor) -> Outputs:
    """The outputs head(μy + Ψ ẑ) as a function of coefficients, the head frozen, gradients passing through it."""
    offset = apply_head(head, mean_y.unsqueeze(0)).detach().to(synthesis).squeeze(0)
    if is_affine(head):
        weight = head.weight.detach().to(synthesis) @ synthesis
        return lambda z: offset + z @ weight.mT
    frozen = copy.deepcopy(head).requires_grad_(False).eval()
    reference = next(iter(frozen.parameters()), synthesis)

    def read(z: Tensor) -> Tensor:
        outputs: Tensor = frozen((mean_y + z @ synthesis.mT).to(reference).flatten(0, -2))
        return outputs.to(z).reshape(*z.shape[:-1], -1)

    return read

"""The judges of `objectives`: losses and scores of coefficients, made once for given latents.

||y − ŷ||² = ||y − μy||² − 2 ẑᵀ Ψᵀ(y − μy) + ẑᵀ ΨᵀΨ ẑ,        head(ŷ) = (W Ψ) ẑ + head(μy)      (affine heads).
"""

import copy
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from latentlink.tasks.heads import apply_head, is_affine

Outputs = Callable[[Tensor], Tensor]
W = TypeVar("W", bound="Judge")


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
        return self.energy[rows] - 2 * (z * self.projected[rows]).sum(-1) + ((z @ self.gram) * z).sum(-1)

    def error(self, z: Tensor, rows: Tensor) -> Tensor:
        """The squared error over tr Ry."""
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


class Judge(ABC):
    """An objective for given latents: a loss of its own, and a weighted ||y − ŷ||² / tr Ry."""

    def __init__(self, objective: Any, y: Tensor, fidelity: Fidelity, read: Outputs | None = None) -> None:
        self.objective, self.share, self.fidelity, self.read = objective, objective.fidelity, fidelity, read
        self.take(y)

    def of(self: W, y: Tensor) -> W:
        other = copy.copy(self)
        other.fidelity = self.fidelity.of(y)
        other.take(y)
        return other

    @abstractmethod
    def take(self, y: Tensor) -> None:
        """Compute from the latents what losses and scores compare with."""

    def loss(self, z: Tensor, rows: Tensor) -> Tensor:
        task = self.task(z, rows)
        return task + self.share * self.fidelity.error(z, rows) if self.share else task

    @abstractmethod
    def task(self, z: Tensor, rows: Tensor) -> Tensor:
        """The loss of its own."""

    @abstractmethod
    def score(self, z: Tensor, rows: Tensor) -> Tensor:
        """The score that is counted; see `Wanted`."""


class Divergence(Judge):
    read: Outputs

    def take(self, y: Tensor) -> None:
        self.T = self.objective.temperature
        logits = apply_head(self.objective.head, y).detach().to(self.fidelity.synthesis)
        if logits.shape[-1] < 2:
            raise ValueError("head must be a classifier with at least two outputs, got one output: use Regression(head)")
        self.teacher, self.decided = torch.log_softmax(logits / self.T, -1), logits.argmax(-1)

    def task(self, z: Tensor, rows: Tensor) -> Tensor:
        student, teacher = torch.log_softmax(self.read(z) / self.T, -1), self.teacher[rows]
        return self.T**2 * (teacher.exp() * (teacher - student)).sum(-1)

    def score(self, z: Tensor, rows: Tensor) -> Tensor:
        return (self.read(z).argmax(-1) == self.decided[rows]).to(z)


class Errors(Judge):
    """The loss is an error, of a head's outputs or of the latent itself, and the score minus that."""

    def __init__(self, objective: Any, y: Tensor, fidelity: Fidelity, read: Outputs | None) -> None:
        super().__init__(objective, y, fidelity, read)
        if read is None:
            self.share = 0.0
            return
        spread = (self.outputs - self.outputs.mean(0)).square().sum(-1).mean()
        self.variance = spread.clamp(min=torch.finfo(spread.dtype).tiny)

    def take(self, y: Tensor) -> None:
        if self.read is not None:
            self.outputs = apply_head(self.objective.head, y).detach().to(self.fidelity.synthesis)

    def task(self, z: Tensor, rows: Tensor) -> Tensor:
        if self.read is None:
            return self.fidelity.error(z, rows)
        return (self.read(z) - self.outputs[rows]).square().sum(-1) / self.variance

    def score(self, z: Tensor, rows: Tensor) -> Tensor:
        return -self.loss(z, rows)


class Angles(Judge):
    def take(self, y: Tensor) -> None:
        psi, mean = self.fidelity.synthesis, self.fidelity.mean_y
        directions = nn.functional.normalize(y.to(psi), dim=-1)
        self.across, self.level = directions @ psi, directions @ mean  # ⟨y, ŷ⟩ / ||y|| = level + across · ẑ
        self.mean, self.mean_energy = mean @ psi, mean.square().sum()

    def norm(self, z: Tensor) -> Tensor:
        """||ŷ||."""
        energy: Tensor = self.mean_energy + 2 * (z @ self.mean) + ((z @ self.fidelity.gram) * z).sum(-1)
        return energy.clamp(min=torch.finfo(z.dtype).tiny).sqrt()

    def score(self, z: Tensor, rows: Tensor) -> Tensor:
        return (self.level[rows] + (z * self.across[rows]).sum(-1)) / self.norm(z)

    def task(self, z: Tensor, rows: Tensor) -> Tensor:
        return 1 - self.score(z, rows)


class Ranks(Angles):
    def _cosines(self, z: Tensor, rows: Tensor) -> Tensor:
        """cos(y_j, ŷ_i) (…, i, j)."""
        return (self.level[rows] + z @ self.across[rows].mT) / self.norm(z).unsqueeze(-1)

    def task(self, z: Tensor, rows: Tensor) -> Tensor:
        return -torch.log_softmax(self._cosines(z, rows) / self.objective.temperature, -1).diagonal(dim1=-2, dim2=-1)

    def score(self, z: Tensor, rows: Tensor) -> Tensor:
        cosines = self._cosines(z, rows)
        return (cosines.diagonal(dim1=-2, dim2=-1) >= cosines.amax(-1)).to(z)

"""Objectives of a trained receiver: losses to train by, scores to choose by, for one and the same frozen receiver.

A decoder ends in ŷ = μy + Ψ ẑ, so an objective of ŷ is one of its coefficients ẑ (`tasks/coefficients.py`). Every objective may add a
share `fidelity` of ||y − ŷ||² / tr Ry.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from latentlink.numerics.doors import check_instance, real
from latentlink.tasks.coefficients import Fidelity, Outputs, head_reader
from latentlink.tasks.heads import apply_head

W = TypeVar("W", bound="_Wanted")


@runtime_checkable
class Wanted(Protocol):
    """An objective for given latents, judged in coefficients."""

    def loss(self, z: Float[Tensor, "*batch n k"], rows: Int[Tensor, "n"]) -> Float[Tensor, "*batch n"]:
        """Loss (…, n) of coefficients ẑ (…, n, k) where the latents y[rows] are wanted."""

    def score(self, z: Float[Tensor, "*batch n k"], rows: Int[Tensor, "n"]) -> Float[Tensor, "*batch n"]:
        """The score (…, n) that is counted in the end; higher is better."""

    def of(self, y: Float[Tensor, "n m"]) -> "Wanted":
        """The same objective, in the same units, for other latents."""


@runtime_checkable
class Objective(Protocol):
    """The protocol of an objective: what the receiver should get right."""

    def wanted(self, y: Float[Tensor, "n m"], synthesis: Float[Tensor, "m k"], mean_y: Float[Tensor, "m"]) -> Wanted:
        """The objective for these latents and this Ψ, μy, on their device and in the precision of Ψ."""


@dataclass(frozen=True, eq=False)
class HeadDivergence:
    """The classifier should say of ŷ what it says of y: T² KL( softmax(head(y) / T) || softmax(head(ŷ) / T) ); no labels are needed.

    The score is agreement: 1 where the head decides as on y.

    Attributes:
        head: (n, m) → logits (n, c), any torch module; it is not changed.
        temperature: T > 0.
        fidelity: share of ||y − ŷ||² / tr Ry.

    Raises:
        ValueError: naming the attribute that is out of range.

    References:
        [hinton2015distilling] for the tempered divergence.
    """

    head: nn.Module
    temperature: float = 1.0
    fidelity: float = 0.05

    def __post_init__(self) -> None:
        check_instance("head", self.head, nn.Module, "fit_head(y, labels)")
        real("fidelity", self.fidelity, least=0)
        real("temperature", self.temperature, above=0)

    def wanted(self, y: Float[Tensor, "n m"], synthesis: Float[Tensor, "m k"], mean_y: Float[Tensor, "m"]) -> Wanted:
        """See `Objective`."""
        if apply_head(self.head, y[:1]).shape[-1] < 2:
            raise ValueError("head must be a classifier with at least two outputs, got one output: use Regression(head)")
        return _Divergence(self, y, Fidelity(y, synthesis, mean_y), head_reader(self.head, synthesis, mean_y))


class _Wanted(ABC):
    """An objective for given latents: a loss of its own, and a share of ||y − ŷ||² / tr Ry."""

    def __init__(self, objective: Any, y: Tensor, fidelity: Fidelity, read: Outputs | None = None) -> None:
        self.objective, self.share, self.fidelity, self.read = objective, objective.fidelity, fidelity, read

    def of(self: W, y: Tensor) -> W:
        return type(self)(self.objective, y, self.fidelity.of(y), self.read)

    def loss(self, z: Tensor, rows: Tensor) -> Tensor:
        task = self.task(z, rows)
        return task + self.share * self.fidelity.error(z, rows) if self.share else task

    @abstractmethod
    def task(self, z: Tensor, rows: Tensor) -> Tensor:
        """The loss of its own."""

    @abstractmethod
    def score(self, z: Tensor, rows: Tensor) -> Tensor:
        """See `Wanted`."""


class _Divergence(_Wanted):
    read: Outputs

    def __init__(self, objective: HeadDivergence, y: Tensor, fidelity: Fidelity, read: Outputs) -> None:
        super().__init__(objective, y, fidelity, read)
        self.T = objective.temperature
        logits = apply_head(objective.head, y).detach().to(fidelity.synthesis)
        self.teacher, self.decided = torch.log_softmax(logits / self.T, -1), logits.argmax(-1)

    def task(self, z: Tensor, rows: Tensor) -> Tensor:
        student, teacher = torch.log_softmax(self.read(z) / self.T, -1), self.teacher[rows]
        divergence: Tensor = self.T**2 * (teacher.exp() * (teacher - student)).sum(-1)
        return divergence

    def score(self, z: Tensor, rows: Tensor) -> Tensor:
        return (self.read(z).argmax(-1) == self.decided[rows]).to(z)


@dataclass(frozen=True, eq=False)
class Regression:
    """Outputs of a head on ŷ should be those on y: squared error over their variance. Without a head it is the latent itself, plain MSE.

    The score is minus that error.

    Attributes:
        head: (n, m) → (n, q), any torch module, or None.
        fidelity: share of ||y − ŷ||² / tr Ry beside a head.

    Raises:
        ValueError: head is no module, or fidelity is out of range.
    """

    head: nn.Module | None = None
    fidelity: float = 0.0

    def __post_init__(self) -> None:
        if self.head is not None:
            check_instance("head", self.head, nn.Module, "fit_head(y, labels)")
        real("fidelity", self.fidelity, least=0)

    def wanted(self, y: Float[Tensor, "n m"], synthesis: Float[Tensor, "m k"], mean_y: Float[Tensor, "m"]) -> Wanted:
        """See `Objective`."""
        read = None if self.head is None else head_reader(self.head, synthesis, mean_y)
        return _Errors(self, y, Fidelity(y, synthesis, mean_y), read)


class _Errors(_Wanted):
    """The loss is an error, of a head's outputs or of the latent itself, and the score minus that."""

    def __init__(self, objective: Regression, y: Tensor, fidelity: Fidelity, read: Outputs | None) -> None:
        super().__init__(objective, y, fidelity, read)
        if objective.head is None:
            self.share = 0.0
            return
        self.outputs = apply_head(objective.head, y).detach().to(fidelity.synthesis)
        spread = (self.outputs - self.outputs.mean(0)).square().sum(-1).mean()
        self.variance = spread.clamp(min=torch.finfo(spread.dtype).tiny)

    def of(self, y: Tensor) -> "_Errors":
        other = super().of(y)
        if self.read is not None:
            other.variance = self.variance
        return other

    def task(self, z: Tensor, rows: Tensor) -> Tensor:
        if self.read is None:
            return self.fidelity.error(z, rows)
        return (self.read(z) - self.outputs[rows]).square().sum(-1) / self.variance

    def score(self, z: Tensor, rows: Tensor) -> Tensor:
        return -self.loss(z, rows)


@dataclass(frozen=True, eq=False)
class Cosine:
    """ŷ should point where y points: 1 − cos(y, ŷ), as search by cosine similarity sees it; no head, no labels.

    The score is the cosine.

    Attributes:
        fidelity: share of ||y − ŷ||² / tr Ry.

    Raises:
        ValueError: fidelity is out of range.
    """

    fidelity: float = 0.01

    def __post_init__(self) -> None:
        real("fidelity", self.fidelity, least=0)

    def wanted(self, y: Float[Tensor, "n m"], synthesis: Float[Tensor, "m k"], mean_y: Float[Tensor, "m"]) -> Wanted:
        """See `Objective`."""
        return _Angles(self, y, Fidelity(y, synthesis, mean_y))


class _Angles(_Wanted):
    def __init__(self, objective: "Cosine | Retrieval", y: Tensor, fidelity: Fidelity, read: None = None) -> None:
        super().__init__(objective, y, fidelity)
        directions = nn.functional.normalize(y.to(fidelity.synthesis), dim=-1)
        self.across, self.level = directions @ fidelity.synthesis, directions @ fidelity.mean_y  # ⟨y, ŷ⟩ / ||y|| = level + across · ẑ
        self.mean, self.mean_energy = fidelity.mean_y @ fidelity.synthesis, fidelity.mean_y.square().sum()

    def norm(self, z: Tensor) -> Tensor:
        """||ŷ||."""
        energy: Tensor = self.mean_energy + 2 * (z @ self.mean) + ((z @ self.fidelity.gram) * z).sum(-1)
        return energy.clamp(min=torch.finfo(z.dtype).tiny).sqrt()

    def score(self, z: Tensor, rows: Tensor) -> Tensor:
        return (self.level[rows] + (z * self.across[rows]).sum(-1)) / self.norm(z)

    def task(self, z: Tensor, rows: Tensor) -> Tensor:
        return 1 - self.score(z, rows)


@dataclass(frozen=True, eq=False)
class Retrieval:
    """The cosine of ŷ with y should be the greatest among all latents of a batch: a softmax over them, as in contrastive training.

    The loss is −log softmax(cos(y_j, ŷ_i) / T) at j = i over the messages of a batch, the score 1 where none of them is nearer than y_i.

    Attributes:
        temperature: T > 0.
        fidelity: share of ||y − ŷ||² / tr Ry.

    Raises:
        ValueError: naming the attribute that is out of range.

    References:
        [oord2018representation] for the loss.
    """

    temperature: float = 0.1
    fidelity: float = 0.01

    def __post_init__(self) -> None:
        real("fidelity", self.fidelity, least=0)
        real("temperature", self.temperature, above=0)

    def wanted(self, y: Float[Tensor, "n m"], synthesis: Float[Tensor, "m k"], mean_y: Float[Tensor, "m"]) -> Wanted:
        """See `Objective`."""
        return _Ranks(self, y, Fidelity(y, synthesis, mean_y))


class _Ranks(_Angles):
    def _cosines(self, z: Tensor, rows: Tensor) -> Tensor:
        """cos(y_j, ŷ_i) (…, i, j)."""
        found: Tensor = (self.level[rows] + z @ self.across[rows].mT) / self.norm(z).unsqueeze(-1)
        return found

    def task(self, z: Tensor, rows: Tensor) -> Tensor:
        return -torch.log_softmax(self._cosines(z, rows) / self.objective.temperature, -1).diagonal(dim1=-2, dim2=-1)

    def score(self, z: Tensor, rows: Tensor) -> Tensor:
        cosines = self._cosines(z, rows)
        return (cosines.diagonal(dim1=-2, dim2=-1) >= cosines.amax(-1)).to(z)

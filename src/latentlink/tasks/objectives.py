"""Objectives of a trained receiver: losses to train by, scores to choose by, for one and the same frozen receiver.

A decoder ends in ŷ = μy + Ψ ẑ, so an objective of ŷ is one of its coefficients ẑ (`tasks/coefficients.py`). Every objective may add a
share `fidelity` of ||y − ŷ||² / tr Ry.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from latentlink.numerics.doors import real
from latentlink.tasks.coefficients import Fidelity, Outputs, reader
from latentlink.tasks.heads import apply_head


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


def _check_head(head: Any) -> None:
    if not isinstance(head, nn.Module):
        raise ValueError(f"head must be a torch.nn.Module such as fit_head(y, labels), got {type(head).__name__}")


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
        _check_head(self.head)
        real("fidelity", self.fidelity, least=0)
        real("temperature", self.temperature, above=0)

    def wanted(self, y: Float[Tensor, "n m"], synthesis: Float[Tensor, "m k"], mean_y: Float[Tensor, "m"]) -> Wanted:
        """See `Objective`."""
        if apply_head(self.head, y[:1]).shape[-1] < 2:
            raise ValueError("head must be a classifier with at least two outputs, got one output: use Regression(head)")
        return _Divergence(self, y, reader(self.head, synthesis, mean_y), Fidelity(y, synthesis, mean_y))


class _Divergence:
    def __init__(self, objective: HeadDivergence, y: Tensor, read: Outputs, fidelity: Fidelity) -> None:
        self.objective, self.T, self.share = objective, objective.temperature, objective.fidelity
        logits = apply_head(objective.head, y).detach().to(fidelity.synthesis)
        self.teacher, self.decided = torch.log_softmax(logits / self.T, -1), logits.argmax(-1)
        self.read, self.fidelity = read, fidelity

    def of(self, y: Tensor) -> "_Divergence":
        return _Divergence(self.objective, y, self.read, self.fidelity.of(y))

    def loss(self, z: Tensor, rows: Tensor) -> Tensor:
        student, teacher = torch.log_softmax(self.read(z) / self.T, -1), self.teacher[rows]
        divergence = self.T**2 * (teacher.exp() * (teacher - student)).sum(-1)
        return divergence + self.share * self.fidelity.error(z, rows) if self.share else divergence

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
            _check_head(self.head)
        real("fidelity", self.fidelity, least=0)

    def wanted(self, y: Float[Tensor, "n m"], synthesis: Float[Tensor, "m k"], mean_y: Float[Tensor, "m"]) -> Wanted:
        """See `Objective`."""
        fidelity = Fidelity(y, synthesis, mean_y)
        if self.head is None:
            return _Errors(fidelity, None)
        outputs = apply_head(self.head, y).detach().to(synthesis)
        variance = (outputs - outputs.mean(0)).square().sum(-1).mean().clamp(min=torch.finfo(outputs.dtype).tiny)
        return _Errors(fidelity, _HeadErrors(self, outputs, variance, reader(self.head, synthesis, mean_y)))


class _HeadErrors(NamedTuple):
    """The outputs that a head should have, their variance, and how they are read off coefficients."""

    objective: Regression
    outputs: Tensor
    variance: Tensor
    read: Outputs

    def error(self, z: Tensor, rows: Tensor) -> Tensor:
        task: Tensor = (self.read(z) - self.outputs[rows]).square().sum(-1) / self.variance
        return task

    def of(self, y: Tensor) -> "_HeadErrors":
        assert self.objective.head is not None
        return self._replace(outputs=apply_head(self.objective.head, y).detach().to(self.outputs))


class _Errors:
    """The loss is an error, of a head's outputs or of the latent itself, and the score minus that."""

    def __init__(self, fidelity: Fidelity, task: _HeadErrors | None) -> None:
        self.fidelity, self.task = fidelity, task

    def loss(self, z: Tensor, rows: Tensor) -> Tensor:
        if self.task is None:
            return self.fidelity.error(z, rows)
        share = self.task.objective.fidelity
        return self.task.error(z, rows) + share * self.fidelity.error(z, rows) if share else self.task.error(z, rows)

    def score(self, z: Tensor, rows: Tensor) -> Tensor:
        return -self.loss(z, rows)

    def of(self, y: Tensor) -> "_Errors":
        return _Errors(self.fidelity.of(y), None if self.task is None else self.task.of(y))


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
        return _Angles(self.fidelity, y, Fidelity(y, synthesis, mean_y))


class _Angles:
    def __init__(self, share: float, y: Tensor, fidelity: Fidelity) -> None:
        self.share, self.fidelity = share, fidelity
        directions = nn.functional.normalize(y.to(fidelity.synthesis), dim=-1)
        self.across, self.level = directions @ fidelity.synthesis, directions @ fidelity.mean_y  # ⟨y, ŷ⟩ / ||y|| = level + across · ẑ
        self.mean, self.mean_energy = fidelity.mean_y @ fidelity.synthesis, fidelity.mean_y.square().sum()

    def of(self, y: Tensor) -> "_Angles":
        return _Angles(self.share, y, self.fidelity.of(y))

    def norm(self, z: Tensor) -> Tensor:
        """||ŷ||."""
        energy: Tensor = self.mean_energy + 2 * (z @ self.mean) + ((z @ self.fidelity.gram) * z).sum(-1)
        return energy.clamp(min=torch.finfo(z.dtype).tiny).sqrt()

    def score(self, z: Tensor, rows: Tensor) -> Tensor:
        return (self.level[rows] + (z * self.across[rows]).sum(-1)) / self.norm(z)

    def loss(self, z: Tensor, rows: Tensor) -> Tensor:
        away = 1 - self.score(z, rows)
        return away + self.share * self.fidelity.error(z, rows) if self.share else away


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
        return _Ranks(self, _Angles(self.fidelity, y, Fidelity(y, synthesis, mean_y)))


class _Ranks:
    def __init__(self, objective: Retrieval, angles: _Angles) -> None:
        self.objective, self.T, self.angles = objective, objective.temperature, angles

    def of(self, y: Tensor) -> "_Ranks":
        return _Ranks(self.objective, self.angles.of(y))

    def _cosines(self, z: Tensor, rows: Tensor) -> Tensor:
        """cos(y_j, ŷ_i) (…, i, j)."""
        found: Tensor = (self.angles.level[rows] + z @ self.angles.across[rows].mT) / self.angles.norm(z).unsqueeze(-1)
        return found

    def loss(self, z: Tensor, rows: Tensor) -> Tensor:
        missed = -torch.log_softmax(self._cosines(z, rows) / self.T, -1).diagonal(dim1=-2, dim2=-1)
        share = self.angles.share
        return missed + share * self.angles.fidelity.error(z, rows) if share else missed

    def score(self, z: Tensor, rows: Tensor) -> Tensor:
        cosines = self._cosines(z, rows)
        return (cosines.diagonal(dim1=-2, dim2=-1) >= cosines.amax(-1)).to(z)

"""Objectives of training: losses, and scores for model selection, of one frozen receiver.

A decoder ends in ŷ = μy + Ψ ẑ, so an objective of ŷ is one of its coefficients ẑ, and nothing of the latent's dimension is touched:

||y − ŷ||² = ||y − μy||² − 2 ẑᵀ Ψᵀ(y − μy) + ẑᵀ ΨᵀΨ ẑ,        head(ŷ) = (W Ψ) ẑ + head(μy)      (affine heads).

Every objective may add, with a weight `fidelity`, ||y − ŷ||² / tr Ry.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Protocol, runtime_checkable

from jaxtyping import Float, Int
from torch import Tensor, nn

from latentlink.numerics.doors import real
from latentlink.numerics.expectations import made_by
from latentlink.numerics.reprs import Summarised
from latentlink.tasks.judges import Angles, Divergence, Errors, Fidelity, Ranks, head_reader


@runtime_checkable
class Wanted(Protocol):
    """An objective for given latents, judged in coefficients."""

    def loss(self, z: Float[Tensor, "*batch n k"], rows: Int[Tensor, "n"]) -> Float[Tensor, "*batch n"]:
        """Loss (…, n) of coefficients ẑ (…, n, k) where the latents y[rows] are wanted."""

    def score(self, z: Float[Tensor, "*batch n k"], rows: Int[Tensor, "n"]) -> Float[Tensor, "*batch n"]:
        """The score (…, n) that is counted in the end; higher is better."""

    def of(self, y: Float[Tensor, "n m"]) -> "Wanted":
        """The same objective, in the same units, for other latents."""


@made_by("HeadDivergence(head), Regression(...), Cosine() or Retrieval()")
@runtime_checkable
class Objective(Protocol):
    """The protocol of an objective of the receiver.

    Example:
        >>> import latentlink as ll
        >>> isinstance(ll.objectives.Cosine(), ll.objectives.Objective)
        True
    """

    def wanted(self, y: Float[Tensor, "n m"], synthesis: Float[Tensor, "m k"], mean_y: Float[Tensor, "m"]) -> Wanted:
        """The objective for these latents and this Ψ, μy, on their device and in the precision of Ψ."""


class _Judged(Summarised):
    """The base of the objectives here, which are judged in coefficients."""

    judge: ClassVar[Callable[..., Wanted]]
    fidelity: float

    def __post_init__(self) -> None:
        real("fidelity", self.fidelity, least=0)
        real("temperature", getattr(self, "temperature", 1.0), above=0)

    def wanted(self, y: Float[Tensor, "n m"], synthesis: Float[Tensor, "m k"], mean_y: Float[Tensor, "m"]) -> Wanted:
        head = getattr(self, "head", None)
        read = None if head is None else head_reader(head, synthesis, mean_y)
        return self.judge(self, y, Fidelity(y, synthesis, mean_y), read)


@dataclass(frozen=True, eq=False)
class HeadDivergence(_Judged):
    """The divergence of a classifier's outputs on ŷ from those on y: T² KL( softmax(head(y) / T) || softmax(head(ŷ) / T) ), without labels.

    The score is agreement: 1 where the head decides as on y.

    Attributes:
        head: (n, m) → logits (n, c), any torch module; it is not changed.
        temperature: T > 0.
        fidelity: weight of ||y − ŷ||² / tr Ry.

    Raises:
        ValueError: naming the attribute that is out of range.

    References:
        [hinton2015distilling] for the tempered divergence.

    Example:
        >>> import torch, latentlink as ll
        >>> x = torch.randn(500, 8, generator=torch.Generator().manual_seed(0))
        >>> y = x[:, :6].tanh()
        >>> modes = ll.semantic_modes(ll.Moments.from_pairs(x, y))
        >>> objective = ll.objectives.HeadDivergence(ll.fit_head(y, (y[:, 0] > 0).long()), fidelity=0.0)
        >>> wanted = objective.wanted(y, modes.synthesis, modes.mean_y)
        >>> round(float(wanted.score(modes.coefficients(x), torch.arange(500)).mean()), 1)  # agreement, without a channel
        1.0
    """

    judge: ClassVar = Divergence
    head: nn.Module
    temperature: float = 1.0
    fidelity: float = 0.05

    def __post_init__(self) -> None:
        super().__post_init__()


@dataclass(frozen=True, eq=False)
class Regression(_Judged):
    """The squared error of a head's outputs on ŷ against those on y, over their variance; without a head the MSE of the latent itself.

    The score is minus that error.

    Attributes:
        head: (n, m) → (n, q), any torch module, or None.
        fidelity: weight of ||y − ŷ||² / tr Ry beside a head.

    Raises:
        ValueError: head is no module, or fidelity is out of range.

    Example:
        >>> import torch, latentlink as ll
        >>> x = torch.randn(500, 8, generator=torch.Generator().manual_seed(0))
        >>> y = x[:, :6].tanh()
        >>> modes = ll.semantic_modes(ll.Moments.from_pairs(x, y))
        >>> wanted = ll.objectives.Regression().wanted(y, modes.synthesis, modes.mean_y)
        >>> round(float(wanted.loss(0 * modes.coefficients(x), torch.arange(500)).mean()), 2)  # nothing sent: all of the variance
        1.0
    """

    judge: ClassVar = Errors
    head: nn.Module | None = None
    fidelity: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()


@dataclass(frozen=True, eq=False)
class Cosine(_Judged):
    """The angle between ŷ and y: the loss is 1 − cos(y, ŷ) and the score cos(y, ŷ), as in search by cosine similarity; no head, no labels.

    Attributes:
        fidelity: weight of ||y − ŷ||² / tr Ry.

    Raises:
        ValueError: fidelity is out of range.

    Example:
        >>> import torch, latentlink as ll
        >>> x = torch.randn(500, 8, generator=torch.Generator().manual_seed(0))
        >>> y = x[:, :6].tanh()
        >>> modes = ll.semantic_modes(ll.Moments.from_pairs(x, y))
        >>> wanted = ll.objectives.Cosine().wanted(y, modes.synthesis, modes.mean_y)
        >>> round(float(wanted.score(modes.coefficients(x), torch.arange(500)).mean()), 2)  # without a channel
        0.98
    """

    judge: ClassVar = Angles
    fidelity: float = 0.01


@dataclass(frozen=True, eq=False)
class Retrieval(_Judged):
    """The rank of y among all latents of a batch by its cosine with ŷ: a softmax over them, as in contrastive training.

    The loss is −log softmax(cos(y_j, ŷ_i) / T) at j = i over the messages of a batch, the score 1 where none of them is nearer than y_i.

    Attributes:
        temperature: T > 0.
        fidelity: weight of ||y − ŷ||² / tr Ry.

    Raises:
        ValueError: naming the attribute that is out of range.

    References:
        [oord2018representation] for the loss.

    Example:
        >>> import torch, latentlink as ll
        >>> x = torch.randn(500, 8, generator=torch.Generator().manual_seed(0))
        >>> y = x[:, :6].tanh()
        >>> modes = ll.semantic_modes(ll.Moments.from_pairs(x, y))
        >>> wanted = ll.objectives.Retrieval().wanted(y, modes.synthesis, modes.mean_y)
        >>> round(float(wanted.score(modes.coefficients(x[:50]), torch.arange(50)).mean()), 2)  # found among 50, without a channel
        1.0
    """

    judge: ClassVar = Ranks
    temperature: float = 0.1
    fidelity: float = 0.01

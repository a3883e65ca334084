"""Chan's formula [chan1983algorithms], by which means and covariances of parts are those of the whole.

With n = n_a + n_b and δ = μ_b − μ_a,

    μ = μ_a + (n_b / n) δ,        n·cov = n_a·cov_a + n_b·cov_b + (n_a n_b / n) δ δᵀ,

which never subtracts large numbers, so large means do no harm, and neither the size of the parts nor their order matters.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

_ROUNDING = 1e-9  # of a covariance, relative to its variances


@runtime_checkable
class Mergeable(Protocol):
    """The protocol of what is known of some rows, and merged with what is known of others by `a + b`."""

    def __add__(self: "P", other: "P", /) -> "P":
        """Merge."""


P = TypeVar("P", bound=Mergeable)


def merge_parts(parts: Sequence[P | None], others: Sequence[P | None]) -> list[P | None]:
    """Merge what is known of the same folds of other rows; None stands for that of no rows."""
    return [b if a is None else a if b is None else a + b for a, b in zip(parts, others, strict=True)]


def check_covariance(name: str, covariance: Float[Tensor, "d d"]) -> None:
    """Refuse what is no covariance, of a file that was forged or faultily written.

    Raises:
        ValueError: it is not square, finite and symmetric, or a variance is negative.
    """
    if covariance.ndim != 2 or covariance.shape[0] != covariance.shape[1] or not bool(covariance.isfinite().all()):
        raise ValueError(f"{name} must be a finite square matrix, got {tuple(covariance.shape)}")
    variances = covariance.diagonal()
    if bool((variances < 0).any()) or float((covariance - covariance.mT).abs().max()) > _ROUNDING * float(variances.max()):
        raise ValueError(f"{name} must be symmetric with variances >= 0")


@dataclass(frozen=True)
class Merging:
    """The weights with which two parts are merged.

    Attributes:
        count: n, the rows of both.
        share: n_b / n.
        weight: n_a n_b / n².
    """

    count: int
    share: float
    weight: float

    @classmethod
    def of(cls, a: int, b: int) -> "Merging":
        """The weights for parts of `a` and `b` rows, of which the second are removed where b < 0; at least one row must be left."""
        n = a + b
        return cls(n, b / n, a * b / n**2)

    def mean(self, a: Float[Tensor, "d"], b: Float[Tensor, "d"]) -> Float[Tensor, "d"]:
        """The mean of both parts, of their means."""
        return a + self.share * (b - a)

    def covariance(
        self, a: Float[Tensor, "m d"], b: Float[Tensor, "m d"], left: Float[Tensor, "m"], right: Float[Tensor, "d"]
    ) -> Float[Tensor, "m d"]:
        """The covariance of both parts, of their covariances and the differences δ of the means of its rows and of its columns."""
        return a.lerp(b, self.share).add_(torch.outer(left, right), alpha=self.weight)

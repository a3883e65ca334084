"""The second-order knowledge of one end alone: count, mean and covariance of its latents, with no partner at the other end."""

from dataclasses import dataclass
from typing import Any

from jaxtyping import Float
from torch import Tensor

from latentlink.latents.merging import Merging, check_covariance
from latentlink.latents.rows import CHUNK, LatentChunks
from latentlink.numerics.doors import AnyArray, integer
from latentlink.numerics.reprs import Summarised
from latentlink.storage.artifacts import Saved, artifact


@artifact("marginal")
@dataclass(frozen=True, eq=False, repr=False)
class Marginal(Summarised, Saved):
    """Count, mean and centred covariance (1/n normalised, float64) of latents; `a + b` merges those of different rows.

    Attributes:
        count: n, number of latents.
        mean: μ (d,).
        covariance: 1/n Σ (x_i − μ)(x_i − μ)ᵀ (d, d).

    They are saved by `save`, and read back by `latentlink.load`.

    Example:
        >>> import torch, latentlink as ll
        >>> x = torch.randn(500, 8, generator=torch.Generator().manual_seed(0))
        >>> ll.data.Marginal.from_latents(x[:300]) + ll.data.Marginal.from_latents(x[300:])
        Marginal(500 latents, 8 dimensions)
    """

    count: int
    mean: Float[Tensor, "d"]
    covariance: Float[Tensor, "d d"]

    def _facts(self) -> dict[str, str]:
        return {"count": f"{self.count} latents", "dimension": f"{len(self.mean)} dimensions"}

    @classmethod
    def from_latents(cls, x: AnyArray) -> "Marginal":
        """Compute count, mean and covariance in one pass; of a mapped file no more than a chunk of rows is in memory at a time.

        Args:
            x: real latents (n, d).

        Raises:
            ValueError: x is complex, empty, not a matrix, not finite, or so large that its squares overflow.
        """
        chunks = LatentChunks("x", x)
        marginal = None
        for start in range(0, chunks.count, CHUNK):
            part = cls.of_chunk(chunks[start : start + CHUNK])
            marginal = part if marginal is None else marginal + part
            chunks.release()
        assert marginal is not None
        return marginal.checked()

    @classmethod
    def of_chunk(cls, x: Float[Tensor, "n d"]) -> "Marginal":
        """The marginal of the rows of a chunk, finite ones."""
        x = x.double()
        mean = x.mean(0)
        x = x - mean
        return cls(len(x), mean, x.T @ x / len(x))

    def checked(self) -> "Marginal":
        """The same; a ValueError if squares of latents overflow."""
        if not bool(self.covariance.isfinite().all()):
            raise ValueError("x is too large: its squares overflow float64; scale the latents down")
        return self

    def __add__(self, other: "Marginal") -> "Marginal":
        """Merge with those of other latents.

        Raises:
            ValueError: the dimensions differ.
        """
        if self.mean.shape != other.mean.shape:
            raise ValueError(f"marginals must be of the same latents, got {len(self.mean)} and {len(other.mean)} dimensions")
        merging, difference = Merging.of(self.count, other.count), other.mean - self.mean
        covariance = merging.covariance(self.covariance, other.covariance, difference, difference)
        return Marginal(merging.count, merging.mean(self.mean, other.mean), covariance)

    def __radd__(self, other: int) -> "Marginal":
        """Let `sum` start at 0."""
        if other != 0:
            raise ValueError(f"marginals can be added to marginals only, got {other!r}")
        return self

    def to_tensors(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        return {"mean": self.mean, "covariance": self.covariance}, {"count": self.count}

    @classmethod
    def from_tensors(cls, tensors: dict[str, Tensor], manifest: dict[str, Any]) -> "Marginal":
        """The marginal of a saved file; a ValueError if it is none of any latents."""
        check_covariance("covariance", tensors["covariance"])
        if not bool(tensors["mean"].isfinite().all()):
            raise ValueError("mean must be finite")
        return cls(integer("count", manifest["count"]), tensors["mean"], tensors["covariance"])

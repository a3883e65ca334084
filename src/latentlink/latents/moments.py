"""Second-order moments of two latent spaces: all that a linear design needs of the pilots.

For pairs (x_i, y_i), i = 1…n, with means μx, μy,

    cov_x = 1/n Σ (x_i − μx)(x_i − μx)ᵀ,    cov_yx = 1/n Σ (y_i − μy)(x_i − μx)ᵀ,    cov_y = 1/n Σ (y_i − μy)(y_i − μy)ᵀ.

They are computed in one pass, in float64, each chunk centred on its own mean, and merged by Chan's formula [chan1983algorithms]: with n =
n_a + n_b and δ = μ_b − μ_a,

    μ = μ_a + (n_b / n) δ,        n·cov = n_a·cov_a + n_b·cov_b + (n_a n_b / n) δ δᵀ,

which never subtracts large numbers, so large means do no harm, and neither chunking nor order matters.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import reduce

import torch
from jaxtyping import Float
from torch import Tensor

from latentlink.numerics.doors import AnyArray, finite, integer
from latentlink.numerics.expectations import made_by
from latentlink.numerics.reprs import Summarised

_CHUNK = 4096  # rows centred at a time: large enough for the matrix products, small beside the data
_FOLD_SEED = 0  # folds must not follow any order in the data (files sorted by class), hence a fixed shuffle


def as_latents(name: str, value: AnyArray) -> Float[Tensor, "n d"]:
    """Check latents at the public door: a real, finite, non-empty matrix, tensor or NumPy array.

    Raises:
        ValueError: naming `name`, for complex, non-matrix, empty, NaN or infinite input.
    """
    latents = finite(name, value).detach()  # latents that an encoder computed with gradients would keep its graph in memory
    if latents.is_complex():
        raise ValueError(f"{name} must be real latents of shape (n, dim), got complex {tuple(latents.shape)}")
    if latents.ndim != 2:
        raise ValueError(f"{name} must have shape (n, dim), got {tuple(latents.shape)}")
    if latents.numel() == 0:
        raise ValueError(f"{name} is empty, got shape {tuple(latents.shape)}; at least one latent of one dimension is needed")
    return latents


def as_pairs(x: AnyArray, y: AnyArray) -> tuple[Float[Tensor, "n d"], Float[Tensor, "n m"]]:
    """Check paired latents at the public door; raises as `as_latents`, and where x and y differ in length."""
    x, y = as_latents("x", x), as_latents("y", y)
    if len(x) != len(y):
        raise ValueError(f"x and y must pair row by row, got {len(x)} and {len(y)} rows")
    return x, y


@made_by("Moments.from_pairs(x, y)")
@dataclass(frozen=True, eq=False, repr=False)
class Moments(Summarised):
    """Count, means and centred covariances (1/n normalised, float64) of pairs of latents; `a + b` merges, `a - b` removes.

    Attributes:
        count: n, number of pairs.
        mean_x: μx (d,).
        mean_y: μy (m,).
        cov_x: covariance of x (d, d).
        cov_yx: cross-covariance of y and x (m, d).
        cov_y: covariance of y (m, m).
        folds: the same moments of disjoint parts of the pairs, whose merger this is; empty if none were asked for.

    Example:
        >>> Moments.from_pairs(x, y, folds=5)
        Moments(500 pairs, 384 → 768, 5 folds)
    """

    count: int
    mean_x: Float[Tensor, "d"]
    mean_y: Float[Tensor, "m"]
    cov_x: Float[Tensor, "d d"]
    cov_yx: Float[Tensor, "m d"]
    cov_y: Float[Tensor, "m m"]
    folds: "tuple[Moments, ...]" = ()

    def _facts(self) -> dict[str, str]:
        facts = {"count": f"{self.count} pairs", "dimensions": f"{len(self.mean_x)} → {len(self.mean_y)}"}
        return facts | ({"folds": f"{len(self.folds)} folds"} if self.folds else {})

    @classmethod
    def from_pairs(cls, x: AnyArray, y: AnyArray, folds: int = 1) -> "Moments":
        """Compute the moments of pilots; row i of x and y shows the same observation.

        Args:
            x: real latents at the transmitter (n, d).
            y: real latents at the receiver (n, m).
            folds: number of disjoint parts, drawn without regard to order, whose moments are stored besides for held-out estimates; 1
                stores none.

        Raises:
            ValueError: x or y is complex, empty, not a matrix or not finite; their lengths differ; folds not in 1…n.
        """
        x, y = as_pairs(x, y)
        folds = integer("folds", folds, 1, len(x))
        if folds == 1:
            moments = reduce(cls.__add__, map(cls._of_chunk, x.split(_CHUNK), y.split(_CHUNK)))
            if not (moments.cov_x.isfinite().all() and moments.cov_y.isfinite().all()):
                raise ValueError("x or y is too large: its squares overflow float64; scale the latents down")
            return moments
        order = torch.randperm(len(x), generator=torch.Generator().manual_seed(_FOLD_SEED), device="cpu").to(x.device)
        parts = tuple(cls.from_pairs(x[rows], y[rows]) for rows in order.tensor_split(folds))
        return replace(cls.merged(parts), folds=parts)

    @classmethod
    def _of_chunk(cls, x: Float[Tensor, "n d"], y: Float[Tensor, "n m"]) -> "Moments":
        """Compute the moments of a chunk, centred on its own mean."""
        x, y, n = x.double(), y.double(), len(x)
        mean_x, mean_y = x.mean(0), y.mean(0)
        x, y = x - mean_x, y - mean_y
        return cls(n, mean_x, mean_y, x.T @ x / n, y.T @ x / n, y.T @ y / n)

    @classmethod
    def merged(cls, parts: "Sequence[Moments]") -> "Moments":
        """Merge the moments of parts that share no pairs, at least one; without folds."""
        if not parts:
            raise ValueError("parts must be moments, at least one, got none")
        return reduce(cls.__add__, (replace(part, folds=()) for part in parts))

    def __add__(self, other: "Moments") -> "Moments":
        """Merge with the moments of other pairs; folds are merged one by one.

        Raises:
            ValueError: the latent dimensions or the numbers of folds differ.
        """
        return self._combined(other, 1)

    def __radd__(self, other: int) -> "Moments":
        """Let `sum` start at 0."""
        if other != 0:
            raise ValueError(f"moments can be added to moments only, got {other!r}")
        return self

    def __sub__(self, other: "Moments") -> "Moments":
        """Remove pairs that are part of these moments (Chan's formula backwards: it cancels, so prefer merging folds).

        Raises:
            ValueError: dimensions or numbers of folds differ, or `other` has not fewer pairs than these moments.
        """
        return self._combined(other, -1)

    def _combined(self, other: "Moments", sign: int) -> "Moments":
        """Chan's formula for the moments of other pairs, which are removed where the sign is negative."""
        if self.cov_yx.shape != other.cov_yx.shape:
            raise ValueError(f"moments must be of the same latents (m, d), got {tuple(self.cov_yx.shape)} and {tuple(other.cov_yx.shape)}")
        if len(self.folds) != len(other.folds):
            raise ValueError(f"moments must have the same number of folds, got {len(self.folds)} and {len(other.folds)}")
        count = sign * other.count
        n = self.count + count
        if n < 1:
            raise ValueError(f"cannot remove {other.count} pairs from {self.count}: at least one must remain")
        share, weight = count / n, self.count * count / n**2
        dx, dy = other.mean_x - self.mean_x, other.mean_y - self.mean_y

        def blend(a: Tensor, b: Tensor, outer: Tensor) -> Tensor:
            return a.lerp(b, share).add_(outer, alpha=weight)

        return Moments(
            n,
            mean_x=self.mean_x + share * dx,
            mean_y=self.mean_y + share * dy,
            cov_x=blend(self.cov_x, other.cov_x, torch.outer(dx, dx)),
            cov_yx=blend(self.cov_yx, other.cov_yx, torch.outer(dy, dx)),
            cov_y=blend(self.cov_y, other.cov_y, torch.outer(dy, dy)),
            folds=tuple(a._combined(b, sign) for a, b in zip(self.folds, other.folds, strict=True)),
        )

    def without_rounding(self) -> "Moments":
        """The moments with exact zeros for dimensions that vary no more than the rounding error of their mean; without folds."""
        eps = torch.finfo(self.cov_x.dtype).eps
        x = (self.cov_x.diagonal() > (64 * eps * self.mean_x).square()).to(self.cov_x)
        y = (self.cov_y.diagonal() > (64 * eps * self.mean_y).square()).to(self.cov_y)
        return replace(self, cov_x=x.outer(x) * self.cov_x, cov_yx=y.outer(x) * self.cov_yx, cov_y=y.outer(y) * self.cov_y, folds=())

    def training_folds(self) -> "tuple[tuple[Moments, Moments], ...]":
        """Pair the merged moments of all other folds with those of the held-out fold, once for each fold.

        Raises:
            ValueError: these moments keep no folds.
        """
        if not self.folds:
            raise ValueError("moments must have folds for held-out values, got none: Moments.from_pairs(x, y, folds=5)")
        parts = self.folds
        return tuple((self.merged(parts[:j] + parts[j + 1 :]), held_out) for j, held_out in enumerate(parts))

"""Second-order moments of two latent spaces: all that a linear design needs of the pilots.

For pairs (x_i, y_i), i = 1…n, with means μx, μy,

    cov_x = 1/n Σ (x_i − μx)(x_i − μx)ᵀ,    cov_yx = 1/n Σ (y_i − μy)(x_i − μx)ᵀ,    cov_y = 1/n Σ (y_i − μy)(y_i − μy)ᵀ.

They are computed in one pass, in float64, each chunk centred on its own mean, and merged by Chan's formula (`merging`). No more than a
chunk is converted or copied at a time: latents may be mapped from files that are larger than memory.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import reduce
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from latentlink.latents.folds import fold_numbers
from latentlink.latents.merging import Merging, check_covariance, merge_parts
from latentlink.latents.rows import CHUNK, paired_chunks
from latentlink.latents.without_pairs import WithoutPairs
from latentlink.numerics.doors import AnyArray, integer, real
from latentlink.numerics.expectations import made_by
from latentlink.numerics.reprs import Summarised
from latentlink.storage.artifacts import Saved, artifact


@made_by("Moments.from_pairs(x, y)")
@artifact("moments")
@dataclass(frozen=True, eq=False, repr=False)
class Moments(Summarised, Saved, WithoutPairs):
    """Count, means and centred covariances (1/n normalised, float64) of pairs of latents; `a + b` merges, `a - b` removes.

    Attributes:
        count: n, number of pairs.
        mean_x: μx (d,).
        mean_y: μy (m,).
        cov_x: covariance of x (d, d).
        cov_yx: cross-covariance of y and x (m, d).
        cov_y: covariance of y (m, m).
        folds: the same moments of disjoint parts of the pairs, whose merger this is; empty if none were asked for.
        estimated: True where `cov_yx` was not counted over pairs but estimated, by class means or an aligner: it is regularised already,
            so that designs take it as it is.
        squared_weights: Σ w² over the pairs, of weights w whose sum is the count; None where all are 1, as long as nothing was `counted_as`
            another number.

    They are saved by `save`, and read back by `latentlink.load`.

    Example:
        >>> import torch, latentlink as ll
        >>> x = torch.randn(500, 8, generator=torch.Generator().manual_seed(0))
        >>> ll.Moments.from_pairs(x[:300], x[:300].tanh()) + ll.Moments.from_pairs(x[300:], x[300:].tanh())
        Moments(500 pairs, 8 → 8)
    """

    count: int
    mean_x: Float[Tensor, "d"]
    mean_y: Float[Tensor, "m"]
    cov_x: Float[Tensor, "d d"]
    cov_yx: Float[Tensor, "m d"]
    cov_y: Float[Tensor, "m m"]
    folds: "tuple[Moments, ...]" = ()
    estimated: bool = False
    squared_weights: float | None = None

    def _facts(self) -> dict[str, str]:
        facts = {
            "count": f"{self.count} pairs" if not self.estimated else f"estimated, as {self.count} pairs",
            "dimensions": f"{len(self.mean_x)} → {len(self.mean_y)}",
        }
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

        Example:
            >>> import torch, latentlink as ll
            >>> x = torch.randn(500, 8, generator=torch.Generator().manual_seed(0))
            >>> ll.Moments.from_pairs(x, x[:, :6].tanh(), folds=5)
            Moments(500 pairs, 8 → 6, 5 folds)
        """
        chunks = paired_chunks(x, y)
        count = chunks[0].count
        folds = integer("folds", folds, 1, count)
        parts: list[Moments | None] = [None] * folds
        for start in range(0, count, folds * CHUNK):
            rows = slice(start, start + folds * CHUNK)
            parts = merge_parts(parts, cls.parts_of(chunks[0][rows], chunks[1][rows], start, count, folds))
            for each in chunks:
                each.release()
        return cls.of_parts(parts)

    @classmethod
    def parts_of(cls, x: Float[Tensor, "n d"], y: Float[Tensor, "n m"], start: int, count: int, folds: int) -> "list[Moments | None]":
        """Compute the moments of consecutive pairs, fold by fold; None for a fold that has none of them.

        Args:
            x: latents at the transmitter, finite.
            y: latents at the receiver, likewise.
            start: number of the first of these pairs.
            count: number of all pairs.
            folds: number of folds.
        """
        parts: list[Moments | None] = [None] * folds
        for first in range(0, len(x), folds * CHUNK):
            a, b = x[first : first + folds * CHUNK], y[first : first + folds * CHUNK]
            if folds == 1:
                found: list[Moments | None] = [cls._of_chunk(a, b)]
            else:
                numbers = fold_numbers(start + first, start + first + len(a), count, folds).to(x.device)
                chosen = [(numbers == fold).nonzero().squeeze(-1) for fold in range(folds)]
                found = [cls._of_chunk(a[rows], b[rows]) if len(rows) else None for rows in chosen]
            parts = merge_parts(parts, found)
        return parts

    @classmethod
    def of_parts(cls, parts: "Sequence[Moments | None]") -> "Moments":
        """Merge the moments of all folds, and keep these besides, where there are several.

        Raises:
            ValueError: the squares of the latents overflow.
        """
        held = tuple(part for part in parts if part is not None)
        moments = cls.merged(held)
        if not (moments.cov_x.isfinite().all() and moments.cov_y.isfinite().all()):
            raise ValueError("x or y is too large: its squares overflow float64; scale the latents down")
        return replace(moments, folds=held) if len(parts) > 1 else moments

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
        if len(parts) == 0:
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
        merging = Merging.of(self.count, count)
        dx, dy = other.mean_x - self.mean_x, other.mean_y - self.mean_y
        return Moments(
            n,
            mean_x=merging.mean(self.mean_x, other.mean_x),
            mean_y=merging.mean(self.mean_y, other.mean_y),
            cov_x=merging.covariance(self.cov_x, other.cov_x, dx, dx),
            cov_yx=merging.covariance(self.cov_yx, other.cov_yx, dy, dx),
            cov_y=merging.covariance(self.cov_y, other.cov_y, dy, dy),
            folds=tuple(a._combined(b, sign) for a, b in zip(self.folds, other.folds, strict=True)),
            estimated=self.estimated and other.estimated,
            squared_weights=_added(self, other, sign),
        )

    def to_tensors(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        names = ("mean_x", "mean_y", "cov_x", "cov_yx", "cov_y")
        parts = {"": self} | {f"folds.{number}.": fold for number, fold in enumerate(self.folds)}
        tensors = {f"{prefix}{name}": getattr(part, name) for prefix, part in parts.items() for name in names}
        facts = {"count": self.count, "fold_counts": [fold.count for fold in self.folds]}
        weighed = {} if self.squared_weights is None else {"squared_weights": self.squared_weights}
        return tensors, facts | weighed | ({"estimated": True} if self.estimated else {})

    @classmethod
    def from_tensors(cls, tensors: dict[str, Tensor], manifest: dict[str, Any]) -> "Moments":
        """The moments of a saved file.

        Raises:
            ValueError: they are those of no pairs; naming what is wrong.
        """
        names, counts = ("mean_x", "mean_y", "cov_x", "cov_yx", "cov_y"), manifest["fold_counts"]

        def part(prefix: str, count: object) -> Moments:
            mean_x, mean_y, cov_x, cov_yx, cov_y = (tensors[prefix + name] for name in names)
            found = cls(integer("count", count), mean_x, mean_y, cov_x, cov_yx, cov_y)
            check_covariance(f"{prefix}cov_x", found.cov_x)
            check_covariance(f"{prefix}cov_y", found.cov_y)
            if not all(bool(tensors[prefix + name].isfinite().all()) for name in names):
                raise ValueError(f"{prefix or 'the moments'} must be finite")
            return found

        folds = tuple(part(f"folds.{number}.", count) for number, count in enumerate(counts))
        if folds and sum(fold.count for fold in folds) != manifest["count"]:
            raise ValueError(f"fold_counts must add up to count, got {counts} and {manifest['count']}")
        squares = manifest.get("squared_weights")
        weighed = None if squares is None else real("squared_weights", squares, above=0.0)
        return replace(
            part("", manifest["count"]), folds=folds, estimated=manifest.get("estimated", False) is True, squared_weights=weighed
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


def _added(a: Moments, b: Moments, sign: int) -> float | None:
    """Σ w² of both, or of what is left of the first; None where all pairs count alike."""
    if a.squared_weights is None and b.squared_weights is None:
        return None
    squares = [float(each.count) if each.squared_weights is None else each.squared_weights for each in (a, b)]
    return max(squares[0] + sign * squares[1], 1e-12)

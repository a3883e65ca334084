"""Semantic pilots: latents of the same observations at both ends, with their classes where these are known."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from latentlink.latents.moments import as_pairs
from latentlink.numerics.doors import AnyArray, as_tensor
from latentlink.numerics.expectations import made_by
from latentlink.numerics.parts import Parts
from latentlink.numerics.reprs import Summarised

_MAX_CLASSES = 100_000  # labels index the logits; beyond this they are surely not class numbers


def as_labels(labels: AnyArray, count: int) -> Int[Tensor, "n"]:
    """Check class labels at the public door: `count` integers >= 0.

    Raises:
        ValueError: wrong shape or length, fractions, negative or absurdly large numbers.
    """
    values = as_tensor("labels", labels)
    if values.ndim != 1 or len(values) != count:
        remedy = "; one-hot labels? labels.argmax(1)" if values.ndim == 2 and len(values) == count else ""
        raise ValueError(f"labels must have shape ({count},), one per latent, got {tuple(values.shape)}{remedy}")
    if values.is_complex() or values.is_floating_point():
        raise ValueError(f"labels must be integers 0, 1, 2, …, got {values.dtype}")
    values = values.long()
    if values.min() < 0 or values.max() >= _MAX_CLASSES:
        raise ValueError(f"labels must be class numbers from 0 to {_MAX_CLASSES - 1}, got {values.min().item()} to {values.max().item()}")
    return values


@made_by("Pilots(x, y)")
@dataclass(frozen=True, eq=False, repr=False)
class Pilots(Summarised, Parts):
    """Latents of the same observations at both ends: row i of x and of y, of class labels[i]; for design, or held back as a test set.

    Attributes:
        x: latents at the transmitter (n, d).
        y: latents at the receiver (n, m).
        labels: class numbers (n,), or None where the classes are not known.

    Raises:
        ValueError: any of them is malformed, or their lengths differ.

    Example:
        >>> Pilots(x, y)
        Pilots(500 pairs, 384 → 768, no labels)
    """

    x: Float[Tensor, "n d"]
    y: Float[Tensor, "n m"]
    labels: Int[Tensor, "n"] | None

    def __init__(self, x: AnyArray, y: AnyArray, labels: AnyArray | None = None) -> None:
        x, y = as_pairs(x, y)
        numbers = None if labels is None else as_labels(labels, len(x)).to(y.device)
        for name, value in (("x", x), ("y", y), ("labels", numbers)):
            object.__setattr__(self, name, value)

    def __len__(self) -> int:
        return len(self.x)

    def _facts(self) -> dict[str, str]:
        labels = "no labels" if self.labels is None else f"{len(self.labels.unique())} classes"
        return {"count": f"{len(self)} pairs", "dimensions": f"{self.x.shape[1]} → {self.y.shape[1]}", "labels": labels}

    def require_labels(self) -> Int[Tensor, "n"]:
        """Return the labels, for what cannot do without them; a ValueError if there are none."""
        if self.labels is None:
            raise ValueError("pilots must have labels for this, got none: Pilots(x, y, labels) with one class number for each pair")
        return self.labels

    def __getitem__(self, rows: slice | Sequence[int] | Sequence[bool] | AnyArray) -> "Pilots":
        """Take some of the pilots, by a slice, by their row numbers or by a mask (n,), in that order.

        Raises:
            ValueError: neither of these, or no pilot is left.
            IndexError: there is no such row, or the mask has another length.
        """
        if not isinstance(rows, slice):
            rows = as_tensor("rows", rows).to(self.y.device)
            if rows.ndim != 1 or rows.is_floating_point() or rows.is_complex():
                got = f"{rows.dtype} {tuple(rows.shape)}"
                raise ValueError(f"rows must be a slice, row numbers (k,) or a mask ({len(self)},), got {got}")
            rows = rows if rows.dtype == torch.bool else rows.long()
        try:
            x = self.x[rows]
        except IndexError as error:
            raise IndexError(f"rows must be numbers below {len(self)} or a mask of all pilots: {error}") from error
        return Pilots(x, self.y[rows], None if self.labels is None else self.labels[rows])

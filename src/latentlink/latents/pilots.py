"""Semantic pilots: latents of the same observations at both ends, with their classes where these are known."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from latentlink.latents.labels import AnyLabels, as_named_labels, as_targets
from latentlink.latents.rows import as_pairs
from latentlink.numerics.doors import AnyArray, as_tensor
from latentlink.numerics.expectations import made_by
from latentlink.numerics.parts import Parts
from latentlink.numerics.reprs import Summarised


@made_by("Pilots(x, y)")
@dataclass(frozen=True, eq=False, repr=False)
class Pilots(Summarised, Parts):
    """Latents of the same observations at both ends: row i of x and of y, of class labels[i]; for design, or held back as a test set.

    Attributes:
        x: latents at the transmitter (n, d).
        y: latents at the receiver (n, m).
        labels: class numbers (n,), or None where the classes are not known. Names of classes are numbered in the order of `names`, or
            as they sort.
        names: the name of each class, in the order of their numbers, or None where there are only numbers.
        targets: what a regression at the receiver should give (n, q), or None where there is none.

    Raises:
        ValueError: any of them is malformed, or their lengths differ.

    Example:
        >>> import torch, latentlink as ll
        >>> x = torch.randn(500, 8, generator=torch.Generator().manual_seed(0))
        >>> y = x[:, :6].tanh()
        >>> ll.Pilots(x, y)
        Pilots(500 pairs, 8 → 6, no labels)
        >>> ll.Pilots(x[:2], y[:2], ["dog", "cat"]).names
        ('cat', 'dog')
    """

    x: Float[Tensor, "n d"]
    y: Float[Tensor, "n m"]
    labels: Int[Tensor, "n"] | None
    names: tuple[str, ...] | None
    targets: Float[Tensor, "n q"] | None

    def __init__(
        self,
        x: AnyArray,
        y: AnyArray,
        labels: AnyLabels | None = None,
        *,
        names: Sequence[str] | None = None,
        targets: AnyArray | None = None,
    ) -> None:
        x, y = as_pairs(x, y)
        if labels is None and names is not None:
            raise ValueError("names must be given with labels, whose classes they name, got names alone")
        numbers, known = (None, None) if labels is None else as_named_labels(labels, len(x), names)
        wanted = None if targets is None else as_targets(targets, len(x)).to(y.device)
        numbers = None if numbers is None else numbers.to(y.device)
        for name, value in (("x", x), ("y", y), ("labels", numbers), ("names", known), ("targets", wanted)):
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

    @property
    def labels_by_name(self) -> list[str] | Int[Tensor, "n"] | None:
        """The labels as names of classes where these are known, else as numbers; None without labels."""
        return self.labels if self.names is None or self.labels is None else [self.names[number] for number in self.labels.tolist()]

    def numbered_as(self, names: Sequence[str]) -> "Pilots":
        """Number the classes as `names` has them, such as the `classes` of a head; classes that it lacks come after them.

        Raises:
            ValueError: the labels have no names, or `names` repeats one.
        """
        if self.names is None:
            raise ValueError("pilots must have names of classes to be numbered by them, got numbers alone: Pilots(x, y, labels, names=...)")
        return Pilots(self.x, self.y, self.labels_by_name, names=names, targets=self.targets)

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
        labels, targets = (None if values is None else values[rows] for values in (self.labels, self.targets))
        return Pilots(x, self.y[rows], labels, names=self.names, targets=targets)

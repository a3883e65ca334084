"""What one end knows of its classes: their means beside the second-order knowledge of all of its latents, with no partner at the other end.

By the law of total covariance, with classes c of probabilities π and their means μx_c and μy_c at the two ends,

    Ryx = Σ π_c (μy_c − μy)(μx_c − μx)ᵀ + E Cov(y, x | c),

whose first term B takes no pair: each end adds up its own class means. Where x and y have nothing but the class in common it is all of Ryx.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from latentlink.latents.labels import AnyLabels, as_named_labels, checked_names
from latentlink.latents.marginal import Marginal
from latentlink.latents.rows import CHUNK, LatentChunks
from latentlink.numerics.doors import AnyArray, finite, integer
from latentlink.numerics.reprs import Summarised
from latentlink.storage.artifacts import Saved, artifact


class SharedClasses(NamedTuple):
    """The classes that two ends have in common.

    Attributes:
        probability: π (c,).
        means_x: μx_c (c, d).
        means_y: μy_c (c, m).
    """

    probability: Float[Tensor, "c"]
    means_x: Float[Tensor, "c d"]
    means_y: Float[Tensor, "c m"]


@artifact("concepts")
@dataclass(frozen=True, eq=False, repr=False)
class Concepts(Summarised, Saved):
    """Class means of one end's latents, and the count, mean and covariance of all of them; `a + b` merges those of different rows.

    Attributes:
        marginal: count, mean and covariance of all latents.
        counts: latents (c,) of each class.
        means: means (c, d) of the classes; zeros for a class of no latents.
        names: names of the classes, by which two ends find theirs; None where both number them alike.

    They are saved by `save`, and read back by `latentlink.load`.

    Example:
        >>> import torch, latentlink as ll
        >>> x = torch.randn(500, 8, generator=torch.Generator().manual_seed(0))
        >>> labels = (x[:, 0] > 0).long()
        >>> ll.alignment.Concepts.from_labels(x, labels, names=("left", "right"))
        Concepts(2 classes, 500 latents, 8 dimensions)
    """

    marginal: Marginal
    counts: Int64[Tensor, "c"]
    means: Float[Tensor, "c d"]
    names: tuple[str, ...] | None = None

    def _facts(self) -> dict[str, str]:
        of = {"count": f"{self.marginal.count} latents", "dimension": f"{len(self.marginal.mean)} dimensions"}
        classes = int((self.counts > 0).sum())
        return {"classes": f"{classes} {'class' if classes == 1 else 'classes'}", **of}

    @classmethod
    def from_labels(cls, x: AnyArray, labels: AnyLabels, names: Sequence[str] | None = None) -> "Concepts":
        """Compute them in one pass; of a mapped file no more than a chunk of rows is in memory at a time.

        Args:
            x: real latents (n, d).
            labels: class numbers (n,), or names of classes.
            names: the name of each class, in the order of their numbers.

        Raises:
            ValueError: x is malformed or overflows, or labels or names are not such.

        Example:
            >>> import torch, latentlink as ll
            >>> x = torch.randn(500, 8, generator=torch.Generator().manual_seed(0))
            >>> words = ["left" if value < 0 else "right" for value in x[:, 0]]
            >>> ll.alignment.Concepts.from_labels(x, words).names
            ('left', 'right')
        """
        chunks = LatentChunks("x", x)
        numbers, known = as_named_labels(labels, chunks.count, names)
        classes = max(int(numbers.max()) + 1, len(known or ()))
        found: Concepts | None = None
        for start in range(0, chunks.count, CHUNK):
            part = cls._of_chunk(chunks[start : start + CHUNK], numbers[start : start + CHUNK], classes, known)
            found = part if found is None else found + part
            chunks.release()
        assert found is not None
        found.marginal.checked()
        return found

    @classmethod
    def _of_chunk(cls, x: Tensor, labels: Tensor, classes: int, names: tuple[str, ...] | None) -> "Concepts":
        marginal, x, labels = Marginal.of_chunk(x), x.double(), labels.to(x.device)
        counts = torch.bincount(labels, minlength=classes)
        centred = torch.zeros(classes, x.shape[1], dtype=x.dtype, device=x.device).index_add_(0, labels, x - marginal.mean)
        means = torch.where(counts.unsqueeze(-1) > 0, marginal.mean + centred / counts.clamp(min=1).unsqueeze(-1), 0.0)
        return cls(marginal, counts, means, names)

    def named(self, *names: str) -> "Concepts":
        """The same with names of the classes, in the order of their numbers; a ValueError unless there is one for each class."""
        known = checked_names(names)
        if len(known) != len(self.counts):
            raise ValueError(f"names must be {len(self.counts)}, one for each class, got {len(known)}")
        return Concepts(self.marginal, self.counts, self.means, known)

    def __add__(self, other: "Concepts") -> "Concepts":
        """Merge with those of other latents, class by class: by name where they have names, else by number.

        Raises:
            ValueError: the dimensions differ, or only one of both has names.
        """
        if (self.names is None) != (other.names is None):
            raise ValueError("concepts must both have names of classes or neither, got those of one alone; give the other names by `named`")
        classes = max(len(self.counts), len(other.counts))
        names = None if self.names is None else tuple(dict.fromkeys((*self.names, *(other.names or ()))))
        a, b = (each._over(names, len(names) if names is not None else classes) for each in (self, other))
        counts = a.counts + b.counts
        means = a.means + (b.counts.double() / counts.clamp(min=1)).unsqueeze(-1) * (b.means - a.means)
        return Concepts(self.marginal + other.marginal, counts, torch.where((a.counts > 0).unsqueeze(-1), means, b.means), names)

    def __radd__(self, other: int) -> "Concepts":
        """Let `sum` start at 0."""
        if other != 0:
            raise ValueError(f"concepts can be added to concepts only, got {other!r}")
        return self

    def _over(self, names: tuple[str, ...] | None, classes: int) -> "Concepts":
        """The same over more classes, in the order of these names where there are any."""
        places = torch.arange(len(self.counts), device=self.counts.device)
        if names is not None and self.names is not None:
            places = torch.tensor([names.index(name) for name in self.names], device=self.counts.device)
        counts = self.counts.new_zeros(classes).index_copy_(0, places, self.counts)
        return Concepts(self.marginal, counts, self.means.new_zeros(classes, self.means.shape[1]).index_copy_(0, places, self.means), names)

    def shared_with(self, receiver: "Concepts", probability: AnyArray | None = None) -> SharedClasses:
        """The classes that this end, the transmitter, has in common with the receiver.

        Args:
            receiver: the concepts of the other end.
            probability: π (c,) of the classes in the transmitter's order; the shares of all latents of both ends if None.

        Raises:
            ValueError: one end alone has names, or lacks latents of a class that the other has; the message names it. Or probabilities are
                negative, or not one for each class.
        """
        if (self.names is None) != (receiver.names is None):
            raise ValueError("concepts of both ends must have names of classes or neither, got names at one end alone; use `named`")
        names = self.names or tuple(map(str, range(max(len(self.counts), len(receiver.counts)))))
        classes = tuple(dict.fromkeys((*names, *(receiver.names or ()))))
        known = classes if self.names is not None else None
        tx, rx = self._over(known, len(classes)), receiver._over(known, len(classes))
        for end, mine, others in (("transmitter", tx.counts, rx.counts), ("receiver", rx.counts, tx.counts)):
            missing = [name for name, own, other in zip(classes, mine.tolist(), others.tolist(), strict=True) if other and not own]
            if missing:
                raise ValueError(
                    f"the {end} has no latents of class {', '.join(missing)}, which the other end has; leave it out or add some"
                )
        present = tx.counts > 0
        weights = (tx.counts + rx.counts).double() if probability is None else _checked(probability, len(self.counts), len(classes))
        weights = weights.to(tx.means.device)[present]
        if not bool(weights.sum() > 0):
            raise ValueError("probability must be above 0 for some class that both ends have")
        return SharedClasses(weights / weights.sum(), tx.means[present], rx.means[present])

    def to_tensors(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        tensors, manifest = self.marginal.to_tensors()
        return {**tensors, "counts": self.counts, "means": self.means}, {**manifest, "class_names": self.names and list(self.names)}

    @classmethod
    def from_tensors(cls, tensors: dict[str, Tensor], manifest: dict[str, Any]) -> "Concepts":
        """The concepts of a saved file; a ValueError names what they cannot be."""
        marginal = Marginal.from_tensors(tensors, manifest)
        counts, means = tensors["counts"], tensors["means"]
        names = None if manifest["class_names"] is None else checked_names(manifest["class_names"])
        if counts.ndim != 1 or means.shape != (len(counts), len(marginal.mean)) or (names is not None and len(names) != len(counts)):
            raise ValueError(f"counts, means and names must be of as many classes, got {tuple(counts.shape)} and {tuple(means.shape)}")
        if int(counts.min()) < 0 or integer("count", int(counts.sum())) != marginal.count or not bool(means.isfinite().all()):
            raise ValueError("counts of the classes must add up to count, and means must be finite")
        return cls(marginal, counts, means, names)


def _checked(probability: AnyArray, given: int, classes: int) -> Tensor:
    values = finite("probability", probability).double()
    if values.shape != (given,) or classes != given or bool((values < 0).any()):
        many = f"{given} classes" if given == classes else f"{given} classes of the transmitter, of {classes} at both ends"
        raise ValueError(f"probability must be {given} numbers >= 0, one for each of {many}, got shape {tuple(values.shape)}")
    return values

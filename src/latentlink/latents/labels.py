"""Labels of observations: class numbers, or names of classes, which are numbered once and kept; or the targets of a regression."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int, Int64
from numpy.typing import NDArray
from torch import Tensor

from latentlink.numerics.doors import AnyArray, as_tensor, finite

AnyLabels = AnyArray | Sequence[str]  # class numbers, or the names of classes
MISSING = frozenset(
    ("", "nan", "NaN", "NAN", "NA", "N/A", "n/a", "#N/A", "<NA>", "null", "NULL")
)  # how tools write that a value is missing
_MAX_CLASSES = 100_000  # labels index the logits; beyond this they are surely not class numbers


class Labels(NamedTuple):
    """Class labels and what their numbers mean.

    Attributes:
        numbers: class numbers (n,).
        names: the name of each class, in the order of their numbers; None where there are only numbers.
    """

    numbers: Int64[Tensor, "n"]
    names: tuple[str, ...] | None


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
        raise ValueError(f"labels must be integers 0, 1, 2, …, got {values.dtype}; the numbers of a regression are targets, not labels")
    found = values.long()
    if found.numel() and (found.min() < 0 or found.max() >= _MAX_CLASSES):
        raise ValueError(f"labels must be class numbers from 0 to {_MAX_CLASSES - 1}, {_wrong_numbers(values, found)}")
    return found


def _wrong_numbers(values: Tensor, found: Tensor) -> str:
    """What came in place of class numbers, and the remedy; 64 bits without a sign may have wrapped in `found`."""
    numbers = values.cpu().numpy()
    got = f"got {numbers.min()} to {numbers.max()}"
    if numbers.min() >= 0:
        return f"{got}: number them anew, names, labels = np.unique(labels, return_inverse=True)"
    unlabelled = int((found < 0).sum())
    return f"{got}: are the {unlabelled} below 0 rows without a label? keep the others, rows = labels >= 0, in labels and all latents"


def as_named_labels(labels: AnyLabels, count: int, names: Sequence[str] | None = None) -> Labels:
    """Check class labels that are numbers or names of classes.

    Args:
        labels: `count` numbers, or as many names.
        count: n, the number of latents.
        names: the name of each class, in the order of their numbers; without it names are numbered as they sort. Names that it lacks are
            numbered after it.

    Raises:
        ValueError: as `as_labels`; or `names` repeats a name, or lacks one for a number.
    """
    known = None if names is None else checked_names(names)
    numbers = labels_for(labels, count, known)
    if known is not None and as_words(labels) is None and numbers.numbers.numel() and int(numbers.numbers.max()) >= len(known):
        raise ValueError(f"names must name all classes up to {int(numbers.numbers.max())}, got {len(known)} names")
    return numbers


def labels_for(labels: AnyLabels, count: int, names: tuple[str, ...] | None) -> Labels:
    """Number `count` labels as a head of these classes does: names in its order, others after them; numbers stay. Raises as `as_labels`."""
    words = as_words(labels)
    if words is None:
        return Labels(as_labels(labels, count), names)  # type: ignore[arg-type]
    if words.shape != (count,):
        raise ValueError(f"labels must have shape ({count},), one per latent, got {words.shape} names of classes")
    return number_words(words, names)


def number_words(words: NDArray[Any], names: Sequence[str] | None) -> Labels:
    """Number the names of classes (n,) in the order of `names`; those that it lacks come after them, as they sort."""
    values = words.tolist()
    known = list(names or ())
    known += sorted(set(values) - set(known))
    position = {name: number for number, name in enumerate(known)}
    numbers = np.fromiter((position[name] for name in values), np.int64, len(values))
    return Labels(torch.from_numpy(numbers), tuple(known))


def check_words(words: NDArray[Any], origin: str = "labels") -> None:
    """Refuse rows that are missing, or are no name among names.

    Raises:
        ValueError: naming the first such row.
    """
    rows = words.tolist()
    for row, word in enumerate(rows):
        if word is None or (isinstance(word, float) and word != word) or (isinstance(word, str) and word.strip() in MISSING):
            raise ValueError(
                f"{origin}: row {row} is {word!r}, expected a class in every row: drop the rows without a label, at both ends, "
                "or give them a class of their own, such as 'unknown'"
            )
    strange = [row for row, word in enumerate(rows) if not isinstance(word, str)]
    if 0 < len(strange) < len(rows):
        raise ValueError(f"{origin}: row {strange[0]} is {rows[strange[0]]!r} among names of classes: write all as names, or as numbers")


def checked_names(names: Sequence[str]) -> tuple[str, ...]:
    """Check the names of classes: distinct strings."""
    if isinstance(names, str) or not all(isinstance(name, str) for name in names):
        raise ValueError(f"names must be the names of the classes, a sequence of strings, got {names!r}")
    found = tuple(map(str, names))
    if len(set(found)) < len(found):
        twice = next(name for name in found if found.count(name) > 1)
        raise ValueError(f"names must be different for different classes, got {twice!r} twice")
    return found


def as_targets(targets: AnyArray, count: int) -> Float[Tensor, "n q"]:
    """Check the targets of a regression at the public door: finite reals (n, q) of n = `count` latents; (n,) is one output."""
    found = finite("targets", targets)
    found = found.unsqueeze(-1) if found.ndim == 1 else found
    if found.is_complex() or found.ndim != 2 or len(found) != count or found.shape[1] == 0:
        raise ValueError(f"targets must be real of shape ({count}, q) or ({count},), got {found.dtype} {tuple(found.shape)}")
    return found


def as_words(labels: Any) -> NDArray[Any] | None:
    """The names of classes in an array, list or column of strings, as an array of Python's; None where it holds something else.

    Raises:
        ValueError: a row is missing, or is no name among names.
    """
    if isinstance(labels, Tensor):
        return None
    if isinstance(labels, list | tuple) and any(isinstance(value, str) for value in labels):
        values = np.fromiter(labels, object, len(labels))  # of strings that are as long as they are, and not all as the longest
    else:
        try:
            values = np.asarray(labels)
        except ValueError as error:  # rows of different lengths
            raise ValueError(f"labels must be class numbers or names, one per latent ({error})") from error
    if values.dtype.kind in "UST":
        values = values.astype(str if values.dtype.kind == "S" else object).astype(object)
    if values.dtype.kind != "O":
        return None
    if values.ndim == 1:
        check_words(values)
    return values if values.size and all(isinstance(value, str) for value in values.flat) else None

"""Labels of a test set that are numbered differently than those that a classifier was trained with, or that it never saw.

A head that reads the receiver's own latents y well finds their classes. Where it finds few, but another numbering of the labels, found on
every second message, lets it find many of the rest, the labels are those of another numbering: 1 … C for 0 … C − 1, or classes sorted
in another way. Shares are means over the classes, so that a head that nearly always decides for one class gains nothing by a numbering that
gives its decision to the most frequent label.
"""

from collections.abc import Iterator

import torch
from jaxtyping import Bool, Int
from torch import Tensor

_DEVIATIONS = 5.0  # standard errors that the share must grow by
_GAIN = 0.25  # growth of the share that is told, also where it does not double
_AS_GOOD = 0.9  # share of what any renumbering finds, from which a shift of all numbers by one is what happened
_NAMED = 5  # names of unseen classes that are shown


def find_wrong_numbers(
    decided: Int[Tensor, "n"], labels: Int[Tensor, "n"], outputs: int, names: tuple[str, ...] | None = None
) -> Iterator[str]:
    """Find what is wrong with the numbers of labels, in sentences with the remedy.

    Args:
        decided: the head's decisions on the receiver's own latents.
        labels: class numbers of the same observations.
        outputs: number of classes of the head.
        names: names of the classes, those that the head lacks at the end; None where they have numbers alone.
    """
    decided, labels = decided.cpu(), labels.cpu()
    as_given, mapped = _share(decided == labels, labels), _share_renumbered(decided, labels)
    first, last = int(labels.min()), int(labels.max())
    for step, is_free in ((-1, first >= 1), (1, last < outputs - 1)):
        shifted = _share(decided == labels + step, labels)
        if is_free and shifted >= _AS_GOOD * mapped and _is_better(shifted, as_given, labels):
            count = "from 1 where the head's classes count from 0" if step < 0 else "from 0 where the head's classes count from 1"
            yield (
                f"labels look counted {count}: the head finds {as_given:.1%} of the receiver's own latents in the mean over classes, and "
                f"{shifted:.1%} with labels {'−' if step < 0 else '+'} 1"
            )
            return
    if (unseen := find_unseen(labels, outputs, names)) is not None:
        yield unseen
        return
    if _is_better(mapped, as_given, labels[1::2]):
        yield (
            f"labels look numbered differently than in the head's training: it finds {as_given:.1%} of the receiver's own latents in the "
            f"mean over classes, and {mapped:.1%} after an exchange of class numbers; number both alike, by names of classes (names=)"
        )


def find_unseen(labels: Int[Tensor, "n"], outputs: int, names: tuple[str, ...] | None = None) -> str | None:
    """A sentence on labels of classes that the head lacks, with the remedy; None where there are none. Arguments as above."""
    outside = labels >= outputs
    if not bool(outside.any()):
        return None
    unseen = labels[outside].unique().tolist()
    shown = ", ".join(names[c] if names and c < len(names) else str(c) for c in unseen[:_NAMED])
    more = ", …" if len(unseen) > _NAMED else ""
    return (
        f"{int(outside.sum())} of {len(labels)} labels are outside the head, whose training had {outputs} classes without "
        f"{shown}{more}: they count as errors; drop these rows, or fit the head with those classes"
    )


def _share(found: Bool[Tensor, "n"], labels: Int[Tensor, "n"]) -> float:
    """The share of messages that are found, as its mean over the classes that occur."""
    _, which, counts = labels.unique(return_inverse=True, return_counts=True)
    hits = torch.zeros(len(counts), dtype=torch.float64, device=found.device).index_add_(0, which, found.double())
    return float((hits / counts).mean()) if len(counts) else 0.0


def _is_better(share: float, other: float, labels: Int[Tensor, "n"]) -> bool:
    """True where a share is at least twice another, or larger by a quarter, beyond chance."""
    counts = labels.unique(return_counts=True)[1].double()
    n = float(len(counts) ** 2 / (1 / counts).sum()) if len(counts) else 1.0  # messages that a mean over classes is worth
    error = (max(share * (1 - share) + other * (1 - other), 1 / n) / n) ** 0.5
    return share - other > _DEVIATIONS * error and (share >= 2 * other or share - other > _GAIN)


def _share_renumbered(decided: Int[Tensor, "n"], labels: Int[Tensor, "n"]) -> float:
    """The share of every second message that is decided right under the best renumbering of the others, one class to one decision."""
    pairs, counts = torch.stack([labels[::2], decided[::2]]).unique(dim=1, return_counts=True)
    exchange: dict[int, int] = {}
    taken: set[int] = set()
    for place in counts.argsort(descending=True, stable=True).tolist():  # the most frequent pairs first
        label, decision = pairs[:, place].tolist()
        if label not in exchange and decision not in taken:
            exchange[label] = decision
            taken.add(decision)
    table = torch.full((int(labels.max()) + 1,), -1, device=labels.device)
    table[list(exchange)] = torch.tensor(list(exchange.values()), device=labels.device)
    labels, decided = labels[1::2], decided[1::2]
    return _share(table[labels] == decided, labels)

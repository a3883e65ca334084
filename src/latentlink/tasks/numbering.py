"""Labels of a test set that are numbered differently than those that a classifier was trained with, or that it never saw.

A head that reads the receiver's own latents y well finds their classes. Where it finds few, but another numbering of the labels, found on
every second message, lets it find many of the rest, the labels are those of another numbering: 1 … C for 0 … C − 1, or classes sorted
in another way.
"""

from collections.abc import Iterator

import torch
from jaxtyping import Int
from torch import Tensor

_DEVIATIONS = 5.0  # standard errors that the share of messages must grow by
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
    as_given = float((decided == labels).double().mean())
    mapped = _share_renumbered(decided, labels)
    for step in (-1, 1):
        shifted = float((decided == labels + step).double().mean())
        if shifted >= _AS_GOOD * mapped and _is_better(shifted, as_given, len(labels)):
            count = "from 1 where the head's classes count from 0" if step < 0 else "from 0 where the head's classes count from 1"
            yield (
                f"labels look counted {count}: the head finds {as_given:.1%} of the receiver's own latents, and {shifted:.1%} with "
                f"labels {'−' if step < 0 else '+'} 1"
            )
            return
    outside = labels >= outputs
    if bool(outside.any()):
        unseen = labels[outside].unique().tolist()
        shown = ", ".join(names[c] if names and c < len(names) else str(c) for c in unseen[:_NAMED])
        more = ", …" if len(unseen) > _NAMED else ""
        yield (
            f"{int(outside.sum())} of {len(labels)} labels are outside the head, whose training had {outputs} classes without "
            f"{shown}{more}: they count as errors; drop these rows, or fit the head with those classes"
        )
    if _is_better(mapped, as_given, len(labels) // 2):
        yield (
            f"labels look numbered differently than in the head's training: it finds {as_given:.1%} of the receiver's own latents, and "
            f"{mapped:.1%} after an exchange of class numbers; number both alike, by names of classes (names=) where there are any"
        )


def _is_better(share: float, other: float, count: int) -> bool:
    """True where a share of so many messages is at least twice another, beyond chance."""
    error = (max(share * (1 - share) + other * (1 - other), 1 / max(count, 1)) / max(count, 1)) ** 0.5
    return share >= 2 * other and share - other > _DEVIATIONS * error


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
    return float((table[labels[1::2]] == decided[1::2]).double().mean()) if len(labels) > 1 else 0.0

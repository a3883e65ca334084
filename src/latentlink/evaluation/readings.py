"""What a receiver's head reads off the coefficients ẑ of messages: decisions of a classifier, or real outputs."""

from collections.abc import Callable
from typing import Literal, get_args

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from latentlink.evaluation.figures import RegressionFigures
from latentlink.evaluation.spread import Spread
from latentlink.numerics.doors import choice
from latentlink.tasks.heads import SoftmaxHead, apply_head, class_name, decisions

Task = Literal["classification", "regression"]


def task_of(head: nn.Module | None, labelled: bool, targeted: bool, task: Task | None = None) -> Task | None:
    """The task of a head: the one named, else that of what is given beside it; None without a head.

    A `SoftmaxHead`, and any head beside labels, is a classifier. Any other head, whose outputs may be logits or not, is measured by its
    outputs themselves and never by the largest of them, unless it is named a classifier.

    Raises:
        ValueError: labels or targets without a head, both of them, or one of them that does not belong to the task.
    """
    if head is None:
        if labelled or targeted or task is not None:
            given = "labels" if labelled else "targets" if targeted else f"task={task!r}"
            raise ValueError(f"head must be given where {given} are: it is what finds a message's class or value")
        return None
    if labelled and targeted:
        raise ValueError("give labels (the classes of a classifier) or targets (the numbers of a regression), got both")
    found = "classification" if labelled else "regression" if targeted else None
    if task is not None and choice("task", task, get_args(Task)) != (found or task):
        raise ValueError(f"task must be {found} where {'labels' if labelled else 'targets'} are given, got {task!r}")
    return task or found or ("classification" if isinstance(head, SoftmaxHead) else "regression")  # type: ignore[return-value]


class Decisions:
    """Counts of messages on which a classifier finds the true class, and decides as on y."""

    def __init__(self, head: nn.Module, outputs: Callable[[Tensor], Tensor]) -> None:
        self.head, self.outputs = head, outputs
        self.same = torch.zeros((), dtype=torch.float64, device="cpu")
        self.hits: dict[int, Tensor] = {}
        self.members: dict[int, int] = {}

    def add(self, z: Float[Tensor, "*batch n s"], y: Float[Tensor, "n m"], labels: Int[Tensor, "n"] | None) -> None:
        """Count messages of latents y, received as coefficients ẑ."""
        found = self.outputs(z).argmax(-1).to(z.device)
        self.same = self.same.to(z.device) + (found == decisions(self.head, y).to(z.device)).sum(-1)
        if labels is None:
            return
        present, which, counts = labels.to(z.device).unique(return_inverse=True, return_counts=True)
        correct = (found == present[which]).double()
        hits = correct.new_zeros(*correct.shape[:-1], len(present)).index_add_(-1, which, correct)
        for i, (c, count) in enumerate(zip(present.tolist(), counts.tolist(), strict=True)):
            self.hits[c] = self.hits.get(c, 0) + hits[..., i]
            self.members[c] = self.members.get(c, 0) + count

    def agreement(self, messages: int, like: Tensor) -> Float[Tensor, "*batch"]:
        """The share of so many messages on which the head decides as on y."""
        return (self.same / messages).to(like)

    def accuracy(self, messages: int, like: Tensor) -> Float[Tensor, "*batch"] | None:
        """The share of so many messages whose class is found; None where labels were not known."""
        return (torch.stack(list(self.hits.values())).sum(0) / messages).to(like) if self.hits else None

    def per_class(self, like: Tensor) -> dict[int | str, Float[Tensor, "*batch"]]:
        """The same for each class, by its name where the head knows it."""
        return {class_name(self.head, c): (self.hits[c] / self.members[c]).to(like) for c in sorted(self.hits)}


class Outputs:
    """Sums of the errors of a head's real outputs, against targets and against those on y."""

    def __init__(self, head: nn.Module, outputs: Callable[[Tensor], Tensor]) -> None:
        self.head, self.outputs = head, outputs
        self.own, self.wanted = Spread(), Spread()
        self.changed: Tensor | float = 0.0
        self.missed: Tensor | float = 0.0

    def add(self, z: Float[Tensor, "*batch n s"], y: Float[Tensor, "n m"], targets: Float[Tensor, "n q"] | None) -> None:
        """Count messages of latents y, received as coefficients ẑ."""
        read = self.outputs(z).double()
        own = apply_head(self.head, y).double().to(z.device)
        self.own.add(own)
        self.changed = self.changed + (read - own).square().sum((-2, -1))
        if targets is not None:
            if targets.shape[1] != own.shape[1]:
                raise ValueError(f"targets must be (n, {own.shape[1]}), one for each output of the head, got (n, {targets.shape[1]})")
            wanted = targets.double().to(z.device)
            self.wanted.add(wanted)
            self.missed = self.missed + (read - wanted).square().sum(-2)

    def figures(self, messages: int, like: Tensor) -> RegressionFigures:
        """The errors over so many messages."""
        changed = torch.as_tensor(self.changed, device=like.device) / messages / _over(self.own.total)
        if not self.wanted.count:
            return RegressionFigures(changed.to(like))
        missed = torch.as_tensor(self.missed, device=like.device) / messages  # (…, q)
        return RegressionFigures(changed.to(like), missed.sum(-1).to(like), (1 - missed / _over(self.wanted.each)).to(like))


def _over(variance: Tensor) -> Tensor:
    """A variance to divide by; 1 where nothing varies."""
    return torch.where(variance > 0, variance, 1.0)

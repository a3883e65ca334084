"""Decision pilots: for observations that both ends see, the receiver answers with the class that it decides, and not with its latent.

A decision among ten classes is 3.3 bits. The mean of the receiver's latents of the class stands for the latent itself.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from latentlink.alignment.spread import Spread, taken_for
from latentlink.latents.concepts import Concepts
from latentlink.latents.labels import AnyLabels, as_named_labels
from latentlink.latents.pilots import Pilots
from latentlink.latents.rows import as_latents
from latentlink.numerics.doors import AnyArray, check_instance
from latentlink.numerics.reprs import Summarised


@dataclass(frozen=True, eq=False, repr=False, init=False)
class DecisionPilots(Summarised):
    """Latents of the transmitter, and the class that the receiver decided for each of these observations.

    Attributes:
        x: latents at the transmitter (K, d).
        decisions: class numbers (K,), as the receiver numbers them.
        names: names of the classes in the order of their numbers, or None.

    Raises:
        ValueError: any of them is malformed, or their lengths differ.

    Example:
        >>> import torch, latentlink as ll
        >>> x = torch.randn(500, 8, generator=torch.Generator().manual_seed(0))
        >>> y = x[:, :6].tanh()
        >>> head = ll.fit_head(y, (y[:, 0] > 0).long())
        >>> rx = ll.alignment.Concepts.from_labels(y, head(y.float()).argmax(1))  # at the receiver
        >>> pilots = ll.alignment.DecisionPilots(x[:42], head(y[:42].float()).argmax(1))
        >>> tx = ll.alignment.Marginal.from_latents(x)
        >>> ll.alignment.FewPairs().fit(pilots.pairs(rx), tx, rx)
        Moments(estimated, as 42 pairs, 8 → 6)
    """

    x: Float[Tensor, "k d"]
    decisions: Int64[Tensor, "k"]
    names: tuple[str, ...] | None

    def __init__(self, x: AnyArray, decisions: AnyLabels, names: Sequence[str] | None = None) -> None:
        latents = as_latents("x", x)
        try:
            numbers, known = as_named_labels(decisions, len(latents), names)
        except ValueError as error:  # which calls decisions labels
            raise ValueError(f"decisions of x: {error}") from error
        for name, value in (("x", latents), ("decisions", numbers.to(latents.device)), ("names", known)):
            object.__setattr__(self, name, value)

    def __len__(self) -> int:
        return len(self.x)

    def _facts(self) -> dict[str, str]:
        classes = len(self.decisions.unique())
        return {"count": f"{len(self)} decisions", "classes": f"{classes} {'class' if classes == 1 else 'classes'}"}

    def pairs(self, rx: Concepts) -> Pilots:
        """Pairs whose y is the mean of the receiver's class, for `FewPairs`.

        Args:
            rx: class means of the receiver.

        Raises:
            ValueError: the receiver has no latents of a class that was decided, or one of both alone has names.
        """
        return Pilots(self.x, means_of(rx, self.decisions, self.names, "decisions"), self.decisions, names=self.names)

    def concepts(self, own: Spread | None = None) -> Concepts:
        """Class means at the transmitter by the receiver's decisions, for `Moments.from_concepts`.

        Args:
            own: the transmitter's own latents, each of which takes the class of the largest share that spreads to it; so covariances and
                means are of them all. Without it, they are of the pilots alone, which have to be many times the dimensions.

        Example:
            >>> import torch, latentlink as ll
            >>> x = torch.randn(500, 8, generator=torch.Generator().manual_seed(0))
            >>> pilots = ll.alignment.DecisionPilots(x[:42], (x[:42, 0] > 0).long())
            >>> pilots.concepts(ll.alignment.Spread(x))
            Concepts(2 classes, 500 latents, 8 dimensions)
        """
        if own is None:
            return Concepts.from_labels(self.x, self.decisions, self.names)
        classes = torch.nn.functional.one_hot(self.decisions).to(own.own.mean)
        decided = taken_for(own.shares(self.x) @ classes)
        reached = decided < classes.shape[1]
        return Concepts.from_labels(own.x[reached], decided[reached], self.names)


def means_of(rx: Concepts, numbers: Int64[Tensor, "k"], names: tuple[str, ...] | None, what: str) -> Float[Tensor, "k m"]:
    """The receiver's class means (k, m) of these classes, found by name where they have names; `what` is named if one is missing."""
    check_instance("rx", rx, Concepts, "alignment.Concepts.from_labels(y, labels) makes them")
    if (names is None) != (rx.names is None):
        raise ValueError(f"{what} and rx must both have names of classes or neither, got names at one alone")
    own = names or tuple(map(str, range(int(numbers.max()) + 1)))
    places = {name: number for number, name in enumerate(rx.names or map(str, range(len(rx.counts))))}
    present = [own[number] for number in numbers.unique().tolist()]
    missing = [name for name in present if name not in places or not int(rx.counts[places[name]])]
    if missing:
        raise ValueError(f"rx must have latents of every class in {what}, got none of class {', '.join(missing)}")
    place = torch.tensor([places.get(name, 0) for name in own], device=rx.means.device)
    return rx.means[place[numbers.to(place.device)]]

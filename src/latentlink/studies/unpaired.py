"""What each end of a study knows by itself, of latents that have no partners; made once for all cells of a pair of devices."""

from collections.abc import Callable
from typing import TypeVar

from torch import Tensor

from latentlink.alignment.spread import Spread
from latentlink.latents.concepts import Concepts
from latentlink.latents.marginal import Marginal
from latentlink.latents.pilots import Pilots
from latentlink.studies.pilots_at import Unpaired
from latentlink.studies.thread_safe_cache import ThreadSafeCache
from latentlink.tasks.heads import LinearHead, decisions

T = TypeVar("T")


def split(candidates: Pilots, unpaired: Unpaired) -> tuple[Pilots, Pilots]:
    """The observations that the transmitter has, and those that the receiver has; pilots are among the former.

    Raises:
        ValueError: halves of a single observation are asked for.
    """
    if unpaired == "all":
        return candidates, candidates
    half = len(candidates) // 2
    if half == 0:
        raise ValueError(f"pilots.unpaired halves needs at least two training observations, got {len(candidates)}")
    return candidates[:half], candidates[half:]


class OwnLatents:
    """Latents of both ends without partners, and what estimators make of them.

    Attributes:
        transmitter: the observations of which the transmitter has x; their y is that of pilots alone.
        receiver: the observations of which the receiver has y.
        head: the receiver's, or None.
    """

    def __init__(self, candidates: Pilots, unpaired: Unpaired, head: LinearHead | None) -> None:
        self.transmitter, self.receiver = split(candidates, unpaired)
        self.head = head
        self._cache = ThreadSafeCache()

    @property
    def marginals(self) -> tuple[Marginal, Marginal]:
        """Count, mean and covariance of all latents at each end."""
        return (
            self._made("tx", lambda: Marginal.from_latents(self.transmitter.x)),
            self._made("rx", lambda: Marginal.from_latents(self.receiver.y)),
        )

    @property
    def concepts(self) -> tuple[Concepts, Concepts]:
        """Class means at each end, by the labels of the data; a ValueError where there are none."""
        return (
            self._made("tx classes", lambda: _concepts(self.transmitter.x, self.transmitter)),
            self._made("rx classes", lambda: _concepts(self.receiver.y, self.receiver)),
        )

    @property
    def decided(self) -> Concepts:
        """Class means at the receiver by the decisions of its head; a ValueError where it has no classifier."""
        return self._made("decided", lambda: Concepts.from_labels(self.receiver.y, self.decide(self.receiver.y)))

    @property
    def spread(self) -> Spread:
        """The graph of neighbours among the transmitter's latents."""
        return self._made("spread", lambda: Spread(self.transmitter.x))

    def decide(self, y: Tensor) -> Tensor:
        """The receiver's decisions on latents y."""
        if self.head is None:
            raise ValueError("the receiver needs a classifier to answer with decisions: give labels")
        return decisions(self.head, y)

    def _made(self, name: str, make: Callable[[], T]) -> T:
        return self._cache.get(name, make)


def _concepts(latents: Tensor, observations: Pilots) -> Concepts:
    return Concepts.from_labels(latents, observations.require_labels(), observations.names)

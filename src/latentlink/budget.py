"""Complexity budgets: what a link may cost, one family for the paper's networks (`Neural`) and the codec (`CodecTraining`).

    budget     what it bounds                                                        served by
    Weights    share of the complex weights of both networks that is left            Neural
    Flops      real operations per message, both devices together                    Neural, CodecTraining
    Latency    microseconds per message, both devices together, on this machine      CodecTraining

A network leaves out single weights, which saves operations; a codec leaves out whole units, which saves time too.
"""

from dataclasses import dataclass

import numpy as np

from latentlink.numerics.doors import integer, real
from latentlink.numerics.reprs import Summarised
from latentlink.numerics.validation import validate_call

__all__ = ["Budget", "Flops", "Latency", "Weights", "named"]


@dataclass(frozen=True)
class Weights(Summarised):
    """At most this share of the complex weights of both networks is left, from half of the epochs on.

    Attributes:
        share: share of the weights that is left, above 0 and at most 1.

    Raises:
        ValueError: share is out of range.

    Example:
        >>> import latentlink as ll
        >>> ll.Neural(budget=ll.budget.Weights(0.05)).budget
        Weights(share=0.05)
    """

    share: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "share", real("share", self.share, above=0.0, most=1.0))


@dataclass(frozen=True)
class Flops(Summarised):
    """At most this many real operations per message, both devices together (`transceiver.flops.total`).

    A codec counts them at a channel of the most symbols that it serves.

    Attributes:
        flops: number of operations, an integer, which may be written as 6e5.

    Raises:
        ValueError: flops is no integer >= 1.

    Example:
        >>> import latentlink as ll
        >>> ll.budget.Flops(6e5)
        Flops(flops=600000)
    """

    flops: float

    def __post_init__(self) -> None:
        flops: object = self.flops
        if isinstance(flops, float | np.floating) and flops.is_integer():
            flops = int(flops)
        object.__setattr__(self, "flops", integer("flops", flops, most=2**63 - 1))


@dataclass(frozen=True)
class Latency(Summarised):
    """At most this much time per message, both devices together, measured on one thread of this machine.

    Attributes:
        microseconds: median time of a message, in microseconds.
        batch: number of messages that are encoded and decoded at a time.

    Raises:
        ValueError: microseconds is not positive and finite, or batch is no integer >= 1.

    Example:
        >>> import latentlink as ll
        >>> ll.CodecTraining(budget=ll.budget.Latency(200.0)).budget
        Latency(microseconds=200.0, batch=1)
    """

    microseconds: float
    batch: int = 1

    def __post_init__(self) -> None:
        object.__setattr__(self, "microseconds", real("microseconds", self.microseconds, above=0.0))
        object.__setattr__(self, "batch", integer("batch", self.batch))


Budget = Weights | Flops | Latency


@validate_call
def named(*, weights: float | None = None, flops: float | None = None, microseconds: float | None = None) -> Budget | None:
    """The budget that the words of a study file or of the command line give, or None.

    Args:
        weights: share of the weights that is left, `Weights`.
        flops: operations per message, `Flops`.
        microseconds: time per message in microseconds, `Latency`.

    Returns:
        The budget, or None where none is given.

    Raises:
        ValueError: there are two of them, or one is out of range.

    Example:
        >>> import latentlink as ll
        >>> ll.budget.named(flops=6e5), ll.budget.named()
        (Flops(flops=600000), None)
    """
    given = {"weights": weights, "flops": flops, "microseconds": microseconds}
    words = [word for word, value in given.items() if value is not None]
    if len(words) > 1:
        raise ValueError(f"{' and '.join(words)} are {len(words)} budgets for the same link: give one of them")
    if weights is not None:
        return Weights(weights)
    if flops is not None:
        return Flops(flops)
    return None if microseconds is None else Latency(microseconds)


def __dir__() -> list[str]:
    return __all__

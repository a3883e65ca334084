"""The power that a link really spends on messages, and the gain that brings it to the budget."""

from typing import Any, Protocol, TypeVar, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from latentlink.channels.channel import Channel
from latentlink.numerics.division import ratio
from latentlink.numerics.doors import real

ENTRIES = 2**24  # symbols held at a time
_CORRECTIONS = 4  # most corrections; more than one where single messages are limited
TOLERANCE = 2e-3  # relative to the budget


@runtime_checkable
class Amplified(Protocol):
    """The part of a transceiver that is needed to measure its power and to change it."""

    @property
    def channel(self) -> Channel:
        """The channel, whose power is the budget."""

    def encode(self, x: Tensor) -> Tensor:
        """Channel symbols (…, n, u, n_tx) of latents x (n, d)."""


@runtime_checkable
class Scalable(Amplified, Protocol):
    """A transceiver whose power is changed without a new design."""

    def scaled(self, factor: Tensor) -> Any:
        """The same at powers times a factor (…)."""


S = TypeVar("S", bound=Scalable)


def mean_power(link: Amplified, x: Float[Tensor, "n d"], channel: Channel, entries: int = ENTRIES) -> Float[Tensor, "*batch"]:
    """Power per channel use (…) over messages x, at most `entries` symbols held at a time."""
    rows = max(1, entries // max(1, channel.batch.numel() * channel.uses * channel.n_tx))
    energy = torch.stack([link.encode(some).abs().square().sum((-3, -2, -1)) for some in x.split(rows)])
    return energy.sum(0) / (len(x) * channel.uses)


def bring_to_budget(link: S, x: Float[Tensor, "n d"], tolerance: float = TOLERANCE) -> S:
    """The link at the gain for which messages x spend the budget; one that sends nothing stays as it is.

    Raises:
        ValueError: its power has to change and cannot be changed without a new design.
    """
    real("tolerance", tolerance, least=0.0)
    for _ in range(_CORRECTIONS):
        spent = mean_power(link, x, link.channel).to(link.channel.power)
        factor = torch.where(spent > 0, ratio(link.channel.power.expand(spent.shape), spent), 1.0)
        if bool(((factor - 1).abs() <= tolerance).all()):
            break
        link = link.scaled(factor)
    return link

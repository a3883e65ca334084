"""What the power budget limits in a codec, in units of the budget of a message (`streams.py`).

On average: the symbols of a channel are scaled by one number, so that calibration latents have as much energy as the linear design's; a
peak limits single messages besides, by clipping. Per message: every message is scaled to the budget.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from latentlink.numerics.division import ratio


@dataclass(frozen=True)
class AveragePower:
    """The mean over messages is limited, and with a peak every message: ||s||² ≤ peak · u·P.

    Attributes:
        peak: ≥ 1; infinite for no limit.

    Raises:
        ValueError: peak is below 1 or not a number.
    """

    peak: float = float("inf")

    def __post_init__(self) -> None:
        if isinstance(self.peak, bool) or not isinstance(self.peak, int | float) or not self.peak >= 1:
            raise ValueError(f"peak must be a number from 1 (a message at the mean budget), got {self.peak!r}")

    @property
    def name(self) -> str:
        """As in `LinearTransceiver.power_limit`."""
        return "mean"

    @property
    def limits_messages(self) -> bool:
        """Whether single messages are limited, so that symbols are no longer linear in the latent anywhere."""
        return self.peak < float("inf")

    def scale(self, spent: Float[Tensor, "*batch"], budget: Float[Tensor, "*batch"]) -> Float[Tensor, "*batch 1 1"]:
        """The factor that brings a mean energy to the budget."""
        return ratio(budget, spent).sqrt()[..., None, None]

    def limit(self, t: Float[Tensor, "*batch n S"]) -> Float[Tensor, "*batch n S"]:
        """Messages above the peak, clipped to it."""
        if self.peak == float("inf"):
            return t
        energy = t.square().sum(-1, keepdim=True)
        return t * ratio(torch.full_like(energy, self.peak), energy).sqrt().clamp(max=1.0)


@dataclass(frozen=True)
class EachMessage:
    """Every message has the energy u·P, as those of the paper's networks have.

    Attributes:
        peak: 1, the energy of a message over the budget.

    Raises:
        ValueError: peak is another number.
    """

    peak: float = 1.0

    def __post_init__(self) -> None:
        if self.peak != 1.0:
            raise ValueError(f"peak must be 1: every message is at the budget, got {self.peak!r}")

    @property
    def name(self) -> str:
        """As in `LinearTransceiver.power_limit`."""
        return "per message"

    @property
    def limits_messages(self) -> bool:
        """They are."""
        return True

    def scale(self, spent: Float[Tensor, "*batch"], budget: Float[Tensor, "*batch"]) -> Float[Tensor, "*batch 1 1"]:
        """1: `limit` does it message by message."""
        return torch.ones_like(spent)[..., None, None]

    def limit(self, t: Float[Tensor, "*batch n S"]) -> Float[Tensor, "*batch n S"]:
        """Messages scaled to the budget; 0 stays 0."""
        energy = t.square().sum(-1, keepdim=True)
        return t * ratio(torch.ones_like(energy), energy).sqrt()


PowerRule = AveragePower | EachMessage

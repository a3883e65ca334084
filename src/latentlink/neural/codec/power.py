"""Power limits in a codec, in units of the energy budget u·P of a message (`streams.py`).

`power.Mean()`: the symbols of a channel are scaled by one number, so that the calibration latents have as much energy as the linear
design's; a peak clips single messages besides. `power.PerMessage()`: every message is scaled to the budget, as those of the paper's
networks are. The limits themselves scale messages (`message_gain`); here is what else a codec has to know of them.
"""

from functools import singledispatch
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from latentlink.numerics.division import ratio
from latentlink.power import Mean, PerMessage, PowerLimit, named


@singledispatch
def mean_scale(limit: PowerLimit, spent: Float[Tensor, "*batch"], budget: Float[Tensor, "*batch"]) -> Float[Tensor, "*batch 1 1"]:
    """The factor on the symbols of a channel that brings their mean energy to the budget, before single messages are limited.

    Args:
        limit: the power limit.
        spent: mean energy of the symbols (…).
        budget: mean energy that they may have (…).

    Raises:
        ValueError: a codec cannot keep this limit.
    """
    raise ValueError(f"power must be Mean(), Mean(peak=...) or PerMessage() in a codec, got {limit!r}: use ClosedForm or Admm for others")


@mean_scale.register
def _(limit: Mean, spent: Tensor, budget: Tensor) -> Tensor:
    return ratio(budget, spent).sqrt()[..., None, None]


@mean_scale.register
def _(limit: PerMessage, spent: Tensor, budget: Tensor) -> Tensor:
    return torch.ones_like(spent)[..., None, None]  # each message is scaled by itself


def limit_messages(limit: PowerLimit, t: Float[Tensor, "*batch n S"]) -> Float[Tensor, "*batch n S"]:
    """Messages t scaled as the limit asks for: clipped to a peak, or set to the budget; a message of 0 stays 0."""
    if not limit.limits_messages:
        return t
    energy = t.square().sum(-1)
    return t * limit.message_gain(energy, torch.ones_like(energy)).unsqueeze(-1)


def limit_facts(limit: PowerLimit) -> dict[str, Any]:
    """The limit in a manifest."""
    return {"power_limit": limit.word, "peak": getattr(limit, "peak", None)}


def limit_from(manifest: dict[str, Any]) -> PowerLimit:
    """The limit of a manifest."""
    return named(manifest["power_limit"], **({} if manifest["peak"] is None else {"peak": manifest["peak"]}))

"""Latents that a codec carries to set its power by and to estimate its error, at any channel."""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from latentlink.linear.modes import SemanticModes
from latentlink.numerics.division import ratio
from latentlink.numerics.parts import Parts


@dataclass(frozen=True, eq=False)
class Calibration(Parts):
    """Latents of some pilots, by which the mean energy of the symbols at a channel is set and the error is estimated.

    Attributes:
        z: coordinates of all k modes (c, k).
        projected: Ψᵀ(y − μy) (c, k).
    """

    z: Float[Tensor, "c k"]
    projected: Float[Tensor, "c k"]

    @classmethod
    def of(cls, modes: SemanticModes, x: Float[Tensor, "c d"], y: Float[Tensor, "c m"]) -> "Calibration":
        """The calibration latents of these pilots, in float32."""
        return cls(modes.coefficients(x).float(), ((y.to(modes.synthesis) - modes.mean_y) @ modes.synthesis).float())


class AtBudget(NamedTuple):
    """What calibration finds for channels (c,), or for one more axis each.

    Attributes:
        scale: κ, which brings the mean energy to the budget (c, 1, 1).
        direct_rx: gains of the linear decoder (c, 1, S).
        gained: by how much the error is below that of the linear design (c,).
        power: mean power relative to the budget (c,).
        energy: E t² of each stream (c, S).
    """

    scale: Tensor
    direct_rx: Tensor
    gained: Tensor
    power: Tensor
    energy: Tensor


def mean_energy(raw: Float[Tensor, "c n S"], direct: Float[Tensor, "c n S"], linear: Float[Tensor, "c"]) -> Float[Tensor, "c"]:
    """Mean energy (c,) of messages, estimated from n of them; the known mean energy of the linear design is a control variate.

    Args:
        raw: symbols (c, n, S).
        direct: symbols of the linear design for the same latents.
        linear: mean energy of the linear design (c,).
    """
    e, f = raw.square().sum(-1), direct.square().sum(-1)
    apart = f - f.mean(-1, keepdim=True)
    slope = ratio((apart * e).sum(-1), apart.square().sum(-1))
    mean = e.mean(-1)
    return torch.maximum(mean - slope * (f.mean(-1) - linear), mean / 2)

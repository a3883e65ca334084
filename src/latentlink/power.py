"""Power limits: what the power budget P limits, one vocabulary for all designs."""

from dataclasses import dataclass
from typing import Any

from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from latentlink.latents.moments import as_pairs


@dataclass(frozen=True)
class Mean:
    """The mean over messages and channel uses is limited: Σ_u E||s_u||² ≤ u·P."""


@dataclass(frozen=True)
class PerUse:
    """Each channel use is limited: E||s_u||² ≤ P. Exact and immediate for block fading, iterative where uses differ.

    Attributes:
        max_iterations: of L-BFGS where uses differ.
        tolerance: gap to the dual bound, relative to the error, that counts as optimal there.

    Raises:
        ValueError: max_iterations is below 1 or the tolerance is negative.
    """

    max_iterations: int = 4000
    tolerance: float = 1e-6

    def __post_init__(self) -> None:
        if self.max_iterations < 1:
            raise ValueError(f"max_iterations must be at least 1, got {self.max_iterations}")
        if not self.tolerance >= 0:
            raise ValueError(f"tolerance must not be negative, got {self.tolerance}")


@dataclass(frozen=True, eq=False)
class PerMessage:
    """Each message is scaled to the whole budget, Σ_u ||s_u||² = u·P, and the decoder refitted to the scaled pilots.

    Attributes:
        x: latents of the pilots at the transmitter (n, d).
        y: latents of the pilots at the receiver (n, m).

    Raises:
        ValueError: x or y is malformed, or they differ in length.
    """

    x: Float[Tensor, "n d"]
    y: Float[Tensor, "n m"]

    def __init__(self, x: Tensor | NDArray[Any], y: Tensor | NDArray[Any]) -> None:
        for name, value in zip("xy", as_pairs(x, y), strict=True):
            object.__setattr__(self, name, value.double())


@dataclass(frozen=True)
class Equal:
    """Every use gets P, which is water-filled within it: what a transmitter does that loads its subcarriers apart. Never better than
    `MeanPower`, nor than the optimum of `PerUsePower`."""


@dataclass(frozen=True)
class OneUseAtATime:
    """As `EqualPower`, and each use takes the next modes in turn, whatever its channel is worth: a message sent symbol by symbol."""


PowerLimit = Mean | PerUse | PerMessage | Equal | OneUseAtATime

"""Which end of a digital link aligns the two latent spaces: what is coded follows from that."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from latentlink.digital.source.latent_code import Coordinates
from latentlink.latents.moments import Moments
from latentlink.latents.pilots import Pilots
from latentlink.linear.modes import SemanticModes


@runtime_checkable
class CodedSide(Protocol):
    """The choice of the coefficients that are coded."""

    def coordinates(self, modes: SemanticModes, pilots: Pilots) -> Coordinates:
        """The coefficients that are coded, given semantic modes and pilots."""


@dataclass(frozen=True)
class AtTransmitter:
    """The transmitter aligns: the semantic modes are coded, which is the Karhunen–Loève transform of what x tells of y (or of a goal)."""

    def coordinates(self, modes: SemanticModes, pilots: Pilots) -> Coordinates:
        """The semantic modes."""
        return Coordinates.of_modes(modes)


@dataclass(frozen=True)
class AtReceiver:
    """The receiver aligns what it has decoded: the principal components of x are coded, which know nothing of y."""

    def coordinates(self, modes: SemanticModes, pilots: Pilots) -> Coordinates:
        """The principal components of x, whitened with the shrinkage of the modes."""
        return Coordinates.of_moments(Moments.from_pairs(pilots.x, pilots.y), modes.shrinkage)

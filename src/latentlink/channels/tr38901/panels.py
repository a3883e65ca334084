"""Antenna arrays of the 3GPP channel models: a panel of elements half a wavelength apart, each with one or two polarisations."""

from dataclasses import dataclass
from typing import Literal, get_args

from latentlink.numerics.doors import choice, integer

Polarisation = Literal["V", "H", "VH", "cross"]
Pattern = Literal["omni", "38.901"]


@dataclass(frozen=True)
class Panel:
    """A uniform rectangular array in the y-z plane (TR 38.901, 7.3).

    Attributes:
        rows: number of elements on top of each other, half a wavelength apart.
        columns: number of elements beside each other, half a wavelength apart.
        polarisation: "V" or "H" (one antenna an element), "VH" or "cross" (two; cross is slanted by ±45°).
        pattern: radiation pattern of each element, "omni" or "38.901" (65° beams, 8 dBi).

    Raises:
        ValueError: naming the attribute that is out of range.
    """

    rows: int = 1
    columns: int = 1
    polarisation: Polarisation = "cross"
    pattern: Pattern = "omni"

    def __post_init__(self) -> None:
        for name in ("rows", "columns"):
            object.__setattr__(self, name, integer(name, getattr(self, name)))
        choice("polarisation", self.polarisation, get_args(Polarisation))
        choice("pattern", self.pattern, get_args(Pattern))

    @property
    def dual(self) -> bool:
        """True where each element has two polarisations."""
        return self.polarisation in ("VH", "cross")

    @property
    def antennas(self) -> int:
        """The number of antennas."""
        return self.rows * self.columns * (2 if self.dual else 1)

    @classmethod
    def linear(cls, antennas: int, pattern: Pattern = "omni", dual: bool | None = None) -> "Panel":
        """Make a row of elements with that many antennas: cross-polarised where the number is even, unless `dual` says otherwise.

        Raises:
            ValueError: there is no antenna, or an odd number of them is to be dual-polarised.
        """
        antennas = integer("antennas", antennas)
        dual = antennas % 2 == 0 if dual is None else dual
        if dual and antennas % 2:
            raise ValueError(f"antennas must be even for two polarisations, got {antennas}")
        return cls(1, antennas // 2 if dual else antennas, "cross" if dual else "V", pattern)

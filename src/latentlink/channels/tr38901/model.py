"""3GPP channel models (TR 38.901) as settings: profile or scenario, radio, antenna arrays, and scale of the channels."""

import json
from dataclasses import asdict, dataclass, field
from typing import Literal, get_args

from latentlink.numerics.doors import choice, integer, real
from latentlink.numerics.expectations import made_by
from latentlink.numerics.reprs import Summarised

Profile = Literal["TDL-A", "TDL-B", "TDL-C", "TDL-D", "TDL-E", "CDL-A", "CDL-B", "CDL-C", "CDL-D", "CDL-E"]
Drop = Literal["UMi", "UMa", "RMa", "InH"]
PROFILES: tuple[Profile, ...] = get_args(Profile)
DROPS: tuple[Drop, ...] = get_args(Drop)
ModelName = Literal[Profile, Drop]
Normalisation = Literal["mean", "each", "path-loss"]
Polarisation = Literal["V", "H", "VH", "cross"]
Pattern = Literal["omni", "38.901"]


@made_by("Panel.linear(8)")
@dataclass(frozen=True)
class Panel(Summarised):
    """A uniform rectangular array in the y-z plane (TR 38.901, 7.3).

    Attributes:
        rows: number of elements on top of each other, half a wavelength apart.
        columns: number of elements beside each other, half a wavelength apart.
        polarisation: "V" or "H" (one antenna an element), "VH" or "cross" (two; cross is slanted by ±45°).
        pattern: radiation pattern of each element, "omni" or "38.901" (65° beams, 8 dBi).

    Raises:
        ValueError: naming the attribute that is out of range.

    Example:
        >>> import latentlink as ll
        >>> ll.tr38901.Panel(rows=2, columns=4).antennas  # two polarisations each
        16
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

        Example:
            >>> import latentlink as ll
            >>> ll.tr38901.Panel.linear(8)
            Panel(rows=1, columns=4, polarisation='cross', pattern='omni')
        """
        antennas = integer("antennas", antennas)
        dual = antennas % 2 == 0 if dual is None else dual
        if dual and antennas % 2:
            raise ValueError(f"antennas must be even for two polarisations, got {antennas}")
        return cls(1, antennas // 2 if dual else antennas, "cross" if dual else "V", pattern)


@dataclass(frozen=True)
class Model(Summarised):
    """A 3GPP channel model with its radio, arrays and scale.

    Attributes:
        model: "TDL-A" … "TDL-E", "CDL-A" … "CDL-E" (profiles, TR 38.901 7.7), or "UMi", "UMa", "RMa", "InH" (drops, 7.5): each channel of
            a drop is one user, uniform over a sector (InH: over the office, served by the nearest site).
        receive: array of the receiver; TDL has no geometry and takes its number of antennas only.
        transmit: array of the transmitter, likewise.
        carrier_hz: carrier frequency in Hz.
        subcarrier_spacing_hz: Δf in Hz.
        delay_spread_s: RMS delay spread in seconds that profiles are scaled to.
        speed_mps: speed of the moving end in m/s, in a random direction.
        direction: "downlink" (the transmitter is the base station) or "uplink".
        correlation: correlation between neighbouring antennas at (transmitter, receiver), exponential; TDL only.
        line_of_sight: True or False for all outdoor users of drops, None as the scenario draws it.
        indoor: share of indoor users (UMi, UMa, RMa), None as the scenario has it.
        normalisation: "mean": E|h|² = gain over entries and channels (without path loss or shadowing; of profiles whose patterns and
            polarisations lose power the mean is measured on 640 channels, to about 1 %). "each": the mean |h|² of every single channel
            is the gain. "path-loss": h as a drop gives it, with path loss and shadowing.
        gain: E|h|² to scale to.

    Raises:
        ValueError: naming the attribute that is out of range, or does not go with the model.

    Example:
        >>> import latentlink as ll
        >>> model = ll.tr38901.Model("CDL-C", receive=ll.tr38901.Panel.linear(4), delay_spread_s=300e-9)
        >>> model.receive.antennas, model.transmit.antennas
        (4, 2)
    """

    model: ModelName
    receive: Panel = field(default_factory=Panel)
    transmit: Panel = field(default_factory=Panel)
    carrier_hz: float = 3.5e9
    subcarrier_spacing_hz: float = 30e3
    delay_spread_s: float = 100e-9
    speed_mps: float = 0.0
    direction: Literal["downlink", "uplink"] = "downlink"
    correlation: tuple[float, float] = (0.0, 0.0)
    line_of_sight: bool | None = None
    indoor: float | None = None
    normalisation: Normalisation = "mean"
    gain: float = 1.0

    def __post_init__(self) -> None:
        choice("model", self.model, (*PROFILES, *DROPS))
        for name in ("carrier_hz", "subcarrier_spacing_hz", "delay_spread_s", "gain"):
            real(name, getattr(self, name), above=0.0)
        real("speed_mps", self.speed_mps, least=0.0)
        choice("direction", self.direction, ("downlink", "uplink"))
        choice("normalisation", self.normalisation, get_args(Normalisation))
        if not isinstance(self.correlation, tuple) or len(self.correlation) != 2:
            raise ValueError(f"correlation must be a tuple of two numbers from 0 to below 1, got {self.correlation!r}")
        for value in self.correlation:
            real("correlation", value, least=0.0, below=1.0)
        if not (self.line_of_sight is None or isinstance(self.line_of_sight, bool)):
            raise ValueError(f"line_of_sight must be True, False or None, got {self.line_of_sight!r}")
        if self.indoor is not None:
            real("indoor", self.indoor, least=0.0, most=1.0)
        drop = self.model in DROPS
        if any(self.correlation) and not self.model.startswith("TDL"):
            raise ValueError(
                f"correlation must be (0, 0) for {self.model}, whose arrays determine it (only TDL takes one), got {self.correlation!r}"
            )
        if not drop and (self.line_of_sight is not None or self.indoor is not None):
            raise ValueError(f"line_of_sight and indoor belong to drops ({', '.join(DROPS)}), not to {self.model}")
        if self.model == "InH" and self.indoor is not None:
            raise ValueError("indoor must be None for InH, where all users are indoors")
        if self.normalisation == "path-loss" and not drop:
            raise ValueError(f"normalisation 'path-loss' needs a drop ({', '.join(DROPS)}); {self.model} has no path loss")

    def identity(self) -> str:
        """Write all settings as JSON: equal settings draw equal channels."""
        return json.dumps(asdict(self), sort_keys=True)

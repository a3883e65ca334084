"""The section `network` of a study: several transmitters or receivers on one band, and a surface between them."""

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from latentlink.studies.section import NotNegative, Positive, Section
from latentlink.studies.spec.plug_in import MaybePlugIn, is_plug_in, source_digest

Scenario = Literal["none", "common", "private", "sensors", "pairs"]
Names = Annotated[tuple[MaybePlugIn, ...], Field(min_length=1)]
Decibels = Annotated[tuple[float, ...], Field(min_length=1)]
_OF_ONE = {"inr_db": ("pairs",), "phase_error_deg": ("sensors",), "sees": ("sensors",), "gains_db": ("common", "private", "pairs")}
_OF_A_SURFACE = ("bits", "direct_db", "element_db")


class NetworkAt(Section):
    """Who is on the band: one transmitter and one receiver (none), or a network."""

    scenario: Scenario = Field(
        "none",
        description="common: one latent for all users; private: a message for each, from one transmitter; sensors: several transmitters "
        "report to one receiver; pairs: each transmitter has a receiver of its own",
    )
    users: Positive = Field(3, description="users, or sensors")
    transmitters: Names | None = Field(None, description="encoders of the transmitters in turn; null: all have encoders.transmitter")
    receivers: Names | None = Field(None, description="encoders of the receivers in turn; null: all have encoders.receiver")
    sees: Literal["whole", "parts"] = Field("whole", description="sensors see whole images, or a strip from top to bottom each")
    gains_db: Decibels | None = Field(None, description="mean gain of each user's channels in turn, relative to channel.gain; null is 0 dB")
    inr_db: float | None = Field(
        None, description="INR of each link between different pairs, as the SNR of a pair's own is snr_db; null makes all as strong"
    )
    phase_error_deg: NotNegative = Field(0.0, description="standard deviation of a phase of each sensor that is not known at design")
    elements: Annotated[int, Field(ge=0, strict=True)] = Field(0, description="elements of a surface that serves all links; 0 is none")
    bits: Annotated[int, Field(ge=1, le=8, strict=True)] | None = Field(None, description="bits of each phase; null is continuous")
    direct_db: float = Field(-10.0, description="gain of the direct paths beside a surface, relative to channel.gain")
    element_db: float = Field(-30.0, description="gain of the path over one element, relative to channel.gain")

    @model_validator(mode="after")
    def _has_what_it_needs(self) -> "NetworkAt":
        usual = type(self).model_fields
        for name, scenarios in _OF_ONE.items():
            if getattr(self, name) != usual[name].default and self.scenario not in scenarios:
                raise ValueError(f"{name} must be left out in scenario {self.scenario}, got {getattr(self, name)!r}: it belongs to "
                                 f"{' and '.join(scenarios)}")  # fmt: skip
        given = [name for name, field in usual.items() if getattr(self, name) != field.default]
        if self.scenario == "none" and given:
            raise ValueError(f"{given[0]} needs scenario common, private, sensors or pairs; a surface on one link is common with users: 1")
        for name in _OF_A_SURFACE:
            if self.elements == 0 and getattr(self, name) != usual[name].default:
                raise ValueError(f"{name} needs a surface: give elements, at least 1")
        one_ended = {"common": "transmitters", "sensors": "receivers"}.get(self.scenario, "")
        if one_ended and len(getattr(self, one_ended) or ()) > 1:
            raise ValueError(f"{one_ended} must name one encoder in scenario {self.scenario}, got {', '.join(getattr(self, one_ended))}")
        return self

    @property
    def present(self) -> bool:
        """True where there is a network."""
        return self.scenario != "none"

    @property
    def one_message(self) -> bool:
        """True where one latent is for all users."""
        return self.scenario == "common"

    @property
    def own_images(self) -> bool:
        """True where every user wants what its own source sees, which no other does."""
        return self.scenario in ("private", "pairs")

    @property
    def sources(self) -> int:
        """The number of latents that are sent."""
        return 1 if self.one_message else self.users

    @property
    def listeners(self) -> int:
        """The number of users that are measured."""
        return 1 if self.scenario == "sensors" else self.users

    @property
    def stations(self) -> int:
        """The number of transmitters."""
        return self.users if self.scenario in ("sensors", "pairs") else 1

    def source_names(self, usual: str) -> tuple[str, ...]:
        """The encoder of each source, `usual` where none is named."""
        named = self.transmitters or (usual,)
        return tuple(named[i % len(named)] for i in range(self.sources))

    def user_names(self, usual: str) -> tuple[str, ...]:
        """The encoder of each user, `usual` where none is named."""
        named = self.receivers or (usual,)
        return tuple(named[k % len(named)] for k in range(self.listeners))

    def gain_db(self, user: int) -> float:
        """The gain of a user's channels."""
        return self.gains_db[user % len(self.gains_db)] if self.gains_db else 0.0

    @property
    def scene(self) -> "NetworkAt":
        """Who sees what, without the radio."""
        if not self.present:
            return NetworkAt.model_validate({})
        return NetworkAt.model_validate(self.model_dump(include={"scenario", "users", "transmitters", "receivers", "sees"}))

    @property
    def columns(self) -> dict[str, Any]:
        """Columns of a result row."""
        if not self.present:
            return {}
        gains = None if self.gains_db is None else ", ".join(f"{self.gain_db(k):g}".replace("-", "−") for k in range(self.users))
        surface = {"bits": self.bits, "direct_db": self.direct_db, "element_db": self.element_db} if self.elements else {}
        own = {name: getattr(self, name) for name, where in _OF_ONE.items() if self.scenario in where and name != "gains_db"}
        return {"scenario": self.scenario, "users": self.users, "user_gains_db": gains, **own, "elements": self.elements, **surface}

    def canonical(self, point: Any) -> dict[str, Any] | None:
        """The values that make a difference, by the digests of own encoders; None without a network."""
        if not self.present:
            return None
        ends = {"sources": self.source_names(point.encoders.transmitter), "listeners": self.user_names(point.encoders.receiver)}
        named = {end: [[name, source_digest(name)] if is_plug_in(name) else name for name in names] for end, names in ends.items()}
        gains = [self.gain_db(k) + 0.0 for k in range(self.users)]
        away = {"transmitters", "receivers", "gains_db", *(() if self.elements else _OF_A_SURFACE)}
        return self.model_dump(mode="json", exclude=away) | (named if point.data.encoded else {}) | {"gains_db": gains}

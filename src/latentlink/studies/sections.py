"""The sections of a study file and of a cell: frozen pydantic models that know every key they may have.

The sections that say where a cell measures are collected in a `Point`; those of their values that make a difference there
(`canonical(point)`) identify a cell.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import BeforeValidator, Field, ValidationInfo, model_validator

from latentlink.linear.csi_names import CsiWord
from latentlink.studies.channel_files import FILE, complete, facts_of
from latentlink.studies.drift_at import DriftAt
from latentlink.studies.latent_files import files_digest
from latentlink.studies.network_at import NetworkAt
from latentlink.studies.pilots_at import PilotsAt
from latentlink.studies.places import NamedPlace, path_of
from latentlink.studies.section import AboveZero, NotNegative, Positive, Section
from latentlink.studies.spec.plug_in import MaybePlugIn, PlugIn, is_plug_in, source_digest


def _is_linear(value: Any) -> Any:
    """A K-factor as it is; one in decibels is refused with the remedy."""
    if isinstance(value, str) or (isinstance(value, int | float) and value < 0):
        raise ValueError(f"must be a number >= 0, linear and not in dB (10 dB is 10, 0 dB is 1, -3 dB is 0.5), got {value!r}")
    return value


KFactor = Annotated[float, BeforeValidator(_is_linear), Field(ge=0)]
Standard = Literal["tdl-a", "tdl-b", "tdl-c", "tdl-d", "tdl-e", "cdl-a", "cdl-b", "cdl-c", "cdl-d", "cdl-e", "umi", "uma", "rma", "inh"]
Fading = Literal["rayleigh", "rician", "kronecker", Standard]


class Data(Section):
    """The source of the observations."""

    dataset: Literal["fashion-mnist", "cifar-10", "digits", "wordnet", "clip-art", "files"] | PlugIn = Field(
        "fashion-mnist",
        description="images, texts (wordnet), images with titles (clip-art), files of latents, or module:attribute of a function that "
        "returns the images or texts of the split train or test",
    )
    folder: NamedPlace | None = Field(
        None,
        description="folder of the data set's archives; for files, of {train,test}-{transmitter,receiver,labels}.npy (or another format). "
        "A relative one is looked for beside the study file, then in the current folder",
    )
    name: str | None = Field(None, min_length=1, description="what reports call the data; null is the data set's own name, or the folder's")
    transmitter: str | None = Field(None, min_length=1, description="what reports call the encoder whose latents are files")
    receiver: str | None = Field(None, min_length=1, description="what reports call the receiver's encoder, likewise")
    train: Positive | None = Field(None, description="number of training observations that may become pilots; null takes all")
    test: Positive | None = Field(4000, description="number of unseen observations to measure with; null takes all")

    @property
    def encoded(self) -> bool:
        """True where the study's encoders encode it: digits have their own, and files hold latents."""
        return self.dataset not in ("digits", "files")

    @property
    def pictured(self) -> bool:
        """True where an encoder sees images, which are scaled."""
        return self.encoded and self.dataset != "wordnet"

    @model_validator(mode="after")
    def _names_what_has_no_name(self) -> "Data":
        for end in ("transmitter", "receiver"):
            if getattr(self, end) is not None and self.dataset != "files":
                raise ValueError(f"{end} names the encoder of files of latents, and dataset is {self.dataset}: see the section encoders")
        return self

    def canonical(self, point: "Point") -> dict[str, Any]:
        """All values but names; files count by their content, wherever they lie."""
        values = self.model_dump(mode="json", exclude={"name", "transmitter", "receiver"}) | {"dataset": identify(self.dataset)}
        return values | ({"folder": files_digest(self.place or Path())} if self.dataset == "files" else {})

    @property
    def place(self) -> Path | None:
        """Where the folder lies; for files the current folder, if none is named."""
        if self.folder is None:
            return Path() if self.dataset == "files" else None
        return Path(path_of(self.folder))


class Encoders(Section):
    """The encoders of the two devices; digits have their own, and files of latents need none."""

    transmitter: MaybePlugIn = Field("efficientnet-lite0", description="encoder at the transmitter: a name, or module:attribute")
    receiver: MaybePlugIn = Field("efficientnet-lite2", description="encoder at the receiver: a name, or module:attribute")
    image_size_px: Positive | None = Field(64, description="side of the square to which images are scaled; null takes the encoder's own")

    def canonical(self, point: "Point") -> dict[str, Any] | None:
        """All values; None where the data bring their own encoders or need none."""
        ends = {"transmitter": identify(self.transmitter), "receiver": identify(self.receiver)}
        size = {} if point.data.pictured else {"image_size_px": None}
        return {**super().canonical(point), **ends, **size} if point.data.encoded else None


class ChannelAt(Section):
    """The radio channel, drawn from a model or read from a file."""

    model: Fading | Literal["file"] | PlugIn = Field(
        "rayleigh", description="flat fading, a 3GPP model on the grid of `ofdm`, or module:attribute of a function that draws channels"
    )
    file: NamedPlace | None = Field(
        None, description="in place of a model: a file (or FILE::KEY, a pattern, a folder of shards) of channels, beside the study file"
    )
    axes: str | None = Field(None, description="of the file: latentlink, matlab, quadriga, deepmimo, sionna, or names such as 'rx tx n'")
    take: Literal["first", "random"] = Field(
        "first", description="of the file's channels, the first `draws` for every seed, or others for each seed"
    )
    normalise: bool = Field(False, description="scale the file's channels so that their mean |h|² is `gain`; else it is what they have")
    gain: AboveZero = Field(1.0, description="mean squared coefficient; the paper's published code has 0.5")
    k_factor: KFactor = Field(1.0, description="K-factor of rician fading, linear and not in dB")
    correlation: float = Field(0.7, ge=0, lt=1, description="correlation of neighbouring antennas at both ends, of kronecker fading")
    antennas: Positive | None = Field(8, description="n_tx = n_rx")
    n_tx: Positive | None = Field(None, description="transmit antennas, where they differ")
    n_rx: Positive | None = Field(None, description="receive antennas, where they differ")
    uses: Positive = Field(
        1, description="channel uses per message: repetitions of one channel matrix, or as many resource elements of `ofdm`"
    )
    draws: Positive = Field(1, description="channel matrices per cell and seed; of a file, all that it has if this is left out")
    clipping_db: float | None = Field(
        None, description="amplifier limit of each transmit antenna, dB above its share P / n_tx of the mean power; null does not clip"
    )

    @model_validator(mode="before")
    @classmethod
    def _has_what_its_file_holds(cls, values: Any, info: ValidationInfo) -> Any:
        return complete(values, (info.context or {}).get("folder")) if isinstance(values, Mapping) else values

    @model_validator(mode="after")
    def _is_complete(self) -> "ChannelAt":
        if self.antennas is None and (self.n_tx is None or self.n_rx is None):
            raise ValueError("antennas is null, so both n_tx and n_rx are needed")
        return self

    @property
    def shape(self) -> tuple[int, int]:
        """(n_rx, n_tx)."""
        return self.n_rx or self.antennas or 1, self.n_tx or self.antennas or 1

    @property
    def standard(self) -> bool:
        """True for a 3GPP model, on OFDM resource elements."""
        return self.model in get_args(Standard)

    def canonical(self, point: "Point") -> dict[str, Any]:
        """Antennas as n_rx and n_tx; parameters only of the fading that has them; a file by the numbers that it holds."""
        n_rx, n_tx = self.shape
        of_one = {"k_factor", "correlation", "take", "normalise"}
        own = {"rician": {"k_factor"}, "kronecker": {"correlation"}, FILE: {"take", "normalise"}}.get(self.model, set())
        values = self.model_dump(mode="json", exclude={"antennas", "file", "axes"} | (of_one - own))
        source = identify(self.model) if self.file is None else facts_of(self.file, self.axes).digest
        return values | {"model": source, "n_rx": n_rx, "n_tx": n_tx}


class OfdmAt(Section):
    """Radio and grid of the 3GPP channel models; flat fading only uses carrier and speed, for the age of estimates."""

    carrier_ghz: AboveZero = Field(3.5, description="carrier frequency")
    delay_spread_ns: AboveZero = Field(100.0, description="RMS delay spread of tdl and cdl; drops have their own")
    speed_kmh: NotNegative = Field(3.0, description="speed of the moving end")
    spacing_khz: AboveZero = Field(30.0, description="subcarrier spacing")
    subcarriers: Positive = Field(624, description="subcarriers of the band that a message may be spread over; 624 are 52 resource blocks")
    slots: Positive = Field(1, description="slots, of 14 symbols each, that a message may be spread over")
    placement: Literal["contiguous", "frequency", "slots"] = Field(
        "frequency", description="a message on neighbouring subcarriers, spread over the band, or spread over the slots"
    )
    polarisation: Literal["single", "dual"] = Field("dual", description="polarisation of both arrays; single for an odd number of antennas")
    pattern: Literal["omni", "38.901"] = Field("omni", description="radiation pattern of the base station's elements")
    normalisation: Literal["mean", "each", "path-loss"] = Field(
        "mean",
        description="normalise the mean gain over all channels, or the gain of each; path-loss keeps path loss and shadowing of a drop",
    )

    def ignored(self, channel: ChannelAt) -> set[str]:
        """Settings that make no difference to a 3GPP model."""
        found = set() if self.placement == "slots" else {"slots"}
        if channel.model.startswith("tdl"):
            found |= {"polarisation", "pattern"}
        if channel.model in ("umi", "uma", "rma", "inh"):
            found |= {"delay_spread_ns"}
        return found

    def canonical(self, point: "Point") -> dict[str, Any] | None:
        """The values on which the channel model, or the age of an estimate, depends."""
        if point.channel.standard:
            return self.model_dump(mode="json", exclude=self.ignored(point.channel))
        return self.model_dump(mode="json", include={"carrier_ghz", "speed_kmh"}) if point.csi.age_s > 0 else None


class CsiAt(Section):
    """Channel state information: which end knows the channel, and how well."""

    known: CsiWord = Field(
        "perfect",
        description="both-ends: the same estimate at both; transmitter: an estimate there, while the receiver measures what it receives; "
        "transmitter-only: the receiver knows the mean gain; receiver-only: the transmitter knows the mean gain; "
        "unaware: designed for H = I without noise, as in the paper",
    )
    estimator: Literal["ls", "lmmse"] = Field("lmmse", description="estimator of the channel from pilots on the grid")
    pilot_snr_db: float | None = Field(None, description="power of a pilot over noise; null puts all power of a channel use on it")
    pilot_spacing: Positive = Field(12, description="subcarriers from one pilot of an antenna to its next, on 3GPP models")
    delay_ms: NotNegative = Field(0.0, description="age of the estimate when it is used, at ofdm.speed_kmh and ofdm.carrier_ghz")
    feedback_bits: Annotated[int, Field(ge=1, le=32, strict=True)] | None = Field(
        None, description="bits for each angle of the precoder that is fed back; null does not quantise"
    )

    @property
    def estimated(self) -> bool:
        """True where an end knows an estimate only."""
        return self.known not in ("perfect", "unaware")

    @property
    def age_s(self) -> float:
        """The age of an estimate when it is used; one of pilots that come with the message has none."""
        return 1e-3 * self.delay_ms if self.estimated and self.known != "receiver-only" else 0.0

    def ignored(self, channel: ChannelAt) -> set[str]:
        """Settings that make no difference."""
        if not self.estimated:
            return {"estimator", "pilot_snr_db", "pilot_spacing", "delay_ms", "feedback_bits"}
        spacing = set() if channel.standard else {"pilot_spacing"}
        return spacing | ({"delay_ms", "feedback_bits"} if self.known == "receiver-only" else set())

    def canonical(self, point: "Point") -> dict[str, Any]:
        """All values that are not `ignored`; where feedback is quantised, also the rule by which its beams are made."""
        values = self.model_dump(mode="json", exclude=self.ignored(point.channel))
        return values | ({"feedback_rule": 2} if values.get("feedback_bits") is not None else {})  # 2: as fed back, without an SVD


class Snr(Section):
    """Signal-to-noise ratio."""

    snr_db: float = Field(20.0, description="SNR in dB; 0 is 0 dB")
    snr_reference: Literal["transmit", "receive"] = Field(
        "transmit", description="transmit: P / (n_tx σ²), the paper's; receive: gain · P / σ², the mean at a receive antenna"
    )

    def canonical(self, point: "Point") -> dict[str, Any]:
        """All values; −0 dB is 0 dB."""
        return super().canonical(point) | {"snr_db": self.snr_db + 0.0}


class Point(Section):
    """The place of a measurement: all of a cell but its method, seed and metrics."""

    data: Data
    encoders: Encoders
    pilots: PilotsAt
    channel: ChannelAt
    ofdm: OfdmAt
    csi: CsiAt
    snr: Snr
    drift: DriftAt
    network: NetworkAt


SECTIONS: dict[str, Any] = {name: field.annotation for name, field in Point.model_fields.items()}


def identify(name: str) -> str | list[str]:
    """A name, and for `module:attribute` also the digest of the module's source."""
    return [name, source_digest(name)] if is_plug_in(name) else name

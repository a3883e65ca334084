"""What a study file and a cell are made of: frozen pydantic sections that know every key they may have."""

import hashlib
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, model_validator

Positive = Annotated[int, Field(ge=1, strict=True)]  # not true, which Python takes for 1
Seed = Annotated[int, Field(ge=0, lt=2**32, strict=True)]
NotNegative = Annotated[float, Field(ge=0)]
AboveZero = Annotated[float, Field(gt=0)]

Standard = Literal["tdl-a", "tdl-b", "tdl-c", "tdl-d", "tdl-e", "cdl-a", "cdl-b", "cdl-c", "cdl-d", "cdl-e", "umi", "uma", "rma", "inh"]
Fading = Literal["rayleigh", "rician", "kronecker", Standard]


class Section(BaseModel):
    """Unknown keys and later changes are errors, and so are numbers that are none."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Data(Section):
    """Where the observations come from."""

    dataset: Literal["fashion-mnist", "cifar-10", "digits", "files"] = Field("fashion-mnist", description="images, or files of latents")
    folder: str | None = Field(
        None, description="of the data set's archives; for files, of {train,test}-{transmitter,receiver,labels}.npy (or another format)"
    )
    train: Positive | None = Field(None, description="first observations of the training set that may be pilots; null takes all")
    test: Positive | None = Field(4000, description="unseen observations to measure with; null takes all")

    @property
    def encoded(self) -> bool:
        """Whether the study's encoders encode it: digits have their own, and files hold latents."""
        return self.dataset not in ("digits", "files")


class Encoders(Section):
    """The two devices' encoders, by name; digits have their own, and files of latents need none."""

    transmitter: str = Field("efficientnet-lite0", description="encoder at the transmitter")
    receiver: str = Field("efficientnet-lite2", description="encoder at the receiver")
    image_size_px: Positive | None = Field(64, description="square to which images are scaled; null takes the encoder's own")


class PilotsAt(Section):
    """Semantic pilots: observations whose latents both devices know."""

    per_class: Positive | None = Field(420, description="pilots of each class (or cluster); null takes the whole training set")
    method: Literal["random", "centroid"] = Field("random", description="which members of a group: any, or those nearest to its mean")
    grouping: Literal["label", "cluster"] = Field("label", description="classes, or clusters of the transmitter's latents")


class ChannelAt(Section):
    """The radio channel."""

    model: Fading = Field("rayleigh", description="flat fading, or a 3GPP model on the grid of `ofdm`")
    gain: AboveZero = Field(0.5, description="mean squared coefficient; 0.5 is that of the paper's published code")
    k_factor: NotNegative = Field(1.0, description="of rician fading, linear")
    correlation: float = Field(0.7, ge=0, lt=1, description="between neighbouring antennas at both ends, of kronecker fading")
    antennas: Positive | None = Field(8, description="n_tx = n_rx")
    n_tx: Positive | None = Field(None, description="transmit antennas, where they differ")
    n_rx: Positive | None = Field(None, description="receive antennas, where they differ")
    uses: Positive = Field(1, description="channel uses per message: over one channel matrix, or as many resource elements of `ofdm`")
    draws: Positive = Field(1, description="channel matrices per cell and seed")
    knowledge: Literal["aware", "unaware"] = Field("aware", description="unaware: designed for H = I without noise, as in the paper")

    clipping_db: float | None = Field(
        None, description="amplifier limit of each transmit antenna, dB above its share P / n_tx of the mean power; null: none"
    )

    @model_validator(mode="after")
    def _complete(self) -> "ChannelAt":
        if self.antennas is None and (self.n_tx is None or self.n_rx is None):
            raise ValueError("antennas is null, so both n_tx and n_rx are needed")
        return self

    @property
    def shape(self) -> tuple[int, int]:
        """(n_rx, n_tx)."""
        return self.n_rx or self.antennas or 1, self.n_tx or self.antennas or 1

    @property
    def standard(self) -> bool:
        """Whether it is a model of 3GPP, on OFDM resource elements."""
        return self.model in get_args(Standard)


class OfdmAt(Section):
    """Radio and grid of the 3GPP channel models; the others take no notice of it."""

    carrier_ghz: AboveZero = Field(3.5, description="carrier frequency")
    delay_spread_ns: AboveZero = Field(100.0, description="RMS, of tdl and cdl; drops have their own")
    speed_kmh: NotNegative = Field(3.0, description="of the moving end")
    spacing_khz: AboveZero = Field(30.0, description="between subcarriers")
    subcarriers: Positive = Field(624, description="of the band that a message may be spread over; 624 are 52 resource blocks")
    slots: Positive = Field(1, description="of 14 symbols that a message may be spread over")
    placement: Literal["contiguous", "frequency", "slots"] = Field(
        "frequency", description="a message on neighbouring subcarriers, spread over the band, or spread over the slots"
    )
    polarisation: Literal["single", "dual"] = Field("dual", description="of both arrays; single for an odd number of antennas")
    pattern: Literal["omni", "38.901"] = Field("omni", description="of the base station's elements")
    normalisation: Literal["mean", "each", "path-loss"] = Field(
        "mean", description="mean gain over all channels, gain of each channel, or as the model gives it with path loss and shadowing"
    )


class CsiAt(Section):
    """Who knows the channel, and how well."""

    known: Literal["perfect", "both-ends", "transmitter", "transmitter-only", "receiver-only", "none"] = Field(
        "perfect",
        description="both-ends: the same estimate at both; transmitter: an estimate there, while the receiver measures what it receives; "
        "transmitter-only: the receiver knows the mean gain; receiver-only: the transmitter knows the mean gain; none: the unaware design",
    )
    estimator: Literal["ls", "lmmse"] = Field("lmmse", description="of the channel from pilots on the grid")
    pilot_snr_db: float | None = Field(None, description="power of a pilot over noise; null: all of a use's power on it")
    pilot_spacing: Positive = Field(12, description="subcarriers from one pilot of an antenna to its next, on 3GPP models")
    delay_ms: NotNegative = Field(0.0, description="age of the estimate when it is used, at ofdm.speed_kmh and ofdm.carrier_ghz")
    feedback_bits: Annotated[int, Field(ge=1, le=32, strict=True)] | None = Field(
        None, description="for each angle of the precoder that is fed back; null: not quantised"
    )


class Snr(Section):
    """Signal-to-noise ratio."""

    snr_db: float = Field(20.0, description="dB; 0 is 0 dB")
    snr_reference: Literal["transmit", "receive"] = Field(
        "transmit", description="transmit: P / (n_tx σ²), the paper's; receive: gain · P / σ², the mean at a receive antenna"
    )


@lru_cache
def files_digest(folder: str | None) -> str:
    """SHA-256 of the latents and labels in a folder: other files are other data, wherever they lie; empty where there are none."""
    digest, place = hashlib.sha256(), Path(folder or ".")
    for path in sorted([*place.glob("train-*"), *place.glob("test-*")]) if place.is_dir() else ():
        with path.open("rb") as file:
            digest.update(f"{path.name} {hashlib.file_digest(file, 'sha256').hexdigest()}\n".encode())
    return digest.hexdigest()

"""The section `drift` of a study: how the transmitter has changed since the link was designed, and what is known of that."""

from typing import Any, Literal

from pydantic import Field, model_validator

from latentlink.data.datasets.changes import CHANGES, Change
from latentlink.studies.pilots_at import Count
from latentlink.studies.section import Positive, Section
from latentlink.studies.spec.plug_in import MaybePlugIn, PlugIn, is_plug_in, source_digest

_WORDS = {"rotated": "rotated {:g}°", "noise": "noise {:g}", "dimmed": "dimmed to {:g}"}


class DriftAt(Section):
    """What has changed at the transmitter since the design; the receiver sees the scene as before."""

    kind: Literal["none"] | Change | PlugIn = Field(
        "none",
        description="of the transmitter's test images: rotated, noise, inverted, dimmed, mirrored, or module:attribute of a function of "
        "uint8 images. Of the test observations the first half is what a repair may learn from, the second half is measured",
    )
    amount: float | None = Field(None, description="degrees of rotated, grey levels of noise, factor of dimmed; null is 30, 20 or 0.5")
    transmitter: MaybePlugIn | None = Field(
        None, description="a new encoder at the transmitter in place of a change of images; a repair may learn from training observations"
    )
    new: Count = Field(0, description="new observations that a repair learns from: pairs, or latents of the transmitter alone")
    alarm_every: Positive | None = Field(
        None, description="messages between two false alarms for which a watch is calibrated, for the metric alarms"
    )

    @model_validator(mode="after")
    def _is_one_change(self) -> "DriftAt":
        if self.transmitter is not None and self.kind != "none":
            raise ValueError(f"kind must be none where transmitter names a new encoder, got {self.kind}")
        if not self.happened and (self.new or self.alarm_every is not None):
            raise ValueError("kind or transmitter must say what has changed where there are new observations or alarms, got neither")
        if self.amount is not None and CHANGES.get(self.kind, (None, None))[1] is None:
            raise ValueError(f"amount goes with kind rotated, noise or dimmed, got {self.amount:g} for {self.kind}")
        if self.kind in ("noise", "dimmed") and self.amount is not None and self.amount < 0:
            raise ValueError(f"amount must be at least 0 for kind {self.kind}, got {self.amount:g}")
        if self.alarm_every is not None and not 10 <= self.alarm_every <= 100_000:
            raise ValueError(f"alarm_every must be from 10 to 100000 messages, as a watch can be calibrated for, got {self.alarm_every}")
        if self.transmitter is not None and self.alarm_every is not None:
            raise ValueError("alarm_every goes with a kind of change: a new encoder is known to its device, and needs no watch")
        return self

    @property
    def happened(self) -> bool:
        """True where anything has changed."""
        return self.kind != "none" or self.transmitter is not None

    @property
    def strength(self) -> float | None:
        """The amount of a change of images, given or usual."""
        return self.amount if self.amount is not None else CHANGES.get(self.kind, (None, None))[1]

    @property
    def words(self) -> str | None:
        """The change in words; None where nothing has changed."""
        if self.transmitter is not None:
            return f"{self.transmitter} at the transmitter"
        if is_plug_in(self.kind):
            return self.kind.partition(":")[2]
        return None if self.kind == "none" else _WORDS.get(self.kind, self.kind).format(self.strength)

    @property
    def columns(self) -> dict[str, Any]:
        """Columns of a result row."""
        if not self.happened:
            return {}
        return {"drift": self.words, "new_observations": self.new, "alarm_every": self.alarm_every}

    @property
    def scene(self) -> "DriftAt":
        """The change alone, without what is known of it."""
        return self.model_copy(update={"new": 0, "alarm_every": None})

    def canonical(self, point: Any) -> dict[str, Any] | None:
        """All values; None where nothing has changed."""
        if not self.happened:
            return None
        named = {
            name: [value, source_digest(value)] if is_plug_in(value) else value
            for name, value in (("kind", self.kind), ("transmitter", self.transmitter or ""))
        }
        return named | {"amount": self.strength, "new": self.new, "alarm_every": self.alarm_every}

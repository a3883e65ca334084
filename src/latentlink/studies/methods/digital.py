"""The digital competitor of a semantic link as a method of studies."""

from typing import ClassVar, Literal

from pydantic import Field, model_validator

from latentlink.channels.channel import Channel
from latentlink.digital.adaptation import BlockError, Genie
from latentlink.digital.design import AtReceiver, AtTransmitter, Digital
from latentlink.digital.source.latent_code import LatentCode
from latentlink.links.solution import Solution
from latentlink.studies.knowledge import PilotKnowledge
from latentlink.studies.methods.method import OnModes, Run
from latentlink.studies.section import AboveZero
from latentlink.studies.sections import Point


class DigitalMethod(OnModes):
    """Transform code, 5G LDPC code and adaptive QAM over the singular vectors; its power is that of coded bits."""

    family: ClassVar[str] = "digital"
    gain_controlled: ClassVar[bool] = False
    name: Literal["digital"] = "digital"
    align: Literal["transmitter", "receiver"] = Field(
        "transmitter", description="what is coded: semantic modes, or principal components that the receiver aligns"
    )
    adaptation: Literal["bler", "genie"] = Field("bler", description="genie: the noise of each message is known in advance, a bound")
    target_bler: AboveZero = Field(0.1, description="block error rate up to which the best block is taken", lt=0.5)

    @model_validator(mode="after")
    def _goal_where_it_counts(self) -> "DigitalMethod":
        if self.align == "receiver" and self.goal != "none":
            raise ValueError(f"goal must be none where align is receiver, whose transmitter codes x as it is, got {self.goal}")
        return self

    def describe(self) -> str:
        aligned = ", aligned after" if self.align == "receiver" else "" if self.goal == "none" else f", {self.kind()}"
        return f"digital{aligned}" + (", genie-aided" if self.adaptation == "genie" else "")

    def check(self, point: Point) -> None:
        if point.csi.known != "perfect":
            raise ValueError(
                f"csi.known must be perfect for digital, whose rates and demappers allow for no error of the channel, got "
                f"{point.csi.known}: give the method `at: {{csi.known: perfect}}` of its own"
            )

    def design(self, known: PilotKnowledge, channel: Channel, run: Run) -> Solution:
        alignment = AtTransmitter() if self.align == "transmitter" else AtReceiver()
        adaptation = BlockError(self.target_bler) if self.adaptation == "bler" else Genie(self.target_bler)
        digital = Digital(alignment=alignment, adaptation=adaptation)
        key = ("digital", self.align, self.goal, self.temperature, self.fidelity, self.widely_linear, self.shrinkage)
        code: LatentCode = known.shared(key, lambda: digital.code(self.modes(known), known.pilots))
        return digital.design(code, channel)

"""Ceilings and floor of accuracy: latents that pass no channel at all."""

from collections.abc import Callable
from typing import ClassVar, Literal

from pydantic import Field
from torch import Tensor

from latentlink.baselines.alignment import unaligned
from latentlink.latents.pilots import Pilots
from latentlink.studies.methods.method import Method
from latentlink.studies.sections import Point
from latentlink.studies.shared import PilotKnowledge


class ReferenceMethod(Method):
    """The receiver's own latents, the transmitter's aligned without a channel, or unaligned."""

    family: ClassVar[str] = "reference"
    gain_controlled: ClassVar[bool] = False
    name: Literal["reference"] = "reference"
    kind: Literal["own", "aligned", "unaligned"] = Field("own", description="the receiver's latents, aligned without a channel, unaligned")

    def describe(self) -> str:
        return {"own": "receiver's latents", "aligned": "aligned, no channel", "unaligned": "unaligned"}[self.kind]

    def check(self, point: Point) -> None:
        """References pass no channel, so that every point will do."""

    def latents(self, known: PilotKnowledge, test: Pilots) -> Tensor:
        """What the receiver's head reads."""
        kinds: dict[str, Callable[[], Tensor]] = {
            "own": lambda: test.y,
            "aligned": lambda: known.modes().align(test.x),
            "unaligned": lambda: unaligned(test.x, test.y.shape[1]),
        }
        return kinds[self.kind]()

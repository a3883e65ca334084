"""The base of all methods of studies: a section of parameters that designs from what is known of the latents.

The power of most methods depends on the latents: it is brought to the budget by what was measured, so that methods are compared at equal
power (`gain_controlled`, see `running/measure.py`).
"""

from collections.abc import Callable, Hashable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor

from latentlink.channels.channel import Channel
from latentlink.latents.pilots import Pilots
from latentlink.linear.modes import SemanticModes
from latentlink.links.solution import Solution
from latentlink.links.status import Status
from latentlink.links.transceiver import Transceiver
from latentlink.neural.training_loop import TrainingProgress
from latentlink.studies.estimators import Answers, Named, words_for
from latentlink.studies.knowledge import GoalName, PilotKnowledge
from latentlink.studies.methods.network_situation import NetworkSituation, Served
from latentlink.studies.network_at import Scenario
from latentlink.studies.network_data import NetworkKnowledge
from latentlink.studies.pilots_at import PilotsAt
from latentlink.studies.repairs import Repair
from latentlink.studies.repairs import words_for as words_of_repair
from latentlink.studies.section import AboveZero, NotNegative, Section
from latentlink.studies.sections import Point, identify
from latentlink.studies.seeding import Draw
from latentlink.studies.shared import ScenarioData
from latentlink.studies.spec.plug_in import PlugIn, is_plug_in


@dataclass(frozen=True)
class Run:
    """One run of a cell.

    Attributes:
        seed: the cell's.
        device: torch device.
        checkpoint: file in which long training stores its state.
        progress: callback of training, called with (epoch, epochs, training loss, validation loss).
    """

    seed: int
    device: torch.device
    checkpoint: Path | None = None
    progress: TrainingProgress | None = None

    def for_channel(self, number: int) -> "Run":
        """The run for one of several channels, with a checkpoint of its own."""
        return replace(self, checkpoint=self.checkpoint and self.checkpoint.with_stem(f"{self.checkpoint.stem}-{number}"))

    def design_seed(self, name: str) -> int:
        """The seed in [0, 2^31) of the random draws (weights, starts, order) of the design of this name."""
        return Draw.DESIGN.seed(self.seed, name)


@dataclass(frozen=True, eq=False)
class Situation:
    """The channels of a cell, and the knowledge of them at both ends.

    Attributes:
        truth: channels that messages pass.
        estimate: knowledge of them when the precoder is designed; `truth` where it is perfect.
        received: knowledge of them at a receiver that measures, when the message comes.
        known: which end knows what, a value of `csi.known`.
        gain: mean squared coefficient, which both ends know.
    """

    truth: Channel
    estimate: Channel
    received: Channel
    known: str
    gain: float

    @property
    def at_design(self) -> Channel:
        """The channels that a design is made for: the estimate, or the channel of a design that knows none."""
        return self.truth.unaware() if self.known == "unaware" else self.estimate

    def __getitem__(self, index: slice) -> "Situation":
        return self._change(lambda channel: channel[index])

    def with_power(self, power: Tensor) -> "Situation":
        """The same channels with another power budget (…)."""
        return self._change(lambda channel: channel.with_power(power))

    def _change(self, change: Callable[[Channel], Channel]) -> "Situation":
        return replace(self, truth=change(self.truth), estimate=change(self.estimate), received=change(self.received))


@dataclass(frozen=True, eq=False)
class Training:
    """A training that cells wait for, by which their time is estimated.

    Attributes:
        key: of trainings that take the same time, on channels of the same size.
        estimated_seconds: measures on a few steps how long it takes.
        untrained_link: makes a link that takes as long to run as the trained one.
        serves_all_channels: whether one training serves the channels of all cells; else each channel has its own.
        is_done: whether an earlier run has stored its result.
    """

    key: Hashable
    estimated_seconds: Callable[[], float]
    untrained_link: Callable[[], Transceiver]
    serves_all_channels: bool = False
    is_done: bool = False


class Method(Section):
    """The base of all methods."""

    family: ClassVar[str] = "exact"
    gain_controlled: ClassVar[bool] = True
    one_channel_at_a_time: ClassVar[bool] = False
    is_trained: ClassVar[bool] = False
    takes_estimators: ClassVar[bool] = False
    scenarios: ClassVar[tuple[Scenario, ...]] = ("none",)
    label: str | None = Field(None, description="its name in tables and figures")

    @property
    def title(self) -> str:
        return self.label or self.describe()

    @property
    def own(self) -> str:
        """The name `module:attribute` of the code outside of the package that it is made with; "" for none."""
        return ""

    @property
    def trusts_estimates(self) -> bool:
        """True where the design uses an estimate of the channel as if it were the channel."""
        return False

    @property
    def silent(self) -> set[str]:
        """Fields that make no difference at their values, which neither rows nor ids of cells mention."""
        return set()

    @property
    def iterations(self) -> int | None:
        """The number of iterations of a network's design that a study asks for, which figures may be drawn against."""
        return None

    def describe(self) -> str:
        """A name made of the parameters that distinguish it."""
        raise NotImplementedError

    def canonical(self, point: Point) -> dict[str, Any]:
        """The parameters that make a difference at a point."""
        return self.model_dump(mode="json", exclude={"label", *self.silent})

    def check(self, point: Point) -> None:
        """Raise ValueError where the method cannot be used at a point."""
        if point.csi.known not in ("perfect", "both-ends", "unaware"):
            name = getattr(self, "name", "")
            raise ValueError(f"csi.known {point.csi.known} needs closed-form, whose decoder is matched to what is received, got {name}")

    def latents(self, known: PilotKnowledge, test: Pilots) -> Tensor | None:
        """The latents that the receiver's head reads of a reference, which passes no channel; None for all that are designed."""
        return None

    def training_for(self, scenario: ScenarioData, at: PilotsAt, seed: int, channel: Channel) -> Training:
        """The training, where there is one, that cells with these pilots, this seed and channels of this size wait for."""
        raise NotImplementedError

    def design(self, known: PilotKnowledge, channel: Channel, run: Run) -> Solution:
        """The design for these channels."""
        raise NotImplementedError

    def design_for(self, known: PilotKnowledge, there: Situation, run: Run) -> Solution:
        """The link that is used, given the knowledge of the channels."""
        solution = self.design(known, there.at_design, run)
        if there.known != "unaware":
            return solution
        status = solution.status.masked_fill(solution.status == Status.OPTIMAL.code, Status.BASELINE.code)
        return replace(solution, status=status, expected_mse=None)  # optimal for another channel, of which alone an error is expected

    def serve(self, known: NetworkKnowledge, there: NetworkSituation, run: Run) -> Served:
        """The links of all users of a network; of methods whose `scenarios` are others than none."""
        raise NotImplementedError

    def expected_mse(self, known: PilotKnowledge, solution: Solution) -> Tensor | None:
        """The error that the design expects; asked for once a cell, however often it was designed."""
        return solution.expected_mse


class OnModes(Method):
    """A method that is designed on semantic modes."""

    goal: GoalName = Field("none", description="what the error is weighted by: plain MSE, the head's logits or its Fisher information")
    temperature: AboveZero = Field(3.0, description="temperature of the Fisher goal")
    fidelity: NotNegative = Field(0.01, description="weight of plain MSE beside a goal")
    widely_linear: bool = Field(True, description="false: complex-linear in the packed latent, as in the paper")
    shrinkage: Literal["auto"] | NotNegative = Field("auto", description="regularisation of the whitening")

    def modes(self, known: PilotKnowledge) -> SemanticModes:
        """The semantic modes that these parameters ask for."""
        return known.modes(self.goal, self.temperature, self.fidelity, self.widely_linear, self.shrinkage)

    def kind(self) -> str:
        """The words that distinguish the modes."""
        if self.goal != "none":
            return "goal-oriented" if self.goal == "fisher" else f"goal-oriented ({self.goal})"
        return "widely linear" if self.widely_linear else "complex-linear"


class OnEstimates(OnModes):
    """A method that needs nothing but semantic modes, from moments of pairs or of an estimator that needs few or none."""

    takes_estimators: ClassVar[bool] = True
    estimator: Named | PlugIn = Field(
        "pairs",
        description="how moments are estimated: pairs takes those of the pilots; others use what each end has for itself "
        "(`pilots.unpaired`), or are module:attribute of a class with the `fit` of `alignment.FewPairs`",
    )
    answers: Answers = Field("latents", description="what the receiver answers for a pilot: its latent, or the class that it decides for")

    repair: Repair = Field(
        "stale",
        description="what is done after a change (`drift`): stale, nothing; recentred and re-encoded from latents of the transmitter; "
        "remembered, kept and fresh from new pairs",
    )

    @property
    def silent(self) -> set[str]:
        usual = {"estimator": "pairs", "answers": "latents", "repair": "stale"}
        return {name for name, value in usual.items() if getattr(self, name) == value}

    @property
    def own(self) -> str:
        return self.estimator if is_plug_in(self.estimator) else ""

    def canonical(self, point: Point) -> dict[str, Any]:
        values = super().canonical(point)
        return values | ({"estimator": identify(self.estimator)} if "estimator" in values else {})

    def modes(self, known: PilotKnowledge) -> SemanticModes:
        wanted = (self.goal, self.temperature, self.fidelity)
        parameters = (*wanted, self.widely_linear, self.shrinkage, self.estimator, self.answers)
        modes = known.modes(*parameters)
        if self.repair == "stale":
            return modes
        key = ("repaired", self.repair, len(known.news.before) if known.news is not None else 0, *parameters)
        return known.shared(key, lambda: known.repaired(self.repair, modes, known.goal(*wanted), self.widely_linear, self.shrinkage))

    def kind(self) -> str:
        return ", ".join(filter(None, (super().kind(), words_for(self.estimator, self.answers), words_of_repair(self.repair))))

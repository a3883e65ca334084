"""What every method of a study is: a section of its parameters that designs from what is known of the latents.

A method whose power depends on the latents is `gain_controlled`, so that methods are compared at equal power (see `studies/measuring.py`).
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor

from latentlink.channels.channel import Channel
from latentlink.linear.modes import SemanticModes
from latentlink.links.solution import Solution
from latentlink.studies.sections import AboveZero, NotNegative, Section
from latentlink.studies.shared import GoalName, Known

Progress = Callable[[int, int, float, float], None]


@dataclass(frozen=True)
class Run:
    """What one run of a cell brings along: its seed, where long training keeps its state, and whom it tells."""

    seed: int
    device: torch.device
    checkpoint: Path | None = None
    progress: Progress | None = None


class Method(Section):
    """What all methods have."""

    family: ClassVar[str] = "exact"
    label: str | None = Field(None, description="what tables and figures call it")

    @property
    def gain_controlled(self) -> bool:
        """Whether its power depends on the latents and is brought to the budget by what was measured."""
        return True

    @property
    def title(self) -> str:
        """What tables and figures call it."""
        return self.label or self.described()

    def described(self) -> str:
        """A name made of what distinguishes it."""
        raise NotImplementedError

    def design(self, known: Known, channel: Channel, run: Run) -> Solution:
        """The design for these channels."""
        raise NotImplementedError

    def expected_mse(self, known: Known, solution: Solution) -> Tensor | None:
        """The error that the design expects, asked for once a cell, however often it was designed."""
        return solution.known_mse


class OnModes(Method):
    """What methods have that are designed on semantic modes."""

    goal: GoalName = Field("none", description="what the error is weighed by: plain MSE, the head's logits or its Fisher information")
    temperature: AboveZero = Field(3.0, description="of the Fisher goal")
    fidelity: NotNegative = Field(0.01, description="share of plain MSE in a goal")
    widely_linear: bool = Field(True, description="false: complex-linear in the packed latent, as in the paper")
    shrinkage: Literal["auto"] | NotNegative = Field("auto", description="regularisation of the whitening")

    def modes(self, known: Known) -> SemanticModes:
        """The semantic modes that these parameters ask for."""
        return known.modes(self.goal, self.temperature, self.fidelity, self.widely_linear, self.shrinkage)

    def kind(self) -> str:
        """What distinguishes the modes."""
        if self.goal != "none":
            return "goal-oriented" if self.goal == "fisher" else f"goal-oriented ({self.goal})"
        return "widely linear" if self.widely_linear else "complex-linear"

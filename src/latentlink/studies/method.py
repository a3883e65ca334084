"""What every method of a study is: a section of its parameters that designs from what is known of the latents.

A method whose power depends on the latents is `gain_controlled`, so that methods are compared at equal power (see `studies/measuring.py`).
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor

from latentlink.channels.channel import Channel
from latentlink.studies.sections import Section
from latentlink.studies.shared import Known
from latentlink.transceiver import Solution

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

    def expected_mse(self, known: Known, solution: Solution) -> Tensor:
        """The error that the design expects, asked for once a cell, however often it was designed."""
        return solution.expected_mse

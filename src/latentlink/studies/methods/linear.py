"""The linear designs as methods of studies: the exact one and the paper's ADMM."""

from collections.abc import Callable
from typing import Any, ClassVar, Literal

from pydantic import Field, model_validator

from latentlink.channels.channel import Channel
from latentlink.linear.admm.constraints import ActiveAntennas, ConstantModulus, SparsePrecoder
from latentlink.linear.admm.design import Admm
from latentlink.linear.csi_cases import CsiCase
from latentlink.linear.csi_names import NAMES as CSI_NAMES
from latentlink.linear.csi_names import named as csi_named
from latentlink.linear.design import ClosedForm
from latentlink.links.solution import Solution
from latentlink.power import AllocatedWord, PowerLimit, ProjectedWord, named
from latentlink.studies.knowledge import PilotKnowledge
from latentlink.studies.methods.method import OnEstimates, Run, Situation
from latentlink.studies.section import AboveZero, NotNegative, Positive
from latentlink.studies.sections import Point
from latentlink.studies.seeding import Draw


class ClosedFormMethod(OnEstimates):
    """The exact linear design."""

    name: Literal["closed-form"] = "closed-form"
    power: AllocatedWord = Field(
        "mean",
        description="what the power limits: its mean, each channel use, each message; equal gives each use the same power, "
        "one-use-at-a-time also sends modes in turn",
    )
    robust: bool = Field(True, description="allow for the error of an estimated channel; false uses the estimate as if it were the channel")

    @property
    def trusts_estimates(self) -> bool:
        return not self.robust

    def describe(self) -> str:
        own = {"mean": "", "equal": ", equal power per use", "one-use-at-a-time": ", one use at a time"}
        design = "linear" if self.power in ("equal", "one-use-at-a-time") else "exact"
        return f"{design}, {self.kind()}{own.get(self.power, f', power {self.power}')}" + ("" if self.robust else ", naive")

    def canonical(self, point: Point) -> dict[str, Any]:
        """`robust` only matters where an estimate is known at design."""
        values = super().canonical(point)
        if point.csi.known not in ("both-ends", "transmitter"):
            values.pop("robust")
        return values

    def check(self, point: Point) -> None:
        if not CSI_NAMES[point.csi.known].takes_every_limit and self.power != "mean":
            raise ValueError(f"power must be mean where csi.known is {point.csi.known}, got {self.power}")

    def design_for(self, known: PilotKnowledge, there: Situation, run: Run) -> Solution:
        """The design for what the transmitter knows, with its expected error on the channels of messages where that is not all."""
        modes, case = self.modes(known), self.csi_case(there, run)
        solution = ClosedForm(power=self.limit(known), csi=case).design(modes, there.estimate)
        return solution if there.known in ("perfect", "unaware") else case.at_reception(solution, modes, there.truth, there.received)

    def limit(self, known: PilotKnowledge) -> PowerLimit:
        """The power limit, with the pilots where its decoder is refitted to them."""
        return named(self.power, **({"x": known.pilots.x, "y": known.pilots.y} if self.power == "per-message" else {}))

    def csi_case(self, there: Situation, run: Run) -> CsiCase:
        """The case of CSI of the study; the channels over which its design averages are the cell's own."""
        return csi_named(there.known, robust=self.robust, gain=there.gain, seed=Draw.LEFT_OPEN.seed(run.seed))


class AdmmMethod(OnEstimates):
    """The paper's biconvex ADMM."""

    family: ClassVar[str] = "admm"
    name: Literal["admm"] = "admm"
    power: ProjectedWord = Field("mean", description="what the power limits")
    constraint: Literal["active-antennas", "sparse", "constant-modulus"] | None = Field(
        None, description="a set of precoders beside the power limit"
    )
    active: Positive | None = Field(None, description="active antennas (active-antennas) or nonzero entries (sparse)")
    rho: AboveZero = Field(1.0, description="penalty, in units of the Lagrange multiplier of power")
    adaptive: bool = Field(False, description="balance the residuals by changing rho")
    max_iterations: Positive = Field(100, description="most iterations; the paper takes 20")
    tolerance: NotNegative = Field(1e-4, description="tolerance of the residuals")
    warm_start: bool = Field(False, description="start at the exact design instead of at random")

    @model_validator(mode="after")
    def _needs_active(self) -> "AdmmMethod":
        counted = self.constraint in ("active-antennas", "sparse")
        if counted and self.active is None:
            raise ValueError(f"active must be an integer >= 1 where constraint is {self.constraint}, got null")
        if not counted and self.active is not None:
            raise ValueError(f"active must be left out where constraint is {self.constraint or 'null'}, got {self.active}")
        return self

    def describe(self) -> str:
        count = "" if self.active is None else f" {self.active}"
        limit = "" if self.power == "mean" else f", power {self.power}"
        return f"ADMM, {self.kind()}{limit}" + ("" if self.constraint is None else f", {self.constraint}{count}")

    def design(self, known: PilotKnowledge, channel: Channel, run: Run) -> Solution:
        sets: dict[str, Callable[[], Any]] = {
            "active-antennas": lambda: ActiveAntennas(self.active),  # type: ignore[arg-type]
            "sparse": lambda: SparsePrecoder(known.moments, self.active),  # type: ignore[arg-type]
            "constant-modulus": lambda: ConstantModulus(known.moments),
        }
        solver = Admm(
            power=named(self.power),
            constraint=None if self.constraint is None else sets[self.constraint](),
            **self.model_dump(include={"rho", "adaptive", "max_iterations", "tolerance", "warm_start"}),
            seed=run.design_seed(self.name),
        )
        return solver.design(self.modes(known), channel)

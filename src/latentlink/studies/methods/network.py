"""The base of all methods of networks: a design of all devices, with a surface between them where the study has one."""

from typing import Any, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor

from latentlink.networks.design import Designed, NetworkDesign
from latentlink.networks.modes import NetworkModes
from latentlink.networks.shared_surface import SharedSurface
from latentlink.networks.solution import NetworkSolution
from latentlink.studies.knowledge import GoalName
from latentlink.studies.methods.method import Method, Run
from latentlink.studies.methods.network_situation import NetworkSituation, Served
from latentlink.studies.network_at import Scenario
from latentlink.studies.network_data import NetworkKnowledge
from latentlink.studies.section import AboveZero, NotNegative
from latentlink.studies.sections import Point
from latentlink.studies.seeding import Draw
from latentlink.surfaces.design import SurfaceDesign

Phases = Literal["semantic", "capacity", "gain", "random", "none"]


class NetworkMethod(Method):
    """A design of networks."""

    family: ClassVar[str] = "network"
    gain_controlled: ClassVar[bool] = False
    goal: GoalName = Field("none", description="what each user's error is weighted by: plain MSE, its head's logits or Fisher information")
    temperature: AboveZero = Field(3.0, description="temperature of the Fisher goal")
    fidelity: NotNegative = Field(0.0, description="weight of plain MSE beside a goal, with which many more coordinates are designed")
    shrinkage: Literal["auto"] | NotNegative = Field("auto", description="regularisation of the whitening")
    phases: Phases = Field(
        "semantic",
        description="phases of a surface: found with the precoders (semantic), for the greatest capacity or gain of a single link, random, "
        "or no surface",
    )

    @property
    def silent(self) -> set[str]:
        return {"phases"} if self.phases == "semantic" else set()

    def canonical(self, point: Point) -> dict[str, Any]:
        return super().canonical(point) | ({"phases": self.phases} if point.network.elements else {"phases": None})

    def check(self, point: Point) -> None:
        network = point.network
        if self.phases != "semantic" and not network.elements:
            raise ValueError(f"phases must be left out without a surface, got {self.phases}: give network.elements")
        if self.phases in ("capacity", "gain") and network.users > 1:
            raise ValueError(f"phases must be semantic, random or none for {network.users} users, got {self.phases}: that is of one link")

    def words(self) -> str:
        """The name of the design."""
        raise NotImplementedError

    def describe(self) -> str:
        goal = "" if self.goal == "none" else ", goal-oriented" if self.goal == "fisher" else f", goal-oriented ({self.goal})"
        surface = {"semantic": "", "random": ", random phases", "none": ", no surface"}.get(self.phases, f", phases for {self.phases}")
        return f"{self.words()}{goal}{surface}"

    def network_design(self, scenario: Scenario) -> NetworkDesign:
        """The design of a scenario."""
        raise NotImplementedError

    def modes(self, known: NetworkKnowledge) -> NetworkModes:
        """The coordinates of the network for the goal."""
        return known.modes(self.goal, self.temperature, self.fidelity, self.shrinkage)

    def serve(self, known: NetworkKnowledge, there: NetworkSituation, run: Run) -> Served:
        """Design for what is known, and give every user its link over what is there."""
        solution = self._designed(known, there)
        return Served.of(solution, there.in_truth(solution.links) if there.turned is not None else None)

    def _designed(self, known: NetworkKnowledge, there: NetworkSituation) -> NetworkSolution:
        modes, design = self.modes(known), self.network_design(there.network.scenario)
        if there.surfaces is None or self.phases == "none":
            return design.design(modes, there.links)
        if self.phases == "semantic" and there.network.users > 1:
            assert isinstance(design, Designed)
            shared = SharedSurface(by=design, bits=there.network.bits)
            return shared.design(modes, there.surfaces, there.snr_db, **there.settings).solution
        return design.design(modes, there.at_phases(self._phases(modes, there)))

    def _phases(self, modes: NetworkModes, there: NetworkSituation) -> Tensor:
        """Phases that are found before the precoders."""
        assert there.surfaces is not None
        surface, bits = there.surfaces[0][0], there.network.bits
        if self.phases in ("semantic", "capacity", "gain"):
            design = SurfaceDesign(objective=self.phases, bits=bits)
            return design.design(modes.pair(0), surface, there.snr_db).phases.double()
        generator = Draw.RANDOM_PHASES.generator(there.seed)
        theta = 2 * torch.pi * torch.rand(*surface.batch, surface.elements, dtype=torch.float64, generator=generator, device="cpu")
        if bits is not None:
            step = 2 * torch.pi / 2**bits
            theta = (theta / step).floor() * step
        return theta.to(surface.direct.device)

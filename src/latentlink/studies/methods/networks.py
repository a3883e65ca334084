"""The designs of networks as methods of studies, and what they are compared with."""

from dataclasses import replace
from typing import Annotated, Any, ClassVar, Literal

import torch
from pydantic import Field

from latentlink.links.status import Status
from latentlink.networks.broadcast import Broadcast
from latentlink.networks.cooperative import Cooperative
from latentlink.networks.coordinates import network_modes
from latentlink.networks.design import Designed, NetworkDesign
from latentlink.networks.fair import Fair
from latentlink.networks.federated import FederatedAdmm
from latentlink.networks.game import SemanticGame
from latentlink.networks.linear_precoding import BlockDiagonal, Slnr
from latentlink.networks.modes import NetworkModes
from latentlink.networks.moments import NetworkMoments
from latentlink.networks.multiple_access import MultipleAccess
from latentlink.networks.reused import ReusedDesign
from latentlink.networks.time_division import TimeDivision
from latentlink.studies.methods.method import Run
from latentlink.studies.methods.network import NetworkMethod
from latentlink.studies.methods.network_situation import NetworkSituation, Served
from latentlink.studies.network_at import Scenario
from latentlink.studies.network_data import NetworkKnowledge
from latentlink.studies.section import AboveZero, Positive
from latentlink.studies.sections import Point

Steps = Annotated[int, Field(ge=0, strict=True)]
_FROM_ONE: tuple[Scenario, ...] = ("common", "private")


def _given(**settings: Any) -> dict[str, Any]:
    """The settings that the study names; the design's own hold for others."""
    return {name: value for name, value in settings.items() if value is not None}


class BroadcastMethod(NetworkMethod):
    """One transmitter for several users."""

    scenarios: ClassVar[tuple[Scenario, ...]] = _FROM_ONE
    name: Literal["broadcast"] = "broadcast"
    starts: Positive | None = Field(None, description="starts of block descent; null: as Broadcast has")
    steps: Steps | None = Field(None, description="iterations of block descent; null: as Broadcast has")
    polish: Steps | None = Field(None, description="steps of L-BFGS after it; null: as Broadcast has")

    @property
    def iterations(self) -> int | None:
        return self.steps

    def words(self) -> str:
        return "broadcast"

    def network_design(self, scenario: Scenario) -> NetworkDesign:
        return Broadcast(**_given(starts=self.starts, steps=self.steps, polish=self.polish))


class FederatedAdmmMethod(NetworkMethod):
    """The published multicast by federated ADMM."""

    family: ClassVar[str] = "admm"
    scenarios: ClassVar[tuple[Scenario, ...]] = ("common",)
    name: Literal["federated-admm"] = "federated-admm"
    rho: AboveZero = Field(0.3, description="penalty")
    rounds: Steps | None = Field(None, description="iterations; null: as FederatedAdmm has")

    @property
    def iterations(self) -> int | None:
        return self.rounds

    def words(self) -> str:
        return f"federated ADMM, ρ {self.rho:g}"

    def network_design(self, scenario: Scenario) -> NetworkDesign:
        return FederatedAdmm(rho=self.rho, **_given(rounds=self.rounds))


class ReusedDesignMethod(NetworkMethod):
    """The closed form of one user, sent to all."""

    family: ClassVar[str] = "baseline"
    scenarios: ClassVar[tuple[Scenario, ...]] = ("common",)
    name: Literal["reused-design"] = "reused-design"
    user: Steps = Field(0, description="whose design it is, from 0")

    def words(self) -> str:
        return f"design of user {self.user + 1} for all"

    def check(self, point: Point) -> None:
        super().check(point)
        if self.user >= point.network.users:
            raise ValueError(f"user must be below network.users, {point.network.users}, got {self.user}")

    def network_design(self, scenario: Scenario) -> NetworkDesign:
        return ReusedDesign(user=self.user)


class TimeDivisionMethod(NetworkMethod):
    """Every user, or every sensor, in uses of its own."""

    family: ClassVar[str] = "baseline"
    scenarios: ClassVar[tuple[Scenario, ...]] = (*_FROM_ONE, "sensors")
    name: Literal["time-division"] = "time-division"
    overheard: bool = Field(False, description="users of one transmitter decode what is sent to others, too")

    def words(self) -> str:
        return "time division" + (", overheard" if self.overheard else "")

    def check(self, point: Point) -> None:
        super().check(point)
        if point.channel.uses < point.network.users:
            raise ValueError(f"channel.uses must be at least network.users, {point.network.users}, got {point.channel.uses}: each has one")

    def network_design(self, scenario: Scenario) -> NetworkDesign:
        return TimeDivision(overheard=self.overheard)


class BlockDiagonalMethod(NetworkMethod):
    """Private messages in the null spaces of the others' channels."""

    family: ClassVar[str] = "baseline"
    scenarios: ClassVar[tuple[Scenario, ...]] = ("private",)
    name: Literal["block-diagonal"] = "block-diagonal"

    def words(self) -> str:
        return "block diagonal"

    def network_design(self, scenario: Scenario) -> NetworkDesign:
        return BlockDiagonal()


class SlnrMethod(NetworkMethod):
    """Private messages by the ratio of signal to leakage and noise."""

    family: ClassVar[str] = "baseline"
    scenarios: ClassVar[tuple[Scenario, ...]] = ("private",)
    name: Literal["slnr"] = "slnr"

    def words(self) -> str:
        return "SLNR"

    def network_design(self, scenario: Scenario) -> NetworkDesign:
        return Slnr()


class MultipleAccessMethod(NetworkMethod):
    """Joint precoders of sensors that report to one receiver."""

    scenarios: ClassVar[tuple[Scenario, ...]] = ("sensors",)
    name: Literal["multiple-access"] = "multiple-access"
    budget: Literal["separate", "sum"] = Field("separate", description="a power budget for each sensor, or one for all")
    starts: Positive | None = Field(None, description="starts of block descent; null: as MultipleAccess has")
    steps: Steps | None = Field(None, description="iterations of block descent; null: as MultipleAccess has")

    @property
    def iterations(self) -> int | None:
        return self.steps

    def words(self) -> str:
        return "joint" + (", one budget" if self.budget == "sum" else "")

    def network_design(self, scenario: Scenario) -> NetworkDesign:
        return MultipleAccess(budget=self.budget, **_given(starts=self.starts, steps=self.steps))


class CooperativeMethod(NetworkMethod):
    """Pairs that want the least sum of errors."""

    scenarios: ClassVar[tuple[Scenario, ...]] = ("pairs",)
    name: Literal["cooperative"] = "cooperative"
    algorithm: Literal["descent", "prices"] = Field("descent", description="block descent, or answers to prices of interference")
    starts: Positive | None = Field(None, description="starts; null: as Cooperative has")
    steps: Steps | None = Field(None, description="iterations; null: as Cooperative has")
    polish: Steps | None = Field(None, description="steps of L-BFGS after them; null: as Cooperative has")

    @property
    def iterations(self) -> int | None:
        return self.steps

    def words(self) -> str:
        return "cooperative" + (", by prices" if self.algorithm == "prices" else "")

    def network_design(self, scenario: Scenario) -> NetworkDesign:
        return Cooperative(method=self.algorithm, **_given(starts=self.starts, steps=self.steps, polish=self.polish))


class GameMethod(NetworkMethod):
    """Selfish pairs."""

    scenarios: ClassVar[tuple[Scenario, ...]] = ("pairs",)
    name: Literal["game"] = "game"
    order: Literal["sequential", "simultaneous"] = Field("sequential", description="one pair after the other, or all at once")
    proper: bool = Field(True, description="proper signalling; widely linear answers do not settle")
    rounds: Positive | None = Field(None, description="most rounds; null: as SemanticGame has")

    @property
    def iterations(self) -> int | None:
        return self.rounds

    def words(self) -> str:
        return "game" + ("" if self.order == "sequential" else ", simultaneous") + ("" if self.proper else ", widely linear")

    def network_design(self, scenario: Scenario) -> NetworkDesign:
        return SemanticGame(order=self.order, proper=self.proper, **_given(rounds=self.rounds))


class FairMethod(NetworkMethod):
    """The least error of the worst user."""

    scenarios: ClassVar[tuple[Scenario, ...]] = (*_FROM_ONE, "pairs")
    name: Literal["fair"] = "fair"
    rounds: Positive | None = Field(None, description="rounds of weights; null: as Fair has")
    starts: Positive = Field(1, description="starts of the design that is made fair")

    @property
    def iterations(self) -> int | None:
        return self.rounds

    def words(self) -> str:
        return "fair"

    def network_design(self, scenario: Scenario) -> NetworkDesign:
        by: Designed = Cooperative(starts=self.starts) if scenario == "pairs" else Broadcast(starts=self.starts)
        return Fair(by=by, **_given(rounds=self.rounds))


class OwnDesignsMethod(NetworkMethod):
    """Every transmitter with the design that it has alone, of pairs with proper signals as in their game; receivers decode what arrives."""

    family: ClassVar[str] = "baseline"
    scenarios: ClassVar[tuple[Scenario, ...]] = ("sensors", "pairs")
    name: Literal["own-designs"] = "own-designs"

    def words(self) -> str:
        return "own designs"

    def check(self, point: Point) -> None:
        super().check(point)
        if point.network.elements:
            raise ValueError("network.elements must be 0 for own-designs, whose devices know of no others, and of no surface")

    def network_design(self, scenario: Scenario) -> NetworkDesign:
        return MultipleAccess(starts=1, steps=0, polish=0)

    def serve(self, known: NetworkKnowledge, there: NetworkSituation, run: Run) -> Served:
        if there.network.scenario == "sensors":
            served = super().serve(known, there, run)
        else:
            alone = SemanticGame().design(self.modes(known), there.apart)  # proper signals, as those of the game are
            served = Served.of(replace(alone, trace={}), there.links)
        settled = served.status != Status.NOTHING_TO_SEND.code  # what pairs are alone, an equilibrium, they are not together
        return replace(served, status=torch.where(settled, Status.BASELINE.code, served.status))


class AloneMethod(NetworkMethod):
    """Every user as if the band and the transmitter were its own: a level, which nobody can pass."""

    family: ClassVar[str] = "baseline"
    scenarios: ClassVar[tuple[Scenario, ...]] = (*_FROM_ONE, "pairs")
    name: Literal["alone"] = "alone"

    def words(self) -> str:
        return "each alone"

    def check(self, point: Point) -> None:
        super().check(point)
        if point.network.elements:
            raise ValueError("network.elements must be 0 for alone, which shares nothing")

    def serve(self, known: NetworkKnowledge, there: NetworkSituation, run: Run) -> Served:
        parts = []
        for k in range(len(known.y)):
            solution = Broadcast().design(self._modes_of(known, k), there.of_pair(k))
            parts.append(Served.of(solution))
        sources = [min(k, len(known.x) - 1) for k in range(len(parts))]
        errors, rest = torch.cat([part.errors for part in parts], -1), torch.cat([part.rest for part in parts])
        links = tuple(part.users[0] for part in parts)
        return Served(links, tuple((i,) for i in sources), errors, rest, parts[0].status, errors.sum(-1))

    def _modes_of(self, known: NetworkKnowledge, k: int) -> NetworkModes:
        """The coordinates of one user and its source alone."""

        def made() -> NetworkModes:
            i = min(k, len(known.x) - 1)
            goal = known.goal(k, self.goal, self.temperature, self.fidelity)
            return network_modes(NetworkMoments.from_pilots([known.x[i]], [known.y[k]]), [goal], shrinkage=self.shrinkage)

        return known.shared(("alone", k, self.goal, self.temperature, self.fidelity, self.shrinkage), made)

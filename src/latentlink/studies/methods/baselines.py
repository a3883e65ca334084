"""The paper's baselines by name, and the disjoint design."""

from collections.abc import Callable
from typing import Any, ClassVar, Literal

from pydantic import Field
from torch import Tensor

from latentlink.baselines.alignment import LeastSquares, Procrustes
from latentlink.baselines.equalisers import MmseEqualiser, SvdEqualiser, ZeroForcing
from latentlink.baselines.linear import Disjoint, EigenK, FirstK
from latentlink.baselines.top_k import TopK
from latentlink.baselines.top_k_transceiver import TopKTransceiver
from latentlink.channels.channel import Channel
from latentlink.latents.pilots import Pilots
from latentlink.links.solution import Solution
from latentlink.studies.methods.method import Method, Run
from latentlink.studies.sections import Positive
from latentlink.studies.shared import PilotKnowledge

_TOP_K_PILOTS = 2048  # most pilots from which Top-K learns how its largest entries are distributed


class _Baseline(Method):
    family: ClassVar[str] = "baseline"
    aligner: Literal["least-squares", "procrustes"] = Field("least-squares", description="map between the two latent spaces")
    equaliser: Literal["svd-mmse", "svd-zf", "zf", "mmse"] = Field(
        "svd-mmse", description="equaliser of the channel; svd precodes by the channel's singular vectors"
    )

    def parts(self, known: PilotKnowledge) -> dict[str, Any]:
        """The alignment, fitted once for all cells that share pilots, and the equaliser."""
        aligners: dict[str, Callable[[], Any]] = {"least-squares": LeastSquares, "procrustes": Procrustes}
        equalisers: dict[str, Callable[[], Any]] = {
            "svd-mmse": SvdEqualiser,
            "svd-zf": lambda: SvdEqualiser("zf"),
            "zf": ZeroForcing,
            "mmse": MmseEqualiser,
        }
        return {"aligner": known.alignment(aligners[self.aligner]()), "equaliser": equalisers[self.equaliser]()}

    def _name(self, name: str) -> str:
        aligner = "" if self.aligner == "least-squares" else f", {self.aligner}"
        return f"{name}{aligner}" if self.equaliser == "svd-mmse" else f"{name}{aligner}, {self.equaliser}"


class _SelectingBaseline(_Baseline):
    align: Literal["after", "before"] = Field("after", description="align at the receiver, after the channel, or at the transmitter")
    k: Positive | None = Field(None, description="real numbers sent; null sends as many as fit")

    def _name(self, name: str) -> str:
        return super()._name(name) + ("" if self.align == "after" else ", aligned before")


class FirstKMethod(_SelectingBaseline):
    """The first K numbers of the latent."""

    name: Literal["first-k"] = "first-k"

    def describe(self) -> str:
        return self._name("First-K")

    def design(self, known: PilotKnowledge, channel: Channel, run: Run) -> Solution:
        return FirstK(k=self.k, align=self.align, **self.parts(known)).design(known.moments, channel)


class TopKMethod(_SelectingBaseline):
    """The K largest numbers of each latent, their places known to the receiver."""

    name: Literal["top-k"] = "top-k"

    def describe(self) -> str:
        return self._name("Top-K")

    def design(self, known: PilotKnowledge, channel: Channel, run: Run) -> Solution:
        return self._top_k(known, False).design(known.moments, channel)

    def expected_mse(self, known: PilotKnowledge, solution: Solution) -> Tensor | None:
        assert isinstance(solution.transceiver, TopKTransceiver)
        return self._top_k(known, True).expected_mse(solution.transceiver, known.moments)

    def _top_k(self, known: PilotKnowledge, expects: bool) -> TopK:
        return TopK(k=self.k, align=self.align, **self.parts(known), pilots=self._pilots(known), expects=expects)

    @staticmethod
    def _pilots(known: PilotKnowledge) -> Pilots:
        """A part of the pilots, which is enough: the power is brought to the budget by what is measured."""
        return known.pilots[:: -(-len(known.pilots) // _TOP_K_PILOTS)]


class EigenKMethod(_Baseline):
    """The strongest K singular directions of the aligner."""

    name: Literal["eigen-k"] = "eigen-k"

    def describe(self) -> str:
        return self._name("Eigen-K")

    def design(self, known: PilotKnowledge, channel: Channel, run: Run) -> Solution:
        return EigenK(**self.parts(known)).design(known.moments, channel)


class DisjointMethod(_Baseline):
    """Alignment, compression and equalisation, each the best without the others."""

    name: Literal["disjoint"] = "disjoint"

    def describe(self) -> str:
        return self._name("disjoint")

    def design(self, known: PilotKnowledge, channel: Channel, run: Run) -> Solution:
        return Disjoint(**self.parts(known)).design(known.moments, channel)

"""The paper's baselines by name, and the disjoint design."""

from collections.abc import Callable
from typing import Any, ClassVar, Literal

from pydantic import Field
from torch import Tensor

from latentlink.baselines.alignment import LeastSquares, Procrustes
from latentlink.baselines.disjoint import Disjoint
from latentlink.baselines.eigen_k import EigenK
from latentlink.baselines.equalisers import MmseEqualiser, SvdEqualiser, ZeroForcing
from latentlink.baselines.first_k import FirstK
from latentlink.baselines.top_k import TopK
from latentlink.baselines.top_k_transceiver import TopKTransceiver
from latentlink.channels.channel import Channel
from latentlink.latents.pilots import Pilots
from latentlink.links.solution import Solution
from latentlink.studies.methods.method import Method, Run
from latentlink.studies.sections import Positive
from latentlink.studies.shared import Known

_TOP_K_PILOTS = 2048  # at most, from which Top-K learns how its largest entries are distributed


class _Baseline(Method):
    family: ClassVar[str] = "baseline"
    aligner: Literal["least-squares", "procrustes"] = "least-squares"
    equalizer: Literal["svd-mmse", "svd-zf", "zf", "mmse"] = Field(
        "svd-mmse", description="svd: precoding by the channel's singular vectors"
    )

    def parts(self, known: Known) -> dict[str, Any]:
        """Alignment, found once for all cells that share pilots, and equaliser."""
        aligners: dict[str, Callable[[], Any]] = {"least-squares": LeastSquares, "procrustes": Procrustes}
        equalizers: dict[str, Callable[[], Any]] = {
            "svd-mmse": SvdEqualiser,
            "svd-zf": lambda: SvdEqualiser("zf"),
            "zf": ZeroForcing,
            "mmse": MmseEqualiser,
        }
        return {"aligner": known.alignment(aligners[self.aligner]()), "equaliser": equalizers[self.equalizer]()}

    def _named(self, name: str) -> str:
        aligner = "" if self.aligner == "least-squares" else f", {self.aligner}"
        return f"{name}{aligner}" if self.equalizer == "svd-mmse" else f"{name}{aligner}, {self.equalizer}"


class _SelectingBaseline(_Baseline):
    align: Literal["after", "before"] = Field("after", description="alignment after the channel, at the receiver, or before it")
    k: Positive | None = Field(None, description="numbers sent; null: as many as fit")

    def _named(self, name: str) -> str:
        return super()._named(name) + ("" if self.align == "after" else ", aligned before")


class FirstKMethod(_SelectingBaseline):
    """The first K numbers of the latent."""

    name: Literal["first-k"] = "first-k"

    def described(self) -> str:
        return self._named("First-K")

    def design(self, known: Known, channel: Channel, run: Run) -> Solution:
        return FirstK(k=self.k, align=self.align, **self.parts(known)).design(known.moments, channel)


class TopKMethod(_SelectingBaseline):
    """The K largest numbers of each latent, their places known to the receiver."""

    name: Literal["top-k"] = "top-k"

    def described(self) -> str:
        return self._named("Top-K")

    def design(self, known: Known, channel: Channel, run: Run) -> Solution:
        return self._top_k(known, False).design(known.moments, channel)

    def expected_mse(self, known: Known, solution: Solution) -> Tensor:
        assert isinstance(solution.transceiver, TopKTransceiver)
        return self._top_k(known, True).expected_mse(solution.transceiver, known.moments)

    def _top_k(self, known: Known, expects: bool) -> TopK:
        return TopK(k=self.k, align=self.align, **self.parts(known), pilots=self._pilots(known), expects=expects)

    @staticmethod
    def _pilots(known: Known) -> Pilots:
        """Some: its power is brought to the budget by what is measured anyway."""
        return known.pilots[:: -(-len(known.pilots) // _TOP_K_PILOTS)]


class EigenKMethod(_Baseline):
    """The strongest K singular directions of the aligner."""

    name: Literal["eigen-k"] = "eigen-k"

    def described(self) -> str:
        return self._named("Eigen-K")

    def design(self, known: Known, channel: Channel, run: Run) -> Solution:
        return EigenK(**self.parts(known)).design(known.moments, channel)


class DisjointMethod(_Baseline):
    """Alignment, compression and equalisation, each the best without the others."""

    name: Literal["disjoint"] = "disjoint"

    def described(self) -> str:
        return self._named("disjoint")

    def design(self, known: Known, channel: Channel, run: Run) -> Solution:
        return Disjoint(**self.parts(known)).design(known.moments, channel)

"""The paper's baselines by name, the disjoint design, and references: ceilings and floor of accuracy, which pass no channel at all."""

from collections.abc import Callable
from typing import Any, ClassVar, Literal

from pydantic import Field
from torch import Tensor

from latentlink.baselines.alignment import LeastSquares, Procrustes, unaligned
from latentlink.baselines.equalisers import MmseEqualiser, SvdEqualiser, ZeroForcing
from latentlink.baselines.first_k_eigen_k import Disjoint, EigenK, FirstK
from latentlink.baselines.top_k import TopK
from latentlink.channels.channel import Channel
from latentlink.latents.pilots import Pilots
from latentlink.links.solution import Solution
from latentlink.studies.knowledge import PilotKnowledge
from latentlink.studies.methods.method import Method, Run
from latentlink.studies.section import Positive
from latentlink.studies.sections import Point

_TOP_K_PILOTS = 2048  # most pilots from which Top-K learns how its largest entries are distributed


class _Baseline(Method):
    family: ClassVar[str] = "baseline"
    kind: ClassVar[type[Any]]
    word: ClassVar[str]
    aligner: Literal["least-squares", "procrustes"] = Field("least-squares", description="map between the two latent spaces")
    equaliser: Literal["svd-mmse", "svd-zf", "zf", "mmse"] = Field(
        "svd-mmse", description="equaliser of the channel; svd precodes by the channel's singular vectors"
    )

    def describe(self) -> str:
        aligner = "" if self.aligner == "least-squares" else f", {self.aligner}"
        return f"{self.word}{aligner}" + ("" if self.equaliser == "svd-mmse" else f", {self.equaliser}")

    def baseline(self, known: PilotKnowledge, **more: Any) -> Any:
        """The design object, with an alignment that is fitted once for all cells that share pilots."""
        aligners: dict[str, Callable[[], Any]] = {"least-squares": LeastSquares, "procrustes": Procrustes}
        equalisers: dict[str, Callable[[], Any]] = {
            "svd-mmse": SvdEqualiser,
            "svd-zf": lambda: SvdEqualiser("zf"),
            "zf": ZeroForcing,
            "mmse": MmseEqualiser,
        }
        settings = self.model_dump(include={"k", "align"})
        return self.kind(aligner=known.alignment(aligners[self.aligner]()), equaliser=equalisers[self.equaliser](), **settings, **more)

    def design(self, known: PilotKnowledge, channel: Channel, run: Run) -> Solution:
        return self.baseline(known).design(known.moments, channel)


class _SelectingBaseline(_Baseline):
    align: Literal["after", "before"] = Field("after", description="align at the receiver, after the channel, or at the transmitter")
    k: Positive | None = Field(None, description="real numbers sent; null sends as many as fit")

    def describe(self) -> str:
        return super().describe() + ("" if self.align == "after" else ", aligned before")


class FirstKMethod(_SelectingBaseline):
    """The first K numbers of the latent."""

    kind: ClassVar[type[Any]] = FirstK
    word: ClassVar[str] = "First-K"
    name: Literal["first-k"] = "first-k"


class TopKMethod(_SelectingBaseline):
    """The K largest numbers of each latent, their places known to the receiver."""

    kind: ClassVar[type[Any]] = TopK
    word: ClassVar[str] = "Top-K"
    name: Literal["top-k"] = "top-k"

    def baseline(self, known: PilotKnowledge, **more: Any) -> Any:
        """The same, measured on a part of the pilots, which is enough: the power is brought to the budget by measurement."""
        some = known.pilots[:: -(-len(known.pilots) // _TOP_K_PILOTS)]
        return super().baseline(known, pilots=some, **{"expects": False, **more})

    def expected_mse(self, known: PilotKnowledge, solution: Solution) -> Tensor | None:
        return self.baseline(known, expects=True).expected_mse(solution.transceiver, known.moments)


class EigenKMethod(_Baseline):
    """The strongest K singular directions of the aligner."""

    kind: ClassVar[type[Any]] = EigenK
    word: ClassVar[str] = "Eigen-K"
    name: Literal["eigen-k"] = "eigen-k"


class DisjointMethod(_Baseline):
    """Alignment, compression and equalisation, each the best without the others."""

    kind: ClassVar[type[Any]] = Disjoint
    word: ClassVar[str] = "disjoint"
    name: Literal["disjoint"] = "disjoint"


class ReferenceMethod(Method):
    """The receiver's own latents, the transmitter's aligned without a channel, or unaligned."""

    family: ClassVar[str] = "reference"
    gain_controlled: ClassVar[bool] = False
    name: Literal["reference"] = "reference"
    kind: Literal["own", "aligned", "unaligned"] = Field("own", description="the receiver's latents, aligned without a channel, unaligned")

    def describe(self) -> str:
        return {"own": "receiver's latents", "aligned": "aligned, no channel", "unaligned": "unaligned"}[self.kind]

    def check(self, point: Point) -> None:
        """Accept every point, since references pass no channel."""

    def latents(self, known: PilotKnowledge, test: Pilots) -> Tensor:
        kinds: dict[str, Callable[[], Tensor]] = {
            "own": lambda: test.y,
            "aligned": lambda: known.modes().align(test.x),
            "unaligned": lambda: unaligned(test.x, test.y.shape[1]),
        }
        return kinds[self.kind]()

"""What two devices know about each other's latents: pilots, what each end has beside them, and the moments and modes that follow."""

import copy
from collections.abc import Callable, Hashable
from typing import Any, Literal, TypeVar

from torch import Tensor

from latentlink.baselines.alignment import Alignment, LeastSquares, Procrustes
from latentlink.latents.moments import Moments
from latentlink.latents.pilots import Pilots
from latentlink.linear.goal import Goal
from latentlink.linear.modes import SemanticModes, semantic_modes
from latentlink.numerics.doors import choice
from latentlink.studies.drift import News
from latentlink.studies.estimators import Answers, Known, estimate
from latentlink.studies.repairs import REPAIRS, Past, Repair
from latentlink.studies.thread_safe_cache import ThreadSafeCache
from latentlink.studies.unpaired import OwnLatents
from latentlink.tasks.heads import LinearHead, SoftmaxHead

GoalName = Literal["none", "fisher", "logits"]
T = TypeVar("T")


class PilotKnowledge:
    """The knowledge of two devices about each other's latents, from their pilots; methods design from it.

    Attributes:
        pilots: latents x (n, d) and y (n, m) of the same observations, with labels or targets where there are any; None where there are
            none, and each end has only what it knows by itself.
        classifier: the receiver's head, fitted to its own training latents, or None where nothing asks for it.
        others: the transmitter's latents (u, d) of observations that are no pilots, or None.
        moments: of the pilots, or of more pairs, of which the pilots are a sample.
        own: latents that each end has without partners, or None.

    Example:
        >>> import torch, latentlink as ll
        >>> x = torch.randn(500, 8, generator=torch.Generator().manual_seed(0))
        >>> known = ll.studies.PilotKnowledge(ll.Pilots(x, x[:, :6].tanh()), classifier=None)
        >>> known.modes()  # computed once
        SemanticModes(6 modes, 8 → 6, MSE, shrinkage ...)
    """

    def __init__(
        self,
        pilots: Pilots | None,
        classifier: LinearHead | None,
        others: Tensor | None = None,
        moments: Moments | None = None,
        own: OwnLatents | None = None,
    ) -> None:
        if pilots is None and own is None:
            raise ValueError("pilots must be Pilots(x, y) where the ends have no latents of their own, got None")
        self._pilots, self.classifier, self.others, self.own = pilots, classifier, others, own
        self._moments = Moments.from_pairs(pilots.x, pilots.y) if moments is None and pilots is not None else moments
        self.news: News | None = None
        self._cache = ThreadSafeCache()

    @property
    def count(self) -> int:
        """The number of pilots."""
        return 0 if self._pilots is None else len(self._pilots)

    @property
    def pilots(self) -> Pilots:
        """The pilots.

        Raises:
            ValueError: there are none.
        """
        if self._pilots is None:
            raise ValueError("this needs pilots, and pilots.count is 0")
        return self._pilots

    @property
    def moments(self) -> Moments:
        """The moments of the pilots, or those that were given.

        Raises:
            ValueError: there are no pilots.
        """
        if self._moments is None:
            raise ValueError("these are moments of pilots, and pilots.count is 0")
        return self._moments

    @property
    def head(self) -> LinearHead:
        """The receiver's classifier or regression.

        Raises:
            ValueError: there is none.
        """
        if self.classifier is None:
            raise ValueError("this needs the receiver's head: give the pilots' labels or targets, or a saved head")
        return self.classifier

    def _softmax(self) -> SoftmaxHead:
        """The head of a goal that is a classifier's."""
        if isinstance(self.head, SoftmaxHead):
            return self.head
        raise ValueError("goal must be logits (the outputs) or none where the receiver's head is a regression, got fisher")

    def shared(self, key: Hashable, make: Callable[[], T]) -> T:
        """A value of another kind that is made of these pilots, once for all cells."""
        return self._cache.get(key, make)

    def alignment(self, aligner: LeastSquares | Procrustes) -> Alignment:
        """The alignment of the two latent spaces, for baselines."""
        return self._cache.get(aligner, lambda: aligner.fit(self.moments.without_rounding()))

    def modes(
        self,
        goal: GoalName | Literal["mse"] = "none",
        temperature: float = 3.0,
        fidelity: float = 0.01,
        widely_linear: bool = True,
        shrinkage: Any = "auto",
        estimator: str = "pairs",
        answers: Answers = "latents",
    ) -> SemanticModes:
        """Return the semantic modes for a goal, which are computed once; "none" and "mse" are both plain MSE.

        The moments are those of the pilots, or those of an estimator, which `studies.estimators` lists.

        Raises:
            ValueError: the goal is none of "none", "mse", "fisher" and "logits", or `semantic_modes` or the estimator refuses the others.
        """
        choice("goal", goal, ("none", "mse", "fisher", "logits"))
        settings = () if goal in ("none", "mse") else (goal, temperature, fidelity)
        source = () if estimator == "pairs" else (estimator, answers)

        def made() -> SemanticModes:
            wanted = self.goal(*settings)
            moments = self.estimated(estimator, answers, wanted) if source else self.moments
            return semantic_modes(moments, wanted, shrinkage, widely_linear)

        return self._cache.get(("modes", *settings, widely_linear, shrinkage, *source), made)

    def with_news(self, news: News) -> "PilotKnowledge":
        """The same with observations after a change at the transmitter, from which a link may be repaired."""
        found = copy.copy(self)
        found.news = news
        return found

    def repaired(self, repair: Repair, modes: SemanticModes, goal: Goal | None, widely_linear: bool, shrinkage: Any) -> SemanticModes:
        """Modes of the past, repaired by the news.

        Raises:
            ValueError: there are no news, or too few.
        """
        if self.news is None:
            raise ValueError(f"repair {repair} needs new observations, and drift.new is 0")
        return REPAIRS[repair](Past(modes, self.moments, goal, self.news, widely_linear, shrinkage))

    def estimated(self, estimator: str, answers: Answers = "latents", goal: Goal | None = None) -> Moments:
        """The moments by an estimator of `studies.estimators`.

        Raises:
            ValueError: the ends have no latents of their own, or the estimator lacks something else.
        """
        if self.own is None:
            raise ValueError(f"estimator {estimator} needs latents that each end has without partners: give own, or pilots.unpaired")
        return estimate(estimator, Known(self.own, self._pilots, answers, goal))

    def goal(self, name: GoalName | Literal["mse"] = "none", temperature: float = 3.0, fidelity: float = 0.01) -> Goal | None:
        """A goal of the receiver, which weighs by all latents that it has; None for plain MSE."""
        if name in ("none", "mse"):
            return None
        y = self.pilots.y if self.own is None else self.own.receiver.y
        if name == "fisher":
            return Goal.fisher(self._softmax(), y, temperature, fidelity)
        return Goal.logits(self.head, y, fidelity)

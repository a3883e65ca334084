"""Estimators of moments by the names that study files have for them: how a design comes to know which x goes with which y.

Each takes what both ends know by themselves, and pilots to which the receiver answers with its latent or with its decision. All end in
moments, from which every method designs as from those of pairs.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from latentlink.alignment.decision_pilots import DecisionPilots
from latentlink.alignment.few_pairs import FewPairs
from latentlink.alignment.published import ParsevalFrame, RelativeRepresentation, WhitenedProcrustes
from latentlink.latents.moments import Moments
from latentlink.latents.pilots import Pilots
from latentlink.linear.goal import Goal
from latentlink.studies.pilots_at import PilotsAt
from latentlink.studies.spec.plug_in import blame, is_plug_in, load_attribute
from latentlink.studies.unpaired import OwnLatents

Answers = Literal["latents", "decisions"]
Named = Literal[
    "pairs", "few-pairs", "spread", "concepts", "concepts-and-pairs", "whitened-procrustes", "parseval-frame", "relative-representation"
]
FEWEST = 2  # pairs of which there is a covariance


@dataclass(frozen=True, eq=False)
class Known:
    """All that an estimator may use.

    Attributes:
        own: latents of both ends without partners.
        pilots: observations that both ends see, or None.
        answers: what the receiver answers for a pilot.
        goal: in whose metric to estimate, or None.
    """

    own: OwnLatents
    pilots: Pilots | None
    answers: Answers
    goal: Goal | None

    @property
    def seen(self) -> Pilots:
        """The pilots; a ValueError where there are none."""
        if self.pilots is None:
            raise ValueError("pilots.count must be at least 1 for an estimator that needs pilots, got 0")
        return self.pilots

    @property
    def pairs(self) -> Pilots:
        """Pilots whose y is what the receiver answered."""
        return self.seen if self.answers == "latents" else self.decided.pairs(self.own.decided)

    @property
    def decided(self) -> DecisionPilots:
        """Pilots with the receiver's decisions."""
        return DecisionPilots(self.seen.x, self.own.decide(self.seen.y))

    def fitted(self, estimator: Any) -> Moments:
        """The moments by an estimator with the `fit` of `FewPairs`."""
        found: Moments = estimator.fit(self.pairs, *self.own.marginals, self.goal)
        return found


def _concepts(known: Known) -> Moments:
    if known.answers == "decisions":  # of the pilots, spread over all that the transmitter has
        return Moments.from_concepts(known.decided.concepts(known.own.spread), known.own.decided, goal=known.goal)
    return Moments.from_concepts(*known.own.concepts, goal=known.goal)


def _concepts_and_pairs(known: Known) -> Moments:
    prior = _concepts(known)
    rest = FewPairs(prior=prior).fit(known.seen, *known.own.marginals)
    return Moments.from_concepts(*known.own.concepts, rest, goal=known.goal)


_FITTED: dict[str, Callable[[Known], Moments]] = {
    "few-pairs": lambda known: known.fitted(FewPairs()),
    "spread": lambda known: known.fitted(FewPairs(known.own.spread)),
    "concepts": _concepts,
    "concepts-and-pairs": _concepts_and_pairs,
    "whitened-procrustes": lambda known: known.fitted(WhitenedProcrustes()),
    "parseval-frame": lambda known: known.fitted(ParsevalFrame()),
    "relative-representation": lambda known: known.fitted(RelativeRepresentation()),
}
WORDS = {
    "few-pairs": "few pairs",
    "spread": "few pairs on a graph",
    "concepts": "class means",
    "concepts-and-pairs": "class means and pairs",
    "whitened-procrustes": "whitened Procrustes",
    "parseval-frame": "Parseval frame",
    "relative-representation": "relative representation",
}


def words_for(estimator: str, answers: Answers) -> str:
    """What the name of a method says of its estimator; "" for plain pairs."""
    name = estimator.partition(":")[2] if is_plug_in(estimator) else WORDS.get(estimator, "")
    return ", ".join(filter(None, (name, "decisions" if answers == "decisions" else "")))


def estimate(estimator: str, known: Known) -> Moments:
    """The moments by the estimator of this name, or of this `module:attribute`: a class or object with the `fit` of `FewPairs`, which
    gives moments or a map (m, d) for `Moments.from_aligner`.

    Raises:
        ValueError: what the estimator needs is missing.
        PlugInError: code outside of the package fails.
    """
    if not is_plug_in(estimator):
        return _FITTED[estimator](known)
    with blame(estimator):
        own = load_attribute(estimator)
        found = (own() if isinstance(own, type) else own).fit(known.pairs, *known.own.marginals, known.goal)
        return found if isinstance(found, Moments) else Moments.from_aligner(found, *known.own.marginals)


def check(estimator: str, answers: Answers, goal: str, at: PilotsAt) -> None:
    """Refuse what an estimator cannot be used with.

    Raises:
        ValueError: it lacks pilots, latents of its own or a goal, or takes no decisions.
    """
    if answers == "decisions" and estimator in ("pairs", "concepts-and-pairs"):
        raise ValueError(f"answers must be latents for estimator {estimator}, got decisions: few-pairs, spread and concepts take them")
    if at.count is not None and at.count < FEWEST and (estimator != "concepts" or answers == "decisions"):
        needs = "which designs from pilots" if answers == "latents" else "where the receiver answers for pilots with decisions"
        raise ValueError(
            f"pilots.count must be at least {FEWEST} for estimator {estimator}, {needs}, got {at.count}: "
            "estimator concepts takes none, from classes that both ends know"
        )
    if estimator != "pairs" and at.unpaired is None:
        raise ValueError(
            f"pilots.unpaired must be all or halves for estimator {estimator}, which needs latents that each end has, got null"
        )
    if estimator == "concepts-and-pairs" and goal == "none":
        raise ValueError(
            "goal must be fisher or logits for estimator concepts-and-pairs, whose pairs fill what the goal leaves open, got none"
        )

"""Repairs of a link whose transmitter has changed, by the names that study files have for them.

Each makes modes from those of the past and from new observations: pairs (remembered, kept, fresh), or latents of the transmitter alone
(recentred, re-encoded).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from latentlink.latents.moments import Moments
from latentlink.linear.goal import Goal
from latentlink.linear.modes import SemanticModes, semantic_modes
from latentlink.living.memory import remember
from latentlink.studies.drift import News
from latentlink.studies.drift_at import DriftAt

Repair = Literal["stale", "recentred", "re-encoded", "remembered", "kept", "fresh"]
_FEWEST = {"stale": 0, "recentred": 2, "re-encoded": 2, "remembered": 6, "kept": 2, "fresh": 2}


@dataclass(frozen=True, eq=False)
class Past:
    """A link before its repair, and what is new.

    Attributes:
        modes: of the past.
        moments: of the past, from which they were made.
        goal: or None.
        news: new observations.
        widely_linear: as the modes are.
        shrinkage: of the whitening.
    """

    modes: SemanticModes
    moments: Moments
    goal: Goal | None
    news: News
    widely_linear: bool
    shrinkage: Any

    def again(self, moments: Moments, shrinkage: Any = None) -> SemanticModes:
        """Modes of other moments for the same goal."""
        return semantic_modes(moments, self.goal, self.shrinkage if shrinkage is None else shrinkage, self.widely_linear)

    @property
    def fresh(self) -> Moments:
        """Moments of the new pairs."""
        return Moments.from_pairs(self.news.pairs.x, self.news.pairs.y)


def _remembered(past: Past) -> SemanticModes:
    memory = remember(past.moments, past.news.pairs.x, past.news.pairs.y, past.goal)
    return past.again(memory.moments, memory.shrinkage)


REPAIRS: dict[str, Callable[[Past], SemanticModes]] = {
    "recentred": lambda past: past.modes.recentred(past.news.pairs.x),
    "re-encoded": lambda past: past.modes.re_encoded(past.news.before, past.news.pairs.x),
    "remembered": _remembered,
    "kept": lambda past: past.again(past.moments + past.fresh),
    "fresh": lambda past: past.again(past.fresh),
}
WORDS = {"re-encoded": "re-encoded", "remembered": "past remembered", "kept": "all of the past kept", "fresh": "new pairs alone"}


def words_for(repair: Repair) -> str:
    """What the name of a method says of its repair; "" for none."""
    return "" if repair == "stale" else WORDS.get(repair, repair)


def check(repair: Repair, drift: DriftAt, estimator: str = "pairs") -> None:
    """Refuse a repair that lacks new observations, or a change to be repaired.

    Raises:
        ValueError: it does.
    """
    if repair != "stale" and not drift.happened:
        raise ValueError(f"drift.kind or drift.transmitter must say what has changed for repair {repair}, got neither")
    if drift.new < _FEWEST[repair]:
        raise ValueError(f"drift.new must be at least {_FEWEST[repair]} for repair {repair}, got {drift.new}")
    if repair in ("remembered", "kept") and estimator != "pairs":
        raise ValueError(f"estimator must be pairs for repair {repair}, which adds new pairs to those of the past, got {estimator}")
    if repair == "re-encoded" and drift.transmitter is None:
        raise ValueError("drift.transmitter must name a new encoder for repair re-encoded, which composes it with the old one, got null")

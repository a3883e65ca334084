from .decision_pilots import DecisionPilots
from .ends import Concepts, Marginal
from .few_pairs import FewPairs
from .pseudo_pairs import pseudo_pairs
from .published import ParsevalFrame, RelativeRepresentation, WhitenedProcrustes
from .spread import Spread

__all__ = [
    "Concepts",
    "DecisionPilots",
    "FewPairs",
    "Marginal",
    "ParsevalFrame",
    "RelativeRepresentation",
    "Spread",
    "WhitenedProcrustes",
    "pseudo_pairs",
]

"""One look for each method, the same in every figure of a report: hue by family, marker and shade within it.

The hues are those of Okabe and Ito and of Tol, which the colour-blind can distinguish; no two methods of a family share a marker, so that
the figures can also be read in grey. A design that does not know the channel is drawn with a dashed line and hollow markers. Methods of
families that the package does not have share one family, in which a method's name says which colour and marker it prefers; they are what a
study of one's own is about, and so are drawn in front of all others, with a line of their own.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from latentlink.report.curves import BOUND, BUDGET, CAPACITY, EXACT, OPTA, REFERENCES, SEPARATION, Curve

Marker = str | tuple[Any, ...]
FAMILIES = ("codec", "exact", "network", "admm", "neural", "digital", "decision", "own", "baseline")
_OWN = "own"  # every family that is none of the others
_COLOURS = {
    "codec": ("#b2182b", "#4d4d4d", "#878787", "#6a3d9a"),
    "exact": ("#0072b2", "#56b4e9", "#7b6fd0", "#00798c", "#edae49", "#d1495b"),
    "network": ("#0072b2", "#56b4e9", "#cc3311", "#7b6fd0", "#00798c", "#edae49"),
    "admm": ("#d55e00", "#f0a35e", "#b5492b"),
    "neural": ("#d986b8", "#882255", "#aa3377"),
    "digital": ("#9a4dff", "#00a9b7", "#8d6e3f"),
    "decision": ("#4daf00", "#2f6d00", "#a4cf5f"),
    "own": ("#c51b7d", "#1b7837", "#332288", "#8c510a", "#01665e", "#e7298a", "#5aae61"),
    "baseline": ("#009e73", "#e69f00", "#999933", "#44aa99", "#a67c52", "#7f9f3f"),
}
_HOURGLASS = ((-1, -1), (1, -1), (-1, 1), (1, 1), (-1, -1))
_BOWTIE = ((-1, -1), (-1, 1), (1, -1), (1, 1), (-1, -1))
_WIDE = ((-1, 0), (0, 0.6), (1, 0), (0, -0.6), (-1, 0))
_CORNERS = (((x, y), (-x, y), (x, -y), (x, y)) for x, y in ((1, 1), (1, -1), (-1, -1), (-1, 1)))
_OF_CORNERS = zip(_CORNERS, ("triangle-ne", "triangle-se", "triangle-sw", "triangle-nw"), strict=True)
_MARKERS: dict[str, dict[Marker, str]] = {  # plotly's word for matplotlib's
    "codec": {"o": "circle", "s": "square", "^": "triangle-up", "D": "diamond"},
    "exact": {"o": "circle", "^": "triangle-up", "s": "square"},
    "network": {"o": "circle", "s": "square", "^": "triangle-up", "D": "diamond", "P": "cross", "X": "x"},
    "admm": {"D": "diamond", "d": "diamond-tall", "8": "octagon"},
    "neural": {"*": "star", "P": "cross", "X": "x"},
    "digital": {(4, 1, 0): "star-diamond", (6, 1, 0): "hexagram", (3, 1, 0): "star-triangle-up"},
    "decision": {(3, 1, 180): "star-triangle-down", (4, 1, 45): "star-square", (4, 2, 45): "x-thin"},
    "own": {_HOURGLASS: "hourglass", _BOWTIE: "bowtie", _WIDE: "diamond-wide", **dict(_OF_CORNERS)},
    "baseline": {"v": "triangle-down", "<": "triangle-left", ">": "triangle-right", "p": "pentagon", "h": "hexagon", "H": "hexagon2"},
}
_USUAL: dict[str, dict[str, int]] = {  # beginnings of labels, the longer one first where one begins the other: their colour and marker
    "codec": {"codec, one network for all": 3, "codec": 0},
    "exact": {
        "exact, goal-oriented": 0,
        "exact, widely linear": 1,
        "exact, complex-linear": 2,
        "goal-oriented": 3,
        "widely linear, MSE": 4,
        "complex-linear, MSE": 5,
        "labels only": 2,
    },
    "network": {"broadcast": 0, "joint": 0, "cooperative": 0, "fair": 1, "game": 2},
    "admm": {"ADMM, complex-linear": 0, "ADMM, widely linear": 1},
    "neural": {"neural, hard thresholds": 0, "neural, soft thresholds": 1, "neural": 2},
    "digital": {"digital": 0},
    "decision": {"decision sent, own labels": 1, "decision sent": 0},
    "baseline": {"Eigen-K": 0, "First-K": 1, "Top-K": 2, "disjoint, procrustes": 3, "disjoint": 4},
}
_WIDTHS = {"codec": 2.0, "exact": 2.0, "network": 2.0, "own": 2.0}
_SIZES = {"digital": 1.5, "decision": 1.5, "own": 1.5}  # stars and narrow shapes have little area
SOLID = ("-", "solid")
BROKEN = ((0, (3, 1.5)), "dash")
CHAIN = ((0, (7, 1.2, 1.2, 1.2, 1.2, 1.2)), "14px,3px,3px,3px,3px,3px")  # of own methods


@dataclass(frozen=True)
class Look:
    """The look of a line.

    Attributes:
        colour: of line, marks and band; "" is the ink of the page.
        width: in points.
        dash: matplotlib's and plotly's word for it.
        marker: matplotlib's; "" is none.
        symbol: plotly's.
        size: of the marks, relative to most.
        hollow: whether marks are empty.
        steps: whether the line is a staircase.
        front: whether it is drawn in front of all others.
    """

    colour: str
    width: float
    dash: tuple[Any, str] = SOLID
    marker: Marker = ""
    symbol: str = "circle"
    size: float = 1.0
    hollow: bool = False
    steps: bool = False
    front: bool = False


INK_LOOKS = {
    EXACT: Look("", 2.4),
    OPTA: Look("", 1.2, ("-.", "dashdot")),
    SEPARATION: Look("", 1.2, ((0, (5, 1.5, 1, 1.5, 1, 1.5)), "8px,3px,2px,3px,2px,3px")),
    BOUND: Look("", 1.4, ((0, (8, 2, 1.5, 2)), "10px,3px,2px,3px")),
    CAPACITY: Look("", 1.3, ((0, (6, 1.5)), "longdash")),
    BUDGET: Look("", 0.7, steps=True),
    REFERENCES[0]: Look("", 0.9),
    REFERENCES[1]: Look("", 0.9, ("--", "dash")),
    REFERENCES[2]: Look("", 1.2, (":", "dot")),
}


def assign_looks(curves: Iterable[Curve]) -> dict[str, Look]:
    """Assign a look to every label: always the same to the usual methods, to others the next that is free in their family."""
    families: dict[str, set[str]] = {}
    for curve in curves:
        if curve.family != "limit":
            families.setdefault(_find_family(curve), set()).add(curve.label)
    return {label: _make_look(family, slot) for family, labels in families.items() for label, slot in _choose_slots(family, labels).items()}


def find_look(curve: Curve, looks: dict[str, Look]) -> Look:
    """Find the look of a curve: its method's, broken and hollow where the channel is unknown, or that of a limit."""
    if curve.family == "limit":
        return INK_LOOKS[curve.label]
    look = looks[curve.label]
    return replace(look, width=0.7 * look.width, dash=BROKEN, hollow=True) if curve.is_unaware else look


def look_of(family: str, label: str) -> Look:
    """The look of a method by its family and its label, as it has alone in a figure."""
    return _make_look(family, _choose_slots(family, {label})[label])


def _find_family(curve: Curve) -> str:
    return curve.family if curve.family in FAMILIES else _OWN


def _choose_slots(family: str, labels: set[str]) -> dict[str, int]:
    """Choose colour and marker of each label: usual methods have their own, others one that is left, and more when all are taken.

    Own methods look for a free one from that which the label prefers, others from the first.
    """
    chosen: dict[str, int] = {}
    for label in sorted(labels):
        slot = next((slot for beginning, slot in _USUAL.get(family, {}).items() if label.startswith(beginning)), None)
        if slot is not None and slot not in chosen.values():
            chosen[label] = slot
    count = len(_MARKERS[family])
    for label in sorted(labels - set(chosen)):
        first = int.from_bytes(hashlib.sha256(label.encode()).digest()[:4]) if family == _OWN else 0
        free = [slot for step in range(count) if (slot := (first + step) % count) not in chosen.values()]
        chosen[label] = free[0] if free else max(chosen.values()) + 1
    return chosen


def _make_look(family: str, slot: int) -> Look:
    colours, markers = _COLOURS[family], list(_MARKERS[family].items())
    marker, symbol = markers[(slot + slot // len(colours)) % len(markers)]  # a colour that comes again has another marker
    colour = colours[slot % len(colours)]
    own = family == _OWN
    dash = CHAIN if own else SOLID
    return Look(colour, _WIDTHS.get(family, 1.3), dash, marker=marker, symbol=symbol, size=_SIZES.get(family, 1.0), front=own)


def sort_curves(curves: Iterable[Curve]) -> list[Curve]:
    """Sort curves by family and name, the usual methods first, those that know the channel before those that do not."""

    def rank(curve: Curve) -> tuple[int, int, str, bool]:
        usual = _USUAL.get(curve.family, {})
        place = next((number for number, beginning in enumerate(usual) if curve.label.startswith(beginning)), len(usual))
        return FAMILIES.index(_find_family(curve)), place, curve.label, curve.is_unaware

    return sorted(curves, key=rank)

"""One look for each method, the same in every figure of a report: hue by family, marker and shade within it.

The hues are those of Okabe and Ito and of Tol, which the colour-blind tell apart; no two methods of a family share a marker, so the
figures can also be read in grey. A design that does not know the channel is broken and has hollow markers.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from latentlink.report.curves import BUDGET, CAPACITY, EXACT, OPTA, REFERENCES, SEPARATION, Curve, Level

Marker = str | tuple[int, int, int]
FAMILIES = ("codec", "exact", "admm", "neural", "digital", "baseline")
_COLOURS = {
    "codec": ("#b2182b", "#4d4d4d", "#878787"),
    "exact": ("#0072b2", "#56b4e9", "#7b6fd0"),
    "admm": ("#d55e00", "#f0a35e", "#b5492b"),
    "neural": ("#d986b8", "#882255", "#aa3377"),
    "digital": ("#9a4dff", "#00a9b7", "#8d6e3f"),
    "baseline": ("#009e73", "#e69f00", "#999933", "#44aa99", "#a67c52", "#7f9f3f"),
}
_MARKERS: dict[str, tuple[tuple[Marker, str], ...]] = {  # matplotlib, plotly
    "codec": (("o", "circle"), ("s", "square"), ("^", "triangle-up")),
    "exact": (("o", "circle"), ("^", "triangle-up"), ("s", "square")),
    "admm": (("D", "diamond"), ("d", "diamond-tall"), ("8", "octagon")),
    "neural": (("*", "star"), ("P", "cross"), ("X", "x")),
    "digital": (((4, 1, 0), "star-diamond"), ((6, 1, 0), "hexagram"), ((3, 1, 0), "star-triangle-up")),
    "baseline": (
        ("v", "triangle-down"),
        ("<", "triangle-left"),
        (">", "triangle-right"),
        ("p", "pentagon"),
        ("h", "hexagon"),
        ("H", "hexagon2"),
    ),
}
_USUAL = {
    "codec": ("codec",),
    "exact": ("exact, goal-oriented", "exact, widely linear", "exact, complex-linear"),
    "admm": ("ADMM, complex-linear", "ADMM, widely linear"),
    "neural": ("neural, hard thresholds", "neural, soft thresholds", "neural"),
    "digital": ("digital",),
    "baseline": ("Eigen-K", "First-K", "Top-K", "disjoint, procrustes", "disjoint"),
}  # the longer name first where one begins the other
_WIDTHS = {"codec": 2.0, "exact": 2.0}
_SIZES = {"digital": 1.5}  # stars have little area
LINES: dict[str, tuple[Any, str, float]] = {  # matplotlib, plotly, strength; drawn in the ink of the page
    EXACT: ("-", "solid", 2.4),
    OPTA: ("-.", "dashdot", 1.2),
    SEPARATION: ((0, (5, 1.5, 1, 1.5, 1, 1.5)), "8px,3px,2px,3px,2px,3px", 1.2),
    CAPACITY: ("-.", "dashdot", 1.2),
    BUDGET: ("-", "solid", 0.7),
    REFERENCES[0]: ("-", "solid", 0.9),
    REFERENCES[1]: ("--", "dash", 0.9),
    REFERENCES[2]: (":", "dot", 1.2),
}


@dataclass(frozen=True)
class Look:
    """How a method is drawn; `marker` is matplotlib's, `symbol` plotly's, `width` in points, `size` relative to most markers."""

    colour: str
    marker: Marker
    symbol: str
    width: float
    size: float = 1.0


def looks(curves: Iterable[Curve]) -> dict[str, Look]:
    """A look for every label; the usual methods always have the same one, others take the next that is free in their family."""
    families = {curve.label: curve.family if curve.family in FAMILIES else "baseline" for curve in curves if curve.family != "limit"}
    taken: dict[str, set[int]] = {family: set() for family in FAMILIES}
    chosen: dict[str, int] = {}
    for label in sorted(families):  # the usual ones first, whatever is free goes to the others
        usual = _USUAL[families[label]]
        slot = next((number for number, name in enumerate(usual) if label.startswith(name)), None)
        if slot is not None and slot not in taken[families[label]]:
            chosen[label] = slot
            taken[families[label]].add(slot)
    for label in sorted(set(families) - set(chosen)):
        family = families[label]
        count = len(_MARKERS[family])
        free = [slot for slot in range(count) if slot not in taken[family]]
        chosen[label] = free[0] if free else len(taken[family])
        taken[family].add(chosen[label])
    return {label: _look(families[label], slot) for label, slot in chosen.items()}


def _look(family: str, slot: int) -> Look:
    colours, markers = _COLOURS[family], _MARKERS[family]
    marker, symbol = markers[(slot + slot // len(colours)) % len(markers)]  # a colour that comes again has another marker
    return Look(colours[slot % len(colours)], marker, symbol, _WIDTHS.get(family, 1.3), _SIZES.get(family, 1.0))


def in_order(curves: Iterable[Curve]) -> list[Curve]:
    """Exact designs first, then by family and name, those that know the channel first."""

    def rank(curve: Curve) -> tuple[int, int, str, bool]:
        family = FAMILIES.index(curve.family) if curve.family in FAMILIES else len(FAMILIES)
        usual: Sequence[str] = _USUAL.get(curve.family, ())
        place = next((number for number, name in enumerate(usual) if curve.label.startswith(name)), len(usual))
        return family, place, curve.label, curve.knowledge == "unaware"

    return sorted(curves, key=rank)


def with_value(level: Level) -> str:
    """What a legend says of a level."""
    return f"{level.label} ({level.value:.3f})"


def reading_limit(values: Sequence[float]) -> float:
    """Top of an NMSE axis: what exceeds 1.25 is worse than sending nothing and would only flatten the rest."""
    return min(1.25, 1.08 * max(values, default=1.0))

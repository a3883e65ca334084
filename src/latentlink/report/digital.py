"""Where digital links win: the points at which one of them is better than every analogue method, in words.

Better means by more than the interval: the lower end of its interval of accuracy lies above the upper end of every analogue one's (of NMSE
the other way round). A mean without an interval is taken as it stands. What is not comparable, because no analogue method was measured at a
point, is no victory.
"""

from dataclasses import dataclass

import polars as pl

from latentlink.report.arrange import arranged
from latentlink.report.curves import Curve, Point, curves
from latentlink.report.look.palette import in_order
from latentlink.report.look.wording import panel_title
from latentlink.report.tables import key_of, where

DIGITAL = "digital"
_VALUES = {"accuracy": ("accuracy", True), "nmse": ("NMSE", False)}  # column: in words, the best is the largest


@dataclass(frozen=True)
class DigitalWins:
    """What is said of it: `text` first, then a line for each point. Without a digital method the text is empty."""

    text: str
    lines: tuple[str, ...] = ()


def digital_wins(rows: pl.DataFrame, axis: str) -> DigitalWins:
    """Compare the digital methods with all others at every point along an axis."""
    genie = pl.col("parameters").str.contains('"adaptation":"genie"', literal=True).fill_null(False)  # a bound, no link
    rows = rows.filter(~genie) if "parameters" in rows.columns else rows
    if not arranged(rows, axis).links["family"].eq(DIGITAL).any():
        return DigitalWins("")
    lines, compared = [], 0
    for value, (words, largest) in _VALUES.items():
        drawn = in_order(curves(rows, axis, value))
        places = list(dict.fromkeys((curve.panel, key_of(point, axis)) for curve in drawn for point in curve.points))
        for panel, key in places:
            here = [(c, p) for c in drawn if c.panel == panel for p in c.points if key_of(p, axis) == key]
            digital, analogue = ([pair for pair in here if (pair[0].family == DIGITAL) is kind] for kind in (True, False))
            if not digital or not analogue:
                continue
            compared += 1
            best, rival = (_best(pairs, largest) for pairs in (digital, analogue))
            if all(_above(best[1], point, largest) for _, point in analogue):
                place = ", ".join(filter(None, (where(best[1], axis), panel_title(panel))))
                lines.append(
                    f"{place}: {best[0].name} has {words} {_told(best[1])}, the best analogue one, {rival[0].name}, {_told(rival[1])}"
                )
    return DigitalWins(_text(len(lines), compared), tuple(lines))


def _text(won: int, compared: int) -> str:
    count = f"{compared} comparison{'' if compared == 1 else 's'} (accuracy or NMSE at a point)"
    if not compared:
        return "No analogue method was measured at the points of the digital ones, so that there is nothing to compare."
    better = "a digital method better than every analogue one measured there by more than the interval of its mean"
    if not won:
        return f"Nowhere: in none of {count} is {better}."
    return f"In {won} of {count} is {better}:"


def _best(pairs: list[tuple[Curve, Point]], largest: bool) -> tuple[Curve, Point]:
    return (max if largest else min)(pairs, key=lambda pair: pair[1].mean)


def _above(one: Point, other: Point, largest: bool) -> bool:
    """Whether one is better than the other with their intervals apart."""
    if largest:
        return _end(one.low, one) > _end(other.high, other)
    return _end(one.high, one) < _end(other.low, other)


def _end(end: float | None, point: Point) -> float:
    return point.mean if end is None else end


def _told(point: Point) -> str:
    interval = f" [{point.low:.3f}, {point.high:.3f}]" if point.low is not None and point.high is not None else ""
    return f"{point.mean:.3f}{interval}"

"""The points at which a digital link is better than every analogue method, in words.

Better means by more than the interval: the lower end of its interval of accuracy lies above the upper end of every analogue one's (of NMSE
the other way round). A mean without an interval is compared as it is. A point at which no analogue method was measured is not counted.
"""

from dataclasses import dataclass, replace

import polars as pl

from latentlink.numerics.reprs import counted
from latentlink.report.arrange import Arranged
from latentlink.report.axes import Axis
from latentlink.report.columns import describe_condition
from latentlink.report.curves import Curve, CurvePoint, average_curves
from latentlink.report.palette import sort_curves
from latentlink.report.tables import MEASURES, describe_place, make_key

_DIGITAL = "digital"
GENIE = '"adaptation":"genie"'  # in the parameters of a bound, which is no link
_Measured = tuple[Curve, CurvePoint]


@dataclass(frozen=True)
class DigitalWins:
    """The findings on digital methods; without one the text is empty.

    Attributes:
        text: how often a digital method is better.
        lines: one for each point.
    """

    text: str
    lines: tuple[str, ...] = ()


def find_digital_wins(table: Arranged) -> DigitalWins:
    """Compare the digital methods with all others at every point along the axis."""
    links = replace(table, links=table.links.filter(~pl.col("parameters").str.contains(GENIE, literal=True)))
    if not links.links["family"].eq(_DIGITAL).any():
        return DigitalWins("")
    lines, compared = [], 0
    for value in ("accuracy", "nmse"):
        for measured in _group_by_place(sort_curves(average_curves(links, value)), table.axis):
            digital = [pair for pair in measured if pair[0].family == _DIGITAL]
            analogue = [pair for pair in measured if pair[0].family != _DIGITAL]
            if digital and analogue:
                compared += 1
                lines += _compare(digital, analogue, value, table.axis)
    if not compared:
        return DigitalWins("No analogue method was measured at the points of the digital ones, so that there is nothing to compare.")
    comparisons = f"{counted(compared, 'comparison')} (accuracy or NMSE at a point)"
    better = "a digital method better than every analogue one measured there by more than the interval of its mean"
    text = f"In {len(lines)} of {comparisons} is {better}:" if lines else f"Nowhere: in none of {comparisons} is {better}."
    return DigitalWins(text, tuple(lines))


def _group_by_place(curves: list[Curve], axis: Axis) -> list[list[_Measured]]:
    """Group curves and points by their place under each condition."""
    found: dict[tuple[object, ...], list[_Measured]] = {}
    for curve in curves:
        for point in curve.points:
            found.setdefault((curve.condition, make_key(point, axis)), []).append((curve, point))
    return list(found.values())


def _compare(digital: list[_Measured], analogue: list[_Measured], value: str, axis: Axis) -> list[str]:
    """Say, in a line or none, that the best digital method is better than all analogue ones by more than the intervals."""
    sign = 1 if MEASURES[value].best == "largest" else -1
    best, rival = (max(pairs, key=lambda pair: sign * pair[1].mean) for pairs in (digital, analogue))
    if not all(_is_above(best[1], point, sign) for _, point in analogue):
        return []
    place = ", ".join(filter(None, (describe_place(best[1], axis), describe_condition(best[0].condition))))
    words = f"{best[0].name} has {MEASURES[value].short} {_write(best[1])}"
    return [f"{place}: {words}, the best analogue one, {rival[0].name}, {_write(rival[1])}"]


def _is_above(one: CurvePoint, other: CurvePoint, sign: int) -> bool:
    """Say whether one is better than the other with their intervals apart; `sign` is −1 where less is better."""
    worst, best = (one.low, other.high) if sign > 0 else (one.high, other.low)
    return sign * (one.mean if worst is None else worst) > sign * (other.mean if best is None else best)


def _write(point: CurvePoint) -> str:
    return f"{point.mean:.3f} {point.write_band()}".rstrip()

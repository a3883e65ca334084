"""Fading: how often a channel is bad, and how bad the worst ones are.

With v_1 ≤ … ≤ v_n the accuracies of a method over the n channels of a point (all seeds together), each a mean over test messages,

    P(A < a)       = #{i : v_i < a} / n                          the outage curve, a distribution function
    q_ε            = max {a : P(A < a) ≤ ε} = v_(⌊εn⌋ + 1)        the accuracy with outage ε
    worst ε        = mean of v_1, …, v_⌈εn⌉                       which is never above the mean of all
    J              = (Σ v_i)² / (n Σ v_i²)                        Jain's index of fairness, 1 for equal users and 1/n for one of n

Of a drop of users in a cell, a channel is a user. The mean's interval is that of `studies.intervals`.
"""

import math
from dataclasses import dataclass
from typing import TypeVar

import polars as pl

from latentlink.report.arrange import arranged, panel_of
from latentlink.report.curves import Curve
from latentlink.report.look.palette import in_order
from latentlink.report.look.wording import Panel

_Any = TypeVar("_Any")
LEVELS = (5, 1)  # percent of the channels
LEAST, ENOUGH = 20, 100  # channels of a curve, and of a cell from which there are outage figures
MOST_PANELS = 6
_STEPS, _DECADE = 400, 80  # of a drawn curve at most: in all along the accuracy, and in each decade of the probability


@dataclass(frozen=True)
class Fading:
    """What a method did on all channels of a point.

    Attributes:
        curve: its name and family. rows: of its channels, with an accuracy.
    """

    curve: Curve
    rows: pl.DataFrame

    @property
    def values(self) -> list[float]:
        """Accuracies, the lowest first."""
        found: list[float] = self.rows["accuracy"].sort().to_list()
        return found


def fadings(rows: pl.DataFrame) -> dict[Panel, list[Fading]]:
    """The methods of each point where some cell has 100 channels; none where no cell has."""
    table = arranged(rows, "outage")
    links = table.links.filter(pl.col("accuracy").is_not_null())
    cells = links.group_by("cell", *table.panel).len().filter(pl.col("len") >= ENOUGH)
    points = {panel_of(row, table.panel) for row in cells.iter_rows(named=True)}
    groups: dict[Panel, dict[Curve, pl.DataFrame]] = {panel: {} for panel in table.panels if panel in points}
    named = ("label", "suffix", "family", "knowledge")
    for frame in links.partition_by(*named, *table.panel, maintain_order=True):
        row = frame.row(0, named=True)
        panel = panel_of(row, table.panel)
        if panel in groups:
            groups[panel][Curve(row["label"] + row["suffix"], row["family"] or "", row["knowledge"], panel, ())] = frame
    return {panel: [Fading(curve, mine[curve]) for curve in in_order(mine)] for panel, mine in groups.items()}


def shown(points: dict[Panel, list[Fading]]) -> list[Panel]:
    """The panels that are drawn: at most six, with fewer values of the settings that have the most, spread from the first to the last."""
    panels = list(points)
    settings = [list(dict.fromkeys(column)) for column in zip(*panels, strict=True)]
    kept, counts = panels, [len(values) for values in settings]
    while len(kept) > MOST_PANELS:
        counts[counts.index(max(counts))] -= 1
        chosen = [_spread(values, count) for values, count in zip(settings, counts, strict=True)]
        kept = [panel for panel in panels if all(value in among for value, among in zip(panel, chosen, strict=True))]
    return kept or _spread(panels, MOST_PANELS)


def _spread(values: list[_Any], count: int) -> list[_Any]:
    """So many of the values, from the first to the last; a single one is from the middle."""
    if count == 1 or len(values) <= count:
        return [values[len(values) // 2]] if count == 1 else values
    return [values[number * (len(values) - 1) // (count - 1)] for number in range(count)]


def outage(values: list[float], accuracy: float) -> float:
    """P(A < a)."""
    return sum(value < accuracy for value in values) / len(values)


def quantile(values: list[float], per_cent: int) -> float | None:
    """q_ε; None where a share of ε is less than one channel."""
    if len(values) * per_cent < 100:
        return None
    return sorted(values)[min(len(values) * per_cent // 100, len(values) - 1)]


def jain(values: list[float]) -> float | None:
    """Jain's index; None where nobody has anything."""
    square = sum(value * value for value in values)
    return sum(values) ** 2 / (len(values) * square) if square > 0 else None


def staircase(values: list[float]) -> tuple[list[float], list[float], list[bool]]:
    """The outage curve for drawing: a and P to step between (a rises first), and which places are marked, those of the levels.

    Steps that are too small to be seen are left out.
    """
    values, n = sorted(values), len(values)
    places = [(value, (number + 1) / n) for number, value in enumerate(values) if number == n - 1 or values[number + 1] > value]
    least = (values[-1] - values[0]) / _STEPS
    levels = [(quantile(values, level), level / 100) for level in sorted(LEVELS)]
    kept: list[tuple[float, float, bool]] = []
    for value, share in places:
        marks = [(value, level, True) for place, level in levels if place == value]
        seen = not kept or value - kept[-1][0] >= least or math.log10(share / kept[-1][1]) >= 1 / _DECADE
        if marks or seen or value == values[-1]:
            kept += [*marks, (value, share, False)]
    return [a for a, _, _ in kept], [p for _, p, _ in kept], [mark for _, _, mark in kept]

"""The distribution of a method's accuracy over channels: how often a channel is bad, and how bad the worst ones are.

With v_1 ≤ … ≤ v_n the accuracies of a method over the n channels of a condition (all seeds together), each a mean over test messages,

    P(A < a)       = #{i : v_i < a} / n                          the outage curve, a distribution function
    q_ε            = max {a : P(A < a) ≤ ε} = v_(⌊εn⌋ + 1)        the accuracy with outage ε
    worst ε        = mean of v_1, …, v_⌈εn⌉                       which is never above the mean of all
    J              = (Σ v_i)² / (n Σ v_i²)                        Jain's index of fairness, 1 for equal users and 1/n for one of n

Of a drop of users in a cell, a channel is a user. The mean's interval is that of `evaluation.intervals`.
"""

import math
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

import polars as pl

from latentlink.report.arrange import MOST_CONDITIONS, Arranged
from latentlink.report.columns import Condition
from latentlink.report.curves import Curve
from latentlink.report.look.palette import sort_curves

_Any = TypeVar("_Any")
LEVELS = (5, 1)  # percent of the channels
LEAST, ENOUGH = 20, 100  # channels of a curve, and of a cell from which there are outage figures
_STEPS, _DECADE = 400, 80  # of a drawn curve at most: in all along the accuracy, and in each decade of the probability


@dataclass(frozen=True)
class Distribution:
    """A method's accuracies on all channels of a condition.

    Attributes:
        curve: its name and family, without points.
        rows: of its channels, with an accuracy.
    """

    curve: Curve
    rows: pl.DataFrame

    @property
    def values(self) -> list[float]:
        """Return the accuracies, the lowest first."""
        found: list[float] = self.rows["accuracy"].sort().to_list()
        return found


def collect_distributions(table: Arranged) -> dict[Condition, list[Distribution]]:
    """Collect the methods of each condition where some cell has 100 channels; there are none where no cell has.

    Args:
        table: rows arranged for the axis "outage".
    """
    links = table.links.filter(pl.col("accuracy").is_not_null())
    cells = links.group_by("cell", *table.fixed).len().filter(pl.col("len") >= ENOUGH)
    large = {table.condition_of(row) for row in cells.iter_rows(named=True)}
    groups: dict[Condition, dict[Curve, pl.DataFrame]] = {condition: {} for condition in table.conditions if condition in large}
    for frame in links.partition_by("label", "suffix", "family", "knowledge", *table.fixed, maintain_order=True):
        row = frame.row(0, named=True)
        condition = table.condition_of(row)
        if condition in groups:
            groups[condition][Curve(row["label"] + row["suffix"], row["family"], row["knowledge"], condition, ())] = frame
    return {condition: [Distribution(curve, mine[curve]) for curve in sort_curves(mine)] for condition, mine in groups.items()}


def choose_conditions(found: dict[Condition, list[Distribution]]) -> list[Condition]:
    """Choose the conditions to draw: at most six, with fewer values of the settings that have the most, from the first to the last."""
    conditions = list(found)
    settings = [list(dict.fromkeys(column)) for column in zip(*conditions, strict=True)]
    kept, counts = conditions, [len(values) for values in settings]
    while len(kept) > MOST_CONDITIONS:
        counts[counts.index(max(counts))] -= 1
        chosen = [_choose_spread(values, count) for values, count in zip(settings, counts, strict=True)]
        kept = [condition for condition in conditions if all(value in among for value, among in zip(condition, chosen, strict=True))]
    return kept or _choose_spread(conditions, MOST_CONDITIONS)


def _choose_spread(values: list[_Any], count: int) -> list[_Any]:
    """Choose `count` of the values, from the first to the last; a single one is from the middle."""
    if count == 1 or len(values) <= count:
        return [values[len(values) // 2]] if count == 1 else values
    return [values[number * (len(values) - 1) // (count - 1)] for number in range(count)]


def compute_outage(values: list[float], accuracy: float) -> float:
    """Compute P(A < a)."""
    return sum(value < accuracy for value in values) / len(values)


def find_quantile(values: list[float], per_cent: int) -> float | None:
    """Find q_ε; None where a share of ε is less than one channel."""
    if len(values) * per_cent < 100:
        return None
    return sorted(values)[min(len(values) * per_cent // 100, len(values) - 1)]


def compute_jain_index(values: list[float]) -> float | None:
    """Compute Jain's index; None where nobody has anything."""
    square = sum(value * value for value in values)
    return sum(values) ** 2 / (len(values) * square) if square > 0 else None


class Staircase(NamedTuple):
    """An outage curve, step by step: from one place to the next, first the accuracy rises, then the probability.

    Attributes:
        accuracies: a.
        probabilities: P(A < a) just above.
        marked: indices of the places that are outage accuracies.
    """

    accuracies: list[float]
    probabilities: list[float]
    marked: list[int]


def draw_staircase(values: list[float]) -> Staircase:
    """Step along the outage curve, with marks at the outage accuracies.

    Steps that are too small to be seen are left out.
    """
    values, n = sorted(values), len(values)
    places = [(value, (number + 1) / n) for number, value in enumerate(values) if number == n - 1 or values[number + 1] > value]
    least = (values[-1] - values[0]) / _STEPS
    levels = [(find_quantile(values, level), level / 100) for level in sorted(LEVELS)]
    kept: list[tuple[float, float, bool]] = []
    for value, share in places:
        marks = [(value, level, True) for place, level in levels if place == value]
        seen = not kept or value - kept[-1][0] >= least or math.log10(share / kept[-1][1]) >= 1 / _DECADE
        if marks or seen or value == values[-1]:
            kept += [*marks, (value, share, False)]
    return Staircase([a for a, _, _ in kept], [p for _, p, _ in kept], [place for place, (_, _, mark) in enumerate(kept) if mark])

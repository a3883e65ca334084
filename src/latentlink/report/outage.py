"""Outage: the distribution of a method's accuracy over channels, its tail above all.

With v_1 ≤ … ≤ v_n the accuracies of a method over the n channels of a condition (all seeds together), each a mean over test messages,

    P(A < a)       = #{i : v_i < a} / n                          the outage curve, a distribution function
    q_ε            = max {a : P(A < a) ≤ ε} = v_(⌊εn⌋ + 1)        the accuracy with outage ε
    worst ε        = mean of v_1, …, v_⌈εn⌉                       which is never above the mean of all
    J              = (Σ v_i)² / (n Σ v_i²)                        Jain's index of fairness, 1 for equal users and 1/n for one of n

In a drop of users, each channel is a user. The mean's interval is that of `evaluation.intervals`. Curves have a logarithmic axis, on which
the tail can be seen, and are marked at their outage accuracies. At most six conditions of a study are drawn; the tables have them all.
"""

import math
from dataclasses import dataclass, replace
from statistics import median
from typing import Any, NamedTuple, TypeVar

import polars as pl

from latentlink.evaluation.intervals import worst
from latentlink.numerics.reprs import counted
from latentlink.report.arrange import MOST_CONDITIONS, Arranged
from latentlink.report.columns import Condition, describe_condition
from latentlink.report.curves import REFERENCES, Curve, average_levels, estimate_mean
from latentlink.report.palette import Look, assign_looks, find_look, sort_curves
from latentlink.report.plots import Frame, Line, Plot, Scale
from latentlink.report.tables import ABSENT, MEASURES, Comparison, Entry, make_table, mark_best

_T = TypeVar("_T")
LEVELS = (5, 1)  # percent of the channels
LEAST, ENOUGH = 20, 100  # channels of a curve, and of a cell from which there are outage figures
_STEPS, _DECADE = 400, 80  # of a drawn curve at most: in all along the accuracy, and in each decade of the probability
_TICKS = {share / 100: f"{share:g} %" for share in (0.0001, 0.001, 0.01, 0.1, 1, 5, 10, 100)}
_LEVEL_LOOK = Look("", 0.8, (":", "dot"))
_PATH_LOSS = "path-loss"  # the normalisation under which a channel is a user, near or far
_ALSO = ("nmse", "opta_db", "separation_db", "block_error", "message_bits")  # means beside the accuracy
_ACCURACY = MEASURES["accuracy"]  # of accuracies and indices, the largest is the best
_Columns = dict[str, list[Entry]]


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
        return self.rows["accuracy"].sort().to_list()


def collect_distributions(table: Arranged) -> dict[Condition, list[Distribution]]:
    """Collect the methods of each condition where some cell has 100 channels, from rows arranged for the axis "outage"."""
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


def _choose_spread(values: list[_T], count: int) -> list[_T]:
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
    """Compute Jain's index; None where all values are 0."""
    square = sum(value * value for value in values)
    return sum(values) ** 2 / (len(values) * square) if square > 0 else None


class Staircase(NamedTuple):
    """An outage curve, step by step: from one place to the next, first the accuracy a rises, then the probability P(A < a).

    `marked` has the indices of the places that are outage accuracies.
    """

    accuracies: list[float]
    probabilities: list[float]
    marked: list[int]


def draw_staircase(values: list[float]) -> Staircase:
    """Step along the outage curve, with marks at the outage accuracies; steps that are too small to be seen are left out."""
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


def plot_outage(found: dict[Condition, list[Distribution]]) -> list[Plot]:
    """Plot the outage curves of the methods that have at least 20 channels, for at most six conditions."""
    drawn = {condition: [method for method in found[condition] if len(method.values) >= LEAST] for condition in choose_conditions(found)}
    looks = assign_looks(method.curve for methods in drawn.values() for method in methods)
    return [Plot(condition, (_make_frame(methods, looks),)) for condition, methods in drawn.items()]


def _make_frame(methods: list[Distribution], looks: dict[str, Look]) -> Frame:
    """Make a frame that reaches from the worst to the best channel with some room."""
    low, high = min(method.values[0] for method in methods), max(method.values[-1] for method in methods)
    room = 0.04 * (high - low) or 0.02
    least = 1 / max(len(method.values) for method in methods)
    x = Scale("accuracy a", ends=(max(0.0, low - room), min(1.0, high + room)))
    y = Scale("P(accuracy of a channel < a)", logarithmic=True, ends=(0.9 * least, 1.1), ticks=_TICKS)
    levels = [Line(f"{level} %", _LEVEL_LOOK, (), (level / 100,), listed=False) for level in LEVELS]
    return Frame(x, y, (*levels, *(_draw_line(method, looks) for method in methods)))


def _draw_line(method: Distribution, looks: dict[str, Look]) -> Line:
    steps = draw_staircase(method.values)
    look = find_look(method.curve, looks)
    return Line(
        name=method.curve.name,
        look=replace(look, width=0.7 * look.width, steps=True),
        x=tuple(steps.accuracies),
        y=tuple(steps.probabilities),
        template=f"P(A &lt; %{{x:.3f}}) = %{{y:.3%}}<br>{counted(len(method.values), 'channel')}",
        marked=tuple(steps.marked),
        label=method.curve.label,
    )


def tabulate_outage(found: dict[Condition, list[Distribution]]) -> list[Comparison]:
    """Tabulate mean with interval, outage accuracies and means over the worst channels of each condition; the best are marked."""
    comparisons = []
    for methods in found.values():
        columns: _Columns = {
            "channels": [Entry(str(len(method.values))) for method in methods],
            "mean (ergodic)": _average_seeds(methods),
        }
        for name, measure in (("outage accuracy", find_quantile), ("mean of the worst", worst)):
            for per_cent in LEVELS:
                columns[f"{name}, {per_cent}\u00a0%"] = mark_best([measure(method.values, per_cent) for method in methods], _ACCURACY)
        for name in _ALSO:
            means: list[Any] = [method.rows[name].mean() for method in methods]
            if any(mean is not None for mean in means):
                columns[MEASURES[name].short] = mark_best(means, MEASURES[name])
        comparisons.append(_make_comparison("Accuracy over channels", methods, columns))
    return comparisons


def tabulate_fairness(table: Arranged, found: dict[Condition, list[Distribution]]) -> list[Comparison]:
    """Tabulate, of drops of users with path loss, how the accuracy and the capacity are shared among them."""
    ceilings = {level.condition: level.level for level in average_levels(table, "accuracy") if level.label == REFERENCES[0]}
    comparisons = []
    for condition, everyone in found.items():
        methods = [method for method in everyone if method.rows["normalisation"][0] == _PATH_LOSS and len(method.values) >= LEAST]
        if methods:
            comparisons.append(_make_comparison("Users of a cell", methods, _measure_fairness(methods, ceilings.get(condition))))
    return comparisons


def _measure_fairness(methods: list[Distribution], ceiling: float | None) -> _Columns:
    capacities = [compute_jain_index(method.rows["capacity"].drop_nulls().to_list()) for method in methods]
    below = [f"{compute_outage(method.values, ceiling / 2):.1%}" if ceiling else ABSENT for method in methods]
    return {
        "users": [Entry(str(len(method.values))) for method in methods],
        "Jain's index, accuracy": mark_best([compute_jain_index(method.values) for method in methods], _ACCURACY),
        "Jain's index, capacity": mark_best(capacities, _ACCURACY),
        "5 %-ile user": mark_best([find_quantile(method.values, 5) for method in methods], _ACCURACY),
        "median user": mark_best([median(method.values) for method in methods], _ACCURACY),
        "under half of the ceiling": [Entry(share) for share in below],
    }


def _make_comparison(title: str, methods: list[Distribution], columns: _Columns) -> Comparison:
    table = make_table(title, (method.curve.name for method in methods), columns, columns.values())
    return Comparison(describe_condition(methods[0].curve.condition), (table,))


def _average_seeds(methods: list[Distribution]) -> list[Entry]:
    """Write the mean of each method over seeds, with its interval and the rule of that."""
    means, remarks = [], []
    for method in methods:
        seeds = method.rows["seed"].to_list()
        found = estimate_mean(seeds, method.rows["accuracy"].to_list(), (None, None), "accuracy")
        several = len(set(seeds))
        over = counted(several, "seed") if several > 1 else counted(len(seeds), "channel")
        words = {"t": f"95 %, t over {over}", "range": f"lowest, highest of {over}"}.get(found.band, "")
        means.append(found.mean)
        remarks.append(f"{found.write_band()} {words}".strip())
    return mark_best(means, _ACCURACY, remarks)

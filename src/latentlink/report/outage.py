"""Outage in figures and tables: how often a channel leaves less than an accuracy, and how fair a cell is to its users.

Curves have a logarithmic axis, on which the tail can be seen, and are marked where they cross 5 % and 1 %: those are their outage
accuracies. At most six conditions of a study are drawn; the tables have them all.
"""

from collections.abc import Sequence
from dataclasses import replace
from statistics import fmean, median

import polars as pl

from latentlink.evaluation.intervals import interval_of, worst
from latentlink.report.arrange import Arranged
from latentlink.report.columns import Condition
from latentlink.report.curves import REFERENCES, average_levels
from latentlink.report.distributions import (
    LEAST,
    LEVELS,
    Distribution,
    choose_conditions,
    compute_jain_index,
    compute_outage,
    draw_staircase,
    find_quantile,
)
from latentlink.report.look.measures import MEASURES
from latentlink.report.look.palette import Look, assign_looks, find_look
from latentlink.report.look.wording import describe_condition, format_count
from latentlink.report.plots import Frame, Line, Plot, Scale
from latentlink.report.tables import ABSENT, Comparison, Entry, Table, make_entry

_TICKS = {share / 100: f"{share:g} %" for share in (0.0001, 0.001, 0.01, 0.1, 1, 5, 10, 100)}
_LEVEL_LOOK = Look("", 0.8, (":", "dot"))
_PATH_LOSS = "path-loss"  # the normalisation under which a channel is a user, near or far
_ALSO = ("nmse", "opta_db", "separation_db", "block_error", "message_bits")  # means beside the accuracy
_Columns = dict[str, list[Entry]]


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
        template=f"P(A &lt; %{{x:.3f}}) = %{{y:.3%}}<br>{format_count(len(method.values), 'channel')}",
        marked=tuple(steps.marked),
        label=method.curve.label,
    )


def tabulate_outage(found: dict[Condition, list[Distribution]]) -> list[Comparison]:
    """Tabulate mean with interval, outage accuracies and means over the worst channels of each condition; the best are marked."""
    comparisons = []
    for condition, methods in found.items():
        columns: _Columns = {
            "channels": [Entry(str(len(method.values))) for method in methods],
            "mean (ergodic)": _average_seeds(methods),
        }
        for name, measure in (("outage accuracy", find_quantile), ("mean of the worst", worst)):
            for per_cent in LEVELS:
                columns[f"{name}, {per_cent}\u00a0%"] = _mark_best([measure(method.values, per_cent) for method in methods])
        for name in _ALSO:
            if any(method.rows[name].is_not_null().any() for method in methods):
                columns[MEASURES[name].short] = [make_entry(_average(method.rows[name]), MEASURES[name]) for method in methods]
        comparisons.append(Comparison(describe_condition(condition), (_make_table("Accuracy over channels", methods, columns),)))
    return comparisons


def tabulate_fairness(table: Arranged, found: dict[Condition, list[Distribution]]) -> list[Comparison]:
    """Tabulate, of drops of users with path loss, how the accuracy and the capacity are shared among them."""
    ceilings = {level.condition: level.value for level in average_levels(table, "accuracy") if level.label == REFERENCES[0]}
    comparisons = []
    for condition, everyone in found.items():
        methods = [method for method in everyone if method.rows["normalisation"][0] == _PATH_LOSS and len(method.values) >= LEAST]
        if methods:
            columns = _measure_fairness(methods, ceilings.get(condition))
            comparisons.append(Comparison(describe_condition(condition), (_make_table("Users of a cell", methods, columns),)))
    return comparisons


def _measure_fairness(methods: list[Distribution], ceiling: float | None) -> _Columns:
    capacities = [compute_jain_index(method.rows["capacity"].drop_nulls().to_list()) for method in methods]
    below = [f"{compute_outage(method.values, ceiling / 2):.1%}" if ceiling else ABSENT for method in methods]
    return {
        "users": [Entry(str(len(method.values))) for method in methods],
        "Jain's index, accuracy": _mark_best([compute_jain_index(method.values) for method in methods]),
        "Jain's index, capacity": [make_entry(capacity, MEASURES["accuracy"]) for capacity in capacities],
        "5 %-ile user": _mark_best([find_quantile(method.values, 5) for method in methods]),
        "median user": _mark_best([median(method.values) for method in methods]),
        "under half of the ceiling": [Entry(share) for share in below],
    }


def _make_table(title: str, methods: list[Distribution], columns: _Columns) -> Table:
    body = tuple((method.curve.name, tuple(entries[i] for entries in columns.values())) for i, method in enumerate(methods))
    return Table(title, tuple(columns), body, open=True)


def _mark_best(values: Sequence[float | None], remarks: list[str] | None = None) -> list[Entry]:
    """Write accuracies or indices, of which the largest is the best."""
    measure = MEASURES["accuracy"]
    best = measure.find_best(value for value in values if value is not None)
    return [make_entry(value, measure, remark, best) for value, remark in zip(values, remarks or [""] * len(values), strict=True)]


def _average_seeds(methods: list[Distribution]) -> list[Entry]:
    """Write the mean of each method over seeds, with its interval and the rule of that."""
    means, remarks = [], []
    for method in methods:
        seeds = method.rows["seed"].to_list()
        mean, low, high, rule = interval_of(seeds, method.rows["accuracy"].to_list())
        several = len(set(seeds))
        over = format_count(several, "seed") if several > 1 else format_count(len(seeds), "channel")
        words = {"t": f"95 %, t over {over}", "range": f"lowest, highest of {over}"}.get(rule, "")
        means.append(mean)
        remarks.append("" if low is None or high is None else f"[{max(low, 0):.3f}, {min(high, 1):.3f}] {words}")
    return _mark_best(means, remarks)


def _average(column: pl.Series) -> float | None:
    known = column.drop_nulls().to_list()
    return fmean(known) if known else None

"""Plots as data, whichever program draws them: frames of lines, made of curves, levels and distributions.

A plot is a figure of a paper, or a column of a figure of the page: frames above each other that share the axis below them.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

import polars as pl

from latentlink.numerics.reprs import counted
from latentlink.report.arrange import Arranged
from latentlink.report.axes import Axis, choose_round_ticks
from latentlink.report.columns import KNOWN, Condition, describe
from latentlink.report.curves import (
    Curve,
    CurvePoint,
    average_curves,
    average_levels,
    average_limits,
    find_best_within_budget,
)
from latentlink.report.palette import Look, assign_looks, find_look, sort_curves

DISTANCE = "opta_db"
TASKS = ("r2", "recall_at_1", "recall_at_10", "adjusted_rand", "cosine", "alarm_delay", "alarm_interval")  # beside the accuracy
_WORST_NMSE = 1.25  # that is shown: what exceeds it is worse than sending nothing and would only flatten the rest
_COSTS = {
    "flops": ("FLOPs per message", "FLOPs"),
    "latency_us": ("latency, one message (µs)", "µs"),
    "latency_batch_us": ("latency per message, batched (µs)", "µs"),
}  # column: label, unit
_USUAL_SNR_DB = 20.0
_DOTTED = (":", "dot")


@dataclass(frozen=True)
class Scale:
    """One of the two scales of a frame.

    Attributes:
        label: beside it.
        logarithmic: whether it is.
        ends: lowest and highest value that are shown; None lets the program choose.
        ticks: where ticks may stand, and what they say; {} lets the program choose.
        zero: whether the place of zero is marked.
    """

    label: str
    logarithmic: bool = False
    ends: tuple[float, float] | None = None
    ticks: dict[float, str] = field(default_factory=dict)
    zero: bool = False


@dataclass(frozen=True)
class Line:
    """One line of a frame.

    Attributes:
        name: on the page, where one entry of the legend stands for all lines of a name.
        look: how it is drawn.
        x: places of its points; () where it goes from side to side.
        y: values of its points.
        band: place, lower and upper end for each point that has a band.
        hover: what the page says of each point, in lines.
        template: what the page says of every point in plotly's words, where `hover` is empty.
        marked: which points have marks; None is all of them.
        sizes: of the marks in pixels, where they differ.
        label: in a paper's legend, where it is another than the name; methods with and without knowledge of the channel share one.
        listed: whether it is in the legend.
    """

    name: str
    look: Look
    x: tuple[float, ...]
    y: tuple[float, ...]
    band: tuple[tuple[float, float, float], ...] = ()
    hover: tuple[tuple[str, ...], ...] = ()
    template: str = ""
    marked: tuple[int, ...] | None = None
    sizes: tuple[float, ...] = ()
    label: str = ""
    listed: bool = True


@dataclass(frozen=True)
class Frame:
    """A pair of scales and the lines between them.

    Attributes:
        x: the horizontal scale.
        y: the vertical scale.
        lines: from the hindmost to the foremost.
        value: the column whose means are drawn; "" where there is none.
    """

    x: Scale
    y: Scale
    lines: tuple[Line, ...]
    value: str = ""


@dataclass(frozen=True)
class Plot:
    """Frames above each other, for one condition.

    Attributes:
        condition: settings that all of it shares.
        frames: from the top down.
    """

    condition: Condition
    frames: tuple[Frame, ...]


def plot_accuracy(table: Arranged, channels: bool = False) -> list[Plot]:
    """Plot accuracy above NMSE along the axis, with limits, ceilings and floor, a plot for each condition; bands as in `average_curves`.

    One that was not measured, such as the accuracy of a regression, has no frame beside the other.
    """
    methods = {value: sort_curves(average_curves(table, value, channels)) for value in ("accuracy", "nmse")}
    best = find_best_within_budget(methods["accuracy"])
    limits = {"accuracy": best if table.axis.own_places else average_limits(table, "accuracy"), "nmse": average_limits(table, "nmse")}
    drawn = [value for value in methods if methods[value]] or [*methods]
    return plot_conditions(table, {value: average_levels(table, value) + limits[value] + methods[value] for value in drawn})


def plot_tasks(table: Arranged, channels: bool = False) -> list[Plot]:
    """Plot the further figures of the receiver's task that were measured, R², recall, clusters and cosine, each in a frame of its own.

    Bands as in `average_curves`.
    """
    measured = [value for value in TASKS if table.links[value].is_not_null().any()]
    curves = {value: sort_curves(average_curves(table, value, channels)) for value in measured}
    drawn_above = [*average_curves(table, "accuracy"), *average_curves(table, "nmse")]  # in the same looks
    looks = assign_looks([*drawn_above, *(curve for some in curves.values() for curve in some)])
    return plot_conditions(table, {value: average_levels(table, value) + curves[value] for value in measured}, looks) if measured else []


def plot_distance(table: Arranged) -> list[Plot]:
    """Plot how far methods are from Gaussian OPTA: 10 log10 of their MSE over it, row by row, then averaged.

    OPTA bounds every scheme for Gaussian latents. Latents are not Gaussian and codes are made for them, so that a distance may be negative.
    """
    distances = sort_curves(average_curves(table, DISTANCE))
    looks = assign_looks([*average_curves(table, "accuracy"), *average_curves(table, "nmse"), *distances])
    return plot_conditions(table, {DISTANCE: distances}, looks)


def plot_conditions(table: Arranged, curves: dict[str, list[Curve]], looks: dict[str, Look] | None = None) -> list[Plot]:
    """Make a plot for each condition that has curves, a frame for each value."""
    looks = looks or assign_looks(curve for some in curves.values() for curve in some)
    found = []
    for condition in table.conditions:
        mine = {value: [curve for curve in curves[value] if curve.condition == condition] for value in curves}
        points = [point for some in mine.values() for curve in some for point in curve.points]
        if points:
            x = _make_scale(table, points)
            found.append(Plot(condition, tuple(_make_frame(table.axis, x, value, mine[value], looks) for value in mine)))
    return found


def _make_frame(axis: Axis, x: Scale, value: str, curves: list[Curve], looks: dict[str, Look]) -> Frame:
    lines = [_draw_curve(curve, find_look(curve, looks), axis, value) for curve in curves]
    seen = [y for line in lines for y in line.y] or [1.0]
    ends = {"accuracy": (0.0, 1.0), "nmse": (0.0, min(_WORST_NMSE, 1.08 * max(seen)))}.get(value)
    return Frame(x, Scale(KNOWN[value].label, ends=ends, zero=value == DISTANCE), tuple(lines), value)


def _make_scale(table: Arranged, points: list[CurvePoint]) -> Scale:
    axis = table.axis
    positive = min(point.x for point in points) > 0
    label, uses, references = axis.label, *(table.links[name].drop_nulls().unique() for name in ("uses", "snr_reference"))
    if axis.name == "antennas" and len(uses) == 1:
        label = f"{label}, {describe('uses', uses[0])}"
    if axis.name == "snr" and len(references) == 1:
        label = f"{describe('snr_reference', references[0])} (dB)"
    ticks = axis.ticks((point.x, point.at) for point in points) if positive or not axis.ratio else {}
    return Scale(label, axis.ratio and positive, ticks=ticks)


def _draw_curve(curve: Curve, look: Look, axis: Axis, value: str) -> Line:
    """Draw a curve, or a level from side to side; on the page a legend entry stands for several conditions and so has no number."""
    if curve.level is not None:
        worded = f"{curve.label} ({curve.level:.3f})"
        return Line(curve.label, look, (), (curve.level,), hover=((worded,),), label=worded if value == "accuracy" else curve.label)
    points = curve.points
    band = tuple((point.x, point.low, point.high) for point in points if point.low is not None and point.high is not None)
    return Line(
        name=curve.name,
        look=look,
        x=tuple(point.x for point in points),
        y=tuple(point.mean for point in points),
        band=() if curve.family == "limit" else band,
        hover=tuple(describe_point(point, axis) for point in points),
        label=curve.label,
    )


def describe_point(point: CurvePoint, axis: Axis) -> tuple[str, str]:
    """Word a point: its value with the band, and what is behind it."""
    facts = [describe(name, point.at[name]) for name in ("antennas", "snr_db") if name != axis.column and point.at.get(name) is not None]
    facts += [f"λ = {point.at['pruning']:g}"] if point.at.get("pruning") is not None else []
    return f"{point.mean:.4f} {point.write_band()}".rstrip(), ", ".join([*facts, counted(point.rows, "row")])


def plot_trade_off(table: Arranged) -> tuple[list[Plot], str]:
    """Plot accuracy against FLOPs and latencies, a plot for each cost that was measured, and say in words which rows they show.

    Points are those of the curves along the axis, at the most pilots, the SNR per transmit antenna and, along the SNR axis, the SNR nearest
    to 20 dB.
    """
    part, setting = _choose_setting(table)
    accuracy = average_curves(part, "accuracy")
    looks = assign_looks(accuracy)
    there = {(curve.name, curve.condition, _settle(point)): point for curve in accuracy for point in curve.points}
    plots = []
    for cost in _COSTS:
        lines = [_draw_costs(curve, cost, there, looks, table) for curve in sort_curves(average_curves(part, cost)) if curve.label in looks]
        lines = [line for line in lines if line.x]
        if lines:
            places = [x for line in lines for x in line.x]
            x = Scale(_COSTS[cost][0], logarithmic=True, ticks=choose_round_ticks(min(places), max(places)))
            plots.append(Plot((), (Frame(x, Scale("accuracy", ends=(0.0, 1.0)), tuple(lines)),)))
    return plots, setting


def _settle(point: CurvePoint) -> tuple[Any, ...]:
    return tuple(sorted((name, str(value)) for name, value in point.at.items()))


def _choose_setting(table: Arranged) -> tuple[Arranged, str]:
    """Choose one value of the settings that would only repeat the picture, and word it."""
    kept, words = table.links, []
    for name in ("pilots_per_class", "snr_reference", *(["snr_db"] if table.axis.name == "snr" else [])):
        values = kept[name].drop_nulls().unique().to_list()
        if kept[name].n_unique() > 1 and values:
            if name == "snr_db":
                chosen = min(values, key=lambda db: (abs(db - _USUAL_SNR_DB), db))
            else:  # null is the whole training set, and "transmit" comes after "receive"
                chosen = None if name == "pilots_per_class" and kept[name].null_count() else max(values)
            kept = kept.filter(pl.col(name).eq_missing(pl.lit(chosen)))
            words.append(describe(name, chosen))
    return replace(table, links=kept), ", ".join(words)


def _draw_costs(curve: Curve, cost: str, there: dict[Any, CurvePoint], looks: dict[str, Look], table: Arranged) -> Line:
    unit = _COSTS[cost][1]
    points = [(point.mean, there.get((curve.name, curve.condition, _settle(point)))) for point in curve.points if point.mean > 0]
    pairs = [(spent, point) for spent, point in points if point is not None]
    return Line(
        name=curve.name,
        look=replace(find_look(curve, looks), width=0.6, dash=_DOTTED),
        x=tuple(spent for spent, _ in pairs),
        y=tuple(point.mean for _, point in pairs),
        hover=tuple((*describe_point(point, table.axis), f"{spent:,.0f} {unit}") for spent, point in pairs),
        sizes=tuple(_find_mark_size(point) for _, point in pairs),
    )


def _find_mark_size(point: CurvePoint) -> float:
    """Find the size of a mark in pixels: it grows with the number of complex symbols sent, so that compression shows too."""
    n_tx = str(point.at.get("antennas") or "1×1").split("×")[-1]
    return 6 + 2.2 * math.log2(1 + float(n_tx) * float(point.at.get("uses") or 1))


def choose_frames(plots: Iterable[Plot], value: str) -> list[Plot]:
    """Choose of each plot the frames that draw the means of a column, and leave out plots without one."""
    chosen = [replace(plot, frames=tuple(frame for frame in plot.frames if frame.value == value)) for plot in plots]
    return [plot for plot in chosen if plot.frames]


def group_plots(plots: Iterable[Plot], most: int) -> list[tuple[Condition, str, list[Plot]]]:
    """Group plots whose conditions differ in one setting only: what they share, that setting, and at most `most` plots."""
    plots = list(plots)
    if not plots:
        return []
    names = [name for name, _ in plots[0].condition if name != "snr_reference"]
    across = names[0] if names else ""
    groups: dict[Condition, list[Plot]] = {}
    for plot in plots:
        groups.setdefault(tuple(setting for setting in plot.condition if setting[0] != across), []).append(plot)
    return [(rest, across, group[i : i + most]) for rest, group in groups.items() for i in range(0, len(group), most)]

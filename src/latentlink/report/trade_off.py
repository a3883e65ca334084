"""What accuracy costs: accuracy against operations and both measured latencies, side by side."""

import math
from dataclasses import dataclass, replace
from typing import Any

import polars as pl

from latentlink.report.arrange import Arranged
from latentlink.report.curves import Curve, Point, average_curves
from latentlink.report.look.axes import choose_round_ticks
from latentlink.report.look.palette import Look, assign_looks, find_look, sort_curves
from latentlink.report.look.wording import describe
from latentlink.report.plots import Frame, Line, Plot, Scale, describe_point

_COSTS = {
    "flops": ("FLOPs per message", "FLOPs"),
    "latency_us": ("latency, one message (µs)", "µs"),
    "latency_batch_us": ("latency per message, batched (µs)", "µs"),
}  # column: label, unit
_USUAL_SNR_DB = 20.0
_DOTTED = (":", "dot")


@dataclass(frozen=True)
class TradeOff:
    """Accuracy against costs.

    Attributes:
        plots: one for each cost that was measured.
        setting: which part of the rows they show, in words.
    """

    plots: list[Plot]
    setting: str


def plot_trade_off(table: Arranged) -> TradeOff:
    """Plot accuracy against FLOPs and latencies.

    Points are those of the curves along the axis, at the most pilots, the SNR per transmit antenna and, along the SNR axis, the SNR nearest
    to 20 dB.
    """
    part, setting = _choose_setting(table)
    accuracy = average_curves(part, "accuracy")
    looks = assign_looks(accuracy)
    there = {(curve.name, curve.condition, _make_key(point)): point for curve in accuracy for point in curve.points}
    plots = []
    for cost in _COSTS:
        lines = [_draw_line(curve, cost, there, looks, table) for curve in sort_curves(average_curves(part, cost)) if curve.label in looks]
        lines = [line for line in lines if line.x]
        if lines:
            places = [x for line in lines for x in line.x]
            x = Scale(_COSTS[cost][0], logarithmic=True, ticks=choose_round_ticks(min(places), max(places)))
            plots.append(Plot((), (Frame(x, Scale("accuracy", ends=(0.0, 1.0)), tuple(lines)),)))
    return TradeOff(plots, setting)


def _make_key(point: Point) -> tuple[Any, ...]:
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


def _draw_line(curve: Curve, cost: str, there: dict[Any, Point], looks: dict[str, Look], table: Arranged) -> Line:
    unit = _COSTS[cost][1]
    points = [(point.mean, there.get((curve.name, curve.condition, _make_key(point)))) for point in curve.points if point.mean > 0]
    pairs = [(spent, point) for spent, point in points if point is not None]
    return Line(
        name=curve.name,
        look=replace(find_look(curve, looks), width=0.6, dash=_DOTTED),
        x=tuple(spent for spent, _ in pairs),
        y=tuple(point.mean for _, point in pairs),
        hover=tuple((*describe_point(point, table.axis), f"{spent:,.0f} {unit}") for spent, point in pairs),
        sizes=tuple(_find_mark_size(point) for _, point in pairs),
    )


def _find_mark_size(point: Point) -> float:
    """Find the size of a mark in pixels: it grows with the number of complex symbols sent, so that compression shows too."""
    n_tx = str(point.at.get("antennas") or "1×1").split("×")[-1]
    return 6 + 2.2 * math.log2(1 + float(n_tx) * float(point.at.get("uses") or 1))

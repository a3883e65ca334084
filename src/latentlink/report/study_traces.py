"""The curves of a study as plotly traces: plain dictionaries, which the page turns into figures when it opens.

Every trace carries tags (pilots, SNR reference, antennas, knowledge) that the page's buttons look at; an empty tag fits every choice.
"""

import math
from collections.abc import Sequence
from html import escape
from typing import Any

import polars as pl

from latentlink.report.study_curves import EXACT_OPTIMUM, OPTA, Curve, curves_of, levels_of, limits_of, pilots_text
from latentlink.report.study_figures import AXIS_NAMES, LEVEL_GREY, colours, level_names, scaled, variants

_SYMBOLS, _DASHES = ("circle", "square", "diamond", "triangle-up", "triangle-down", "cross", "x"), ("solid", "dash", "dot", "dashdot")


def _trace(curve: Curve, name: str, panel: int, **more: Any) -> dict[str, Any]:
    """What all traces share."""
    tags = {"reference": curve.snr_reference, "antennas": curve.antennas, "knowledge": curve.knowledge, "pilots": ""}
    if curve.family not in ("limit", "reference"):
        tags["pilots"] = pilots_text(curve.pilots)
    number = "" if panel == 1 else str(panel)
    shared = {"type": "scatter", "name": escape(name, quote=False), "legendgroup": f"{name}|{curve.key}|{curve.pilots}", "meta": tags}
    return {**shared, "xaxis": f"x{number}", "yaxis": f"y{number}", "showlegend": panel == 1, "legendrank": 900, **more}


def _named(curve: Curve, told: dict[tuple[int | None, str, str], str]) -> str:
    unknown = "channel unknown" if curve.knowledge == "unaware" else ""
    return " · ".join(filter(None, (curve.method, told[curve.pilots, curve.antennas, curve.detail], unknown)))


def _look(curve: Curve, paint: dict[str, str], told: dict[tuple[int | None, str, str], str]) -> dict[str, Any]:
    number, unaware = list(told).index((curve.pilots, curve.antennas, curve.detail)), curve.knowledge == "unaware"
    line = {"color": paint[curve.method], "width": 1.2 if unaware else 3.2 if curve.family == "exact" else 1.8}
    return {
        "mode": "lines+markers", "line": {**line, "dash": "dash" if unaware else _DASHES[number % len(_DASHES)]},
        "marker": {"color": paint[curve.method], "size": 5 if unaware else 8, "symbol": _SYMBOLS[number % len(_SYMBOLS)]},
        "opacity": 0.55 if unaware else 1.0,
    }  # fmt: skip


def panels(table: pl.DataFrame, axis: str, accuracy: Sequence[Curve], nmse: Sequence[Curve]) -> dict[str, Any]:
    """Accuracy on the left, NMSE on the right, in one figure so that one legend serves both."""
    paint, told = colours([*accuracy, *nmse]), variants([*accuracy, *nmse])
    keys = {(curve.method, curve.pilots, curve.key) for curve in accuracy}
    traces: list[dict[str, Any]] = []
    for panel, found in ((1, accuracy), (2, nmse)):
        for rank, curve in reversed(list(enumerate(found))):  # the exact designs last, on top, and yet first in the legend
            lone = {"showlegend": True} if panel == 2 and (curve.method, curve.pilots, curve.key) not in keys else {}
            traces += _banded(curve, axis, panel, _named(curve, told), {**_look(curve, paint, told), **lone, "legendrank": rank})
    limits = limits_of(table, axis)
    xs = [x for curve in [*accuracy, *nmse, *limits] for x in scaled(axis, curve.x)]
    ends = [min(xs), max(xs)] if xs else [0.0, 1.0]
    levels = levels_of(table, "accuracy")
    for number, (level, text) in enumerate(zip(levels, level_names(levels), strict=True)):
        line = {"color": LEVEL_GREY, "width": 1.4, "dash": _DASHES[number % len(_DASHES)]}
        traces.append(_trace(level, text, 1, mode="lines", x=ends, y=[level.mean[0]] * 2, line=line, hovertemplate="%{y:.3f}"))
    for curve in limits:
        traces.append(_limit(curve, axis, limits))
    scale = "linear" if axis == "snr" else "log"
    high = max((value for curve in nmse if curve.knowledge != "unaware" for value in curve.mean), default=1.0)
    titles = [AXIS_NAMES[axis], "accuracy", AXIS_NAMES[axis], "NMSE"]
    ticks = sorted({x for curve in limits for x in scaled(axis, curve.x)}) if axis == "compression" else None
    return {
        "traces": traces,
        "ticks": ticks or None,
        "titles": titles,
        "scales": [scale] * 2,
        "ranges": [[0, 1], [0, min(max(1.02, 1.05 * high), 1.6)]],
    }


def _limit(curve: Curve, axis: str, limits: Sequence[Curve]) -> dict[str, Any]:
    several = [len({getattr(one, part) for one in limits if one.method == curve.method}) > 1 for part in ("pilots", "antennas", "detail")]
    parts = zip((pilots_text(curve.pilots), curve.antennas, curve.detail), several, strict=True)
    told = ", ".join(text for text, shown in parts if shown and text)
    name = f"{curve.method}{f' ({told})' if told else ''}"
    alike = [one for one in limits if (one.method, one.snr_reference) == (curve.method, curve.snr_reference)]
    dashes = ("longdashdot", "4px,3px,1px,3px,1px,3px") if curve.method == OPTA else _DASHES
    line = {"color": "ink" if curve.method == EXACT_OPTIMUM else LEVEL_GREY, "width": 1.4, "dash": dashes[alike.index(curve) % len(dashes)]}
    made = _trace(curve, name, 2, mode="lines", x=scaled(axis, curve.x), y=curve.mean, line=line, showlegend=True)
    if curve.method == EXACT_OPTIMUM:
        made["meta"]["pilots"] = pilots_text(curve.pilots)
    return {**made, "hovertemplate": "%{x:.4g}: %{y:.4f}"}


def _banded(curve: Curve, axis: str, panel: int, name: str, look: dict[str, Any]) -> list[dict[str, Any]]:
    """A curve, and below it its band where several seeds leave one."""
    x, half = scaled(axis, curve.x), [0.0 if math.isnan(value) else value for value in curve.half]
    told = [
        f"{escape(point.at)}, {point.seeds} seeds" + ("" if math.isnan(point.half) else f", ± {point.half:.3f}") for point in curve.points
    ]
    line = _trace(curve, name, panel, x=x, y=curve.mean, text=told, hovertemplate="%{y:.4f} at %{x:.4g}<br>%{text}", **look)
    if not any(half):
        return [line]
    upper = [mean + h for mean, h in zip(curve.mean, half, strict=True)]
    lower = [mean - h for mean, h in zip(curve.mean, half, strict=True)]
    fill = {
        "fill": "toself",
        "fillcolor": _pale(look["line"]["color"]),
        "line": {"width": 0},
        "hoverinfo": "skip",
        "mode": "lines",
        "legendrank": look["legendrank"],
    }
    band = _trace(curve, name, panel, x=[*x, *reversed(x)], y=[*upper, *reversed(lower)], **fill)
    return [{**band, "showlegend": False}, line]


def _pale(colour: str) -> str:
    red, green, blue = (int(colour[place : place + 2], 16) for place in (1, 3, 5))
    return f"rgba({red},{green},{blue},0.10)"


def trade_off(table: pl.DataFrame, accuracy: Sequence[Curve]) -> dict[str, Any]:
    """Accuracy against FLOPs, latency of one message, and latency in batches: same colours, one legend."""
    paint, told = colours(accuracy), variants(accuracy)
    names = ["FLOPs per message", "µs per message, one at a time", "µs per message, batched"]
    traces, seen = [], set()
    for panel, value in enumerate(("flops", "latency_us", "latency_batch_us"), 1):
        costs = {(one.method, one.pilots, one.key): {point.at: point.mean for point in one.points} for one in curves_of(table, value)}
        for curve in accuracy:
            key = curve.method, curve.pilots, curve.key
            pairs = [(costs[key][point.at], point) for point in curve.points if point.at in costs.get(key, {}) and costs[key][point.at] > 0]
            if pairs:
                look = {**_look(curve, paint, told), "showlegend": key not in seen}
                look["line"] = {**look["line"], "width": 1}
                seen.add(key)
                more = {
                    "x": [cost for cost, _ in pairs],
                    "y": [point.mean for _, point in pairs],
                    "text": [escape(point.at) for _, point in pairs],
                }
                traces.append(
                    _trace(curve, _named(curve, told), panel, **{**look, **more}, hovertemplate="%{y:.4f} at %{x:.4g}<br>%{text}")
                )
    return {
        "traces": traces,
        "titles": [text for name in names for text in (name, "accuracy")],
        "scales": ["log"] * 3,
        "ranges": [[0, 1]] * 3,
    }

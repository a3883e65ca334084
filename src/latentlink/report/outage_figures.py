"""Outage curves: how often a channel leaves less than an accuracy, on a logarithmic axis, where the tail can be seen.

A curve is marked where it crosses 5 % and 1 %: those are its outage accuracies. At most six points of a study are drawn.
"""

import html
import math
from pathlib import Path
from typing import Any

import polars as pl

from latentlink.numerics.extras import import_extra
from latentlink.report.figures import INK, STYLE, WIDTH_IN, legend, plain, written
from latentlink.report.interactive import Chart, frames, grouped, one_entry_each
from latentlink.report.look.palette import Look, looks
from latentlink.report.look.wording import Panel, described
from latentlink.report.outage import LEAST, LEVELS, Fading, fadings, shown, staircase

_PANEL_IN, _ENTRY_IN = 2.4, 0.125  # of the figure without its legend, and a line of that
_TICKS = [(share / 100, f"{share:g} %") for share in (100, 10, 5, 1, 0.1, 0.01, 0.001, 0.0001)]
_BELOW, _BESIDE = "accuracy a", "P(accuracy of a channel < a)"


def draw_outage(rows: pl.DataFrame, folder: Path) -> list[Path]:
    """Draw outage[-PANEL].pdf and .png into a folder, one column wide; none where no cell has 100 channels.

    Raises:
        ImportError: matplotlib is not installed (extra `plot`).
        OSError: a file cannot be written.
    """
    matplotlib = import_extra("matplotlib", "plot")
    matplotlib.use("Agg")
    pyplot = import_extra("matplotlib.pyplot", "plot")
    points, files = _drawn(rows), []
    look = looks(method.curve for methods in points.values() for method in methods)
    for panel, methods in points.items():
        with pyplot.rc_context(STYLE):
            files += written(pyplot, _figure(pyplot, methods, look), panel, folder / "outage")
    return files


def _drawn(rows: pl.DataFrame) -> dict[Panel, list[Fading]]:
    points = fadings(rows)
    return {panel: [method for method in points[panel] if len(method.values) >= LEAST] for panel in shown(points)}


def _figure(pyplot: Any, methods: list[Fading], look: dict[str, Look]) -> Any:
    height = _PANEL_IN + _ENTRY_IN * (math.ceil((len(methods) + 1) / 2) + 1)
    figure, axes = pyplot.subplots(figsize=(WIDTH_IN, height), layout="constrained")
    for method in methods:
        a, p, marked = staircase(method.values)
        style, unaware = look[method.curve.label], method.curve.knowledge == "unaware"
        axes.step(
            a, p, where="post", color=style.colour, linestyle=(0, (3, 1.5)) if unaware else "-", linewidth=0.7 * style.width,
            marker=style.marker, markersize=4 * style.size, markerfacecolor="white" if unaware else style.colour, markeredgewidth=0.7,
            markevery=[number for number, mark in enumerate(marked) if mark],
            label=f"_{method.curve.label}" if unaware else plain(method.curve.label),
        )  # fmt: skip
    for level in LEVELS:
        axes.axhline(level / 100, color=INK, linestyle=":", linewidth=0.8, zorder=1)
        axes.annotate(f"{level} %", (1.0, level / 100), xycoords=("axes fraction", "data"), ha="right", va="bottom", fontsize=6)
    low, high = _span(methods)
    least = 1 / max(len(method.values) for method in methods)
    axes.set(yscale="log", xlim=(low, high), ylim=(0.9 * least, 1.1), xlabel=_BELOW, ylabel=_BESIDE)
    legend(pyplot, figure, [axes], any(method.curve.knowledge == "unaware" for method in methods))
    return figure


def _span(methods: list[Fading]) -> tuple[float, float]:
    """From the worst to the best channel, with some room."""
    low, high = min(method.values[0] for method in methods), max(method.values[-1] for method in methods)
    room = 0.04 * (high - low) or 0.02
    return max(0.0, low - room), min(1.0, high + room)


def outage_charts(rows: pl.DataFrame) -> list[tuple[str, str, Chart]]:
    """Heading, SNR reference and plotly specification of each figure of the page."""
    points, found = _drawn(rows), []
    look = looks(method.curve for methods in points.values() for method in methods)
    for title, across, group in grouped(list(points)):
        headings = [described(across, dict(panel)[across]) if across else "" for panel in group]
        layout, data = frames(headings, [_BESIDE], _BELOW), []
        span = [_span(points[panel]) for panel in group]
        least = min(1 / len(method.values) for panel in group for method in points[panel])
        for number, panel in enumerate(group, 1):
            cell = {"xaxis": f"x{number}", "yaxis": f"y{number}"}
            layout[f"xaxis{number}"]["range"] = [min(low for low, _ in span), max(high for _, high in span)]
            layout[f"yaxis{number}"] |= {"type": "log", "range": [math.log10(0.9 * least), math.log10(1.1)]}
            layout[f"yaxis{number}"] |= {"tickvals": [share for share, _ in _TICKS], "ticktext": [said for _, said in _TICKS]}
            data += [trace | cell for method in points[panel] for trace in _traces(method, look[method.curve.label])]
            data += [_level(level, layout[f"xaxis{number}"]["range"]) | cell for level in LEVELS]
        one_entry_each(data)
        found.append((title, dict(group[0]).get("snr_reference") or "", {"data": data, "layout": layout}))
    return found


def _traces(method: Fading, look: Look) -> list[Chart]:
    """The curve, and the marks at the levels, which have the legend's entry."""
    a, p, marked = staircase(method.values)
    name, unaware = html.escape(method.curve.name, quote=False), method.curve.knowledge == "unaware"
    said = f"<b>{name}</b><br>P(A &lt; %{{x:.3f}}) = %{{y:.3%}}<br>{len(method.values)} channels<extra></extra>"
    common: Chart = {"type": "scatter", "name": name, "legendgroup": name, "hovertemplate": said}
    line = {"color": look.colour, "width": look.width, "dash": "dash" if unaware else "solid", "shape": "hv"}
    marker = {"symbol": f"{look.symbol}-open" if unaware else look.symbol, "color": look.colour, "size": 8 * look.size}
    marks = {"x": [x for x, mark in zip(a, marked, strict=True) if mark], "y": [y for y, mark in zip(p, marked, strict=True) if mark]}
    return [
        common | {"mode": "lines", "x": a, "y": p, "line": line, "showlegend": False},
        common | marks | {"mode": "markers", "marker": marker, "showlegend": True},
    ]


def _level(level: int, ends: list[float]) -> Chart:
    """A line across, at a share of the channels."""
    line = {"dash": "dot", "width": 1.3}
    common = {"type": "scatter", "mode": "lines", "name": f"{level} %", "legendgroup": f"{level} %", "showlegend": False, "meta": "ink"}
    return common | {"x": ends, "y": [level / 100] * 2, "line": line, "hoverinfo": "skip"}

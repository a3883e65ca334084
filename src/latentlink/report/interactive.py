"""The page's charts of the same plots: plain plotly specifications (data and layout), drawn by the plotly.js that the page carries.

One chart holds the plots that differ in one setting side by side; other settings that make conditions make further charts. Lines of one
name share a legend entry, so that one click hides a method everywhere in its chart.
"""

import html
import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from latentlink.numerics.extras import import_extra
from latentlink.report.axes import thin_out
from latentlink.report.columns import describe, describe_condition
from latentlink.report.plots import Line, Plot, Scale, group_plots

_COLUMNS, _GAP = 3, 0.04  # plots beside each other, and the share of the width between them
_HEIGHTS_PX = {1: 430, 2: 720, 3: 1010, 4: 1300}  # by rows
_THICKER = 1.4  # lines of the page than those of a paper
_MARK_PX = 8
_Trace = dict[str, Any]


@dataclass(frozen=True)
class Chart:
    """A chart of the page.

    Attributes:
        id: by which the page finds it.
        title: its heading.
        reference: the SNR reference, "" where there is one only.
        columns: plots beside each other.
        data: plotly's traces.
        layout: plotly's layout.
    """

    id: str
    title: str
    reference: str
    columns: int
    data: list[_Trace]
    layout: dict[str, Any]


def make_charts(plots: Iterable[Plot], name: str) -> list[Chart]:
    """Make the charts of some plots, at most three beside each other; their ids are NAME-0, NAME-1, …"""
    charts = []
    for number, (shared, across, group) in enumerate(group_plots(plots, _COLUMNS)):
        headings = [describe(across, dict(plot.condition)[across]) if across else "" for plot in group]
        reference = dict(group[0].condition).get("snr_reference") or ""
        charts.append(make_chart(group, headings, f"{name}-{number}", describe_condition(shared), reference))
    return charts


def make_chart(plots: list[Plot], headings: list[str], identity: str, title: str = "", reference: str = "", same_x: bool = True) -> Chart:
    """Make a chart of plots that have the same rows, one for each column below its heading.

    `reference` is the SNR reference, "" where there is one only; `same_x` says whether all plots have the same axis below them.
    """
    rows, columns = len(plots[0].frames), len(plots)
    titles = [f"<b>{html.escape(text)}</b>" if text else "" for text in headings]
    subplots = import_extra("plotly.subplots", "report")
    grid = subplots.make_subplots(rows, columns, horizontal_spacing=_GAP, vertical_spacing=2 * _GAP, subplot_titles=titles)
    grid.update_annotations(font_size=12)
    layout: dict[str, Any] = {name: part for name, part in grid.to_dict()["layout"].items() if name != "template"}
    layout |= {"height": _HEIGHTS_PX[rows], "margin": {"l": 56, "r": 12, "t": 36, "b": 56}, "legend": {"tracegroupgap": 0}}
    data: list[_Trace] = []
    everything = [frame.x for plot in plots for frame in plot.frames]
    for column, plot in enumerate(plots):
        for row, frame in enumerate(plot.frames):
            number = row * columns + column + 1
            suffix = "" if number == 1 else str(number)
            x = _make_axis(_join_scales(everything) if same_x else frame.x, 0.055 * columns)
            y = _make_axis(_join_scales([other.frames[row].y for other in plots]))
            x |= {"matches": "x"} if same_x and number > 1 else {}
            x |= {"title": {"text": frame.x.label, "standoff": 8}} if row == rows - 1 else {}
            y |= {"showticklabels": False} if column else {"title": {"text": frame.y.label, "standoff": 6}}
            y |= {"matches": "y"} if frame.y.zero and number > 1 else {}
            layout[f"xaxis{suffix}"] |= x
            layout[f"yaxis{suffix}"] |= y
            ends = _find_sides(plots if same_x else [plot], frame.x)
            data += [trace | {"xaxis": f"x{suffix}", "yaxis": f"y{suffix}"} for line in frame.lines for trace in _make_traces(line, ends)]
    _list_once(data)
    return Chart(identity, title, reference, columns, data, layout)


def _join_scales(scales: list[Scale]) -> Scale:
    """Return the scale that shows everything that several scales show."""
    ends = [scale.ends for scale in scales if scale.ends]
    widest = (min(low for low, _ in ends), max(high for _, high in ends)) if ends else None
    ticks = {place: text for scale in scales for place, text in scale.ticks.items()}
    first = scales[0]
    return Scale(first.label, any(scale.logarithmic for scale in scales), widest, ticks, first.zero)


def _make_axis(scale: Scale, room: float = 0.0) -> dict[str, Any]:
    """Make a scale of plotly, whose ticks leave each other `room`, a share of its length."""
    axis: dict[str, Any] = {"zeroline": scale.zero}
    if scale.zero:
        axis |= {"zerolinewidth": 2, "rangemode": "tozero"}
    if scale.logarithmic:
        axis["type"] = "log"
    if scale.ends:
        axis["range"] = [math.log10(end) for end in scale.ends] if scale.logarithmic else list(scale.ends)
    if scale.ticks:
        places = thin_out(sorted(scale.ticks), room, scale.logarithmic)
        axis |= {"tickvals": places, "ticktext": [scale.ticks[place] for place in places]}
    return axis


def _find_sides(plots: list[Plot], scale: Scale) -> list[float]:
    """Find where lines from side to side end: a little beyond the points."""
    if scale.ends:
        return list(_join_scales([frame.x for plot in plots for frame in plot.frames]).ends or scale.ends)
    places = sorted({place for plot in plots for frame in plot.frames for line in frame.lines for place in line.x})
    if not places:
        return [0.0, 1.0]
    low, high = places[0], places[-1]
    if scale.logarithmic:
        return [low / 1.25, high * 1.25]
    aside = 0.05 * (high - low) or 1.0
    return [low - aside, high + aside]


def _list_once(data: list[_Trace]) -> None:
    """Give each name one legend entry, in the order of the traces; then draw the first ones last, so that exact designs lie on top.

    Methods of one's own lie in front of these.
    """
    seen: set[str] = set()
    for rank, trace in enumerate(data):
        trace["legendrank"] = rank
        if trace["showlegend"]:
            trace["showlegend"] = trace["legendgroup"] not in seen
            seen.add(trace["legendgroup"])
    data.sort(key=lambda trace: ({"ink": 0, "front": 2}.get(trace.get("meta", ""), 1), -trace["legendrank"]))


def _make_traces(line: Line, sides: list[float]) -> list[_Trace]:
    """Make the traces of a line: its band, then the line with its points, whose marks are a trace of their own if only some are marked."""
    look = line.look
    name = html.escape(line.name, quote=False)
    common: _Trace = {"type": "scatter", "name": name, "legendgroup": name, "showlegend": line.listed, "x": list(line.x), "y": list(line.y)}
    common |= _word_hover(line, name)
    stroke: dict[str, Any] = {"dash": look.dash[1], "width": _THICKER * look.width}
    stroke |= {"shape": "hv"} if look.steps else {}
    if not look.colour:
        mode = "lines" if len(line.x) != 1 else "lines+markers"
        across = {} if line.x else {"x": sides, "y": [line.y[0]] * 2}
        return [common | {"mode": mode, "line": stroke, "meta": "ink"} | across]
    stroke["color"] = look.colour
    common |= {"meta": "front"} if look.front else {}
    marker = {
        "symbol": f"{look.symbol}-open" if look.hollow else look.symbol,
        "color": look.colour,
        "size": list(line.sizes) or _MARK_PX * look.size,
    }
    if line.marked is None:
        return [*_make_band(line, common), common | {"mode": "lines+markers", "line": stroke, "marker": marker} | _make_error_bar(line)]
    marks = {axis: [values[place] for place in line.marked] for axis, values in (("x", line.x), ("y", line.y))}
    return [common | {"mode": "lines", "line": stroke, "showlegend": False}, common | marks | {"mode": "markers", "marker": marker}]


def _word_hover(line: Line, name: str) -> dict[str, Any]:
    """Write what the page shows while the pointer is on a point."""
    if not line.listed:
        return {"hoverinfo": "skip"}
    if not line.x:
        return {"hovertemplate": html.escape(line.hover[0][0], quote=False) + "<extra></extra>"}
    if not line.hover:
        return {"hovertemplate": f"<b>{name}</b><br>{line.template}<extra></extra>"}
    text = ["<br>".join(html.escape(part, quote=False) for part in parts) for parts in line.hover]
    return {"text": text, "hovertemplate": f"<b>{name}</b><br>%{{text}}<extra></extra>"}


def _make_band(line: Line, common: _Trace) -> list[_Trace]:
    if len(line.band) < 2:
        return []
    around = {
        "x": [x for x, _, _ in line.band] + [x for x, _, _ in line.band[::-1]],
        "y": [low for _, low, _ in line.band] + [high for _, _, high in line.band[::-1]],
    }
    fill = {"fill": "toself", "fillcolor": line.look.colour, "opacity": 0.15, "line": {"width": 0}, "mode": "lines", "hoverinfo": "skip"}
    named = {key: common[key] for key in ("type", "name", "legendgroup")}
    return [named | around | fill | {"showlegend": False}]


def _make_error_bar(line: Line) -> dict[str, Any]:
    """Make an error bar for a line with the band of a single point."""
    if len(line.band) != 1:
        return {}
    _, low, high = line.band[0]
    bar = {"array": [high - line.y[0]], "arrayminus": [line.y[0] - low], "symmetric": False, "thickness": 1.2, "width": 3}
    return {"error_y": bar}

"""The same figures for the page: plain plotly specifications (data and layout), drawn by the plotly.js that the page carries.

One figure holds the panels that differ in one setting side by side (accuracy above, NMSE below); whatever else makes panels makes further
figures. Traces of one name share a legend entry, so that one click hides a method everywhere in its figure.
"""

import html
import math
from typing import Any

import polars as pl

from latentlink.report.arrange import arranged
from latentlink.report.curves import BUDGET, Curve, Level, Point, curves, levels
from latentlink.report.figures import drawn_curves
from latentlink.report.look.axes import AXES, ticks
from latentlink.report.look.palette import LINES, Look, in_order, looks, reading_limit, with_value
from latentlink.report.look.wording import Panel, described, panel_title

COLUMNS = 3  # panels beside each other
Chart = dict[str, Any]


def figures(rows: pl.DataFrame, axis: str) -> list[tuple[str, str, Chart]]:
    """Heading, SNR reference ("" where there is one only) and plotly specification of each figure along an axis."""
    drawn = drawn_curves(rows, axis)
    flat = {value: levels(rows, axis, value) for value in drawn}
    look = looks([*drawn["accuracy"], *drawn["nmse"]])
    panels = [panel for panel in arranged(rows, axis).panels if any(curve.panel == panel for value in drawn.values() for curve in value)]
    return charts(axis, panels, drawn, flat, look)


_SIGNED = {"zeroline": True, "zerolinewidth": 2, "rangemode": "tozero"}
TITLES = {"accuracy": "accuracy", "nmse": "NMSE of the latent", "opta_db": "MSE over Gaussian OPTA (dB)"}


def charts(
    axis: str, panels: list[Panel], drawn: dict[str, list[Curve]], flat: dict[str, list[Level]], look: dict[str, Look]
) -> list[tuple[str, str, Chart]]:
    """Heading, SNR reference and specification of the figures of some panels: a row of axes for each value that is drawn."""
    found = []
    for title, across, group in grouped(panels):
        headings = [described(across, dict(panel)[across]) if across else "" for panel in group]
        chart = _chart(axis, group, headings, drawn, flat, look)
        found.append((title, dict(group[0]).get("snr_reference") or "", chart))
    return found


def grouped(panels: list[Panel]) -> list[tuple[str, str, list[Panel]]]:
    """Panels that differ in one setting only, at most COLUMNS at a time: their common title, that setting, and they."""
    if not panels:
        return []
    names = [name for name, _ in panels[0] if name != "snr_reference"]
    across = names[0] if names else ""
    groups: dict[Panel, list[Panel]] = {}
    for panel in panels:
        groups.setdefault(tuple(setting for setting in panel if setting[0] != across), []).append(panel)
    return [(panel_title(rest), across, group[i : i + COLUMNS]) for rest, group in groups.items() for i in range(0, len(group), COLUMNS)]


def _chart(
    axis: str, panels: list[Panel], headings: list[str], drawn: dict[str, list[Curve]], flat: dict[str, list[Level]], look: dict[str, Look]
) -> Chart:
    mine = {value: [curve for curve in drawn[value] if curve.panel in panels] for value in drawn}
    lines = {value: [level for level in flat[value] if level.panel in panels] for value in flat}
    points = {value: [point for curve in mine[value] for point in curve.points] for value in mine}
    places = sorted({point.x for value in points.values() for point in value})
    data: list[Chart] = []
    layout = frames(headings, [TITLES[value] for value in drawn], AXES[axis].label)
    _scaled(layout, axis, [point for value in points.values() for point in value], len(panels))
    span = {"accuracy": [0, 1.0], "opta_db": None}
    if "nmse" in drawn:
        span["nmse"] = [0, reading_limit([p.mean for p in points["nmse"]] + [level.value for level in lines["nmse"]])]
    for column, panel in enumerate(panels):
        for row, value in enumerate(drawn):
            number = row * len(panels) + column + 1
            cell = {"xaxis": f"x{number}", "yaxis": f"y{number}"}
            layout[f"yaxis{number}"] |= {"range": span[value]} if span[value] else _SIGNED | {"matches": "y" if number > 1 else None}
            data += [_level(level, places, axis, value) | cell for level in lines[value] if level.panel == panel]
            for curve in mine[value]:
                if curve.panel == panel:
                    data += [trace | cell for trace in _traces(curve, look.get(curve.label), axis, value)]
    one_entry_each(data)
    return {"data": data, "layout": layout}


def frames(headings: list[str], titles: list[str], below: str) -> Chart:
    """Axes in as many rows as there are titles, a column for each heading, and what is below the last row."""
    count, gap, rows = len(headings), 0.04, len(titles)
    wide, high = (1 - gap * (count - 1)) / count, {1: 1.0, 2: 0.46}[rows]
    layout: Chart = {"height": {1: 430, 2: 720}[rows], "margin": {"l": 56, "r": 12, "t": 36, "b": 52}, "legend": {"tracegroupgap": 0}}
    layout["annotations"] = []
    for number in range(1, rows * count + 1):
        row, column = divmod(number - 1, count)
        left = column * (wide + gap)
        x: Chart = {"domain": [left, left + wide], "anchor": f"y{number}", "zeroline": False, "matches": "x" if number > 1 else None}
        y: Chart = {"domain": [1 - high, 1.0] if row == 0 else [0.0, high], "anchor": f"x{number}", "zeroline": False}
        if row == rows - 1:
            x["title"] = {"text": below, "standoff": 8}
        if not column:
            y["title"] = {"text": titles[row], "standoff": 6}
        else:
            y["showticklabels"] = False
        layout |= {f"xaxis{number}": x, f"yaxis{number}": y}
        if not row and headings[column]:
            middle = {"x": left + wide / 2, "y": 1.0, "xref": "paper", "yref": "paper", "xanchor": "center", "yanchor": "bottom"}
            layout["annotations"].append({"text": f"<b>{html.escape(headings[column])}</b>", "showarrow": False, **middle})
    return layout


def _scaled(layout: Chart, axis: str, points: list[Point], count: int) -> None:
    """Logarithmic where the axis is a ratio, with ticks where the points are where it is so marked; `count` panels share the width."""
    what, more = AXES[axis], dict[str, Any]()
    positive = bool(points) and min(point.x for point in points) > 0
    if what.ratio and positive:
        more["type"] = "log"
    if what.marked and points and (positive or not what.ratio):
        told = ticks(axis, ((point.x, point.at.get(what.column)) for point in points), 0.055 * count)
        more |= {"tickvals": list(told), "ticktext": list(told.values())}
    for name in layout:
        if name.startswith("xaxis"):
            layout[name] |= more


def one_entry_each(data: list[Chart]) -> None:
    """One legend entry for each name, in the order of the traces; then draw the first ones last, so that exact designs lie on top."""
    seen: set[str] = set()
    for rank, trace in enumerate(data):
        trace["legendrank"] = rank
        if trace["showlegend"]:
            trace["showlegend"] = trace["legendgroup"] not in seen
            seen.add(trace["legendgroup"])
    data.sort(key=lambda trace: (trace.get("meta") != "ink", -trace["legendrank"]))


def _level(level: Level, places: list[float], axis: str, value: str) -> Chart:
    """A line from side to side; a legend entry stands for several panels and so has no number."""
    low, high = places[0], places[-1]
    aside = 1.0 if axis == "snr" else 0.05 * (high - low) or 1.0
    ends = [low / 1.25, high * 1.25] if AXES[axis].ratio and low > 0 else [low - aside, high + aside]
    name = html.escape(level.label, quote=False)
    _, dash, width = LINES[level.label]
    line = {"dash": dash, "width": 1.3 * width}
    hover = html.escape(with_value(level), quote=False) + "<extra></extra>"
    shown = {"name": name, "legendgroup": name, "showlegend": True, "hovertemplate": hover, "meta": "ink"}
    return {"type": "scatter", "mode": "lines", "x": ends, "y": [level.value] * 2, "line": line} | shown


def _traces(curve: Curve, look: Look | None, axis: str, value: str) -> list[Chart]:
    """A line with its points, and the band below it."""
    name = html.escape(curve.name, quote=False)
    common: Chart = {"type": "scatter", "name": name, "legendgroup": name}
    x, mean = [point.x for point in curve.points], [point.mean for point in curve.points]
    said = [_said(point.at, point.mean, point.low, point.high, point.rows, axis) for point in curve.points]
    shown = {"x": x, "y": mean, "text": said, "hovertemplate": f"<b>{name}</b><br>%{{text}}<extra></extra>", "showlegend": True}
    if look is None:
        _, dash, width = LINES[curve.label]
        shape = "hv" if curve.label == BUDGET else "linear"
        mode = "lines" if len(x) > 1 else "lines+markers"
        return [common | shown | {"mode": mode, "line": {"dash": dash, "width": 1.4 * width, "shape": shape}, "meta": "ink"}]
    unaware = curve.knowledge == "unaware"
    line = {"color": look.colour, "width": (0.9 if unaware else 1.4) * look.width, "dash": "dash" if unaware else "solid"}
    marker = {"symbol": f"{look.symbol}-open" if unaware else look.symbol, "size": 8 * look.size, "color": look.colour}
    banded = [(point.x, point.low, point.high) for point in curve.points if point.low is not None and point.high is not None]
    traces = []
    if len(banded) > 1:
        around = {"x": [b[0] for b in banded] + [b[0] for b in banded[::-1]], "y": [b[1] for b in banded] + [b[2] for b in banded[::-1]]}
        fill = {"fill": "toself", "fillcolor": look.colour, "opacity": 0.15, "line": {"width": 0}, "mode": "lines", "hoverinfo": "skip"}
        traces.append(common | around | fill | {"showlegend": False})
    elif banded:
        _, low, high = banded[0]
        shown["error_y"] = {"array": [high - mean[0]], "arrayminus": [mean[0] - low], "symmetric": False, "thickness": 1.2, "width": 3}
    return [*traces, common | shown | {"mode": "lines+markers", "line": line, "marker": marker}]


def _said(at: Chart, mean: float, low: float | None, high: float | None, rows: int, axis: str) -> str:
    band = f" [{low:.3f}, {high:.3f}]" if low is not None and high is not None else ""
    facts = [described("antennas", at["antennas"])] if at.get("antennas") else []
    facts += [described("snr_db", at["snr_db"])] if axis != "snr" and at.get("snr_db") is not None else []
    facts += [f"λ = {at['pruning']:g}"] if at.get("pruning") is not None else []
    facts += [f"{rows} rows" if rows > 1 else "1 row"]
    return html.escape(f"{mean:.4f}{band}", quote=False) + "<br>" + html.escape(", ".join(facts), quote=False)


TRADED = {"flops": "FLOPs per message", "latency_us": "latency, one message (µs)", "latency_batch_us": "latency per message, batched (µs)"}


def trade_off(rows: pl.DataFrame, axis: str) -> tuple[Chart | None, str]:
    """Accuracy against FLOPs and both measured latencies, side by side and with one legend, and which part of the rows it shows.

    Points are those of the curves along `axis`, at the most pilots, the SNR per transmit antenna and, along the SNR axis, the SNR nearest
    to 20 dB.
    """
    kept, told = _one_setting(rows, axis)
    known = [name for name in TRADED if kept[name].drop_nulls().len()] if len(kept) else []
    if not known:
        return None, told
    accuracy = {(c.name, c.panel, _at(p.at)): p for c in curves(kept, axis, "accuracy") for p in c.points}
    look, data = looks(curves(kept, axis, "accuracy")), []
    layout: Chart = {"height": 440, "margin": {"l": 56, "r": 12, "t": 24, "b": 56}, "legend": {"tracegroupgap": 0}}
    wide = (1 - 0.04 * (len(known) - 1)) / len(known)
    for number, value in enumerate(known, 1):
        for curve in in_order(curves(kept, axis, value)):
            mine = [(p, accuracy.get((curve.name, curve.panel, _at(p.at)))) for p in curve.points if p.mean > 0]
            data.append(_traded(curve, [(p, seen) for p, seen in mine if seen], look.get(curve.label), value, axis))
            data[-1] |= {"xaxis": f"x{number}", "yaxis": f"y{number}"}
        left = (number - 1) * (wide + 0.04)
        layout[f"xaxis{number}"] = {"type": "log", "domain": [left, left + wide], "anchor": f"y{number}", "title": {"text": TRADED[value]}}
        layout[f"yaxis{number}"] = {"range": [0, 1], "anchor": f"x{number}", "zeroline": False, "showticklabels": number == 1}
    layout["yaxis1"]["title"] = {"text": "accuracy"}
    data = [trace for trace in data if trace["x"]]
    one_entry_each(data)
    return {"data": data, "layout": layout}, told


def _at(at: Chart) -> tuple[Any, ...]:
    return tuple(sorted((name, str(value)) for name, value in at.items()))


def _one_setting(rows: pl.DataFrame, axis: str) -> tuple[pl.DataFrame, str]:
    table = arranged(rows, axis)
    kept, told = table.links, []
    for name in ("pilots_per_class", "snr_reference", *(["snr_db"] if axis == "snr" else [])):
        values = kept[name].drop_nulls().unique().to_list()
        if kept[name].n_unique() > 1 and values:
            best = {"pilots_per_class": max, "snr_reference": max, "snr_db": lambda v: min(v, key=lambda db: (abs(db - 20), db))}[name]
            chosen = None if name == "pilots_per_class" and kept[name].null_count() else best(values)  # type: ignore[operator]
            kept = kept.filter(pl.col(name).eq_missing(pl.lit(chosen)))
            told.append(described(name, chosen))
    return kept, ", ".join(told)


def _traded(curve: Curve, points: list[tuple[Any, Any]], look: Look | None, value: str, axis: str) -> Chart:
    name = html.escape(curve.name, quote=False)
    colour, symbol = (look.colour, look.symbol) if look else ("#777777", "circle")
    unaware = curve.knowledge == "unaware"
    costs = {"flops": "FLOPs"}.get(value, "µs")
    said = [f"{_said(seen.at, seen.mean, seen.low, seen.high, seen.rows, axis)}<br>{cost.mean:,.0f} {costs}" for cost, seen in points]
    return {
        "type": "scatter", "mode": "lines+markers", "name": name, "legendgroup": name, "showlegend": True, "text": said,
        "x": [cost.mean for cost, _ in points], "y": [seen.mean for _, seen in points],
        "line": {"color": colour, "width": 0.8, "dash": "dot"}, "hovertemplate": f"<b>{name}</b><br>%{{text}}<extra></extra>",
        "marker": {"symbol": f"{symbol}-open" if unaware else symbol, "color": colour,
                   "size": [_bubble(seen.at) for _, seen in points]},
    }  # fmt: skip


def _bubble(at: Chart) -> float:
    """Area by the number of complex symbols sent, so that compression shows too."""
    n_tx = str(at.get("antennas") or "1×1").split("×")[-1]
    symbols = float(n_tx) * float(at.get("uses") or 1)
    return 6 + 2.2 * math.log2(1 + symbols)

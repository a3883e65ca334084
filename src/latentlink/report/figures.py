"""Figures for a paper: one column wide, accuracy above NMSE, bands over seeds; a PDF and a PNG for each panel."""

import io
import math
import re
from pathlib import Path
from typing import Any

import polars as pl

from latentlink.numerics.extras import import_extra
from latentlink.report.arrange import arranged
from latentlink.report.curves import BUDGET, Curve, Level, curves, levels, limits, within_budget
from latentlink.report.look.axes import AXES, ticks
from latentlink.report.look.palette import LINES, Look, in_order, looks, reading_limit, with_value
from latentlink.report.look.wording import Panel, panel_title
from latentlink.storage.atomic import write_atomically

WIDTH_IN, _PANELS_IN, _ENTRY_IN = 3.5, 3.9, 0.125  # of the figure, its two panels and a line of its legend
INK = "#222222"
STYLE = {
    "font.size": 7, "font.family": "sans-serif", "font.sans-serif": ["DejaVu Sans"], "axes.labelsize": 7, "xtick.labelsize": 6.5,
    "ytick.labelsize": 6.5, "legend.fontsize": 5.8, "axes.titlesize": 7, "axes.linewidth": 0.6, "axes.spines.top": False,
    "axes.spines.right": False, "axes.grid": True, "grid.alpha": 0.25, "grid.linewidth": 0.4, "pdf.fonttype": 42,
}  # fmt: skip


def draw_paper_figures(rows: pl.DataFrame, axis: str, folder: Path) -> list[Path]:
    """Draw accuracy and NMSE along an axis, a figure for each panel (pilots, SNR reference, …), as PDF and PNG.

    Args:
        rows: results, a row for each cell and channel draw. axis: one of AXES. folder: where the files go.

    Returns:
        The files, accuracy-vs-AXIS[-PANEL].pdf and .png; none where nothing is finished.

    Raises:
        ImportError: matplotlib is not installed (extra `plot`).
        OSError: a file cannot be written.
    """
    matplotlib = import_extra("matplotlib", "plot")
    matplotlib.use("Agg")
    pyplot = import_extra("matplotlib.pyplot", "plot")
    drawn = drawn_curves(rows, axis)
    flat = {value: levels(rows, axis, value) for value in ("accuracy", "nmse")}
    look, files = looks([*drawn["accuracy"], *drawn["nmse"]]), []
    panels = [panel for panel in arranged(rows, axis).panels if any(curve.panel == panel for value in drawn.values() for curve in value)]
    for panel in panels:
        with pyplot.rc_context(STYLE):
            mine = {value: [curve for curve in drawn[value] if curve.panel == panel] for value in drawn}
            lines = {value: [level for level in flat[value] if level.panel == panel] for value in flat}
            figure = _figure(pyplot, axis, mine, lines, look)
            files += written(pyplot, figure, panel, folder / f"accuracy-vs-{axis}")
    return files


def written(pyplot: Any, figure: Any, panel: Panel, stem: Path) -> list[Path]:
    """Name a figure after its panel, write it as STEM[-PANEL].pdf and .png, and close it."""
    if panel:
        figure.axes[0].set_title(plain(panel_title(panel)))
    words = re.sub(r"[^a-z0-9.]+", "-", panel_title(panel).lower().replace("×", "x").replace("−", "minus ")).strip("-")
    files = []
    for kind in ("pdf", "png"):
        buffer = io.BytesIO()
        figure.savefig(buffer, format=kind, dpi=300, metadata={"CreationDate": None} if kind == "pdf" else {})
        files.append(stem.with_name(f"{stem.name}{f'-{words}' if words else ''}.{kind}"))
        write_atomically(files[-1], buffer.getvalue())
    pyplot.close(figure)
    return files


def drawn_curves(rows: pl.DataFrame, axis: str) -> dict[str, list[Curve]]:
    """What is drawn of accuracy and of NMSE: the limits behind, then the methods."""
    accuracy, nmse = (in_order(curves(rows, axis, value)) for value in ("accuracy", "nmse"))
    behind = within_budget(accuracy) if axis == "flops" else limits(rows, axis, "accuracy")
    return {"accuracy": behind + accuracy, "nmse": limits(rows, axis) + nmse}


def _figure(pyplot: Any, axis: str, drawn: dict[str, list[Curve]], flat: dict[str, list[Level]], look: dict[str, Look]) -> Any:
    names = {curve.label for value in drawn.values() for curve in value} | {level.label for value in flat.values() for level in value}
    height = _PANELS_IN + _ENTRY_IN * (math.ceil((len(names) + 1) / 2) + 1)
    figure, (upper, lower) = pyplot.subplots(2, 1, figsize=(WIDTH_IN, height), sharex=True, layout="constrained")
    for axes, value in ((upper, "accuracy"), (lower, "nmse")):
        for level in flat[value]:
            dash, _, width = LINES[level.label]
            label = with_value(level) if value == "accuracy" else level.label
            axes.axhline(level.value, color=INK, linestyle=dash, linewidth=width, label=plain(label), zorder=1.5)
        for curve in drawn[value]:
            draw(axes, curve, look.get(curve.label))
    upper.set(ylabel="accuracy", ylim=(0, 1))
    seen = [point.mean for curve in drawn["nmse"] for point in curve.points] + [level.value for level in flat["nmse"]]
    lower.set(ylabel="NMSE of the latent", ylim=(0, reading_limit(seen)), xlabel=AXES[axis].label)
    scale(lower, axis, [curve for value in drawn.values() for curve in value])
    legend(pyplot, figure, [upper, lower], any(curve.knowledge == "unaware" for value in drawn.values() for curve in value))
    return figure


def draw(axes: Any, curve: Curve, look: Look | None) -> None:
    """A curve with its points and band, or a limit without."""
    x, mean = [point.x for point in curve.points], [point.mean for point in curve.points]
    if look is None:  # a limit
        dash, _, width = LINES[curve.label]
        marker = "_" if len(x) == 1 else ""  # a single point has no line to show
        steps = "steps-post" if curve.label == BUDGET else "default"
        axes.plot(
            x,
            mean,
            color=INK,
            linestyle=dash,
            linewidth=width,
            drawstyle=steps,
            marker=marker,
            markersize=9,
            label=plain(curve.label),
            zorder=1.8,
        )
        return
    unaware, strong = curve.knowledge == "unaware", curve.family == "exact"
    width = 0.7 * look.width if unaware else look.width
    shown = {
        "color": look.colour, "linestyle": (0, (3, 1.5)) if unaware else "-", "linewidth": width, "zorder": 3 if strong else 2.5,
        "marker": look.marker, "markersize": 3.6 * look.size, "markeredgewidth": 0.7,
        "markerfacecolor": "white" if unaware else look.colour,
    }  # fmt: skip
    axes.plot(x, mean, **shown, label=f"_{curve.label}" if unaware else plain(curve.label))
    banded = [(point.x, point.low, point.high) for point in curve.points if point.low is not None and point.high is not None]
    if len(banded) == 1:
        axes.vlines(*banded[0], color=look.colour, linewidth=0.8, zorder=2)
    elif banded:
        places, low, high = zip(*banded, strict=True)
        axes.fill_between(places, low, high, color=look.colour, alpha=0.16, linewidth=0, zorder=2)


def scale(axes: Any, axis: str, drawn: list[Curve]) -> None:
    """Logarithmic where the axis is a ratio, and ticks where the points are, as far as there is room, where it is so marked."""
    what, column = AXES[axis], AXES[axis].column
    places = sorted({point.x for curve in drawn for point in curve.points})
    if what.ratio and places and places[0] > 0:
        axes.set_xscale("log")
        if len(places) == 1:
            axes.set_xlim(places[0] / 3, places[0] * 3)
    if what.marked and places and (places[0] > 0 or not what.ratio):
        told = ticks(axis, ((point.x, point.at.get(column)) for curve in drawn for point in curve.points))
        axes.set_xticks(list(told), list(told.values()))
        axes.minorticks_off()


def plain(label: str) -> str:
    """A label as it stands: no formulas between dollars, and shown although it begins with an underscore."""
    label = label.replace("$", r"\$")
    return f"\u200b{label}" if label.startswith("_") else label


def legend(pyplot: Any, figure: Any, panels: list[Any], unaware: bool) -> None:
    """One entry for each name below the figure, and what broken lines mean where there are some."""
    entries: dict[str, Any] = {}
    for axes in panels:
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
            if not any(name == label or name.startswith(f"{label} (") for name in entries):
                entries[label] = handle
    if unaware:
        broken = pyplot.Line2D(
            [], [], color="#777777", linestyle=(0, (3, 1.5)), linewidth=1, marker="o", markerfacecolor="white", markersize=3.6
        )
        entries["broken, hollow: channel unknown at design"] = broken
    figure.legend(entries.values(), entries.keys(), loc="outside lower center", ncols=2, frameon=False, handlelength=2.2, columnspacing=1.0)

"""Figures for papers: every plot one column wide as PDF and PNG, and one plot two columns wide for a first page."""

import math
import os
import re
import textwrap
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from latentlink.numerics.extras import import_extra
from latentlink.report.axes import thin_out
from latentlink.report.columns import describe_condition
from latentlink.report.palette import BROKEN
from latentlink.report.plots import Frame, Line, Plot
from latentlink.storage.atomic import atomic_path

WIDTH_IN, _FRAME_IN, _ENTRY_IN = 3.5, 1.7, 0.125  # of a paper's column, the height of a frame and of a line of the legend
_TALL_IN = 5.2  # of a figure of its own, such as that of a watch
_NAME_CHARACTERS = (40, 32, 28, 24, 20, 16)  # in a line of the legend: the most that fit
_WIDE_COLUMNS = 5  # of a legend below frames that are two columns wide
_NOTE_CHARACTERS = 88  # in a line of the small print
_INK = "#222222"
_STYLE = {
    "font.size": 7, "font.family": "sans-serif", "font.sans-serif": ["DejaVu Sans"], "axes.labelsize": 7, "xtick.labelsize": 6.5,
    "ytick.labelsize": 6.5, "legend.fontsize": 5.8, "axes.titlesize": 7, "axes.linewidth": 0.6, "axes.spines.top": False,
    "axes.spines.right": False, "axes.grid": True, "grid.alpha": 0.25, "grid.linewidth": 0.4, "pdf.fonttype": 42,
}  # fmt: skip
_WIDE_STYLE = {
    "font.size": 9, "legend.fontsize": 7.5, "legend.framealpha": 1.0, "legend.edgecolor": "none", "axes.spines.top": False,
    "axes.spines.right": False, "axes.grid": True, "grid.alpha": 0.25, "pdf.fonttype": 42,
}  # fmt: skip


def draw_figures(plots: Iterable[Plot], stem: Path, note: str = "", width_in: float = WIDTH_IN) -> list[Path]:
    """Draw each plot into STEM[-CONDITION].pdf and .png, one column of a paper wide; the same plots give the same bytes.

    Args:
        plots: the plots to draw.
        stem: path of the files without condition and suffix.
        note: small print above each figure: data, encoders, pilots.
        width_in: width of the figures in inches.

    Raises:
        ImportError: matplotlib is not installed (extra `plot`).
        OSError: a file cannot be written.
    """
    matplotlib = import_extra("matplotlib", "plot")
    files = []
    for plot in plots:
        title = describe_condition(plot.condition)
        words = re.sub(r"[^a-z0-9.]+", "-", title.lower().replace("×", "x").replace("−", "minus ")).strip("-")
        paths = [stem.with_name(f"{stem.name}{f'-{words}' if words else ''}.{kind}") for kind in ("pdf", "png")]
        with matplotlib.rc_context(_STYLE):
            figure = _draw_column(plot, width_in)
            figure.axes[0].set_title(_escape(title))
            figure.suptitle(_escape(textwrap.fill(note, max(20, int(_NOTE_CHARACTERS * width_in / WIDTH_IN)))), fontsize=5, color="#666666")
            files += _write(figure, paths, 300, few_colours=True)
    return files


def draw_wide(plot: Plot, paths: Iterable[str | os.PathLike[str]], title: str, legend_below: bool = False) -> None:
    """Draw the frames of a plot beside each other, each with its legend, two columns wide, into a file for each path.

    Args:
        plot: the frames.
        paths: the files.
        title: above all frames.
        legend_below: one legend below all frames, where they have too many lines for one in each.

    Raises:
        ImportError: matplotlib is not installed (extra `plot`).
        ValueError: a suffix is none that matplotlib writes.
        OSError: a file cannot be written.
    """
    with import_extra("matplotlib", "plot").rc_context(_WIDE_STYLE):
        figure = _figure(4.6 * len(plot.frames), 4.3 if legend_below else 3.9)
        axes = figure.subplots(1, len(plot.frames), squeeze=False)
        shared: dict[str, Any] = {}
        for place, frame in zip(axes[0], plot.frames, strict=True):
            methods_first = tuple(sorted(frame.lines, key=lambda line: not line.look.colour))
            entries = _draw_frame(place, replace(frame, lines=methods_first), mark_points=1.25)
            place.set_xlabel(frame.x.label)
            _add_entries(shared, entries)
            if not legend_below:
                place.legend(entries.values(), [textwrap.fill(name, _NAME_CHARACTERS[0]) for name in entries])
        if legend_below:
            figure.legend(shared.values(), list(shared), ncols=_WIDE_COLUMNS, frameon=False, loc="outside lower center")
        figure.suptitle(_escape(title), fontsize=9.5)
        _write(figure, [Path(path) for path in paths], 200)


def draw_tall(plot: Plot, path: str | os.PathLike[str], title: str, width_in: float = _TALL_IN) -> None:
    """Draw the frames of a plot above each other with one legend below them, into a file of any of matplotlib's formats.

    Raises:
        ImportError: matplotlib is not installed (extra `plot`).
        OSError: the file cannot be written.
    """
    with import_extra("matplotlib", "plot").rc_context(_STYLE):
        figure = _draw_column(plot, width_in)
        figure.suptitle(_escape(title), fontsize=7)
        _write(figure, [Path(path)], 300)


def _figure(width_in: float, height_in: float) -> Any:
    """A figure that is not one of pyplot's, whose backend and figures belong to the caller, such as a notebook."""
    return import_extra("matplotlib.figure", "plot").Figure(figsize=(width_in, height_in), layout="constrained")


def _write(figure: Any, paths: list[Path], dots_per_inch: int, few_colours: bool = False) -> list[Path]:
    """Write a figure to each path, whole or not at all; pictures of few colours take a third of the bytes."""
    for path in paths:
        with atomic_path(path) as draft:
            figure.savefig(draft, dpi=dots_per_inch, metadata={"CreationDate": None} if path.suffix == ".pdf" else {})
            if few_colours and path.suffix == ".png":
                image = import_extra("PIL.Image", "plot")
                drawn = image.open(draft)
                drawn.convert("RGB").quantize(256, dither=image.Dither.NONE).save(draft, "PNG", optimize=True, dpi=drawn.info["dpi"])
    return paths


def _draw_column(plot: Plot, width_in: float = WIDTH_IN) -> Any:
    """Draw frames above each other with one legend below them, of two columns in the width of a paper's column."""
    rows, columns = len(plot.frames), max(1, round(2 * width_in / WIDTH_IN))
    names = {line.label or line.name for frame in plot.frames for line in frame.lines}
    height = 0.5 + _FRAME_IN * rows + _ENTRY_IN * (math.ceil((len(names) + 1) / columns) + 1)
    figure = _figure(width_in, height)
    axes = figure.subplots(rows, 1, sharex=True, squeeze=False)
    entries: dict[str, Any] = {}
    for (place,), frame in zip(axes, plot.frames, strict=True):
        _add_entries(entries, _draw_frame(place, frame))
    axes[-1, 0].set_xlabel(plot.frames[-1].x.label)
    if any(line.look.hollow for frame in plot.frames for line in frame.lines):
        style = {"color": "#777777", "linestyle": BROKEN[0], "linewidth": 1, "marker": "o", "markerfacecolor": "white", "markersize": 3.6}
        entries["broken, hollow: channel unknown at design"] = import_extra("matplotlib.lines", "plot").Line2D([], [], **style)
    _place_legend(figure, entries, columns)
    return figure


def _add_entries(entries: dict[str, Any], more: dict[str, Any]) -> None:
    """Add the entries of another frame to a legend, but for those that it has, perhaps with a number behind them."""
    for label, handle in more.items():
        if not any(known.startswith(f"{label} (") for known in entries):
            entries.setdefault(label, handle)


def _place_legend(figure: Any, entries: dict[str, Any], columns: int) -> None:
    """Place the legend below the frames, with names in lines so short that it is no wider than the figure."""
    form = {"ncols": columns, "frameon": False, "handlelength": 3.4, "columnspacing": 1.0, "loc": "outside lower center"}
    for characters in _NAME_CHARACTERS:
        legend = figure.legend(entries.values(), [textwrap.fill(name, characters) for name in entries], **form)
        if characters == _NAME_CHARACTERS[-1] or legend.get_window_extent().width <= figure.bbox.width:
            return
        legend.remove()


def _draw_frame(axes: Any, frame: Frame, mark_points: float = 1.0) -> dict[str, Any]:
    """Draw a frame with its scales, and return the entries of its legend; `mark_points` is the size of marks, relative to usual."""
    entries: dict[str, Any] = {}
    if frame.y.zero:
        axes.axhline(0.0, color=_INK, linewidth=0.9, zorder=1.5)
    for line in frame.lines:
        handle = _draw_line(axes, line, mark_points)
        if line.listed:
            entries.setdefault(_escape(line.label or line.name), handle)
    axes.set_ylabel(frame.y.label)
    _set_scales(axes, frame)
    return entries


def _draw_line(axes: Any, line: Line, mark_points: float) -> Any:
    """Draw a line with its points and its band, or from side to side."""
    look = line.look
    colour = look.colour or _INK
    if not line.x:
        return axes.axhline(line.y[0], color=colour, linestyle=look.dash[0], linewidth=look.width, zorder=1.5)
    if len(line.band) == 1:
        axes.vlines(*line.band[0], color=colour, linewidth=0.8, zorder=2)
    elif line.band:
        places, low, high = zip(*line.band, strict=True)
        axes.fill_between(places, low, high, color=colour, alpha=0.16, linewidth=0, zorder=2)
    (handle,) = axes.plot(
        line.x,
        line.y,
        color=colour,
        linestyle=look.dash[0],
        linewidth=look.width,
        drawstyle="steps-post" if look.steps else "default",
        markevery=list(line.marked) if line.marked is not None else None,
        zorder=4 if look.front else (3 if look.width >= 2 else 2.5) if look.marker else 1.8,
        marker=look.marker or ("_" if len(line.x) == 1 else ""),  # a limit is marked where it is a single point, which has no line to show
        markersize=3.6 * mark_points * look.size if look.marker else 9,
        markeredgewidth=0.7 if look.marker else None,
        markerfacecolor="white" if look.hollow else look.colour or None,
    )
    return handle


def _set_scales(axes: Any, frame: Frame) -> None:
    """Set both scales, with ticks only where they mean something, as far as there is room."""
    places = [place for line in frame.lines for place in line.x]
    for axis, scale in (("x", frame.x), ("y", frame.y)):
        if scale.logarithmic:
            axes.set(**{f"{axis}scale": "log"})
        if scale.ends:
            axes.set(**{f"{axis}lim": scale.ends})
        elif axis == "x" and scale.logarithmic and places and min(places) == max(places):
            axes.set_xlim(places[0] / 3, places[0] * 3)
        if scale.ticks:
            low, high = scale.ends or sorted(getattr(axes, f"get_{axis}lim")())
            kept = thin_out([place for place in sorted(scale.ticks) if low <= place <= high], ratio=scale.logarithmic)
            axes.set(**{f"{axis}ticks": kept, f"{axis}ticklabels": [scale.ticks[place] for place in kept]})
            getattr(axes, f"{axis}axis").set_ticks([], minor=True)


def _escape(label: str) -> str:
    """Escape dollars, between which matplotlib would set a formula."""
    return label.replace("$", r"\$")

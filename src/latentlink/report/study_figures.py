"""The figures of a study in paper style: one column wide, accuracy above NMSE, the legend below both.

Colour is the method and never changes from study to study (Okabe and Ito's palette and its neighbours, told apart by the colour-blind);
marker and line are what else differs (pilots, antennas); broken and pale is a design that does not know the channel.
"""

import io
import math
import re
import textwrap
import warnings
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl

from latentlink.extras import import_extra
from latentlink.io.atomic import write_atomically
from latentlink.report.study_curves import EXACT_OPTIMUM, OPTA, Curve, curves_of, levels_of, limits_of, pilots_text, prepared

_COLOURS = {
    "exact, goal-oriented": "#d55e00", "exact, widely linear": "#0072b2", "exact, complex-linear": "#56b4e9",
    "ADMM, complex-linear": "#cc79a7", "ADMM, widely linear": "#aa4499", "ADMM": "#cc79a7",
    "neural": "#009e73", "neural, hard thresholds": "#117733", "neural, soft thresholds": "#44bb99",
    "Eigen-K": "#8c6d31", "Top-K": "#e69f00", "First-K": "#8a8a8a", "disjoint": "#aa3366", "disjoint, procrustes": "#c48a9a",
}  # fmt: skip
_SPARE = {
    "exact": ("#332288", "#4477aa", "#88ccee"), "admm": ("#aa4499", "#ee99cc"), "neural": ("#44aa99", "#66a61e", "#228833"),
    "baseline": ("#999933", "#bb5566", "#b8860b", "#6c757d", "#a6761d"),
}  # fmt: skip
LEVEL_GREY, LIMIT_GREY = "#7a7a7a", "#707070"
REFERENCE_NAMES = {"transmit": "SNR per transmit antenna", "receive": "receive SNR per stream"}
AXIS_NAMES = {"compression": "compression factor ζ (%)", "snr": "SNR (dB)", "flops": "FLOPs per message (encode + decode)"}
_MARKERS, _LINES = "os^Dv<>", ("-", (0, (5, 1.2)), (0, (1, 1.2)), (0, (4, 1, 1, 1)))
_OPTA_LINE = (0, (2.5, 1, 0.8, 1))
_STYLE = {
    "font.size": 7, "axes.labelsize": 7, "xtick.labelsize": 6.5, "ytick.labelsize": 6.5, "legend.fontsize": 5.8, "axes.linewidth": 0.6,
    "axes.spines.top": False, "axes.spines.right": False, "axes.grid": True, "grid.alpha": 0.25, "grid.linewidth": 0.5,
    "pdf.fonttype": 42, "lines.solid_capstyle": "round", "axes.unicode_minus": True, "font.family": "DejaVu Sans",
}  # fmt: skip


def colours(curves: Sequence[Curve]) -> dict[str, str]:
    """The colour of every method; those without a fixed one take their family's spare ones in the order of their names."""
    families = {curve.method: curve.family for curve in curves}
    found = {method: _COLOURS[method] for method in families if method in _COLOURS}
    for method in sorted(set(families) - set(found)):
        spare = _SPARE.get(families[method], _SPARE["baseline"])
        free = [colour for colour in spare if colour not in found.values()]
        found[method] = free[0] if free else spare[len(found) % len(spare)]
    return found


def variants(curves: Sequence[Curve]) -> dict[tuple[int | None, str, str], str]:
    """What tells curves of one method apart (pilots, antennas, detail) and how to say it: only what differs in this study."""
    counts = Counter(_variant(curve) for curve in curves)
    widest = {antennas: sum(counts[key] for key in counts if key[1] == antennas) for _, antennas, _ in counts}
    keys = sorted(counts, key=lambda key: (-widest[key[1]], key[1], -(key[0] or 10**9), key[2]))  # what most curves share comes first
    several = [len({key[part] for key in keys}) > 1 for part in range(3)]
    return {
        key: ", ".join(text for text, shown in zip((pilots_text(key[0]), key[1], key[2]), several, strict=True) if shown and text)
        for key in keys
    }


def _variant(curve: Curve) -> tuple[int | None, str, str]:
    return curve.pilots, curve.antennas, curve.detail


def scaled(axis: str, x: Sequence[float]) -> list[float]:
    """Abscissae in the unit of the axis: ζ in percent."""
    return [100 * value for value in x] if axis == "compression" else list(x)


def reference_groups(curves: Sequence[Curve]) -> list[str]:
    """The SNR references that occur, the paper's first."""
    return sorted({curve.snr_reference for curve in curves}, key=lambda name: (name != "transmit", name))


def draw_study(rows: pl.DataFrame, axis: str, name: str, title: str, folder: Path) -> list[Path]:
    """Write the figures of a study, one for each SNR reference in it, as PDF and PNG (300 dpi), atomically.

    Args:
        rows: one row for each cell and draw.
        axis: compression, snr or flops.
        name: of the study; begins the names of the files.
        title: stands above the figure.
        folder: where they go.

    Returns:
        The files written; none where no link was measured.

    Raises:
        ImportError: matplotlib is not installed (extra `plot`).
        OSError: a file cannot be written.
    """
    table = prepared(rows, axis)
    accuracy, nmse = curves_of(table, "accuracy"), curves_of(table, "nmse")
    references = reference_groups([*accuracy, *nmse])
    if not references:
        return []
    matplotlib = import_extra("matplotlib", "plot")
    matplotlib.use("Agg")
    pyplot = import_extra("matplotlib.pyplot", "plot")
    paint, told = colours([*accuracy, *nmse]), variants([*accuracy, *nmse])
    written = []
    for reference in references:
        with pyplot.rc_context(_STYLE), warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # a letter without a glyph is drawn as a box: no reason to fail
            figure, axes = pyplot.subplots(2, 1, figsize=(3.5, 4.3), sharex=True)
            shown = [[one for one in found if one.snr_reference == reference] for found in (accuracy, nmse)]
            for panel, found in zip(axes, shown, strict=True):
                for curve in reversed(found):  # the exact designs last, on top
                    _draw(panel, curve, axis, paint[curve.method], list(told).index(_variant(curve)))
            limits = [one for one in limits_of(table, axis) if one.snr_reference == reference]
            _levels(axes[0], levels_of(table, "accuracy"))
            _limits(axes[1], limits, axis, told)
            _frame(axes, axis, shown[1], limits)
            heading = title if len(references) == 1 else f"{title}: {REFERENCE_NAMES.get(reference, reference)}"
            axes[0].set_title(_plain(textwrap.fill(heading, 66)), fontsize=7, pad=3)
            _legend(figure, axes, [*shown[0], *shown[1]], limits, paint, told)
            written += _written(figure, folder, f"{file_name(name)}-{file_name(reference)}")
            pyplot.close(figure)
    return written


def file_name(text: str) -> str:
    """A text as a part of a file name."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip("-.") or "study"


def _plain(text: str) -> str:
    """A label that matplotlib neither reads as mathematics nor hides."""
    text = text.replace("$", r"\$")
    return f" {text}" if text.startswith("_") else text


def _look(curve: Curve, number: int) -> dict[str, Any]:
    """Width, line, marker and strength of a curve."""
    unaware, exact = curve.knowledge == "unaware", curve.family == "exact"
    line = (0, (3, 1.6)) if unaware else _LINES[number % len(_LINES)]
    return {
        "linewidth": (0.7 if unaware else 1.5 if exact else 0.9) * (1.0 if number == 0 else 0.8), "linestyle": line,
        "marker": _MARKERS[number % len(_MARKERS)], "markersize": (2.0 if unaware else 3.0 if exact else 2.4),
        "alpha": 0.4 if unaware else 1.0, "markeredgewidth": 0.5, "fillstyle": "full" if number == 0 else "none",
    }  # fmt: skip


def _draw(panel: Any, curve: Curve, axis: str, colour: str, number: int) -> None:
    x, mean, half = scaled(axis, curve.x), curve.mean, [0.0 if math.isnan(value) else value for value in curve.half]
    panel.plot(x, mean, color=colour, zorder=4 if curve.family == "exact" else 3, **_look(curve, number))
    if any(half) and curve.knowledge != "unaware":
        low, high = ([m + sign * h for m, h in zip(mean, half, strict=True)] for sign in (-1, 1))
        panel.fill_between(x, low, high, color=colour, alpha=0.13 if number == 0 else 0.07, linewidth=0, zorder=2)


def level_names(levels: Sequence[Curve]) -> list[str]:
    """Names of ceilings and floor, with the pilots where one has several."""
    counts = Counter(level.method for level in levels)
    return [f"{one.method} ({pilots_text(one.pilots)})" if counts[one.method] > 1 else one.method for one in levels]


def _levels(panel: Any, levels: Sequence[Curve]) -> None:
    """Ceilings and floor, over the whole width."""
    for number, (level, text) in enumerate(zip(levels, level_names(levels), strict=True)):
        look = {"color": LEVEL_GREY, "linewidth": 0.7, "linestyle": _LINES[number % len(_LINES)]}
        panel.axhline(level.mean[0], zorder=1, **look)
        panel.plot([], [], label=_plain(text), **look)


def _limits(panel: Any, limits: Sequence[Curve], axis: str, told: dict[tuple[int | None, str, str], str]) -> None:
    """The exact optimum for each pilots setting, and OPTA, as thin grey lines; small markers only where antennas must be told apart."""
    several = len({curve.antennas for curve in limits}) > 1
    for curve in limits:
        optimum = curve.method == EXACT_OPTIMUM
        alike = (n for n, key in enumerate(told) if key[1] == curve.antennas and (key[0] == curve.pilots or not optimum))
        number = next(alike, 0)
        panel.plot(
            scaled(axis, curve.x), curve.mean, color="#222222" if optimum else LIMIT_GREY, linewidth=0.7, zorder=5,
            linestyle=_LINES[number % len(_LINES)] if optimum else _OPTA_LINE,
            marker=_MARKERS[number % len(_MARKERS)] if several else "", markersize=1.6,
        )  # fmt: skip


def _frame(axes: Any, axis: str, nmse: Sequence[Curve], limits: Sequence[Curve]) -> None:
    """Scales and labels. The NMSE is cut a little above 1, what sending nothing leaves: designs that miss the channel go far beyond."""
    axes[0].set(ylabel="accuracy", ylim=(0, 1.0))
    high = max((value for curve in nmse if curve.knowledge != "unaware" for value in curve.mean), default=1.0)
    axes[1].set(ylabel="NMSE", ylim=(0, min(max(1.02, 1.05 * high), 1.6)), xlabel=AXIS_NAMES[axis])
    xs = sorted({x for curve in [*nmse, *limits] for x in scaled(axis, curve.x) if x > 0})
    if axis == "snr" or not xs:
        return
    ticker = import_extra("matplotlib.ticker", "plot")
    axes[1].set_xscale("log")
    ticks = sorted({x for curve in limits or nmse for x in scaled(axis, curve.x)}) if axis == "compression" else []
    subs = (1.0, 2.0, 5.0) if xs[-1] >= 5 * xs[0] else (1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0)
    axes[1].xaxis.set_major_locator(ticker.FixedLocator(ticks) if ticks else ticker.LogLocator(subs=subs))
    axes[1].xaxis.set_major_formatter(ticker.FuncFormatter(lambda x, _: short(x)))
    axes[1].xaxis.set_minor_locator(ticker.NullLocator())
    if xs[-1] == xs[0]:
        axes[1].set_xlim(xs[0] / 1.5, xs[0] * 1.5)


def short(x: float) -> str:
    """A tick: three digits, thousands and millions by letter."""
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if x >= size:
            return f"{x / size:.3g} {letter}"
    return f"{x:.3g}"


def _legend(figure: Any, axes: Any, curves: Sequence[Curve], limits: Sequence[Curve], paint: dict[str, str], told: dict[Any, str]) -> None:
    """Below the panels: methods by colour, then settings by marker, then what is drawn in. The figure grows with it."""
    line = import_extra("matplotlib.lines", "plot").Line2D
    families = {curve.method: curve.family for curve in curves}
    here = {_variant(curve) for curve in curves}
    handles = [
        line([], [], color=paint[method], linewidth=1.8 if families[method] == "exact" else 1.1, label=_plain(method))
        for method in families
    ]
    for number, (key, text) in enumerate(told.items()):
        if key in here and text:
            look = {"linestyle": _LINES[number % len(_LINES)], "marker": _MARKERS[number % len(_MARKERS)], "markersize": 2.6}
            look["fillstyle"] = "full" if number == 0 else "none"
            handles.append(line([], [], color="#333333", linewidth=0.8, label=_plain(text), **look))
    if any(curve.knowledge == "unaware" for curve in curves):
        handles.append(line([], [], color="#333333", alpha=0.45, linewidth=0.8, linestyle=(0, (3, 1.6)), label="channel unknown"))
    handles += axes[0].get_legend_handles_labels()[0]
    drawn = {curve.method for curve in limits}
    lines = {EXACT_OPTIMUM: ("#222222", "-"), OPTA: (LIMIT_GREY, _OPTA_LINE)}
    handles += [line([], [], color=lines[name][0], linewidth=0.7, linestyle=lines[name][1], label=name) for name in lines if name in drawn]
    rows = math.ceil(len(handles) / 2)
    legend_in, title_in = 0.119 * rows + 0.1, 0.06 + 0.13 * (1 + axes[0].get_title().count("\n"))
    height = legend_in + title_in + 3.6
    figure.set_size_inches(3.5, height)
    figure.subplots_adjust(left=0.125, right=0.985, top=1 - title_in / height, bottom=(legend_in + 0.33) / height, hspace=0.09)
    figure.legend(
        handles=handles,
        loc="lower center",
        ncols=2,
        frameon=False,
        bbox_to_anchor=(0.5, 0.0),
        handlelength=2.6,
        columnspacing=1.2,
        labelspacing=0.28,
    )


def _written(figure: Any, folder: Path, name: str) -> list[Path]:
    """PDF and PNG, without dates: the same rows give the same bytes."""
    paths = []
    for suffix, options in (("pdf", {"CreationDate": None, "Producer": None, "Creator": None}), ("png", {"Software": None})):
        buffer = io.BytesIO()
        figure.savefig(buffer, format=suffix, dpi=300, metadata=options)
        paths.append(folder / f"{name}.{suffix}")
        write_atomically(paths[-1], buffer.getvalue())
    return paths

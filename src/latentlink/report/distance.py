"""How far methods are from Gaussian OPTA along an axis: 10 log10 of their MSE over it, row by row, then averaged.

OPTA bounds every scheme for Gaussian latents. Latents are not Gaussian and codes are made for them, so that a distance may be negative.
"""

import math
from pathlib import Path
from typing import Any

import polars as pl

from latentlink.numerics.extras import import_extra
from latentlink.report.arrange import arranged
from latentlink.report.curves import Curve, curves
from latentlink.report.figures import INK, STYLE, WIDTH_IN, draw, legend, scale, written
from latentlink.report.interactive import TITLES, Chart, charts
from latentlink.report.look.axes import AXES
from latentlink.report.look.palette import Look, in_order, looks
from latentlink.report.look.wording import Panel

VALUE = "opta_db"
_PANEL_IN, _ENTRY_IN = 2.2, 0.125  # of the figure without its legend, and a line of that


def draw_distances(rows: pl.DataFrame, axis: str, folder: Path) -> list[Path]:
    """Draw distance-vs-AXIS[-PANEL].pdf and .png into a folder, one column wide; none where OPTA was not measured.

    Raises:
        ImportError: matplotlib is not installed (extra `plot`).
        OSError: a file cannot be written.
    """
    matplotlib = import_extra("matplotlib", "plot")
    matplotlib.use("Agg")
    pyplot = import_extra("matplotlib.pyplot", "plot")
    drawn, panels, look = _found(rows, axis)
    files = []
    for panel in panels:
        with pyplot.rc_context(STYLE):
            mine = [curve for curve in drawn if curve.panel == panel]
            files += written(pyplot, _figure(pyplot, axis, mine, look), panel, folder / f"distance-vs-{axis}")
    return files


def _found(rows: pl.DataFrame, axis: str) -> tuple[list[Curve], list[Panel], dict[str, Look]]:
    """Curves, their panels in order, and the looks that the methods have in the figures of accuracy and NMSE."""
    drawn = in_order(curves(rows, axis, VALUE))
    panels = [panel for panel in arranged(rows, axis).panels if any(curve.panel == panel for curve in drawn)]
    return drawn, panels, looks([*curves(rows, axis, "accuracy"), *curves(rows, axis, "nmse"), *drawn])


def _figure(pyplot: Any, axis: str, drawn: list[Curve], look: dict[str, Look]) -> Any:
    height = _PANEL_IN + _ENTRY_IN * (math.ceil((len({curve.label for curve in drawn}) + 1) / 2) + 1)
    figure, axes = pyplot.subplots(figsize=(WIDTH_IN, height), layout="constrained")
    axes.axhline(0.0, color=INK, linewidth=0.9, zorder=1.5)
    for curve in drawn:
        draw(axes, curve, look[curve.label])
    axes.set(ylabel=TITLES[VALUE], xlabel=AXES[axis].label)
    scale(axes, axis, drawn)
    legend(pyplot, figure, [axes], any(curve.knowledge == "unaware" for curve in drawn))
    return figure


def distance_charts(rows: pl.DataFrame, axis: str) -> list[tuple[str, str, Chart]]:
    """Heading, SNR reference and plotly specification of each figure of the page."""
    drawn, panels, look = _found(rows, axis)
    return charts(axis, panels, {VALUE: drawn}, {VALUE: []}, look)

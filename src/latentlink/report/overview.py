"""The first figure of any semantic link, as the demo shows it: what the receiver understands, and how far its latents are off."""

import os
from collections.abc import Iterable
from dataclasses import replace

import polars as pl

from latentlink.report.arrange import arrange, methods_of
from latentlink.report.columns import prepare
from latentlink.report.curves import EXACT, SEPARATION
from latentlink.report.figures import draw_wide
from latentlink.report.look.wording import count, describe, describe_condition
from latentlink.report.plots import Frame, plot_accuracy
from latentlink.report.run_tables import describe_channels, list_values

_LEFT_OUT = (EXACT, SEPARATION)  # limits that a first figure has no room to explain


def draw_overview(rows: pl.DataFrame, paths: Iterable[str | os.PathLike[str]], axis: str = "antennas") -> None:
    """Draw accuracy beside NMSE with ceilings, floor, the bound by capacity and Gaussian OPTA; bands hold 95 % of the channels.

    Args:
        rows: results of a study with one condition, a row for each cell and channel draw.
        paths: files, whose suffixes say their kinds (png, pdf, svg).
        axis: the name of one of AXES.

    Raises:
        ValueError: there is no such axis, or rows have no condition or several.
        ImportError: matplotlib is not installed (extra `plot`).
        OSError: a file cannot be written.
    """
    plots = plot_accuracy(arrange(rows, axis), channels=True)
    if len(plots) != 1:
        found = "; ".join(describe_condition(plot.condition) for plot in plots) or "no finished cell"
        raise ValueError(f"rows must have one condition to draw, got {len(plots)} ({found}); choose one, or write the report")
    (plot,) = plots
    draw_wide(replace(plot, frames=tuple(map(_simplify, plot.frames))), paths, describe_rows(rows))


def _simplify(frame: Frame) -> Frame:
    label = "accuracy of the receiver's head" if frame.y.label == "accuracy" else frame.y.label
    return replace(frame, y=replace(frame.y, label=label), lines=tuple(line for line in frame.lines if line.name not in _LEFT_OUT))


def describe_rows(rows: pl.DataFrame) -> str:
    """Word what a figure of some rows shows, in two lines: encoders, data, pilots and channel; channels, seeds and messages."""
    rows = prepare(rows)
    links = methods_of(rows)
    first = [
        f"{list_values(rows, 'transmitter')} → {list_values(rows, 'receiver')}",
        list_values(rows, "dataset"),
        f"{list_values(rows, 'pilots')} pilots",
        describe_channels(links),
        describe("snr_db", links["snr_db"][0]) if links["snr_db"].n_unique() == 1 else "",
    ]
    channels = len(links.select("seed", "channel").unique())
    second = f"mean and 95 % band over {count(channels, 'channel')}, {list_values(rows, 'messages')} unseen messages each"
    return f"{', '.join(filter(None, first))}\n{second}"

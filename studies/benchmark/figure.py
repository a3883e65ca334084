"""The figure of the benchmark: a panel for every ordered pair, with all antennas and SNRs, methods, intervals and ceilings."""

import math
from pathlib import Path
from typing import Any

import matplotlib
import polars as pl
from pairs import ALIGNED, OWN, find_ceiling, list_panels

from latentlink.report.curves import Curve
from latentlink.report.palette import Look, assign_looks

matplotlib.use("Agg")
import matplotlib.pyplot as plt

COLUMNS = 3  # receivers of a transmitter, where there are four encoders
GAP = 1.0  # between the groups of antennas, in steps of the SNR
BOUND = "bound by capacity"
INK = "#333333"


def draw(summary: pl.DataFrame, path: Path) -> None:
    """Draw accuracy against SNR, one group for each number of antennas, in a panel for each pair; the last cell is the legend's."""
    panels = list(list_panels(summary))
    links = summary.filter(pl.col("n_tx").is_not_null())
    methods = links.select("method", "family").unique(maintain_order=True).rows()
    looks = assign_looks(Curve(name, family, "aware", (), ()) for name, family in methods)
    sizes, snrs = (links[name].unique().sort().to_list() for name in ("n_tx", "snr_db"))
    rows = math.ceil((len(panels) + 1) / COLUMNS)
    figure, grid = plt.subplots(
        rows, COLUMNS, figsize=(7.2, 1.6 * rows + 0.6), sharex=True, sharey=True, squeeze=False, layout="constrained"
    )
    axes = grid.flatten()
    for number, (axis, (pair, group)) in enumerate(zip(axes, panels, strict=False)):
        draw_pair(axis, group, sizes, snrs, looks)
        for name, line in ((ALIGNED, "--"), (OWN, "-")):
            if (level := find_ceiling(summary, pair, name)) is not None:
                axis.axhline(level, color=INK, linewidth=0.8, linestyle=line, label=name)
        axis.set_title(f"{pair[1]}\n→ {pair[2]}", fontsize=8)
        name_groups(axis, sizes, snrs)
        axis.tick_params(labelbottom=number + COLUMNS >= len(panels))  # the lowest of its column
    handles = {label: handle for axis in axes for handle, label in zip(*axis.get_legend_handles_labels(), strict=True)}
    for axis in axes[len(panels) :]:
        axis.axis("off")
    axes[len(panels)].legend(handles.values(), handles, loc="upper left", fontsize=8, frameon=False, borderaxespad=0)
    figure.supylabel("accuracy", fontsize=9)
    figure.supxlabel(
        f"antennas; from left to right in each group, SNR of {', '.join(f'{snr:g}' for snr in snrs)} dB".replace("-", "−"), fontsize=9
    )
    figure.savefig(path, dpi=150, metadata={"Software": None})


def draw_pair(axis: Any, group: pl.DataFrame, sizes: list[int], snrs: list[float], looks: dict[str, Look]) -> None:
    """Draw the methods of a pair with their intervals, and the bound by capacity."""
    for number, size in enumerate(sizes):
        here = group.filter(pl.col("n_tx") == size).sort("snr_db")
        at = {snr: number * (len(snrs) - 1 + GAP) + place for place, snr in enumerate(snrs)}
        for (name,), line in here.group_by("method", maintain_order=True):
            look, x = looks[str(name)], [at[snr] for snr in line["snr_db"]]
            axis.plot(x, line["accuracy"], color=look.colour, marker=look.marker, markersize=2.5, linewidth=1.2, label=name)
            if line["accuracy_low"].is_not_null().all():
                axis.fill_between(x, line["accuracy_low"], line["accuracy_high"], color=look.colour, alpha=0.25, linewidth=0)
        bound = here.filter(pl.col("accuracy_bound").is_not_null()).unique("snr_db").sort("snr_db")
        axis.plot([at[snr] for snr in bound["snr_db"]], bound["accuracy_bound"], color=INK, linewidth=0.8, dashes=(6, 1.5), label=BOUND)


def name_groups(axis: Any, sizes: list[int], snrs: list[float]) -> None:
    """Name the groups below the panel, and part them by fine lines."""
    step = len(snrs) - 1 + GAP
    axis.set_xticks([number * step + (len(snrs) - 1) / 2 for number in range(len(sizes))], [f"{size}×{size}" for size in sizes])
    for number in range(1, len(sizes)):
        axis.axvline(number * step - GAP / 2, color="#cccccc", linewidth=0.6, zorder=0)
    axis.set_ylim(0, 1)
    axis.tick_params(labelsize=8, length=2)
    axis.grid(axis="y", alpha=0.3, linewidth=0.5)

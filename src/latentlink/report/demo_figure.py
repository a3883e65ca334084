"""Figures in paper style, from result files only."""

import io
import os
from pathlib import Path

import numpy as np
import polars as pl

from latentlink.numerics.extras import import_extra
from latentlink.storage.atomic import write_atomically
from latentlink.studies.accuracy import ALIGNED, CAPACITY, CODEC, COMPLEX_LINEAR, GOAL_ORIENTED, OPTA, OWN, UNALIGNED, WIDELY_LINEAR

_CURVES = {COMPLEX_LINEAR: ("#d1495b", "s"), WIDELY_LINEAR: ("#edae49", "^"), GOAL_ORIENTED: ("#00798c", "o"), CODEC: ("#6a3d9a", "D")}
_REFERENCES = {OWN: ("#444444", "-"), ALIGNED: ("#444444", "--"), UNALIGNED: ("#999999", ":")}
_STYLE = {"font.size": 9, "axes.spines.top": False, "axes.spines.right": False, "axes.grid": True, "grid.alpha": 0.25, "pdf.fonttype": 42}


def summary(results: pl.DataFrame) -> pl.DataFrame:
    """Mean over channels and 95 % band (2.5 % and 97.5 % quantile of the channels), by method and antennas.

    Args:
        results: rows of `studies.accuracy`.

    Returns:
        Columns method, antennas, channels, accuracy, accuracy_low, accuracy_high, agreement, nmse, nmse_low, nmse_high, power.
    """
    band = [
        pl.col(name).quantile(q, interpolation="linear").alias(f"{name}_{side}")
        for name in ("accuracy", "nmse")
        for q, side in ((0.025, "low"), (0.975, "high"))
    ]
    means = pl.col("accuracy", "agreement", "nmse", "power").mean()
    return results.group_by("method", "antennas", maintain_order=True).agg(pl.len().alias("channels"), means, *band)


def draw_accuracy(results: pl.DataFrame, paths: list[str | os.PathLike[str]], title: str) -> None:
    """Accuracy and NMSE against antennas, with ceilings, floor and Gaussian OPTA; written to every path (png, pdf, svg), atomically.

    Raises:
        ImportError: matplotlib is not installed (extra `plot`).
        OSError: a path cannot be written.
    """
    matplotlib = import_extra("matplotlib", "plot")
    matplotlib.use("Agg")
    pyplot = import_extra("matplotlib.pyplot", "plot")
    table = summary(results)
    with pyplot.rc_context(_STYLE):
        figure, (left, right) = pyplot.subplots(1, 2, figsize=(9.2, 3.9), layout="constrained")
        for method, (colour, marker) in _CURVES.items():
            rows = table.filter(pl.col("method") == method)
            for axes, value in ((left, "accuracy"), (right, "nmse")):
                if len(rows):
                    _curve(axes, rows, value, colour, marker, method)
        for method, (colour, line) in _REFERENCES.items():
            value = table.filter(pl.col("method") == method)["accuracy"][0]
            left.axhline(value, color=colour, linestyle=line, linewidth=1.2, label=f"{method} ({value:.3f})")
        bound = table.filter(pl.col("method") == CAPACITY)
        left.plot(bound["antennas"], bound["accuracy"], color="#444444", linestyle="-.", linewidth=1.2, label=CAPACITY)
        bound = table.filter(pl.col("method") == OPTA)
        right.plot(bound["antennas"], bound["nmse"], color="#444444", linestyle="-.", linewidth=1.2, label="Gaussian OPTA (test moments)")
        left.set(ylabel="accuracy of the receiver's head", ylim=(0, 1))
        right.set(ylabel="NMSE of the latent", ylim=(0, None))
        for axes in (left, right):
            axes.set_xscale("log", base=2)
            ticks = sorted(set(table["antennas"]))
            axes.set_xticks(ticks, [f"{n}×{n}" for n in ticks])
            axes.minorticks_off()
            axes.set_xlabel("antennas, one channel use")
            axes.legend(fontsize=7.5, framealpha=1.0, edgecolor="none")
        figure.suptitle(title, fontsize=9.5)
        for path in paths:
            buffer = io.BytesIO()
            figure.savefig(buffer, format=Path(path).suffix.removeprefix("."), dpi=200)
            write_atomically(path, buffer.getvalue())
        pyplot.close(figure)


def _curve(axes: object, rows: pl.DataFrame, value: str, colour: str, marker: str, label: str) -> None:
    x = rows["antennas"].to_numpy()
    axes.plot(x, rows[value].to_numpy(), color=colour, marker=marker, markersize=4.5, linewidth=1.6, label=label)  # type: ignore[attr-defined]
    low, high = rows[f"{value}_low"].to_numpy(), rows[f"{value}_high"].to_numpy()
    axes.fill_between(x, np.asarray(low), np.asarray(high), color=colour, alpha=0.15, linewidth=0)  # type: ignore[attr-defined]

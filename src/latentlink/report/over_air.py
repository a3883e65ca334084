"""The figure of a link over the air: accuracy and NMSE against the SNR that its receiver measured, beside the simulation of the same."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import polars as pl

from latentlink.report.curves import REFERENCES
from latentlink.report.palette import INK_LOOKS, Look, look_of
from latentlink.report.plots import Frame, Line, Plot, Scale

COLUMNS = (
    "design",
    "family",
    "air",
    "snr_db",
    "measured_snr_db",
    "accuracy",
    "simulated_accuracy",
    "nmse",
    "simulated_nmse",
    "ceiling",
    "frames_sent",
    "frames_lost",
    "messages",
    "messages_lost",
    "messages_per_second",
    "noise_variance",
    "error_variance",
    "frequency",
    "clock_ppm",
)
_LABELS = {"accuracy": "accuracy", "nmse": "NMSE"}
_NO_LINE = ("none", "solid")


def plot_over_air(rows: pl.DataFrame) -> Plot:
    """The plot of runs over the air, whose columns are `COLUMNS`: marks for what came over the air, lines for the simulation."""
    found = rows["measured_snr_db"].drop_nans()
    low, high = (float(found.min()), float(found.max())) if len(found) else (0.0, 0.0)  # type: ignore[arg-type]
    narrow = (round(low) - 1.0, round(high) + 1.0) if high - low < 1 else None
    x = Scale("SNR of a carrier at a receive antenna, as measured (dB)", ends=narrow)
    return Plot((), tuple(Frame(x, Scale(label), tuple(_lines(rows, value)), value) for value, label in _LABELS.items()))


def _lines(rows: pl.DataFrame, value: str) -> list[Line]:
    lines = (
        [Line("ceiling: the receiver's own latents", INK_LOOKS[REFERENCES[0]], (), (rows["ceiling"][0],))] if value == "accuracy" else []
    )
    for (design, family), own in rows.sort("measured_snr_db").group_by("design", "family", maintain_order=True):
        came = own.filter(pl.col(value).is_not_nan())
        look = look_of(str(family), str(design))
        if came.is_empty():
            continue
        places = tuple(came["measured_snr_db"])
        lines.append(Line(f"{design}, simulated", _without_marks(look), places, tuple(came[f"simulated_{value}"])))
        lines.append(Line(f"{design}, over the air", replace(look, dash=_NO_LINE, size=1.6 * look.size), places, tuple(came[value])))
    return lines


def _without_marks(look: Look) -> Look:
    return replace(look, marker="", width=1.4)


def table_over_air(rows: pl.DataFrame) -> tuple[Sequence[str], list[list[str]]]:
    """Columns and rows of the table of runs over the air."""
    columns = ["design", "SNR", "measured", "accuracy", "simulated", "NMSE", "simulated ", "lost", "messages/s"]
    return columns, [_row(row) for row in rows.iter_rows(named=True)]


def _row(row: dict[str, Any]) -> list[str]:
    numbers = [(f"{row[name]:.3f}" if row[name] == row[name] else "") for name in COLUMNS[5:9]]
    lost = f"{row['frames_lost']}/{row['frames_sent']}"
    speed = row["messages_per_second"]
    measured = row["measured_snr_db"]
    return [
        row["design"],
        f"{row['snr_db']:g} dB",
        f"{round(measured, 1) + 0.0:.1f}" if measured == measured else "no link",
        *numbers,
        lost,
        f"{speed:,.0f}" if speed == speed else "",
    ]

"""The figure of links over the air: what came is marked, what was simulated is a line, and what never came is left out."""

import math

import polars as pl

from latentlink.report.figures import draw_wide
from latentlink.report.over_air import COLUMNS, plot_over_air, table_over_air


def row(design, family, level, measured, value, **more):
    figures = dict.fromkeys(("accuracy", "simulated_accuracy", "nmse", "simulated_nmse"), value)
    usual = {"design": design, "family": family, "air": "numpy", "snr_db": level, "measured_snr_db": measured, "ceiling": 0.9,
             "frames_sent": 10, "frames_lost": 1, "messages": 900, "messages_lost": 0, "messages_per_second": 1234.5,
             "noise_variance": 0.1, "error_variance": 0.01, "frequency": 0.0, "clock_ppm": 1.0}  # fmt: skip
    return {**usual, **figures, **more}


ROWS = pl.DataFrame(
    [
        row("linear", "exact", 10.0, 10.2, 0.8, simulated_accuracy=0.81),
        row("linear", "exact", 0.0, 0.1, 0.6),
        row("linear", "exact", -20.0, math.nan, math.nan, messages_per_second=math.nan),
        row("codec", "codec", 10.0, 10.1, 0.85),
    ],
    schema=dict.fromkeys(COLUMNS),
)


def test_marks_are_what_came_and_lines_what_was_simulated(tmp_path):
    plot = plot_over_air(ROWS)
    accuracy, nmse = plot.frames
    lines = {line.name: line for line in accuracy.lines}
    assert list(lines) == ["ceiling: the receiver's own latents", "linear, simulated", "linear, over the air", "codec, simulated",
                           "codec, over the air"]  # fmt: skip
    assert lines["linear, over the air"].x == (0.1, 10.2)
    assert lines["linear, simulated"].y == (0.6, 0.81)
    assert (lines["linear, simulated"].look.marker, lines["linear, over the air"].look.dash[0]) == ("", "none")
    assert len(nmse.lines) == 4
    draw_wide(plot, [tmp_path / "figure.png"], "title")
    assert (tmp_path / "figure.png").stat().st_size > 1000


def test_the_table_says_where_there_was_no_link():
    columns, rows = table_over_air(ROWS)
    assert [len(entries) for entries in rows] == [len(columns)] * 4
    assert rows[2][2:7] == ["no link", "", "", "", ""]
    assert rows[0] == ["linear", "10 dB", "10.2", "0.800", "0.810", "0.800", "0.800", "1/10", "1,234"]


def test_without_any_link_there_is_a_figure_of_the_ceiling_and_a_table(tmp_path):
    silent = ROWS.filter(pl.col("snr_db") == -20.0)
    plot = plot_over_air(silent)
    assert [len(frame.lines) for frame in plot.frames] == [1, 0]
    draw_wide(plot, [tmp_path / "figure.png"], "title")
    assert table_over_air(silent)[1][0][2] == "no link"


def test_one_snr_has_an_axis_of_whole_numbers():
    assert plot_over_air(ROWS.filter(pl.col("snr_db") == 10.0)).frames[0].x.ends == (9.0, 11.0)

import math

import pytest
from plotly import graph_objects

from latentlink.report.arrange import arrange
from latentlink.report.curves import SEPARATION, average_levels, average_limits
from latentlink.report.figures import draw_figures
from latentlink.report.interactive import make_charts
from latentlink.report.plots import plot_distance
from report.rows import fading_study, snr_study

SWEPT = {"speed_kmh": (3.0, 30.0)}


def test_a_distance_may_be_negative_and_zero_is_drawn():
    (chart,) = make_charts(plot_distance(arrange(fading_study(draws=2, **SWEPT), "speed")), "distance")
    graph_objects.Figure({"data": chart.data, "layout": chart.layout})
    drawn = {trace["name"]: trace["y"] for trace in chart.data if trace.get("showlegend")}
    assert drawn["codec"] == pytest.approx([10 * math.log10(0.9)] * 2)
    assert drawn["digital, adaptive"] == pytest.approx([10 * math.log10(1.4)] * 2)
    assert chart.layout["yaxis"]["zeroline"]
    assert "range" not in chart.layout["yaxis"]


def test_distances_are_figures_too(tmp_path):
    files = draw_figures(plot_distance(arrange(fading_study(draws=2, **SWEPT), "speed")), tmp_path / "distance-vs-speed")
    assert [path.name for path in files] == ["distance-vs-speed.pdf", "distance-vs-speed.png"]


def test_a_distance_that_was_measured_stands_where_its_parts_are_absent():
    rows = fading_study(draws=2, **SWEPT).drop("opta", "mse")
    assert make_charts(plot_distance(arrange(rows, "speed")), "distance") == []
    (chart,) = make_charts(plot_distance(arrange(rows.with_columns(opta_db=2.5), "speed")), "distance")
    assert {value for trace in chart.data for value in trace["y"]} == {2.5}


def test_without_opta_there_is_no_distance_and_without_separation_no_line():
    assert plot_distance(arrange(snr_study().drop("opta"), "snr")) == []
    assert SEPARATION not in {curve.label for curve in average_limits(arrange(snr_study(), "snr"), "nmse")}
    found = {curve.label: curve for curve in average_limits(arrange(fading_study(draws=2, **SWEPT), "speed"), "nmse")}
    assert [point.mean for point in found[SEPARATION].points] == pytest.approx([0.012 * (55 + 30) / 2] * 2)
    assert SEPARATION in {level.label for level in average_levels(arrange(fading_study(draws=2), "flops"), "nmse")}

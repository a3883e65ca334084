import math

import pytest
from plotly import graph_objects

from latentlink.report.curves import SEPARATION, levels, limits
from latentlink.report.distance import distance_charts, draw_distances
from report.rows import fading_study, snr_study

SWEPT = {"speed_kmh": (3.0, 30.0)}


def test_a_distance_may_be_negative_and_zero_is_drawn():
    ((_, _, chart),) = distance_charts(fading_study(draws=2, **SWEPT), "speed")
    graph_objects.Figure(chart)
    drawn = {trace["name"]: trace["y"] for trace in chart["data"] if trace.get("showlegend")}
    assert drawn["codec"] == pytest.approx([10 * math.log10(0.9)] * 2)
    assert drawn["digital, adaptive"] == pytest.approx([10 * math.log10(1.4)] * 2)
    assert chart["layout"]["yaxis1"]["zeroline"]
    assert "range" not in chart["layout"]["yaxis1"]


def test_distances_are_figures_too_and_the_same_rows_give_the_same_bytes(tmp_path):
    rows = fading_study(draws=2, **SWEPT)
    first, second = (draw_distances(rows, "speed", tmp_path / name) for name in ("a", "b"))
    assert [path.name for path in first] == ["distance-vs-speed.pdf", "distance-vs-speed.png"]
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]


def test_a_distance_that_was_measured_stands_where_its_parts_are_absent():
    rows = fading_study(draws=2, **SWEPT).drop("opta", "mse")
    assert distance_charts(rows, "speed") == []
    ((_, _, chart),) = distance_charts(rows.with_columns(opta_db=2.5), "speed")
    assert {value for trace in chart["data"] for value in trace["y"]} == {2.5}


def test_without_opta_there_is_no_distance_and_without_separation_no_line(tmp_path):
    assert draw_distances(snr_study().drop("opta"), "snr", tmp_path) == []
    assert SEPARATION not in {curve.label for curve in limits(snr_study(), "snr")}
    found = {curve.label: curve for curve in limits(fading_study(draws=2, **SWEPT), "speed")}
    assert [point.mean for point in found[SEPARATION].points] == pytest.approx([0.012 * (55 + 30) / 2] * 2)
    assert SEPARATION in {level.label for level in levels(fading_study(draws=2), "flops", "nmse")}

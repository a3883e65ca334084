import polars as pl
import pytest
from plotly import graph_objects

from latentlink.report.arrange import arrange, arrange_all
from latentlink.report.axes import AXES
from latentlink.report.columns import describe, describe_condition
from latentlink.report.curves import average_curves
from latentlink.report.figures import draw_figures
from latentlink.report.interactive import make_charts
from latentlink.report.plots import plot_accuracy
from latentlink.report.tables import compare_methods, find_gaps
from latentlink.studies.averages import summarise
from latentlink.studies.rows import SETTINGS
from latentlink.studies.spec.study import Study
from report.rows import fading_row, fading_study, frame

SWEPT = {
    "uses": ("uses", (1, 2, 8)),
    "pilot-snr": ("pilot_snr_db", (-10.0, 0.0, 20.0)),
    "delay": ("delay_ms", (0.0, 0.5, 5.0)),
    "speed": ("speed_kmh", (3.0, 30.0, 120.0)),
    "feedback": ("feedback_bits", (1, 2, 4, None)),
    "clipping": ("clipping_db", (0.0, 3.0, 6.0, None)),
}
CHANGES = {
    "channel_model": "umi", "placement": "slots", "polarisation": "single", "pattern": "38.901", "normalisation": "path-loss",
    "csi": "both-ends", "estimator": "ls", "subcarriers": 48, "slots": 2, "pilot_spacing": 6, "feedback_bits": 4, "carrier_ghz": 28.0,
    "delay_spread_ns": 300.0, "speed_kmh": 30.0, "spacing_khz": 60.0, "pilot_snr_db": 5.0, "delay_ms": 5.0, "clipping_db": 3.0,
}  # fmt: skip


def test_the_axes_of_studies_are_those_of_reports():
    assert Study.model_json_schema()["properties"]["axis"]["enum"] == list(AXES)


@pytest.mark.parametrize("axis", SWEPT)
def test_every_axis_is_drawn(axis, tmp_path):
    column, values = SWEPT[axis]
    rows = fading_study(draws=2, **{column: values})
    drawn = average_curves(arrange(rows, axis), "accuracy")
    assert len(drawn) == 3
    for curve in drawn:
        places = [point.x for point in curve.points]
        assert len(places) == len(values)
        assert places[: len(values) - (values[-1] is None)] == [value for value in values if value is not None]
        assert all(point.rows == 4 for point in curve.points)
    for chart in make_charts(plot_accuracy(arrange(rows, axis)), axis):
        graph_objects.Figure({"data": chart.data, "layout": chart.layout})
        assert (chart.layout["xaxis"].get("type") == "log") == AXES[axis].ratio
    (comparison,) = compare_methods(arrange(rows, axis))
    assert comparison.tables[0].columns == tuple(describe(column, value) for value in values)
    assert find_gaps(arrange(rows, axis)) == []
    assert [table.axis.name for table in arrange_all(rows, axis).drawn] == [axis]
    if axis in ("feedback", "uses"):
        assert [path.suffix for path in draw_figures(plot_accuracy(arrange(rows, axis)), tmp_path / axis)] == [".pdf", ".png"]


def test_what_is_not_limited_lies_to_the_right_and_has_a_name():
    (codec, *_) = average_curves(arrange(fading_study(draws=2, clipping_db=(None, 0.0, 2.0, 6.0)), "clipping"), "accuracy")
    assert [point.x for point in codec.points] == [0.0, 2.0, 6.0, 9.0]  # three further, as numbers are in the mean
    assert codec.points[-1].at["clipping_db"] is None
    assert AXES["clipping"].ticks((point.x, point.at) for point in codec.points) == {0.0: "0", 2.0: "2", 6.0: "6", 9.0: "none"}
    (chart,) = make_charts(plot_accuracy(arrange(fading_study(draws=2, feedback_bits=(1, 2, None)), "feedback")), "feedback")
    assert chart.layout["xaxis"]["ticktext"] == ["1", "2", "∞"]
    (alone, *_) = average_curves(arrange(fading_study(draws=2), "clipping"), "accuracy")
    assert [point.x for point in alone.points] == [0.0]


def test_rows_without_a_place_are_told_of():
    rows = fading_study(draws=2, seeds=(1,), methods=("codec",), pilot_snr_db=(0.0, None))
    assert "codec: 2 rows without a place on this axis (SNR of the channel's pilots (dB))" in find_gaps(arrange(rows, "pilot-snr"))


@pytest.mark.parametrize("name", CHANGES)
def test_what_differs_is_never_mixed(name):
    rows = frame([fading_row("codec", 0, draws=2), fading_row("codec", 0, draws=2, **{name: CHANGES[name]})])
    assert len(rows[name].unique()) == 2
    for axis in AXES:
        drawn = average_curves(arrange(rows, axis), "accuracy")
        assert all(point.rows == 1 for curve in drawn for point in curve.points), (axis, drawn)
    assert name in SETTINGS
    wide = rows.with_columns(pl.lit(None).alias(column) for column in SETTINGS if column not in rows.columns)
    assert summarise(wide)["rows"].to_list() == [1, 1]


def test_settings_that_do_not_apply_are_not_named():
    assert describe_condition((("csi", "perfect"), ("estimator", None), ("feedback_bits", None))) == "perfect CSI, feedback not quantised"
    assert describe("channel_model", "cdl-c") == "CDL-C"
    assert describe("channel_model", "rayleigh") == "Rayleigh"
    assert describe("pilot_snr_db", -5.0) == "channel pilots at −5 dB"
    assert describe("uses", 1) == "1 channel use"

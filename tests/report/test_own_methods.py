"""Methods, families, settings and columns that the package has never heard of."""

import re

import polars as pl
import pytest
from matplotlib.markers import MarkerStyle
from plotly import graph_objects

from latentlink.report.arrange import arrange
from latentlink.report.columns import describe, describe_condition
from latentlink.report.curves import Curve, average_curves
from latentlink.report.figures import _draw_column, draw_wide
from latentlink.report.interactive import make_chart
from latentlink.report.page import ReportMeta, write_report
from latentlink.report.palette import FAMILIES, assign_looks
from latentlink.report.plots import plot_accuracy
from latentlink.report.tables import compare_methods, tabulate_power, tabulate_statuses
from report.rows import METHODS, frame, reference, row

OWN = {
    "my_lab.precoder:Mine": "own",
    "my_lab.precoder:Yours": "own",
    "other_lab.links:Mine": "hypergraph",
    "a label of its own": None,
}
LABELS = {"Mine (my_lab.precoder)", "Mine (other_lab.links)", "Yours", "a label of its own"}
META = ReportMeta("own", "Own", "", "snr", "name: own", "latentlink study run own.yaml", 1.0, 1, 0, 0)


def own_study(**more):
    unknown = {"temperature": 3.0, "notes": "none", "path": [1, 2], "geometry": {"radius": 2.0}} | more
    methods = {**{name: family for name, (family, _, _) in METHODS.items()}, **OWN}
    rows = [row(name, 8, db, seed, family=family, **unknown) for name, family in methods.items() for db in (0.0, 20.0) for seed in (1, 2)]
    return frame([*rows, reference("unaligned")])


def curve(label, family):
    return Curve(label, family, "aware", (), ())


def test_methods_of_unknown_families_are_drawn_worded_and_tabled(tmp_path):
    rows = own_study()
    table = arrange(rows, "snr")
    assert {each.label for each in average_curves(table, "accuracy")} == {*METHODS, *LABELS}
    for tabulated in (compare_methods(table)[0].tables[0], tabulate_power(table), tabulate_statuses(table)):
        assert {name for name, _ in tabulated.rows} == {*METHODS, *LABELS}
    page, *figures = write_report(rows, META, tmp_path)
    assert len(figures) == 4
    text = page.read_text()
    assert all(label in text for label in LABELS)
    assert plot_accuracy(table) == plot_accuracy(arrange(own_study(), "snr"))


def test_statuses_are_counted_by_their_names():
    ends = ["optimal", "nothing to send", "optimal", "an own status"]
    rows = frame([{**row("exact, widely linear", 8, 0.0, seed), "status": end} for seed, end in enumerate(ends, 1)])
    ((_, entries),) = tabulate_statuses(arrange(rows, "snr")).rows
    assert entries[-1].text == "optimal (2); nothing to send (1); an own status (1)"


def test_own_methods_look_like_no_others_and_like_no_method_of_the_package():
    packaged = [curve(f"{family} {number}", family) for family in FAMILIES if family != "own" for number in range(3)]
    own = [curve(f"method {number}", f"family {number}") for number in range(7)]
    looks = assign_looks([*packaged, *own])
    mine = [looks[each.label] for each in own]
    for part in ("colour", "marker", "symbol"):
        found = {getattr(look, part) for look in mine}
        assert len(found) == len(own)  # in print, where there is no colour, too
        assert not found & {getattr(looks[each.label], part) for each in packaged}
    crowd = assign_looks(curve(f"method {number}", "own") for number in range(30))
    assert len({(look.colour, look.marker) for look in crowd.values()}) == 30


def test_own_methods_are_drawn_in_front_of_all_others_with_a_line_of_their_own():
    (plot,) = plot_accuracy(arrange(own_study(), "snr"))
    packaged, mine = ({line.look.dash for line in plot.frames[0].lines if line.x and line.look.front is front} for front in (False, True))
    assert len(mine) == 1
    assert not mine & packaged
    names = [trace["name"] for trace in make_chart([plot], [""], "own").data]
    assert set(names[-2 * len(LABELS) :]) == LABELS  # in each of two frames
    heights = [line.get_zorder() for line in _draw_column(plot).axes[0].lines]
    assert heights.count(max(heights)) == len(LABELS)


def test_every_marker_is_one_of_both_programs():
    for look in assign_looks(curve(f"{family} {number}", family) for family in FAMILIES for number in range(9)).values():
        MarkerStyle(look.marker)
        graph_objects.Scatter(marker={"symbol": look.symbol})
        graph_objects.Scatter(marker={"symbol": f"{look.symbol}-open"})


def test_an_own_method_looks_the_same_in_every_report():
    alone = assign_looks([curve("Mine", "own")])["Mine"]
    assert assign_looks([curve("Mine", "another family"), curve("Eigen-K", "baseline"), curve("neural", "neural")])["Mine"] == alone
    several = [curve(name, "own") for name in ("Mine", "Yours", "Theirs", "Ours", "Hers")]
    assert assign_looks(several) == assign_looks(several[::-1])


def test_settings_that_nobody_declared_are_worded():
    assert describe("channel_model", "my_lab.channels:draw") == "draw (my_lab.channels)"
    assert describe("array_shape", 3.5) == "array shape 3.5"
    assert describe("array_shape", None) == "array shape unknown"
    rows = pl.concat([own_study(channel_model=model) for model in ("rayleigh", "my_lab.channels:draw")])
    titles = [describe_condition(condition) for condition in arrange(rows, "snr").conditions]
    assert titles == ["draw (my_lab.channels)", "Rayleigh"]


@pytest.mark.parametrize("axis", ["compression", "antennas", "snr", "flops", "outage"])
def test_unknown_columns_change_nothing(axis):
    rows = own_study()
    declared = rows.drop("temperature", "notes", "path", "geometry")
    assert average_curves(arrange(rows, axis), "accuracy") == average_curves(arrange(declared, axis), "accuracy")


def test_long_labels_stay_within_the_figure(tmp_path):
    name = "a very long label of a method that somebody made up to see what happens to the legend of a figure"
    (plot,) = plot_accuracy(arrange(frame([row(name, 8, db, family="own") for db in (0.0, 20.0)]), "snr"))
    path = tmp_path / "long.svg"
    draw_wide(plot, [path], "long")
    lines = [words for words in re.findall(r"<!-- (.*?) -->", path.read_text()) if words in name]
    assert len(lines) >= 3
    assert all(len(words) <= 40 for words in lines)

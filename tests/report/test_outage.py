import math
from statistics import fmean

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from plotly import graph_objects

from latentlink.evaluation.intervals import worst
from latentlink.report.arrange import arrange
from latentlink.report.figures import draw_figures
from latentlink.report.interactive import make_charts
from latentlink.report.outage import (
    choose_conditions,
    collect_distributions,
    compute_jain_index,
    compute_outage,
    draw_staircase,
    find_quantile,
    plot_outage,
    tabulate_fairness,
    tabulate_outage,
)
from report.rows import fading_study

ACCURACIES = st.lists(st.integers(0, 50).map(lambda n: n / 50), min_size=1, max_size=250)


def distributions(rows):
    return collect_distributions(arrange(rows, "outage"))


@given(ACCURACIES, st.floats(-0.1, 1.1), st.floats(-0.1, 1.1))
def test_an_outage_curve_is_a_distribution_function(values, a, b):
    low, high = sorted((a, b))
    assert 0 <= compute_outage(values, low) <= compute_outage(values, high) <= 1
    assert compute_outage(values, min(values)) == 0
    assert compute_outage(values, math.nextafter(max(values), 2)) == 1


@given(ACCURACIES, st.sampled_from((1, 5)))
def test_the_outage_accuracy_is_the_largest_with_so_little_outage(values, per_cent):
    found = find_quantile(values, per_cent)
    assert (found is None) == (len(values) < 100 / per_cent)
    if found is not None:
        assert 100 * sum(value < found for value in values) <= per_cent * len(values)
        assert 100 * sum(value <= found for value in values) > per_cent * len(values)


@given(st.lists(st.floats(0, 1), min_size=100, max_size=300))
def test_the_worst_are_worse_than_the_mean_and_the_very_worst_than_those(values):
    assert worst(values, 1) <= worst(values, 5) + 1e-12
    assert worst(values, 5) <= fmean(values) + 1e-12
    assert worst(values, 1) <= find_quantile(values, 1)


@given(st.lists(st.floats(1e-3, 1), min_size=1, max_size=50), st.floats(0.1, 10))
def test_jains_index_is_one_for_equal_users_and_needs_no_unit(values, unit):
    assert compute_jain_index([values[0]] * len(values)) == pytest.approx(1)
    assert compute_jain_index([values[0]] + [0.0] * (len(values) - 1)) == pytest.approx(1 / len(values))
    assert 1 / len(values) - 1e-9 <= compute_jain_index(values) <= 1 + 1e-9
    assert compute_jain_index([unit * value for value in values]) == pytest.approx(compute_jain_index(values))
    assert compute_jain_index([0.0, 0.0]) is None


@given(st.lists(st.floats(0, 1), min_size=20, max_size=400))
def test_the_drawn_curve_is_the_distribution_but_for_steps_too_small_to_be_seen(values):
    a, p, marked = draw_staircase(values)
    assert a == sorted(a)
    assert p == sorted(p)
    assert (a[0], a[-1], p[-1]) == (min(values), max(values), 1.0)
    assert p[0] >= 1 / len(values)
    marks = {round(100 * p[place]): a[place] for place in marked}
    assert marks == {level: find_quantile(values, level) for level in (5, 1) if find_quantile(values, level) is not None}
    for number, (place, share) in enumerate(zip(a, p, strict=True)):
        if number not in marked:
            assert share == sum(value <= place for value in values) / len(values)


def test_steps_that_cannot_be_seen_are_left_out():
    a, _, _ = draw_staircase([number / 50_000 for number in range(50_000)])
    assert len(a) < 800


def test_there_is_outage_where_a_cell_has_100_channels():
    assert distributions(fading_study(draws=99)) == {}
    points = distributions(fading_study(draws=100))
    assert list(points) == [()]
    assert {method.curve.label: len(method.values) for method in points[()]} == dict.fromkeys(
        ("codec", "exact, widely linear", "digital, adaptive"), 200
    )
    assert distributions(pl.DataFrame()) == {}


def test_at_most_six_points_are_drawn_from_the_first_to_the_last(tmp_path):
    rows = fading_study(seeds=(1,), methods=("codec",), speed_kmh=tuple(map(float, range(3, 12))))
    points = distributions(rows)
    assert len(points) == 9
    assert [dict(condition)["speed_kmh"] for condition in choose_conditions(points)] == [3.0, 4.0, 6.0, 7.0, 9.0, 11.0]
    few = rows.filter(pl.col("speed_kmh").is_null() | (pl.col("speed_kmh") < 5))
    files = draw_figures(plot_outage(distributions(few)), tmp_path / "outage")
    assert [path.name for path in files] == [f"outage-{speed}-km-h.{kind}" for speed in (3, 4) for kind in ("pdf", "png")]
    assert plot_outage(distributions(fading_study(draws=50))) == []


def test_fewer_points_are_drawn_of_the_settings_that_have_the_most():
    conditions = [(("snr_db", float(level)), ("n_tx", n)) for level in range(9) for n in (1, 2, 4)]
    assert choose_conditions({condition: [] for condition in conditions}) == [
        (("snr_db", level), ("n_tx", n)) for level in (0.0, 8.0) for n in (1, 2, 4)
    ]
    ragged = [(("snr_db", level), ("n_tx", level)) for level in range(20)]
    assert 0 < len(choose_conditions({condition: [] for condition in ragged})) <= 6
    assert choose_conditions({(): []}) == [()]
    assert choose_conditions({}) == []


def test_the_table_tells_the_mean_over_seeds_and_the_tail_over_channels():
    rows = fading_study(seeds=(1, 2, 3))
    (comparison,) = tabulate_outage(distributions(rows))
    (table,) = comparison.tables
    entries = dict(zip(table.columns, dict(table.rows)["codec"], strict=True))
    values = rows.filter(pl.col("method") == "codec")["accuracy"].sort().to_list()
    said = [entries[f"{name}\u00a0%"].text for name in ("outage accuracy, 5", "outage accuracy, 1", "mean of the worst, 5")]
    assert said == [f"{value:.3f}" for value in (values[15], values[3], fmean(values[:15]))]
    assert entries["mean (ergodic)"].text == f"{fmean(values):.3f}"
    assert entries["mean (ergodic)"].remark.endswith("95 %, t over 3 seeds")
    assert entries["bits per message"].text == "–"
    assert entries["channels"].text == "300"
    for seeds, rule in (((1,), "95 %, t over 100 channels"), ((1, 2), "lowest, highest of 2 seeds")):
        ((_, told), *_) = tabulate_outage(distributions(fading_study(seeds=seeds)))[0].tables[0].rows
        assert told[1].remark.endswith(rule)


def test_fairness_is_told_of_users_with_path_loss():
    rows = fading_study(seeds=(1,))
    assert tabulate_fairness(arrange(rows, "outage"), distributions(rows)) == []
    dropped = rows.with_columns(normalisation=pl.lit("path-loss"))
    (comparison,) = tabulate_fairness(arrange(dropped, "outage"), distributions(dropped))
    (table,) = comparison.tables
    entries = dict(zip(table.columns, dict(table.rows)["digital, adaptive"], strict=True))
    values = rows.filter(pl.col("method") == "digital, adaptive")["accuracy"].to_list()
    assert entries["under half of the ceiling"].text == f"{sum(value < 0.43 for value in values) / 100:.1%}"
    assert entries["Jain's index, accuracy"].text == f"{compute_jain_index(values):.3f}"
    assert entries["Jain's index, capacity"].text == f"{compute_jain_index([float(n) for n in range(1, 101)]):.3f}"
    even = dropped.with_columns(accuracy=pl.lit(0.5), capacity=pl.lit(None, pl.Float64))
    entries = tabulate_fairness(arrange(even, "outage"), distributions(even))[0].tables[0].rows[0][1]
    assert [entry.text for entry in entries[1:5]] == ["1.000", "–", "0.500", "0.500"]


def test_the_pages_curves_are_plotlys_and_marked_at_their_levels():
    (chart,) = make_charts(plot_outage(distributions(fading_study(speed_kmh=(3.0, 30.0)))), "outage")
    graph_objects.Figure({"data": chart.data, "layout": chart.layout})
    marks = [trace for trace in chart.data if trace["mode"] == "markers"]
    assert len(marks) == 2 * 3
    assert all(trace["y"] == [0.01, 0.05] for trace in marks)
    assert sum(trace["showlegend"] for trace in chart.data) == 3

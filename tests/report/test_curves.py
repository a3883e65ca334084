import math

import polars as pl
import pytest
from scipy import stats

from latentlink.evaluation.intervals import student
from latentlink.report.arrange import arranged, prepared
from latentlink.report.curves import BUDGET, EXACT, OPTA, banded, curves, levels, limits, within_budget
from latentlink.report.look.wording import panel_title
from report.rows import compression_study, flops_study, frame, reference, row, snr_study


def named(drawn, name, **panel):
    found = [curve for curve in drawn if curve.name == name and panel.items() <= dict(curve.panel).items()]
    assert len(found) == 1, [(curve.name, curve.panel) for curve in drawn]
    return found[0]


def test_the_quantile_is_that_of_student():
    for freedom in (1, 2, 3, 4, 7, 30, 1000):
        assert student(freedom) == pytest.approx(stats.t.ppf(0.975, freedom), rel=2e-3)


def test_bands_are_intervals_over_seeds_ranges_of_two_and_intervals_over_messages():
    values = [0.5, 0.6, 0.8]
    mean, low, high, band = banded([1, 2, 3], values, (None, None), "nmse")
    want = stats.t.interval(0.95, 2, loc=mean, scale=stats.sem(values))
    assert ((low, high), band) == (pytest.approx(want), "t")
    assert banded([1, 2], [0.5, 0.6], (0.1, 0.9), "accuracy") == (pytest.approx(0.55), 0.5, 0.6, "range")
    assert banded([1], [0.5], (0.4, 0.6), "accuracy") == (0.5, 0.4, 0.6, "messages")
    assert banded([1], [0.5], (None, None), "nmse") == (0.5, None, None, "none")
    assert banded([1, 2, 3], [0.9, 1.0, 1.0], (None, None), "accuracy")[2] == 1.0  # a share stays one
    assert banded([1, 2, 3], [-1.0, 0.0, 9.0], (None, None), "exact_db")[1] < -1.0  # a level in dB may be negative


def test_draws_are_averaged_within_their_seed_first():
    mean, low, high, band = banded([1, 1, 1, 2], [0.1, 0.2, 0.3, 0.6], (None, None), "accuracy")
    assert (mean, low, high, band) == (pytest.approx(0.4), pytest.approx(0.2), 0.6, "range")
    assert banded([1, 1, 1], [0.1, 0.2, 0.3], (None, None), "accuracy")[3] == "t"  # one seed: over its draws


def test_a_point_is_the_mean_over_seeds_at_its_compression():
    drawn = curves(compression_study(), "compression", "accuracy")
    curve = named(drawn, "neural", pilots_per_class=42.0, snr_reference="transmit")
    assert [point.x for point in curve.points] == pytest.approx([1 / 101, 4 / 101, 16 / 101])
    one = compression_study().filter((pl.col("method") == "neural") & (pl.col("n_tx") == 4) & (pl.col("pilots_per_class") == 42))
    assert (curve.points[1].mean, curve.points[1].seeds, curve.points[1].rows) == (pytest.approx(one["accuracy"].mean()), 3, 3)
    topk = named(drawn, "Top-K", pilots_per_class=42.0, snr_reference="transmit")
    assert topk.points[0].x == pytest.approx(2 / 101)  # its indices count


def test_what_differs_is_never_mixed():
    drawn = curves(compression_study(), "compression", "accuracy")
    assert all(point.rows == 3 for curve in drawn for point in curve.points)
    assert len(drawn) == 2 * 7 + 1
    assert named(drawn, "Eigen-K, unaware", pilots_per_class=420.0, snr_reference="transmit").knowledge == "unaware"
    assert named(drawn, "exact, widely linear", snr_reference="receive")
    for changed in ({"dataset": "other"}, {"gain": 1.0}, {"transmitter": "c"}, {"selection": "centroid"}, {"channel_model": "rician"},
                    {"snr_db": 10.0}, {"n_rx": 2}, {"uses": 2}, {"grouping": "cluster"}):  # fmt: skip
        rows = [row("neural", n) for n in (1, 4)] + [row("neural", n, **changed) for n in (1, 4)]
        for axis in ("compression", "snr", "flops"):
            two = curves(frame(rows), axis, "accuracy")
            assert all(point.rows == 1 for curve in two for point in curve.points), (changed, axis, two)


def test_methods_of_one_name_are_told_apart_by_their_parameters():
    rows = frame([row("ADMM", n, parameters=f'{{"rho": {rho}}}') for rho in (0.1, 1) for n in (1, 4)])
    assert [curve.label for curve in curves(rows, "compression", "accuracy")] == ["ADMM (rho 0.1)", "ADMM (rho 1)"]


def test_settings_that_are_swept_make_panels_and_others_go_into_the_label():
    names = {curve.name for curve in curves(snr_study(), "snr", "accuracy")}
    assert "Top-K, 4×4 antennas" in names
    assert "Eigen-K" in names
    assert arranged(snr_study(), "snr").panels == [()]
    assert [panel_title(panel) for panel in arranged(flops_study(), "flops").panels] == ["6×6 antennas", "10×10 antennas"]


def test_limits_are_those_of_the_other_methods_antennas():
    drawn = {curve.label: curve for curve in limits(snr_study(), "snr")}
    want = prepared(snr_study()).filter((pl.col("n_tx") == 8) & (pl.col("snr_db") == 0.0) & (pl.col("method") == "Eigen-K"))
    assert drawn[EXACT].points[1].mean == pytest.approx(want["exact_mse"][0] / 100)
    assert drawn[OPTA].points[1].mean == pytest.approx(want["opta_nmse"][0])
    assert [point.x for point in limits(compression_study(), "compression")[0].points] == pytest.approx([1 / 101, 4 / 101, 16 / 101])


def test_levels_follow_their_pilots():
    more = [row("Eigen-K", pilots_per_class=420), reference("unaligned", pilots_per_class=420, accuracy=0.2)]
    rows = pl.concat([snr_study(), frame(more)])
    found = {(level.label, level.panel[0][1]): level.value for level in levels(rows, "snr", "accuracy")}
    assert found["unaligned", 42.0] == pytest.approx(0.1)
    assert found["unaligned", 420.0] == pytest.approx(0.2)
    assert {level.label for level in levels(flops_study(), "flops", "nmse")} == {"aligned, no channel", EXACT, OPTA}


def test_flops_run_along_pruning_and_the_budget_curve_never_falls():
    drawn = curves(flops_study(), "flops", "accuracy")
    curve = named(drawn, "neural, hard thresholds", antennas="6×6")
    assert [point.at["pruning"] for point in curve.points] == [40.0, 10.0, 0.0]
    best = within_budget(drawn)
    assert [curve.label for curve in best] == [BUDGET] * 2
    means = [point.mean for point in best[0].points]
    assert means == sorted(means)
    assert best[0].points[-1].x == max(
        point.x for curve in drawn if curve.panel == best[0].panel and curve.family == "neural" for point in curve.points
    )


def test_distances_are_in_decibel_of_mse():
    for curve in curves(snr_study(), "snr", "exact_db"):
        want = {"Eigen-K": 1.5, "exact, widely linear": 0.1}.get(curve.label)
        assert want is None or all(point.mean == pytest.approx(want) for point in curve.points)


def test_values_that_are_none_take_no_part():
    rows = frame(
        [row("neural", 1), row("neural", 4, accuracy=math.nan), row("neural", 8, accuracy=None), row("neural", 16, accuracy=math.inf)]
    )
    (curve,) = curves(rows, "compression", "accuracy")
    assert [point.at["antennas"] for point in curve.points] == ["1×1"]
    assert curves(rows.drop("opta", "exact_mse"), "compression", "exact_db") == []
    assert curves(rows.head(0), "snr", "accuracy") == []
    assert curves(pl.DataFrame(), "flops", "accuracy") == []


def test_an_unknown_axis_is_refused():
    with pytest.raises(ValueError, match=r"axis must be one of compression, snr, flops, uses, .*outage, got 'time'"):
        curves(snr_study(), "time", "accuracy")

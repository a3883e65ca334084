import math
from dataclasses import astuple

import polars as pl
import pytest

from latentlink.evaluation.intervals import student
from latentlink.report.arrange import arrange
from latentlink.report.columns import describe_condition, prepare
from latentlink.report.curves import (
    BUDGET,
    EXACT,
    OPTA,
    average_curves,
    average_levels,
    average_limits,
    estimate_mean,
    find_best_within_budget,
    list_bands,
)
from report.rows import compression_study, flops_study, frame, reference, row, snr_study


def mean_of(*arguments):
    return astuple(estimate_mean(*arguments))


def named(drawn, name, **condition):
    found = [curve for curve in drawn if curve.name == name and condition.items() <= dict(curve.condition).items()]
    assert len(found) == 1, [(curve.name, curve.condition) for curve in drawn]
    return found[0]


def test_the_quantile_is_that_of_student():
    from scipy import stats

    for freedom in (1, 2, 3, 4, 7, 30, 1000):
        assert student(freedom) == pytest.approx(stats.t.ppf(0.975, freedom), rel=2e-3)


def test_bands_are_intervals_over_seeds_ranges_of_two_and_intervals_over_messages():
    from scipy import stats

    values = [0.5, 0.6, 0.8]
    mean, low, high, band = mean_of([1, 2, 3], values, (None, None), "nmse")
    want = stats.t.interval(0.95, 2, loc=mean, scale=stats.sem(values))
    assert ((low, high), band) == (pytest.approx(want), "t")
    assert mean_of([1, 2], [0.5, 0.6], (0.1, 0.9), "accuracy") == (pytest.approx(0.55), 0.5, 0.6, "range")
    assert mean_of([1], [0.5], (0.4, 0.6), "accuracy") == (0.5, 0.4, 0.6, "messages")
    assert mean_of([1], [0.5], (None, None), "nmse") == (0.5, None, None, "none")
    assert mean_of([1, 2, 3], [0.9, 1.0, 1.0], (None, None), "accuracy")[2] == 1.0  # a share stays one
    assert mean_of([1, 2, 3], [-1.0, 0.0, 9.0], (None, None), "exact_db")[1] < -1.0  # a level in dB may be negative


def test_draws_are_averaged_within_their_seed_first():
    mean, low, high, band = mean_of([1, 1, 1, 2], [0.1, 0.2, 0.3, 0.6], (None, None), "accuracy")
    assert (mean, low, high, band) == (pytest.approx(0.4), pytest.approx(0.2), 0.6, "range")
    assert mean_of([1, 1, 1], [0.1, 0.2, 0.3], (None, None), "accuracy")[3] == "t"  # one seed: over its draws


@pytest.mark.parametrize(
    ("seeds", "draws", "words"),
    [
        ((1, 2, 3), 1, "95 % of the mean over seeds (Student's t)"),
        ((1,), 3, "95 % of the mean over the channels of one seed (Student's t)"),
        ((1, 2), 3, "lowest and highest, of two, over seeds"),
    ],
)
def test_bands_are_worded_by_what_they_are_over(seeds, draws, words):
    rows = frame([row("neural", seed=seed, channel=channel, accuracy=0.5 + 0.1 * channel) for seed in seeds for channel in range(draws)])
    curves = average_curves(arrange(rows, "compression"), "accuracy")
    assert list_bands(point for curve in curves for point in curve.points) == [words]


def test_a_point_is_the_mean_over_seeds_at_its_compression():
    drawn = average_curves(arrange(compression_study(), "compression"), "accuracy")
    curve = named(drawn, "neural", pilots_per_class=42.0, snr_reference="transmit")
    assert [point.x for point in curve.points] == pytest.approx([1 / 101, 4 / 101, 16 / 101])
    one = compression_study().filter((pl.col("method") == "neural") & (pl.col("n_tx") == 4) & (pl.col("pilots_per_class") == 42))
    assert (curve.points[1].mean, curve.points[1].seeds, curve.points[1].rows) == (pytest.approx(one["accuracy"].mean()), 3, 3)
    topk = named(drawn, "Top-K", pilots_per_class=42.0, snr_reference="transmit")
    assert topk.points[0].x == pytest.approx(2 / 101)  # its indices count


def test_what_differs_is_never_mixed():
    drawn = average_curves(arrange(compression_study(), "compression"), "accuracy")
    assert all(point.rows == 3 for curve in drawn for point in curve.points)
    assert len(drawn) == 2 * 7 + 1
    assert named(drawn, "Eigen-K, unaware", pilots_per_class=420.0, snr_reference="transmit").knowledge == "unaware"
    assert named(drawn, "exact, widely linear", snr_reference="receive")
    for changed in ({"dataset": "other"}, {"gain": 1.0}, {"transmitter": "c"}, {"selection": "centroid"}, {"channel_model": "rician"},
                    {"snr_db": 10.0}, {"n_rx": 2}, {"uses": 2}, {"grouping": "cluster"}):  # fmt: skip
        rows = [row("neural", n) for n in (1, 4)] + [row("neural", n, **changed) for n in (1, 4)]
        for axis in ("compression", "snr", "flops"):
            two = average_curves(arrange(frame(rows), axis), "accuracy")
            assert all(point.rows == 1 for curve in two for point in curve.points), (changed, axis, two)


def test_methods_of_one_name_are_told_apart_by_their_parameters():
    rows = frame([row("ADMM", n, parameters=f'{{"rho": {rho}}}') for rho in (0.1, 1) for n in (1, 4)])
    assert [curve.label for curve in average_curves(arrange(rows, "compression"), "accuracy")] == ["ADMM (rho 0.1)", "ADMM (rho 1)"]


def test_settings_that_are_swept_make_conditions_and_others_go_into_the_label():
    names = {curve.name for curve in average_curves(arrange(snr_study(), "snr"), "accuracy")}
    assert "Top-K, 4×4 antennas" in names
    assert "Eigen-K" in names
    assert arrange(snr_study(), "snr").conditions == [()]
    assert [describe_condition(condition) for condition in arrange(flops_study(), "flops").conditions] == ["6×6 antennas", "10×10 antennas"]


def test_limits_are_those_of_the_other_methods_antennas():
    drawn = {curve.label: curve for curve in average_limits(arrange(snr_study(), "snr"), "nmse")}
    want = prepare(snr_study()).filter((pl.col("n_tx") == 8) & (pl.col("snr_db") == 0.0) & (pl.col("method") == "Eigen-K"))
    assert drawn[EXACT].points[1].mean == pytest.approx(want["exact_mse"][0] / 100)
    assert drawn[OPTA].points[1].mean == pytest.approx(want["opta_nmse"][0])
    assert [point.x for point in average_limits(arrange(compression_study(), "compression"), "nmse")[0].points] == pytest.approx(
        [1 / 101, 4 / 101, 16 / 101]
    )


def test_levels_follow_their_pilots():
    more = [row("Eigen-K", pilots_per_class=420), reference("unaligned", pilots_per_class=420, accuracy=0.2)]
    rows = pl.concat([snr_study(), frame(more)])
    found = {(level.label, level.condition[0][1]): level.level for level in average_levels(arrange(rows, "snr"), "accuracy")}
    assert found["unaligned", 42.0] == pytest.approx(0.1)
    assert found["unaligned", 420.0] == pytest.approx(0.2)
    assert {level.label for level in average_levels(arrange(flops_study(), "flops"), "nmse")} == {"aligned, no channel", EXACT, OPTA}


def test_flops_run_along_pruning_and_the_budget_curve_never_falls():
    drawn = average_curves(arrange(flops_study(), "flops"), "accuracy")
    curve = named(drawn, "neural, hard thresholds", antennas="6×6")
    assert [point.at["pruning"] for point in curve.points] == [40.0, 10.0, 0.0]
    best = find_best_within_budget(drawn)
    assert [curve.label for curve in best] == [BUDGET] * 2
    means = [point.mean for point in best[0].points]
    assert means == sorted(means)
    assert best[0].points[-1].x == max(
        point.x for curve in drawn if curve.condition == best[0].condition and curve.family == "neural" for point in curve.points
    )


def test_distances_are_in_decibel_of_mse():
    for curve in average_curves(arrange(snr_study(), "snr"), "exact_db"):
        want = {"Eigen-K": 1.5, "exact, widely linear": 0.1}.get(curve.label)
        assert want is None or all(point.mean == pytest.approx(want) for point in curve.points)


def test_values_that_are_none_take_no_part():
    rows = frame(
        [row("neural", 1), row("neural", 4, accuracy=math.nan), row("neural", 8, accuracy=None), row("neural", 16, accuracy=math.inf)]
    )
    (curve,) = average_curves(arrange(rows, "compression"), "accuracy")
    assert [point.at["antennas"] for point in curve.points] == ["1×1"]
    assert average_curves(arrange(rows.drop("opta", "exact_mse"), "compression"), "exact_db") == []
    assert average_curves(arrange(rows.head(0), "snr"), "accuracy") == []
    assert average_curves(arrange(pl.DataFrame(), "flops"), "accuracy") == []


def test_an_unknown_axis_is_refused():
    with pytest.raises(ValueError, match=r"axis must be one of compression, antennas, snr, flops, .*outage, got 'time'"):
        average_curves(arrange(snr_study(), "time"), "accuracy")

import math

import polars as pl
import pytest

from latentlink.report.study_curves import EXACT_OPTIMUM, OPTA, curves, levels_of, limits_of, prepared, t_quantile
from report.study_rows import frame, references, row, study


def only(found):
    assert len(found) == 1
    return found[0]


def test_the_mean_is_over_seeds_of_means_over_draws_with_the_t_interval_of_the_seeds():
    rows = [
        row(seed=0, channel=0, accuracy=0.2),
        row(seed=0, channel=1, accuracy=0.4),
        row(seed=1, accuracy=0.5),
        row(seed=2, accuracy=0.7),
    ]
    point = only(only(curves(frame(rows), "compression", "accuracy")).points)
    assert point.mean == pytest.approx((0.3 + 0.5 + 0.7) / 3)
    assert point.half == pytest.approx(4.302653 * 0.2 / math.sqrt(3), rel=1e-6)  # t(0.975; 2), deviation of 0.3, 0.5, 0.7
    assert (point.seeds, point.rows, point.x) == (3, 4, 0.125)


@pytest.mark.parametrize(
    ("freedom", "quantile"), [(1, 12.706205), (2, 4.302653), (3, 3.182446), (5, 2.570582), (10, 2.228139), (49, 2.009575)]
)
def test_quantiles_of_student(freedom, quantile):
    assert t_quantile(freedom) == pytest.approx(quantile, abs=2e-6)


def test_one_seed_has_no_band():
    assert math.isnan(only(only(curves(frame([row()]), "snr", "accuracy")).points).half)


@pytest.mark.parametrize(
    ("column", "values"),
    [("pilots_per_class", (42, None)), ("knowledge", ("aware", "unaware")), ("snr_reference", ("transmit", "receive")),
     ("gain", (0.5, 1.0)), ("receiver", ("b", "c")), ("selection", ("random", "centroid")), ("dataset", ("blobs", "rings"))],
)  # fmt: skip
@pytest.mark.parametrize("axis", ["compression", "snr", "flops"])
def test_what_differs_is_never_mixed(axis, column, values):
    rows = frame([row(accuracy=accuracy, **{column: value}) for accuracy, value in zip((0.2, 0.8), values, strict=True)])
    assert sorted(curve.mean[0] for curve in curves(rows, axis, "accuracy")) == [0.2, 0.8]


def test_parameters_that_differ_under_one_label_are_told():
    rows = [row(accuracy=0.2, parameters='{"name": "x", "k": 1}'), row(accuracy=0.4, parameters='{"k": 2, "name": "x"}')]
    assert {curve.detail: curve.mean for curve in curves(frame(rows), "snr", "accuracy")} == {"k 1": [0.2], "k 2": [0.4]}


def test_antennas_are_the_axis_of_compression_and_apart_elsewhere():
    rows = frame([row(antennas=8, accuracy=0.6), row(antennas=2, accuracy=0.4)])
    assert only(curves(rows, "compression", "accuracy")).x == [0.0625, 0.25]
    for axis in ("snr", "flops"):
        assert sorted(curve.antennas for curve in curves(rows, axis, "accuracy")) == ["2×2", "8×8"]


def test_unequal_antennas_and_uses_do_not_mix_on_the_compression_axis():
    rows = frame([row(antennas=2, n_rx=4), row(antennas=4), row(antennas=2, uses=2, compression=0.125), row(antennas=2)])
    found = curves(rows, "compression", "accuracy")
    assert sum(len(curve.points) for curve in found) == 4
    assert all(point.rows == 1 for curve in found for point in curve.points)


def test_flops_run_along_the_pruning_strength():
    rows = [row("net", "neural", seed, pruning=λ, flops=flops + seed, parameters=f'{{"strength": {λ}}}', accuracy=flops / 1000)
            for seed in (0, 2) for λ, flops in ((0.0, 900), (5.0, 400), (9.0, 100))]  # fmt: skip
    curve = only(curves(frame(rows), "flops", "accuracy"))
    assert curve.x == [101.0, 401.0, 901.0]
    assert curve.mean == pytest.approx([0.1, 0.4, 0.9])
    assert [point.at for point in curve.points] == ["λ 9", "λ 5", "λ 0"]


def test_distances_in_db_and_latency_are_of_each_row():
    rows = frame([row(mse=80.0)])
    values = [only(curves(rows, "snr", name)).mean[0] for name in ("exact_db", "opta_db", "latency_us", "latency_batch_us")]
    assert values == pytest.approx([10 * math.log10(2), 10 * math.log10(4), 15.0, 1.5])


def test_values_that_are_missing_or_not_finite_are_left_out():
    rows = [row(seed=0, accuracy=0.5), row(seed=1, accuracy=None), row(seed=2, accuracy=math.nan), row(snr_db=0.0, accuracy=math.inf)]
    curve = only(curves(frame(rows), "snr", "accuracy"))
    assert curve.mean == [0.5]
    assert curve.x == [20.0]
    bare = pl.DataFrame({"method": ["m"], "accuracy": [0.5], "compression": [0.1]})
    assert only(curves(bare, "compression", "accuracy")).mean == [0.5]
    assert curves(bare, "flops", "accuracy") == curves(pl.DataFrame(), "snr", "mse") == []


def test_the_order_of_rows_and_rows_given_twice_change_nothing():
    rows = study("snr", seeds=(0, 1, 2))
    wanted = curves(rows, "snr", "accuracy")
    assert curves(pl.concat([rows.reverse(), rows]), "snr", "accuracy") == wanted
    assert wanted[0].family == "exact"


def test_references_are_levels_and_one_where_pilots_change_nothing():
    rows = frame(references(pilots_per_class=42) + references(pilots_per_class=420)).with_columns(
        accuracy=pl.when((pl.col("method") == "aligned, no channel") & (pl.col("pilots_per_class") == 420)).then(0.85).otherwise("accuracy")
    )
    found = [(level.method, level.mean[0]) for level in levels_of(prepared(rows, "snr"), "accuracy")]
    assert found == [("receiver's latents", 0.9), ("aligned, no channel", 0.85), ("aligned, no channel", 0.8), ("unaligned", 0.1)]
    assert curves(rows, "snr", "accuracy") == []


def test_limits_are_normalised_and_stand_where_the_channel_uses_are():
    rows = frame([row(exact_mse=30.0), row("Top-K", exact_mse=30.0, compression=0.25)])
    found = {curve.method: (curve.x, curve.mean) for curve in limits_of(prepared(rows, "compression"), "compression")}
    assert found == {EXACT_OPTIMUM: ([0.125], [pytest.approx(0.3)]), OPTA: ([0.125], [pytest.approx(0.2)])}


def test_an_unknown_axis_is_named():
    with pytest.raises(ValueError, match="axis must be one of compression, snr, flops, got 'time'"):
        curves(pl.DataFrame(), "time", "accuracy")

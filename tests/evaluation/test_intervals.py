from statistics import fmean

import polars as pl
import pytest

from latentlink.evaluation.intervals import interval_of, worst
from latentlink.studies.averages import summarise
from latentlink.studies.rows import SETTINGS


def test_draws_of_a_seed_are_not_independent():
    from scipy import stats

    mean, low, high, rule = interval_of([1] * 50 + [2] * 50 + [3] * 50, [0.5] * 50 + [0.6] * 50 + [0.8] * 50)
    want = stats.t.interval(0.95, 2, loc=mean, scale=stats.sem([0.5, 0.6, 0.8]))
    assert ((low, high), rule) == (pytest.approx(want), "t")
    assert interval_of([1] * 3, [0.1, 0.2, 0.3])[3] == "t"  # over the draws of a single seed
    assert interval_of([1, 2], [0.5, 0.6]) == (pytest.approx(0.55), 0.5, 0.6, "range")
    assert interval_of([1], [0.5]) == (0.5, None, None, "none")


def test_a_worst_share_is_rounded_up_to_whole_channels():
    values = [number / 100 for number in range(101)]
    assert worst(values, 1) == pytest.approx(fmean(values[:2]))
    assert worst(values, 5) == pytest.approx(fmean(values[:6]))
    assert worst(values[:19], 5) is None
    assert worst(values[:99], 1) is None


def fading(draws, seeds=(1, 2, 3)):
    values = [{"seed": seed, "accuracy": 0.1 * seed + c / draws / 2} for seed in seeds for c in range(draws)]
    rows = pl.DataFrame(values).with_columns(method=pl.lit("m"), parameters=pl.lit("{}"), family=pl.lit("exact"))
    return rows.with_columns(pl.lit(1).alias(name) for name in SETTINGS).with_columns(cell=pl.col("seed").cast(pl.String))


def test_a_summary_tells_the_interval_of_the_mean_and_both_tails():
    rows = fading(100)
    (row,) = summarise(rows).iter_rows(named=True)
    mean, low, high, _ = interval_of(rows["seed"].to_list(), rows["accuracy"].to_list())
    assert (row["accuracy"], row["mean_low"], row["mean_high"]) == (pytest.approx(mean), pytest.approx(low), pytest.approx(high))
    values = rows["accuracy"].to_list()
    assert (row["accuracy_worst"], row["accuracy_worst_1"]) == (pytest.approx(worst(values, 5)), pytest.approx(worst(values, 1)))
    assert row["accuracy_worst_1"] <= row["accuracy_worst"] <= row["accuracy"]
    assert "accuracy_worst" in summarise(fading(20)).columns
    assert not {"mean_low", "mean_high", "accuracy_worst_1"} & set(summarise(fading(20)).columns)
    assert "accuracy_worst" not in summarise(fading(2)).columns


def test_rows_of_older_studies_lack_settings_and_values_may_be_absent():
    rows = fading(100).drop("csi", "clipping_db", "feedback_bits")
    assert summarise(rows)["rows"].to_list() == [300]
    empty = rows.with_columns(accuracy=pl.when(pl.col("seed") > 1).then("accuracy"))
    (row,) = summarise(empty).iter_rows(named=True)
    assert (row["mean_low"], row["mean_high"]) == (pytest.approx(0.2 + 0.2475), pytest.approx(0.3 + 0.2475))

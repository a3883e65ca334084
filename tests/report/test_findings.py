"""Findings say what is planted in the rows, and nothing more."""

import re

import polars as pl
import pytest

from latentlink.report.arrange import arrange
from latentlink.report.findings import describe_intervals, find_all, write_markdown
from report.rows import FADING, compression_study, fading_study, flops_study, frame, reference, row, snr_study


def study(accuracies, seeds=(1, 2, 3, 4), levels=(0.0, 10.0, 20.0), **more):
    """Rows of methods whose accuracy is a function of SNR and seed."""
    rows = [
        row(name, snr_db=db, seed=s, accuracy=value(db, s), **more) for name, value in accuracies.items() for db in levels for s in seeds
    ]
    return frame(rows)


def text(rows, axis="snr"):
    return "\n".join(sentence for finding in find_all(arrange(rows, axis)) for sentence in finding.sentences)


def noisy(mean, spread=0.001):
    """A mean with some noise of its own for each seed and SNR."""
    return lambda db, s: mean + spread * ((hash((mean, db, s)) % 1000) / 1000 - 0.5)


def test_a_planted_winner_wins_by_what_is_planted():
    seen = text(study({"exact, goal-oriented": noisy(0.8), "exact, widely linear": noisy(0.7), "Eigen-K": noisy(0.4)}))
    assert "“exact, goal-oriented” has the highest accuracy, 0.800 in the mean from 0 dB to 20 dB, and wins; the next is" in seen
    assert re.search(r"“exact, widely linear” \(0\.100 \[0\.(099|100), 0\.10[01]\] below\)", seen)
    assert "By accuracy at single points, “exact, goal-oriented” wins at 0 dB, 10 dB and 20 dB." in seen
    assert "Eigen-K” (" not in seen.partition("NMSE")[0]


def test_a_planted_tie_is_none_to_win():
    ahead = lambda db, s: 0.8 + (0.01 if s % 2 else -0.01)  # noqa: E731
    seen = text(study({"exact, goal-oriented": ahead, "disjoint": noisy(0.8), "Eigen-K": noisy(0.4)})).partition("NMSE")[0]
    assert "wins" not in seen
    assert "ties with it." in seen
    assert "The nearest of those that are worse is “Eigen-K” (0.400 [0.3" in seen


def test_wild_methods_are_not_told_apart_rather_than_tied():
    wild = lambda db, s: 0.6 + 0.2 * (-1) ** s  # noqa: E731
    seen = text(study({"exact, goal-oriented": noisy(0.7), "ADMM, complex-linear": wild})).partition("NMSE")[0]
    assert "The data do not tell it apart from “ADMM, complex-linear” (0.100 [−0." in seen
    assert "tie" not in seen


@pytest.mark.parametrize("axis", ["snr", "outage"])
def test_one_seed_and_channel_claims_nothing(axis):
    rows = study({"exact, goal-oriented": noisy(0.8), "Eigen-K": noisy(0.4)}, seeds=(1,), levels=(0.0, 20.0) if axis == "snr" else (0.0,))
    seen = text(rows, axis)
    assert "“exact, goal-oriented” has the highest accuracy" in seen
    assert not [word for word in ("wins", "tie", "[") if word in seen]
    assert describe_intervals(arrange(rows, axis)).startswith("One seed and one channel: there is no interval")


def test_the_channels_of_one_seed_are_paired_and_that_is_said():
    rows = fading_study(draws=100, seeds=(1,))
    assert "wins" in text(rows, "outage") or "tie" in text(rows, "outage")
    assert "100 channels of one seed, which say nothing of other pilots" in describe_intervals(arrange(rows, "outage"))


def test_the_order_of_rows_and_the_numbers_of_seeds_do_not_matter():
    for rows, axis in ((snr_study(), "snr"), (compression_study(), "compression"), (flops_study(), "flops"), (fading_study(), "outage")):
        seen = text(rows, axis)
        assert seen
        assert text(rows.sample(fraction=1.0, shuffle=True, seed=0), axis) == seen
        assert text(rows.with_columns(pl.col("seed") + 1000), axis) == seen


def test_a_method_that_stands_still_is_named_with_the_share_of_the_largest_class():
    rising = lambda db, s: 0.5 + 0.01 * db + 0.001 * s  # noqa: E731
    methods = {"exact, widely linear": rising, "First-K": lambda db, s: 0.098, "Top-K": lambda db, s: 0.3}
    seen = text(study(methods, largest_class=0.1))
    assert "“First-K” is at 0.098 everywhere, about the share of the largest class (0.100)." in seen
    assert "“Top-K” is at 0.300 everywhere: the axis does not change it." in seen
    assert "“exact, widely linear” is at" not in seen
    assert "share of the largest class" not in text(study(methods, largest_class=None))


def test_what_is_worse_than_nothing_and_what_is_near_the_limits_is_said():
    rows = study({"exact, widely linear": noisy(0.7), "First-K": noisy(0.2)}).with_columns(
        nmse=pl.when(pl.col("method") == "First-K").then(1.2).otherwise("nmse")
    )
    seen = text(pl.concat([rows, frame([reference("receiver's latents", s) for s in (1, 2, 3, 4)])], how="diagonal_relaxed"))
    assert "The error of “First-K” is nowhere below that of sending nothing (NMSE 1)." in seen
    assert "The error of “exact, widely linear” is 1.1 dB above Gaussian OPTA and 0.1 dB above the exact optimum in the mean." in seen
    assert "the receiver's own latents give 0.860." in seen


def test_methods_without_all_points_or_seeds_are_named_and_compared_where_they_can_be():
    rows = study({"exact, widely linear": noisy(0.7), "neural": noisy(0.9), "Eigen-K": noisy(0.4), "Top-K": noisy(0.99)})
    rows = rows.filter(~((pl.col("method") == "neural") & (pl.col("snr_db") == 10)))
    rows = rows.filter(~((pl.col("method") == "Top-K") & (pl.col("seed") == 2)))
    seen = text(rows)
    assert "“exact, widely linear” has the highest accuracy, 0.700 in the mean" in seen
    assert "“neural” wins at 0 dB and 20 dB" in seen
    assert "“neural” and “Top-K” were not measured at all points with all seeds, and so compared only point by point." in seen


def test_bounds_that_are_no_links_win_nothing():
    rows = study({"digital, adaptive": noisy(0.6)}, family="digital", parameters='{"name":"digital","adaptation":"bler"}')
    genie = study({"digital, genie": noisy(0.9)}, family="digital", parameters='{"name":"digital","adaptation":"genie"}')
    seen = text(pl.concat([rows, genie, study({"exact, widely linear": noisy(0.5)})]))
    assert "“digital, adaptive” has the highest accuracy" in seen
    assert "genie" not in seen


def test_where_the_decision_is_not_beaten_is_said_plainly():
    decision = study({"decision sent": noisy(0.8)}, family="decision")
    rising = lambda db, s: noisy(0.75)(db, s) + 0.1 * (db == 20)  # noqa: E731
    others = study({"codec": rising, "exact, goal-oriented": noisy(0.5)})
    seen = text(pl.concat([decision, others]))
    told = "“decision sent”, which sends the transmitter's decision alone, is beaten by no method that sends more at 0 dB (0.750 by “codec”"
    assert told in seen
    assert "and is beaten at 20 dB (0.850 by “codec” against 0.800)." in seen
    assert "decision alone" not in text(others) + text(decision)


def test_every_condition_has_findings_of_its_own_and_markdown_has_all():
    table = arrange(compression_study(), "compression")
    titles = [finding.title for finding in find_all(table)]
    assert len(set(titles)) == len(titles) == 2  # at the third there is a single method
    markdown = write_markdown(table)
    assert markdown.startswith("## Findings\n")
    assert markdown.count("\n- ") == sum(len(finding.sentences) for finding in find_all(table))
    assert write_markdown(arrange(frame([row("Eigen-K")]), "snr")) == ""


def test_a_thousand_channels_of_six_seeds_take_no_time():
    rows = fading_study(draws=1000, seeds=tuple(range(6)), methods=tuple(FADING))
    assert text(rows, "outage")


def test_where_estimates_err_more_than_the_noise_the_floor_is_explained():
    rows = study({"exact, widely linear": noisy(0.7), "Eigen-K": noisy(0.4)}).with_columns(
        noise_variance=10 ** (-pl.col("snr_db") / 10), error_variance=0.05
    )
    assert "At 20 dB the error of the channel estimates exceeds the noise" in text(rows)
    assert "channel estimates" not in text(rows.with_columns(error_variance=pl.lit(None, dtype=pl.Float64)))


def test_rows_of_unpaired_pilots_are_told_first():
    rows = study({"exact, goal-oriented": noisy(0.8), "Eigen-K": noisy(0.4)}).with_columns(dependence=pl.lit(0.7))
    table = arrange(rows, "snr")
    assert find_all(table)[0].sentences[0].startswith("In all rows the pilots' x and y depend on each other no more than permuted rows do")
    assert "no more than permuted rows" in write_markdown(table)
    some = rows.with_columns(dependence=pl.when(pl.col("seed") == 1).then(0.7).otherwise(40.0))
    assert "In 6 of 24 rows (seed 1) the pilots'" in text(some)
    assert "they spoil the means that follow" in text(some)
    unknown = rows.with_columns(dependence=pl.when(pl.col("seed") == 1).then(0.7).otherwise(None))
    assert "In 6 of 24 rows" in text(unknown)
    assert "permuted rows" not in text(rows.with_columns(dependence=pl.lit(40.0)))
    assert "permuted rows" not in text(rows.with_columns(dependence=pl.lit(None, pl.Float64)))  # results of earlier versions

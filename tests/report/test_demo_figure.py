import polars as pl
import pytest

from latentlink.report.demo_figure import draw_accuracy, summary
from latentlink.studies.accuracy import ALIGNED, COMPLEX_LINEAR, GOAL_ORIENTED, OPTA, OWN, UNALIGNED, WIDELY_LINEAR


def results():
    rows = [
        {"method": method, "antennas": n, "accuracy": 0.1 * i + 0.01 * c, "nmse": 1 - 0.1 * i, "agreement": 0.5, "power": 1.0}
        for i, method in enumerate((COMPLEX_LINEAR, WIDELY_LINEAR, GOAL_ORIENTED, OPTA))
        for n in (1, 4)
        for c in range(11)
    ]
    ends = [{"method": m, "antennas": n, "accuracy": 0.9, "nmse": 0.2, "agreement": 1.0} for m in (OWN, ALIGNED, UNALIGNED) for n in (1, 4)]
    return pl.concat([pl.DataFrame(rows), pl.DataFrame(ends)], how="diagonal")


def test_the_band_holds_95_percent_of_the_channels():
    row = summary(results()).row(by_predicate=(pl.col("method") == WIDELY_LINEAR) & (pl.col("antennas") == 4), named=True)
    assert row["channels"] == 11
    assert row["accuracy"] == pytest.approx(0.15)
    assert row["accuracy_low"] == pytest.approx(0.1 + 0.1 * 0.025)
    assert row["accuracy_high"] == pytest.approx(0.1 + 0.1 * 0.975)


def test_draws_every_kind_of_file(tmp_path):
    draw_accuracy(results(), [tmp_path / "a.png", tmp_path / "a.pdf", tmp_path / "a.svg"], "title")
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "a.pdf").read_bytes().startswith(b"%PDF")
    drawn = (tmp_path / "a.svg").read_text()
    for words in (GOAL_ORIENTED, "Gaussian OPTA", "1×1", "4×4", "aligned, no channel (0.900)"):
        assert f"<!-- {words}" in drawn  # matplotlib keeps the words of its outlines as comments


def test_an_unwritable_figure_leaves_what_was_there(tmp_path):
    kept = tmp_path / "a.png"
    kept.write_text("old")
    with pytest.raises(ValueError, match="bmpx"):
        draw_accuracy(results(), [tmp_path / "a.bmpx"], "title")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.png"]
    assert kept.read_text() == "old"

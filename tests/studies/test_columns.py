"""The columns of results: all of them are described, in code and docs, and rows that pass no channel have none of a channel's."""

from pathlib import Path

import polars as pl

from latentlink.studies.averages import as_markdown
from latentlink.studies.dictionary import MEANINGS, describe_columns
from latentlink.studies.rows import COLUMNS
from studies.examples import run, write_study

DOCS = Path(__file__).parents[2] / "docs" / "results-and-reports.md"
HEADING = "## All columns\n"


def test_every_column_is_described_and_no_other():
    assert list(MEANINGS) == list(COLUMNS)
    assert all(MEANINGS.values())
    assert len(set(MEANINGS.values())) == len(MEANINGS)


def test_the_table_of_the_docs_is_that_of_the_code():
    """Write it anew, below its heading, with `print(as_markdown(describe_columns()))`."""
    written = DOCS.read_text(encoding="utf-8").partition(HEADING)[2].partition("\n## ")[0]
    assert [line for line in written.splitlines() if line.startswith("|")] == as_markdown(describe_columns()).splitlines()


def test_references_have_no_place_on_any_axis_of_the_channel(tmp_path, monkeypatch):
    """Placeholders, such as one antenna at 0 dB, would be points of their own in a group_by."""
    monkeypatch.setenv("LATENTLINK_CACHE", str(tmp_path / "cache"))
    rows = run(write_study(tmp_path, seeds=[1]), tmp_path / "r")
    unsent = ("compression", "power", "flops", "expected_mse", "exact_mse", "capacity", "gap", "status", "noise_variance")
    own = [name for name, column in COLUMNS.items() if name in rows.columns and (column.role in ("channel", "radio") or name in unsent)]
    references = rows.filter(pl.col("family") == "reference")
    assert len(references) == 3
    assert [name for name in own if references[name].is_not_null().any()] == []
    assert rows.drop_nulls("n_tx").group_by("n_tx", "snr_db", "gain").len().height == 4

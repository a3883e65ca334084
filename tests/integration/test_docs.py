"""Numbers in the docs are those of the result files that the commands beside them make."""

import json
import re
from pathlib import Path

import polars as pl
import pytest

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "docs" / "results"


def test_the_comparison_in_the_readme_is_that_of_its_result_file():
    rows = pl.read_parquet(RESULTS / "comparison.parquet").filter(pl.col("n_tx") == 8)
    measured = {method: f"{value:.3f}" for method, value in rows.select("method", "accuracy").iter_rows()}
    table = (ROOT / "README.md").read_text(encoding="utf-8").partition("| 8×8 | accuracy |")[2].partition("##")[0]
    said = dict(re.findall(r"^\| ([^|]+?) \| \**([0-9.]+)\** \|", table, re.MULTILINE))
    assert len(said) == 5
    assert {method: measured[method] for method in said} == said


@pytest.mark.parametrize("name", ["comparison", "compression", "snr", "flops"])
def test_tables_are_those_of_their_result_files(name):
    rows = pl.read_parquet(RESULTS / f"{name}.parquet")
    lines = (RESULTS / f"{name}.md").read_text(encoding="utf-8").splitlines()
    header = [cell.strip() for cell in lines[0].strip("|").split("|")]
    first = dict(zip(header, (cell.strip() for cell in lines[2].strip("|").split("|")), strict=True))
    same = rows.filter(pl.col("method") == first["method"])
    for setting in ("n_tx", "snr_db", "pilots_per_class", "knowledge", "snr_reference"):
        if setting in first:
            value = first[setting] if setting in ("knowledge", "snr_reference") else float(first[setting])
            same = same.filter(pl.col(setting) == value)
    assert len(same) == int(first["rows"])
    assert float(first["accuracy"]) == pytest.approx(same["accuracy"].mean(), abs=6e-4)


def test_bench_files_hold_tables():
    for path in sorted((RESULTS / "bench").glob("*.json")):
        content = json.loads(path.read_text(encoding="utf-8"))
        assert content["rows"], path
        assert content["title"], path

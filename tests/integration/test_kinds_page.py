"""The page of kinds of data and task: its tables are those of the kept results, and its code runs."""

from pathlib import Path

import polars as pl
import pytest

DOCS = Path(__file__).parents[2] / "docs"
COLUMNS = (("accuracy", 4), ("accuracy", 8), ("recall_at_1", 8), ("recall_at_10", 8), ("recall_at_10", 16), ("adjusted_rand", 8))
OURS = ("labels only, goal-oriented", "goal-oriented", "widely linear, MSE")
ORDER = (*OURS, "decision sent, own labels", "decision sent", "complex-linear, MSE", "disjoint", "First-K")
REFERENCES = ("receiver's latents", "aligned, no channel", "unaligned")


def write_table(name):
    """The lines of a table of the page: a method each, then what passes no channel."""
    means = pl.read_csv(DOCS / "results" / f"{name}.csv", infer_schema_length=None)
    shown = [column for column in COLUMNS if column[0] in means.columns]
    lines = []
    for method in (*ORDER, *REFERENCES):
        rows = means.filter(pl.col("method") == method)
        at = [rows if method in REFERENCES else rows.filter(pl.col("n_tx") == antennas) for _, antennas in shown]
        lines.append(f"| {method} | {' | '.join(f'{part[value].item():.3f}' for part, (value, _) in zip(at, shown, strict=True))} |")
    return lines


@pytest.mark.parametrize("name", ["demo-text", "demo-cross-modal"])
def test_the_tables_are_those_of_the_results(name):
    """Write one anew with `print(*write_table(name), sep="\\n")`, below its heading."""
    page = (DOCS / "kinds-of-data.md").read_text(encoding="utf-8").partition(f"<!-- {name} -->\n")[2].partition("\n\n")[0]
    assert page.splitlines()[2:] == write_table(name)


def test_the_code_runs(tmp_path, monkeypatch):
    monkeypatch.setenv("LATENTLINK_CACHE", str(tmp_path))
    code = (DOCS / "kinds-of-data.md").read_text(encoding="utf-8").partition("```python\n")[2].partition("```")[0]
    found = {}
    exec(code, found)
    assert (found["pair"].pilots.x.shape, found["pair"].test.y.shape) == ((100, 3), (100, 6))

"""The page on links without pairs says what the summaries of its studies say, and these say what the page claims."""

import re
from pathlib import Path

import polars as pl
import pytest

PAGE = Path(__file__).parents[2] / "docs" / "without-pairs.md"


def accuracies(name):
    """A row for each method of a study, with the accuracy by number of pilots."""
    summary = pl.read_csv(PAGE.parent / "results" / f"{name}.csv").filter(pl.col("pilot_count").is_not_null())
    return summary.pivot(on="pilot_count", index="method", values="accuracy", maintain_order=True)


def table_of(name):
    """The lines of the table of a study."""
    found = accuracies(name)
    counts = sorted((column for column in found.columns if column != "method"), key=int)
    lines = [" | ".join(["| accuracy, pilots", *(f"{int(count):,}" for count in counts)]) + " |", "|" + "---|" * (len(counts) + 1)]
    for row in found.select("method", *counts).iter_rows():
        lines.append("| " + " | ".join([row[0], *("" if value is None else f"{value:.3f}" for value in row[1:])]) + " |")
    return lines


@pytest.mark.parametrize("name", re.findall(r"<!-- (live-[a-z-]+) -->", PAGE.read_text(encoding="utf-8")))
def test_the_tables_are_those_of_the_studies(name):
    shown = PAGE.read_text(encoding="utf-8").partition(f"<!-- {name} -->\n")[2].partition("\n<!-- end -->")[0]
    assert shown.splitlines() == table_of(name)


def test_what_the_page_claims_of_them_is_so():
    by = {row["method"]: row for row in accuracies("live-pairs").to_dicts()}
    classes = [by["class means"][count] for count in ("0", "10", "420")]
    assert max(classes) - min(classes) < 0.002
    assert all(abs(by["class means and pairs"][count] - classes[0]) < 0.002 for count in ("10", "20", "42", "100", "420"))
    assert classes[0] > by["pairs alone"]["4200"]
    for count in ("10", "20", "42", "100"):
        assert by["few pairs on a graph"][count] > max(
            by[other][count] for other in by if "class means" not in other and "graph" not in other
        )


def test_decisions_are_as_far_behind_latents_as_the_page_says():
    by = {row["method"]: row for row in accuracies("live-decisions").to_dicts()}
    counts = [count for count in by["latents"] if count != "method"]
    for graph, most in (("", 0.05), (", on a graph", 0.03)):
        assert max(by[f"latents{graph}"][count] - by[f"decisions{graph}"][count] for count in counts) < most


def test_the_update_of_an_encoder_is_told_as_it_was_measured():
    page = (PAGE.parent / "links-that-live.md").read_text(encoding="utf-8")
    summary = pl.read_csv(PAGE.parent / "results" / "live-update.csv").filter(pl.col("new_observations").is_not_null())
    by = {name: [f"{value:.3f}" for value in part.sort("new_observations")["accuracy"]] for (name,), part in summary.group_by("method")}
    assert f"own images the link has {' / '.join(by['re-encoded, own images'])}, and" in page
    assert f"new pairs {' / '.join(by['new pairs'])}; as it is, {by['stale'][0]}" in page


def repairs():
    """The lines of the table of repairs: accuracies from 42 and 420 new observations."""
    summary = pl.read_csv(PAGE.parent / "results" / "live-drift.csv").filter(pl.col("drift").is_not_null()).sort("new_observations")
    kinds = summary["drift"].unique(maintain_order=True).sort(descending=True).to_list()
    lines = ["| accuracy from 42 and 420 new observations | " + " | ".join(kinds) + " |", "|" + "---|" * (len(kinds) + 1)]
    for method in summary["method"].unique(maintain_order=True):
        found = [summary.filter((pl.col("method") == method) & (pl.col("drift") == kind))["accuracy"] for kind in kinds]
        lines.append(f"| {method} | " + " | ".join(" / ".join(f"{value:.3f}" for value in some) for some in found) + " |")
    return lines


def test_the_repairs_are_told_as_they_were_measured():
    page = (PAGE.parent / "links-that-live.md").read_text(encoding="utf-8")
    assert page.partition("<!-- live-drift -->\n")[2].partition("\n<!-- end -->")[0].splitlines() == repairs()


def delays():
    """The lines of the table of the watch: messages to the alarm by the false alarms that are allowed, and messages between these."""
    summary = pl.read_csv(PAGE.parent / "results" / "live-monitor.csv").filter(pl.col("alarm_every").is_not_null()).sort("alarm_every")
    every = summary["alarm_every"].unique(maintain_order=True).to_list()
    lines = ["| messages to the alarm, for one false alarm in | " + " | ".join(f"{one:,}" for one in every) + " |", "|" + "---|" * 5]
    for method in dict.fromkeys(pl.read_csv(PAGE.parent / "results" / "live-monitor.csv")["method"]):
        found = summary.filter(pl.col("method") == method)
        lines.append(f"| {method} | " + " | ".join(f"{value:,.0f}" for value in found["alarm_delay"]) + " |")
    between = summary.filter(pl.col("method") == "rotated 30°")["alarm_interval"]
    return [*lines, "| between false alarms, as measured | " + " | ".join(f"{value:,.0f}" for value in between) + " |"]


def test_the_delays_of_the_watch_are_told_as_they_were_measured():
    page = (PAGE.parent / "links-that-live.md").read_text(encoding="utf-8")
    assert page.partition("<!-- live-monitor -->\n")[2].partition("\n<!-- end -->")[0].splitlines() == delays()

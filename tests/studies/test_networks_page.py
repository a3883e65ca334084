"""The page on studies of networks says what their summaries say, and these say what the page claims.

A table is written anew, between its comments, with `print("\\n".join(table_of("networks-broadcast accuracy")))`.
"""

import re
from pathlib import Path

import polars as pl
import pytest

PAGE = Path(__file__).parents[2] / "docs" / "networks-studies.md"
AXES = {
    "broadcast": ("users", "users", ""), "snr": ("snr_db", "SNR, dB", ""), "private": ("snr_db", "SNR, dB", ""),
    "fairness": ("snr_db", "SNR, dB", ""), "rounds": ("iterations", "iterations", "end"), "game-rounds": ("iterations", "rounds", "end"),
    "interference": ("inr_db", "INR, dB", "as own"), "sensors": ("snr_db", "SNR, dB", ""), "surface": ("elements", "elements", ""),
    "phases": ("phase_error_deg", "phase error, degrees", ""), "surface-bits": ("bits", "bits", "∞"),
}  # fmt: skip
WORDS = {
    "accuracy": "accuracy", "worst_accuracy": "accuracy of the worst user", "objective": "weighted errors", "worst_error": "worst error",
}  # fmt: skip


def summary(name, **where):
    """The means of a study, at some of its settings."""
    found = pl.read_csv(PAGE.parent / "results" / f"networks-{name}.csv", infer_schema_length=None)
    return found.filter(pl.lit(True), *(pl.col(column).cast(pl.String) == value for column, value in where.items()))


def means(name, value, **where):
    """The mean of each method at each place of the axis."""
    axis = AXES[name][0]
    return {(row["method"], row[axis]): row[value] for row in summary(name, **where).iter_rows(named=True)}


def table_of(words):
    """The lines of a table, of a study, a value and settings: `networks-sensors accuracy sees=parts`."""
    study, value, *settings = words.split(" ")
    name, where = study.removeprefix("networks-"), dict(setting.split("=") for setting in settings)
    _, heading, absent = AXES[name]
    found = means(name, value, **where)
    places = sorted({place for _, place in found}, key=lambda place: (place is None, place or 0))
    shown = [absent if place is None else f"{place:g}".replace("-", "−") for place in places]
    form = "{:.4f}" if value in ("objective", "worst_error") else "{:.3f}"
    lines = [f"| {WORDS[value]}, {heading} | " + " | ".join(shown) + " |", "|" + "---|" * (len(places) + 1)]
    for method in dict.fromkeys(method for method, _ in found):
        values = [found.get((method, place)) for place in places]
        lines.append(f"| {method} | " + " | ".join("" if one is None else form.format(one) for one in values) + " |")
    return lines


@pytest.mark.parametrize("words", re.findall(r"<!-- (networks-[^>]+) -->", PAGE.read_text(encoding="utf-8")))
def test_the_tables_are_those_of_the_studies(words):
    shown = PAGE.read_text(encoding="utf-8").partition(f"<!-- {words} -->\n")[2].partition("\n<!-- end -->")[0]
    assert shown.splitlines() == table_of(words)

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
    "fairness": ("snr_db", "SNR, dB", ""), "rounds": ("iterations", "iterations", "default"),
    "game-rounds": ("iterations", "rounds", "default"),
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


def test_the_claims_on_users_are_so():
    common, worst = means("broadcast", "accuracy"), means("broadcast", "worst_accuracy")
    for found in (common, worst):
        assert found["each alone, goal-oriented", 10] - found["broadcast, goal-oriented", 10] < 0.015
    assert worst["broadcast, goal-oriented", 10] - worst["design of user 1 for all, goal-oriented", 10] > 0.04
    snr = means("snr", "accuracy")
    for db, least in ((-10.0, 0.2), (0.0, 0.08)):
        assert snr["broadcast, goal-oriented", db] - snr["time division, goal-oriented", db] > least
        assert snr["time division, overheard, goal-oriented", db] > snr["time division, goal-oriented", db]
    fair, near = means("fairness", "accuracy"), means("fairness", "worst_accuracy")
    assert 0.01 < near["fair, goal-oriented", 0.0] - near["broadcast, goal-oriented", 0.0] < 0.03
    assert fair["broadcast, goal-oriented", 0.0] - fair["fair, goal-oriented", 0.0] > 0.04


def test_the_claims_on_pairs_and_sensors_are_so():
    errors = means("interference", "objective")
    for inr, ratio in ((-10.0, 1.029), (0.0, 1.166), (10.0, 1.578)):
        game, together = (errors[f"{name}, goal-oriented", inr] for name in ("game", "cooperative"))
        assert game / together == pytest.approx(ratio, abs=0.01)
    for sees in ("parts", "whole"):
        found = means("sensors", "accuracy", sees=sees)
        for db in (-10.0, 0.0, 10.0, 20.0):
            joint, apart, own = (found[f"{name}, goal-oriented", db] for name in ("joint", "time division", "own designs"))
            assert joint > apart > own
    phases = means("phases", "accuracy")
    assert phases["joint, goal-oriented", 90.0] - phases["time division, goal-oriented", 90.0] > 0.03


def test_the_claims_on_surfaces_and_iterations_are_so():
    for db in (-10.0, 0.0, 10.0):
        found = means("surface", "accuracy", snr_db=str(db))
        for elements in (16, 64, 256):
            goal, capacity = (found[f"surface for {name}", elements] for name in ("the goal", "capacity"))
            assert goal - capacity > 0.05 if (db, elements) == (-10.0, 64) else abs(goal - capacity) < 0.01
        assert found["random phases", 256] < min(found[f"surface for {name}", 64] for name in ("the goal", "capacity", "gain"))
    rounds = means("rounds", "objective")
    best = min(value for (method, count), value in rounds.items() if method.startswith("federated") and count == 300)
    assert rounds["broadcast, block descent", 30] < best
    assert rounds["broadcast, by default", None] < rounds["broadcast, block descent", 300]
    games = means("game-rounds", "objective")
    assert games["cooperative, goal-oriented", 1] == pytest.approx(0.81 * games["game, goal-oriented", 100], rel=0.01)

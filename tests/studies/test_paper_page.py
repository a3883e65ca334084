"""The page of the paper says what the summaries of its studies say."""

from pathlib import Path

import polars as pl
import pytest

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "paper.md").read_text(encoding="utf-8")


def table_of(name):
    """The lines of a table that the page marks, each as its cells."""
    lines = PAGE.partition(f"<!-- {name} -->\n")[2].partition("\n<!-- end -->")[0].splitlines()
    return [[cell.strip().strip("*") for cell in line.strip("|").split("|")] for line in lines if not line.startswith("|---")]


def summary_of(name):
    return pl.read_csv(DOCS / "results" / f"{name}.csv").filter(pl.col("snr_db").is_not_null())


def shown(value):
    return f"{value:.3f}" if value < 1e4 else f"{value:.0e}"


def accuracy_at(study, method, snr_db):
    return study.filter((pl.col("method") == method) & (pl.col("snr_db") == snr_db))["accuracy"].item()


@pytest.fixture(scope="module")
def snr():
    return summary_of("snr").filter(pl.col("snr_reference") == "transmit")


@pytest.fixture(scope="module")
def faults():
    return summary_of("faults")


def test_the_table_of_snrs_is_that_of_the_study(snr):
    head, *lines = table_of("snr")
    points = [float(cell.removesuffix(" dB").replace("−", "-")) for cell in head[1:]]
    assert sorted(line[0] for line in lines) == sorted(snr["method"].unique())
    for method, *cells in lines:
        assert cells == [shown(accuracy_at(snr, method, point)) for point in points]


def test_the_table_of_faults_is_that_of_the_study(faults):
    _, *lines = table_of("faults")
    assert [line[0] for line in lines] == faults["method"].unique(maintain_order=True).to_list()
    for method, *cells in lines:
        at = {point: faults.filter((pl.col("method") == method) & (pl.col("snr_db") == point)) for point in (0, 20, 200)}
        expected = [at[point]["accuracy"].item() for point in (0, 20, 200)] + [at[20][column].item() for column in ("nmse", "power")]
        assert cells == [shown(value) for value in expected]


def test_what_is_said_of_both_is_so(snr, faults):
    by_method = snr.pivot(on="method", index="snr_db", values="accuracy").sort("snr_db")
    neural, admm, linear = by_method["neural"], by_method["ADMM, complex-linear"], by_method["exact, widely linear"]
    said = [
        ("within 0.008", (admm - by_method["exact, complex-linear"]).abs().max(), 0.008),
        ("by 0.029 at most", (neural - admm).max(), 0.029),
        ("least 0.045", (linear - neural).min() - 0.0005, 0.045),
        ("by 0.136 at", accuracy_at(snr, "codec", -10) - accuracy_at(snr, "exact, goal-oriented", -10), 0.136),
    ]
    none = accuracy_at(faults, "ADMM without a fault", 20)
    said.append(("costs most, 0.052", none - accuracy_at(faults, "receiver's mean left out", 20), 0.052))
    said.append(("together cost 0.081", none - accuracy_at(faults, "all faults", 20), 0.081))
    for words, found, told in said:
        assert words in " ".join(PAGE.split())
        assert found == pytest.approx(told, abs=0.001)
    assert ((neural > admm) == (by_method["snr_db"] >= -5)).all()

"""The page of the paper says what the summaries of its studies say."""

import re
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


@pytest.fixture(scope="module")
def compression():
    return pl.read_csv(DOCS / "results" / "compression.csv").filter(pl.col("snr_reference") == "transmit")


@pytest.mark.parametrize("pilots", [42, 420])
def test_the_tables_of_compression_are_those_of_the_study(compression, pilots):
    head, *lines = table_of(f"compression-{pilots}")
    aware = compression.filter((pl.col("pilots_per_class") == pilots) & (pl.col("knowledge") == "aware"))
    assert sorted(line[0] for line in lines) == sorted(aware["method"].unique())
    for method, *cells in lines:
        for antennas, cell in zip(head[1:], cells, strict=True):
            found = aware.filter((pl.col("method") == method) & (pl.col("n_tx") == int(antennas.partition("×")[0])))["accuracy"].to_list()
            assert cell == (shown(found[0]) if found else "")


def test_what_is_said_of_compression_is_so(compression):
    curves = {}
    for pilots in (42, 420, 4200):
        aware = compression.filter((pl.col("pilots_per_class") == pilots) & (pl.col("knowledge") == "aware"))
        curves[pilots] = aware.pivot(on="method", index="n_tx", values="accuracy").sort("n_tx")
    behind = max((of["ADMM, complex-linear"] - of["exact, complex-linear"]).abs().max() for of in curves.values())
    assert 0.006 < behind < 0.007
    many, few = curves[420], curves[42]
    ahead = (many["neural"] - many["ADMM, complex-linear"]).to_list()
    assert [value > 0 for value in ahead if value is not None] == [True] * 4 + [False]
    assert max(value for value in ahead if value is not None) == pytest.approx(0.071, abs=5e-4)
    assert (many["exact, widely linear"] - many["neural"]).min() == pytest.approx(0.030, abs=5e-4)
    late = (few["neural"] - few["ADMM, complex-linear"]).to_list()
    assert [value < 0 for value in late if value is not None] == [False] + [True] * 4
    assert late[few["n_tx"].to_list().index(24)] == pytest.approx(-0.125, abs=5e-4)
    assert compression.filter(pl.col("knowledge") == "unaware")["accuracy"].max() == pytest.approx(0.147, abs=5e-4)


def test_the_table_of_operations_is_that_of_the_study():
    flops = pl.read_csv(DOCS / "results" / "flops.csv").filter(pl.col("n_tx").is_not_null())
    _, *lines = table_of("flops")
    assert len(lines) == len(flops) / 2
    for name, *cells in lines:
        method, _, strength = name.partition(", λ = ")
        rows = flops.filter((pl.col("method") == method) & (pl.col("pruning").fill_null(-1.0) == float(strength or -1)))
        if share := re.fullmatch(r"neural, (\d+)% of the weights", name):
            rows = flops.filter((pl.col("method") == "neural, budget") & ((pl.col("density") - float(share[1]) / 100).abs() < 1e-3))
        assert rows["n_tx"].to_list() == [6, 10]
        assert cells == [f"{value:.3f}" for row in rows.iter_rows(named=True) for value in (row["flops"] / 1e6, row["accuracy"])]


def test_what_is_said_of_complexity_is_so():
    flops = pl.read_csv(DOCS / "results" / "flops.csv").filter(pl.col("n_tx") == 10)
    full, linear = (
        flops.filter(condition).row(0, named=True) for condition in (pl.col("pruning") == 0, pl.col("method") == "exact, complex-linear")
    )
    assert full["flops"] / linear["flops"] == pytest.approx(130, abs=0.5)
    assert full["accuracy"] == flops.filter(pl.col("method").str.starts_with("neural"))["accuracy"].max() == pytest.approx(0.698, abs=5e-4)
    assert flops.filter(pl.col("pruning").is_in([20.0, 70.0]) & (pl.col("power") == 0)).height == 2

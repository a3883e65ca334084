"""Numbers in the docs are those of the result files that the commands beside them make."""

import json
import math
import re
from pathlib import Path

import polars as pl
import pytest

import latentlink as ll

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "docs" / "results"


def test_the_comparison_in_the_readme_is_that_of_its_result_file():
    rows = pl.read_parquet(RESULTS / "comparison.parquet").filter(pl.col("n_tx") == 8)
    measured = {method: f"{value:.3f}" for method, value in rows.select("method", "accuracy").iter_rows()}
    table = (ROOT / "README.md").read_text(encoding="utf-8").partition("| 8×8 | accuracy |")[2].partition("##")[0]
    said = dict(re.findall(r"^\| ([^|]+?) \| \**([0-9.]+)\** \|", table, re.MULTILINE))
    assert len(said) == 5
    assert {method: measured[method] for method in said} == said


def test_the_demo_in_the_readme_is_that_of_its_result_file():
    rows = pl.read_parquet(RESULTS / "demo.parquet")
    means = rows.group_by("method", "antennas").agg(pl.col("accuracy", "power").mean())
    measured = {(method.replace(",", ""), f"{n}×{n}"): accuracy for method, n, accuracy, _ in means.iter_rows()}
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    lines = text[text.index("| antennas |") :].partition("\n\n")[0].splitlines()
    header, *body = ([cell.strip(" *") for cell in line.strip("|").split("|")] for line in (lines[0], *lines[2:]))
    methods = [title.partition(" (")[0] for title in header[1:]]
    assert len(methods) >= 3
    assert len(body) == 3
    for antennas, *said in body:
        for method, value in zip(methods, said, strict=True):
            assert float(value) == pytest.approx(measured[method, antennas], abs=6e-4), (method, antennas)
    for words, method in (("Ceilings: ", "aligned no channel"), ("with no channel at all, ", "receiver's latents")):
        ceiling = text.partition(words)[2].split()[0]
        assert float(ceiling) == pytest.approx(measured[method, "8×8"], abs=6e-4)
    low, high = re.search(r"at a measured power of ([0-9.]+) to ([0-9.]+)", text).groups()
    shown = means.filter(pl.col("antennas").is_in([2, 4, 8]) & pl.col("method").str.replace(",", "").is_in(methods))["power"]
    assert float(low) == pytest.approx(shown.min(), abs=6e-3)
    assert float(high) == pytest.approx(shown.max(), abs=6e-3)


CODEC = tuple(f"codec-{name}" for name in ("antennas", "mobilenet", "snr", "pilots", "power", "held-out", "complexity", "limits"))


@pytest.mark.parametrize("name", ["comparison", "compression", "snr", "flops", *CODEC])
def test_tables_are_those_of_their_result_files(name):
    rows = pl.read_parquet(RESULTS / f"{name}.parquet")
    lines = (RESULTS / f"{name}.md").read_text(encoding="utf-8").splitlines()
    header = [cell.strip() for cell in lines[0].strip("|").split("|")]
    first = dict(zip(header, (cell.strip() for cell in lines[2].strip("|").split("|")), strict=True))
    same = rows.filter(pl.col("method") == first["method"])
    words = ("knowledge", "snr_reference", "transmitter", "receiver")
    for setting in ("n_tx", "snr_db", "pilots_per_class", *words):
        if setting in first:
            value = first[setting] if setting in words else float(first[setting])
            same = same.filter(pl.col(setting) == value)
    assert len(same) == int(first["rows"])
    assert float(first["accuracy"]) == pytest.approx(same["accuracy"].mean(), abs=6e-4)


def test_bench_files_hold_tables():
    for path in sorted((RESULTS / "bench").glob("*.json")):
        content = json.loads(path.read_text(encoding="utf-8"))
        assert content["rows"], path
        assert content["title"], path


def test_the_speed_of_training_in_the_readme_is_that_of_its_result_file():
    rows = json.loads((RESULTS / "bench" / "training.json").read_text(encoding="utf-8"))["rows"]
    loop, single, auto = ({name.partition(" ")[0]: value for name, value in row.items()} for row in rows)
    (line,) = re.findall(r"^\| an epoch of `Neural`.*$", (ROOT / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert f"{auto['s']} s with bfloat16 products (float32: {single['s']} s)" in line
    assert f"{loop['s']} s of a Lightning-style loop in float32: {auto['times']} × (float32: {single['times']} ×)" in line


def test_latencies_of_pruned_networks_were_measured_on_one_thread():
    assert json.loads((RESULTS / "bench" / "zeros.json").read_text(encoding="utf-8"))["measured with"]["threads"] == 1


def told(rows, column):
    """The value of a column of a table: `method`, `method: what`, or the bound."""
    method, _, what = column.partition(": ")
    if method == "bound":
        return rows["accuracy_bound"].mean()
    if method == "Gaussian OPTA":
        return rows["opta_nmse"].mean()
    if method == "exact optimum":
        return (rows["exact_mse"] * rows["opta_nmse"] / rows["opta"]).mean()
    mine = rows.filter(pl.col("method") == method)
    if what == "closed":  # share of the dB between the exact optimum and OPTA, of the means
        return math.log(mine["exact_mse"].mean() / mine["mse"].mean()) / math.log(mine["exact_mse"].mean() / mine["opta"].mean())
    if what == "worst":
        return mine["accuracy"].bottom_k(-(-len(mine) // 20)).mean()
    if what == "peak":
        return mine["peak_power"].max()
    return mine[what or "accuracy"].mean()


@pytest.mark.parametrize(("page", "least"), [("how-to-choose", 4), ("channels", 3), ("digital", 2), ("csi", 2)])
def test_tables_of_the_pages_are_those_of_their_result_files(page, least):
    text = (ROOT / "docs" / f"{page}.md").read_text(encoding="utf-8")
    tables = re.findall(r"<!-- (\S+\.parquet)((?: \S+=\S+)*) -->\n((?:\|.*\n)+)", text)
    assert len(tables) >= least
    keys = {"antennas": "n_tx", "snr_db": "snr_db", "pilots": "pilots_per_class", "uses": "uses", "age (ms)": "delay_ms"}
    keys |= {"pilot SNR (dB)": "pilot_snr_db", "clipping (dB)": "clipping_db"}
    for file, settings, table in tables:
        rows = pl.read_parquet(RESULTS / file).filter(pl.col("family") != "reference")
        for setting in settings.split():
            name, value = setting.split("=")
            rows = rows.filter(pl.col(name) == (float(value) if rows[name].dtype.is_numeric() else value))
        header, _, *lines = ([cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines())
        for line in lines:
            here = rows.filter(pl.col(keys[header[0]]) == float(line[0]))
            for column, said in zip(header[1:], line[1:], strict=True):
                assert float(said.strip("*")) == pytest.approx(told(here, column), abs=6e-4), (file, line[0], column)


def test_pictures_and_files_that_the_docs_name_are_there():
    for page in (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))):
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), (page.name, target)


def test_the_table_of_snr_definitions_is_the_converters():
    text = (ROOT / "docs" / "channels.md").read_text(encoding="utf-8")
    table = text[text.index("| definition |") :].partition("\n\n")[0].splitlines()
    sizes = [re.fullmatch(r"(\d)×(\d)(?:, gain ([0-9.]+))?", cell.strip()).groups() for cell in table[0].strip("|").split("|")[3:]]
    assert len(table) == 2 + len(ll.channels.SnrDefinition)
    for line in table[2:]:
        _, name, _, *said = (cell.strip(" `") for cell in line.strip("|").split("|"))
        for value, (n_rx, n_tx, gain) in zip(said, sizes, strict=True):
            there = ll.channels.convert_snr(
                20.0,
                ll.channels.SnrDefinition.PER_TRANSMIT_ANTENNA,
                ll.channels.SnrDefinition[name],
                n_tx=int(n_tx),
                gain=float(gain or 1),
                n_rx=int(n_rx),
            )
            assert float(value) == pytest.approx(there, abs=0.051)

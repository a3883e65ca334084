"""Numbers in the docs are those of the result summaries that the commands beside them make."""

import json
import math
import re
from pathlib import Path
from typing import get_args

import polars as pl
import pytest

import latentlink as ll
from latentlink.report.over_air import table_over_air
from latentlink.studies.sections import CsiAt

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "docs" / "results"


def test_the_comparison_with_the_published_code_is_that_of_its_result_file():
    rows = points("comparison").filter(pl.col("n_tx") == 8)
    measured = {method: f"{value:.3f}" for method, value in rows.select("method", "accuracy").iter_rows()}
    table = (ROOT / "docs" / "paper.md").read_text(encoding="utf-8").partition("| 8×8 | accuracy |")[2].partition("##")[0]
    said = dict(re.findall(r"^\| ([^|]+?) \| \**([0-9.]+)\** \|", table, re.MULTILINE))
    assert len(said) == 5
    assert {method: measured[method] for method in said} == said


def test_the_gaps_of_admm_in_the_theory_are_those_of_the_result_files():
    text = (ROOT / "docs" / "theory" / "admm.md").read_text(encoding="utf-8")
    gaps = points("comparison").filter(pl.col("gap").is_not_null())
    for n in (4, 8):
        said = [float(value) for value in re.findall(r"([0-9.]+) %", re.search(rf"^\| {n}×{n} \|.*$", text, re.MULTILINE)[0])]
        methods = ("ADMM, complex-linear", "ADMM, complex-linear, 500 iterations", "ADMM, widely linear")
        measured = [100 * gaps.filter(pl.col("method") == method, pl.col("n_tx") == n)["gap"].item() for method in methods]
        assert said == pytest.approx(measured, rel=0.02)
    for name in ("snr", "compression"):
        (said,) = re.findall(rf"{name}\.csv\) (?:has )?at most ([0-9.]+) %", text)
        assert float(said) == pytest.approx(100 * points(name)["gap"].max(), abs=0.006)


def test_the_accuracies_in_the_theory_are_those_of_the_result_files():
    rows = points("compression").filter(pl.col("pilots_per_class") == 420, pl.col("snr_reference").fill_null("transmit") == "transmit")
    rows = rows.filter(pl.col("knowledge").fill_null("aware") == "aware")
    pages = {name: (ROOT / "docs" / "theory" / f"{name}.md").read_text(encoding="utf-8") for name in ("goals", "networks", "widely-linear")}

    def at(name, n, table=rows, column="accuracy"):
        return table.filter(pl.col("method") == name, pl.col("n_tx") == n)[column].item()

    def said(page):
        lines = re.findall(r"^\| (\d)×\d \| ([0-9.| ]+) \|$", pages[page], re.MULTILINE)
        return {int(n): [float(value) for value in values.split("|")] for n, values in lines}

    exact = ("exact, widely linear", "exact, goal-oriented", "exact, complex-linear")
    assert said("goals") == {n: pytest.approx([at(name, n) for name in exact[:2]], abs=6e-4) for n in (1, 2, 4, 8)}
    both = re.search(r"accuracy of ([0-9.]+) widely linear and ([0-9.]+) complex-linear", pages["widely-linear"]).groups()
    assert [float(value) for value in both] == pytest.approx([at(exact[0], 8), at(exact[2], 8)], abs=6e-4)
    codec = points("codec-antennas")
    for n, (linear, mean_accuracy, worst) in said("networks").items():
        measured = [at("exact, goal-oriented", n, codec), at("codec", n, codec), at("codec", n, codec, "accuracy_worst")]
        assert [linear, mean_accuracy, worst] == pytest.approx(measured, abs=6e-4)
    for page, words, method, table in (
        ("goals", "no channel reached ", "aligned, no channel", rows),
        ("goals", "own latents ", "receiver's latents", rows),
        ("networks", "without a channel reached ", "aligned, no channel", codec),
    ):
        ceiling = float(re.search(rf"{words}([0-9]\.[0-9]+)", pages[page])[1])
        assert ceiling == pytest.approx(table.filter(pl.col("method") == method)["accuracy"].item(), abs=6e-4)


@pytest.mark.parametrize("page", ["README.md", "docs/benchmarks.md"])
def test_the_table_of_the_demo_is_that_of_its_result_file(page):
    means = points("demo").select("method", "n_tx", "accuracy")
    measured = {(method.replace(",", ""), f"{n}×{n}" if n else None): accuracy for method, n, accuracy in means.iter_rows()}
    text = (ROOT / page).read_text(encoding="utf-8")
    lines = text[text.index("| antennas |") :].partition("\n\n")[0].splitlines()
    header, *body = ([cell.strip(" *") for cell in line.strip("|").split("|")] for line in (lines[0], *lines[2:]))
    methods = [title.partition(" (")[0] for title in header[1:]]
    assert len(methods) >= 3
    assert len(body) == 4
    for antennas, *said in body:
        for method, value in zip(methods, said, strict=True):
            assert float(value) == pytest.approx(measured[method, antennas], abs=6e-4), (method, antennas)


def test_ceilings_and_power_of_the_demo_are_those_of_its_result_file():
    means = points("demo").select("method", "n_tx", "accuracy", "power")
    measured = {(method.replace(",", ""), f"{n}×{n}" if n else None): accuracy for method, n, accuracy, _ in means.iter_rows()}
    text = (ROOT / "docs" / "benchmarks.md").read_text(encoding="utf-8")
    for words, method in (("Ceilings: ", "aligned no channel"), ("with no channel at all, ", "receiver's latents")):
        ceiling = text.partition(words)[2].split()[0]
        assert float(ceiling) == pytest.approx(measured[method, None], abs=6e-4)
    (said_power,) = re.search(r"at a measured power of ([0-9.]+)\s", text).groups()
    shown = means.filter(pl.col("n_tx").is_in([1, 2, 4, 8]))["power"]
    assert float(said_power) == pytest.approx(shown.min(), abs=6e-3)
    assert float(said_power) == pytest.approx(shown.max(), abs=6e-3)


KEPT = sorted(path.stem for path in RESULTS.glob("*.md") if path.stem != "README")


@pytest.mark.parametrize("name", KEPT)
def test_tables_are_those_of_their_summaries(name):
    """Line by line: as many rows, the same accuracy, the same settings."""
    lines = [line for line in (RESULTS / f"{name}.md").read_text(encoding="utf-8").splitlines() if line.startswith("|")]
    header, _, *body = ([cell.strip() for cell in line.strip("|").split("|")] for line in lines)
    summary = points(name)
    assert len(body) == len(summary)
    for line, point in zip(body, summary.iter_rows(named=True), strict=True):
        shown = dict(zip(header, line, strict=True))
        assert shown["method"].startswith(point["method"])
        assert int(shown["rows"]) == point["rows"]
        assert float(shown["accuracy"]) == pytest.approx(point["accuracy"], abs=6e-4)
        for setting in ("n_tx", "snr_db", "pilots_per_class", "uses", "delay_ms", "clipping_db"):
            if shown.get(setting):
                assert float(shown[setting]) == pytest.approx(point[setting], rel=1e-5)
        for setting in ("knowledge", "snr_reference", "transmitter", "receiver", "csi", "estimator", "channel_model", "placement"):
            if shown.get(setting):
                assert shown[setting] == point[setting]


def test_tables_use_the_words_of_study_files_for_what_is_known():
    words = set(get_args(CsiAt.model_fields["known"].annotation)) | {None}
    shown = {value for name in KEPT if "csi" in points(name).columns for value in points(name)["csi"]}
    assert "unaware" in shown
    assert shown <= words


def test_every_study_has_its_table_and_its_summary_and_the_folder_stays_small():
    assert [name for name in KEPT if not (RESULTS / f"{name}.csv").exists()] == []
    assert list(RESULTS.glob("*.parquet")) == []  # rows are in the archive that the README there names
    assert sum(path.stat().st_size for path in RESULTS.rglob("*") if path.is_file()) < 3.6e6
    assert re.search(r"\b[0-9a-f]{64}\b", (RESULTS / "README.md").read_text(encoding="utf-8"))


def test_tables_with_limits_that_lie_too_low_say_so():
    """Version 2 drew them by the test images alone; `codec-limits` has 10,000 of them, the others 2,000."""
    warned = {path.stem for path in RESULTS.glob("*.md") if path.stem != "README" and "Limits of results version 2" in path.read_text()}
    assert warned == {f"codec-{name}" for name in ("antennas", "mobilenet", "snr", "pilots", "power", "held-out", "complexity")}


def test_bench_files_hold_tables():
    for path in sorted((RESULTS / "bench").glob("*.json")):
        content = json.loads(path.read_text(encoding="utf-8"))
        assert content["rows"], path
        assert content["title"], path


def test_the_speed_of_training_on_the_page_of_benchmarks_is_that_of_its_result_file():
    rows = json.loads((RESULTS / "bench" / "training.json").read_text(encoding="utf-8"))["rows"]
    loop, single, auto = ({name.partition(" ")[0]: value for name, value in row.items()} for row in rows)
    (line,) = re.findall(r"^\| an epoch of `Neural`.*$", (ROOT / "docs" / "benchmarks.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert f"{auto['s']} s with bfloat16 products (float32: {single['s']} s)" in line
    assert f"{loop['s']} s of a Lightning-style loop in float32: {auto['times']} × (float32: {single['times']} ×)" in line


def test_latencies_of_pruned_networks_were_measured_on_one_thread():
    assert json.loads((RESULTS / "bench" / "zeros.json").read_text(encoding="utf-8"))["measured with"]["threads"] == 1


def points(name):
    """The summary of a study: a row for each method and point, with the number of its rows."""
    return pl.read_csv(RESULTS / f"{name}.csv", infer_schema_length=None)


def mean(summary, column):
    """Over the rows of all points."""
    measured = summary.filter(pl.col(column).is_not_null())
    return (measured[column] * measured["rows"]).sum() / measured["rows"].sum()


def measured(summary, column):
    """The value of a column of a table: `method`, `method: quantity`, or a limit."""
    method, _, quantity = column.partition(": ")
    limits = {"bound": "accuracy_bound", "Gaussian OPTA": "opta_nmse", "exact optimum": "exact_nmse"}
    if method in limits:
        return mean(summary, limits[method])
    mine = summary.filter(pl.col("method") == method)
    assert len(mine) > 0, method
    if quantity == "closed":  # share of the dB between the exact optimum and OPTA, of the means
        exact = mean(mine, "exact_mse")
        return math.log(exact / mean(mine, "mse")) / math.log(exact / mean(mine, "opta"))
    if quantity == "worst":
        assert len(mine) == 1, "the worst channels of several points cannot be told from their summaries"
        return mine["accuracy_worst"].item()
    if quantity == "peak":
        return mine["peak_power_max"].max()
    return mean(mine, quantity or "accuracy")


@pytest.mark.parametrize(("page", "least"), [("how-to-choose", 4), ("channels", 3), ("digital", 2), ("csi", 2)])
def test_tables_of_the_pages_are_those_of_their_result_files(page, least):
    text = (ROOT / "docs" / f"{page}.md").read_text(encoding="utf-8")
    tables = re.findall(r"<!-- (\S+)\.csv((?: \S+=\S+)*) -->\n((?:\|.*\n)+)", text)
    assert len(tables) >= least
    keys = {"antennas": "n_tx", "snr_db": "snr_db", "pilots": "pilots_per_class", "uses": "uses", "age (ms)": "delay_ms"}
    keys |= {"pilot SNR (dB)": "pilot_snr_db", "clipping (dB)": "clipping_db"}
    for file, settings, table in tables:
        rows = points(file).filter(pl.col("family") != "reference")
        for setting in settings.split():
            name, value = setting.split("=")
            rows = rows.filter(pl.col(name) == (float(value) if rows[name].dtype.is_numeric() else value))
        header, _, *lines = ([cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines())
        for line in lines:
            here = rows.filter(pl.col(keys[header[0]]) == float(line[0]))
            for column, said in zip(header[1:], line[1:], strict=True):
                assert float(said.strip("*")) == pytest.approx(measured(here, column), abs=6e-4), (file, line[0], column)


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


@pytest.mark.parametrize("name", ["runtime", "device-files"])
def test_the_costs_on_devices_are_those_of_the_benchmark(name):
    rows = json.loads((RESULTS / "bench" / f"{name}.json").read_text(encoding="utf-8"))["rows"]
    page = (ROOT / "docs" / "devices.md").read_text(encoding="utf-8")
    table = page.partition(f"<!-- {name}.json -->\n")[2].partition("\n<!-- end -->")[0]
    lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()]
    assert lines[0] == [*rows[0]]
    assert lines[2:] == [[*row.values()] for row in rows]


def test_the_table_of_links_over_the_air_is_that_of_its_result_file():
    rows = pl.read_csv(RESULTS / "over-the-air.csv")
    page = (ROOT / "docs" / "over-the-air.md").read_text(encoding="utf-8")
    lines = page.partition("<!-- over-the-air.csv -->\n")[2].partition("\n<!-- end -->")[0].splitlines()
    header, _, *body = ([cell.strip() for cell in line.strip("|").split("|")] for line in lines)
    columns, entries = table_over_air(rows)
    assert header == [column.strip() for column in columns]
    assert body == entries
    assert rows["air"].unique().to_list() == ["gnuradio"]
    assert rows["design"].n_unique() == 2

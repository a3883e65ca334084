import dataclasses
import html
import json
import re
import shutil
import subprocess
from functools import cache

import polars as pl
import pytest
from plotly import graph_objects

from latentlink.report.arrange import arrange, arrange_all
from latentlink.report.page import ReportMeta, make_page, plot_all, render_page, write_report
from latentlink.report.tables import compare_methods, find_gaps, tabulate_power
from report.rows import METHODS, compression_study, fading_study, flops_study, frame, reference, row, snr_study

META = ReportMeta(
    name="toy", title="Toy", description="A toy.", axis="compression", study_text="name: toy\nseeds: [1, 2]\n",
    command="latentlink study run toy.yaml", wall_s=12.5, done=40, missing=0, failed=0,
)  # fmt: skip
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
STUDIES = {"compression": compression_study, "snr": snr_study, "flops": flops_study}
FADING = {"outage": fading_study, "clipping": lambda: fading_study(draws=100, seeds=(1,), clipping_db=(0.0, 3.0, None))}


def meta(**changed):
    return dataclasses.replace(META, **changed)


def contents(rows, about):
    study = arrange_all(rows, about.axis)
    return make_page(study, about, plot_all(study), [])


def axes_of(rows, axis):
    return [table.axis.name for table in arrange_all(rows, axis).drawn]


def page(rows, **changed):
    """The page alone, without the figures beside it."""
    return render_page(contents(rows, meta(**changed)))


def without_plotly(text):
    """The page less the two scripts that are data or foreign."""
    return re.sub(r"<script>/\*\*.*?</script>|<script type=\"application/json\".*?</script>", "", text, flags=re.DOTALL)


def rendered(text, folder):
    """The document as the browser leaves it, with every error of a script noted in it."""
    if CHROMIUM is None:
        pytest.skip("no chromium, chromium-browser or google-chrome on the path: the page was not rendered")
    path = folder / "rendered.html"
    path.write_text(text, encoding="utf-8")
    options = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--host-resolver-rules=MAP * ~NOTFOUND")
    when = ("--virtual-time-budget=5000", "--window-size=1400,3000", f"--user-data-dir={folder / 'profile'}")
    command = [CHROMIUM, *options, *when, "--dump-dom", path.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def reports(tmp_path_factory):
    """Writes the report of a study once, and returns its files."""

    @cache
    def files_of(axis):
        return write_report(STUDIES[axis](), meta(axis=axis), tmp_path_factory.mktemp(axis) / "report")

    return files_of


@pytest.mark.parametrize("axis", STUDIES)
def test_chromium_draws_every_curve_without_an_error(axis, reports, tmp_path):
    text = reports(axis)[0].read_text(encoding="utf-8")
    document = rendered(text, tmp_path)
    charts = json.loads(re.search(r'id="charts">(.*?)</script>', text, re.DOTALL)[1])
    assert len(charts) >= 2
    assert re.search(r'<div id="errors" role="alert" hidden="">\s*</div>', document), "a script failed"
    drawn = len(re.findall(r'<g class="trace scatter', document))
    assert drawn == sum(len(chart["data"]) for chart in charts.values())
    legend = {html.unescape(name) for name in re.findall(r'class="legendtext"[^>]*data-unformatted="([^"]*)"', document)}
    wanted = {trace["name"] for chart in charts.values() for trace in chart["data"] if trace["showlegend"]}
    assert wanted <= legend
    assert {"Eigen-K", "exact, widely linear", "exact optimum", "Gaussian OPTA", "unaligned", "receiver's latents"} <= legend


@pytest.mark.parametrize("axis", FADING)
def test_studies_of_fading_have_outage_where_they_ask_for_it(axis):
    text = page(FADING[axis](), axis=axis)
    headings = re.findall(r"<h2>(.*?)</h2>", text)
    assert headings[0 if axis == "outage" else 1] == "Outage: the distribution over channels"
    assert {"Where digital wins", "Power"} <= set(headings)
    assert "Peak-to-average power ratio" in text
    assert ("Distance to Gaussian OPTA against the clipping level" in text) == (axis == "clipping")


def test_chromium_draws_outage_without_an_error(tmp_path):
    text = page(fading_study(seeds=(1,)), axis="outage")
    document = rendered(text, tmp_path)
    charts = json.loads(re.search(r'id="charts">(.*?)</script>', text, re.DOTALL)[1])
    assert re.search(r'<div id="errors" role="alert" hidden="">\s*</div>', document), "a script failed"
    assert len(re.findall(r'<g class="trace scatter', document)) == sum(len(chart["data"]) for chart in charts.values())


def test_the_same_rows_of_fading_give_the_same_bytes(tmp_path):
    first, second = (write_report(fading_study(), meta(axis="outage"), tmp_path / name) for name in ("a", "b"))
    assert [path.name for path in first] == ["report.html", "outage.pdf", "outage.png"]
    assert all(a.read_bytes() == b.read_bytes() for a, b in zip(first, second, strict=True))


def test_outage_needs_many_channels(tmp_path):
    assert "No finished cell has 100 channels" in page(fading_study(draws=2), axis="outage")
    assert "Outage" not in page(fading_study(draws=2), axis="speed")


def test_a_script_error_is_seen(tmp_path):
    text = page(snr_study(), axis="snr").replace("draw();\n", "draw();\n  undefinedFunction();\n", 1)
    document = rendered(text, tmp_path)
    assert "undefinedFunction" in re.search(r'<div id="errors"[^>]*>(.*?)</div>', document, re.DOTALL)[1]


@pytest.mark.parametrize("axis", STUDIES)
def test_the_page_is_one_file_that_asks_for_nothing(axis, reports):
    files = reports(axis)
    text = files[0].read_text(encoding="utf-8")
    assert text.count("plotly.js v") == 1
    own = without_plotly(text)
    assert len(own) < 300_000
    links = re.findall(r"""(?:src|href|action|data)\s*=\s*["']([^"']*)""", own) + re.findall(r"url\(([^)]*)\)|@import ([^;]*)", own)
    assert links
    assert all(link == "data:," or link == "#run" or (files[0].parent / link).is_file() for link in links), links
    assert sorted(files) == sorted(files[0].parent.iterdir())


def test_the_specifications_are_plotlys():
    for axis, study in STUDIES.items():
        charts = contents(study(), meta(axis=axis))["charts"]
        assert charts[-1].id == "trade-off"
        for chart in charts:
            graph_objects.Figure({"data": chart.data, "layout": chart.layout})  # unknown properties raise
    charts = contents(compression_study(), META)["sections"][0]["charts"]
    titles = [(chart.title, chart.reference) for chart in charts]
    assert titles == [("SNR per transmit antenna", "transmit"), ("SNR per receive antenna", "receive")]


def test_another_axis_is_drawn_where_the_study_sweeps_it_too():
    assert axes_of(compression_study(), "compression") == ["compression"]
    assert axes_of(flops_study(), "snr") == ["snr", "flops"]
    both = frame([row("neural", n, db) for n in (1, 4, 8) for db in (0.0, 10.0, 20.0)])
    assert axes_of(both, "snr") == ["snr", "compression"]


def test_both_snr_references_are_shown_and_can_be_chosen():
    text = page(compression_study())
    assert text.count('name="reference"') == 3
    assert 'name="reference"' not in page(snr_study(), axis="snr")


def test_the_best_of_each_column_is_marked_with_its_interval():
    first = compare_methods(arrange(snr_study(), "snr"))[0].tables[0]
    assert first.columns == ("−10 dB", "0 dB", "20 dB")
    rows = dict(first.rows)
    assert all(entry.best for entry in rows["exact, goal-oriented"])
    assert not any(entry.best for name, entries in first.rows if name != "exact, goal-oriented" for entry in entries)
    assert re.fullmatch(r"\[0\.\d{3}, 0\.\d{3}\]", rows["neural"][0].remark)
    distances = dict(compare_methods(arrange(snr_study(), "snr"))[0].tables[2].rows)
    assert [entry.text for entry in distances["Eigen-K"]] == ["+1.50"] * 3
    shapes = compare_methods(arrange(compression_study(), "compression"))[0].tables[0]
    assert shapes.columns[1] == "4×4\nζ 3.96 %"
    assert dict(shapes.rows)["Top-K"][1].remark.endswith("at ζ 7.92 %")


def test_power_off_budget_is_flagged():
    rows = frame([row("neural", power=1.08), row("Eigen-K", power=1.04), row("Top-K", power=0.9), row("Top-K", seed=2)])
    flags = {name: (entries[-1].flagged, entries[-1].text) for name, entries in tabulate_power(arrange(rows, "snr")).rows}
    assert flags == {"neural": (True, "1 of 1 rows"), "Eigen-K": (False, "no"), "Top-K": (True, "1 of 2 rows")}


def test_what_is_missing_is_said_and_the_rest_is_drawn():
    rows = compression_study().filter(~((pl.col("method") == "neural") & (pl.col("n_tx") == 16)))
    rows = rows.filter(~((pl.col("method") == "Eigen-K") & (pl.col("seed") == 2) & (pl.col("n_tx") == 4)))
    rows = pl.concat([rows, frame([row("First-K", accuracy=None, nmse=None, mse=float("nan"))])], how="diagonal_relaxed")
    lines = find_gaps(arrange(rows, "compression"))
    assert "First-K: 1 row without an accuracy" in lines
    assert any(line.startswith("neural (42 pilots per class") and line.endswith("no result at 16×16") for line in lines)
    assert any(line.startswith("Eigen-K (") and "4×4: 2 of 3 seeds" in line for line in lines)
    text = page(rows, missing=4, failed=2, absent=("cell 7: out of memory <here>",))
    for said in ("4 cells missing", "2 cells failed", "out of memory &lt;here&gt;", "First-K: 1 row without an accuracy"):
        assert said in text


@pytest.mark.parametrize("axis", STUDIES)
def test_little_or_nothing_still_makes_a_page(axis, tmp_path):
    poor = frame(
        [
            row(
                "neural",
                exact_mse=None,
                opta=None,
                opta_nmse=None,
                flops=None,
                encode_us=None,
                encode_batch_us=None,
                power=None,
                versions=None,
            )
        ]
    )
    for rows in (
        poor,
        poor.select("method", "family", "accuracy", "n_tx", "snr_db"),
        frame([reference("unaligned")]),
        poor.head(0),
        pl.DataFrame(),
    ):
        text = page(rows, axis=axis)
        assert "How it was run" in text
        assert "not measured: " in text
        if rows is not poor and len(rows):
            assert len(write_report(rows, meta(axis=axis), tmp_path)) in (1, 3)  # no figures of a reference alone
    lone = frame([row("neural"), reference("unaligned")])
    assert "Neither FLOPs nor latency" not in page(lone, axis=axis)


def test_names_are_escaped(tmp_path):
    evil = "<img src=http://x/y onerror=alert(1)> & </script><b>"
    rows = frame([row(evil, n) for n in (1, 4)] + [row("neural", n, dataset=evil) for n in (1, 4)])
    text = page(rows, title=evil, description=evil, study_text=evil, command=evil, name=evil)
    assert "<img" not in text.replace("<image", "")  # nor in the data of the charts
    assert "&lt;img src=http" in without_plotly(text)
    document = rendered(text, tmp_path)
    assert "<img src=" not in document
    assert re.search(r'<div id="errors" role="alert" hidden="">\s*</div>', document)


def test_the_same_rows_give_the_same_bytes(tmp_path):
    rows = compression_study(pilots=(42,), antennas=(1, 4))
    first, second = (write_report(rows, META, tmp_path / name) for name in ("a", "b"))
    assert [path.name for path in first] == [path.name for path in second]
    assert all(a.read_bytes() == b.read_bytes() for a, b in zip(first, second, strict=True))


def test_how_it_was_run_is_told():
    text = html.unescape(without_plotly(page(compression_study())))
    run = ("latentlink study run toy.yaml", "name: toy\nseeds: [1, 2]", "12.5 s", "2.9.0", "1, 2, 3")
    conventions = ("complex product is 6", "P / (N_T σ²)", "Top-K also sends which numbers it kept", "95 % of the mean over seeds")
    for said in (*run, *conventions, *METHODS):
        assert said in text, said


def test_an_unknown_axis_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"axis must be one of compression, antennas, snr, flops, uses, .*outage, got 'time'"):
        write_report(snr_study(), meta(axis="time"), tmp_path)
    assert list(tmp_path.iterdir()) == []

import dataclasses
import html
import json
import re
import shutil
import struct
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
EVIL = "<img src=http://x/y onerror=alert(1)> & </script><b>"
NO_ERROR = r'<div id="errors" role="alert" hidden="">\s*</div>'
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


def links_of(text):
    """What the page less plotly asks for or leads to."""
    own = without_plotly(text)
    return re.findall(r"""(?:src|href|action|data)\s*=\s*["']([^"']*)""", own) + re.findall(r"url\(([^)]*)\)|@import ([^;]*)", own)


COLLECT = """
window.onload = () => setTimeout(() => {
  for (const frame of document.querySelectorAll("iframe")) {
    const inside = frame.contentDocument, shown = document.createElement("pre");
    for (const script of inside.querySelectorAll("script")) script.remove();
    shown.id = frame.id;
    inside.documentElement.dataset.aside = inside.documentElement.scrollWidth - inside.documentElement.clientWidth;
    shown.textContent = inside.documentElement.outerHTML;
    frame.replaceWith(shown);
  }
}, 2000);
"""


def rendered(texts, folder):
    """The documents as the browser leaves them, less their scripts, with every error of a script noted in them.

    The browser starts once: each document has a frame of its own, of the size of a window, or of a telephone where that is its name.
    """
    if CHROMIUM is None:
        pytest.skip("no chromium, chromium-browser or google-chrome on the path: the page was not rendered")
    frames = ""
    for name, text in texts.items():
        (folder / f"{name}.html").write_text(text, encoding="utf-8")
        width = 420 if name == "telephone" else 1400
        frames += f'<iframe id="{name}" src="{name}.html" style="width: {width}px; height: 3000px; visibility: hidden"></iframe>'
    path = folder / "all-of-them.html"
    path.write_text(f'<!DOCTYPE html><meta charset="utf-8"><body>{frames}<script>{COLLECT}</script></body>', encoding="utf-8")
    options = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--host-resolver-rules=MAP * ~NOTFOUND")
    when = ("--virtual-time-budget=5000", "--window-size=1400,3000", f"--user-data-dir={folder / 'profile'}")
    command = [CHROMIUM, *options, *when, "--allow-file-access-from-files", "--dump-dom", path.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    found = re.findall(r'<pre id="([^"]*)">(.*?)</pre>', done.stdout, re.DOTALL)
    assert [name for name, _ in found] == list(texts)
    return {name: html.unescape(document) for name, document in found}


@cache
def page_of(axis):
    return page(STUDIES[axis](), axis=axis)


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """Pages by name, as they are and as the browser leaves them."""
    few = frame([row("neural", snr_db=db) for db in (0.0, 10.0)])
    evil = frame([row(EVIL, n) for n in (1, 4)] + [row("neural", n, dataset=EVIL) for n in (1, 4)])
    texts = {axis: page_of(axis) for axis in STUDIES}
    texts["outage"] = page(fading_study(seeds=(1,)), axis="outage")
    texts["telephone"] = page(compression_study())
    texts["failing"] = page(few, axis="snr").replace("draw();\n", "draw();\n  undefinedFunction();\n", 1)
    texts["evil"] = page(evil, title=EVIL, description=EVIL, study_text=EVIL, command=EVIL, name=EVIL)
    documents = rendered(texts, tmp_path_factory.mktemp("drawn"))
    return {name: (texts[name], documents[name]) for name in texts}


def assert_all_is_drawn(text, document):
    """Every trace of every chart is there, and no script failed; returns the charts."""
    charts = json.loads(re.search(r'id="charts">(.*?)</script>', text, re.DOTALL)[1])
    assert re.search(NO_ERROR, document), "a script failed"
    assert len(re.findall(r'<g class="trace scatter', document)) == sum(len(chart["data"]) for chart in charts.values()) > 0
    return charts


@pytest.mark.parametrize("axis", STUDIES)
def test_chromium_draws_every_curve_without_an_error(axis, drawn):
    text, document = drawn[axis]
    charts = assert_all_is_drawn(text, document)
    assert len(charts) >= 2
    legend = {html.unescape(name) for name in re.findall(r'class="legendtext"[^>]*data-unformatted="([^"]*)"', document)}
    wanted = {trace["name"] for chart in charts.values() for trace in chart["data"] if trace["showlegend"]}
    assert wanted <= legend
    assert {"Eigen-K", "exact, widely linear", "exact optimum", "Gaussian OPTA", "unaligned", "receiver's latents"} <= legend


def test_on_a_telephone_wide_figures_scroll_in_their_boxes_and_the_page_does_not(drawn):
    text, document = drawn["telephone"]
    charts = assert_all_is_drawn(text, document)
    assert 'data-aside="0"' in document
    widths = re.findall(r'data-chart="([^"]*)".*?class="main-svg"[^>]* width="(\d+)', document, re.DOTALL)
    assert [name for name, _ in widths] == list(charts)
    for name, width in widths:
        columns = sum(axis.startswith("xaxis") for axis in charts[name]["layout"]) // (2 if name.startswith("accuracy") else 1)
        assert int(width) >= (340 * columns if columns > 1 else 300)


def test_the_bound_by_capacity_is_explained_where_it_is_drawn():
    bounded = frame([row("neural", n, accuracy_bound=0.95) for n in (1, 4)])
    assert "The bound by capacity is the best accuracy of any link" in page(bounded)
    assert "bound by capacity" not in without_plotly(page(compression_study()))


@pytest.mark.parametrize("axis", FADING)
def test_studies_of_fading_have_outage_where_they_ask_for_it(axis):
    text = page(FADING[axis](), axis=axis)
    headings = re.findall(r"<h2>(.*?)</h2>", text)
    assert headings[0 if axis == "outage" else 1] == "Outage: the distribution over channels"
    assert {"Where digital wins", "Power"} <= set(headings)
    assert "Peak-to-average power ratio" in text
    assert ("Distance to Gaussian OPTA against the clipping level" in text) == (axis == "clipping")


def test_chromium_draws_outage_without_an_error(drawn):
    assert_all_is_drawn(*drawn["outage"])


def test_outage_needs_many_channels(tmp_path):
    assert "No finished cell has 100 channels" in page(fading_study(draws=2), axis="outage")
    assert "Outage" not in page(fading_study(draws=2), axis="speed")


def test_a_script_error_is_seen(drawn):
    assert "undefinedFunction" in re.search(r'<div id="errors"[^>]*>(.*?)</div>', drawn["failing"][1], re.DOTALL)[1]


@pytest.mark.parametrize("axis", STUDIES)
def test_the_page_is_one_file_that_asks_for_nothing(axis):
    text = page_of(axis)
    assert text.count("plotly.js v") == 1
    assert len(without_plotly(text)) < 300_000
    assert set(links_of(text)) == {"data:,"}


def test_a_report_links_to_every_file_beside_it_and_to_nothing_else(tmp_path):
    """And the same rows give the same bytes, of the page and of every figure."""
    files, again = (write_report(snr_study(), meta(axis="snr"), tmp_path / name) for name in ("a", "b"))
    assert [path.name for path in files[1:]] == [f"{what}-vs-snr.{kind}" for what in ("accuracy", "distance") for kind in ("pdf", "png")]
    assert sorted(files) == sorted(files[0].parent.iterdir())
    assert set(links_of(files[0].read_text(encoding="utf-8"))) == {"data:,", *(path.name for path in files[1:])}
    assert [path.name for path in files] == [path.name for path in again]
    assert all(a.read_bytes() == b.read_bytes() for a, b in zip(files, again, strict=True))


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
    least, lone_reference = poor.select("method", "family", "accuracy", "n_tx", "snr_db"), frame([reference("unaligned")])
    assert len(write_report(least, meta(axis=axis), tmp_path / "least")) == (1 + 2 if axis == "snr" else 1)  # others lack their axis
    assert len(write_report(lone_reference, meta(axis=axis), tmp_path / "reference")) == 1  # no figures of a reference alone
    for rows in (poor, least, lone_reference, poor.head(0), pl.DataFrame()):
        text = page(rows, axis=axis)
        assert "How it was run" in text
        assert "not measured: " in text
    lone = frame([row("neural"), reference("unaligned")])
    assert "Neither FLOPs nor latency" not in page(lone, axis=axis)


def test_names_are_escaped(drawn):
    text, document = drawn["evil"]
    assert "<img" not in text.replace("<image", "")  # nor in the data of the charts
    assert "&lt;img src=http" in without_plotly(text)
    assert "<img src=" not in document
    assert re.search(NO_ERROR, document)


def test_how_it_was_run_is_told():
    text = html.unescape(without_plotly(page(compression_study())))
    run = ("latentlink study run toy.yaml", "name: toy\nseeds: [1, 2]", "12.5 s", "2.9.0", "1, 2, 3")
    conventions = ("complex product is 6", "P / (N_T σ²)", "Top-K also sends which numbers it kept", "95 % of the mean over seeds")
    for said in (*run, *conventions, *METHODS):
        assert said in text, said


def test_an_unknown_axis_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"axis must be one of compression, antennas, snr, flops, .*outage, got 'time'"):
        write_report(snr_study(), meta(axis="time"), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_one_panel_is_a_figure_of_its_own_at_the_width_of_a_journal(tmp_path):
    files = write_report(snr_study(), meta(axis="snr"), tmp_path, panel="accuracy", width_in=3.3)
    alone = {path.name: path for path in files if path.name.startswith("accuracy-alone-vs-snr")}
    assert {path.suffix for path in alone.values()} == {".pdf", ".png"}
    for name, path in alone.items():
        if path.suffix == ".png":
            width, height = struct.unpack(">II", path.read_bytes()[16:24])
            assert width == 990
            assert height < struct.unpack(">II", (tmp_path / name.replace("-alone", "")).read_bytes()[16:24])[1]
    for panel in ("power", "recall_at_1"):
        with pytest.raises(ValueError, match=f"panel must be one .*accuracy, nmse.*got '{panel}'"):
            write_report(snr_study(), meta(axis="snr"), tmp_path, panel=panel)
    with pytest.raises(ValueError, match="width must be between 2 and 20 inches, got 88"):
        write_report(snr_study(), meta(axis="snr"), tmp_path, width_in=88.0)

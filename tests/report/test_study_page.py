import re
import shutil
import subprocess

import polars as pl
import pytest

from latentlink.report.study_page import duration, report_page, write_report
from report.study_rows import METHODS, frame, meta, references, row, study

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


def rendered(page, profile):
    if BROWSER is None:
        pytest.skip("no chromium, chromium-browser or google-chrome on this machine to render the page in")
    options = ["--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={profile}", "--virtual-time-budget=8000"]
    options += ["--disable-dev-shm-usage", "--window-size=1300,2000", "--dump-dom"]
    return subprocess.run([BROWSER, *options, page.as_uri()], capture_output=True, text=True, timeout=120, check=True).stdout


def healthy(dom):
    assert "data-errors" not in dom.split("<head>")[0]
    assert 'data-ready="yes"' in dom


def legend(dom):
    return set(re.findall(r'class="legendtext"[^>]*data-unformatted="([^"]*)"', dom))


@pytest.mark.parametrize("axis", ["compression", "snr", "flops"])
def test_the_curves_are_there_and_no_script_fails(tmp_path, axis):
    page = write_report(study(axis), meta(axis), tmp_path / "report")[0]
    dom = rendered(page, tmp_path / "profile")
    healthy(dom)
    # left: two methods with bands, three levels; right: two methods whose seeds agree, two limits; the trade-off has 3 × 2
    assert len(re.findall(r'<g class="trace scatter trace', dom)) == 7 + 4 + 6
    assert {name for name, _ in METHODS} | {"receiver's latents", "unaligned", "Gaussian OPTA", "exact optimum, expected"} <= legend(dom)


def test_labels_are_text_and_choices_hide_what_was_not_chosen(tmp_path):
    evil = '<img src=x onerror=alert(1)> & "q" </script><script>throw 1</script>'
    rows = frame([row(evil, transmitter="a&b", status=evil), row("b", transmitter="a&b", pilots_per_class=None), *references()])
    told = meta(title=evil, description=evil, study_text=evil, command=evil)
    dom = rendered(write_report(rows, told, tmp_path / "report")[0], tmp_path / "profile")
    healthy(dom)
    assert "<img" not in dom
    assert dom.count('aria-pressed="true"') == 1
    assert "b · all pilots" in legend(dom)
    assert not any("42 pilots per class" in name and name.startswith("&lt;img") for name in legend(dom))
    assert re.search(r'<tr data-pilots="42 pilots per class"[^>]*class="hidden"', dom)


@pytest.mark.parametrize(
    "rows",
    [
        pl.DataFrame(),
        frame(references()),
        frame([row()]),
        frame([row(accuracy=None, mse=float("nan")), row(snr_db=None), row(antennas=2, flops=None, compression=None)]),
        study().drop("opta", "opta_nmse", "exact_mse", "flops", "power", "pruning", "status", "versions", "started", "encode_us"),
        study(seeds=(0,)).filter(pl.int_range(pl.len()) % 3 != 1),
    ],
    ids=["nothing", "only references", "one point", "nulls", "missing columns", "missing cells"],
)
@pytest.mark.parametrize("axis", ["compression", "snr", "flops"])
def test_whatever_is_there_makes_a_page(rows, axis):
    page = report_page(rows, meta(axis, missing=3), [], "")
    assert "NaN" not in page.split("<script>")[-2]
    assert "nan" not in re.sub(r"<script.*?</script>|<style.*?</style>", "", page, flags=re.S)
    assert "3 missing" in page


def test_a_page_of_nothing_opens_without_errors(tmp_path):
    files = write_report(pl.DataFrame(), meta(done=0), tmp_path / "report")
    assert [path.name for path in files] == ["report.html"]
    healthy(rendered(files[0], tmp_path / "profile"))


def test_the_page_loads_nothing_from_elsewhere_and_is_the_same_every_time(tmp_path):
    rows, told = study(), meta()
    one, two = (write_report(rows, told, tmp_path / name) for name in ("one", "two"))
    assert [path.name for path in one] == ["report.html", "small-transmit.pdf", "small-transmit.png"]
    assert [path.read_bytes() for path in one] == [path.read_bytes() for path in two]
    text = one[0].read_text()
    assert not re.search(r"<(script|img|link|iframe)[^>]*(src|href)=[\"']?(https?:)?//", text)
    assert text.count("* plotly.js v") == 1


def body(rows, axis="compression", **more):
    return report_page(rows, meta(axis, **more), [], "").split("<script>")[1].split("</script>")[1]


def test_the_best_of_a_column_is_bold_and_has_its_interval():
    rows = frame(
        [row("a", accuracy=0.5), row("b", accuracy=0.6), row("b", seed=1, accuracy=0.7), row("c", knowledge="unaware", accuracy=0.1)]
    )
    text = body(rows)
    assert re.findall(r"<b>([\d.]+)</b>", text) == ["0.650", "0.100"]  # the one that does not know the channel competes with its like
    assert "<b>0.650</b> <small>± 0.635</small>" in text  # t(0.975; 1) · 0.0707 / √2


def test_power_that_is_off_is_flagged():
    text = body(frame([row("a", power=1.019), row("b", power=1.03)]))
    assert text.count("off by more than 2 % at 4×4") == 1
    assert text.count("within 2 %") == 1


def test_distances_are_in_db():
    assert "<td>+3.01<br><small>+6.02</small></td>" in body(frame([row(mse=80.0)]))


def test_how_it_was_run_is_told():
    text = body(study(), study_text="pilots: {per_class: 42}", missing=2, failed=1)
    parts = ["15 done, 2 missing, 1 failed", "1 min 15 s", "latentlink 0.1.0", "latentlink study run small.yaml", "pilots: {per_class: 42}"]
    parts += ["complex product counts 6", "P/(n_tx σ²)", "gain·P/σ²", "one gain-control scalar", "⌈d/2⌉", "index symbols", "t-interval"]
    for part in parts:
        assert part in text


def test_a_page_that_cannot_be_written_leaves_what_was_there(tmp_path):
    (tmp_path / "report.html").mkdir()
    with pytest.raises(OSError, match="nothing was changed"):
        write_report(study(), meta(), tmp_path)
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_an_unknown_axis_is_named(tmp_path):
    with pytest.raises(ValueError, match="axis must be one of"):
        write_report(study(), meta("time"), tmp_path)


def test_times_are_said_in_words():
    assert [duration(x) for x in (0.5, 59.0, 75.0, 7300.0, float("nan"))] == ["0.5 s", "59 s", "1 min 15 s", "2 h 1 min", "unknown"]

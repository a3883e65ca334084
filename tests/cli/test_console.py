import re
import time
import warnings
from pathlib import Path

import polars as pl
import pytest
from rich.console import Console
from rich.progress import TextColumn

from latentlink import cli
from latentlink.cli import console, logged, study
from latentlink.latents.dependence import ChanceWarning

COLUMNS = ["method", "n_tx", "snr_db", *(f"mean of column {number}" for number in range(9))]
ROWS = [[name, "16", "-10", *(f"{0.1234 * number:.3f}\n.19–.{number}3" for number in range(9))] for name in ("exact", "a method " * 9)]


@pytest.mark.parametrize("width", [60, 80, 400])
def test_tables_keep_whole_numbers_at_any_width(monkeypatch, capsys, width):
    monkeypatch.setattr(console, "out", Console(width=width))
    console.print_table("title", COLUMNS, ROWS, fixed=3)
    shown = capsys.readouterr().out
    assert max(map(len, shown.splitlines())) <= width
    assert "…" not in shown
    for text in {*COLUMNS, *(line for row in ROWS for entry in row[1:] for line in entry.split("\n"))}:
        assert text in shown, text
    assert shown.count("method") >= (1 if width == 400 else 2)
    assert len(re.findall("exact", shown)) == shown.count("n_tx")


def test_a_sentence_says_which_columns_are_further_below(monkeypatch, capsys):
    monkeypatch.setattr(console, "out", Console(width=60))
    console.print_table("title", ["method", "accuracy", "nmse " * 5, "power " * 5], [["exact", "0.9", "0.1", "1"]])
    told = " ".join(capsys.readouterr().out.split("title")[0].split())
    needed = int(re.search(r"COLUMNS=(\d+)", told)[1])
    assert told.startswith("1 column is in a further table below (power power")
    monkeypatch.setattr(console, "out", Console(width=needed))
    console.print_table("title", ["method", "accuracy", "nmse " * 5, "power " * 5], [["exact", "0.9", "0.1", "1"]])
    assert "COLUMNS" not in capsys.readouterr().out


def test_means_come_before_their_spread():
    table = pl.DataFrame({name: [1.0] for name in ("method", "n_tx", "rows", "accuracy_std", "accuracy_worst", "accuracy", "nmse")})
    assert study._order_columns(table).columns == ["method", "n_tx", "accuracy", "nmse", "rows", "accuracy_std", "accuracy_worst"]


def test_long_names_leave_room_for_the_bar(monkeypatch):
    monkeypatch.setattr(console, "messages", Console(stderr=True, force_terminal=True))
    shown = console.progress().columns[0].get_table_column()
    assert shown.no_wrap
    assert shown.overflow == "ellipsis"
    assert shown.max_width <= console.messages.width // 2


def test_many_settings_go_to_headings_and_nothing_is_cut(monkeypatch, capsys):
    """Fourteen fixed columns, which are wider than the terminal: a method, and settings of which most are the same in all rows."""
    monkeypatch.setattr(console, "out", Console(width=80))
    names = [f"setting_name_{number}" for number in range(13)]
    columns = ["method", *names, "accuracy", "nmse"]
    settings = [["fashion-mnist"] * 11 + [known, str(snr)] for snr in (10, 20) for known in ("perfect", "receiver-only")]
    methods = ("exact, goal-oriented", "exact, widely linear")
    rows = [[method, *values, f"0.{i}11", f"1.{i}22\n[1.{i}21, 1.{i}23]"] for i, values in enumerate(settings) for method in methods]
    console.print_table("title", columns, rows, fixed=14)
    shown = capsys.readouterr().out
    assert max(map(len, shown.splitlines())) <= 80
    assert "…" not in shown
    for text in {*columns, *(entry for values in settings for entry in values), "[1.321, 1.323]"}:
        assert text in shown, text
    for i in range(4):
        assert len(re.findall(rf"exact, (?:goal-oriented|widely linear) .*0\.{i}11", shown)) == 2
    constant = [f"{name}=fashion-mnist" for name in names[:11]]
    assert all(shown.count(text) == 1 for text in constant)  # shared by all rows: said once


@pytest.mark.parametrize("width", [60, 80, 400])
def test_digests_and_paths_stay_on_one_line_to_be_copied(monkeypatch, capsys, width):
    monkeypatch.setattr(console, "out", Console(width=width))
    digest, path = "0123456789abcdef" * 4, "/a/folder" * 20
    rows = [("SHA-256 of the values", digest), ("made from", f"x.npy, 300 × 6, SHA-256 {digest}"), (path, 1.0), ("words", "word " * 40)]
    console.facts("title [b]", [*rows, ("read", path)])
    shown = capsys.readouterr().out.splitlines()
    assert shown[0] == "title [b]"
    assert sum(digest in line for line in shown) == sum(path in line for line in shown) == 2
    assert max(len(line) for line in shown if path not in line) <= max(width, len(digest) + 2)
    assert sum(line.count("word ") + line.endswith("word") for line in shown) == 40


@pytest.mark.parametrize("category", [UserWarning, ChanceWarning])
def test_what_this_package_warns_of_is_a_line(monkeypatch, capsys, category):
    monkeypatch.setattr(cli, "app", lambda **settings: warnings.warn("rows look permuted", category, stacklevel=1))
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        cli.main()
    assert capsys.readouterr().err == "warning: rows look permuted\n"


def test_an_error_of_the_system_names_its_file_first(monkeypatch, capsys):
    monkeypatch.setattr(cli, "app", lambda **settings: Path("missing.safetensors").read_bytes())
    with pytest.raises(SystemExit) as left:
        cli.main()
    assert left.value.code == 1
    assert capsys.readouterr().err == "error: missing.safetensors: No such file or directory\n"


def test_lines_tell_of_progress_where_stderr_is_no_terminal(monkeypatch, capsys):
    monkeypatch.setattr(logged, "_EVERY_S", 0.05)
    with console.progress(TextColumn("{task.fields[of]}")) as bar:
        task = bar.add_task("mine", total=100.0, of="0/4 cells")
        time.sleep(0.2)
        for count in (1, 2):
            bar.update(task, advance=25.0, of=f"{count}/4 cells")
            time.sleep(0.2)
        bar.update(task, completed=100.0)
    lines = capsys.readouterr().err.splitlines()
    assert "mine: 0/4 cells, 0 %, 0 s so far" in lines
    assert "mine: 1/4 cells, 25 %, 0 s so far" in lines
    assert any(re.fullmatch(r"mine: 2/4 cells, 50 %, . s so far, . s left", line) for line in lines)


def test_what_is_short_leaves_a_log_alone(capsys):
    with console.progress() as bar:
        bar.update(bar.add_task("mine", total=2), completed=1)
    assert capsys.readouterr().err == ""

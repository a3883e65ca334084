import re

import pytest
from rich.console import Console

from latentlink.cli import console

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


def test_long_names_leave_room_for_the_bar():
    shown = console.progress().columns[0].get_table_column()
    assert shown.no_wrap
    assert shown.overflow == "ellipsis"
    assert shown.max_width <= console.messages.width // 2

"""Progress shows on a terminal, and seldom in a log."""

import io

from latentlink.numerics import progress
from latentlink.numerics.progress import Seldom, on_terminal, write_seconds


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_a_terminal_shows_how_much_is_done_and_ends_its_line():
    screen = Terminal()
    show = on_terminal("CDL-C channels", screen, after_s=0.0)
    show(50, 200)
    assert "CDL-C channels: 50 of 200 (25%)" in screen.getvalue()
    assert not screen.getvalue().endswith("\n")
    show(200, 200)
    assert screen.getvalue().endswith("\n")
    assert max(len(line) for line in screen.getvalue().replace("\r", "\n").splitlines()) <= 80


def test_what_is_piped_or_fast_stays_silent():
    pipe, screen = io.StringIO(), Terminal()
    on_terminal("channels", pipe, after_s=0.0)(1, 2)
    on_terminal("channels", screen, after_s=60.0)(1, 2)
    assert pipe.getvalue() == ""
    assert screen.getvalue() == ""


def test_a_note_is_shown_and_the_time_left_from_the_second_call_on():
    screen = Terminal()
    show = on_terminal("training the codec", screen, after_s=0.0)
    show(3, 5, ", training 0.5, validation 0.25")
    assert screen.getvalue().strip() == "training the codec: 3 of 5 (60%), training 0.5, validation 0.25"
    show(4, 5, ", training 0.5, validation 0.25")
    assert screen.getvalue().rstrip().endswith("training the codec: 4 of 5 (80%), training 0.5, validation 0.25, 0 s left")


def test_a_log_has_whole_lines_with_the_time_of_each_and_what_is_left(monkeypatch):
    clock = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: clock[0])
    log = io.StringIO()
    show = on_terminal("training the codec", log)
    for number in range(1, 11):
        clock[0] += 12.0
        show(number, 10, ", validation 0.5")
    assert log.getvalue().splitlines() == [
        "training the codec: 3 of 10 (30%), validation 0.5, 12 s each, 84 s left",
        "training the codec: 6 of 10 (60%), validation 0.5, 12 s each, 48 s left",
        "training the codec: 9 of 10 (90%), validation 0.5, 12 s each, 12 s left",
    ]


def test_lines_of_a_log_become_rarer():
    seldom = Seldom(0.0)
    due = [second for second in range(36_000) if seldom.is_due(float(second))]
    assert due[:3] == [30, 60, 90]
    assert len(due) < 120
    assert due[-1] - due[-2] > 1500


def test_lengths_of_time_have_the_unit_that_suits_them():
    assert [write_seconds(seconds) for seconds in (8.4, 119, 300, 9000)] == ["8 s", "119 s", "5 min", "2.5 h"]

"""Progress shows on a terminal, and nowhere else."""

import io

from latentlink.numerics.progress import on_terminal


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

"""Progress of a long computation on the terminal, without any dependency.

A callback of type `CountProgress` is called with how much is done and how much there is in all. Where a user gives none, `on_terminal`
writes one line to stderr that overwrites itself, if stderr is a terminal and the computation takes more than a moment. Where output is
piped or logged it writes whole lines, seldom enough for a log: see `Seldom`.
"""

import sys
import time
from collections.abc import Callable
from typing import Any

CountProgress = Callable[[int, int], None]


def is_watched(stream: Any) -> bool:
    """True for a terminal, and in a notebook."""
    return stream is not None and (stream.isatty() or "ipykernel" in sys.modules)


class Seldom:
    """When a line of progress is due in a log: 30 s after the last one, and later whenever 5 % more time has passed."""

    def __init__(self, now: float, every_s: float = 30.0, share: float = 0.05) -> None:
        self.began = self.last = now
        self.every_s, self.share = every_s, share

    def is_due(self, now: float) -> bool:
        """True where a line is due, which counts as written."""
        due = now - self.last >= max(self.every_s, self.share * (now - self.began))
        self.last = now if due else self.last
        return due


def write_seconds(seconds: float) -> str:
    """Write a length of time in the unit that suits it."""
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def on_terminal(what: str, stream: Any = None, after_s: float = 1.0) -> Callable[..., None]:
    """Make a callback (done, total, note) that writes `what`, the share done, the note and the time left, to a terminal or seldom to a log.

    Args:
        what: what is being computed, such as "CDL-C channels".
        stream: where to write, a text file with `isatty`; stderr if None.
        after_s: seconds before the first line, so that what is fast stays silent.

    Example:
        >>> from latentlink.numerics.progress import on_terminal
        >>> shown = on_terminal("my channels")  # for progress=…
        >>> shown(1, 1000)  # nothing is written in the first second, and to a log in the first 30 s
    """
    target = sys.stderr if stream is None else stream
    began = time.monotonic()
    seldom = Seldom(began)
    first: tuple[int, float] | None = None  # a computation that is resumed begins later

    def show(done: int, total: int, note: str = "") -> None:
        nonlocal first
        now = time.monotonic()
        first = first or (done, now)
        watched = is_watched(target)
        if target is None or now - began < after_s or not (watched or seldom.is_due(now)):
            return
        each = (now - first[1]) / (done - first[0]) if done > first[0] else None
        left = "" if each is None else f", {write_seconds(each * (total - done))} left"
        line = f"{what}: {done} of {total} ({done / total:.0%}){note}"
        if watched:
            target.write(f"\r{line}{left}".ljust(78) + ("\n" if done >= total else ""))
        else:
            target.write(f"{line}{'' if each is None else f', {each:.3g} s each'}{left}\n")
        target.flush()

    return show

"""Progress of a long computation on the terminal, without any dependency.

A callback of type `CountProgress` is called with how much is done and how much there is in all. Where a user gives none, `on_terminal`
writes one line to stderr that overwrites itself, if stderr is a terminal and the computation takes more than a moment; it writes nothing
where output is piped or logged.
"""

import sys
import time
from collections.abc import Callable
from typing import Any

CountProgress = Callable[[int, int], None]


def is_watched(stream: Any) -> bool:
    """True for a terminal, and in a notebook."""
    return stream is not None and (stream.isatty() or "ipykernel" in sys.modules)


def on_terminal(what: str, stream: Any = None, after_s: float = 1.0) -> Callable[..., None]:
    """Make a callback (done, total, note) that writes `what`, the share done, the note and the time left to a terminal.

    Args:
        what: what is being computed, such as "CDL-C channels".
        stream: where to write, a text file with `isatty`; stderr if None.
        after_s: seconds before the first line, so that what is fast stays silent.

    Example:
        >>> from latentlink.numerics.progress import on_terminal
        >>> shown = on_terminal("my channels")  # for progress=…
        >>> shown(1, 1000)  # nothing is written where there is no terminal
    """
    target = sys.stderr if stream is None else stream
    began = time.monotonic()
    first: tuple[int, float] | None = None  # a computation that is resumed begins later

    def show(done: int, total: int, note: str = "") -> None:
        nonlocal first
        now = time.monotonic()
        first = first or (done, now)
        if not is_watched(target) or now - began < after_s:
            return
        left = f", {(now - first[1]) * (total - done) / (done - first[0]):.0f} s left" if done > first[0] else ""
        end = "\n" if done >= total else ""
        target.write(f"\r{what}: {done} of {total} ({done / total:.0%}){note}{left}".ljust(78) + end)
        target.flush()

    return show

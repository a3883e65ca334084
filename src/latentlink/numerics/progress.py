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


def on_terminal(what: str, stream: Any = None, after_s: float = 1.0) -> CountProgress:
    """Make a callback that writes `what`, the share done and the time left to a terminal.

    Args:
        what: what is being computed, such as "CDL-C channels".
        stream: where to write, a text file with `isatty`; stderr if None.
        after_s: seconds before the first line, so that what is fast stays silent.

    Example:
        >>> generate("CDL-C", 8, 8, batch=1000, progress=on_terminal("my channels"))
    """
    target = sys.stderr if stream is None else stream
    began = time.monotonic()

    def show(done: int, total: int) -> None:
        spent = time.monotonic() - began
        if not target.isatty() or spent < after_s:
            return
        left = spent * (total - done) / max(done, 1)
        end = "\n" if done >= total else ""
        target.write(f"\r{what}: {done} of {total} ({done / total:.0%}), {left:.0f} s left ".ljust(78) + end)
        target.flush()

    return show

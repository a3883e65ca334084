"""Progress of a training, shown by default where somebody watches: one line on the terminal, nothing where output is piped."""

import sys
import time
from collections.abc import Callable
from typing import Any

Progress = Callable[[int, int, float, float], Any]

SILENT_S = 2.0  # a training that ends sooner shows nothing


def progress_callback(progress: object, doing: str) -> Progress | None:
    """The callback that a `progress` argument stands for.

    Args:
        progress: a callback, which is itself; True for a line on the terminal, if there is one; False or None for nothing.
        doing: what is done, in words for the line, such as "training the codec".

    Raises:
        ValueError: progress is something else.
    """
    if callable(progress):
        return progress
    if progress not in (True, False, None):
        raise ValueError(f"progress must be True, False or a callback (round, rounds, training loss, validation), got {progress!r}")
    watched = sys.stderr is not None and (sys.stderr.isatty() or "ipykernel" in sys.modules)
    return ProgressLine(doing) if progress and watched else None


class ProgressLine:
    """A line on the standard error stream that is written anew after each round.

    Attributes:
        doing: what is done, in words.
    """

    def __init__(self, doing: str) -> None:
        self.doing = doing
        self.started = time.monotonic()
        self.first: int | None = None

    def __call__(self, number: int, count: int, training: float, validation: float) -> None:
        """Show round `number` of `count`."""
        passed = time.monotonic() - self.started
        if self.first is None:
            self.first = number - 1  # a resumed training begins later
        if passed < SILENT_S:
            return
        left = passed / (number - self.first) * (count - number)
        end = "\n" if number == count else ""
        text = f"{self.doing}: {number}/{count}, training {training:.4g}, validation {validation:.4g}, at most {left:.0f} s left"
        sys.stderr.write(f"\r{text:<100}{end}")
        sys.stderr.flush()

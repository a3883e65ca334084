"""Functions that workers of a cluster compute in tests."""

import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

from latentlink.execution.at_worker import is_given_up


@dataclass
class Slowly:
    """Doubles a number in so many seconds, and counts its calls in this process."""

    seconds: float = 0.0
    calls: int = 0

    def __call__(self, number: int) -> tuple[int, int, int]:
        time.sleep(self.seconds)
        self.calls += 1
        return 2 * number, os.getpid(), self.calls


def fatal(number: int) -> int:
    """End the worker at the number 3, as the operating system ends a process that takes too much memory."""
    if number == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(0.05)
    return number


def until_given_up(file: str) -> None:
    """Work for as long as somebody waits for it, and say so in a file; without a file there is nothing to do."""
    if not file:
        return
    Path(file).write_text("begun")
    end = time.monotonic() + 120
    while not is_given_up() and time.monotonic() < end:
        time.sleep(0.02)
    Path(file).write_text("given up" if time.monotonic() < end else "too late")


def inverse(number: int) -> float:
    return 1 / number


def environment(name):
    """A variable of the worker's environment."""
    return os.environ.get(name)

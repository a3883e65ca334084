"""Progress where stderr is no terminal, such as a file or a scheduler's log: whole lines, at most one every 30 s."""

import threading
import time
from typing import Any

from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, ProgressColumn, Task, TaskID, TextColumn

from latentlink.numerics.progress import Seldom, write_seconds

_EVERY_S = 30.0


class LoggedProgress(Progress):
    """A `Progress` that draws nothing, and prints a line for each task under way 30 s after the last one, whether or not it went on.

    After ten minutes the time between lines grows to 5 % of the time that has passed. A line tells what the columns of text tell, the share
    done, the time that has passed and, where it went on since the last line, what is left at the rate since the first step that was seen: a
    task may be a resumed one.
    """

    def __init__(self, console: Console, *columns: ProgressColumn) -> None:
        super().__init__(*columns, console=console, disable=True)
        self._first: dict[TaskID, tuple[float, float]] = {}
        self._shown: dict[TaskID, float] = {}
        self._ended, self._thread = threading.Event(), threading.Thread(target=self._watch, daemon=True)

    def start(self) -> None:
        """Begin to watch the tasks."""
        self._thread.start()

    def stop(self) -> None:
        """End it; nothing is printed afterwards."""
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join()

    def update(self, task_id: TaskID, **changes: Any) -> None:
        """Change a task as `Progress.update` does."""
        super().update(task_id, **changes)
        done = self._tasks[task_id].completed
        if done:
            self._first.setdefault(task_id, (done, time.monotonic()))

    def _watch(self) -> None:
        seldom = Seldom(time.monotonic(), _EVERY_S)
        while not self._ended.wait(min(1.0, _EVERY_S)):
            if seldom.is_due(time.monotonic()):
                for task in self.tasks:
                    if task.visible and not task.finished:
                        self.console.print(self._word(task), markup=False, highlight=False, soft_wrap=True)

    def _word(self, task: Task) -> str:
        """Word how far a task is."""
        shown = [column.render(task).plain for column in self.columns if isinstance(column, TextColumn | MofNCompleteColumn)]
        words = [" ".join(text.strip() for text in shown if text.strip())]
        if task.total:
            words.append(f"{task.percentage:.0f} %")
        words.append(f"{write_seconds(task.elapsed or 0.0)} so far")
        first, since = self._first.get(task.id, (task.completed, 0.0))
        if task.total and task.completed > max(first, self._shown.get(task.id, first)):  # no rate while nothing goes on
            left = (time.monotonic() - since) * (task.total - task.completed) / (task.completed - first)
            words.append(f"{write_seconds(left)} left")
        self._shown[task.id] = task.completed
        return f"{task.description}: {', '.join(words)}"

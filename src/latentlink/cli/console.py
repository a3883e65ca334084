"""The parts that commands share: printing to the terminal, progress bars, and reading files that the user names."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Column, Table

from latentlink.data.cache import EncodingProgress
from latentlink.data.readers.files import read_labels, read_latents
from latentlink.latents.pilots import Pilots

out = Console()
messages = Console(stderr=True)


def progress(*columns: ProgressColumn) -> Progress:
    """A bar on stderr, with columns between it and the time left; its description is shortened, so that the bar does not move."""
    width = max(12, messages.width // 3)
    about = TextColumn("{task.description}", table_column=Column(no_wrap=True, overflow="ellipsis", max_width=width))
    return Progress(about, BarColumn(), *columns, TimeRemainingColumn(), console=messages, transient=True)


@contextmanager
def encoding_bars() -> Iterator[EncodingProgress]:
    """Bars on stderr for latents that are computed: pass what this yields as `progress` to `encode` or `device_pair`."""
    with progress(MofNCompleteColumn(), TextColumn("images")) as bars:
        tasks: dict[str, TaskID] = {}

        def show(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = bars.add_task(what, total=total)
            bars.update(tasks[what], completed=done)

        yield show


def print_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]], fixed: int = 1) -> None:
    """Print a table as wide as the terminal: where it is wider, its columns continue in further tables below.

    Every table begins with the first `fixed` columns, and no number is ever cut; the first column is folded.
    """
    for part in _split_columns(columns, rows, fixed, out.width):
        table = Table(title=escape(title), title_justify="left", box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1))
        for number in part:
            first = number == 0
            table.add_column(escape(columns[number]), justify="left" if first else "right", no_wrap=not first, overflow="fold")
        for row in rows:
            table.add_row(*(escape(row[number]) for number in part))
        out.print(table)


def _split_columns(columns: Sequence[str], rows: Sequence[Sequence[str]], fixed: int, width: int) -> Iterator[list[int]]:
    """The numbers of the columns of each table, as many as fit into the width."""

    def widest(number: int) -> int:
        lines = [columns[number], *(row[number] for row in rows)]
        return 2 + max(len(line) for text in lines for line in text.splitlines() or [""])

    widths = [widest(number) for number in range(len(columns))]
    first = list(range(fixed))
    least = min(widths[0], max(14, width // 3)) + sum(widths[1:fixed])
    part, used = list(first), least
    for number in range(fixed, len(columns)):
        if used + widths[number] > width and len(part) > fixed:
            yield part
            part, used = list(first), least
        part.append(number)
        used += widths[number]
    yield part


def facts(title: str, rows: Iterable[tuple[str, object]]) -> None:
    """Print a two-column table as it stands, without markup; long values are folded."""
    table = Table(title=escape(title), title_justify="left", show_header=False, box=None, padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in rows:
        table.add_row(escape(name), escape(f"{value:.4g}" if isinstance(value, float) else str(value)))
    out.print(table)


def wrote(*paths: Path) -> None:
    """Print which files were written."""
    for path in paths:
        out.print(f"wrote {path}", highlight=False, markup=False, soft_wrap=True)


def at(argument: Path) -> tuple[Path, str | None]:
    """A file, and the array in it that `FILE::KEY` names."""
    path, separator, key = str(argument).rpartition("::")
    return (Path(path), key) if separator else (argument, None)


def read_pilots(transmitter: Path, receiver: Path, labels: Path) -> Pilots:
    """Latents and labels from three files, each `FILE` or `FILE::KEY`."""
    return Pilots(read_latents(*at(transmitter)), read_latents(*at(receiver)), read_labels(*at(labels)))

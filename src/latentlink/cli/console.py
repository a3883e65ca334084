"""The parts that commands share: printing to the terminal, progress bars, and reading files that the user names."""

import textwrap
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.cells import cell_len
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Column, Table

from latentlink.cli.logged import LoggedProgress
from latentlink.cli.options import Reading
from latentlink.data.cache import EncodingProgress
from latentlink.data.readers.pairing import read_pairs
from latentlink.latents.pilots import Pilots
from latentlink.numerics.reprs import counted

out = Console()
messages = Console(stderr=True)


def progress(*columns: ProgressColumn) -> Progress:
    """A bar on stderr, with columns between it and the time left; its description is shortened, so that the bar does not move.

    Where stderr is no terminal there are lines in its place (`LoggedProgress`).
    """
    if not messages.is_terminal:
        return LoggedProgress(messages, *columns)
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

    Every table begins with the first `fixed` columns, and no entry is ever cut; the first column is folded. Where these columns alone
    are too wide, those of the fewest different values go to a heading, and the rows are grouped under the headings. Where there are
    several tables, a sentence above them says so, since what is seen first may be taken for all.
    """
    widths = _measure_columns(columns, rows)
    headed = _choose_headings(rows, fixed, widths, out.width)
    groups: dict[tuple[str, ...], list[Sequence[str]]] = {}
    for row in rows:
        groups.setdefault(tuple(row[number] for number in headed), []).append(row)
    first = [number for number in range(fixed) if number not in headed]
    parts = list(_split_columns(first, range(fixed, len(columns)), widths, out.width))
    if len(parts) > 1:
        below = [columns[number] for part in parts[1:] for number in part[len(first) :]]
        out.print(_word_below(below, len(parts) - 1, sum(widths)), style="dim", highlight=False, markup=False)
    for values, group in (groups or {(): []}).items():
        heading = ", ".join(f"{columns[number]}={value}" for number, value in zip(headed, values, strict=bool(groups)) if value)
        if heading:
            out.print(heading, style="bold", highlight=False, markup=False)
        for part in parts:
            _print_part(title, part, columns, group)


def _word_below(columns: Sequence[str], tables: int, needed: int) -> str:
    """Word which columns are not in the first table, and how to see all of them side by side."""
    listed = ", ".join(column.replace("\n", " ") for column in columns)
    where = "a further table" if tables == 1 else f"{tables} further tables"
    count = f"{counted(len(columns), 'column')} {'is' if len(columns) == 1 else 'are'}"
    wider = f"a wider terminal, or COLUMNS={needed} before the command, shows all columns side by side"
    return f"{count} in {where} below ({listed}); {wider}."


def _print_part(title: str, part: Sequence[int], columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print the table of the numbered columns."""
    table = Table(title=escape(title), title_justify="left", box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1))
    for number in part:
        first = number == 0
        table.add_column(escape(columns[number]), justify="left" if first else "right", no_wrap=not first, overflow="fold")
    for row in rows:
        table.add_row(*(escape(row[number]) for number in part))
    out.print(table)


def _measure_columns(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> list[int]:
    """Measure the width of each column with its padding."""
    texts = [[column, *(row[number] for row in rows)] for number, column in enumerate(columns)]
    return [2 + max(len(line) for text in column for line in text.splitlines() or [""]) for column in texts]


def _least_width(numbers: Sequence[int], widths: Sequence[int], width: int) -> int:
    """Add up the widths of columns, of which the first may be folded to a third of the terminal."""
    return sum(min(widths[number], max(14, width // 3)) if number == 0 else widths[number] for number in numbers)


def _choose_headings(rows: Sequence[Sequence[str]], fixed: int, widths: Sequence[int], width: int) -> list[int]:
    """Choose the fixed columns, in their order, that must go to headings so that every other column fits beside the rest."""
    needed = max(widths[fixed:], default=0)
    by_variety = sorted(range(1, fixed), key=lambda number: len({row[number] for row in rows}))
    headed = 0
    while headed < len(by_variety) and _least_width([0, *by_variety[headed:]], widths, width) + needed > width:
        headed += 1
    return sorted(by_variety[:headed])


def _split_columns(first: list[int], others: Iterable[int], widths: Sequence[int], width: int) -> Iterator[list[int]]:
    """Yield the numbers of the columns of each table, the first ones and as many others as fit beside them."""
    least = _least_width(first, widths, width)
    part, used = list(first), least
    for number in others:
        if used + widths[number] > width and len(part) > len(first):
            yield part
            part, used = list(first), least
        part.append(number)
        used += widths[number]
    yield part


def facts(title: str, rows: Iterable[tuple[str, object]]) -> None:
    """Print two columns as they stand, without markup; long values are folded between words.

    Words are never cut: one that its column is too narrow for, such as a digest or a path, has a line that begins further to the left.
    """
    told = [(name, f"{value:.4g}" if isinstance(value, float) else str(value)) for name, value in rows]
    aside = 2 + min(max((cell_len(name) for name, _ in told), default=0), out.width // 2)
    if title:
        out.print(title, style="italic", markup=False, highlight=False, soft_wrap=True)
    for name, value in told:
        for line in _fold(name, value, aside, out.width):
            out.print(line, markup=False, highlight=False, soft_wrap=True)


def _fold(name: str, value: str, aside: int, width: int) -> Iterator[str]:
    """Yield the lines of a name and its value, which begins at the column `aside` where it fits."""
    lines = textwrap.wrap(value, max(1, width - aside), break_long_words=False, break_on_hyphens=False) or [""]
    starts = [min(aside, max(2, width - cell_len(line))) for line in lines]
    if cell_len(name) + 2 > starts[0]:
        yield name
    else:
        lines[0], starts[0] = (name + " " * (starts[0] - cell_len(name)) + lines[0]).rstrip(), 0
    yield from (" " * start + line for start, line in zip(starts, lines, strict=True))


def wrote(*paths: Path) -> None:
    """Print which files were written."""
    for path in paths:
        out.print(f"wrote {path}", highlight=False, markup=False, soft_wrap=True)


def read_pilots(transmitter: str, receiver: str, labels: str | None, reading: Reading) -> Pilots:
    """Latents, and labels where there are any, with a line for every warning of their reader."""
    with told_warnings():
        return read_pairs(transmitter, receiver, labels, on=reading.on, columns=reading.columns or None, pool=reading.pool)


@contextmanager
def told_warnings() -> Iterator[None]:
    """Print every warning of what runs within as one line on stderr."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield
    warn(*dict.fromkeys(str(warning.message) for warning in caught))


def warn(*sentences: str) -> None:
    """Print warnings on stderr."""
    for sentence in sentences:
        messages.print(f"warning: {sentence}", style="yellow", highlight=False, markup=False, soft_wrap=True)


def source_name(source: str) -> str:
    """The name by which a pair knows what a source holds: a file without its suffix, or a folder."""
    return Path(source.partition("::")[0].rstrip("/*")).stem

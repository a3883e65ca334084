"""What the commands share of the terminal."""

import io
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TypeVar

import polars as pl
import torch
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Table

from latentlink.data.cache import EncodingProgress
from latentlink.data.readers.files import read_labels, read_latents
from latentlink.latents.pilots import Pilots
from latentlink.storage.artifacts import load
from latentlink.storage.atomic import write_atomically

T = TypeVar("T")
out = Console()
messages = Console(stderr=True)


def progress() -> Progress:
    """A bar on stderr with steps done and time left."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=messages, transient=True)


@contextmanager
def encoding_bars() -> Iterator[EncodingProgress]:
    """Bars on stderr for latents that are computed: pass what this yields as `progress` to `encode` or `device_pair`."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("images"), TimeRemainingColumn())
    with ExitStack() as stack:
        bars: dict[str, tuple[Progress, TaskID]] = {}

        def show(what: str, done: int, total: int) -> None:
            if what not in bars:
                bar = stack.enter_context(Progress(*columns, console=Console(stderr=True)))
                bars[what] = bar, bar.add_task(what, total=total)
            bar, task = bars[what]
            bar.update(task, completed=done)
            if done == total:
                bar.stop()
                del bars[what]

        yield show


def facts(title: str, rows: Iterable[tuple[str, object]]) -> None:
    """Print a two-column table; nothing in it is taken for markup, and long values are folded."""
    table = Table(title=escape(title), title_justify="left", show_header=False, box=None, padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in rows:
        table.add_row(escape(name), escape(f"{value:.4g}" if isinstance(value, float) else str(value)))
    out.print(table)


def wrote(*paths: Path) -> None:
    """Say which files are there now."""
    for path in paths:
        out.print(f"wrote {path}", highlight=False, markup=False, soft_wrap=True)


def device_named(name: str) -> torch.device:
    """The torch device, if this machine has it.

    Raises:
        ValueError: it is unknown or not there.
    """
    try:
        torch.ones(1, device=name).item()  # the meta device holds nothing
        return torch.device(name)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise ValueError(f"--device {name} cannot be used here: {str(error).splitlines()[0]}") from error


def at(argument: Path) -> tuple[Path, str | None]:
    """A file, and the array in it that `FILE::KEY` names."""
    path, separator, key = str(argument).rpartition("::")
    return (Path(path), key) if separator else (argument, None)


def pilots(transmitter: Path, receiver: Path, labels: Path) -> Pilots:
    """Latents and labels from three files, each `FILE` or `FILE::KEY`."""
    return Pilots(read_latents(*at(transmitter)), read_latents(*at(receiver)), read_labels(*at(labels)))


def loaded(path: Path, kind: type[T], name: str) -> T:
    """A saved artifact of one kind.

    Raises:
        ValueError: it is another one.
    """
    content = load(path)
    if not isinstance(content, kind):
        raise ValueError(f"{path}: expected a saved {name}, got a {type(content).__name__}")
    return content


def write_table(path: Path, table: pl.DataFrame) -> None:
    """Write a Parquet file, atomically."""
    buffer = io.BytesIO()
    table.write_parquet(buffer)
    write_atomically(path, buffer.getvalue())

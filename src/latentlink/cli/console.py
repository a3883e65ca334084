"""What the commands share of the terminal."""

from collections.abc import Iterable
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

out = Console()
messages = Console(stderr=True)


def progress() -> Progress:
    """A bar on stderr with steps done and time left."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=messages, transient=True)


def facts(title: str, rows: Iterable[tuple[str, object]]) -> None:
    """Print a two-column table."""
    table = Table(title=title, title_justify="left", show_header=False, box=None, padding=(0, 2, 0, 0))
    for name, value in rows:
        table.add_row(name, f"{value:.4g}" if isinstance(value, float) else str(value))
    out.print(table)


def wrote(*paths: Path) -> None:
    """Say which files are there now."""
    for path in paths:
        out.print(f"wrote [bold]{path}[/]", highlight=False, soft_wrap=True)

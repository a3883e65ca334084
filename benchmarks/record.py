"""A benchmark's table as a file, so that what the docs say can be looked up: results/bench/NAME.json."""

import json
import platform
from pathlib import Path

import torch
from rich.table import Table
from rich.text import Text

from latentlink.storage.atomic import write_atomically

FOLDER = Path("results/bench")


def record(name: str, table: Table, threads: int | None = None) -> None:
    """Write the cells of a table, and what they were measured with: on so many threads, or on those that torch has now."""
    header = [Text.from_markup(str(column.header)).plain for column in table.columns]
    rows = zip(*(column.cells for column in table.columns), strict=True)
    content = {
        "title": str(table.title),
        "rows": [dict(zip(header, (Text.from_markup(str(cell)).plain for cell in row), strict=True)) for row in rows],
        "measured with": {"torch": torch.__version__, "python": platform.python_version(), "threads": threads or torch.get_num_threads()},
    }
    write_atomically(FOLDER / f"{name}.json", json.dumps(content, indent=1, ensure_ascii=False).encode())

"""Results on disk: one Parquet file a cell, whole or absent, and one table of them all.

FOLDER/cells/<id>.parquet        rows of a finished cell
FOLDER/cells/<id>.error.txt      why a cell failed; it is tried again on the next run
FOLDER/checkpoints/<id>.pt       state of a training that is under way
FOLDER/results.parquet           all rows of the study
FOLDER/runs.json                 commands that ran it, and the seconds they took

The rows of several studies make an archive. The same files always give the same one, byte for byte, named by its SHA-256: its members are
sorted, and carry no time, owner or permission of this machine.
"""

import hashlib
import io
import json
import tarfile
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import polars as pl

from latentlink.data.readers.arrow_files import ParquetFile
from latentlink.data.readers.content import FileContentError
from latentlink.storage.atomic import atomic_path, write_atomically
from latentlink.studies.rows import SCHEMA
from latentlink.studies.spec.cell import Cell
from latentlink.studies.spec.study import Study

_DIGEST = "sha256"  # key of a result file's metadata


@dataclass(frozen=True)
class Results:
    """The folder of one study's results."""

    folder: Path

    def path(self, cell: Cell) -> Path:
        """The file of a cell's rows."""
        return self.folder / "cells" / f"{cell.id}.parquet"

    def checkpoint(self, cell: Cell) -> Path:
        """The file in which a cell's training stores its state."""
        return self.checkpoints / f"{cell.id}.pt"

    @property
    def checkpoints(self) -> Path:
        """The folder of the states of trainings that are under way."""
        return self.folder / "checkpoints"

    def failure(self, cell: Cell) -> Path:
        """The file that says why a cell failed."""
        return self.folder / "cells" / f"{cell.id}.error.txt"

    def done(self, cell: Cell) -> bool:
        """True where a cell has a result whose SHA-256 is right; a file that was damaged or changed is none, and its cell is run again."""
        path = self.path(cell)
        try:
            facts = path.stat()
            return _is_whole(path, facts.st_mtime_ns, facts.st_size)
        except OSError:
            return False

    def write(self, cell: Cell, rows: pl.DataFrame) -> None:
        """Write a cell's rows, atomically."""
        with atomic_path(self.path(cell)) as draft:
            rows.write_parquet(draft, metadata={_DIGEST: _digest(rows)})
        self.failure(cell).unlink(missing_ok=True)

    def write_failure(self, cell: Cell, reason: str) -> None:
        """Write why a cell failed."""
        write_atomically(self.failure(cell), reason.encode())

    def table(self, study: Study, cells: tuple[Cell, ...]) -> pl.DataFrame:
        """Rows of all finished cells, under the present names of their methods, data and encoders.

        Raises:
            ValueError: a result file is damaged, or was changed by hand.
        """
        frames = [pl.DataFrame(schema=SCHEMA)]
        for cell in cells:
            if self.path(cell).is_file():
                names = {"dataset": cell.data.name, "transmitter": cell.data.transmitter, "receiver": cell.data.receiver}
                present = {name: pl.lit(value) for name, value in names.items() if value is not None}
                frames.append(read_rows(self.path(cell)).with_columns(method=pl.lit(cell.method.title), **present))
        rows = pl.concat(frames, how="diagonal_relaxed")
        return rows.select(pl.lit(study.name).alias("study"), pl.lit(study.title).alias("title"), pl.all())

    def log_run(self, command: str, seconds: float, count: int) -> None:
        """Note what was run, for the report."""
        runs = [*self.runs(), {"command": command, "seconds": seconds, "cells": count}]
        write_atomically(self.folder / "runs.json", json.dumps(runs, indent=1).encode())

    def runs(self) -> list[dict[str, Any]]:
        """The log of runs, each with command, seconds and cells; a damaged log is begun anew."""
        try:
            runs: list[dict[str, Any]] = json.loads((self.folder / "runs.json").read_text())
        except (FileNotFoundError, ValueError):
            return []
        whole = isinstance(runs, list) and all(isinstance(run, dict) and {"command", "seconds"} <= run.keys() for run in runs)
        return runs if whole else []

    @property
    def all_rows(self) -> Path:
        """The file of all rows of the study."""
        return self.folder / "results.parquet"

    def write_table(self, rows: pl.DataFrame) -> None:
        """Write all rows as one file."""
        with atomic_path(self.all_rows) as draft:
            rows.write_parquet(draft, metadata={_DIGEST: _digest(rows)})


def read_rows(path: Path) -> pl.DataFrame:
    """The rows of a result file, whose digest must be that of its content.

    Raises:
        ValueError: the file is damaged, was changed by hand, or has no digest.
    """
    reason = "its content is not that of its SHA-256"
    try:
        rows: pl.DataFrame = ParquetFile(path).read()
        if ParquetFile(path).metadata().get(_DIGEST) == _digest(rows):
            return rows
    except FileContentError as error:
        reason = str(error)
    raise ValueError(f"{path}: the result file is damaged or was changed ({reason}); run the study again, which computes it anew")


def has_digest(path: Path) -> bool:
    """True where a result file carries the SHA-256 of its content, as those of this version do."""
    return _DIGEST in ParquetFile(path).metadata()


@lru_cache(maxsize=2**16)
def _is_whole(path: Path, modified: int, size: int) -> bool:
    """True where a result file is whole; it is read once for each time of modification and size."""
    try:
        read_rows(path)
    except ValueError:
        return False
    return True


def _digest(rows: pl.DataFrame) -> str:
    """SHA-256 of the columns and values of rows."""
    schema = " ".join(f"{name}:{dtype}" for name, dtype in rows.schema.items())
    return hashlib.sha256(f"{schema}\n{rows.write_json()}".encode()).hexdigest()


def write_archive(folder: Path, path: Path) -> str:
    """Write all Parquet files NAME.parquet of a folder into one archive, and return its SHA-256.

    The archive is a plain tar file, since Parquet is compressed already.

    Raises:
        ValueError: the folder holds no Parquet file.
    """
    members = sorted(folder.glob("*.parquet"))
    if not members:
        raise ValueError(f"{folder} must hold the rows of studies, NAME.parquet, and has none: run `latentlink study keep` first")
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for member in members:
            entry = tarfile.TarInfo(f"latentlink-results/{member.name}")
            entry.size = member.stat().st_size
            with member.open("rb") as file:
                archive.addfile(entry, file)
    write_atomically(path, content.getvalue())
    return hashlib.sha256(content.getvalue()).hexdigest()

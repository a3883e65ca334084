"""Result files on the command line: what study they are of, what was measured, and how it came out."""

from pathlib import Path

import polars as pl

from latentlink.cli.console import facts, print_table
from latentlink.data.readers.arrow_files import ParquetFile
from latentlink.data.readers.content import FileContentError
from latentlink.report.columns import list_facts, prepare
from latentlink.studies.result_files import Results, has_digest, read_rows

_MARKS = {"cell", "method", "family", "versions"}  # columns by which rows of a study are known


def is_result_file(file: str) -> bool:
    """True for a Parquet file with the columns that rows of studies have; a damaged one is none, as its reader will say."""
    path = Path(file)
    if path.suffix != ".parquet" or not path.is_file():
        return False
    try:
        return set(ParquetFile(path).schema()) >= _MARKS
    except FileContentError:
        return False


def show_results(path: Path) -> None:
    """Print the study, data, channels, seeds and versions of a result file, and the means of each method.

    Raises:
        ValueError: the file was damaged or changed after it was written.
    """
    checked = has_digest(path)
    stored = read_rows(path) if checked else ParquetFile(path).read()
    rows = prepare(stored)
    integrity = "every value is that of the file's SHA-256" if checked else "not known: the file carries no SHA-256"
    study = [(name, ", ".join(stored[name].unique().sort())) for name in ("study", "title") if name in stored.columns]
    facts(
        str(path),
        [*study, ("integrity", integrity), *list_facts(rows), *(("run by", each["command"]) for each in Results(path.parent).runs())],
    )
    means = [pl.col(name).mean() for name in ("accuracy", "nmse", "power")]
    table = rows.group_by("method", maintain_order=True).agg(pl.col("cell").n_unique(), pl.len(), *means)
    shown = [["" if value is None else f"{value:.4g}" if isinstance(value, float) else str(value) for value in row] for row in table.rows()]
    print_table("means over all points", ("method", "cells", "rows", "accuracy", "NMSE", "power"), shown)

"""`latentlink study`: experiments as files, from which every figure is made."""

import json
import shlex
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import cyclopts
import polars as pl
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from latentlink.cli.console import device_named, encoding_bars, facts, messages, out, wrote
from latentlink.report.page import ReportMeta, write_report
from latentlink.storage.atomic import write_atomically
from latentlink.studies.results import Results, as_markdown, as_text, summary
from latentlink.studies.running.runner import Runner
from latentlink.studies.spec.grid import cells
from latentlink.studies.spec.study import Cell, Study, read_study

_WIDEST = 10_000  # characters: a table of results is not cut for a narrow terminal or a file

_COLUMNS = (
    TextColumn("{task.description}"),
    BarColumn(),
    TextColumn("{task.fields[cells]} cells"),
    TimeElapsedColumn(),
    TimeRemainingColumn(),
)

app = cyclopts.App(name="study", help="Run experiments that are described by a YAML file, and look at them.")


def _opened(file: Path, overrides: tuple[str, ...], quick: bool, output: Path) -> tuple[Study, tuple[Cell, ...], Results]:
    study = read_study(file, overrides, quick)
    return study, cells(study), Results(output / (f"{study.name}-quick" if quick else study.name))


@app.command
def run(file: Path, *overrides: str, quick: bool = False, jobs: int = 2, device: str = "cpu", output: Path = Path("results")) -> None:
    """Run what is missing of a study; an interruption loses at most the cells under way.

    Example: `latentlink study run studies/paper/compression.yaml --quick channel.antennas=1,2,4 seeds=27`

    Parameters
    ----------
    file
        The study.
    overrides
        Other values, `key=value` by dotted name; `key=a,b,c` sweeps. Entries of `methods` go by name: `methods.neural.epochs=5`.
    quick
        The study's small form.
    jobs
        Cells at a time; the results do not depend on it.
    device
        Torch device, "cpu" or "cuda".
    output
        Folder under which the study's results are kept.
    """
    device_named(device)
    study, todo, results = _opened(file, overrides, quick, output)
    missing = [cell for cell in todo if not results.done(cell)]
    messages.print(f"{study.name}: {len(todo)} cells, {len(todo) - len(missing)} of them done", highlight=False)
    started = time.perf_counter()
    runner = Runner(results, jobs, device)
    prices = _priced(runner, missing, jobs)
    ended: list[tuple[Cell, str]] = []
    with Progress(*_COLUMNS, console=messages) as bar:
        task = bar.add_task(study.name, total=sum(prices.values()), cells=f"0/{len(missing)}")

        def done(cell: Cell, reason: str) -> None:
            ended.append((cell, reason))
            bar.update(task, advance=prices[cell.id], cells=f"{len(ended)}/{len(missing)}")

        try:
            with encoding_bars() as progress:
                replace(runner, progress=progress).run(todo, done)
        finally:
            table = results.write_table(results.table(study, todo))
            _log(results, time.perf_counter() - started, len(ended))
    wrote(table)
    failures = [(cell, reason) for cell, reason in ended if reason]
    for cell, reason in failures[:5]:
        messages.print(f"failed: {cell.method.title}, seed {cell.seed}: {reason} (see {results.failure(cell)})", style="red", markup=False)
    if failures:
        raise ValueError(f"{len(failures)} of {len(missing)} cells failed; the same command tries them again")
    out.print(f"{len(ended)} cells in {time.perf_counter() - started:.1f} s")
    same = [str(file), *overrides, *(["--quick"] if quick else []), *(["--output", str(output)] if output != Path("results") else [])]
    out.print(f"now: latentlink study report {shlex.join(same)}", highlight=False, markup=False, soft_wrap=True)


def _priced(runner: Runner, missing: list[Cell], jobs: int) -> dict[str, float]:
    """Seconds that each missing cell should take; training is told of before it starts."""
    prices = {cell.id: runner.price(cell) for cell in missing}
    training = [prices[cell.id] for cell in missing if cell.method.family in ("neural", "codec")]
    if training:
        minutes = sum(training) / jobs / 60
        messages.print(f"{len(training)} of them are trained: about {minutes:.1f} min with {jobs} jobs for all epochs", highlight=False)
    return prices


def _log(results: Results, seconds: float, count: int) -> None:
    """Note what was run, for the report's page."""
    path = results.folder / "runs.json"
    runs = _runs(results)
    runs.append({"command": shlex.join(["latentlink", *sys.argv[1:]]), "seconds": seconds, "cells": count})
    write_atomically(path, json.dumps(runs, indent=1).encode())


def _runs(results: Results) -> list[dict[str, Any]]:
    """The log of runs; a damaged one is begun anew."""
    try:
        runs: list[dict[str, Any]] = json.loads((results.folder / "runs.json").read_text())
        return (
            runs if isinstance(runs, list) and all(isinstance(run, dict) and {"command", "seconds"} <= run.keys() for run in runs) else []
        )
    except (FileNotFoundError, ValueError):
        return []


@app.command
def status(file: Path, *overrides: str, quick: bool = False, output: Path = Path("results")) -> None:
    """Say which cells of a study are done, missing or failed; parameters as for `run`."""
    study, todo, results = _opened(file, overrides, quick, output)
    table = Table(title=escape(f"{study.name}: {study.title}"), title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    for column in ("method", "done", "missing", "failed"):
        table.add_column(column, justify="left" if column == "method" else "right")
    for title in dict.fromkeys(cell.method.title for cell in todo):
        mine = [cell for cell in todo if cell.method.title == title]
        done = sum(results.done(cell) for cell in mine)
        failed = sum(results.failure(cell).is_file() and not results.done(cell) for cell in mine)
        table.add_row(escape(title), str(done), str(len(mine) - done - failed), str(failed))
    out.print(table)
    facts("", [("results", results.folder), ("cells", len(todo))])


@app.command
def results(file: Path, *overrides: str, quick: bool = False, output: Path = Path("results"), markdown: Path | None = None) -> None:
    """Print the means over seeds of every method and point, and write all rows as one Parquet file; parameters as for `run`.

    Parameters
    ----------
    markdown
        Also write the printed table as Markdown.
    """
    study, todo, kept = _opened(file, overrides, quick, output)
    rows = _rows(study, todo, kept, file, quick)
    table = summary(rows)
    shown = Table(title=escape(f"{study.name}: {study.title}"), title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    for column in table.columns:
        shown.add_column(column, justify="left" if column == "method" else "right", no_wrap=True)
    for row in table.iter_rows():
        shown.add_row(*(escape(cell) for cell in as_text(row, table.columns)))
    Console(width=max(out.width, Console(width=_WIDEST).measure(shown).maximum)).print(shown)
    wrote(kept.write_table(rows))
    if markdown is not None:
        write_atomically(markdown, as_markdown(table).encode())
        wrote(markdown)


def _rows(study: Study, todo: tuple[Cell, ...], kept: Results, file: Path, quick: bool) -> pl.DataFrame:
    rows = kept.table(study, todo)
    if rows.is_empty():
        raise ValueError(f"{kept.folder}: nothing is done yet; run `latentlink study run {file}{' --quick' if quick else ''}` first")
    return rows


@app.command
def report(file: Path, *overrides: str, quick: bool = False, output: Path = Path("results")) -> None:
    """Draw the figures and write the report of a study from its result files alone; parameters as for `run`."""
    study, todo, kept = _opened(file, overrides, quick, output)
    rows = _rows(study, todo, kept, file, quick)
    runs = _runs(kept)
    meta = ReportMeta(
        name=study.name, title=study.title or study.name, description=study.description, axis=study.axis,
        study_text=file.read_text(encoding="utf-8"), command=runs[-1]["command"] if runs else f"latentlink study run {file}",
        wall_s=sum(entry["seconds"] for entry in runs),
        done=sum(kept.done(cell) for cell in todo),
        missing=sum(not kept.done(cell) and not kept.failure(cell).is_file() for cell in todo),
        failed=sum(not kept.done(cell) and kept.failure(cell).is_file() for cell in todo),
    )  # fmt: skip
    wrote(*write_report(rows, meta, kept.folder))


@app.command
def schema(path: Path) -> None:
    """Write the JSON Schema of study files, which editors use to complete and check them."""
    write_atomically(path, json.dumps(Study.model_json_schema(), indent=1).encode())
    wrote(path)

"""`latentlink study`: experiments as files, from which every table and figure is made, also those of the documentation."""

import fnmatch
import json
import shlex
import shutil
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import polars as pl
from rich.progress import TextColumn, TimeElapsedColumn

from latentlink.cli.console import encoding_bars, facts, messages, out, print_table, progress, wrote
from latentlink.cli.options import KEPT, Cluster, Device, Jobs, Number, Overrides, Quick, Results, StudyFile, Together
from latentlink.execution.connecting import cluster_of
from latentlink.numerics.doors import device_named
from latentlink.numerics.reprs import counted
from latentlink.report.arrange import arrange
from latentlink.report.figures import WIDTH_IN
from latentlink.report.findings import write_markdown
from latentlink.report.page import report_study
from latentlink.storage.atomic import atomic_path, check_writable, write_atomically
from latentlink.studies.averages import as_markdown, as_text, summarise, summarise_points
from latentlink.studies.experiments import Experiment, open_experiment
from latentlink.studies.result_files import write_archive
from latentlink.studies.rows import AVERAGED, SETTINGS
from latentlink.studies.running.ahead import check_together
from latentlink.studies.running.runner import Runner
from latentlink.studies.spec.cell import Cell
from latentlink.studies.spec.reading import read_study
from latentlink.studies.spec.study import Study


def run(
    file: StudyFile,
    *overrides: Overrides,
    quick: Quick = False,
    jobs: Jobs = 2,
    cluster: Cluster = None,
    together: Together = None,
    device: Device = "cpu",
    output: Results = KEPT,
) -> None:
    """Run the cells of a study that have no result yet; an interruption loses at most the cells under way.

    Example: `latentlink study run studies/paper/compression.yaml --quick channel.antennas=1,2,4 seeds=27`
    """
    started = time.perf_counter()
    experiment = open_experiment(file, overrides, quick=quick, output=output)
    check_writable(experiment.results.all_rows)
    ended = run_experiment(experiment, jobs, device, cluster, together)
    out.print(f"{ended} cells in {time.perf_counter() - started:.1f} s")
    same = [str(file), *overrides, *(["--quick"] if quick else []), *(["--output", str(output)] if output != KEPT else [])]
    out.print(f"now: latentlink study report {shlex.join(same)}", highlight=False, markup=False, soft_wrap=True)


def run_experiment(experiment: Experiment, jobs: int, device: str, cluster: str | None = None, together: int | None = None) -> int:
    """Run the missing cells with a bar, write the table of all rows, and return how many cells were run.

    Raises:
        ConnectionError: the cluster is lost; the results that arrived are stored.
        ValueError: cells failed; the others are stored. Or an option is refused.
    """
    device_named(device)
    check_together(together, cluster)
    missing = experiment.missing
    ended = f"{len(experiment.cells) - len(missing)} of them done"
    messages.print(f"{experiment.study.name}: {len(experiment.cells)} cells, {ended}", highlight=False)
    with cluster_of(cluster if missing else None) as workers:
        failures = _run_with_bars(
            experiment, missing, partial(Runner, experiment.results, jobs, device, cluster=workers, together=together)
        )
    wrote(experiment.results.all_rows)
    by_reason: dict[str, list[Cell]] = {}
    for cell, reason in failures:
        by_reason.setdefault(reason, []).append(cell)
    for reason, cells in by_reason.items():
        first = f"{cells[0].method.title}, seed {cells[0].seed}; traceback in {experiment.results.failure(cells[0])}"
        messages.print(f"{counted(len(cells), 'cell')} failed: {reason} (first {first})", style="red", markup=False)
    if failures:
        raise ValueError(f"{len(failures)} of {len(missing)} cells failed; the same command tries them again")
    return len(missing)


def _run_with_bars(experiment: Experiment, missing: list[Cell], make: Callable[..., Runner]) -> list[tuple[Cell, str]]:
    """Run the missing cells by the runner that `make` gives, and return those that failed, with their reasons."""
    study = experiment.study
    with encoding_bars() as bars:
        runner = make(progress=bars)
        seconds = _estimate_seconds(runner, missing)  # loads latents
    with progress(TextColumn("{task.fields[of]}"), TimeElapsedColumn()) as bar:
        task = bar.add_task(study.name, total=sum(seconds.values()), of=f"0/{len(missing)} cells")
        batch = bar.add_task("training together", visible=False, of="")

        def done(cell: Cell, count: int) -> None:
            bar.update(batch, visible=False)
            bar.update(task, advance=seconds[cell.id], of=f"{count}/{len(missing)} cells")

        def epochs(networks: int, epoch: int, of: int) -> None:
            bar.update(batch, visible=True, completed=epoch, total=of, of=f"{networks} networks, epoch {epoch}/{of}")

        return experiment.run(runner, shlex.join(["latentlink", *sys.argv[1:]]), done, epochs)


def _estimate_seconds(runner: Runner, missing: list[Cell]) -> dict[str, float]:
    """Seconds that each missing cell should take; how long training will take is printed before it starts."""
    seconds = {cell.id: runner.estimated_seconds(cell) for cell in missing}
    training = [seconds[cell.id] for cell in missing if cell.method.is_trained]
    if training:
        width, kind = runner.executor.width, "jobs" if runner.cluster is None else "workers"
        minutes = sum(training) / width / 60
        alone = "" if runner.together is None else " if each network is trained alone"
        about = f"about {minutes:.1f} min with {width} {kind} for all epochs{alone}"
        messages.print(f"{len(training)} of them are trained: {about}", highlight=False)
    return seconds


def status(file: StudyFile, *overrides: Overrides, quick: Quick = False, output: Results = KEPT) -> None:
    """List how many cells of each method are done, missing or failed."""
    experiment = open_experiment(file, overrides, quick=quick, output=output)
    results = experiment.results
    rows = []
    for title in dict.fromkeys(cell.method.title for cell in experiment.cells):
        mine = [cell for cell in experiment.cells if cell.method.title == title]
        done = sum(results.done(cell) for cell in mine)
        failed = sum(results.failure(cell).is_file() and not results.done(cell) for cell in mine)
        rows.append([title, str(done), str(len(mine) - done - failed), str(failed)])
    print_table(f"{experiment.study.name}: {experiment.study.title}", ("method", "done", "missing", "failed"), rows)
    facts("", [("results", results.folder), ("cells", len(experiment.cells))])


def results(file: StudyFile, *overrides: Overrides, quick: Quick = False, output: Results = KEPT, markdown: Path | None = None) -> None:
    """Print the means over seeds of every method and point, and write all rows as one Parquet file.

    What varies comes first, then the means, then their spread. Columns for which the terminal is too narrow are in further tables below.

    Parameters
    ----------
    markdown
        Also write the printed table as Markdown into this file, with the findings in words.
    """
    if markdown is not None:
        check_writable(markdown)
    experiment = open_experiment(file, overrides, quick=quick, output=output)
    rows = experiment.rows()
    table = _order_columns(summarise(rows))
    shown = [as_text(row, table.columns) for row in table.iter_rows()]
    settings = sum(name in SETTINGS for name in table.columns)
    print_table(f"{experiment.study.name}: {experiment.study.title}", table.columns, shown, fixed=1 + settings)
    experiment.results.write_table(rows)
    wrote(experiment.results.all_rows)
    if markdown is not None:
        write_atomically(markdown, _write_markdown(experiment, rows).encode())
        wrote(markdown)


def _order_columns(table: pl.DataFrame) -> pl.DataFrame:
    """Put what varies before the means, and these before their spread and the number of rows."""
    settings = [name for name in table.columns if name == "method" or name in SETTINGS]
    means = [name for name in table.columns if name in AVERAGED]
    return table.select(*settings, *means, *(name for name in table.columns if name not in (*settings, *means)))


def report(
    file: StudyFile,
    *overrides: Overrides,
    quick: Quick = False,
    output: Results = KEPT,
    panel: str | None = None,
    width: Number = WIDTH_IN,
) -> None:
    """Write the report of a study, report.html, and its figures, from its result files alone.

    Parameters
    ----------
    panel
        Also draw the panel of one value alone, such as accuracy or nmse: PANEL-alone-vs-AXIS.pdf and .png.
    width
        Width of the figures in inches: 3.5 is a column of a paper, 7.16 both of them.
    """
    wrote(*report_study(open_experiment(file, overrides, quick=quick, output=output), panel, width))


def schema(path: Path) -> None:
    """Write the JSON Schema of study files, by which editors complete and check them.

    Parameters
    ----------
    path
        The file to write, studies/study.schema.json in this repository.
    """
    write_atomically(path, json.dumps(Study.model_json_schema(), indent=1).encode())
    wrote(path)


def keep(
    *files: StudyFile,
    jobs: Jobs = 2,
    cluster: Cluster = None,
    device: Device = "cpu",
    output: Results = KEPT,
    docs: Path = Path("docs/results"),
    archive: Path = Path("results/archive"),
) -> None:
    """Run studies and put their tables and figures where the documentation shows them, and their rows into an archive.

    Each study is run with the overrides of its `docs` section. DOCS/NAME.md is the table, DOCS/NAME.csv the means of all that was
    measured, DOCS/NAME-FIGURE.png each figure that the section names; ARCHIVE/NAME.parquet holds all rows.

    Example: `latentlink study keep studies/comparison.yaml studies/codec/*.yaml`

    Parameters
    ----------
    docs
        Folder for tables and figures.
    archive
        Folder for the rows.
    """
    if not files:
        raise ValueError("name at least one study file")
    experiments = [open_experiment(file, read_study(file).docs.overrides, output=output) for file in files]  # before any of them runs
    for file, experiment in zip(files, experiments, strict=True):
        messages.print(f"{file}", highlight=False, markup=False)
        run_experiment(experiment, jobs, device, cluster)
        keep_experiment(experiment, docs, archive)


def keep_experiment(experiment: Experiment, docs: Path, archive: Path) -> None:
    """Write the table, the means and the figures of a finished experiment to `docs`, and its rows to `archive`."""
    name, rows = experiment.study.name, experiment.rows()
    table, means, kept = docs / f"{name}.md", docs / f"{name}.csv", archive / f"{name}.parquet"
    write_atomically(table, _write_markdown(experiment, rows).encode())
    write_atomically(means, summarise_points(rows).write_csv().encode())
    with atomic_path(kept) as draft:
        rows.write_parquet(draft)
    wrote(table, means, kept)
    wanted = experiment.study.docs.figures
    for figure in report_study(experiment) if wanted else ():
        if any(fnmatch.fnmatch(figure.name, pattern) for pattern in wanted):
            target = docs / f"{name}-{figure.name}"
            shutil.copyfile(figure, target)
            wrote(target)


def _write_markdown(experiment: Experiment, rows: pl.DataFrame) -> str:
    """The table of means, and the findings in words."""
    found = write_markdown(arrange(rows, experiment.study.axis))
    return as_markdown(summarise(rows)) + (f"\n{found}" if found else "")


def archive(folder: Path, path: Path) -> None:
    """Write the rows of studies into one archive, and print its SHA-256; the same rows give the same archive.

    Parameters
    ----------
    folder
        Folder of the rows, NAME.parquet, as `latentlink study keep` writes them.
    path
        The archive to write, a .tar file.
    """
    digest = write_archive(folder, path)
    wrote(path)
    out.print(f"SHA-256 {digest}", highlight=False, markup=False, soft_wrap=True)

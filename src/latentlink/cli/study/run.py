"""`latentlink study run`: run what is missing of a study."""

import shlex
import sys
import time
from pathlib import Path

from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from latentlink.cli.console import description_column, device_named, encoding_bars, messages, out, wrote
from latentlink.studies.experiments import Experiment, open_experiment
from latentlink.studies.running.runner import Runner
from latentlink.studies.spec.cell import Cell

_SHOWN = 5  # failures that are printed


def run(file: Path, *overrides: str, quick: bool = False, jobs: int = 2, device: str = "cpu", output: Path = Path("results")) -> None:
    """Run the cells of a study that have no result yet; an interruption loses at most the cells under way.

    Example: `latentlink study run studies/paper/compression.yaml --quick channel.antennas=1,2,4 seeds=27`

    Parameters
    ----------
    file
        The study, a YAML file.
    overrides
        Other values, `key=value` by dotted name; `key=a,b,c` sweeps. Entries of `methods` go by name: `methods.neural.epochs=5`.
    quick
        Take the study's small form.
    jobs
        Cells at a time; the results do not depend on it.
    device
        Torch device, "cpu" or "cuda".
    output
        Folder under which the results of studies are kept.
    """
    started = time.perf_counter()
    experiment = open_experiment(file, overrides, quick=quick, output=output)
    ended = run_experiment(experiment, jobs, device)
    out.print(f"{ended} cells in {time.perf_counter() - started:.1f} s")
    same = [str(file), *overrides, *(["--quick"] if quick else []), *(["--output", str(output)] if output != Path("results") else [])]
    out.print(f"now: latentlink study report {shlex.join(same)}", highlight=False, markup=False, soft_wrap=True)


def run_experiment(experiment: Experiment, jobs: int, device: str) -> int:
    """Run the missing cells with a bar, write the table of all rows, and return how many cells were run.

    Raises:
        ValueError: cells failed; the others are kept.
    """
    device_named(device)
    study, results, missing = experiment.study, experiment.results, experiment.missing
    done_before = len(experiment.cells) - len(missing)
    messages.print(f"{study.name}: {len(experiment.cells)} cells, {done_before} of them done", highlight=False)
    started = time.perf_counter()
    with encoding_bars() as bars:
        runner = Runner(results, jobs, device, bars)
        seconds = _estimate_seconds(runner, missing, jobs)  # loads latents
    ended: list[tuple[Cell, str]] = []
    columns = (
        description_column(),
        BarColumn(),
        TextColumn("{task.fields[cells]} cells"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=messages) as bar:
        task = bar.add_task(study.name, total=sum(seconds.values()), cells=f"0/{len(missing)}")

        def done(cell: Cell, reason: str) -> None:
            ended.append((cell, reason))
            bar.update(task, advance=seconds[cell.id], cells=f"{len(ended)}/{len(missing)}")

        try:
            runner.run(experiment.cells, done)
        finally:
            table = results.write_table(results.table(study, experiment.cells))
            results.log_run(shlex.join(["latentlink", *sys.argv[1:]]), time.perf_counter() - started, len(ended))
    wrote(table)
    _raise_failures(experiment, ended)
    return len(ended)


def _raise_failures(experiment: Experiment, ended: list[tuple[Cell, str]]) -> None:
    failures = [(cell, reason) for cell, reason in ended if reason]
    for cell, reason in failures[:_SHOWN]:
        place = experiment.results.failure(cell)
        messages.print(f"failed: {cell.method.title}, seed {cell.seed}: {reason} (traceback in {place})", style="red", markup=False)
    if failures:
        raise ValueError(f"{len(failures)} of {len(ended)} cells failed; the same command tries them again")


def _estimate_seconds(runner: Runner, missing: list[Cell], jobs: int) -> dict[str, float]:
    """Seconds that each missing cell should take; how long training will take is printed before it starts."""
    seconds = {cell.id: runner.estimated_seconds(cell) for cell in missing}
    training = [seconds[cell.id] for cell in missing if cell.method.family in ("neural", "codec")]
    if training:
        minutes = sum(training) / jobs / 60
        messages.print(f"{len(training)} of them are trained: about {minutes:.1f} min with {jobs} jobs for all epochs", highlight=False)
    return seconds

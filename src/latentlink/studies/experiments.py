"""Studies from Python: run one, read its results, write its report.

    rows = ll.studies.run("studies/comparison.yaml", ["seeds=27", "channel.antennas=2,4"])
    means = ll.studies.summarise(rows)
    files = ll.studies.report("studies/comparison.yaml", ["seeds=27", "channel.antennas=2,4"])

A study is a file, a mapping as a file holds it, or a `Study`. Results are stored in OUTPUT/NAME and are never computed twice.
"""

import importlib
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
import torch
import yaml

from latentlink.execution.cluster import Cluster
from latentlink.execution.connecting import cluster_of
from latentlink.numerics.doors import device_named
from latentlink.numerics.validation import validate_call
from latentlink.studies.result_files import Results
from latentlink.studies.running.ahead import EpochProgress, check_together
from latentlink.studies.running.runner import Runner
from latentlink.studies.spec.cell import Cell
from latentlink.studies.spec.grid import cells
from latentlink.studies.spec.reading import as_plain, make_study, read_study
from latentlink.studies.spec.study import Study

AnyStudy = str | Path | Mapping[str, Any] | Study
_SHOWN = 3  # reasons of failures in a warning


@dataclass(frozen=True, eq=False)
class Experiment:
    """A study with its cells, and the folder of its results.

    Attributes:
        study: the study, overrides applied.
        cells: all its cells.
        results: the folder of their rows.
        text: the study file.
        quick: whether it is the study's small form.

    Example:
        >>> import latentlink as ll
        >>> study = {"name": "mine", "channel": {"antennas": [1, 2, 4]}, "methods": [{"name": "closed-form"}], "seeds": 1}
        >>> experiment = ll.studies.open_experiment(study)
        >>> len(experiment.cells), len(experiment.missing)
        (6, 6)
    """

    study: Study
    cells: tuple[Cell, ...]
    results: Results
    text: str
    quick: bool = False

    @property
    def missing(self) -> list[Cell]:
        """Cells without a result."""
        return [cell for cell in self.cells if not self.results.done(cell)]

    def rows(self) -> pl.DataFrame:
        """Rows of all finished cells; a ValueError where none is finished, or a result file is damaged."""
        rows = self.results.table(self.study, self.cells)
        if rows.is_empty():
            raise ValueError(f"{self.results.folder}: nothing is done yet; run the study first")
        return rows

    def run(
        self, runner: Runner, command: str, done: Callable[[Cell, int], None], epochs: EpochProgress | None = None
    ) -> list[tuple[Cell, str]]:
        """Run the missing cells, write the table of all rows, also where the run is interrupted, and note the run for the report.

        Args:
            runner: of these results.
            command: that the report names.
            done: callback after each cell, called with it and the number of those that ended.
            epochs: callback of networks that are trained together (see `Runner.run`).

        Returns:
            The failures: cells with their reasons.
        """
        ended: list[tuple[Cell, str]] = []
        started = time.perf_counter()

        def note(cell: Cell, reason: str) -> None:
            ended.append((cell, reason))
            done(cell, len(ended))

        try:
            runner.run(self.cells, note, epochs)
        finally:
            self.results.write_table(self.results.table(self.study, self.cells))
            self.results.log_run(command, time.perf_counter() - started, len(ended))
        return [(cell, reason) for cell, reason in ended if reason]


@validate_call
def open_experiment(study: AnyStudy, overrides: Sequence[str] = (), *, quick: bool = False, output: str | Path = "results") -> Experiment:
    """Read a study and expand it to its cells, without running anything.

    Args:
        study: a file, a mapping, or a Study (which takes no overrides).
        overrides: other values, "key=value" by dotted name; "key=a,b" sweeps.
        quick: take the study's small form.
        output: folder under which the results of studies are stored.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is not a study; the message names key, value and what was expected.

    Example:
        >>> import latentlink as ll
        >>> study = {"name": "mine", "channel": {"antennas": [1, 2, 4]}, "methods": [{"name": "closed-form"}], "seeds": 1}
        >>> experiment = ll.studies.open_experiment(study, ["references=false"])
        >>> [cell.channel.antennas for cell in experiment.cells]
        [1, 2, 4]
    """
    if isinstance(study, Study):
        if overrides or quick:
            raise ValueError("overrides and quick change a file or a mapping, and study is a Study already: use study.model_copy")
        made, text = study, yaml.safe_dump(study.model_dump(mode="json", exclude_defaults=True), sort_keys=False)
    elif isinstance(study, Mapping):
        made, text = make_study(study, overrides, quick), yaml.safe_dump(as_plain(study), sort_keys=False)
    elif isinstance(study, str | Path):
        made, text = read_study(Path(study), overrides, quick), Path(study).read_text(encoding="utf-8")
    else:
        raise ValueError(f"study must be a file, a mapping or a Study, got {study!r}")
    if Path(output).is_file():
        raise ValueError(f"output must be a folder, got the file {output}")
    name = f"{made.name}-quick" if quick else made.name
    try:
        found = cells(made)
    except ValueError as error:
        raise ValueError(f"{study}: {error}" if isinstance(study, str | Path) else str(error)) from error
    return Experiment(made, found, Results(Path(output) / name), text, quick)


@validate_call
def run(
    study: AnyStudy,
    overrides: Sequence[str] = (),
    *,
    quick: bool = False,
    jobs: int = 2,
    device: str | torch.device = "cpu",
    output: str | Path = "results",
    progress: Callable[[int, int], None] | None = None,
    cluster: str | int | Cluster | None = None,
    together: int | None = None,
) -> pl.DataFrame:
    """Run the cells of a study that have no result yet, and return the rows of all.

    Args (beside those of `open_experiment`):
        jobs: cells at a time; results do not depend on it.
        device: torch device.
        progress: callback after each cell, called with (cells ended, cells to run).
        cluster: run the cells by the workers of a Dask cluster instead: the address of its scheduler, such as "tcp://host:8786", a number
            of worker processes on this machine, or what
            `latentlink.execution.connect` gives.
        together: train the networks of the method `neural` as batches of at most so many, on all cores, before their cells are run;
            results then differ in their last digits. None trains each in its cell.

    Returns:
        A row for each cell and channel (see `studies.rows`).

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is not a study, all cells failed, `together` is below two or given with a cluster, or a worker of the cluster has
            other versions.
        ConnectionError: no scheduler answers, or it does not any more; the results that arrived are stored.

    Warns:
        UserWarning: cells failed; the others are stored, and the next run tries again. Or a batch of networks failed, for instance for
            lack of memory, and its cells train for themselves.

    Example:
        >>> import torch, latentlink as ll
        >>> x = torch.randn(500, 8, generator=torch.Generator().manual_seed(0))
        >>> for split in ("train", "test"):
        ...     ll.data.write_array(f"{split}-transmitter.npy", x)
        ...     ll.data.write_array(f"{split}-receiver.npy", x[:, :6].tanh())
        >>> study = {"name": "mine", "data": {"dataset": "files"}, "methods": [{"name": "closed-form"}], "seeds": 1, "metrics": ["mse"]}
        >>> rows = ll.studies.run(study, ["channel.antennas=1,2", "references=false"])
        >>> rows["n_tx"].to_list()
        [1, 2]
    """
    check_together(together, cluster)
    experiment = open_experiment(study, overrides, quick=quick, output=output)
    todo = len(experiment.missing)

    def done(cell: Cell, count: int) -> None:
        if progress is not None:
            progress(count, todo)

    with cluster_of(cluster if todo else None) as workers:
        runner = Runner(experiment.results, jobs, str(device_named(device)), cluster=workers, together=together)
        failed = experiment.run(runner, f"latentlink.studies.run({experiment.study.name!r})", done)
    if failed:
        reasons = (f"{cell.method.title}, seed {cell.seed}: {why} (see {experiment.results.failure(cell)})" for cell, why in failed)
        shown = "; ".join(list(dict.fromkeys(reasons))[:_SHOWN])
        if len(failed) == len(experiment.cells):
            raise ValueError(f"all {todo} cells failed: {shown}")
        warnings.warn(f"{len(failed)} of {todo} cells failed: {shown}", stacklevel=2)
    return experiment.rows()


@validate_call
def results(study: AnyStudy, overrides: Sequence[str] = (), *, quick: bool = False, output: str | Path = "results") -> pl.DataFrame:
    """The rows of all finished cells of a study; arguments and errors as `run`.

    Example:
        >>> import torch, latentlink as ll
        >>> x = torch.randn(500, 8, generator=torch.Generator().manual_seed(0))
        >>> for split in ("train", "test"):
        ...     ll.data.write_array(f"{split}-transmitter.npy", x)
        ...     ll.data.write_array(f"{split}-receiver.npy", x[:, :6].tanh())
        >>> study = {"name": "mine", "data": {"dataset": "files"}, "methods": [{"name": "closed-form"}], "seeds": 1, "metrics": ["mse"]}
        >>> rows = ll.studies.run(study)
        >>> ll.studies.results(study).equals(rows)
        True
    """
    return open_experiment(study, overrides, quick=quick, output=output).rows()


@validate_call
def report(study: AnyStudy, overrides: Sequence[str] = (), *, quick: bool = False, output: str | Path = "results") -> list[Path]:
    """Write the report of a study, report.html, and its figures from the results alone; arguments and errors as `run`.

    Returns:
        The files, the page first.

    Raises:
        ImportError: what draws is not installed (extra `report`).

    Example:
        >>> import latentlink as ll
        >>> rows = ll.studies.run("mine.yaml")  # doctest: +SKIP
        >>> ll.studies.report("mine.yaml")[0]  # doctest: +SKIP
        PosixPath('results/mine/report.html')
    """
    experiment = open_experiment(study, overrides, quick=quick, output=output)
    above = importlib.import_module("latentlink.report.page")  # by name: the report reads studies, which do not depend on it
    return above.report_study(experiment)

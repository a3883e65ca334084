"""The runner: cells without a result, several at a time, each result written as soon as it is there.

Cells run in threads of this process, or by the workers of a cluster; this process writes all results. Cells that share pilots are run by
the same thread or worker where possible (see `execution.agenda`). Latencies are measured while all other cells of this machine pause; those
of cells that a cluster has run are measured here too, so that all of them are of one machine.
"""

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from functools import cached_property

import polars as pl

from latentlink.data.cache import EncodingProgress
from latentlink.execution.cluster import Cluster
from latentlink.execution.executor import Ended, Executor
from latentlink.execution.local import Threads
from latentlink.numerics.doors import integer
from latentlink.numerics.threads import one_thread
from latentlink.studies.result_files import Results
from latentlink.studies.running.ahead import EpochProgress, batches, check_together, train_batch
from latentlink.studies.running.cost import Estimates
from latentlink.studies.running.workbench import CellResult, Order, Stopped, TimedClocks, Workbench
from latentlink.studies.shared import ScenarioData
from latentlink.studies.spec.cell import Cell

Done = Callable[[Cell, str], None]


@dataclass(frozen=True, eq=False)
class Runner:
    """Runs cells of a study into a folder of results.

    Attributes:
        results: the folder.
        jobs: cells at a time in this process; results do not depend on it.
        device: torch device.
        progress: callback while latents are computed (see `data.cache.encode`).
        cluster: encodes images and runs the cells instead of threads of this process.
        together: networks of the method `neural` that are trained as one batch, at most, which changes their last digits (see `ahead`);
            None trains each in its cell.

    Raises:
        ValueError: `jobs` is below one, `together` below two, or there are both `together` and `cluster`.
    """

    results: Results
    jobs: int = 1
    device: str = "cpu"
    progress: EncodingProgress | None = None
    cluster: Cluster | None = None
    together: int | None = None

    def __post_init__(self) -> None:
        check_together(self.together, self.cluster)
        integer("jobs", self.jobs)

    @cached_property
    def executor(self) -> Executor:
        """What runs the cells."""
        return Threads(self.jobs) if self.cluster is None else self.cluster

    @cached_property
    def workbench(self) -> Workbench:
        """What computes one cell, with what cells share."""
        return Workbench(self.device, self.results.checkpoints, self.progress, self.cluster)

    @cached_property
    def _estimates(self) -> Estimates:
        return Estimates(self.workbench.scenario, self.jobs if self.cluster is None else 1, self.device)

    def scenario(self, cell: Cell) -> ScenarioData:
        """Latents and head that the cell shares with all of its pair of devices; raises what loading them raised."""
        return self.workbench.scenario(cell)

    def _loads(self, cell: Cell) -> bool:
        """Load the data that the cell shares; False where its own data set or encoder fails, as the cell will report."""
        try:
            self.scenario(cell)
        except Exception:
            if not cell.has_own_latents:
                raise
            return False
        return True

    def estimated_seconds(self, cell: Cell) -> float:
        """Seconds that a cell should occupy a job, on this machine."""
        return self._estimates.seconds(cell) if self._loads(cell) else 0.0

    def run(self, cells: Sequence[Cell], done: Done = lambda cell, reason: None, epochs: EpochProgress | None = None) -> None:
        """Run all cells that have no result yet.

        Args:
            cells: of a study.
            done: callback for each cell that ended, with "" or the reason of its failure.
            epochs: callback after each epoch of networks that are trained together, with their number, epoch and epochs.

        Raises:
            KeyboardInterrupt: cells under way are lost, except for the checkpoint of their training.
            OSError: the cluster is lost; the results that arrived are stored.
            Exception: that loading a data set or an encoder of the package raises, which no cell can do without.
        """
        missing = [cell for cell in cells if not self.results.done(cell)]
        loads = {cell.scene: cell for cell in missing}
        sound = {pair: self._loads(cell) for pair, cell in loads.items()}  # latents and head first, with all cores
        whole = [cell for cell in missing if sound[cell.scene]]
        alone = [cell for cell in missing if not sound[cell.scene]]  # these fail at once
        self._take(alone, Threads(1).run(self.workbench, alone), done)
        if self.cluster is None:
            self._run_here(whole, done, epochs)
            return
        for cell in whole:
            self.workbench.forget(cell.group)  # what estimates have made: workers make their own
        orders = [Order(cell, TimedClocks(self.workbench.latencies, self.scenario(cell))) for cell in whole]
        self._take(whole, self.cluster.run(self.workbench.fill, orders, lambda order: order.cell.group), done)

    def _run_here(self, cells: Sequence[Cell], done: Done, epochs: EpochProgress | None) -> None:
        """Run cells in threads: first those that train alone, if any, then each batch after its networks are trained."""
        together = [] if self.together is None else batches(cells, self.together)
        trained = {cell.id for batch in together for cell in batch}

        def run(some: Sequence[Cell]) -> None:
            self._take(some, self.executor.run(self.workbench, some, lambda cell: cell.group), done)

        run([cell for cell in cells if cell.id not in trained])
        for batch in together:
            train_batch(self.workbench, batch, self.together or 1, epochs)
            run(batch)

    def _take(self, cells: Sequence[Cell], ended: Generator[Ended[CellResult], None, None], done: Done) -> None:
        """Write what became of each cell, as it ends."""
        try:
            with one_thread():
                for each in ended:
                    if not isinstance(each.error, Stopped):
                        done(cells[each.number], self._keep(cells[each.number], each))
        except BaseException:
            self.workbench.stop()
            raise
        finally:
            ended.close()

    def _write(self, cell: Cell, rows: pl.DataFrame) -> None:
        """Write the rows of a cell, also where the user interrupts just then: they took longer to compute."""
        try:
            self.results.write(cell, rows)
        except KeyboardInterrupt:
            self.results.write(cell, rows)
            raise

    def _keep(self, cell: Cell, ended: Ended[CellResult]) -> str:
        """Write what became of a cell; "" or the reason of its failure."""
        try:
            result = ended.result()
            if result.measured is not None:
                rows = (
                    result.measured.rows
                    if self.cluster is None
                    else self.workbench.add_latencies(cell, result.measured, self.cluster.quiet)
                )
                self._write(cell, rows)
                return ""
        except Exception as error:  # no worker could finish it, or it cannot be written
            result = CellResult(None, f"{type(error).__name__}: {error}", cell.model_dump_json(indent=1))
        self.results.write_failure(cell, result.trace)
        return result.reason

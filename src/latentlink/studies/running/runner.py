"""The runner: cells without a result, several at a time, each result written as soon as it is there.

Cells run in threads of this process, or by the workers of a cluster; this process writes all results. Cells that share pilots are run by
the same thread or worker where possible (see `execution.agenda`). Latencies are measured while all other cells pause, which a cluster
cannot promise: there they are refused.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

from latentlink.data.cache import EncodingProgress
from latentlink.execution.cluster import Cluster
from latentlink.execution.executor import Ended, Executor
from latentlink.execution.local import Threads
from latentlink.numerics.doors import integer
from latentlink.numerics.threads import one_thread
from latentlink.studies.result_files import Results
from latentlink.studies.running.cost import Estimates
from latentlink.studies.running.workbench import CellResult, Stopped, Workbench
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
    """

    results: Results
    jobs: int = 1
    device: str = "cpu"
    progress: EncodingProgress | None = None
    cluster: Cluster | None = None

    def __post_init__(self) -> None:
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

    def run(self, cells: Sequence[Cell], done: Done = lambda cell, reason: None) -> None:
        """Run all cells that have no result yet.

        Args:
            cells: of a study.
            done: callback for each cell that ended, with "" or the reason of its failure.

        Raises:
            KeyboardInterrupt: cells under way are lost, except for the checkpoint of their training.
            OSError: the cluster is lost; the results that arrived are stored.
            ValueError: the cells measure latencies, and shall run on a cluster.
            Exception: that loading a data set or an encoder of the package raises, which no cell can do without.
        """
        missing = [cell for cell in cells if not self.results.done(cell)]
        self._check_clock(missing)
        loads = {(cell.data, cell.encoders): cell for cell in missing}
        sound = {pair: self._loads(cell) for pair, cell in loads.items()}  # latents and head first, with all cores
        whole = [cell for cell in missing if sound[cell.data, cell.encoders]]
        if self.cluster is not None:
            for cell in whole:
                self.workbench.forget(cell.group)  # what estimates have made: workers make their own
        self._run([cell for cell in missing if not sound[cell.data, cell.encoders]], Threads(1), done)  # these fail at once
        self._run(whole, self.executor, done)

    def _check_clock(self, cells: Sequence[Cell]) -> None:
        """Refuse a clock that others may disturb."""
        timed = next((cell for cell in cells if "latency" in cell.metrics), None)
        if timed is not None and self.cluster is not None:
            others = ",".join(name for name in timed.metrics if name != "latency") or "accuracy"
            raise ValueError(
                "metrics must not have latency on a cluster, whose machines may be busy with other work while a link is timed: "
                f"add metrics=[{others}], or run the study without a cluster on a quiet machine"
            )

    def _run(self, cells: Sequence[Cell], executor: Executor, done: Done) -> None:
        if not cells:
            return
        ended = executor.run(self.workbench, cells, lambda cell: cell.group)
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

    def _keep(self, cell: Cell, ended: Ended[CellResult]) -> str:
        """Write what became of a cell; "" or the reason of its failure."""
        try:
            result = ended.result()
            if result.rows is not None:
                self.results.write(cell, result.rows)
                return ""
        except Exception as error:  # no worker could finish it, or it cannot be written
            result = CellResult(None, f"{type(error).__name__}: {error}", cell.model_dump_json(indent=1))
        self.results.write_failure(cell, result.trace)
        return result.reason

"""The workbench: what a process needs to compute cells, and keeps from one to the next.

Threads of one process share one; each worker of a cluster has a copy, which has the latents and heads of the client and makes moments and
modes itself. Every cell computes on one core, wherever it runs, so that results do not depend on it to the last bit. What cells of the
same pilots share is freed once other pilots are worked on.
"""

import threading
import traceback
from collections import Counter
from collections.abc import Callable, Container, Hashable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl
import torch

from latentlink.data.cache import EncodingProgress
from latentlink.execution.at_worker import is_given_up, worker_here
from latentlink.execution.executor import Executor
from latentlink.links.own import OwnTransceiver
from latentlink.storage.folders import cache_folder
from latentlink.studies.methods.method import Run
from latentlink.studies.running.measure import Measured, add_latencies, clock_of, measure
from latentlink.studies.shared import ScenarioData
from latentlink.studies.spec.cell import Cell
from latentlink.studies.spec.plug_in import PlugInError, blame
from latentlink.studies.thread_safe_cache import ThreadSafeCache

_PLACES = 1024  # more than there are threads


class Quiet:
    """A lock under which many work at once, or one works alone: a worker takes one place, one that works alone takes all of them."""

    def __init__(self) -> None:
        self._places, self._turn = threading.Semaphore(_PLACES), threading.Lock()

    @contextmanager
    def busy(self, places: int = 1) -> Iterator[None]:
        """Context of work beside others; it waits while somebody works alone."""
        with self._turn:
            for _ in range(places):
                self._places.acquire()
        try:
            yield
        finally:
            self._places.release(places)

    def alone(self) -> AbstractContextManager[None]:
        """Context of work alone: new work waits, and work under way ends first."""
        return self.busy(_PLACES)


class Stopped(Exception):  # noqa: N818 (not an error: the user asked for it)
    """The run was interrupted; training under way has a checkpoint."""


@dataclass(frozen=True, eq=False)
class CellResult:
    """What became of a cell that was run to its end.

    Attributes:
        measured: the result; None where the cell failed.
        reason: of the failure, in a sentence; "" where there is a result.
        trace: the traceback of the failure.
    """

    measured: Measured | None
    reason: str = ""
    trace: str = ""


@dataclass(frozen=True, eq=False)
class Order:
    """A cell for a worker of a cluster, which times no links.

    Attributes:
        cell: the cell.
        clocks: of links that need not be sent back, since others like them have been timed (see `measure.clock_of`).
    """

    cell: Cell
    clocks: Container[Hashable]


class TimedClocks:
    """The clocks that have been timed with a scenario: as many as there are when an order is sent."""

    def __init__(self, times: ThreadSafeCache, scenario: ScenarioData) -> None:
        self._times, self._scenario = times, scenario

    def __contains__(self, clock: Hashable) -> bool:
        return self._times.peek((clock, self._scenario)) is not None

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        return frozenset, ([clock for (clock, scenario), _ in self._times.items() if scenario is self._scenario],)


class Workbench:
    """Computes cells, one a call.

    Args:
        device: torch device.
        checkpoints: folder for the states of trainings under way; None is the cache folder of the machine that trains.
        progress: callback while latents are computed (see `data.cache.encode`).
        encoders: what images are encoded by, if not by this process.
    """

    def __init__(
        self, device: str, checkpoints: Path | None, progress: EncodingProgress | None = None, encoders: Executor | None = None
    ) -> None:
        self.device, self.checkpoints, self.progress, self.encoders = device, checkpoints, progress, encoders
        self.scenarios, self.latencies, self._quiet, self._stop = ThreadSafeCache(), ThreadSafeCache(), Quiet(), threading.Event()
        self._lock, self._recent, self._most = threading.Lock(), Counter[Any](), 1

    def __getstate__(self) -> dict[str, Any]:
        """What a worker begins with: the device and all latents."""
        loaded = {key: found for key, found in self.scenarios.items() if isinstance(found, ScenarioData)}
        return {"device": self.device, "scenarios": loaded}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(state["device"], None)  # type: ignore[misc]
        for key, scenario in state["scenarios"].items():
            self.scenarios.get(key, partial(scenario.to, self.device))

    def scenario(self, cell: Cell) -> ScenarioData:
        """Latents and head that the cell shares with all of its pair of devices.

        Raises:
            Exception: that loading and encoding raised once, for all cells of the pair.
        """

        def load() -> ScenarioData | Exception:
            try:
                return ScenarioData(
                    cell.data, cell.encoders, self.device, self.progress, self.encoders, cell.drift.scene, cell.network.scene
                )
            except Exception as error:
                return error

        found = self.scenarios.get(cell.scene, load)
        if isinstance(found, Exception):
            raise found
        return found

    def stop(self) -> None:
        """Let trainings under way end at their next checkpoint."""
        self._stop.set()

    def __call__(self, cell: Cell) -> CellResult:
        """Run a cell, in a thread of this process.

        Raises:
            Stopped: the run was interrupted.
        """
        return self._try(cell, self._measure_all)

    def fill(self, order: Order) -> CellResult:
        """Run a cell without timing its link, which is part of the result where its latencies are asked for and not known."""

        def measured(cell: Cell) -> Measured:
            found = self._measure(cell)
            if "latency" not in cell.metrics:
                return Measured(found.rows)
            if isinstance(found.link, OwnTransceiver):
                raise ValueError("metrics must not have latency for an own link on a cluster, which does not send it: leave latency out")
            clock = clock_of(found)
            return Measured(found.rows, clock=clock) if clock is not None and clock in order.clocks else found

        return self._try(order.cell, measured)

    def add_latencies(self, cell: Cell, measured: Measured, alone: Callable[[], AbstractContextManager[None]]) -> pl.DataFrame:
        """The rows of a cell, with the latencies of its link where they are asked for; they are measured in the context `alone`."""
        scenario = self.scenario(cell)
        return add_latencies(measured, scenario, self.latencies, alone) if "latency" in cell.metrics else measured.rows

    def _try(self, cell: Cell, compute: Callable[[Cell], Measured]) -> CellResult:
        torch.set_num_threads(1)  # each thread has a setting of its own
        try:
            with self.at_pilots_of(cell), blame(cell.method.own, everything=False) if cell.method.own else nullcontext():
                return CellResult(compute(cell))
        except Stopped:
            raise
        except Exception as error:  # one cell must not take the others with it
            worker = worker_here()
            where = f"\nat the worker {worker}\n" if worker else ""
            reason = str(error) if isinstance(error, PlugInError) else f"{type(error).__name__}: {error}"
            return CellResult(None, reason, f"{cell.model_dump_json(indent=1)}\n{where}\n{traceback.format_exc()}")

    def _measure_all(self, cell: Cell) -> Measured:
        return Measured(self.add_latencies(cell, self._measure(cell), self._quiet.alone))

    def _measure(self, cell: Cell) -> Measured:
        with self._quiet.busy():
            return measure(cell, self.scenario(cell), self.run_of(cell))

    def run_of(self, cell: Cell) -> Run:
        """The run of a cell by this process."""
        checkpoints = cache_folder() / "checkpoints" if self.checkpoints is None else self.checkpoints
        return Run(cell.seed, torch.device(self.device), checkpoints / f"{cell.id}.pt", self.watch)

    def watch(self, epoch: int, epochs: int, training: float, validation: float) -> None:
        """Callback of all trainings; raises Stopped once the run was interrupted."""
        if self._stop.is_set() or is_given_up():
            raise Stopped

    @contextmanager
    def at_pilots_of(self, cell: Cell) -> Iterator[None]:
        """Context of work with a cell's pilots. As many sets of pilots are kept as cells were ever under way together."""
        with self._lock:
            self._recent[cell.group] = self._recent.pop(cell.group, 0) + 1  # a dictionary's end is its latest entry
            self._most = max(self._most, sum(self._recent.values()))
            idle = [group for group, users in self._recent.items() if not users]
            for group in idle[: max(0, len(self._recent) - self._most)]:
                del self._recent[group]
                self.forget(group)
        try:
            yield
        finally:
            with self._lock:
                self._recent[cell.group] = self._recent.pop(cell.group) - 1

    def forget(self, group: Any) -> None:
        """Free what cells of a group shared."""
        *pair, pilots, seed = group
        found = self.scenarios.peek(tuple(pair))
        if isinstance(found, ScenarioData):
            found.forget(pilots, seed)

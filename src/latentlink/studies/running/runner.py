"""The runner: cells without a result, several at a time, each result written as soon as it is there.

Cells run in threads (joblib): the numerics release the interpreter, latents and modes are shared in memory, and every cell computes on one
core whatever the number of jobs, so that results do not depend on it to the last bit. Cells that share pilots are run one after another by
one worker, and their shared data are freed with the last of them. Latencies are measured while all other workers pause.

The time of training is estimated on a few steps, in as many threads as there are jobs, since they compete for caches and memory then, and
that of messages on a few of them.
"""

import threading
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

import torch
from joblib import Parallel, delayed

from latentlink.channels.channel import Channel
from latentlink.data.cache import EncodingProgress
from latentlink.evaluation.latency import latency
from latentlink.links.transceiver import Transceiver
from latentlink.numerics.doors import integer
from latentlink.numerics.threads import one_thread
from latentlink.studies.channels import channel_of
from latentlink.studies.methods.method import Run, Training
from latentlink.studies.result_files import Results
from latentlink.studies.running.measure import TIMED_MESSAGES, add_latencies, measure
from latentlink.studies.shared import ScenarioData, ThreadSafeCache
from latentlink.studies.spec.cell import Cell
from latentlink.studies.spec.plug_in import PlugInError, blame

Done = Callable[[Cell, str], None]
_PLACES = 1024  # more than there are threads
LINEAR_S = 0.4  # seconds that a cell without training is assumed to last, for the progress bar
_MESSAGES, _CALLS = 64, 3  # on which a link is measured


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


def seconds_of_message(link: Transceiver, x: torch.Tensor, channel: Channel) -> float:
    """Seconds of encoding and decoding one of many messages x on one thread."""
    measured = latency(link, x, channel, batch=_MESSAGES, repeats=_CALLS)
    return 1e-6 * (measured.encode_us + measured.decode_us)


@dataclass(frozen=True, eq=False)
class Runner:
    """Runs cells of a study into a folder of results.

    Attributes:
        results: the folder.
        jobs: cells at a time; results do not depend on it.
        device: torch device.
        progress: callback while latents are computed (see `data.cache.encode`).
    """

    results: Results
    jobs: int = 1
    device: str = "cpu"
    progress: EncodingProgress | None = None
    _scenarios: ThreadSafeCache = field(default_factory=ThreadSafeCache)
    _latencies: ThreadSafeCache = field(default_factory=ThreadSafeCache)
    _times: ThreadSafeCache = field(default_factory=ThreadSafeCache)
    _quiet: Quiet = field(default_factory=Quiet)
    _stop: threading.Event = field(default_factory=threading.Event)
    _counting: threading.Lock = field(default_factory=threading.Lock)
    _left: Counter[Any] = field(default_factory=Counter)  # cells to come that share pilots

    def __post_init__(self) -> None:
        integer("jobs", self.jobs)

    def scenario(self, cell: Cell) -> ScenarioData:
        """Latents and head that the cell shares with all of its pair of devices.

        Raises:
            Exception: that loading and encoding raised once, for all cells of the pair.
        """

        def load() -> ScenarioData | Exception:
            try:
                return ScenarioData(cell.data, cell.encoders, self.device, self.progress)
            except Exception as error:
                return error

        found = self._scenarios.get((cell.data, cell.encoders), load)
        if isinstance(found, Exception):
            raise found
        return found

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
        """Seconds that a cell should occupy a job; LINEAR_S where nothing is trained, or where measuring fails as the cell then will."""
        if not self._loads(cell):
            return 0.0
        try:
            return self._seconds_with_training(cell, self.scenario(cell)) if cell.method.is_trained else LINEAR_S
        except Exception:  # the cell itself will say why, and only this cell
            return LINEAR_S

    def _seconds_with_training(self, cell: Cell, scenario: ScenarioData) -> float:
        """A training for each channel, or one that falls to the first cell that needs it; every cell sends its messages."""
        channel = channel_of(cell.channel, cell.ofdm, cell.snr, cell.seed, torch.device(self.device))[:1]
        training = cell.method.training_for(scenario, cell.pilots, cell.seed, channel)
        size, trainings = (channel.n_tx, channel.n_rx, channel.uses), cell.channel.draws
        key = (scenario, training.key, None if training.serves_all_channels else size)
        if training.serves_all_channels:
            trainings = int(self._times.get(("first", key), lambda: cell.id) == cell.id and not training.is_done)
        seconds = trainings * self._times.get(key, lambda: self._measure(training)) if trainings else 0.0
        link = self._times.get(("link", key, size), training.untrained_link)
        message = self._times.get(("message", key, size), lambda: seconds_of_message(link, scenario.test.x, channel))
        messages = (1 + cell.method.gain_controlled) * len(scenario.test)
        if link.clock_key is None and "latency" in cell.metrics:
            messages += self.jobs * TIMED_MESSAGES
        return seconds + cell.channel.draws * messages * message

    def _measure(self, training: Training) -> float:
        def measure() -> float:
            torch.set_num_threads(1)  # each thread has a setting of its own
            return training.estimated_seconds()

        with one_thread():
            seconds: list[float] = Parallel(n_jobs=self.jobs, prefer="threads")(delayed(measure)() for _ in range(self.jobs))
        return sum(seconds) / len(seconds)

    def run(self, cells: Sequence[Cell], done: Done = lambda cell, reason: None) -> None:
        """Run all cells that have no result yet.

        Args:
            cells: of a study; those that share pilots should be neighbours.
            done: callback for each cell that ended, with "" or the reason of its failure.

        Raises:
            KeyboardInterrupt: cells under way are lost, except for the checkpoint of their training.
            Exception: that loading a data set or an encoder of the package raises, which no cell can do without.
        """
        missing = [cell for cell in cells if not self.results.done(cell)]
        self._left.update(cell.group for cell in missing)
        groups = [list(group) for _, group in groupby(missing, key=lambda cell: cell.group)]
        if not groups:
            return
        for cell in {(cell.data, cell.encoders): cell for cell in missing}.values():
            self._loads(cell)  # latents and head first, with all cores
        cuts = -(-self.jobs // len(groups))  # groups are only cut where there are too few for all jobs
        shares = [group[start::cuts] for group in groups for start in range(cuts) if group[start::cuts]]
        with one_thread():
            try:
                Parallel(n_jobs=self.jobs, prefer="threads")(delayed(self._group)(share, done) for share in shares)
            except KeyboardInterrupt:
                self._stop.set()
                raise

    def _group(self, cells: list[Cell], done: Done) -> None:
        torch.set_num_threads(1)  # each thread has a setting of its own
        for cell in cells:
            if self._stop.is_set():
                return
            reason = self._cell(cell)
            if reason is not None:
                done(cell, reason)
            with self._counting:
                self._left[cell.group] -= 1
                last = not self._left[cell.group]
            if last and self._loads(cell):
                self.scenario(cell).forget(cell.pilots, cell.seed)

    def _cell(self, cell: Cell) -> str | None:
        """Run a cell; "" or the reason of its failure, None where the run is interrupted."""
        try:
            scenario = self.scenario(cell)
            run = Run(cell.seed, torch.device(self.device), self.results.checkpoint(cell), self._watch)
            with blame(cell.method.own, everything=False) if cell.method.own else nullcontext():
                with self._quiet.busy():
                    result = measure(cell, scenario, run)
                rows = result.rows
                if "latency" in cell.metrics:
                    rows = add_latencies(result, scenario, self._latencies, self._quiet.alone)
            self.results.write(cell, rows)
        except Stopped:
            return None
        except Exception as error:  # one cell must not take the others with it
            self.results.write_failure(cell, f"{cell.model_dump_json(indent=1)}\n\n{traceback.format_exc()}")
            return str(error) if isinstance(error, PlugInError) else f"{type(error).__name__}: {error}"
        return ""

    def _watch(self, epoch: int, epochs: int, training: float, validation: float) -> None:
        if self._stop.is_set():
            raise Stopped

"""Estimates of how long cells will take: training is measured on a few steps, its links on a few messages.

Steps are measured in as many threads as there are jobs, since they compete for caches and memory then; latencies are measured alone, so
that all jobs wait for them.
"""

from dataclasses import dataclass, field

import torch
from joblib import Parallel, delayed

from latentlink.channels.channel import Channel
from latentlink.evaluation.latency import latency
from latentlink.links.transceiver import Transceiver
from latentlink.numerics.threads import one_thread
from latentlink.studies.channels import channel_of
from latentlink.studies.methods.method import Training
from latentlink.studies.running.measure import TIMED_MESSAGES
from latentlink.studies.shared import ScenarioData, ThreadSafeCache
from latentlink.studies.spec.cell import Cell

LINEAR_S = 0.4  # seconds that a cell without training is assumed to last, for the progress bar
_MESSAGES, _CALLS = 64, 3  # on which a link is measured


@dataclass(frozen=True, eq=False)
class TimeEstimates:
    """Seconds that a cell occupies one of `jobs`, each kind of cell measured once.

    Attributes:
        jobs: cells at a time.
        device: torch device.
    """

    jobs: int
    device: str
    _cache: ThreadSafeCache = field(default_factory=ThreadSafeCache)

    def seconds(self, cell: Cell, scenario: ScenarioData) -> float:
        """Training, evaluation and timing of a cell; LINEAR_S where nothing is trained, or where measuring fails as the cell then will."""
        try:
            channel = channel_of(cell.channel, cell.ofdm, cell.snr, cell.seed, torch.device(self.device))[:1]
            training = cell.method.training_for(scenario, cell.pilots, cell.seed, channel)
            return LINEAR_S if training is None else self._of_training(cell, scenario, training, channel)
        except Exception:  # the cell itself will say why, and only this cell
            return LINEAR_S

    def _of_training(self, cell: Cell, scenario: ScenarioData, training: Training, channel: Channel) -> float:
        """A training for each channel, or one that falls to the first cell that needs it; every cell sends its messages."""
        size, trainings = (channel.n_tx, channel.n_rx, channel.uses), cell.channel.draws
        key = (scenario, training.key, None if training.serves_all_channels else size)
        if training.serves_all_channels:
            trainings = int(self._cache.get(("first", key), lambda: cell.id) == cell.id and not training.is_done)
        seconds = trainings * self._cache.get(key, lambda: self._measure(training)) if trainings else 0.0
        link = self._cache.get(("link", key, size), training.untrained_link)
        message = self._cache.get(("message", key, size), lambda: seconds_of_message(link, scenario.test.x, channel))
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


def seconds_of_message(link: Transceiver, x: torch.Tensor, channel: Channel) -> float:
    """Seconds of encoding and decoding one of many messages x on one thread."""
    measured = latency(link, x, channel, batch=_MESSAGES, repeats=_CALLS)
    return 1e-6 * (measured.encode_us + measured.decode_us)

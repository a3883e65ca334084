"""How long cells will take, before they run.

The time of training is estimated on a few steps, in as many threads as there are jobs, since they compete for caches and memory then, and
that of messages on a few of them. All of it is measured on this machine, also where a cluster will run the cells.
"""

from collections.abc import Callable

import torch

from latentlink.channels.channel import Channel
from latentlink.evaluation.latency import latency
from latentlink.execution.local import Threads
from latentlink.links.transceiver import Transceiver
from latentlink.numerics.threads import one_thread
from latentlink.studies.channels import channel_of
from latentlink.studies.methods.method import Training
from latentlink.studies.running.measure import TIMED_MESSAGES
from latentlink.studies.shared import ScenarioData
from latentlink.studies.spec.cell import Cell
from latentlink.studies.thread_safe_cache import ThreadSafeCache

LINEAR_S = 0.4  # seconds that a cell without training is assumed to last, for the progress bar
_MESSAGES, _CALLS = 64, 3  # on which a link is measured


def seconds_of_message(link: Transceiver, x: torch.Tensor, channel: Channel) -> float:
    """Seconds of encoding and decoding one of many messages x on one thread."""
    measured = latency(link, x, channel, batch=_MESSAGES, repeats=_CALLS)
    return 1e-6 * (measured.encode_us + measured.decode_us)


class Estimates:
    """Seconds of cells; what cells have in common is measured once.

    Args:
        scenario: gives the latents of a cell.
        jobs: cells at a time on this machine.
        device: torch device.
    """

    def __init__(self, scenario: Callable[[Cell], ScenarioData], jobs: int, device: str) -> None:
        self._scenario, self._jobs, self._device = scenario, jobs, device
        self._times = ThreadSafeCache()

    def seconds(self, cell: Cell) -> float:
        """Seconds that a cell should occupy a job; LINEAR_S where nothing is trained, or where measuring fails as the cell then will."""
        if not cell.method.is_trained:
            return LINEAR_S
        try:
            return self._with_training(cell, self._scenario(cell))
        except Exception:  # the cell itself will say why, and only this cell
            return LINEAR_S

    def _with_training(self, cell: Cell, scenario: ScenarioData) -> float:
        """A training for each channel, or one that falls to the first cell that needs it; every cell sends its messages."""
        channel = channel_of(cell.channel, cell.ofdm, cell.snr, cell.seed, torch.device(self._device))[:1]
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
            messages += self._jobs * TIMED_MESSAGES
        return seconds + cell.channel.draws * messages * message

    def _measure(self, training: Training) -> float:
        def measure(_: int) -> float:
            torch.set_num_threads(1)  # each thread has a setting of its own
            return training.estimated_seconds()

        with one_thread():
            seconds = [ended.result() for ended in Threads(self._jobs).run(measure, range(self._jobs))]
        return sum(seconds) / len(seconds)

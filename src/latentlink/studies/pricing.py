"""What cells will take, told before they start: for training measured on a few steps, for its links on a few messages.

Steps are measured in as many threads as there are jobs, since they compete for caches and memory then; the clock of latencies runs alone,
so that all jobs wait for it.
"""

from dataclasses import dataclass, field, replace

import torch
from joblib import Parallel, delayed

from latentlink.channels.channel import Channel
from latentlink.latents.pilots import Pilots
from latentlink.neural.neural import Neural
from latentlink.studies.measuring import CLOCKED, channel_of
from latentlink.studies.methods import NeuralMethod
from latentlink.studies.shared import Once, World
from latentlink.studies.spec import Cell
from latentlink.tasks.complexity import latency, one_thread

LINEAR_S = 0.4  # what a cell without training is taken to cost, for the progress bar
_MESSAGES, _CALLS = 64, 3  # to price a link by


@dataclass(frozen=True, eq=False)
class Prices:
    """Seconds that a cell keeps one of `jobs` busy, each kind measured once."""

    jobs: int
    device: str
    _once: Once = field(default_factory=Once)

    def of(self, cell: Cell, world: World) -> float:
        """Of a cell: all epochs, the evaluation and the clock of each channel draw, or LINEAR_S where nothing is trained."""
        if not isinstance(cell.method, NeuralMethod):
            return LINEAR_S
        classes = int(world.candidates.labels.max()) + 1
        count = len(world.candidates) if cell.pilots.per_class is None else cell.pilots.per_class * classes
        pilots = world.candidates[: min(count, len(world.candidates))]
        channel = channel_of(cell.channel, cell.snr, cell.seed, torch.device(self.device))[:1]
        network, shape = replace(cell.method.network(0), pruning=None), (channel.n_tx, channel.n_rx, channel.uses)
        training = self._once.get((world, len(pilots), network, shape), lambda: self._training(network, pilots, channel))
        message = self._once.get((world, network, shape), lambda: _message(network, pilots, channel))
        clock = self.jobs * CLOCKED * message if "latency" in cell.metrics else 0.0
        return cell.channel.draws * (training + len(world.test) * message + clock)

    def _training(self, network: Neural, pilots: Pilots, channel: Channel) -> float:
        def measure() -> float:
            torch.set_num_threads(1)  # each thread has a setting of its own
            return network.price(pilots, channel)

        with one_thread():
            seconds: list[float] = Parallel(n_jobs=self.jobs, prefer="threads")(delayed(measure)() for _ in range(self.jobs))
        return sum(seconds) / len(seconds)


def _message(network: Neural, pilots: Pilots, channel: Channel) -> float:
    """Seconds of encoding and decoding one of many messages on one thread, with weights as they begin."""
    taken = latency(network.untrained(pilots, channel), pilots.x, channel, _MESSAGES, _CALLS)
    return 1e-6 * (taken.encode_us + taken.decode_us)

"""What cells will take, told before they start: for training measured on a few steps, for its links on a few messages.

Steps are measured in as many threads as there are jobs, since they compete for caches and memory then; the clock of latencies runs alone,
so that all jobs wait for it.
"""

from collections.abc import Hashable
from dataclasses import dataclass, field, replace

import torch
from joblib import Parallel, delayed

from latentlink.channels.channel import Channel
from latentlink.evaluation.latency import latency
from latentlink.latents.pilots import Pilots
from latentlink.links.transceiver import Transceiver
from latentlink.neural.paper.design import Neural
from latentlink.numerics.threads import one_thread
from latentlink.studies.channels import channel_of
from latentlink.studies.methods.codec import CodecMethod
from latentlink.studies.methods.linear import NeuralMethod
from latentlink.studies.running.measure import CLOCKED
from latentlink.studies.shared import Once, World
from latentlink.studies.spec.study import Cell

LINEAR_S = 0.4  # what a cell without training is taken to cost, for the progress bar
_MESSAGES, _CALLS = 64, 3  # to price a link by
_PASSES = 2  # of all messages, for the gain control and the evaluation together


@dataclass(frozen=True, eq=False)
class Prices:
    """Seconds that a cell keeps one of `jobs` busy, each kind measured once."""

    jobs: int
    device: str
    _once: Once = field(default_factory=Once)
    _seen: set[Hashable] = field(default_factory=set)

    def of(self, cell: Cell, world: World) -> float:
        """Of a cell: all epochs, the evaluation and the clock of each channel draw, or LINEAR_S where nothing is trained."""
        if isinstance(cell.method, CodecMethod):
            return self._codec(cell, cell.method, world)
        if not isinstance(cell.method, NeuralMethod):
            return LINEAR_S
        classes = int(world.candidates.require_labels().max()) + 1
        count = len(world.candidates) if cell.pilots.per_class is None else cell.pilots.per_class * classes
        pilots = world.candidates[: min(count, len(world.candidates))]
        channel = channel_of(cell.channel, cell.ofdm, cell.snr, cell.seed, torch.device(self.device))[:1]
        network, shape = replace(cell.method.network(0), pruning=None), (channel.n_tx, channel.n_rx, channel.uses)
        training = self._once.get((world, len(pilots), network, shape), lambda: self._training(network, pilots, channel))
        message = self._once.get((world, network, shape), lambda: _message(network, pilots, channel))
        clock = self.jobs * CLOCKED * message if "latency" in cell.metrics else 0.0
        return cell.channel.draws * (training + len(world.test) * message + clock)

    def _codec(self, cell: Cell, method: CodecMethod, world: World) -> float:
        """The training falls to the first cell that needs it, unless it was done before; every cell sends its messages a few times over."""
        known = world.known(cell.pilots, cell.seed)
        settings, (modes, pilots, objective) = method.training(cell.seed), method.wanted(known)
        channel = channel_of(cell.channel, cell.ofdm, cell.snr, cell.seed, torch.device(self.device))
        kind = (world, cell.pilots, cell.seed, method.model_dump_json(exclude={"label"}))

        def measure() -> float:
            with one_thread():
                return settings.estimated_seconds(modes, pilots, objective)

        first = kind not in self._seen
        self._seen.add(kind)
        training = self._once.get(kind, measure) if first and not method.kept(known, cell.seed) else 0.0
        size = (channel.n_tx, channel.n_rx, channel.uses)
        one = self._once.get(
            (kind, size), lambda: _through(settings.untrained(modes, pilots).design(channel[0]).transceiver, pilots, channel[0])
        )
        return training + _PASSES * one * len(world.test) * cell.channel.draws

    def _training(self, network: Neural, pilots: Pilots, channel: Channel) -> float:
        def measure() -> float:
            torch.set_num_threads(1)  # each thread has a setting of its own
            return network.estimated_seconds(pilots, channel)

        with one_thread():
            seconds: list[float] = Parallel(n_jobs=self.jobs, prefer="threads")(delayed(measure)() for _ in range(self.jobs))
        return sum(seconds) / len(seconds)


def _message(network: Neural, pilots: Pilots, channel: Channel) -> float:
    """Seconds of encoding and decoding one of many messages on one thread, with weights as they begin."""
    return _through(network.untrained(pilots, channel), pilots, channel)


def _through(link: Transceiver, pilots: Pilots, channel: Channel) -> float:
    taken = latency(link, pilots.x, channel, batch=_MESSAGES, repeats=_CALLS)
    return 1e-6 * (taken.encode_us + taken.decode_us)

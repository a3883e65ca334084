"""Estimates of how long cells will take: training is measured on a few steps, its links on a few messages.

Steps are measured in as many threads as there are jobs, since they compete for caches and memory then; latencies are measured alone, so
that all jobs wait for them.
"""

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
from latentlink.studies.methods.neural import NeuralMethod
from latentlink.studies.running.measure import TIMED_MESSAGES
from latentlink.studies.shared import ScenarioData, ThreadSafeCache
from latentlink.studies.spec.cell import Cell

LINEAR_S = 0.4  # seconds that a cell without training is taken to last, for the progress bar
_MESSAGES, _CALLS = 64, 3  # on which a link is measured
_PASSES = 2  # of all messages, for the gain control and the evaluation together


@dataclass(frozen=True, eq=False)
class TimeEstimates:
    """Seconds that a cell keeps one of `jobs` busy, each kind of cell measured once.

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
            if isinstance(cell.method, CodecMethod):
                return self._codec(cell, cell.method, scenario)
            if isinstance(cell.method, NeuralMethod):
                return self._neural(cell, cell.method, scenario)
        except Exception:  # the cell itself will say why, and only this cell
            return LINEAR_S
        return LINEAR_S

    def _neural(self, cell: Cell, method: NeuralMethod, scenario: ScenarioData) -> float:
        """All epochs, the evaluation and the timing of each channel draw."""
        classes = int(scenario.candidates.require_labels().max()) + 1
        pilots = scenario.candidates[: None if cell.pilots.per_class is None else cell.pilots.per_class * classes]
        channel = self._first_channel(cell)
        network, shape = replace(method.network(0), pruning=None, budget=None), (channel.n_tx, channel.n_rx, channel.uses)
        training = self._cache.get((scenario, len(pilots), network, shape), lambda: self._training(network, pilots, channel))
        message = self._cache.get(
            (scenario, network, shape), lambda: seconds_of_message(network.untrained(pilots, channel), pilots, channel)
        )
        timing = self.jobs * TIMED_MESSAGES * message if "latency" in cell.metrics else 0.0
        return cell.channel.draws * (training + len(scenario.test) * message + timing)

    def _codec(self, cell: Cell, method: CodecMethod, scenario: ScenarioData) -> float:
        """The training falls to the first cell that needs it, unless it was done before; every cell sends its messages a few times over."""
        known = scenario.known(cell.pilots, cell.seed)
        settings = method.training(cell.seed)
        modes, pilots, objective = method.inputs(known)
        channel = self._first_channel(cell)
        kind = (scenario, cell.pilots, cell.seed, method.model_dump_json(exclude={"label"}))

        def measure() -> float:
            with one_thread():
                return settings.estimated_seconds(modes, pilots, objective)

        first = self._cache.get(("first", kind), lambda: cell.id) == cell.id
        training = self._cache.get(kind, measure) if first and not method.kept(known, cell.seed).is_file() else 0.0
        size = (channel.n_tx, channel.n_rx, channel.uses)
        message = self._cache.get(
            (kind, size), lambda: seconds_of_message(settings.untrained(modes, pilots).design(channel).transceiver, pilots, channel)
        )
        return training + _PASSES * message * len(scenario.test) * cell.channel.draws

    def _first_channel(self, cell: Cell) -> Channel:
        return channel_of(cell.channel, cell.ofdm, cell.snr, cell.seed, torch.device(self.device))[:1]

    def _training(self, network: Neural, pilots: Pilots, channel: Channel) -> float:
        def measure() -> float:
            torch.set_num_threads(1)  # each thread has a setting of its own
            return network.estimated_seconds(pilots, channel)

        with one_thread():
            seconds: list[float] = Parallel(n_jobs=self.jobs, prefer="threads")(delayed(measure)() for _ in range(self.jobs))
        return sum(seconds) / len(seconds)


def seconds_of_message(link: Transceiver, pilots: Pilots, channel: Channel) -> float:
    """Seconds of encoding and decoding one of many messages on one thread."""
    measured = latency(link, pilots.x, channel, batch=_MESSAGES, repeats=_CALLS)
    return 1e-6 * (measured.encode_us + measured.decode_us)

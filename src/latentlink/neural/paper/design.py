"""The paper's neural design: a complex MLP at either end, trained for one channel matrix with the mean squared error [pandolfo2025latent].

Differences from its published code, each to be fair or sound: latents are centred by the pilots' means (a bias that costs no power) and
scaled by one number instead of message by message, so that neither their mean hides what differs nor their norm is lost; weights have
random imaginary parts; noise is drawn at 0 dB, too; what is counted, evaluated and delivered are the same weights.
"""

import math
from collections.abc import Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, fields
from pathlib import Path
from typing import NamedTuple, get_args

import torch

from latentlink.budget import Budget
from latentlink.channels.channel import Channel
from latentlink.evaluation.latency import median_us
from latentlink.latents.pilots import Pilots
from latentlink.links.shapes import check_channel
from latentlink.links.solution import Solution
from latentlink.links.status import Status
from latentlink.neural.paper.layers import ComplexMlp, at_budget
from latentlink.neural.paper.loop import Pair, PairLoop, PairSchedule
from latentlink.neural.paper.pruning import Pruning, pruning_for
from latentlink.neural.paper.scaling import ScaledPilots, SharedPilots
from latentlink.neural.paper.together import train_together
from latentlink.neural.paper.transceiver import ACTIVATION_FLOPS, Network, NeuralTransceiver
from latentlink.neural.seeding import NetworkDraw
from latentlink.neural.training_loop import Checkpoint, Precision, TrainingProgress, progress_callback
from latentlink.numerics.doors import choice, integer, real
from latentlink.numerics.gradients import with_gradients
from latentlink.numerics.identity import identity_of

TIMED_CALLS = 3  # steps by which the time of a training is estimated
_DEPENDS_ON = "settings, pilots and channel"  # what a checkpoint must have in common with a training
GROWN = 3.0  # diverged: the training error is this many times that of the first epoch, and no epoch was better than no training

TRAINED = Status("trained", "feasible: trained until validation stopped improving; no optimum is known")
UNDERTRAINED = Status("undertrained", "feasible, but validation was still improving when the epochs ran out: raise epochs")
TRAINING_DIVERGED = Status("training diverged", "feasible, the best networks before training diverged: lower learning_rate")


@dataclass(frozen=True, kw_only=True)
class Neural(PairSchedule):
    """Complex MLPs trained for one channel, each message at the whole power budget.

    Attributes:
        hidden_tx: complex units of the precoder's hidden layers; None for d, as published.
        hidden_rx: complex units of the decoder's hidden layers; None for m, as published.
        layers: number of hidden layers of each network.
        epochs: number of epochs at most.
        batch_size: number of pilots of a step.
        learning_rate: learning rate of Adam.
        patience: epochs without a lower validation error before training ends.
        validation: share of the pilots that is held back to stop by.
        pruning: what prunes after each epoch, HardThreshold(λ) or SoftThreshold(λ); None prunes by the budget alone.
        budget: budget.Weights(share) or budget.Flops(flops), met by leaving out single weights; None leaves out none.
        precision: precision of the matrix products in training; "auto" is bfloat16 where the device has it in hardware (weights stay
            float32), else float32. The delivered link is float32.
        seed: seed of weights, order, noise and split.

    Raises:
        ValueError: an attribute is out of range, which the message names.

    References:
        [pandolfo2025latent]

    Example:
        >>> import torch, latentlink as ll
        >>> x = torch.randn(500, 8, generator=torch.Generator().manual_seed(0))
        >>> channel = ll.Channel.from_snr(ll.rayleigh(2, 2, generator=0), snr_db=20.0)
        >>> design = ll.Neural(hidden_tx=8, hidden_rx=8, epochs=2, precision="float32", budget=ll.budget.Weights(0.5))
        >>> design.design(ll.Pilots(x, x[:, :6].tanh()), channel, progress=None).trace["density"].shape
        torch.Size([2])
    """

    hidden_tx: int | None = None
    hidden_rx: int | None = None
    layers: int = 1
    validation: float = 0.1
    pruning: Pruning | None = None
    budget: Budget | None = None

    def __post_init__(self) -> None:
        for name in ("hidden_tx", "hidden_rx"):
            if getattr(self, name) is not None:
                integer(name, getattr(self, name))
        for name in ("layers", "epochs", "batch_size", "patience"):
            integer(name, getattr(self, name))
        real("learning_rate", self.learning_rate, above=0.0)
        real("validation", self.validation, above=0.0, below=1.0)
        pruning_for(self.pruning, self.budget, 0, 1)
        choice("precision", self.precision, get_args(Precision))
        integer("seed", self.seed, 0, 2**32 - 1)

    @with_gradients
    def design(
        self,
        pilots: Pilots,
        channel: Channel,
        *,
        checkpoint: Path | str | None = None,
        progress: TrainingProgress | bool | None = True,
    ) -> Solution[NeuralTransceiver]:
        """Train for the channel (`channel.unaware()` for the paper's channel-unaware variant).

        Args:
            pilots: latents at both ends, at least two.
            channel: one channel, of batch () or (1,), with any number of uses; where it is known up to an error only, that error acts as
                noise that the signal brings along, fresh in each use.
            checkpoint: file that holds the state while training (every few seconds, and where `progress` raises); if it is there, training
                goes on from it to the same end. Removed at the end.
            progress: callback after each epoch with (epoch, epochs, training error, validation error), errors being total squared errors;
                True for a line on the terminal, or in a log one every 30 s at most; False or None for nothing.

        Returns:
            Solution whose `expected_mse` is the error on validation pilots, which the choice of the best epoch makes a little optimistic;
            every message has the power of the budget. `trace` holds, by epoch (e,), `training_mse`, `validation_mse` and `density` (the
            share of weights left), and `best_epoch` (), which is delivered.

        Raises:
            ValueError: pilots or channel are of another type or size, on different devices, the checkpoint is of another training, or the
                budget of operations is below what is needed without any weight.
        """
        training = NeuralTraining.of(self, pilots, channel)
        loop, show = training.loop, progress_callback(progress, "training the networks")
        with training.stored(checkpoint) as state:
            if training.can_send:
                loop.run(None if show is None else lambda: training.show(show), state)
        return training.solution()

    @with_gradients
    def estimated_seconds(self, pilots: Pilots, channel: Channel) -> float:
        """Time in seconds that all epochs would take here, estimated from a few steps; raises as `design`."""
        loop, _ = self.untrained_loop(pilots, channel)
        rows = torch.arange(min(self.batch_size, len(loop.data)), device=loop.device)
        step = median_us(lambda: loop.step(rows), TIMED_CALLS, loop.device)
        validation = median_us(loop.validate, TIMED_CALLS, loop.device)
        return self.epochs * (step * math.ceil(len(loop.data) / self.batch_size) + validation) / 1e6

    def untrained(self, pilots: Pilots, channel: Channel) -> NeuralTransceiver:
        """The link with weights as training begins, which takes as long to run as a trained one with no zeros; raises as `design`."""
        loop, scaled = self.untrained_loop(pilots, channel)
        return _link(loop.pair, scaled, pilots, channel)

    def untrained_loop(self, pilots: Pilots, channel: Channel, data: ScaledPilots | None = None) -> tuple[PairLoop, ScaledPilots]:
        """Untrained networks with the data that they are for, which may have been made before; raises as `design`."""
        check_channel(channel, pilots.x)
        if tuple(channel.batch) not in ((), (1,)):
            raise ValueError(f"channel must be one channel (a network is trained for each), got a batch {tuple(channel.batch)}")
        if len(pilots) < 2:
            raise ValueError(f"pilots must be at least 2, one of them to stop by, got {len(pilots)}")
        d, m, device = pilots.x.shape[1], pilots.y.shape[1], channel.h.device
        scaled = data or ScaledPilots.of(pilots, self.validation, self.seed, device)
        weights = NetworkDraw.WEIGHTS.generator(self.seed)
        sent, received = channel.uses * channel.n_tx, channel.uses * channel.n_rx
        precoder = [scaled.split.x.shape[-1], *[self.hidden_tx or d] * self.layers, sent]
        decoder = [received, *[self.hidden_rx or m] * self.layers, scaled.split.y.shape[-1]]
        pair = Pair(ComplexMlp(precoder, weights), ComplexMlp(decoder, weights), channel).to(device)
        fixed = ACTIVATION_FLOPS * (sum(precoder[1:-1]) + sum(decoder[1:-1])) + 2 * d + 2 * m + 6 * sent + 1
        pruning = pruning_for(self.pruning, self.budget, fixed, sum(layer.mask.numel() for layer in pair.linears()))
        return PairLoop(pair, scaled.split, self, pruning), scaled


class NeuralJob(NamedTuple):
    """A design of `design_together`: its settings, what it is for, and the file that holds its state while training, if any."""

    network: Neural
    pilots: Pilots
    channel: Channel
    checkpoint: Path | None = None


@with_gradients
def design_together(jobs: Sequence[NeuralJob], progress: TrainingProgress | None = None) -> list[Solution[NeuralTransceiver]]:
    """Train networks for many channels, SNRs, seeds or thresholds, those of one shape as one batch (see `together`).

    Args:
        jobs: one design each; equal pilots and seeds share their latents in memory.
        progress: callback after each epoch of each network with (epoch, epochs, training error, validation error).

    Returns:
        The solutions that `Neural.design` gives for each, up to the rounding of products.

    Raises:
        ValueError: as `Neural.design`.
    """
    shared: SharedPilots = {}
    trainings = [NeuralTraining.of_job(job, shared) for job in jobs]
    by_loop = {id(training.loop): training for training in trainings}
    with ExitStack() as stack:
        states = [stack.enter_context(training.stored(job.checkpoint)) for training, job in zip(trainings, jobs, strict=True)]
        able = [(training.loop, state) for training, state in zip(trainings, states, strict=True) if training.can_send]
        train_together(
            [loop for loop, _ in able],
            [state for _, state in able],
            None if progress is None else lambda loop: by_loop[id(loop)].show(progress),
        )
    return [training.solution() for training in trainings]


@dataclass(frozen=True, eq=False)
class NeuralTraining:
    """A training with all that makes a solution of it.

    Attributes:
        network: the settings.
        loop: the training.
        scaled: the pilots as the networks see them.
        pilots: the pilots as they came.
        channel: the channel that the networks are for.
    """

    network: Neural
    loop: PairLoop
    scaled: ScaledPilots
    pilots: Pilots
    channel: Channel

    @classmethod
    def of(cls, network: Neural, pilots: Pilots, channel: Channel, data: ScaledPilots | None = None) -> "NeuralTraining":
        """A training that has not begun; raises as `Neural.design`."""
        loop, scaled = network.untrained_loop(pilots, channel, data)
        return cls(network, loop, scaled, pilots, channel)

    @classmethod
    def of_job(cls, job: NeuralJob, shared: SharedPilots) -> "NeuralTraining":
        """The training of a job, which has in common what `shared` holds, and adds to it; raises as `Neural.design`."""
        key = (id(job.pilots), job.network.seed, job.network.validation)
        training = cls.of(job.network, job.pilots, job.channel, shared.get(key))
        shared[key] = training.scaled
        return training

    @property
    def can_send(self) -> bool:
        """False where nothing reaches the receiver, whatever is trained."""
        return bool((self.channel.power > 0).all() and (self.channel.h != 0).any())

    @property
    def factor(self) -> float:
        """What errors of scaled latents are multiplied by."""
        return float(self.scaled.scale_y) ** 2

    def stored(self, checkpoint: Path | str | None) -> AbstractContextManager[Checkpoint | None]:
        """Context with the checkpoint of this training in a file, which is removed at its end."""
        return Checkpoint.at(checkpoint, self._identity, self.loop.device, _DEPENDS_ON)

    def checkpoint(self, path: Path) -> Checkpoint:
        """The checkpoint of this training in a file, which stays there."""
        return Checkpoint(path, self._identity(), self.loop.device, _DEPENDS_ON)

    def _identity(self) -> str:
        settings = [(field.name, getattr(self.network, field.name)) for field in fields(self.network)]
        return identity_of(settings, self.loop.dtype, self.pilots.x, self.pilots.y, self.channel)

    def show(self, progress: TrainingProgress) -> None:
        """Call back with the epoch that has ended."""
        loop = self.loop
        progress(loop.round, loop.rounds, self.factor * loop.history["training"][-1], self.factor * loop.history["validation"][-1])

    def solution(self) -> Solution[NeuralTransceiver]:
        """The trained link with what was measured of it."""
        if not self.can_send:
            for parameter in self.loop.pair.parameters():
                parameter.data.zero_()
        return _solution(self.loop, _link(self.loop.pair, self.scaled, self.pilots, self.channel), self.factor)


def _link(pair: Pair, scaled: ScaledPilots, pilots: Pilots, channel: Channel) -> NeuralTransceiver:
    mean_x, mean_y = (latents.detach().double().mean(0).float() for latents in (pilots.x, pilots.y))
    precoder, decoder = Network.of(pair.precoder), Network.of(pair.decoder)
    return NeuralTransceiver(precoder, decoder, mean_x, mean_y, scaled.scale_x, scaled.scale_y, channel.to(torch.float32))


def _solution(loop: PairLoop, link: NeuralTransceiver, factor: float) -> Solution[NeuralTransceiver]:
    """The link with what was measured of it on validation pilots, in float32."""
    channel, data, losses = link.channel, loop.data, loop.history["training"]
    status = TRAINED if loop.converged else UNDERTRAINED
    if loop.diverged or (losses and loop.best_round == 0 and losses[-1] > GROWN * losses[0]):
        status = TRAINING_DIVERGED
    if link.precoder.silent:
        status = Status.NOTHING_TO_SEND
    with torch.no_grad():
        sent = at_budget(loop.pair.precoder(data.x_val), loop.pair.budget)
    trace = {
        "training_mse": factor * loop.series("training"),
        "validation_mse": factor * loop.series("validation"),
        "density": loop.series("density"),
        "best_epoch": torch.tensor(loop.best_round, device="cpu"),
    }
    return Solution(
        link,
        torch.full_like(channel.power, status.code, dtype=torch.int64),
        torch.full_like(channel.power, factor * loop.validate(dtype=torch.float32)),
        torch.full_like(channel.power, float(sent.square().sum()) / (channel.uses * sent.shape[1])),
        trace,
    )

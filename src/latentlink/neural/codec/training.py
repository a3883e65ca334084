"""From pilots to a codec: settings, the untrained codec that is the exact linear design, training, pruning, and the gate.

Before training the codec *is* the exact linear design at every channel. In the end validation pilots are sent over fresh channels by the
codec and by the linear design, with the same noise; the gate (`gate.py`) opens for the kinds of channels where the codec scored higher,
if it did so over all pilots.
"""

import math
from dataclasses import dataclass, field, fields, replace
from functools import partial
from pathlib import Path
from typing import NamedTuple, get_args

import torch
from torch import Tensor

from latentlink.channels.draws import ChannelDraws, ChannelSource
from latentlink.evaluation.latency import median_us
from latentlink.latents.pilots import Pilots
from latentlink.linear.modes import SemanticModes, check_pair
from latentlink.links.shapes import check_latents
from latentlink.neural.codec.calibration import Calibration, measured
from latentlink.neural.codec.cross_fitting import cross_fitted_coordinates
from latentlink.neural.codec.design import Codec
from latentlink.neural.codec.examples import Augmentation, Examples, draw_bank, split
from latentlink.neural.codec.gate import Gate
from latentlink.neural.codec.loop import CodecLoop, CodecSchedule, loss_and_score
from latentlink.neural.codec.networks import ModulatedMlp
from latentlink.neural.codec.power_fit import LEAST_CHANNELS, PowerFit
from latentlink.neural.codec.pruning import check_cost, cost_of
from latentlink.neural.seeding import CodecDraw
from latentlink.neural.training_loop import Checkpoint, Precision, ScalarLogger, TrainingProgress, progress_callback
from latentlink.numerics.doors import AnyArray, choice, integer, real
from latentlink.numerics.gradients import with_gradients
from latentlink.numerics.identity import identity_of
from latentlink.numerics.reprs import Summarised
from latentlink.power import Mean, PerMessage, PowerLimit
from latentlink.tasks.objectives import Objective

GATED = 256  # validation pilots at most that set the gate
CALIBRATED = 256  # pilots that the codec carries to set its power by
POWERED, FITTED = 512, 1024  # held-back pilots and channels to which its power is fitted
TIMED_STEPS, TIMED_CHANNELS = 3, 1024  # steps by which the time of a training is estimated, and channels for them
IDENTIFYING = 256  # channels drawn by which distributions are distinguished


@dataclass(frozen=True, eq=False)
class CodecFit(Summarised):
    """A trained codec, and how it came about.

    Attributes:
        codec: ready for any channel.
        trace: by round (r,) `training_loss`, `validation_loss` and `validation_score`; `best_round` (), which is delivered, and `open` (),
            the share of the channels drawn for it on which the gate is open.
    """

    codec: Codec
    trace: dict[str, Tensor]


class BankSizes(NamedTuple):
    """Numbers of channels that are drawn.

    Attributes:
        train: channels to train on.
        validate: channels to validate on after each round.
        gate: channels to set the gate by.
    """

    train: int = 16384
    validate: int = 256
    gate: int = 4096


@dataclass(frozen=True, kw_only=True)
class CodecTraining(CodecSchedule):
    """How a codec is built and trained; `fit` does it, `untrained` gives what it starts from.

    Attributes:
        modes: k, number of semantic modes that the networks work in.
        width: number of hidden units of each layer.
        layers: number of hidden layers of each network.
        max_symbols: complex symbols that a message may take, u · min(n_rx, n_tx).
        draws: the channels it is to serve, `ChannelDraws` or anything with its `draw`.
        power: the power limit, `power.Mean()`, `power.Mean(peak=...)` or `power.PerMessage()`.
        rounds: number of rounds at most.
        steps: number of steps of each round.
        channels: number of channels of each step.
        messages: number of pilots of each step.
        learning_rate: greatest learning rate of AdamW.
        patience: rounds without a lower validation loss before training ends.
        dropout: share of hidden units dropped in training.
        weight_decay: weight decay of AdamW.
        augmentation: how pilots are varied, against too few of them.
        folds: number of folds; above 1, coordinates of pilots are by modes made without them (`cross_fitted_coordinates`).
        validation: share of the pilots that is held back to stop by and to set the gate by.
        margin: standard errors over channels of a kind by which the codec must be ahead of the linear design to be used there.
        budget: `budget.Flops(flops)` or `budget.Latency(microseconds)`, met by leaving out whole units halfway; None leaves out none.
        bank: numbers of channels to train on, to validate on, and to set the gate by (`BankSizes`).
        precision: precision of the matrix products in training; "auto" is bfloat16 where the device has it in hardware, else float32.
        seed: seed of weights, split, channels, order and noise.

    Raises:
        ValueError: an attribute is out of range, which the message names.

    Example:
        >>> import latentlink as ll
        >>> ll.CodecTraining(power=ll.power.Mean(peak=2.0), budget=ll.budget.Flops(6e5), rounds=10)
        CodecTraining(rounds=10, budget=Flops(flops=600000), power=Mean(peak=2.0))
    """

    modes: int = 128
    width: int = 256
    layers: int = 2
    max_symbols: int = 16
    draws: ChannelSource = field(default_factory=ChannelDraws)
    power: PowerLimit = field(default_factory=Mean)
    augmentation: Augmentation = field(default_factory=Augmentation)
    folds: int = 1
    validation: float = 0.1
    margin: float = 2.0
    bank: tuple[int, int, int] = BankSizes()

    def __post_init__(self) -> None:
        for name in ("modes", "width", "layers", "max_symbols", "rounds", "steps", "channels", "messages", "patience", "folds"):
            integer(name, getattr(self, name))
        real("learning_rate", self.learning_rate, above=0.0)
        real("validation", self.validation, above=0.0, below=1.0)
        real("dropout", self.dropout, least=0.0, below=1.0)
        for name in ("weight_decay", "margin"):
            real(name, getattr(self, name), least=0.0)
        if not isinstance(self.power, Mean | PerMessage):
            expected = "Mean(), Mean(peak=...) or PerMessage() in a codec"
            raise ValueError(f"power must be {expected}, got {self.power!r}: use ClosedForm or Admm for others")
        if self.budget is not None:
            cost_of(self.budget)
        if len(self.bank) != len(BankSizes._fields):
            raise ValueError(f"bank must be BankSizes(train, validate, gate), three numbers of channels, got {self.bank!r}")
        sizes = BankSizes(*self.bank)
        object.__setattr__(self, "bank", BankSizes(*(integer(f"bank.{name}", size) for name, size in sizes._asdict().items())))
        choice("precision", self.precision, get_args(Precision))
        integer("seed", self.seed, 0, 2**31 - 1)

    def untrained(self, modes: SemanticModes, pilots: Pilots) -> Codec:
        """The codec before training, on for every channel: at each it is `ClosedForm().design(modes, channel)` (with `power.Mean()`).

        Args:
            modes: all semantic modes of the pair, for the goal that the linear part should have.
            pilots: paired latents, of which some are carried to set the power by.

        Raises:
            ValueError: modes or pilots are of another type, on different devices, or do not fit.
        """
        check_pair(modes, pilots)
        k, most = min(self.modes, len(modes)), 2 * self.max_symbols
        k -= 0 if modes.widely_linear else k % 2  # complex-linear modes come in pairs
        if k < min(most, len(modes)):
            raise ValueError(f"modes must be at least {min(most, len(modes))}, what the linear design may send, got {self.modes}")
        strongest, device = modes.truncated(k), modes.strength.device
        weights = CodecDraw.WEIGHTS.generator(self.seed)
        networks = [ModulatedMlp([a, *[self.width] * self.layers, b], 2 * most, weights) for a, b in ((k, most), (most, k))]
        encoder, decoder = (network.to(device).requires_grad_(False).eval() for network in networks)
        some = pilots[torch.randperm(len(pilots), generator=CodecDraw.CALIBRATION.generator(self.seed), device="cpu")[:CALIBRATED]]
        every = torch.arange(k, device=device)
        return Codec(
            modes=strongest,
            encoder=encoder,
            decoder=decoder,
            inputs=every,
            outputs=every,
            calibration=Calibration.of(strongest, some.x, some.y),
            gate=Gate.always(),
            limit=self.power,
            ceiling=torch.full((self.max_symbols + 1,), math.inf, device=device, dtype=torch.float32),
            most=most,
        )

    @with_gradients
    def fit(
        self,
        modes: SemanticModes,
        pilots: Pilots,
        objective: Objective,
        *,
        unpaired: AnyArray | None = None,
        checkpoint: Path | str | None = None,
        progress: TrainingProgress | bool | None = True,
        logger: ScalarLogger | None = None,
    ) -> CodecFit:
        """Train a codec for a pair of devices; the `CodecFit` that is returned holds it and how its training went.

        Args:
            modes: all semantic modes of the pair, for the goal that the linear part should have.
            pilots: paired latents, at least four; their labels are not used.
            objective: what the receiver wants: HeadDivergence(head), Regression(head), Cosine(), Retrieval(), …
            unpaired: further latents of the transmitter (n, d), whose counterparts at the receiver are those of the linear alignment.
            checkpoint: file that holds the state while training, as in `Neural.design`.
            progress: callback after each round with (round, rounds, training loss, validation score), or a flag as in `Neural.design`.
            logger: anything with `add_scalar(name, value, round)`, such as TensorBoard's SummaryWriter.

        Raises:
            ValueError: an argument is of another type or size, on another device, or the checkpoint is of another training.
        """
        codec = self.untrained(modes, pilots)
        if len(pilots) < 4:
            raise ValueError(f"pilots must be at least 4, some of them to stop by, got {len(pilots)}")
        extra = None
        if unpaired is not None:
            extra = check_latents(unpaired, len(modes.mean_x), name="unpaired").flatten(0, -2).to(modes.mean_x.device)
        bank = draw_bank(self.draws, self.bank[0], codec, CodecDraw.TRAINING_CHANNELS.generator(self.seed))
        held = draw_bank(self.draws, self.bank[1], codec, CodecDraw.VALIDATION_CHANNELS.generator(self.seed))
        loop = CodecLoop(codec, self._examples(codec, pilots, objective, extra), bank, held, self)
        if self.budget is not None:
            check_cost(cost_of(self.budget), codec, held)
        show = progress_callback(progress, "training the codec")

        def report() -> None:
            loss, validation, score = (loop.history[name][-1] for name in ("training", "validation", "score"))
            if logger is not None:
                for name, value in (("loss/training", loss), ("loss/validation", validation), ("score/validation", score)):
                    logger.add_scalar(name, value, loop.round)
            if show is not None:
                show(loop.round, loop.rounds, loss, score)

        identity = partial(self.identity, modes, pilots, objective, extra)
        with Checkpoint.at(checkpoint, identity, loop.device, "settings, pilots and objective") as state:
            loop.run(report, state)
            gate = self._gate(loop)
        codec = loop.trained().with_gate(gate).with_ceiling(bank)
        return CodecFit(self._at_power(codec, loop.examples), {
            "training_loss": loop.series("training"),
            "validation_loss": loop.series("validation"),
            "validation_score": loop.series("score"),
            "best_round": torch.tensor(loop.best_round, device="cpu"),
            "open": gate.of(held).double().mean(),
        })  # fmt: skip

    @with_gradients
    def estimated_seconds(self, modes: SemanticModes, pilots: Pilots, objective: Objective) -> float:
        """Time in seconds that all rounds would take here, estimated from a few steps; raises as `fit`."""
        codec = self.untrained(modes, pilots)
        bank = draw_bank(self.draws, TIMED_CHANNELS, codec, CodecDraw.TIMED_CHANNELS.generator(self.seed))
        examples = Examples(codec.modes, objective, pilots, pilots[:1], None, self.augmentation)
        loop = CodecLoop(codec, examples, bank, bank[:1], replace(self, budget=None))
        return self.rounds * self.steps * median_us(lambda: loop.step(0), TIMED_STEPS, loop.device) / 1e6

    def _examples(self, codec: Codec, pilots: Pilots, objective: Objective, unpaired: Tensor | None) -> Examples:
        rest, held = split(len(pilots), self.validation, self.seed)
        coordinates = None
        if self.folds > 1:
            every = cross_fitted_coordinates(codec.modes, pilots, self.folds, CodecDraw.FOLDS.generator(self.seed))
            coordinates = every[rest], every[held]
        return Examples(codec.modes, objective, pilots[rest], pilots[held], unpaired, self.augmentation, coordinates)

    def _gate(self, loop: CodecLoop) -> Gate:
        """Open where the codec scored higher than the linear design on validation pilots over fresh channels.

        The error of a kind is one over channels, on the same pilots. So that luck with these seldom opens it, the mean gain over the
        channels that would be served must exceed one standard error over pilots: two would keep out true gains where a dozen are held back.
        """
        fresh = draw_bank(self.draws, self.bank[2], loop.codec, CodecDraw.GATE_CHANNELS.generator(self.seed))
        held = loop.examples.held
        batch = held._replace(z=held.z[:GATED], rows=held.rows[:GATED])
        off = torch.zeros(len(fresh.amplitude), dtype=torch.bool, device=fresh.amplitude.device)

        def score(active: Tensor) -> Tensor:
            noise = CodecDraw.GATE_NOISE.generator(self.seed, device=loop.device)  # the same for both
            return loss_and_score(loop.codec, batch, fresh, noise, active)[1]

        codec, linear = score(~off), score(off)
        gate = Gate.choose(fresh, codec.mean(-1) - linear.mean(-1), self.margin)
        by_pilot = (codec - linear)[gate.of(fresh)].double().mean(0)  # NaN where no channel is served
        ahead = by_pilot.mean() > by_pilot.std() / len(by_pilot) ** 0.5
        return Gate(gate.open & ahead.to(gate.open.device))

    @torch.no_grad()
    def _at_power(self, codec: Codec, examples: Examples) -> Codec:
        """The codec that sets its power by pilots held back from training, and by a fit of it where that is possible."""
        held = examples.calibration()
        codec = replace(codec, calibration=held[:POWERED])
        fresh = draw_bank(self.draws, self.bank[2], codec, CodecDraw.POWER_CHANNELS.generator(self.seed))
        served = fresh[codec.gate.of(fresh)][:FITTED]
        if not codec.limit.limits_messages and len(served.amplitude) >= LEAST_CHANNELS:
            everywhere = torch.ones(len(served.amplitude), dtype=torch.bool, device=served.amplitude.device)
            found = measured(codec, served, everywhere)
            log_energy = -2 * found.scale.flatten().log()
            codec = replace(codec, power=PowerFit.of(codec.encoder, served, codec.ceiling, log_energy, found.gained, found.energy))
        return replace(codec, calibration=held[:CALIBRATED])

    def identity(self, modes: SemanticModes, pilots: Pilots, objective: Objective, unpaired: Tensor | None = None) -> str:
        """A hash of all that a training depends on: settings, some of the channels drawn, modes, pilots and objective."""
        settings = [(field.name, getattr(self, field.name)) for field in fields(self) if field.name != "draws"]
        drawn = self.draws.draw(IDENTIFYING, CodecDraw.IDENTITY.generator(self.seed))
        return identity_of(settings, drawn, modes.truncated(min(self.modes, len(modes))), pilots.x, pilots.y, objective, unpaired)

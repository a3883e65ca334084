"""From pilots to a codec: settings, the untrained codec that is the exact linear design, training, pruning, and the gate.

Before training the codec *is* the exact linear design at every channel. In the end validation pilots are sent over fresh channels by the
codec and by the linear design, with the same noise; the gate (`gate.py`) opens for the kinds of channels where the codec scored higher.
"""

import hashlib
import math
import time
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor, nn

from latentlink.channels.draws import ChannelDraws, ChannelSource
from latentlink.latents.pilots import Pilots
from latentlink.linear.modes import SemanticModes
from latentlink.neural.codec.checks import check, taken, within
from latentlink.neural.codec.codec import Calibration, Codec
from latentlink.neural.codec.cross_fitting import cross_fitted
from latentlink.neural.codec.examples import Augmentation, Examples
from latentlink.neural.codec.gate import Gate
from latentlink.neural.codec.networks import ModulatedMlp
from latentlink.neural.codec.power import AveragePower, EachMessage, PowerRule
from latentlink.neural.codec.pruning import ComplexityBudget, check_budget
from latentlink.neural.codec.rounds import Schedule, Training, bank, judgements
from latentlink.neural.codec.telling import Progress, Teller
from latentlink.neural.paper.precision import Precision, product_dtype
from latentlink.numerics.doors import finite
from latentlink.tasks.objectives import Objective

GATED = 256  # validation pilots at most that set the gate
CALIBRATED = 256  # pilots that the codec carries to set its power by
PRICED, _PRICE_STEPS, _PRICE_CHANNELS = 32, 3, 1024  # pilots, steps and channels to price a training by
_TOLD_APART = 256  # channels drawn by which distributions are told apart


class CodecFit(NamedTuple):
    """A trained codec, and how it came about.

    Attributes:
        codec: ready for any channel.
        trace: by round (r,) `training_loss`, `validation_loss` and `validation_score`; `best_round` (), which is delivered, and `open` (),
            the share of the channels drawn for it on which the gate is open.
    """

    codec: Codec
    trace: dict[str, Tensor]


@dataclass(frozen=True)
class CodecTraining:
    """How a codec is built and trained; `fit` does it, `untrained` gives what it starts from.

    Attributes:
        modes: k, semantic modes that the networks work in. width, layers: hidden units and hidden layers of each network.
        max_symbols: complex symbols that a message may take, u · min(n_rx, n_tx).
        draws: the channels it is to serve: `ChannelDraws`, or anything with its `draw`.
        power: AveragePower(), AveragePower(peak=…) or EachMessage().
        rounds, steps: at most so many rounds of so many steps. channels, messages: of each step. learning_rate: greatest, of AdamW.
        patience: rounds without a lower validation loss before training ends.
        dropout, weight_decay, augmentation: against too few pilots.
        folds: above 1, pilots are trained and judged on with coordinates by modes made without them, in so many folds
            (`cross_fitting.py`): for pilots that the modes themselves were made of.
        validation: share of the pilots that is held back to stop by and to set the gate by.
        margin: standard errors by which the codec must be ahead of the linear design to be used.
        budget: Operations(flops) or Microseconds(us), met by leaving out whole units halfway; None keeps all.
        bank: channels to train on, to validate on, and to set the gate by.
        precision: of the matrix products in training; "auto" is bfloat16 where the device has it in hardware, else float32. The codec is
            float32.
        seed: of weights, split, channels, order and noise.

    Raises:
        ValueError: naming the attribute that is out of range.
    """

    modes: int = 128
    width: int = 256
    layers: int = 2
    max_symbols: int = 16
    draws: ChannelSource = field(default_factory=ChannelDraws)
    power: PowerRule = field(default_factory=AveragePower)
    rounds: int = 30
    steps: int = 100
    channels: int = 16
    messages: int = 128
    learning_rate: float = 2e-3
    patience: int = 30
    dropout: float = 0.0
    weight_decay: float = 0.0
    augmentation: Augmentation = field(default_factory=Augmentation)
    folds: int = 1
    validation: float = 0.1
    margin: float = 2.0
    budget: ComplexityBudget | None = None
    bank: tuple[int, int, int] = (16384, 256, 4096)
    precision: Precision = "auto"
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("modes", "width", "layers", "max_symbols", "rounds", "steps", "channels", "messages", "patience", "folds"):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise ValueError(f"{name} must be an integer >= 1, got {value!r}")
        within("learning_rate", self.learning_rate, above=0)
        within("validation", self.validation, above=0, below=1)
        within("dropout", self.dropout, least=0, below=1)
        for name in ("weight_decay", "margin"):
            within(name, getattr(self, name), least=0)
        kinds: tuple[tuple[str, Any, str], ...] = (
            ("draws", ChannelSource, "ChannelDraws(...) or have its draw(count, generator)"),
            ("power", AveragePower | EachMessage, "AveragePower() or EachMessage()"),
            ("augmentation", Augmentation, "Augmentation(...)"),
            ("budget", ComplexityBudget | None, "Operations(flops), Microseconds(us) or None"),
        )
        for name, kind, expected in kinds:
            if isinstance(getattr(self, name), type) or not isinstance(getattr(self, name), kind):
                raise ValueError(f"{name} must be {expected}, got {getattr(self, name)!r}")
        if len(self.bank) != 3 or any(isinstance(n, bool) or not isinstance(n, int) or n < 1 for n in self.bank):
            raise ValueError(
                f"bank must be three numbers of channels (to train on, to validate on, to set the gate by), each from 1, got {self.bank!r}"
            )
        if self.precision not in ("auto", "float32", "bfloat16"):
            raise ValueError(f"precision must be 'auto', 'float32' or 'bfloat16', got {self.precision!r}")
        if isinstance(self.seed, bool) or not isinstance(self.seed, int) or not 0 <= self.seed < 2**31:
            raise ValueError(f"seed must be an integer >= 0 to 2**31 - 1, got {self.seed!r}")

    def untrained(self, modes: SemanticModes, pilots: Pilots) -> Codec:
        """The codec before training, on for every channel: at each it is `ClosedForm().design(modes, channel)` (with AveragePower()).

        Args:
            modes: all semantic modes of the pair, for the goal that the linear part should have.
            pilots: paired latents, of which some are carried to set the power by.

        Raises:
            ValueError: modes or pilots are of another type, on different devices, or do not fit.
        """
        check(modes, pilots)
        k, most = min(self.modes, len(modes)), 2 * self.max_symbols
        k -= 0 if modes.widely_linear else k % 2  # complex-linear modes come in pairs
        if k < min(most, len(modes)):
            raise ValueError(f"modes must be at least {min(most, len(modes))}, what the linear design may send, got {self.modes}")
        kept, device = modes.truncated(k), modes.strength.device
        generator = torch.Generator().manual_seed(self.seed)
        networks = [ModulatedMlp([a, *[self.width] * self.layers, b], 2 * most, generator) for a, b in ((k, most), (most, k))]
        some = pilots[torch.randperm(len(pilots), generator=torch.Generator().manual_seed(self.seed))[:CALIBRATED]]
        every = torch.arange(k, device=device)
        encoder, decoder = (network.to(device).requires_grad_(False).eval() for network in networks)
        ceiling = torch.full((self.max_symbols + 1,), math.inf, device=device)
        return Codec(kept, encoder, decoder, every, every, Calibration.of(kept, some.x, some.y), Gate.always(), self.power, ceiling, most)

    def fit(
        self,
        modes: SemanticModes,
        pilots: Pilots,
        objective: Objective,
        *,
        unpaired: Tensor | NDArray[Any] | None = None,
        checkpoint: Path | str | None = None,
        progress: Progress | None = None,
        logger: Any = None,
    ) -> CodecFit:
        """Train a codec for a pair of devices.

        Args:
            modes: all semantic modes of the pair, for the goal that the linear part should have.
            pilots: paired latents, at least four; their labels are not used.
            objective: what the receiver wants: HeadDivergence(head), Regression(head), Cosine(), Retrieval(), …
            unpaired: further latents of the transmitter (n, d), of which the receiver's are taken to be the linear alignment.
            checkpoint: file that keeps the state while training (every few seconds, and where `progress` raises); if it is there, training
                goes on from it to the same end. Removed at the end.
            progress: called after each round with (round, rounds, training loss, validation score).
            logger: anything with `add_scalar(name, value, round)`, such as TensorBoard's SummaryWriter.

        Raises:
            ValueError: an argument is of another type or size, on another device, or the checkpoint is of another training.
        """
        codec = self.untrained(modes, pilots)
        if isinstance(objective, type) or not isinstance(objective, Objective):
            raise ValueError(f"objective must be HeadDivergence(head), Regression(...), Cosine() or Retrieval(), got {objective!r}")
        if len(pilots) < 4:
            raise ValueError(f"pilots must be at least 4, some of them to stop by, got {len(pilots)}")
        extra = None if unpaired is None else self._unpaired(unpaired, modes)
        order = torch.randperm(len(pilots), generator=torch.Generator().manual_seed(self.seed))
        held = min(len(order) - 2, max(2, round(self.validation * len(order))))
        z = None
        if self.folds > 1:
            every = cross_fitted(codec.modes, pilots, self.folds, self.seed)
            z = every[order[held:]], every[order[:held]]
        examples = Examples(codec.modes, objective, pilots[order[held:]], pilots[order[:held]], extra, self.augmentation, z)
        training = self._training(codec, examples)
        path = None if checkpoint is None else Path(checkpoint)
        identity = "" if path is None else self.identity(modes, pilots, objective, extra)
        if self.budget is not None:
            check_budget(codec, self.budget, training.held)
        if path is not None and path.is_file():
            training.restore(path, identity)
        codec = training.run(Teller(path, identity, progress, logger))
        gate = self._gate(codec, training)
        if path is not None:
            path.unlink(missing_ok=True)
        losses = torch.tensor(training.losses, dtype=torch.float64).reshape(-1, 2)
        return CodecFit(codec.gated(gate).familiar(training.train), {
            "training_loss": losses[:, 0],
            "validation_loss": losses[:, 1],
            "validation_score": torch.tensor(training.scores, dtype=torch.float64),
            "best_round": torch.tensor(training.best_round),
            "open": gate.of(training.held).double().mean(),
        })  # fmt: skip

    def price(self, modes: SemanticModes, pilots: Pilots, objective: Objective) -> float:
        """Seconds that all rounds would take here, from a few steps; raises as `fit`."""
        codec = self.untrained(modes, pilots)
        few = replace(self, bank=(_PRICE_CHANNELS, 1, 1), budget=None)
        training = few._training(codec, Examples(codec.modes, objective, pilots, pilots[:PRICED], None, self.augmentation))
        training.step(0)
        clock = time.perf_counter()
        for number in range(_PRICE_STEPS):
            training.step(number)
        return self.rounds * self.steps * (time.perf_counter() - clock) / _PRICE_STEPS

    def _training(self, codec: Codec, examples: Examples) -> Training:
        train, held = (bank(self.draws, count, codec, self.seed + number) for number, count in enumerate(self.bank[:2]))
        names = ("rounds", "steps", "channels", "messages", "learning_rate", "patience", "dropout", "weight_decay", "budget")
        schedule = Schedule(**{name: getattr(self, name) for name in names})
        return Training(codec, examples, train, held, schedule, self.seed, product_dtype(self.precision, train.amplitude.device))

    def _gate(self, codec: Codec, training: Training) -> Gate:
        """Open where the codec scored higher than the linear design on validation pilots over fresh channels."""
        fresh = bank(self.draws, self.bank[2], codec, self.seed + 2)
        held = training.examples.held
        batch = held._replace(z=held.z[:GATED], rows=held.rows[:GATED])
        off = torch.zeros(len(fresh.amplitude), dtype=torch.bool, device=fresh.amplitude.device)
        ahead, linear = (judgements(codec, batch, fresh, self.seed + 2, active)[1] for active in (~off, off))
        return Gate.chosen(fresh, ahead - linear, self.margin)

    def _unpaired(self, unpaired: Tensor | NDArray[Any], modes: SemanticModes) -> Float[Tensor, "u d"]:
        x = finite("unpaired", unpaired)
        if x.is_complex() or x.ndim != 2 or x.shape[1] != len(modes.mean_x):
            raise ValueError(f"unpaired must be real latents (n, {len(modes.mean_x)}), got {x.dtype} {tuple(x.shape)}")
        return x.to(modes.mean_x.device)

    def identity(self, modes: SemanticModes, pilots: Pilots, objective: Objective, unpaired: Tensor | None = None) -> str:
        """All that a training depends on, as a digest: settings, some of the channels drawn, modes, pilots and objective."""
        settings = [(f.name, getattr(self, f.name)) for f in fields(self) if f.name != "draws"]
        digest = hashlib.sha256(repr(settings).encode())
        for channel in self.draws.draw(_TOLD_APART, torch.Generator().manual_seed(self.seed)):
            taken(digest, channel.h, channel.noise_variance, channel.power)
        k = min(self.modes, len(modes))
        taken(digest, modes.analysis[:k], modes.synthesis[:, :k], modes.strength[:k], pilots.x, pilots.y, unpaired)
        facts = vars(objective) if hasattr(objective, "__dict__") else {}
        digest.update(type(objective).__qualname__.encode())
        for name, value in sorted(facts.items()):
            digest.update(f"{name} {value!r}".encode())
            taken(digest, *(value.state_dict().values() if isinstance(value, nn.Module) else ()))
        return digest.hexdigest()

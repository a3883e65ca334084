"""The training loop of every network: rounds of steps, judged by validation, stored in checkpoints; the best weights are delivered.

    until the rounds are over, validation stops improving, or the loss is no finite number:
        train one round  →  prune (where something is pruned)  →  validate  →  store the weights if they are the best  →  report

A subclass defines a round (`train`), what is measured after it (`measure`) and, where weights are pruned, how (`adapt`). The state of the
loop is its module, its optimiser, its random generators and its history: a training that is resumed from a checkpoint ends in the same bits
as one that was never interrupted. A checkpoint is a SHA-256 and the state as `torch.save` writes it, with the identity of its training, a
hash of all that the training depends on (`numerics.identity`); one that is damaged or of another training is refused.
"""

import hashlib
import io
import math
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from latentlink.numerics.progress import on_terminal
from latentlink.storage.atomic import write_atomically

HASH_BYTES = 32
Precision = Literal["auto", "float32", "bfloat16"]  # of matrix products in training; weights, sums and the delivered link are float32


@runtime_checkable
class ScalarLogger(Protocol):
    """What writes the curves of a training, such as TensorBoard's SummaryWriter."""

    def add_scalar(self, tag: str, scalar_value: float, global_step: int) -> None:
        """Write one number of a curve."""


TrainingProgress = Callable[[int, int, float, float], Any]  # called with round, rounds, training loss, validation
KEEP_EVERY_S = 10.0  # at most this much of a training is lost when the process dies


@dataclass(frozen=True)
class Checkpoint:
    """The file in which a training stores its state.

    Attributes:
        path: the file.
        identity: of the training, which a state must have to be resumed.
        device: where the tensors of the state are loaded.
        depends_on: what the identity covers, in words for the error message.
    """

    path: Path
    identity: str
    device: torch.device
    depends_on: str

    def save(self, state: dict[str, Any]) -> None:
        """Write a state atomically."""
        buffer = io.BytesIO()
        torch.save({"identity": self.identity, **state}, buffer)
        content = buffer.getvalue()
        write_atomically(self.path, hashlib.sha256(content).digest() + content)

    def restore(self, take: Callable[[dict[str, Any]], None]) -> None:
        """Hand the state in the file, if it is there, to `take`, which puts it in place; nothing in the file is executed.

        Raises:
            ValueError: the file is no checkpoint, damaged, or of another training.
        """
        if not self.path.is_file():
            return
        try:
            raw = self.path.read_bytes()
            if hashlib.sha256(raw[HASH_BYTES:]).digest() != raw[:HASH_BYTES]:
                raise ValueError("it was changed or cut")
            state: dict[str, Any] = torch.load(io.BytesIO(raw[HASH_BYTES:]), map_location=self.device, weights_only=True)
            same = state["identity"] == self.identity
            if same:
                take(state)
        except Exception as error:
            raise ValueError(f"checkpoint must be one of a training, got {self.path} ({error}); delete it to start anew") from error
        if not same:
            raise ValueError(f"checkpoint must be of the same {self.depends_on}, which {self.path} is not; delete it to start anew")

    @classmethod
    @contextmanager
    def at(
        cls, path: Path | str | None, identity: Callable[[], str], device: torch.device, depends_on: str
    ) -> Iterator["Checkpoint | None"]:
        """Context with the checkpoint in a file, None where no file is given; it is deleted once the training in the context is done."""
        checkpoint = None if path is None else cls(Path(path), identity(), device, depends_on)
        yield checkpoint
        if checkpoint is not None:
            checkpoint.path.unlink(missing_ok=True)


class TrainingLoop(ABC):
    """State of a training; `run` takes it to its end from wherever it is.

    Attributes:
        module: the networks that are trained.
        optimiser: of the module's parameters.
        rounds: number of rounds at most.
        patience: rounds without a lower validation loss before training ends.
        random: generators of what is drawn in training, by name.
        round: number of finished rounds.
        history: series by name with one number for each finished round, among them "training" and "validation" (losses).
        best: state of the module at the lowest validation loss so far.
        best_loss: that loss.
        best_round: the round after which it was measured, 0 before the first.
    """

    module: nn.Module
    optimiser: torch.optim.Optimizer

    def __init__(self, rounds: int, patience: int, random: dict[str, torch.Generator]) -> None:
        self.rounds, self.patience, self.random = rounds, patience, random
        self.round = 0
        self.history: dict[str, list[float]] = {"training": [], "validation": []}
        self.best: dict[str, Tensor] = {}
        self.best_loss = math.inf
        self.best_round = 0

    @abstractmethod
    def train(self) -> float:
        """Train for one round; the mean training loss."""

    @abstractmethod
    def measure(self) -> dict[str, float]:
        """Numbers to record of the module as it is, by name; "validation" is the loss to be lowered."""

    def adapt(self, loss: float) -> None:  # noqa: B027  (optional)
        """Prune what is pruned after a round of this training loss; nothing here."""

    def finish(self) -> None:  # noqa: B027  (optional)
        """Do what is left to do after the last round; nothing here."""

    @property
    def settled(self) -> bool:
        """True once training may end for lack of progress: what pruning asks for is met."""
        return True

    @property
    def converged(self) -> bool:
        """True once validation has stopped improving."""
        return self.settled and self.round - self.best_round >= self.patience

    @property
    def diverged(self) -> bool:
        """True once the training or the validation loss is no finite number."""
        return any(bool(series) and not math.isfinite(series[-1]) for series in (self.history["training"], self.history["validation"]))

    @property
    def finished(self) -> bool:
        """True once no further round is trained."""
        return self.round >= self.rounds or self.converged or self.diverged

    def run(self, report: Callable[[], Any] | None = None, checkpoint: Checkpoint | None = None) -> None:
        """Train to the end; the module then has its best weights.

        Args:
            report: called after each round; an exception that it raises ends the training, whose state is then stored.
            checkpoint: where the state is stored every few seconds, and taken from at the start if the file is there.

        Raises:
            ValueError: the checkpoint is of another training, or damaged.
        """
        if checkpoint is not None:
            checkpoint.restore(self.resume)
        self.begin()
        stored = time.monotonic()
        while not self.finished:
            self.end_round(self.train())
            due = time.monotonic() - stored > KEEP_EVERY_S
            try:
                if report is not None:
                    report()
            except BaseException:
                due = True
                raise
            finally:
                if due and checkpoint is not None:
                    checkpoint.save(self.state())
                    stored = time.monotonic()
        self.end()

    def begin(self) -> None:
        """Judge the weights with which a training begins; one that is resumed has done so."""
        if not self.best:
            self.judge(self.measure()["validation"])

    def end_round(self, loss: float) -> None:
        """Prune, measure and judge after a round of this training loss."""
        self.round += 1
        self.adapt(loss)
        measured = self.measure()
        for name, value in {"training": loss, **measured}.items():
            self.history.setdefault(name, []).append(value)
        self.judge(measured["validation"])

    def end(self) -> None:
        """Take the best weights."""
        self.finish()
        self.module.load_state_dict(self.best)

    def judge(self, loss: float) -> None:
        """Store the weights if this validation loss is the lowest so far."""
        if loss < self.best_loss or not self.best:
            self.best_loss, self.best_round = loss, self.round
            self.best = {name: value.detach().clone() for name, value in self.module.state_dict().items()}

    def series(self, name: str) -> Tensor:
        """A series of the history as a tensor (rounds,) in float64."""
        return torch.tensor(self.history.get(name, []), dtype=torch.float64, device="cpu")

    def state(self) -> dict[str, Any]:
        """All that `resume` needs."""
        names = ("round", "history", "best", "best_loss", "best_round")
        return {
            "module": self.module.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "random": {str(name): generator.get_state() for name, generator in self.random.items()},
            "progress": {name: getattr(self, name) for name in names},
        }

    def resume(self, state: dict[str, Any]) -> None:
        """Go on from a state, whose tensors may lie on any device."""
        self.module.load_state_dict(state["module"])
        self.optimiser.load_state_dict(state["optimiser"])
        for name, generator in self.random.items():
            generator.set_state(state["random"][name].cpu())
        for name, value in state["progress"].items():
            setattr(self, name, value)


def product_dtype(precision: Precision, device: torch.device) -> torch.dtype:
    """bfloat16 or float32 as asked for; "auto" is bfloat16 where the device has it in hardware."""
    if precision != "auto":
        return torch.bfloat16 if precision == "bfloat16" else torch.float32
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float32
    onednn = device.type == "cpu" and torch.backends.mkldnn.is_available()
    return torch.bfloat16 if onednn and bool(torch.ops.mkldnn._is_mkldnn_bf16_supported()) else torch.float32


def progress_callback(progress: object, doing: str) -> TrainingProgress | None:
    """The callback of a `progress` argument: itself, or for True one that writes to the terminal or a log; None for False and None.

    `doing` is what is done, in words for the line; another value is refused with a ValueError.
    """
    if callable(progress):
        return progress
    if progress not in (True, False, None):
        raise ValueError(f"progress must be True, False or a callback (round, rounds, training loss, validation), got {progress!r}")
    if not progress:
        return None
    show = on_terminal(doing)
    return lambda number, count, training, validation: show(number, count, f", training {training:.4g}, validation {validation:.4g}")

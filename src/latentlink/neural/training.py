"""Training of a precoder and a decoder for one channel: a plain loop over one tensor of pilots.

    min over f, g of  E||y − g(H s + v)||²,      s = √(u P) f(x) / ||f(x)||,      v drawn anew in every batch,

by Adam. Latents are centred and scaled once, and lie on the device as a whole; an epoch is a permutation of their rows. Training ends when
the error on validation pilots (with fixed noise) has not become less for `patience` epochs, and the best weights are delivered.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from latentlink.arrays import ratio
from latentlink.channels.channel import Channel
from latentlink.io.atomic import atomic_path
from latentlink.latents.packing import real_embedding
from latentlink.neural.layers import ComplexLinear, ComplexMlp
from latentlink.neural.pruning import Pruning

_KEEP_EVERY_S = 10.0  # at most so much of a training is lost when the process dies

Progress = Callable[[int, int, float, float], Any]


class Pair(nn.Module):
    """Precoder, channel and decoder on stacked halves; latents in and out are centred and scaled."""

    H: Tensor

    def __init__(self, precoder: ComplexMlp, decoder: ComplexMlp, channel: Channel) -> None:
        super().__init__()
        self.precoder, self.decoder = precoder, decoder
        blocks = torch.block_diag(*channel.h.reshape(-1, channel.n_rx, channel.n_tx))
        self.register_buffer("H", real_embedding(blocks).float())
        self.deviation = float(channel.noise_variance.reshape(())) ** 0.5 / 2**0.5  # of the noise in each real part
        self.budget = channel.uses * float(channel.power.reshape(()))

    def forward(self, x: Float[Tensor, "n a"], noise: Float[Tensor, "n r2"], dtype: torch.dtype = torch.float32) -> Float[Tensor, "n b"]:
        """Decoded latents; noise is of unit variance."""
        s = at_budget(self.precoder(x, dtype), self.budget)
        out: Tensor = self.decoder(s @ self.H.mT + self.deviation * noise, dtype)
        return out

    def linears(self) -> list[ComplexLinear]:
        """All complex layers."""
        return self.precoder.linears() + self.decoder.linears()


def at_budget(s: Float[Tensor, "*n t2"], budget: float) -> Float[Tensor, "*n t2"]:
    """Every message scaled to the whole budget; 0 stays 0."""
    energy = s.square().sum(-1, keepdim=True)
    return s * ratio(torch.full_like(energy, budget), energy).sqrt()


@dataclass(frozen=True, eq=False)
class Examples:
    """Centred, scaled and padded latents on the device: to train on, and to stop by.

    Attributes:
        x, y: (n, 2⌈d/2⌉), (n, m). x_val, y_val: of validation pilots.
    """

    x: Float[Tensor, "n a"]
    y: Float[Tensor, "n m"]
    x_val: Float[Tensor, "v a"]
    y_val: Float[Tensor, "v m"]


@dataclass(eq=False)
class Training:
    """State of a training; `run` takes it to its end, from wherever it is.

    Attributes:
        pair: networks and channel. epochs, batch_size, learning_rate, patience, pruning: settings. dtype: of the products.
        epoch: finished epochs. losses: (training, validation) error of each. best: weights of the least validation error so far.
    """

    pair: Pair
    epochs: int
    batch_size: int
    learning_rate: float
    patience: int
    pruning: Pruning | None
    dtype: torch.dtype
    seed: int
    epoch: int = 0
    losses: list[tuple[float, float]] = field(default_factory=list)
    best: dict[str, Tensor] | None = None
    best_loss: float = float("inf")
    best_epoch: int = 0

    def __post_init__(self) -> None:
        self.device = self.pair.H.device
        self.adam = torch.optim.Adam(self.pair.parameters(), self.learning_rate, fused=self.device.type in ("cpu", "cuda"))
        self.order = torch.Generator().manual_seed(self.seed)
        self.noise = torch.Generator(self.device).manual_seed(self.seed)
        self._kept = time.monotonic()

    def run(self, data: Examples, progress: Progress | None = None, checkpoint: Path | None = None, identity: str = "") -> None:
        """Train to the end, keeping the state in `checkpoint`; the file is removed at the end.

        Raises:
            ValueError: the checkpoint is of another training.
        """
        if checkpoint is not None and checkpoint.is_file():
            self.restore(checkpoint, identity)
        noise_val = self._noise(len(data.x_val), torch.Generator(self.device).manual_seed(self.seed + 1))
        while self.epoch < self.epochs and not self.converged:
            training = self._epoch(data)
            self.epoch += 1
            if self.pruning is not None:
                self.pruning.after_epoch(self.pair.linears(), self.epoch, self.epochs, self.learning_rate)
            validation = self._validate(data, noise_val)
            self.losses.append((training, validation))
            if validation < self.best_loss and (self.pruning is None or self.pruning.settled(self.epoch, self.epochs)):
                self.best_loss, self.best_epoch = validation, self.epoch
                self.best = {name: value.detach().clone() for name, value in self.pair.state_dict().items()}
            self._report(progress, checkpoint, identity)
        if self.best is not None:
            self.pair.load_state_dict(self.best)
        if checkpoint is not None:
            checkpoint.unlink(missing_ok=True)

    def _report(self, progress: Progress | None, checkpoint: Path | None, identity: str) -> None:
        """Tell of an epoch, and keep the state: every few seconds, and where whoever is told wants to stop."""
        due = checkpoint is not None and time.monotonic() - self._kept > _KEEP_EVERY_S
        try:
            if progress is not None:
                progress(self.epoch, self.epochs, *self.losses[-1])
        except BaseException:
            due = checkpoint is not None
            raise
        finally:
            if due and checkpoint is not None:
                self.save(checkpoint, identity)
                self._kept = time.monotonic()

    @property
    def converged(self) -> bool:
        """Whether validation has stopped improving."""
        return self.best is not None and self.epoch - self.best_epoch >= self.patience

    def _epoch(self, data: Examples) -> float:
        """One pass over all rows; mean squared error per message."""
        order = torch.randperm(len(data.x), generator=self.order).to(self.device)
        total = torch.zeros((), device=self.device)
        for rows in order.split(self.batch_size):
            loss = self.step(data.x[rows], data.y[rows])
            total += loss.detach() * len(rows)
        return float(total) / len(data.x)

    def step(self, x: Float[Tensor, "b a"], y: Float[Tensor, "b m"]) -> Float[Tensor, ""]:
        """One step of Adam; pruned weights stay zero."""
        self.adam.zero_grad(set_to_none=True)
        decoded = self.pair(x, self._noise(len(x), self.noise), self.dtype)[:, : y.shape[1]]
        loss: Tensor = (decoded - y).square().sum(-1).mean()
        loss.backward()
        self.adam.step()
        if self.pruning is not None:
            for layer in self.pair.linears():
                layer.hold()
        return loss

    @torch.no_grad()
    def _validate(self, data: Examples, noise: Tensor) -> float:
        return float((self.pair(data.x_val, noise)[:, : data.y_val.shape[1]] - data.y_val).square().sum(-1).mean())

    def _noise(self, count: int, generator: torch.Generator) -> Float[Tensor, "n r2"]:
        return torch.randn(count, len(self.pair.H), generator=generator, device=self.device)

    def save(self, path: Path, identity: str) -> None:
        """Write the whole state, atomically."""
        state = {
            "identity": identity, "pair": self.pair.state_dict(), "adam": self.adam.state_dict(), "best": self.best,
            "order": self.order.get_state(), "noise": self.noise.get_state(),
            "numbers": {"epoch": self.epoch, "best_loss": self.best_loss, "best_epoch": self.best_epoch}, "losses": self.losses,
        }  # fmt: skip
        with atomic_path(path) as draft:
            torch.save(state, draft)

    def restore(self, path: Path, identity: str) -> None:
        """Go on where a checkpoint is.

        Raises:
            ValueError: it is no checkpoint, or of other settings, pilots or channel.
        """
        try:
            state = torch.load(path, map_location=self.device, weights_only=True)
            same = state["identity"] == identity
        except Exception as error:
            raise ValueError(f"{path}: not a checkpoint of a training ({error}); delete it to start anew") from error
        if not same:
            raise ValueError(f"{path}: is of a training with other settings, pilots or channel; delete it to start anew")
        self.pair.load_state_dict(state["pair"])
        self.adam.load_state_dict(state["adam"])
        self.best, self.losses = state["best"], [tuple(loss) for loss in state["losses"]]
        for name, value in state["numbers"].items():
            setattr(self, name, value)
        self.order.set_state(state["order"].cpu())
        self.noise.set_state(state["noise"].cpu())

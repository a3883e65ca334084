"""Training of a precoder and a decoder for one channel: a plain loop over one tensor of pilots.

    min over f, g of  E||y − g(H s + v)||²,      s = √(u P) f(x) / ||f(x)||,      v drawn anew in every batch,

by Adam. Latents are centred and scaled once, and lie on the device as a whole; an epoch is a permutation of their rows. Training ends when
the error on validation pilots, with the same noise in every epoch, has not become less for `patience` epochs, and the best weights are
delivered. With pruning, the best weights so far are brought under each new mask and judged again, so that they are never denser than what
pruning asks for, and their error is that of the very weights.
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.func import functional_call

from latentlink.channels.channel import Channel
from latentlink.neural.checkpoints import resume, write_sealed
from latentlink.neural.paper.layers import ComplexLinear, ComplexMlp, complex_product
from latentlink.neural.paper.pruning import Pruning, kept
from latentlink.numerics.division import ratio

_KEEP_EVERY_S = 10.0  # at most so much of a training is lost when the process dies

Progress = Callable[[int, int, float, float], Any]


class Pair(nn.Module):
    """Precoder, channel and decoder on halves (`neural/layers.py`); latents in and out are centred and scaled."""

    H: Tensor

    def __init__(self, precoder: ComplexMlp, decoder: ComplexMlp, channel: Channel) -> None:
        super().__init__()
        self.precoder, self.decoder = precoder, decoder
        blocks = torch.block_diag(*channel.h.reshape(-1, channel.n_rx, channel.n_tx))
        self.register_buffer("H", torch.stack([blocks.real, blocks.imag]).float(), persistent=False)
        self.uses = channel.uses
        self.variance = float(channel.noise_variance.reshape(()))
        self.error_variance = float(channel.error_variance.reshape(()))
        self.budget = channel.uses * float(channel.power.reshape(()))

    def forward(
        self, x: Float[Tensor, "2 n a"], noise: Float[Tensor, "2 n r"], dtype: torch.dtype = torch.float32
    ) -> Float[Tensor, "2 n b"]:
        """Decoded latents; noise is of unit variance."""
        s = at_budget(self.precoder(x, dtype), self.budget)
        r = complex_product(s, self.H, torch.float32) + self._deviation(s) * noise
        out: Tensor = self.decoder(r, dtype)
        return out

    def _deviation(self, s: Float[Tensor, "2 n t"]) -> Tensor | float:
        """Of each real part: noise, and the signal through the unknown part of the channel, E s ~ CN(0, τ ||s_u||² I) in each use."""
        if self.error_variance == 0:
            return math.sqrt(self.variance / 2)
        energy = s.unflatten(-1, (self.uses, -1)).square().sum((0, -1))
        antennas = self.H.shape[1] // self.uses
        deviation: Tensor = ((self.variance + self.error_variance * energy) / 2).sqrt()
        return deviation.repeat_interleave(antennas, -1)

    def linears(self) -> list[ComplexLinear]:
        """All complex layers."""
        return self.precoder.linears() + self.decoder.linears()


def at_budget(s: Float[Tensor, "2 n t"], budget: float) -> Float[Tensor, "2 n t"]:
    """Every message scaled to the whole budget; 0 stays 0."""
    energy = s.square().sum((0, -1)).unsqueeze(-1)
    return s * ratio(torch.full_like(energy, budget), energy).sqrt()


@dataclass(frozen=True, eq=False)
class Examples:
    """Centred and scaled latents as halves (2, n, c) on the device: to train on, and to stop by.

    Attributes:
        x, y: of the pilots trained on. x_val, y_val: of validation pilots.
        counted: (2, 1, ⌈m/2⌉), 0 where y is padding, else 1.
    """

    x: Float[Tensor, "2 n a"]
    y: Float[Tensor, "2 n b"]
    x_val: Float[Tensor, "2 v a"]
    y_val: Float[Tensor, "2 v b"]
    counted: Float[Tensor, "2 1 b"]

    def __len__(self) -> int:
        return self.x.shape[1]


@dataclass(eq=False)
class Training:
    """State of a training; `run` takes it to its end, from wherever it is.

    Attributes:
        pair: networks and channel. data: latents. epochs, batch_size, learning_rate, patience, pruning, seed: settings of `Neural`.
        dtype: of the products.
        epoch: finished epochs. losses: (training, validation) error of each. density: share of weights left after each.
        best: weights of the least validation error so far; best_loss, best_epoch: that error, and when it was.
    """

    pair: Pair
    data: Examples
    epochs: int
    batch_size: int
    learning_rate: float
    patience: int
    pruning: Pruning | None
    dtype: torch.dtype
    seed: int
    epoch: int = 0
    losses: list[tuple[float, float]] = field(default_factory=list)
    density: list[float] = field(default_factory=list)
    best: dict[str, Tensor] = field(default_factory=dict)
    best_loss: float = float("inf")
    best_epoch: int = 0

    def __post_init__(self) -> None:
        self.device = self.pair.H.device
        self.adam = torch.optim.Adam(self.pair.parameters(), self.learning_rate, fused=self.device.type in ("cpu", "cuda"))
        self.order = torch.Generator().manual_seed(self.seed)
        self.noise = torch.Generator(self.device).manual_seed(self.seed)
        held = torch.Generator(self.device).manual_seed(self.seed + 1)
        self.noise_val = self._noise(self.data.x_val.shape[1], held)
        self._kept = time.monotonic()

    def run(self, progress: Progress | None = None, checkpoint: Path | None = None, identity: str = "") -> None:
        """Train to the end, keeping the state in `checkpoint`; the file is removed at the end.

        Raises:
            ValueError: the checkpoint is of another training.
        """
        if checkpoint is not None and checkpoint.is_file():
            self.restore(checkpoint, identity)
        if not self.best:
            self._judge(self.validate())
        while self.epoch < self.epochs and not (self.converged or self.diverged):
            training = self._epoch()
            self.epoch += 1
            finite = math.isfinite(training) and all(bool(weight.isfinite().all()) for weight in self.pair.parameters())
            if self.pruning is not None and finite:  # masks are not made of weights that are no numbers
                self.pruning.after_epoch(self.pair.linears(), self.epoch, self.epochs, self.learning_rate)
                self._bring_best_under_mask()
            validation = self.validate()
            self.losses.append((training, validation))
            self.density.append(float(kept(self.pair.linears())) / sum(layer.mask.numel() for layer in self.pair.linears()))
            self._judge(validation)
            self._report(progress, checkpoint, identity)
        self.pair.load_state_dict(self.best)
        if checkpoint is not None:
            checkpoint.unlink(missing_ok=True)

    def _epoch(self) -> float:
        """One pass over all rows; mean squared error per message."""
        order = torch.randperm(len(self.data), generator=self.order).to(self.device)
        total = torch.zeros((), device=self.device, dtype=torch.float32)
        for rows in order.split(self.batch_size):
            total += self.step(rows) * len(rows)
        return float(total) / len(self.data)

    @torch.enable_grad()
    def step(self, rows: Tensor) -> Float[Tensor, ""]:
        """One step of Adam; pruned weights stay zero."""
        self.adam.zero_grad(set_to_none=True)
        decoded = self.pair(self.data.x[:, rows], self._noise(len(rows), self.noise), self.dtype)
        loss = self._error(decoded, self.data.y[:, rows])
        loss.backward()
        self.adam.step()
        if self.pruning is not None:
            for layer in self.pair.linears():
                layer.hold()
        return loss.detach()

    def _error(self, decoded: Float[Tensor, "2 n b"], y: Float[Tensor, "2 n b"]) -> Float[Tensor, ""]:
        """Total squared error per message."""
        error: Tensor = ((decoded - y) * self.data.counted).square().sum() / y.shape[1]
        return error

    @torch.no_grad()
    def validate(self, weights: dict[str, Tensor] | None = None, dtype: torch.dtype | None = None) -> float:
        """Error on validation pilots, of the present weights or others, as in training or in another precision."""
        arguments = (self.data.x_val, self.noise_val, dtype or self.dtype)
        decoded = self.pair(*arguments) if weights is None else functional_call(self.pair, weights, arguments)
        return float(self._error(decoded, self.data.y_val))

    def _judge(self, validation: float) -> None:
        """Keep the weights if none were better."""
        if validation < self.best_loss or not self.best:
            self.best_loss, self.best_epoch = validation, self.epoch
            self.best = {name: value.detach().clone() for name, value in self.pair.state_dict().items()}

    @torch.no_grad()
    def _bring_best_under_mask(self) -> None:
        """Prune the best weights as the present ones are, and judge them again if that changed them."""
        layers = {name: layer for name, layer in self.pair.named_modules() if isinstance(layer, ComplexLinear)}
        if all(self.best[f"{name}.mask"].equal(layer.mask) for name, layer in layers.items()):
            return
        for name, layer in layers.items():
            self.best[f"{name}.mask"] &= layer.mask
            self.best[f"{name}.weight"] *= layer.mask
            self.best[f"{name}.bias"] *= layer.mask.any(-1)
        self.best_loss = self.validate(self.best)

    def _noise(self, count: int, generator: torch.Generator) -> Float[Tensor, "2 n r"]:
        return torch.randn(2, count, self.pair.H.shape[1], generator=generator, device=self.device, dtype=torch.float32)

    def _report(self, progress: Progress | None, checkpoint: Path | None, identity: str) -> None:
        """Tell of an epoch, and keep the state: every few seconds, and where whoever is told wants to stop."""
        due = time.monotonic() - self._kept > _KEEP_EVERY_S
        try:
            if progress is not None:
                progress(self.epoch, self.epochs, *self.losses[-1])
        except BaseException:
            due = True
            raise
        finally:
            if due and checkpoint is not None:
                self.save(checkpoint, identity)
                self._kept = time.monotonic()

    @property
    def converged(self) -> bool:
        """Whether validation has stopped improving, and the budget is met."""
        met = self.pruning is None or self.pruning.settled(self.epoch, self.epochs)
        return met and self.epoch - self.best_epoch >= self.patience

    @property
    def diverged(self) -> bool:
        """Whether the error has left the range of numbers, or the weights have."""
        return bool(self.losses) and not all(map(math.isfinite, self.losses[-1]))

    def save(self, path: Path, identity: str) -> None:
        """Write the whole state, atomically."""
        names = ("epoch", "losses", "density", "best", "best_loss", "best_epoch")
        state = {
            "identity": identity, "pair": self.pair.state_dict(), "adam": self.adam.state_dict(),
            "order": self.order.get_state(), "noise": self.noise.get_state(), "facts": {name: getattr(self, name) for name in names},
        }  # fmt: skip
        write_sealed(path, state)

    def restore(self, path: Path, identity: str) -> None:
        """Go on where a checkpoint is.

        Raises:
            ValueError: it is no checkpoint, or of other settings, pilots or channel.
        """
        resume(path, identity, self.device, self._resume, "settings, pilots and channel")

    def _resume(self, state: dict[str, Any]) -> None:
        self.pair.load_state_dict(state["pair"])
        self.adam.load_state_dict(state["adam"])
        for name, value in state["facts"].items():
            setattr(self, name, value)
        self.losses = [(training, validation) for training, validation in self.losses]
        self.order.set_state(state["order"].cpu())
        self.noise.set_state(state["noise"].cpu())

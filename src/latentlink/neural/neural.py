"""The paper's neural design: a complex MLP at either end, trained for one channel matrix with the mean squared error [pandolfo2025latent].

Differences from its published code, each to be fair or sound: latents are centred by the pilots' means (a bias that costs no power) and
scaled by one number instead of message by message, so that their norm is not lost; weights have random imaginary parts; noise is drawn at
0 dB, too; what is counted, evaluated and delivered are the same weights.
"""

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from latentlink.channels.channel import Channel
from latentlink.latents.pilots import Pilots
from latentlink.neural.layers import ComplexMlp
from latentlink.neural.pruning import Pruning
from latentlink.neural.training import Examples, Pair, Training
from latentlink.neural.transceiver import Network, NeuralTransceiver
from latentlink.transceiver import Solution, Status

Precision = Literal["auto", "float32", "bfloat16"]
_PRICE_STEPS = 4


@dataclass(frozen=True)
class Neural:
    """Complex MLPs trained for one channel, each message at the whole power budget.

    Attributes:
        hidden_tx, hidden_rx: complex units of the hidden layers; None for d and m, as published.
        layers: hidden layers of each network.
        epochs: at most. batch_size, learning_rate: of Adam.
        patience: epochs without a lower validation error before training ends.
        validation: share of the pilots that is held back to stop by.
        pruning: HardThreshold, SoftThreshold or Budget; None keeps all weights.
        precision: of the matrix products in training; "auto" is bfloat16 where the device has it in hardware (weights stay float32), else
            float32. Validation and the delivered link are float32.
        seed: of weights, order, noise and split.

    Raises:
        ValueError: naming the attribute that is out of range.

    References:
        [pandolfo2025latent]
    """

    hidden_tx: int | None = None
    hidden_rx: int | None = None
    layers: int = 1
    epochs: int = 50
    batch_size: int = 512
    learning_rate: float = 1e-3
    patience: int = 10
    validation: float = 0.1
    pruning: Pruning | None = None
    precision: Precision = "auto"
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("hidden_tx", "hidden_rx", "layers", "epochs", "batch_size", "patience"):
            value = getattr(self, name)
            if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < 1):
                raise ValueError(f"{name} must be a whole number from 1, got {value!r}")
        if not 0 < self.learning_rate < float("inf"):
            raise ValueError(f"learning_rate must be positive and finite, got {self.learning_rate}")
        if not 0 < self.validation < 1:
            raise ValueError(f"validation must be a share between 0 and 1, got {self.validation}")
        if self.pruning is not None and (isinstance(self.pruning, type) or not isinstance(self.pruning, Pruning)):
            raise ValueError(f"pruning must be HardThreshold(λ), SoftThreshold(λ), Budget(share) or None, got {self.pruning!r}")
        if self.precision not in ("auto", "float32", "bfloat16"):
            raise ValueError(f"precision must be 'auto', 'float32' or 'bfloat16', got {self.precision!r}")

    def design(
        self,
        pilots: Pilots,
        channel: Channel,
        *,
        checkpoint: Path | None = None,
        progress: Callable[[int, int, float, float], Any] | None = None,
    ) -> Solution:
        """Train for the channel (`channel.unaware()` for the paper's channel-unaware variant).

        Args:
            pilots: latents at both ends, at least two.
            channel: one channel, of batch () or (1,), with any number of uses.
            checkpoint: file that keeps the state while training; if it is there, training goes on from it to the same end.
            progress: called after each epoch with (epoch, epochs, training error, validation error), errors being total squared errors.

        Returns:
            Solution whose `expected_mse` is the validation error, with `trace` holding `training_mse`, `validation_mse` (epochs,) and
            `density` (); every message has the power of the budget.

        Raises:
            ValueError: pilots or channel are of another type or size, on different devices, or the checkpoint is of another training.
        """
        _check(pilots, channel)
        training, data, scales = self._prepared(pilots, channel)
        silent = not bool((channel.power > 0).all() and (channel.h != 0).any())
        factor = float(scales[1]) ** 2

        def told(epoch: int, epochs: int, train: float, val: float) -> None:
            if progress is not None:
                progress(epoch, epochs, factor * train, factor * val)

        if silent:
            for parameter in training.pair.decoder.parameters():
                parameter.data.zero_()
        else:
            training.run(data, told, checkpoint, self._identity(pilots, channel))
        transceiver = NeuralTransceiver(
            Network.of(training.pair.precoder), Network.of(training.pair.decoder),
            pilots.x.double().mean(0).float(), pilots.y.double().mean(0).float(), *scales, channel=channel.to(torch.float32),
        )  # fmt: skip
        return self._solution(training, transceiver, data, silent, factor)

    def _solution(self, training: Training, link: NeuralTransceiver, data: Examples, silent: bool, factor: float) -> Solution:
        status = Status.NOTHING_TO_SEND if silent else Status.TRAINED if training.converged else Status.UNDERTRAINED
        error = float(data.y_val.square().sum(-1).mean()) if silent else training.best_loss
        channel = link.channel
        power = torch.zeros_like(channel.power) if silent else channel.power
        losses = factor * torch.tensor(training.losses, dtype=torch.float64).reshape(-1, 2)
        trace = {"training_mse": losses[:, 0], "validation_mse": losses[:, 1], "density": torch.tensor(link.density)}
        return Solution(
            link,
            torch.full_like(channel.power, status.code, dtype=torch.int64),
            torch.full_like(channel.power, factor * error),
            power,
            trace,
        )

    def price(self, pilots: Pilots, channel: Channel) -> float:
        """Seconds that all epochs would take here, from a few steps."""
        _check(pilots, channel)
        training, data, _ = self._prepared(pilots, channel)
        rows = slice(0, self.batch_size)
        training.step(data.x[rows], data.y[rows])
        _finished(training.device)
        start = time.perf_counter()
        for _ in range(_PRICE_STEPS):
            training.step(data.x[rows], data.y[rows])
        _finished(training.device)
        return (time.perf_counter() - start) / _PRICE_STEPS * self.epochs * -(-len(data.x) // self.batch_size)

    def _prepared(self, pilots: Pilots, channel: Channel) -> tuple[Training, Examples, tuple[Tensor, Tensor]]:
        """Untrained networks and scaled data."""
        d, m, device = pilots.x.shape[1], pilots.y.shape[1], channel.h.device
        x, scale_x = _scaled(pilots.x)
        y, scale_y = _scaled(pilots.y)
        x = torch.nn.functional.pad(x, (0, d % 2))
        order = torch.randperm(len(x), generator=torch.Generator().manual_seed(self.seed)).to(device)
        held = min(len(x) - 1, max(1, round(self.validation * len(x))))
        data = Examples(x[order[held:]], y[order[held:]], x[order[:held]], y[order[:held]])
        generator = torch.Generator().manual_seed(self.seed)
        precoder = [x.shape[1] // 2, *[self.hidden_tx or d] * self.layers, channel.uses * channel.n_tx]
        decoder = [channel.uses * channel.n_rx, *[self.hidden_rx or m] * self.layers, -(-m // 2)]
        pair = Pair(ComplexMlp(precoder, generator), ComplexMlp(decoder, generator), channel).to(device)
        training = Training(
            pair, self.epochs, self.batch_size, self.learning_rate, self.patience, self.pruning, self._dtype(device), self.seed
        )
        return training, data, (scale_x, scale_y)

    def _dtype(self, device: torch.device) -> torch.dtype:
        if self.precision != "auto":
            return torch.bfloat16 if self.precision == "bfloat16" else torch.float32
        if device.type == "cuda":
            return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float32
        native = device.type == "cpu" and bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
        return torch.bfloat16 if native else torch.float32

    def _identity(self, pilots: Pilots, channel: Channel) -> str:
        """What a checkpoint must agree in: settings, pilots and channel."""
        digest = hashlib.sha256(repr([(f.name, getattr(self, f.name)) for f in fields(self)]).encode())
        for value in (pilots.x, pilots.y, torch.view_as_real(channel.h), channel.noise_variance, channel.power):
            digest.update(value.detach().cpu().contiguous().numpy().tobytes())
        return digest.hexdigest()


def _scaled(latents: Tensor) -> tuple[Tensor, Tensor]:
    """Centred latents of unit mean square in float32, and what they were divided by."""
    centred = latents.double() - latents.double().mean(0)
    scale = centred.square().mean().sqrt()
    scale = torch.where(scale > 0, scale, 1.0)
    return (centred / scale).float(), scale.float()


def _finished(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _check(pilots: Pilots, channel: Channel) -> None:
    if not isinstance(pilots, Pilots):
        raise ValueError(f"pilots must be Pilots(x, y, labels): networks need samples, got {type(pilots).__name__}")
    if not isinstance(channel, Channel):
        raise ValueError(f"channel must be a Channel (Channel.from_snr(h, snr_db)), got {type(channel).__name__}")
    if tuple(channel.batch) not in ((), (1,)):
        raise ValueError(f"channel must be one channel (a network is trained for each), got a batch {tuple(channel.batch)}")
    if len(pilots) < 2:
        raise ValueError(f"pilots must be at least 2, one of them to stop by, got {len(pilots)}")
    if pilots.x.device != channel.h.device:
        raise ValueError(f"channel must be on the pilots' device {pilots.x.device}, got {channel.h.device}")

"""The paper's neural design: a complex MLP at either end, trained for one channel matrix with the mean squared error [pandolfo2025latent].

Differences from its published code, each to be fair or sound: latents are centred by the pilots' means (a bias that costs no power) and
scaled by one number instead of message by message, so that neither their mean hides what differs nor their norm is lost; weights have
random imaginary parts; noise is drawn at 0 dB, too; what is counted, evaluated and delivered are the same weights.
"""

import hashlib
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from latentlink.channels.channel import Channel
from latentlink.latents.pilots import Pilots
from latentlink.links.solution import Solution, Status
from latentlink.neural.paper.layers import ComplexMlp, as_halves
from latentlink.neural.paper.network import ACTIVATION_FLOPS, Network
from latentlink.neural.paper.precision import Precision, product_dtype
from latentlink.neural.paper.pruning import Pruning
from latentlink.neural.paper.training import Examples, Pair, Training, at_budget
from latentlink.neural.paper.transceiver import NeuralTransceiver

DIVERGED = Status("training diverged", "feasible, the best pair before training diverged: lower learning_rate")

_PRICE_CALLS = 3
_GROWN = 3.0  # a training error so many times that of the first epoch, and no epoch better than none: it diverged


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
            float32. The delivered link is float32.
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
            optional = value is None and name.startswith("hidden")
            if not optional and (not isinstance(value, int) or isinstance(value, bool) or value < 1):
                raise ValueError(f"{name} must be an integer >= 1, got {value!r}")
        for name, most in (("learning_rate", float("inf")), ("validation", 1.0)):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < most:
                raise ValueError(f"{name} must be a number above 0 and below {most}, got {value!r}")
        if self.pruning is not None and (isinstance(self.pruning, type) or not isinstance(self.pruning, Pruning)):
            raise ValueError(f"pruning must be HardThreshold(λ), SoftThreshold(λ), Budget(share) or None, got {self.pruning!r}")
        if self.precision not in ("auto", "float32", "bfloat16"):
            raise ValueError(f"precision must be 'auto', 'float32' or 'bfloat16', got {self.precision!r}")
        if isinstance(self.seed, bool) or not isinstance(self.seed, int) or not 0 <= self.seed < 2**32:
            raise ValueError(f"seed must be an integer >= 0 to 2**32 - 1, got {self.seed!r}")

    def design(
        self,
        pilots: Pilots,
        channel: Channel,
        *,
        checkpoint: Path | str | None = None,
        progress: Callable[[int, int, float, float], Any] | None = None,
    ) -> Solution[NeuralTransceiver]:
        """Train for the channel (`channel.unaware()` for the paper's channel-unaware variant).

        Args:
            pilots: latents at both ends, at least two.
            channel: one channel, of batch () or (1,), with any number of uses; where it is known up to an error only, that error acts as
                noise that the signal brings along, fresh in each use.
            checkpoint: file that keeps the state while training (every few seconds, and where `progress` raises); if it is there, training
                goes on from it to the same end. Removed at the end.
            progress: called after each epoch with (epoch, epochs, training error, validation error), errors being total squared errors.

        Returns:
            Solution whose `expected_mse` is the error on validation pilots, which the choice of the best epoch makes a little optimistic;
            every message has the power of the budget. `trace` holds, by epoch (e,), `training_mse`, `validation_mse` and `density` (the
            share of weights left), and `best_epoch` (), which is delivered.

        Raises:
            ValueError: pilots or channel are of another type or size, on different devices, the checkpoint is of another training, or the
                budget of operations is below what is needed without any weight.

        References:
            [pandolfo2025latent]
        """
        _check(pilots, channel)
        training, scales = self._prepared(pilots, channel)
        silent = not bool((channel.power > 0).all() and (channel.h != 0).any())
        factor = float(scales[1]) ** 2

        def told(epoch: int, epochs: int, train: float, val: float) -> None:
            if progress is not None:
                progress(epoch, epochs, factor * train, factor * val)

        if silent:
            for parameter in training.pair.parameters():
                parameter.data.zero_()
        else:
            training.run(told, None if checkpoint is None else Path(checkpoint), self._identity(training, pilots, channel))
        transceiver = _link(training, scales, pilots, channel)
        silent = silent or transceiver.precoder.silent
        status = Status.NOTHING_TO_SEND if silent else _status(training)
        return _solution(training, transceiver, status, factor)

    def price(self, pilots: Pilots, channel: Channel) -> float:
        """Seconds that all epochs would take here, from a few steps; raises as `design`."""
        _check(pilots, channel)
        training, _ = self._prepared(pilots, channel)
        rows = torch.arange(min(self.batch_size, len(training.data)), device=training.device)
        step = _seconds(lambda: training.step(rows), training.device)
        validation = _seconds(training.validate, training.device)
        return self.epochs * (step * math.ceil(len(training.data) / self.batch_size) + validation)

    def untrained(self, pilots: Pilots, channel: Channel) -> NeuralTransceiver:
        """The link with weights as training begins, which takes as long to run as a trained one with no zeros; raises as `design`."""
        _check(pilots, channel)
        return _link(*self._prepared(pilots, channel), pilots, channel)

    def _prepared(self, pilots: Pilots, channel: Channel) -> tuple[Training, tuple[Tensor, Tensor]]:
        """Untrained networks with the data they are for, and what that was scaled by."""
        d, m, device = pilots.x.shape[1], pilots.y.shape[1], channel.h.device
        x, scale_x = _scaled(pilots.x)
        y, scale_y = _scaled(pilots.y)
        order = torch.randperm(len(pilots), generator=torch.Generator().manual_seed(self.seed)).to(device)
        held = min(len(order) - 1, max(1, round(self.validation * len(order))))
        counted = as_halves((torch.arange(m + m % 2, device=device) < m).float().unsqueeze(0))
        data = Examples(x[:, order[held:]], y[:, order[held:]], x[:, order[:held]], y[:, order[:held]], counted)
        generator = torch.Generator().manual_seed(self.seed)
        sent, received = channel.uses * channel.n_tx, channel.uses * channel.n_rx
        precoder = [x.shape[-1], *[self.hidden_tx or d] * self.layers, sent]
        decoder = [received, *[self.hidden_rx or m] * self.layers, y.shape[-1]]
        pair = Pair(ComplexMlp(precoder, generator), ComplexMlp(decoder, generator), channel).to(device)
        pruning = self.pruning
        if pruning is not None:
            fixed = ACTIVATION_FLOPS * (sum(precoder[1:-1]) + sum(decoder[1:-1])) + 2 * d + 2 * m + 6 * sent + 1
            pruning = pruning.within(fixed, sum(layer.mask.numel() for layer in pair.linears()))
        sizes = self.epochs, self.batch_size, self.learning_rate, self.patience
        return Training(pair, data, *sizes, pruning, product_dtype(self.precision, device), self.seed), (scale_x, scale_y)

    def _identity(self, training: Training, pilots: Pilots, channel: Channel) -> str:
        """What a checkpoint must agree in: settings, pilots and channel."""
        settings = [(f.name, getattr(self, f.name)) for f in fields(self)] + [("products", training.dtype)]
        digest = hashlib.sha256(repr(settings).encode())
        h = torch.view_as_real(channel.h.resolve_conj())
        for value in (pilots.x, pilots.y, h, channel.noise_variance, channel.power, channel.error_variance):
            digest.update(repr((value.dtype, tuple(value.shape))).encode())
            digest.update(value.detach().cpu().double().contiguous().numpy().tobytes())
        return digest.hexdigest()


def _link(training: Training, scales: tuple[Tensor, Tensor], pilots: Pilots, channel: Channel) -> NeuralTransceiver:
    mean_x, mean_y = (latents.detach().double().mean(0).float() for latents in (pilots.x, pilots.y))
    precoder, decoder = Network.of(training.pair.precoder), Network.of(training.pair.decoder)
    return NeuralTransceiver(precoder, decoder, mean_x, mean_y, *scales, channel.to(torch.float32))


def _solution(training: Training, link: NeuralTransceiver, status: Status, factor: float) -> Solution[NeuralTransceiver]:
    """The link with what was measured of it on validation pilots, in float32."""
    channel, data = link.channel, training.data
    with torch.no_grad():
        sent = at_budget(training.pair.precoder(data.x_val), training.pair.budget)
    losses = factor * torch.tensor(training.losses, dtype=torch.float64).reshape(-1, 2)
    trace = {
        "training_mse": losses[:, 0],
        "validation_mse": losses[:, 1],
        "density": torch.tensor(training.density, dtype=torch.float64),
        "best_epoch": torch.tensor(training.best_epoch),
    }
    return Solution(
        link,
        torch.full_like(channel.power, status.code, dtype=torch.int64),
        torch.full_like(channel.power, factor * training.validate(dtype=torch.float32)),
        torch.full_like(channel.power, float(sent.square().sum()) / (channel.uses * sent.shape[1])),
        trace,
    )


def _status(training: Training) -> Status:
    grown = bool(training.losses) and training.best_epoch == 0 and training.losses[-1][0] > _GROWN * training.losses[0][0]
    if training.diverged or grown:
        return DIVERGED
    return Status.TRAINED if training.converged else Status.UNDERTRAINED


def _scaled(latents: Tensor) -> tuple[Tensor, Tensor]:
    """Centred latents of unit mean square as halves in float32, and what they were divided by."""
    centred = latents.detach().double() - latents.detach().double().mean(0)
    scale = centred.square().mean().sqrt()
    scale = torch.where(scale > 0, scale, 1.0)
    return as_halves(torch.nn.functional.pad((centred / scale).float(), (0, latents.shape[1] % 2))).contiguous(), scale.float()


def _seconds(call: Callable[[], object], device: torch.device) -> float:
    """Of a call, on the average after a first one."""
    call()
    start = time.perf_counter()
    for _ in range(_PRICE_CALLS):
        call()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return (time.perf_counter() - start) / _PRICE_CALLS


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

"""Training of a precoder and a decoder for one channel, by Adam on one tensor of pilots.

    min over f, g of  E||y − g(H s + v)||²,      s = √(u P) f(x) / ||f(x)||,      v drawn anew in every batch.

Latents are centred and scaled once, and lie on the device as a whole; a round is an epoch, a permutation of their rows. The noise on
validation pilots is the same in every epoch. With pruning, the best weights so far are brought under each new mask and judged again, so
that they are never denser than what pruning asks for, and their error is that of the very weights.
"""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.func import functional_call

from latentlink.channels.channel import Channel
from latentlink.neural.paper.layers import ComplexLinear, ComplexMlp, at_budget, complex_product
from latentlink.neural.paper.pruning import Pruning
from latentlink.neural.seeding import NetworkDraw
from latentlink.neural.training_loop import Precision, TrainingLoop, product_dtype
from latentlink.numerics.reprs import Summarised


class Pair(nn.Module):
    """Precoder, channel and decoder on halves (`layers.py`); latents in and out are centred and scaled."""

    H: Tensor
    variance: Tensor
    error_variance: Tensor
    budget: Tensor

    def __init__(self, precoder: ComplexMlp, decoder: ComplexMlp, channel: Channel) -> None:
        super().__init__()
        self.precoder, self.decoder, self.uses = precoder, decoder, channel.uses
        blocks = torch.block_diag(*channel.h.reshape(-1, channel.n_rx, channel.n_tx))
        self.register_buffer("H", torch.stack([blocks.real, blocks.imag]).float(), persistent=False)
        self.register_buffer("variance", channel.noise_variance.reshape(()), persistent=False)
        self.register_buffer("error_variance", channel.error_variance.reshape(()), persistent=False)
        self.register_buffer("budget", (channel.uses * channel.power.reshape(())).float(), persistent=False)
        self.is_uncertain = bool(channel.error_variance > 0)

    def forward(
        self, x: Float[Tensor, "*#batch 2 n a"], noise: Float[Tensor, "*batch 2 n r"], dtype: torch.dtype = torch.float32
    ) -> Float[Tensor, "*batch 2 n b"]:
        """Decoded latents; noise is of unit variance."""
        s = at_budget(self.precoder(x, dtype), self.budget)
        r = complex_product(s, self.H, torch.float32) + self._deviation(s) * noise
        return self.decoder(r, dtype)

    def _deviation(self, s: Float[Tensor, "*batch 2 n t"]) -> Tensor:
        """Standard deviation per real dimension of the noise and of the signal through the channel's error, E s ~ CN(0, τ ||s_u||² I)."""
        if not self.is_uncertain:
            return (self.variance / 2).sqrt().float()[..., None, None, None]
        energy = s.unflatten(-1, (self.uses, -1)).square().sum((-4, -1))
        antennas = self.H.shape[-2] // self.uses
        variance, error_variance = (each.float()[..., None, None] for each in (self.variance, self.error_variance))
        deviation: Tensor = ((variance + error_variance * energy) / 2).sqrt()
        return deviation.repeat_interleave(antennas, -1).unsqueeze(-3)

    def linears(self) -> list[ComplexLinear]:
        """All complex layers."""
        return self.precoder.linears() + self.decoder.linears()


@dataclass(frozen=True, eq=False)
class SplitPilots:
    """Centred and scaled latents as halves (2, n, c) on the device: to train on, and to stop by.

    Attributes:
        x: latents at the transmitter, of the pilots trained on.
        y: latents at the receiver, of the same pilots.
        x_val: latents at the transmitter, of validation pilots.
        y_val: latents at the receiver, of validation pilots.
        counted: (2, 1, ⌈m/2⌉), 0 where y is padding, else 1.
    """

    x: Float[Tensor, "2 n a"]
    y: Float[Tensor, "2 n b"]
    x_val: Float[Tensor, "2 v a"]
    y_val: Float[Tensor, "2 v b"]
    counted: Float[Tensor, "2 1 b"]

    def __len__(self) -> int:
        return self.x.shape[1]

    def error(self, decoded: Float[Tensor, "*batch 2 n b"], y: Float[Tensor, "*#batch 2 n b"]) -> Float[Tensor, "*batch"]:
        """Total squared error per message."""
        return ((decoded - y) * self.counted).square().sum((-3, -2, -1)) / y.shape[-2]


@dataclass(frozen=True, kw_only=True)
class PairSchedule(Summarised):
    """The length and speed of a training; the fields are those of `Neural`."""

    epochs: int = 50
    batch_size: int = 512
    learning_rate: float = 1e-3
    patience: int = 10
    precision: Precision = "auto"
    seed: int = 0


class PairLoop(TrainingLoop):
    """Training of a pair for its channel, with the pruning, if any, after each epoch."""

    def __init__(self, pair: Pair, data: SplitPilots, schedule: PairSchedule, pruning: Pruning | None) -> None:
        self.module = self.pair = pair
        self.data, self.schedule, self.pruning = data, schedule, pruning
        self.device = pair.H.device
        self.dtype = product_dtype(schedule.precision, self.device)
        order = NetworkDraw.ORDER.generator(schedule.seed)
        noise = NetworkDraw.TRAINING_NOISE.generator(schedule.seed, device=self.device)
        super().__init__(schedule.epochs, schedule.patience, {"order": order, "noise": noise})
        self.optimiser = torch.optim.Adam(pair.parameters(), schedule.learning_rate, fused=self.device.type in ("cpu", "cuda"))
        self.noise_val = self.draw_noise(data.x_val.shape[1], NetworkDraw.VALIDATION_NOISE.generator(schedule.seed, device=self.device))

    def train(self) -> float:
        """One pass over all rows; mean squared error per message."""
        order = self.draw_order()
        total = torch.zeros((), device=self.device, dtype=torch.float32)
        for rows in order.split(self.schedule.batch_size):
            total += self.step(rows) * len(rows)
        return float(total) / len(self.data)

    @torch.enable_grad()
    def step(self, rows: Tensor) -> Float[Tensor, ""]:
        """One step of Adam; pruned weights stay zero."""
        self.optimiser.zero_grad(set_to_none=True)
        decoded = self.pair(self.data.x[:, rows], self.draw_noise(len(rows), self.random["noise"]), self.dtype)
        loss = self.data.error(decoded, self.data.y[:, rows])
        loss.backward()
        self.optimiser.step()
        if self.pruning is not None:
            for layer in self.pair.linears():
                layer.hold()
        return loss.detach()

    def adapt(self, loss: float) -> None:
        """Prune, unless the weights are no finite numbers, and bring the best weights so far under the new masks."""
        finite = math.isfinite(loss) and all(bool(weight.isfinite().all()) for weight in self.pair.parameters())
        if self.pruning is not None and finite:
            self.pruning.after_epoch(self.pair.linears(), self.round, self.rounds, self.schedule.learning_rate)
            self._bring_best_under_mask()

    def measure(self) -> dict[str, float]:
        """Validation error, and the share of weights that are left."""
        masks = torch.cat([layer.mask.flatten() for layer in self.pair.linears()])
        return {"validation": self.validate(), "density": float(masks.sum()) / len(masks)}

    @property
    def settled(self) -> bool:
        return self.pruning is None or self.pruning.settled(self.round, self.rounds)

    @torch.no_grad()
    def validate(self, weights: dict[str, Tensor] | None = None, dtype: torch.dtype | None = None) -> float:
        """Error on validation pilots, of the present weights or others, as in training or in another precision."""
        arguments = (self.data.x_val, self.noise_val, dtype or self.dtype)
        decoded = self.pair(*arguments) if weights is None else functional_call(self.pair, weights, arguments)
        return float(self.data.error(decoded, self.data.y_val))

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

    def draw_order(self) -> Tensor:
        """A permutation of the rows trained on."""
        return torch.randperm(len(self.data), generator=self.random["order"], device="cpu").to(self.device)

    def draw_noise(self, count: int, generator: torch.Generator) -> Float[Tensor, "2 n r"]:
        """Noise of unit variance on so many messages."""
        return torch.randn(2, count, self.pair.H.shape[1], generator=generator, device=self.device, dtype=torch.float32)

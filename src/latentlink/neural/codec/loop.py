"""Training of a codec over a distribution of channels, by AdamW on one tensor of pilots and one bank of channels.

    min over f, g of  E over channels c, pilots (z, y), noise of  loss( y, μy + Ψ decode(a ⊙ limit(precode(z; c)) + n; c) )

The learning rate rises linearly and falls as a cosine. Each step takes some channels of the bank and some pilots, and sends every pilot
over every channel. A round is a number of steps, after which validation pilots are sent over validation channels. A complexity budget is
met halfway by leaving out whole units; the best weights are then looked for anew. Latents are sent without antennas, in the units of
`streams.py` (`simulate`): each passes every channel, and their mean energy is at the budget within each channel.
"""

import math
from dataclasses import dataclass, replace
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from latentlink.budget import Budget
from latentlink.neural.codec.design import Codec
from latentlink.neural.codec.ends import Ends, carry, decode, limit_messages, mean_scale, precode, refitted_gain
from latentlink.neural.codec.examples import Batch, Examples
from latentlink.neural.codec.networks import Dropout, frozen_copy, networks_facts, networks_from
from latentlink.neural.codec.pruning import cost_of, shrink
from latentlink.neural.codec.streams import Streams
from latentlink.neural.seeding import CodecDraw
from latentlink.neural.training_loop import Precision, TrainingLoop, product_dtype
from latentlink.numerics.reprs import Summarised

WARM_UP = 0.1  # share of the steps in which the learning rate rises
CHANNELS_AT_ONCE = 16
CLIP = 1.0  # of the gradient's norm


@dataclass(frozen=True, kw_only=True)
class CodecSchedule(Summarised):
    """The length and speed of a training; the fields are those of `CodecTraining`."""

    rounds: int = 30
    steps: int = 100
    channels: int = 16
    messages: int = 128
    learning_rate: float = 2e-3
    patience: int = 30
    dropout: float = 0.0
    weight_decay: float = 0.0
    budget: Budget | None = None
    precision: Precision = "auto"
    seed: int = 0


class CodecLoop(TrainingLoop):
    """Training of a codec: of copies of its networks, on examples (pilots), a bank of channels, and others to validate on (`held`)."""

    module: nn.ModuleDict

    def __init__(self, codec: Codec, examples: Examples, bank: Streams, held: Streams, schedule: CodecSchedule) -> None:
        self.examples, self.bank, self.held, self.schedule = examples, bank, held, schedule
        self.device = bank.amplitude.device
        self.precision = product_dtype(schedule.precision, self.device)
        random: dict[str, torch.Generator] = {}
        for draw in (CodecDraw.ORDER, CodecDraw.AUGMENTATION):
            random[draw] = draw.generator(schedule.seed)
        for draw in (CodecDraw.DISTURBANCE, CodecDraw.DROPOUT, CodecDraw.TRAINING_NOISE):
            random[draw] = draw.generator(schedule.seed, device=self.device)
        super().__init__(schedule.rounds, schedule.patience, random)
        self._start_from(codec)

    def _start_from(self, codec: Codec) -> None:
        """Go on with copies of these networks, and a new optimiser."""
        encoder, decoder = frozen_copy(codec.encoder), frozen_copy(codec.decoder)
        self.module = nn.ModuleDict({"encoder": encoder, "decoder": decoder}).train().requires_grad_(True)
        self.codec = replace(codec, encoder=encoder, decoder=decoder)
        self.examples.select(codec.inputs, codec.outputs)
        self.optimiser = torch.optim.AdamW(
            list(self.module.parameters()),
            self.schedule.learning_rate,
            weight_decay=self.schedule.weight_decay,
            fused=self.device.type in ("cpu", "cuda"),
        )

    @property
    def _half(self) -> int:
        return max(1, self.rounds // 2)

    @property
    def settled(self) -> bool:
        """True once training has gone on for a while within the budget."""
        return self.schedule.budget is None or self.round > self._half

    def train(self) -> float:
        """One round of steps; the mean loss."""
        total = torch.zeros((), device=self.device, dtype=torch.float32)
        for number in range(self.schedule.steps):
            total += self.step(number)
        return float(total) / self.schedule.steps

    @torch.enable_grad()
    def step(self, number: int) -> Tensor:
        """One step of AdamW, the `number`-th of the round; the loss, detached."""
        step, total = self.round * self.schedule.steps + number, self.rounds * self.schedule.steps
        rise = max(1, round(WARM_UP * total))  # a linear rise, then half a cosine
        share = (step + 1) / rise if step < rise else 0.5 * (1 + math.cos(math.pi * (step - rise) / max(1, total - rise)))
        for group in self.optimiser.param_groups:
            group["lr"] = self.schedule.learning_rate * share
        channels = torch.randint(len(self.bank.amplitude), (self.schedule.channels,), generator=self.random[CodecDraw.ORDER], device="cpu")
        batch = self.examples.batch(self.schedule.messages, self.random)
        self.optimiser.zero_grad(set_to_none=True)
        drop = Dropout(self.schedule.dropout, self.random[CodecDraw.DROPOUT]) if self.schedule.dropout else None
        with torch.autocast(self.device.type, self.precision, enabled=self.precision != torch.float32):
            decoded = simulate(self.codec, batch.z, self.bank[channels.to(self.device)], self.random[CodecDraw.TRAINING_NOISE], drop)
        loss = batch.wanted.loss(decoded.float(), batch.rows).mean()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.optimiser.param_groups[0]["params"], CLIP)
        self.optimiser.step()
        return loss.detach()

    def measure(self) -> dict[str, float]:
        """Loss and score on validation pilots over validation channels, always with the same noise."""
        noise = CodecDraw.VALIDATION_NOISE.generator(self.schedule.seed, device=self.device)
        losses, scores = loss_and_score(self.codec, self.examples.held, self.held, noise)
        return {"validation": float(losses.mean(-1).mean()), "score": float(scores.mean(-1).mean())}

    def adapt(self, loss: float) -> None:
        """Leave out units after half of the rounds."""
        if self.round == self._half:
            self._shrink()

    def finish(self) -> None:
        """Meet the budget also where training diverged before half of the rounds."""
        if self.schedule.budget is not None and self.round < self._half:
            self._shrink()
            self.judge(self.measure()["validation"])

    def _shrink(self) -> None:
        """Leave out units, from the weights as they are (from the best ones if they are not finite), and look for the best anew."""
        if self.schedule.budget is None:
            return
        if not all(bool(weight.isfinite().all()) for weight in self.module.parameters()):
            self.module.load_state_dict(self.best)
        self._start_from(shrink(cost_of(self.schedule.budget), self.codec, self.held))
        self.best, self.best_loss = {}, math.inf

    def trained(self) -> Codec:
        """The codec with frozen copies of the networks as they are."""
        return replace(self.codec, encoder=frozen_copy(self.codec.encoder), decoder=frozen_copy(self.codec.decoder))

    def state(self) -> dict[str, Any]:
        """The state with the sizes of the networks."""
        networks = networks_facts(self.codec.encoder, self.codec.decoder)
        return {**super().state(), "networks": networks, "inputs": self.codec.inputs, "outputs": self.codec.outputs}

    def resume(self, state: dict[str, Any]) -> None:
        encoder, decoder = networks_from(dict(state["module"]), state["networks"])
        self._start_from(replace(self.codec, encoder=encoder, decoder=decoder, inputs=state["inputs"], outputs=state["outputs"]))
        super().resume(state)


@torch.no_grad()
def loss_and_score(
    codec: Codec, batch: Batch, streams: Streams, generator: torch.Generator, active: Tensor | None = None
) -> tuple[Float[Tensor, "c n"], Float[Tensor, "c n"]]:
    """Loss (c, n) and score (c, n) of a codec for each message of a batch over each of the channels (c,), with noise of `generator`.

    `active` (c,) is False where the linear design alone is judged; None has the codec on everywhere.
    """
    losses, scores = [], []
    for rows in torch.arange(len(streams.amplitude), device=streams.amplitude.device).split(CHANNELS_AT_ONCE):
        on = None if active is None else active[rows]
        z = simulate(codec, batch.z, streams[rows], generator, active=on)
        losses.append(batch.wanted.loss(z, batch.rows))
        scores.append(batch.wanted.score(z, batch.rows))
    return torch.cat(losses), torch.cat(scores)


def simulate(
    codec: Codec, z: Tensor, streams: Streams, generator: torch.Generator, drop: Dropout | None = None, active: Tensor | None = None
) -> Float[Tensor, "c n o"]:
    """Decoded coefficients ẑ (c, n, o) of coordinates z (n, i) that the encoder reads, sent over channels (c,) with fresh noise.

    `drop` leaves out hidden units in training; `active` as in `loss_and_score`.
    """
    if active is not None and not bool(active.any()):
        return _by_the_linear_design(codec, z, streams, generator)
    ends = Ends.of(codec.encoder, codec.decoder, streams, active)
    raw = precode(codec.encoder, ends, z, drop)
    t = _at_budget(codec, raw, streams)
    if active is not None and codec.limit.limits_messages:
        ends = ends.refitted(z, t, streams)
    noise = torch.randn(t.shape, generator=generator, device=t.device, dtype=streams.amplitude.dtype)
    return decode(codec.decoder, ends, streams.amplitude.unsqueeze(-2) * t + noise, drop)


def _by_the_linear_design(codec: Codec, z: Tensor, streams: Streams, generator: torch.Generator) -> Float[Tensor, "c n o"]:
    """The same where the codec is off at every channel: no network has to be asked."""
    S, k = streams.amplitude.shape[-1], len(codec.outputs)
    t = _at_budget(codec, streams.share.sqrt().unsqueeze(-2) * carry(z, S), streams)
    gain = refitted_gain(z, t, streams) if codec.limit.limits_messages else streams.gain
    noise = torch.randn(t.shape, generator=generator, device=t.device, dtype=t.dtype)
    return carry(gain.unsqueeze(-2) * (streams.amplitude.unsqueeze(-2) * t + noise), k)


def _at_budget(codec: Codec, raw: Float[Tensor, "c n S"], streams: Streams) -> Float[Tensor, "c n S"]:
    """Symbols scaled to the mean budget within each channel, and limited message by message."""
    scale = mean_scale(codec.limit, raw.square().sum(-1).mean(-1), streams.share.sum(-1))
    return limit_messages(codec.limit, raw * scale)

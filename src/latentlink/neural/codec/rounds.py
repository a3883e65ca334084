"""Training of a codec over a distribution of channels: a plain loop over one tensor of pilots and one bank of channels.

    min over f, g of  E over channels c, pilots (z, y), noise of  loss( y, μy + Ψ decode(a ⊙ limit(precode(z; c)) + n; c) ),

by Adam with a cosine learning rate. Each step takes some channels of the bank and some pilots, and sends every pilot over every channel;
the mean energy is held at the budget within each channel. A round is so many steps, after which validation pilots are sent over validation
channels; the weights of the best round are kept. In the end the gate is set on validation pilots and fresh channels.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from latentlink.channels.draws import ChannelSource
from latentlink.neural.checkpoints import resume, write_sealed
from latentlink.neural.codec.codec import Codec
from latentlink.neural.codec.ends import Ends, carried, decode, precode, refitted_gain
from latentlink.neural.codec.examples import Batch, Examples
from latentlink.neural.codec.networks import Dropout
from latentlink.neural.codec.pruning import ComplexityBudget, shrunk
from latentlink.neural.codec.streams import Streams, placed, symbols
from latentlink.neural.codec.transceiver import built, copied

WARM_UP = 0.1  # share of the steps in which the learning rate rises
CLIP = 1.0  # of the gradient's norm
_JUDGED = 16  # channels at a time


@dataclass(frozen=True)
class Schedule:
    """How long and how fast.

    Attributes:
        rounds: at most. steps: of each round. channels, messages: of each step. learning_rate: greatest, of Adam.
        patience: rounds without a lower validation loss before training ends.
        dropout: share of hidden units dropped. weight_decay: of AdamW.
        budget: what the link may cost, met after half of the rounds by leaving out whole units.
    """

    rounds: int
    steps: int
    channels: int
    messages: int
    learning_rate: float
    patience: int
    dropout: float
    weight_decay: float
    budget: ComplexityBudget | None = None


def bank(source: ChannelSource, count: int, codec: Codec, seed: int) -> Streams:
    """The streams (c, S) of channels that a source draws, on the codec's device: c = count less those with more symbols than the codec has.

    Raises:
        ValueError: none is left.
    """
    generator, strength = torch.Generator().manual_seed(seed), codec.modes.strength
    drawn = [channel for channel in source.draw(count, generator) if symbols(channel) <= codec.max_symbols]
    if not drawn:
        raise ValueError(f"draws must have channels of at most max_symbols = {codec.max_symbols} symbols, got none")
    parts = [placed(strength, channel.to(strength.device), codec.most)[0] for channel in drawn]
    order = torch.randperm(sum(len(part.amplitude) for part in parts), generator=generator)  # they come by size
    return Streams(*(torch.cat([getattr(part, f.name) for part in parts]).float()[order.to(strength.device)] for f in fields(Streams)))


@dataclass(eq=False)
class Training:
    """State of a training; `run` takes it to its end, from wherever it is.

    Attributes:
        codec: what it starts from. examples: pilots. train, held: channels. schedule, seed: settings.
        precision: of the products.
        round: finished rounds. losses: (training, validation) loss of each. scores: validation score of each.
        best: weights of the least validation loss so far, once units were left out where a budget asks for it; best_loss, best_round: that
            loss, and when it was.
    """

    codec: Codec
    examples: Examples
    train: Streams
    held: Streams
    schedule: Schedule
    seed: int
    precision: torch.dtype = torch.float32
    round: int = 0
    losses: list[tuple[float, float]] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)
    best: list[dict[str, Tensor]] = field(default_factory=list)
    best_loss: float = float("inf")
    best_round: int = 0

    def __post_init__(self) -> None:
        self.device, self.rule = self.train.amplitude.device, self.codec.rule
        self.drawn = torch.Generator().manual_seed(self.seed)
        self.noise = torch.Generator(self.device).manual_seed(self.seed)
        self._take(self.codec)

    def _take(self, codec: Codec) -> None:
        """Go on with copies of these networks, and a new optimiser."""
        self.codec, self.encoder, self.decoder = codec, copied(codec.encoder).train(), copied(codec.decoder).train()
        self.examples.select(codec.inputs, codec.outputs)
        parameters = [*self.encoder.requires_grad_(True).parameters(), *self.decoder.requires_grad_(True).parameters()]
        fused = self.device.type in ("cpu", "cuda")
        self.live = replace(codec, encoder=self.encoder, decoder=self.decoder)
        self.adam = torch.optim.AdamW(parameters, self.schedule.learning_rate, weight_decay=self.schedule.weight_decay, fused=fused)

    @property
    def finished(self) -> bool:
        """Whether the rounds are over, or validation has stopped improving, or the loss has left the range of numbers."""
        tired = self.round - self.best_round >= self.schedule.patience and (self.schedule.budget is None or self.round > self._half)
        return self.round >= self.schedule.rounds or tired or self.diverged

    @property
    def _half(self) -> int:
        return max(1, self.schedule.rounds // 2)

    @property
    def diverged(self) -> bool:
        """Whether losses are numbers no more."""
        return bool(self.losses) and not all(map(math.isfinite, self.losses[-1]))

    def run(self, told: Callable[["Training"], Any]) -> Codec:
        """Train to the end; `told` of each round, as it ends. The codec with the best weights."""
        if not self.best:
            self._judge(self.validate()[0])
        while not self.finished:
            total = torch.zeros((), device=self.device)
            for number in range(self.schedule.steps):
                total += self.step(number)
            loss = float(total) / self.schedule.steps
            self.round += 1
            if self.schedule.budget is not None and self.round == self._half:
                self._shrink(self.schedule.budget)
            validation, score = self.validate()
            self.losses.append((loss, validation))
            self.scores.append(score)
            self._judge(validation)
            told(self)
        if self.schedule.budget is not None and self.round < self._half:  # it diverged before
            self._shrink(self.schedule.budget)
            self._judge(self.validate()[0])
        return self.trained()

    def trained(self) -> Codec:
        """The codec with the best weights so far."""
        networks = []
        for network, weights in zip((self.encoder, self.decoder), self.best, strict=True):
            networks.append(copied(network))
            networks[-1].load_state_dict(weights)
        return replace(self.codec, encoder=networks[0], decoder=networks[1])

    def _shrink(self, budget: ComplexityBudget) -> None:
        """Leave out units, from the weights as they are (the best ones if they are no numbers), and begin anew to look for the best."""
        finite = all(bool(weight.isfinite().all()) for net in (self.encoder, self.decoder) for weight in net.parameters())
        self._take(shrunk(self.live if finite else self.trained(), budget, self.held))
        self.best, self.best_loss = [], math.inf

    def _judge(self, loss: float) -> None:
        """Keep the weights if none were better."""
        if loss < self.best_loss or not self.best:
            self.best_loss, self.best_round = loss, self.round
            self.best = [{name: value.clone() for name, value in net.state_dict().items()} for net in (self.encoder, self.decoder)]

    @torch.enable_grad()
    def step(self, number: int) -> Tensor:
        """One step of Adam; the loss, detached."""
        for group in self.adam.param_groups:
            group["lr"] = self.schedule.learning_rate * self._rate(self.round * self.schedule.steps + number)
        channels = torch.randint(len(self.train.amplitude), (self.schedule.channels,), generator=self.drawn).to(self.device)
        batch = self.examples.batch(self.schedule.messages, self.drawn, self.noise)
        self.adam.zero_grad(set_to_none=True)
        drop = Dropout(self.schedule.dropout, self.noise) if self.schedule.dropout else None
        with torch.autocast(self.device.type, self.precision, enabled=self.precision != torch.float32):
            decoded = sent(self.live, batch.z, self.train[channels], self.noise, drop)
        loss = batch.wanted.loss(decoded.float(), batch.rows).mean()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.adam.param_groups[0]["params"], CLIP)
        self.adam.step()
        return loss.detach()

    def _rate(self, step: int) -> float:
        """Share of the learning rate: a linear rise, then half a cosine."""
        total = self.schedule.rounds * self.schedule.steps
        rise = max(1, round(WARM_UP * total))
        return (step + 1) / rise if step < rise else 0.5 * (1 + math.cos(math.pi * (step - rise) / max(1, total - rise)))

    @torch.no_grad()
    def validate(self) -> tuple[float, float]:
        """Loss and score on validation pilots over validation channels, always with the same noise."""
        judged = judgements(self.live, self.examples.held, self.held, self.seed + 1)
        return float(judged[0].mean()), float(judged[1].mean())

    def save(self, path: Path, identity: str) -> None:
        """Write the whole state, atomically."""
        names = ("round", "losses", "scores", "best", "best_loss", "best_round")
        write_sealed(path, {
            "identity": identity,
            "networks": [(network.widths, network.state_dict()) for network in (self.encoder, self.decoder)],
            "kept": [self.codec.inputs, self.codec.outputs],
            "adam": self.adam.state_dict(),
            "drawn": self.drawn.get_state(),
            "noise": self.noise.get_state(),
            "facts": {name: getattr(self, name) for name in names},
        })  # fmt: skip

    def restore(self, path: Path, identity: str) -> None:
        """Go on where a checkpoint is.

        Raises:
            ValueError: it is no checkpoint, or of other settings, pilots or objective.
        """
        resume(path, identity, self.device, self._resume, "settings, pilots and objective")

    def _resume(self, state: dict[str, Any]) -> None:
        encoder, decoder = (built(widths, self.codec.encoder.features, weights) for widths, weights in state["networks"])
        inputs, outputs = state["kept"]
        self._take(replace(self.codec, encoder=encoder, decoder=decoder, inputs=inputs, outputs=outputs))
        self.adam.load_state_dict(state["adam"])
        for name, value in state["facts"].items():
            setattr(self, name, value)
        self.losses = [(training, validation) for training, validation in self.losses]
        self.drawn.set_state(state["drawn"].cpu())
        self.noise.set_state(state["noise"].cpu())


@torch.no_grad()
def judgements(
    codec: Codec, batch: Batch, streams: Streams, seed: int, active: Tensor | None = None
) -> tuple[Float[Tensor, "c"], Float[Tensor, "c"]]:
    """Loss and score (c,) of a codec on a batch over each channel, `active` or the linear design alone; the noise is that of the seed."""
    generator = torch.Generator(streams.amplitude.device).manual_seed(seed)
    losses, scores = [], []
    for rows in torch.arange(len(streams.amplitude), device=streams.amplitude.device).split(_JUDGED):
        on = None if active is None else active[rows]
        z = sent(codec, batch.z, streams[rows], generator, active=on)
        losses.append(batch.wanted.loss(z, batch.rows).mean(-1))
        scores.append(batch.wanted.score(z, batch.rows).mean(-1))
    return torch.cat(losses), torch.cat(scores)


def sent(
    codec: Codec, z: Tensor, streams: Streams, generator: torch.Generator, drop: Dropout | None = None, active: Tensor | None = None
) -> Float[Tensor, "c n o"]:
    """ẑ of latents z (n, i) over channels (c,), with fresh noise; the mean energy of these very latents is at the budget."""
    if active is not None and not bool(active.any()):
        return _by_the_linear_design(codec, z, streams, generator)
    ends = Ends.of(codec.encoder, codec.decoder, streams, active)
    raw = precode(codec.encoder, ends, z, drop)
    t = codec.rule.limit(raw * codec.rule.scale(raw.square().sum(-1).mean(-1), streams.share.sum(-1)))
    if active is not None and codec.rule.limits_messages:
        ends = ends.refitted(z, t, streams)
    noise = torch.randn(t.shape, generator=generator, device=t.device, dtype=streams.amplitude.dtype)
    return decode(codec.decoder, ends, streams.amplitude.unsqueeze(-2) * t + noise, drop)


def _by_the_linear_design(codec: Codec, z: Tensor, streams: Streams, generator: torch.Generator) -> Float[Tensor, "c n o"]:
    """The same where the codec is off at every channel: no network has to be asked."""
    S, k = streams.amplitude.shape[-1], len(codec.outputs)
    raw = streams.share.sqrt().unsqueeze(-2) * carried(z, S)
    t = codec.rule.limit(raw * codec.rule.scale(raw.square().sum(-1).mean(-1), streams.share.sum(-1)))
    gain = refitted_gain(z, t, streams) if codec.rule.limits_messages else streams.gain
    noise = torch.randn(t.shape, generator=generator, device=t.device, dtype=t.dtype)
    return carried(gain.unsqueeze(-2) * (streams.amplitude.unsqueeze(-2) * t + noise), k)

"""Structured pruning of a codec: whole hidden units, modes read and modes given are left out, so that fewer operations are also less time.

A unit's worth is what its leaving would take from the next layer's inputs, relative to all that reaches them,

    worth_j = E[x_j²] ||W_{·j}||² / Σ_i E[x_i²] ||W_{·i}||²

(for a mode that the decoder gives, in the goal's metric: E[ẑ_j²] b_j²), per operation that it costs. The least worth go first, until the
link is within its budget; training then goes on with what is left. The modes that the linear design sends are never left out. A budget in
microseconds is met by the largest budget of operations whose link is measured to be fast enough.
"""

import math
from dataclasses import dataclass, replace
from itertools import pairwise

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn.functional import gelu

from latentlink.channels.channel import Channel
from latentlink.evaluation.latency import latency
from latentlink.links.operations import REAL_WEIGHT
from latentlink.neural.codec.codec import Codec
from latentlink.neural.codec.ends import Ends, decode, precode
from latentlink.neural.codec.networks import ModulatedMlp, Modulation
from latentlink.neural.codec.streams import Streams
from latentlink.neural.codec.transceiver import GELU_FLOPS, CodecTransceiver

_JUDGED = 16  # channels that units are judged on
_BISECTIONS = 6  # of the operations that a budget in microseconds leaves


@dataclass(frozen=True)
class Flops:
    """At most so many real operations per message, both devices together, at a channel of the most symbols.

    Attributes:
        flops: as `CodecTransceiver.flops.total` counts them.

    Raises:
        ValueError: flops is not a positive integer.
    """

    flops: int

    def __post_init__(self) -> None:
        if isinstance(self.flops, bool) or not isinstance(self.flops, int) or self.flops < 1:
            raise ValueError(f"flops must be a positive integer, got {self.flops!r}")


@dataclass(frozen=True)
class Latency:
    """At most so many microseconds per message, both devices together, on one thread of this machine.

    Attributes:
        us: median. batch: messages at a time.

    Raises:
        ValueError: us is not positive and finite, or batch is below 1.
    """

    us: float
    batch: int = 1

    def __post_init__(self) -> None:
        if isinstance(self.us, bool) or not isinstance(self.us, int | float) or not 0 < self.us < float("inf"):
            raise ValueError(f"us must be positive and finite, got {self.us!r}")
        if isinstance(self.batch, bool) or not isinstance(self.batch, int) or self.batch < 1:
            raise ValueError(f"batch must be an integer >= 1, got {self.batch!r}")


ComplexityBudget = Flops | Latency


@dataclass(eq=False)
class Units:
    """One layer of units that may be left out: the inputs or a hidden layer of a network, or the outputs of the decoder.

    Attributes:
        worth: (n,) per operation. cost: operations that one of them takes. kept: (n,) those that stay.
    """

    worth: Float[Tensor, "n"]
    cost: int
    kept: Bool[Tensor, "n"]


@torch.no_grad()
def ranked(
    encoder: ModulatedMlp,
    decoder: ModulatedMlp,
    z: Float[Tensor, "n i"],
    streams: Streams,
    sent: int,
    dims: tuple[int, int],
    noise: Tensor,
    weight: Float[Tensor, "o"],
) -> list[Units]:
    """Every layer's units: encoder inputs, encoder hidden layers, decoder hidden layers, decoder outputs.

    Args:
        z: pilots. streams: channels (c,) to judge on. sent: modes of the linear design, which stay. dims: d and m. noise: (c, n, S).
        weight: (o,) what a unit of each output counts in the goal, b².
    """
    ends = Ends.of(encoder, decoder, streams)
    raw = precode(encoder, ends, z)
    t = raw * raw.square().sum(-1).mean(-1).clamp(min=1e-30).rsqrt()[..., None, None]
    w = streams.amplitude.unsqueeze(-2) * t + noise
    out = decode(decoder, ends, w)
    units = [_units(worth, cost) for worth, cost in _layers(encoder, z.expand(len(streams.amplitude), *z.shape), ends.precoding)]
    units[0].cost += REAL_WEIGHT * dims[0]  # a mode that is not read needs no row of Φ
    units[0].worth *= (units[0].cost - REAL_WEIGHT * dims[0]) / units[0].cost
    units[0].worth[:sent] = torch.inf
    units += [_units(worth, cost) for worth, cost in _layers(decoder, ends.evened * w, ends.decoding)][1:]
    last = REAL_WEIGHT * (decoder.widths[-2] + dims[1])
    given = out.square().mean((0, 1)) * weight
    units.append(_units(given / given.sum().clamp(min=1e-30), last))
    units[-1].worth[:sent] = torch.inf
    return units


def _units(share: Tensor, cost: int) -> Units:
    return Units(share / cost, cost, torch.ones_like(share, dtype=torch.bool))


def _layers(network: ModulatedMlp, x: Tensor, at: Modulation) -> list[tuple[Tensor, int]]:
    """(share of what reaches the next layer, operations) of each unit of the input and the hidden layers."""
    widths, found = network.widths, []
    following: list[nn.Linear] = [*network.linears(), network.out]
    for number, layer in enumerate(following):
        reach = x.square().mean((0, 1)) * layer.weight.square().sum(0)
        before = widths[number - 1] if number else 0
        cost = REAL_WEIGHT * (before + widths[number + 1]) + (2 + GELU_FLOPS if number else 0)
        found.append((reach / reach.sum().clamp(min=1e-30), cost))
        if number < len(widths) - 2:
            x = gelu(torch.addcmul(at.shift[number], at.scale[number], layer(x)))
    return found


def cut(units: list[Units], excess: float) -> None:
    """Leave out the units of least worth until `excess` operations are saved, or none is left that may go; one of each layer stays."""
    worth = torch.cat([layer.worth for layer in units])
    owner = torch.cat([torch.full((len(layer.worth),), i) for i, layer in enumerate(units)])
    place = torch.cat([torch.arange(len(layer.worth)) for layer in units])
    for index in worth.argsort().tolist():
        layer = units[int(owner[index])]
        if excess <= 0:
            return
        if layer.kept.sum() > 1 and layer.worth[place[index]] < torch.inf:
            layer.kept[place[index]] = False
            excess -= layer.cost


def without(network: ModulatedMlp, kept: list[Tensor]) -> ModulatedMlp:
    """The network with only these units of its input, hidden layers and output."""
    weights = dict(network.state_dict())
    rows = [keep.nonzero().squeeze(-1) for keep in kept]
    for number, (inputs, outputs) in enumerate(pairwise(rows)):
        name = f"layers.{number}" if number < len(network.layers) else "out"
        weights[f"{name}.weight"] = weights[f"{name}.weight"][outputs][:, inputs]
        weights[f"{name}.bias"] = weights[f"{name}.bias"][outputs]
        if number < len(network.layers):
            both = torch.cat([outputs, outputs + network.widths[number + 1]])
            for what in ("weight", "bias"):
                weights[f"modulators.{number}.{what}"] = weights[f"modulators.{number}.{what}"][both]
    last = torch.cat([rows[-1], rows[-1].new_tensor([network.widths[-1]])])
    weights |= {f"last.{what}": weights[f"last.{what}"][last] for what in ("weight", "bias")}
    smaller = ModulatedMlp([len(row) for row in rows], network.features).to(last.device)
    smaller.load_state_dict({name: value.clone() for name, value in weights.items()})
    return smaller


def shrunk(codec: Codec, budget: ComplexityBudget, streams: Streams) -> Codec:
    """The codec with what is worth most within its budget, judged on its calibration latents over some of these channels.

    Raises:
        ValueError: even with one unit a layer the link is above the budget.
    """
    if isinstance(budget, Flops):
        return _within(codec, budget.flops, streams)
    fastest = _within(codec, 0, streams, at_least=True)
    low, high = math.log(flops(fastest)), math.log(flops(codec))
    if (least := _microseconds(fastest, budget.batch)) > budget.us:
        raise ValueError(f"us must be above {least:.0f}, what a link with one unit a layer takes here, got {budget.us}")
    if _microseconds(codec, budget.batch) <= budget.us:
        return codec
    best = fastest
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        tried = _within(codec, int(math.exp(middle)), streams, at_least=True)
        if _microseconds(tried, budget.batch) <= budget.us:
            best, low = tried, middle
        else:
            high = middle
    return best


def check_budget(codec: Codec, budget: ComplexityBudget, streams: Streams) -> None:
    """Raise before anything is trained where no codec of these modes could be within the budget, as `shrunk` would."""
    least = _within(codec, 0, streams, at_least=True)
    if isinstance(budget, Flops):
        if budget.flops < flops(least):
            raise ValueError(f"flops must be at least {flops(least)}, what a link with one unit a layer takes, got {budget.flops}")
    elif (fastest := _microseconds(least, budget.batch)) > budget.us:
        raise ValueError(f"us must be above {fastest:.0f}, what a link with one unit a layer takes here, got {budget.us}")


def flops(codec: Codec) -> int:
    """Operations per message at a channel of the most symbols."""
    return int(_largest_link(codec).flops.total)


def _largest_link(codec: Codec) -> CodecTransceiver:
    eye = torch.eye(codec.max_symbols, dtype=torch.complex128, device=codec.modes.strength.device)
    link: CodecTransceiver = codec.design(Channel.from_snr(eye, 20.0)).transceiver
    return link


def _microseconds(codec: Codec, batch: int) -> float:
    link = _largest_link(codec)
    x = codec.modes.mean_x.float().expand(batch, -1)
    measured = latency(link, x, link.channel, batch=batch)
    return measured.encode_us + measured.decode_us


def _within(codec: Codec, most: int, streams: Streams, at_least: bool = False) -> Codec:
    """Units left out until the link takes `most` operations; with `at_least`, as near to it as can be."""
    streams = streams[:_JUDGED]
    sent, dims = min(codec.most, len(codec.modes)), (len(codec.modes.mean_x), len(codec.modes.mean_y))
    generator = torch.Generator(streams.amplitude.device).manual_seed(0)
    z = codec.calibration.z
    noise = torch.randn(*streams.amplitude.shape[:1], len(z), codec.most, generator=generator, device=z.device)
    while (excess := flops(codec) - most) > 0:
        weight = codec.modes.strength[codec.outputs].square().to(z)
        units = ranked(codec.encoder, codec.decoder, z[:, codec.inputs], streams, sent, dims, noise, weight)
        cut(units, excess)
        if all(bool(layer.kept.all()) for layer in units):
            if at_least:
                return codec
            raise ValueError(f"flops must be at least {flops(codec)}, what a link with one unit a layer takes, got {most}")
        kept = [layer.kept for layer in units]
        layers = len(codec.encoder.widths) - 1
        everything = torch.ones(codec.most, dtype=torch.bool, device=z.device)
        codec = replace(
            codec,
            encoder=without(codec.encoder, [*kept[:layers], everything]),
            decoder=without(codec.decoder, [everything, *kept[layers:]]),
            inputs=codec.inputs[kept[0]],
            outputs=codec.outputs[kept[-1]],
        )
    return codec

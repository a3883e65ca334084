"""Structured pruning of a codec: whole hidden units, modes read and modes given are left out, so that fewer operations are also less time.

A unit's worth is what its removal would take from the next layer's inputs, relative to all that reaches them,

    worth_j = E[x_j²] ||W_{·j}||² / Σ_i E[x_i²] ||W_{·i}||²

(for a mode that the decoder gives, in the goal's metric: E[ẑ_j²] b_j²), per operation that it costs. The units of least worth go first,
until the link is within its budget; training then goes on with what is left. The modes that the linear design sends are never left out. A
budget of time is met by the largest budget of operations whose link is measured to be fast enough.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn.functional import gelu

from latentlink.budget import Flops, Latency
from latentlink.channels.channel import Channel
from latentlink.evaluation.latency import latency
from latentlink.links.operation_count import REAL_WEIGHT
from latentlink.neural.codec.design import Codec
from latentlink.neural.codec.ends import Ends, decode, precode
from latentlink.neural.codec.networks import ModulatedMlp, Modulation, build
from latentlink.neural.codec.streams import Streams
from latentlink.neural.codec.transceiver import GELU_FLOPS, CodecTransceiver
from latentlink.neural.seeding import CodecDraw

JUDGED = 16  # channels that units are judged on
BISECTIONS = 6  # of the operations that a budget of time leaves


class Cost(NamedTuple):
    """A budget as a number that is measured and one that it must not exceed.

    Attributes:
        name: what is limited, as in the budget.
        most: the limit.
        measure: what a codec takes of it.
    """

    name: str
    most: float
    measure: Callable[[Codec], float]


def cost_of(budget: object) -> Cost:
    """The cost that a budget limits; a ValueError where a codec cannot serve the budget."""
    match budget:
        case Flops():
            return Cost("flops", budget.flops, flops)
        case Latency():
            return Cost("microseconds", budget.microseconds, lambda codec: microseconds(codec, budget.batch))
    expected = "budget.Flops(flops), budget.Latency(microseconds) or None"
    raise ValueError(f"budget must be {expected}, got {budget!r}: a codec leaves out whole units, no single weights")


@dataclass(eq=False)
class Units:
    """One layer of units that may be left out.

    Attributes:
        worth: (n,) worth per operation.
        cost: operations that one of them takes.
        stay: (n,) True for those that are not left out.
    """

    worth: Float[Tensor, "n"]
    cost: int
    stay: Bool[Tensor, "n"]


class Layers(NamedTuple):
    """All units of a codec that may be left out: modes read and given, and the hidden layers between them."""

    encoder_in: Units
    encoder: list[Units]
    decoder: list[Units]
    decoder_out: Units

    def every(self) -> list[Units]:
        """All layers in a row."""
        return [self.encoder_in, *self.encoder, *self.decoder, self.decoder_out]


@torch.no_grad()
def rank_units(codec: Codec, streams: Streams, noise: Float[Tensor, "c n S"]) -> Layers:
    """The worth of every unit of a codec, whose calibration latents are sent over channels (c,) with this noise of the received streams."""
    encoder, decoder = codec.encoder, codec.decoder
    d, m, linear = len(codec.modes.mean_x), len(codec.modes.mean_y), min(codec.most, len(codec.modes))
    z = codec.calibration.z[:, codec.inputs]
    ends = Ends.of(encoder, decoder, streams)
    raw = precode(encoder, ends, z)
    t = raw * raw.square().sum(-1).mean(-1).clamp(min=1e-30).rsqrt()[..., None, None]
    w = streams.amplitude.unsqueeze(-2) * t + noise
    weight = codec.modes.strength[codec.outputs].square().to(z)  # what a unit of each output counts in the goal, b²
    given = decode(decoder, ends, w).square().mean((0, 1)) * weight
    read, *encoding = _rank_layers(encoder, z.expand(len(streams.amplitude), *z.shape), ends.precoding)
    decoding = _rank_layers(decoder, ends.evened * w, ends.decoding)[1:]
    without_row = read.cost
    read.cost += REAL_WEIGHT * d  # a mode that is not read needs no row of Φ
    read.worth *= without_row / read.cost
    out = _units(given / given.sum().clamp(min=1e-30), REAL_WEIGHT * (decoder.widths[-2] + m))
    for modes in (read, out):
        modes.worth[:linear] = torch.inf
    return Layers(read, encoding, decoding, out)


def _units(share: Tensor, cost: int) -> Units:
    return Units(share / cost, cost, torch.ones_like(share, dtype=torch.bool))


def _rank_layers(network: ModulatedMlp, x: Tensor, at: Modulation) -> list[Units]:
    """The units of the input and of each hidden layer, by their share of what reaches the next layer."""
    widths, found = network.widths, []
    following: list[nn.Linear] = [*network.linears(), network.out]
    for number, layer in enumerate(following):
        reach = x.square().mean((0, 1)) * layer.weight.square().sum(0)
        before = widths[number - 1] if number else 0
        cost = REAL_WEIGHT * (before + widths[number + 1]) + (2 + GELU_FLOPS if number else 0)
        found.append(_units(reach / reach.sum().clamp(min=1e-30), cost))
        if number < len(widths) - 2:
            x = gelu(torch.addcmul(at.shift[number], at.scale[number], layer(x)))
    return found


def leave_out(units: list[Units], excess: float) -> None:
    """Leave out the units of least worth until `excess` operations are saved, or no unit may go; one of each layer stays."""
    worth = torch.cat([layer.worth for layer in units])
    owner = torch.cat([torch.full((len(layer.worth),), i, device="cpu") for i, layer in enumerate(units)])
    place = torch.cat([torch.arange(len(layer.worth), device="cpu") for layer in units])
    for index in worth.argsort().tolist():
        layer = units[int(owner[index])]
        if excess <= 0:
            return
        if layer.stay.sum() > 1 and layer.worth[place[index]] < torch.inf:
            layer.stay[place[index]] = False
            excess -= layer.cost


def without(network: ModulatedMlp, selected: list[Tensor]) -> ModulatedMlp:
    """The network with only the selected units of its input, hidden layers and output."""
    weights = dict(network.state_dict())
    rows = [units.nonzero().squeeze(-1) for units in selected]
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
    return build([len(row) for row in rows], network.features, {name: value.clone() for name, value in weights.items()})


def shrink(cost: Cost, codec: Codec, streams: Streams) -> Codec:
    """The codec without the units of least worth at channels (c,): the largest that is found within a cost.

    Raises:
        ValueError: even with one unit a layer the link is above the cost.
    """
    smallest = check_cost(cost, codec, streams)
    if cost.measure is flops:
        return within(codec, cost.most, streams)
    if cost.measure(codec) <= cost.most:
        return codec
    best, low, high = smallest, math.log(flops(smallest)), math.log(flops(codec))
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        tried = within(codec, int(math.exp(middle)), streams)
        if cost.measure(tried) <= cost.most:
            best, low = tried, middle
        else:
            high = middle
    return best


def check_cost(cost: Cost, codec: Codec, streams: Streams) -> Codec:
    """The smallest codec that units can be left out to; a ValueError where it is above the cost already."""
    smallest = within(codec, 0, streams)
    if (least := cost.measure(smallest)) > cost.most:
        remedy = "allow more, or train with fewer modes, layers or max_symbols"
        raise ValueError(
            f"{cost.name} must be at least {math.ceil(least)}, what a link with one unit a layer takes here, got {cost.most:g}: {remedy}"
        )
    return smallest


def flops(codec: Codec) -> int:
    """Operations per message at a channel of the most symbols."""
    return _largest_link(codec).flops.total


def microseconds(codec: Codec, batch: int) -> float:
    """Time per message at a channel of the most symbols, measured here with `batch` messages at a time."""
    link = _largest_link(codec)
    x = codec.modes.mean_x.float().expand(batch, -1)
    measured = latency(link, x, link.channel, batch=batch)
    return measured.encode_us + measured.decode_us


def _largest_link(codec: Codec) -> CodecTransceiver:
    eye = torch.eye(codec.max_symbols, dtype=torch.complex128, device=codec.modes.strength.device)
    return codec.design(Channel.from_snr(eye, 20.0)).transceiver


def within(codec: Codec, most: float, streams: Streams) -> Codec:
    """The codec without the units of least worth, so that the link takes `most` operations, or as near to that as it can be."""
    streams = streams[:JUDGED]
    z = codec.calibration.z
    generator = CodecDraw.PRUNING_NOISE.generator(0, device=z.device)
    noise = torch.randn(len(streams.amplitude), len(z), codec.most, generator=generator, device=z.device, dtype=z.dtype)
    every = torch.ones(codec.most, dtype=torch.bool, device=z.device)
    while (excess := flops(codec) - most) > 0:
        layers = rank_units(codec, streams, noise)
        leave_out(layers.every(), excess)
        if all(bool(layer.stay.all()) for layer in layers.every()):
            break
        read, given = layers.encoder_in.stay, layers.decoder_out.stay
        codec = replace(
            codec,
            encoder=without(codec.encoder, [read, *(layer.stay for layer in layers.encoder), every]),
            decoder=without(codec.decoder, [every, *(layer.stay for layer in layers.decoder), given]),
            inputs=codec.inputs[read],
            outputs=codec.outputs[given],
        )
    return codec

"""A network that is modulated by the channel: hidden units are scaled and shifted by functions of the channel's features.

    x_{l+1} = GELU( α_l(c) ⊙ (W_l x_l + b_l) + β_l(c) ),        out = W x_L + b + δ(c),        direct = 1 − γ(c)

(feature-wise modulation [perez2018film]). α, β, γ, δ are functions of the channel's features c, computed once per channel by a small
network of their own; per message only the layers are computed. At first α = 1, β = γ = δ = 0 and W = b = 0: the network adds nothing.
"""

import copy
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import gelu

from latentlink.links.link_file import taken_out

FEATURES = 128  # units of the network that reads the channel


@dataclass(frozen=True, eq=False)
class Modulation:
    """The modulation of a network at the channels of a batch `...`; an axis of 1 stands for the messages.

    Attributes:
        scale: α (…, 1, h) of each hidden layer.
        shift: β (…, 1, h) of each hidden layer.
        offset: δ (…, 1, out).
        direct: 1 − γ (…, 1, 1), share of the linear part.
    """

    scale: tuple[Tensor, ...]
    shift: tuple[Tensor, ...]
    offset: Float[Tensor, "*batch 1 out"]
    direct: Float[Tensor, "*batch 1 1"]


@dataclass(frozen=True, eq=False)
class Dropout:
    """Hidden units left out at random in training, drawn from a generator of its own.

    Attributes:
        share: share of the units, in [0, 1).
        generator: source of randomness, on the device.
    """

    share: float
    generator: torch.Generator

    def __call__(self, x: Tensor) -> Tensor:
        """x with that share of its entries zero, the others larger by as much."""
        retained = torch.rand(x.shape, generator=self.generator, device=x.device, dtype=torch.float32) >= self.share
        return x * retained / (1 - self.share)


class ModulatedMlp(nn.Module):
    """The network of the module for channels of `features` features.

    Attributes:
        widths: units of the input, the hidden layers and the output.
        features: numbers by which a channel is described.
        layers: the hidden layers.

    The first weights are drawn from a generator on the CPU; without one all are zero, to be loaded.
    """

    def __init__(self, widths: list[int], features: int, generator: torch.Generator | None = None) -> None:
        super().__init__()

        def linear(inputs: int, outputs: int, zero: bool = False) -> nn.Linear:
            # skip_init draws nothing from the global generator
            layer: nn.Linear = nn.utils.skip_init(nn.Linear, inputs, outputs, dtype=torch.float32)
            for parameter in (layer.weight, layer.bias):
                if zero or generator is None:
                    nn.init.zeros_(parameter)
                else:
                    nn.init.uniform_(parameter, -(inputs**-0.5), inputs**-0.5, generator=generator)
            return layer

        *hidden, outputs = widths
        self.widths, self.features = list(widths), features
        self.layers = nn.ModuleList(linear(a, b) for a, b in pairwise(hidden))
        self.out = linear(hidden[-1], outputs, zero=True)
        self.reader = nn.Sequential(linear(features, FEATURES), nn.SiLU(), linear(FEATURES, FEATURES), nn.SiLU())
        self.modulators = nn.ModuleList(linear(FEATURES, 2 * width, zero=True) for width in hidden[1:])
        self.last = linear(FEATURES, outputs + 1, zero=True)

    def linears(self) -> list[nn.Linear]:
        return [layer for layer in self.layers if isinstance(layer, nn.Linear)]

    def modulation(self, features: Float[Tensor, "*batch c"]) -> Modulation:
        """α, β, γ, δ at these channels."""
        read = self.reader(features).unsqueeze(-2)
        pairs = [modulator(read).chunk(2, -1) for modulator in self.modulators]
        last = self.last(read)
        return Modulation(tuple(1 + a for a, _ in pairs), tuple(b for _, b in pairs), last[..., :-1], 1 - last[..., -1:])

    def forward(self, x: Float[Tensor, "*#batch n in"], at: Modulation, drop: Dropout | None = None) -> Float[Tensor, "*batch n out"]:
        """Outputs for messages x at the channels of a modulation; in training some hidden units may be dropped."""
        for layer, scale, shift in zip(self.layers, at.scale, at.shift, strict=True):
            x = gelu(torch.addcmul(shift, scale, layer(x)))
            x = x if drop is None else drop(x)
        return self.out(x) + at.offset


def build(widths: list[int], features: int, weights: dict[str, Tensor]) -> ModulatedMlp:
    """A frozen network of these weights, which must be of one precision."""
    if len(kinds := {weight.dtype for weight in weights.values()}) > 1:
        raise ValueError(f"weights of a network must be of one precision, got {', '.join(sorted(map(str, kinds)))}")
    with torch.device("meta"):
        network = ModulatedMlp(widths, features)
    network.load_state_dict(weights, assign=True)
    return network.requires_grad_(False).eval()


def frozen_copy(network: ModulatedMlp) -> ModulatedMlp:
    """A copy of a network that is not trained."""
    return copy.deepcopy(network).requires_grad_(False).eval()


def networks_facts(encoder: ModulatedMlp, decoder: ModulatedMlp) -> dict[str, Any]:
    """Sizes of both networks, for a manifest."""
    return {"features": encoder.features, "encoder": encoder.widths, "decoder": decoder.widths}


def networks_from(tensors: dict[str, Tensor], facts: dict[str, Any]) -> tuple[ModulatedMlp, ModulatedMlp]:
    """Both networks of a saved file or a state, whose tensors are taken out of `tensors`."""
    encoder, decoder = (build(facts[end], facts["features"], taken_out(tensors, f"{end}.")) for end in ("encoder", "decoder"))
    return encoder, decoder

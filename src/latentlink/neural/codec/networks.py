"""A network that one channel makes into another: hidden units are scaled and shifted by what is known of the channel.

    x_{l+1} = GELU( α_l(c) ⊙ (W_l x_l + b_l) + β_l(c) ),        out = W x_L + b + δ(c),        direct = 1 − γ(c)

(feature-wise modulation [perez2018film]). α, β, γ, δ are made of the channel's features c once per channel by a small network of their own;
per message only the layers are computed. At first α = 1, β = γ = δ = 0 and W = b = 0: the network adds nothing, whatever the channel.
"""

from dataclasses import dataclass
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import dropout, gelu

FEATURES = 128  # units of the network that reads the channel


@dataclass(frozen=True, eq=False)
class Modulation:
    """What a network is at the channels of a batch `...`; an axis of 1 stands for the messages.

    Attributes:
        scale: α (…, 1, h) of each hidden layer. shift: β (…, 1, h). offset: δ (…, 1, out).
        direct: 1 − γ (…, 1, 1), share of the linear part.
    """

    scale: tuple[Tensor, ...]
    shift: tuple[Tensor, ...]
    offset: Float[Tensor, "*batch 1 out"]
    direct: Float[Tensor, "*batch 1 1"]


class ModulatedMlp(nn.Module):
    """The network of the module for channels of `features` features.

    Attributes:
        widths: units of the input, the hidden layers and the output.
    """

    def __init__(self, widths: list[int], features: int) -> None:
        super().__init__()
        *hidden, outputs = widths
        self.widths, self.features = list(widths), features
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(hidden))
        self.out = nn.Linear(hidden[-1], outputs)
        self.reader = nn.Sequential(nn.Linear(features, FEATURES), nn.SiLU(), nn.Linear(FEATURES, FEATURES), nn.SiLU())
        self.modulators = nn.ModuleList(nn.Linear(FEATURES, 2 * width) for width in hidden[1:])
        self.last = nn.Linear(FEATURES, outputs + 1)
        for layer in (self.out, *self.modulators, self.last):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)

    def linears(self) -> list[nn.Linear]:
        """The hidden layers, in order."""
        return [layer for layer in self.layers if isinstance(layer, nn.Linear)]

    def modulation(self, features: Float[Tensor, "*batch c"]) -> Modulation:
        """α, β, γ, δ at these channels."""
        read = self.reader(features).unsqueeze(-2)
        pairs = [modulator(read).chunk(2, -1) for modulator in self.modulators]
        last = self.last(read)
        return Modulation(tuple(1 + a for a, _ in pairs), tuple(b for _, b in pairs), last[..., :-1], 1 - last[..., -1:])

    def forward(self, x: Float[Tensor, "*#batch n in"], at: Modulation, drop: float = 0.0) -> Float[Tensor, "*batch n out"]:
        """Outputs for messages x at the channels of a modulation; `drop` is the share of hidden units dropped in training."""
        for layer, scale, shift in zip(self.layers, at.scale, at.shift, strict=True):
            x = gelu(torch.addcmul(shift, scale, layer(x)))
            x = dropout(x, drop) if drop else x
        out: Tensor = self.out(x) + at.offset
        return out

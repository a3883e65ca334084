"""A network that is modulated by the channel: hidden units are scaled and shifted by functions of the channel's features c.

    x_{l+1} = GELU( α_l(c) ⊙ (W_l x_l + b_l) + β_l(c) ),        out = W x_L + b + δ(c),        direct = 1 − γ(c)

α, β, γ, δ are computed once per channel by a small network of their own; per message only the layers are computed, with α b + β as their
bias.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from latentlink_runtime.artifacts.artifact_file import Tensors, check_arrays
from latentlink_runtime.numerics.gelu import gelu

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, eq=False)
class Modulation:
    """What the channels of a batch `...` make of a network; an axis of 1 stands for the messages.

    Attributes:
        scale: α (…, 1, h) of each hidden layer.
        bias: α b + β (…, 1, h) of each hidden layer.
        offset: b + δ (…, 1, out).
        direct: 1 − γ (…, 1, 1), share of the linear part.
    """

    scale: tuple[Array, ...]
    bias: tuple[Array, ...]
    offset: Array
    direct: Array


@dataclass(frozen=True, eq=False)
class Network:
    """The network of the module.

    Attributes:
        layers: (W, b) of each hidden layer, W (h, in).
        out: (W, b) of the output.
        reader: (W, b) of the two layers that read the channel's features.
        modulators: (W, b) of α − 1 and β, for each hidden layer.
        last: (W, b) of δ and γ.
    """

    layers: tuple[tuple[Array, Array], ...]
    out: tuple[Array, Array]
    reader: tuple[tuple[Array, Array], ...]
    modulators: tuple[tuple[Array, Array], ...]
    last: tuple[Array, Array]

    @classmethod
    def from_tensors(cls, tensors: Tensors, prefix: str) -> "Network":
        """The network whose arrays have names that begin with a prefix, such as "encoder."; ValueError where they do not fit together."""

        def pair(name: str) -> tuple[Array, Array]:
            weight, bias = tensors[f"{prefix}{name}.weight"], tensors[f"{prefix}{name}.bias"]
            if weight.ndim != 2:
                raise ValueError(f"{prefix}{name}.weight must be a matrix, got {weight.shape}")
            check_arrays(tensors, {f"{prefix}{name}.bias": weight.shape[:1]}, (np.float32,))
            return weight, bias

        def series(name: str, numbers: range) -> tuple[tuple[Array, Array], ...]:
            return tuple(pair(f"{name}.{number}") for number in numbers)

        count = sum(name.startswith(f"{prefix}layers.") and name.endswith(".weight") for name in tensors)
        numbers = range(count)
        network = cls(series("layers", numbers), pair("out"), series("reader", range(0, 4, 2)), series("modulators", numbers), pair("last"))
        for name, (weight, _), shape in network._expected():
            if weight.shape != shape or weight.dtype != np.float32:
                raise ValueError(f"{prefix}{name} must be float32 {shape}, as its neighbours say, got {weight.dtype} {weight.shape}")
        return network

    def _expected(self) -> Iterator[tuple[str, tuple[Array, Array], tuple[int, int]]]:
        """Name, arrays and expected shape of each layer: what one gives is what the next takes."""
        widths, read = self.widths, len(self.reader[0][1])
        for number, layer in enumerate((*self.layers, self.out)):
            yield (f"layers.{number}" if layer is not self.out else "out"), layer, (widths[number + 1], widths[number])
        yield "reader.0", self.reader[0], (read, self.features)
        yield "reader.2", self.reader[1], (self.units, read)
        for number, modulator in enumerate(self.modulators):
            yield f"modulators.{number}", modulator, (2 * widths[number + 1], self.units)
        yield "last", self.last, (self.outputs + 1, self.units)

    @property
    def features(self) -> int:
        """Numbers of the channel that the reader reads."""
        return int(self.reader[0][0].shape[1])

    @property
    def units(self) -> int:
        """Numbers that the reader makes of a channel."""
        return len(self.reader[1][1])

    @staticmethod
    def check_told(encoder: "Network", decoder: "Network", manifest: dict[str, Any]) -> None:
        """ValueError unless two networks have the widths that the manifest of a file tells, and the streams that they share."""
        told = {"encoder": encoder.widths, "decoder": decoder.widths, "features": 2 * encoder.outputs}
        if manifest["networks"] != told:
            raise ValueError(f"networks must be {manifest['networks']}, as the manifest says, got {told}")
        if decoder.inputs != encoder.outputs or {encoder.features, decoder.features} != {2 * encoder.outputs}:
            streams = encoder.outputs, decoder.inputs, encoder.features / 2, decoder.features / 2
            raise ValueError(f"both networks must have the same number of streams, got {streams}")

    @property
    def widths(self) -> list[int]:
        """Widths of the layers, inputs first, as the manifest of a file has them."""
        return [self.inputs, *(len(bias) for _, bias in self.layers), self.outputs]

    @property
    def inputs(self) -> int:
        """Numbers that the first layer reads."""
        return int((self.layers[0] if self.layers else self.out)[0].shape[1])

    @property
    def outputs(self) -> int:
        """Numbers of the output."""
        return int(self.out[0].shape[0])

    def read(self, features: Array) -> Array:
        """What the reader makes of the features (…, c) of channels."""
        for weight, bias in self.reader:
            features = _silu(features @ weight.T + bias)
        return features

    def modulation(self, features: Array) -> Modulation:
        """α, β, γ, δ at channels of these features (…, c)."""
        read = self.read(features)[..., None, :]
        pairs = [(read @ weight.T + bias, len(bias) // 2) for weight, bias in self.modulators]
        last = read @ self.last[0].T + self.last[1]
        scale, shift = tuple(1 + both[..., :h] for both, h in pairs), tuple(both[..., h:] for both, h in pairs)
        return self.modulated(scale, shift, last[..., :-1], 1 - last[..., -1:])

    def modulated(self, scale: tuple[Array, ...], shift: tuple[Array, ...], offset: Array, direct: Array) -> Modulation:
        """The modulation of given α, β, δ and 1 − γ, with the biases of the layers folded in."""
        bias = tuple(a * own + b for a, b, (_, own) in zip(scale, shift, self.layers, strict=True))
        return Modulation(scale, bias, offset + self.out[1], direct)

    def __call__(self, x: Array, at: Modulation) -> Array:
        """Outputs (…, n, out) for messages x (…, n, in) at the channels of a modulation."""
        for (weight, _), scale, bias in zip(self.layers, at.scale, at.bias, strict=True):
            units = x @ weight.T
            if units.ndim == scale.ndim and units.shape[:-2] == scale.shape[:-2]:
                units *= scale
                units += bias
            else:
                units = units * scale + bias
            x = gelu(units)
        return x @ self.out[0].T + at.offset


def _silu(x: Array) -> Array:
    return x / (1 + np.exp(-x))

"""The neural transceiver: two complex networks as they run on the devices.

    s = √(u P) f((x − μx) / c_x) / ||f(·)||,        ŷ = μy + c_y g(r),

f and g on stacked halves (`neural/layers.py`). Weights are embedded once. A network runs in the form that suits its weights: dense; dense
without the hidden units that no weight reaches or leaves (`compacted`, the same function); or as compressed sparse rows (`as_sparse`).
"""

import os
import warnings
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from typing import Any, Literal

import torch
from jaxtyping import Complex, Float
from numpy.typing import NDArray
from torch import Tensor

from latentlink.arrays import finite
from latentlink.channels.channel import Channel
from latentlink.io.artifacts import artifact, save
from latentlink.neural.layers import ComplexMlp, embedded, modulus_gelu
from latentlink.neural.training import at_budget
from latentlink.tasks.complexity import COMPLEX_WEIGHT, Flops, latency

ACTIVATION_FLOPS = (
    11  # of a complex unit: |z|²/2 4 (2 products, sum, half), root, erf, half, 1/2 +, and its product with z 2; and the guard's sum
)
Form = Literal["dense", "sparse"]


@dataclass(frozen=True, eq=False)
class Network:
    """Complex layers with the modulus GELU between them.

    Attributes:
        weights: (2, out, in) of each layer. biases: (2, out). form: how products are computed.
    """

    weights: tuple[Tensor, ...]
    biases: tuple[Tensor, ...]
    form: Form = "dense"

    @classmethod
    def of(cls, mlp: ComplexMlp) -> "Network":
        """The network as it was trained, pruned weights being zero."""
        layers = mlp.linears()
        return cls(tuple(layer.weight.detach().clone() for layer in layers), tuple(layer.bias.detach().clone() for layer in layers))

    def __call__(self, z: Float[Tensor, "*n in2"]) -> Float[Tensor, "*n out2"]:
        """Stacked halves of the last layer's outputs."""
        for number, matrix in enumerate(self.matrices):
            z = modulus_gelu(z) if number else z
            if self.form == "dense":
                z = torch.nn.functional.linear(z, matrix, self.biases[number].flatten())
            else:
                product = (matrix @ z.flatten(0, -2).mT).mT
                z = product.unflatten(0, z.shape[:-1]) + self.biases[number].flatten()
        return z

    @cached_property
    def matrices(self) -> tuple[Tensor, ...]:
        """Real embeddings of the weights, in their form."""
        dense = tuple(embedded(weight) for weight in self.weights)
        if self.form == "dense":
            return dense
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Sparse CSR tensor support is in beta state")
            return tuple(matrix.to_sparse_csr() for matrix in dense)

    def layer_flops(self) -> list[tuple[str, int]]:
        """Real operations of each layer: 8 for each nonzero complex weight (with the bias every product is followed by an addition), and
        11 for the activation of each unit that is not zero whatever comes in."""
        rows: list[tuple[str, int]] = []
        for number, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            rows.append((f"linear {number + 1}", COMPLEX_WEIGHT * int((weight != 0).any(0).sum())))
            if number < len(self.weights) - 1:
                alive = (weight != 0).any(0).any(-1) | (bias != 0).any(0)
                rows.append((f"activation {number + 1}", ACTIVATION_FLOPS * int(alive.sum())))
        return rows

    @property
    def nonzero(self) -> int:
        """Complex weights that are left."""
        return sum(int((weight != 0).any(0).sum()) for weight in self.weights)

    @property
    def size(self) -> int:
        """All complex weights."""
        return sum(weight[0].numel() for weight in self.weights)

    def compacted(self) -> "Network":
        """The same function without hidden units that nothing reaches (their constant output joins the next bias) or that reach nothing."""
        weights, biases = list(self.weights), list(self.biases)
        for number in range(len(weights) - 1):
            reached = (weights[number] != 0).any(0).any(-1)
            used = (weights[number + 1] != 0).any(0).any(0)
            constant = modulus_gelu(biases[number].flatten()) * (~reached).repeat(2)
            biases[number + 1] = biases[number + 1] + (embedded(weights[number + 1]) @ constant).reshape(2, -1)
            kept = reached & used
            kept[0] |= ~kept.any()  # no layer is left without any unit
            weights[number], biases[number] = weights[number][:, kept], biases[number][:, kept]
            weights[number + 1] = weights[number + 1][:, :, kept]
        return replace(self, weights=tuple(weights), biases=tuple(biases))

    def to(self, target: torch.device | torch.dtype | str) -> "Network":
        """The same network on another device or in another precision."""
        return replace(self, weights=tuple(w.to(target) for w in self.weights), biases=tuple(b.to(target) for b in self.biases))


@artifact("neural link")
@dataclass(frozen=True, eq=False)
class NeuralTransceiver:
    """Neural precoder and decoder, trained for one channel (see the module).

    Attributes:
        precoder: f, ⌈d/2⌉ → u n_tx complex. decoder: g, u n_rx → ⌈m/2⌉.
        mean_x: μx (d,). mean_y: μy (m,). scale_x: c_x. scale_y: c_y, ().
        channel: that it was trained for, one channel in all; its power is the budget of every message.
    """

    precoder: Network
    decoder: Network
    mean_x: Float[Tensor, "d"]
    mean_y: Float[Tensor, "m"]
    scale_x: Float[Tensor, ""]
    scale_y: Float[Tensor, ""]
    channel: Channel = field(repr=False)

    @property
    def batch(self) -> torch.Size:
        """() or (1,): one channel."""
        return self.channel.batch

    @cached_property
    def synthesis(self) -> Float[Tensor, "m m"]:
        """Ψ = c_y I: the decoder ends in the receiver's latent itself."""
        scaled: Tensor = self.scale_y * torch.diag(torch.ones_like(self.mean_y))
        return scaled

    def encode(self, x: Tensor | NDArray[Any]) -> Complex[Tensor, "*batch n u t"]:
        """Channel symbols s (…, n, u, n_tx) of latents x (n, d) or (…, n, d), each message at the whole budget.

        Raises:
            ValueError: x is complex or not finite, its last dimension is not d, or it has no message axis.
        """
        x = finite("x", x)
        if x.is_complex() or x.ndim < 2 or x.shape[-1] != len(self.mean_x):
            raise ValueError(f"x must have shape (..., n, {len(self.mean_x)}) and be real, got {x.dtype} {tuple(x.shape)}")
        centred = (x.to(self.mean_x) - self.mean_x) / self.scale_x
        s = self.precoder(torch.nn.functional.pad(centred, (0, x.shape[-1] % 2)))
        s = at_budget(s, self.channel.uses * float(self.channel.power.reshape(())))
        real, imag = s.chunk(2, -1)
        symbols = torch.complex(real, imag).unflatten(-1, (self.channel.uses, self.channel.n_tx))
        return symbols.expand(*torch.broadcast_shapes(symbols.shape[:-3], self.batch), *symbols.shape[-3:])

    def receive(self, r: Tensor | NDArray[Any]) -> Float[Tensor, "*batch n m"]:
        """Decoder outputs ẑ (…, n, m), from which ŷ = μy + c_y ẑ, of received symbols r (…, n, u, n_rx).

        Raises:
            ValueError: r is real or not finite, or its uses or antennas are not the channel's.
        """
        r = finite("r", r)
        if not r.is_complex() or r.ndim < 3 or r.shape[-2:] != (self.channel.uses, self.channel.n_rx):
            shape = f"(..., n, {self.channel.uses}, {self.channel.n_rx})"
            raise ValueError(f"r must be complex of shape {shape}, got {r.dtype} {tuple(r.shape)}")
        stacked = torch.cat([r.real.flatten(-2), r.imag.flatten(-2)], -1).to(self.mean_y)
        decoded: Tensor = self.decoder(stacked)[..., : len(self.mean_y)]
        return decoded

    def decode(self, r: Tensor | NDArray[Any]) -> Float[Tensor, "*batch n m"]:
        """Latents ŷ (…, n, m) of received symbols r (…, n, u, n_rx); raises as `receive`."""
        return self.mean_y + self.scale_y * self.receive(r)

    def layer_flops(self) -> list[tuple[str, int]]:
        """Real operations for one message, by device and layer."""
        symbols = self.channel.uses * self.channel.n_tx
        power = 6 * symbols + 1  # energy 4T − 1, quotient, root, and the scaling of T symbols 2T
        return [
            ("precoder: centre and scale", 2 * len(self.mean_x)),
            *((f"precoder: {name}", count) for name, count in self.precoder.layer_flops()),
            ("precoder: power", power),
            *((f"decoder: {name}", count) for name, count in self.decoder.layer_flops()),
            ("decoder: scale and centre", 2 * len(self.mean_y)),
        ]

    @property
    def flops(self) -> Flops:
        """Of one message, counted on the weights that are left."""
        counts = self.layer_flops()
        return Flops(*(sum(count for name, count in counts if name.startswith(end)) for end in ("precoder", "decoder")))

    @property
    def form(self) -> str:
        """How it runs: dense or sparse, and with how many hidden units."""
        units = sum(weight.shape[1] for network in (self.precoder, self.decoder) for weight in network.weights[:-1])
        return f"{self.precoder.form}, {units} hidden units"

    @property
    def density(self) -> float:
        """Share of complex weights that are left."""
        return (self.precoder.nonzero + self.decoder.nonzero) / (self.precoder.size + self.decoder.size)

    def compacted(self) -> "NeuralTransceiver":
        """The same function without dead hidden units."""
        return replace(self, precoder=self.precoder.compacted(), decoder=self.decoder.compacted())

    def as_sparse(self) -> "NeuralTransceiver":
        """The same function by compressed sparse rows: faster where few weights are left and messages come one by one."""
        return replace(self, precoder=replace(self.precoder, form="sparse"), decoder=replace(self.decoder, form="sparse"))

    def fastest(self, x: Tensor, batch: int = 1) -> "NeuralTransceiver":
        """Of the forms as trained, compacted and sparse the one that is fastest here for `batch` messages at a time, by measurement.

        Zeros save operations but not time by themselves: sparse rows win for few messages and few weights only.

        Raises:
            ValueError: batch is below 1.
        """
        compact = self.compacted()

        def seconds(form: NeuralTransceiver) -> float:
            measured = latency(form, x, self.channel, batch, repeats=9)
            return measured.encode_us + measured.decode_us

        return min((self, compact, compact.as_sparse()), key=seconds)

    def to(self, target: torch.device | torch.dtype | str) -> "NeuralTransceiver":
        """The same transceiver on another device, or in float32 or float64."""
        moved: dict[str, Any] = {f.name: getattr(self, f.name).to(target) for f in fields(self)}
        return replace(self, **moved)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the link atomically; `latentlink.load` reads it back."""
        save("neural link", self, path)

    def to_tensors(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Tensors and facts of the saved file."""
        tensors = {name: getattr(self, name) for name in ("mean_x", "mean_y", "scale_x", "scale_y")}
        for end in ("precoder", "decoder"):
            network: Network = getattr(self, end)
            tensors |= {f"{end}.weight.{i}": weight for i, weight in enumerate(network.weights)}
            tensors |= {f"{end}.bias.{i}": bias for i, bias in enumerate(network.biases)}
        values = {f.name: getattr(self.channel, f.name) for f in fields(self.channel) if f.name != "h"}
        tensors |= {f"channel.{name}": value for name, value in values.items()} | {"channel.h": torch.view_as_real(self.channel.h)}
        facts = {
            "tx_dim": len(self.mean_x), "rx_dim": len(self.mean_y), "channel_uses": self.channel.uses, "n_tx": self.channel.n_tx,
            "n_rx": self.channel.n_rx, "precoder_layers": len(self.precoder.weights), "decoder_layers": len(self.decoder.weights),
            "density": self.density, "power_limit": "per message",
        }  # fmt: skip
        return tensors, facts

    @classmethod
    def from_tensors(cls, tensors: dict[str, Tensor], manifest: dict[str, Any]) -> "NeuralTransceiver":
        """The link of a saved file."""
        parts = {name.removeprefix("channel."): tensors.pop(name) for name in list(tensors) if name.startswith("channel.")}
        channel = Channel(torch.view_as_complex(parts.pop("h").contiguous()), **parts)

        def network(end: str) -> Network:
            numbers = range(manifest[f"{end}_layers"])
            weights, biases = (tuple(tensors.pop(f"{end}.{kind}.{i}") for i in numbers) for kind in ("weight", "bias"))
            return Network(weights, biases)

        return cls(network("precoder"), network("decoder"), **tensors, channel=channel)

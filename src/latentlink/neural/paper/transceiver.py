"""The neural transceiver: two complex networks as they run on the devices.

    s = √(u P) f((x − μx) / c_x) / ||f(·)||,        ŷ = μy + c_y g(r),

f and g on packed latents, the symbols of all uses one after the other.

Real operations per message (`links/operation_count.py` has the convention): 8 for a complex weight that is left, its product and the sum it
joins, which starts from the bias; 10 for an activation (|z|² 3, root 1, argument of erf 1, erf 1, Φ from it 2, Φ z 2). Unstructured zeros
save operations but by themselves no time: `compacted` leaves out whole hidden units, which always does; `as_sparse` compresses rows,
which does where few weights are left.
"""

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal
from warnings import catch_warnings, filterwarnings

import torch
from jaxtyping import Complex, Float
from torch import Tensor

from latentlink.channels.channel import Channel
from latentlink.evaluation.latency import latency
from latentlink.links.link_file import channel_from, link_facts, saved_tensors, series_from
from latentlink.links.operation_count import COMPLEX_WEIGHT, LayerFlops, OperationCount
from latentlink.links.shapes import check_latents, check_received
from latentlink.links.transceiver import BaseTransceiver
from latentlink.neural.paper.layers import ComplexMlp, as_halves, at_budget, combine_parts, complex_product, from_halves, modulus_gelu
from latentlink.numerics.doors import AnyArray
from latentlink.numerics.parts import Parts
from latentlink.power import PerMessage
from latentlink.storage.artifacts import artifact

ACTIVATION_FLOPS = 10
Form = Literal["dense", "sparse"]


@dataclass(frozen=True, eq=False)
class Network(Parts):
    """Complex layers with the modulus GELU between them, on halves (2, n, c).

    Attributes:
        weights: (2, out, in) of each layer.
        biases: (2, 1, out) of each layer.
        form: how products are computed, dense or sparse.
    """

    weights: tuple[Tensor, ...]
    biases: tuple[Tensor, ...]
    form: Form = "dense"

    @classmethod
    def of(cls, mlp: ComplexMlp) -> "Network":
        """The network as it was trained, pruned weights being zero."""
        layers = mlp.linears()
        return cls(tuple(layer.weight.detach().clone() for layer in layers), tuple(layer.bias.detach().clone() for layer in layers))

    def __call__(self, z: Float[Tensor, "2 n in"]) -> Float[Tensor, "2 n out"]:
        """Outputs of the last layer."""
        for number, bias in enumerate(self.biases):
            z = self._product(number, modulus_gelu(z) if number else z) + bias
        return z

    def _product(self, number: int, z: Float[Tensor, "2 n in"]) -> Float[Tensor, "2 n out"]:
        if self.form == "dense":
            return complex_product(z, self.weights[number], z.dtype)
        return combine_parts((self._rows[number] @ z.flatten(0, 1).mT).mT.contiguous(), z.shape[1])

    @cached_property
    def _rows(self) -> tuple[Tensor, ...]:
        """[Re W; Im W] by compressed sparse rows."""
        with catch_warnings():
            filterwarnings("ignore", message=".*Sparse CSR tensor support is in beta")
            return tuple(weight.detach().flatten(0, 1).to_sparse_csr() for weight in self.weights)

    def layer_flops(self) -> list[LayerFlops]:
        """Operations of each layer; those of an activation are counted for units that are not zero for every input."""
        table: list[LayerFlops] = []
        for number, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            left = (weight != 0).any(0)
            table.append(LayerFlops(f"linear {number + 1}", COMPLEX_WEIGHT * int(left.sum()), int(left.sum())))
            if number < len(self.weights) - 1:
                alive = left.any(-1) | (bias != 0).any(0).squeeze(0)
                table.append(LayerFlops(f"activation {number + 1}", ACTIVATION_FLOPS * int(alive.sum())))
        return table

    @property
    def silent(self) -> bool:
        """True if the output is 0 for every input: nothing is left once units without use are left out."""
        left = self.compacted()
        return not any(bool((value != 0).any()) for value in (*left.weights, *left.biases))

    @property
    def nonzero(self) -> int:
        """Complex weights that are left."""
        return sum(line.weights for line in self.layer_flops())

    @property
    def size(self) -> int:
        """Complex weights in all, zeros included."""
        return sum(weight[0].numel() for weight in self.weights)

    def compacted(self) -> "Network":
        """The same function without hidden units that nothing reaches (their constant output joins the next bias) or that reach nothing."""
        weights, biases = list(self.weights), list(self.biases)
        while True:  # a unit left out may leave another without use
            before = [weight.shape for weight in weights]
            for number in range(len(weights) - 1):
                reached = (weights[number] != 0).any(0).any(-1)
                used = (weights[number + 1] != 0).any(0).any(0)
                constant = modulus_gelu(biases[number] * ~reached)
                biases[number + 1] = biases[number + 1] + complex_product(constant, weights[number + 1], constant.dtype)
                needed = reached & used
                weights[number], biases[number] = weights[number][:, needed], biases[number][..., needed]
                weights[number + 1] = weights[number + 1][..., needed]
            if [weight.shape for weight in weights] == before:
                return replace(self, weights=tuple(weights), biases=tuple(biases))

    def as_sparse(self) -> "Network":
        """The same function by compressed sparse rows."""
        return replace(self, form="sparse")


@artifact("neural link")
@dataclass(frozen=True, eq=False, repr=False)
class NeuralTransceiver(BaseTransceiver):
    """Neural precoder and decoder, trained for one channel (see the module).

    Attributes:
        precoder: f, ⌈d/2⌉ → u n_tx complex.
        decoder: g, u n_rx → ⌈m/2⌉ complex.
        mean_x: μx (d,).
        mean_y: μy (m,).
        scale_x: c_x, ().
        scale_y: c_y, ().
        channel: that it was trained for, one channel in all; its power is the budget of every message.
    """

    precoder: Network
    decoder: Network
    mean_x: Float[Tensor, "d"]
    mean_y: Float[Tensor, "m"]
    scale_x: Float[Tensor, ""]
    scale_y: Float[Tensor, ""]
    channel: Channel = field(repr=False)

    @cached_property
    def synthesis(self) -> Float[Tensor, "m m"]:
        """Ψ = c_y I: the decoder ends in the receiver's latent itself, which has fewer numbers than its hidden units."""
        return self.scale_y * torch.diag(torch.ones_like(self.mean_y))

    def encode(self, x: AnyArray) -> Complex[Tensor, "*batch n u t"]:
        """Channel symbols s (…, n, u, n_tx) of latents x, each message at the whole budget; raises as `Transceiver.encode`."""
        x = check_latents(x, len(self.mean_x))
        rows = (x.to(self.mean_x) - self.mean_x).div(self.scale_x).flatten(0, -2)
        halves = as_halves(torch.nn.functional.pad(rows, (0, rows.shape[-1] % 2)))
        s = at_budget(self.precoder(halves), self.channel.uses * float(self.channel.power.reshape(())))
        symbols = torch.complex(s[0], s[1]).view(*x.shape[:-1], self.channel.uses, self.channel.n_tx)
        return symbols.expand(*torch.broadcast_shapes(x.shape[:-2], self.batch), *symbols.shape[-3:])

    def receive(self, r: AnyArray) -> Float[Tensor, "*batch n m"]:
        """Decoder outputs ẑ (…, n, m), from which ŷ = μy + c_y ẑ, of received symbols r; raises as `Transceiver.receive`."""
        r = check_received(r, self.channel)
        rows = r.flatten(-2).flatten(0, -2)
        z = from_halves(self.decoder(torch.stack([rows.real, rows.imag]).to(self.mean_y)))[:, : len(self.mean_y)]
        batch = torch.broadcast_shapes(r.shape[:-3], self.batch)
        return z.view(*r.shape[:-2], len(self.mean_y)).expand(*batch, r.shape[-3], len(self.mean_y))

    def decode(self, r: AnyArray) -> Float[Tensor, "*batch n m"]:
        return self.mean_y + self.scale_y * self.receive(r)

    def layer_flops(self) -> list[LayerFlops]:
        """Real operations for one message, by device and layer."""
        symbols = self.channel.uses * self.channel.n_tx
        return [
            LayerFlops("precoder: centre and scale", 2 * len(self.mean_x)),
            *(line._replace(name=f"precoder: {line.name}") for line in self.precoder.layer_flops()),
            LayerFlops("precoder: power", 6 * symbols + 1),  # energy 4T − 1, budget over it, root, and the T symbols scaled 2T
            *(line._replace(name=f"decoder: {line.name}") for line in self.decoder.layer_flops()),
            LayerFlops("decoder: scale and centre", 2 * len(self.mean_y)),
        ]

    @property
    def flops(self) -> OperationCount:
        return OperationCount.of(self.layer_flops())

    @property
    def density(self) -> float:  # type: ignore[override]
        """Share of complex weights that are left."""
        return (self.precoder.nonzero + self.decoder.nonzero) / max(1, self.precoder.size + self.decoder.size)

    @property
    def form(self) -> str:  # type: ignore[override]
        """The form in which the weights of precoder and decoder are multiplied, dense or sparse."""
        return f"{self.precoder.form}, {self.decoder.form}"

    @property
    def clock_key(self) -> None:
        """There is no key: the time of a network depends on its zeros, so that each is timed."""
        return

    def for_counting(self) -> "NeuralTransceiver":
        """The network without hidden units that a silent precoder leaves without use."""
        return self.compacted() if self.precoder.silent else self

    def compacted(self) -> "NeuralTransceiver":
        """The same function without dead hidden units: fewer operations that are also less time."""
        return replace(self, precoder=self.precoder.compacted(), decoder=self.decoder.compacted())

    def as_sparse(self) -> "NeuralTransceiver":
        """The same function by compressed sparse rows: faster where few weights are left."""
        return replace(self, precoder=self.precoder.as_sparse(), decoder=self.decoder.as_sparse())

    def for_clock(self, x: AnyArray, messages: int) -> "NeuralTransceiver":
        """The same function, each network compacted and in the form, dense or sparse, that takes less time here, by measurement on x."""
        dense = self.compacted()
        dense = replace(dense, precoder=replace(dense.precoder, form="dense"), decoder=replace(dense.decoder, form="dense"))
        sparse = dense.as_sparse()
        dense_us, sparse_us = (latency(form, x, self.channel, batch=messages, repeats=9) for form in (dense, sparse))
        return replace(
            self,
            precoder=(sparse if sparse_us.encode_us < dense_us.encode_us else dense).precoder,
            decoder=(sparse if sparse_us.decode_us < dense_us.decode_us else dense).decoder,
        )

    def to_tensors(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        facts = link_facts(self.channel, len(self.mean_x), len(self.mean_y), PerMessage())
        for end, network in (("precoder", self.precoder), ("decoder", self.decoder)):
            facts |= {f"{end}_layers": len(network.weights), f"{end}_form": network.form}
        return saved_tensors(self), facts | {"density": self.density}

    @classmethod
    def from_tensors(cls, tensors: dict[str, Tensor], manifest: dict[str, Any]) -> "NeuralTransceiver":

        def network(end: str) -> Network:
            weights, biases = (series_from(tensors, f"{end}.{kind}.") for kind in ("weights", "biases"))
            sizes = [(weight.shape[0], bias.shape) for weight, bias in zip(weights, biases, strict=True) if weight.ndim == 3]
            outputs = [weight.shape[1] for weight in weights]
            inputs = [weight.shape[2] for weight in weights[1:]] if len(sizes) == len(weights) else None
            if not weights or sizes != [(2, (2, 1, count)) for count in outputs] or outputs[:-1] != inputs:
                raise ValueError(f"weights and biases of the {end} must be (2, out, in) and (2, 1, out), in the out of the layer before")
            return Network(weights, biases, manifest[f"{end}_form"])

        return cls(network("precoder"), network("decoder"), channel=channel_from(tensors), **tensors)

"""A complex network as it runs on a device: its weights without training around them, counted, shrunk, and in the form that is fastest.

Real operations per message (`links/operation_count.py` has the convention): 8 for a complex weight that is left, its product and the sum it
joins, which starts from the bias; 10 for an activation (|z|² 3, root 1, argument of erf 1, erf 1, Φ from it 2, Φ z 2). Unstructured zeros
save operations but by themselves no time: `compacted` leaves out whole hidden units, which always does; `as_sparse` keeps rows compressed,
which does where few weights are left.
"""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal
from warnings import catch_warnings, filterwarnings

from jaxtyping import Float
from torch import Tensor

from latentlink.links.operation_count import COMPLEX_WEIGHT, LayerFlops
from latentlink.neural.paper.layers import ComplexMlp, combined, complex_product, modulus_gelu
from latentlink.numerics.parts import Parts

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
        return combined((self._rows[number] @ z.flatten(0, 1).mT).mT.contiguous(), z.shape[1])

    @cached_property
    def _rows(self) -> tuple[Tensor, ...]:
        """[Re W; Im W] by compressed sparse rows."""
        with catch_warnings():
            filterwarnings("ignore", message=".*Sparse CSR tensor support is in beta")
            return tuple(weight.detach().flatten(0, 1).to_sparse_csr() for weight in self.weights)

    def layer_flops(self) -> list[LayerFlops]:
        """Operations of each layer; those of an activation are counted for units that are not zero whatever comes in."""
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
                kept = reached & used
                weights[number], biases[number] = weights[number][:, kept], biases[number][..., kept]
                weights[number + 1] = weights[number + 1][..., kept]
            if [weight.shape for weight in weights] == before:
                return replace(self, weights=tuple(weights), biases=tuple(biases))

    def as_sparse(self) -> "Network":
        """The same function by compressed sparse rows."""
        return replace(self, form="sparse")

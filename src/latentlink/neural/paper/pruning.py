"""Complexity budgets: which weights of a network are left.

Proximal gradient [parikh2014proximal]: after each epoch the prox of a penalty acts on the modulus of every complex weight, with the
threshold τ = learning rate · λ,

    hard   w ← w 1{|w| > τ}        (the prox of τ²/2 times the number of weights: the paper's threshold),
    soft   w ← w (1 − τ / |w|)⁺    (the prox of τ times the sum of moduli).

A weight that has become zero stays zero, and a bias goes with the last weight of its row. A budget instead keeps a given share of all
weights, those of greatest importance (modulus over its layer's root mean square, narrow layers counting more): geometrically fewer over the
first half of the epochs, the rest of which is for what is left to adapt.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from latentlink.links.operations import COMPLEX_WEIGHT
from latentlink.neural.paper.layers import ComplexLinear


@runtime_checkable
class Pruning(Protocol):
    """What prunes the layers after an epoch."""

    def within(self, fixed_flops: int, weights: int) -> "Pruning":
        """The same for networks of so many complex weights, which take `fixed_flops` besides the products with them."""

    def after_epoch(self, layers: Iterable[ComplexLinear], epoch: int, epochs: int, learning_rate: float) -> None:
        """Prune, after epoch number `epoch` (from 1) of at most `epochs`."""

    def settled(self, epoch: int, epochs: int) -> bool:
        """Whether what it asks for is met after this epoch, so that training may end."""


@dataclass(frozen=True)
class _Threshold:
    strength: float

    def __post_init__(self) -> None:
        if isinstance(self.strength, bool) or not isinstance(self.strength, int | float) or not 0 <= self.strength < float("inf"):
            raise ValueError(f"strength must be finite and not negative, got {self.strength!r}")

    def within(self, fixed_flops: int, weights: int) -> Pruning:
        """Thresholds ask for no size."""
        return self

    def after_epoch(self, layers: Iterable[ComplexLinear], epoch: int, epochs: int, learning_rate: float) -> None:
        """The prox at τ = learning_rate · λ, on every weight."""
        for layer in layers:
            self.prox(layer, learning_rate * self.strength)

    def prox(self, layer: ComplexLinear, threshold: float) -> None:
        """Apply it to a layer."""
        raise NotImplementedError

    def settled(self, epoch: int, epochs: int) -> bool:
        """Every epoch ends with the threshold applied."""
        return True


@dataclass(frozen=True)
class HardThreshold(_Threshold):
    """Weights of modulus up to learning_rate · strength are pruned after each epoch [pandolfo2025latent].

    Attributes:
        strength: λ ≥ 0; the paper's are 0 to 70.

    Raises:
        ValueError: strength is negative or not finite.
    """

    def prox(self, layer: ComplexLinear, threshold: float) -> None:
        """w ← w 1{|w| > τ}."""
        layer.prune(layer.modulus() > threshold)


@dataclass(frozen=True)
class SoftThreshold(_Threshold):
    """All weights are shortened by learning_rate · strength after each epoch, those that vanish are pruned.

    Attributes:
        strength: λ ≥ 0.

    Raises:
        ValueError: strength is negative or not finite.
    """

    @torch.no_grad()
    def prox(self, layer: ComplexLinear, threshold: float) -> None:
        """w ← w (1 − τ / |w|)⁺."""
        size = layer.modulus()
        left = (size - threshold).clamp(min=0)
        layer.weight.mul_(torch.where(size > 0, left / torch.where(size > 0, size, 1.0), 0.0))
        layer.prune(left > 0)


@dataclass(frozen=True)
class Weights:
    """At most so many weights, or operations, are left of both networks, from half of the epochs on.

    Attributes:
        share: of the complex weights that is kept, in (0, 1].
        flops: real operations per message of the whole link (`NeuralTransceiver.flops.total`); one of the two is given.

    Raises:
        ValueError: share is not in (0, 1], flops is not a positive integer, both or neither are given.
    """

    share: float | None = None
    flops: int | None = None

    def __post_init__(self) -> None:
        if (self.share is None) == (self.flops is None):
            raise ValueError(f"share or flops must be given, one of them, got share {self.share} and flops {self.flops}")
        if self.share is not None and (not isinstance(self.share, int | float) or not 0 < self.share <= 1):
            raise ValueError(f"share must be above 0 and at most 1, got {self.share!r}")
        if self.flops is not None and (isinstance(self.flops, bool) or not isinstance(self.flops, int) or self.flops < 1):
            raise ValueError(f"flops must be a positive integer, got {self.flops!r}")

    def within(self, fixed_flops: int, weights: int) -> "Weights":
        """The share of `weights` that operations are left for.

        Raises:
            ValueError: what is needed besides weights, activations and scaling, is above the budget already.
        """
        if self.flops is None:
            return self
        if self.flops < fixed_flops + COMPLEX_WEIGHT:
            raise ValueError(f"flops must be above {fixed_flops}, which activations and scaling take alone, got {self.flops}")
        return Weights(min(1.0, (self.flops - fixed_flops) // COMPLEX_WEIGHT / weights))

    @torch.no_grad()
    def after_epoch(self, layers: Iterable[ComplexLinear], epoch: int, epochs: int, learning_rate: float) -> None:
        """Keep the greatest weights, geometrically fewer from epoch to epoch until the share is reached."""
        if self.share is None:
            raise ValueError("flops must become a share first, by `within`")
        layers = list(layers)
        sizes = [_importance(layer.modulus()) for layer in layers]
        every = torch.cat([size.flatten() for size in sizes])
        share = self.share ** min(1.0, epoch / _half(epochs))
        count = int(share * len(every) + 1e-6)
        cut = every.kthvalue(len(every) - count).values if count < len(every) else every.new_tensor(-1.0)
        for layer, size in zip(layers, sizes, strict=True):
            layer.prune(size > cut)

    def settled(self, epoch: int, epochs: int) -> bool:
        """Once the share is reached."""
        return epoch >= _half(epochs)


def _importance(size: Tensor) -> Tensor:
    """|w| (out, in), comparable between layers."""
    outputs, inputs = size.shape
    return size / size.square().mean().sqrt().clamp(min=1e-30) * math.sqrt((inputs + outputs) / (inputs * outputs))


def _half(epochs: int) -> int:
    return max(1, epochs // 2)


def kept(layers: Iterable[ComplexLinear]) -> Tensor:
    """How many complex weights the masks keep."""
    return torch.stack([layer.mask.sum() for layer in layers]).sum()

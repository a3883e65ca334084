"""Pruning of single weights: thresholds after each epoch, or a budget of weights or operations.

Proximal gradient [parikh2014proximal]: after each epoch the prox of a penalty acts on the modulus of every complex weight, with the
threshold τ = learning rate · λ,

    hard   w ← w 1{|w| > τ}        (the prox of τ²/2 times the number of weights: the paper's threshold),
    soft   w ← w (1 − τ / |w|)⁺    (the prox of τ times the sum of moduli).

A weight that has become zero stays zero, and a bias goes with the last weight of its row. A budget instead leaves a given share of all
weights, those of greatest importance (modulus over its layer's root mean square, narrow layers counting more): geometrically fewer over the
first half of the epochs, the rest of which is for what is left to adapt.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from latentlink.budget import Flops, Latency, Weights
from latentlink.links.operation_count import COMPLEX_WEIGHT
from latentlink.neural.paper.layers import ComplexLinear
from latentlink.numerics.doors import check_instance, real
from latentlink.numerics.expectations import made_by
from latentlink.numerics.reprs import Summarised


@made_by("HardThreshold(λ) or SoftThreshold(λ) (budget=budget.Weights(share) limits the cost)")
@runtime_checkable
class Pruning(Protocol):
    """Anything that prunes the layers after an epoch."""

    def after_epoch(self, layers: Iterable[ComplexLinear], epoch: int, epochs: int, learning_rate: float) -> None:
        """Prune, after epoch number `epoch` (from 1) of at most `epochs`."""

    def settled(self, epoch: int, epochs: int) -> bool:
        """True if what it asks for is met after this epoch, so that training may end."""


@dataclass(frozen=True)
class _Threshold(Summarised):
    strength: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "strength", real("strength", self.strength, least=0.0))

    def after_epoch(self, layers: Iterable[ComplexLinear], epoch: int, epochs: int, learning_rate: float) -> None:
        """Apply the prox at τ = learning_rate · λ to every weight."""
        for layer in layers:
            self.prox(layer, learning_rate * self.strength)

    def prox(self, layer: ComplexLinear, threshold: float) -> None:
        raise NotImplementedError

    def settled(self, epoch: int, epochs: int) -> bool:
        return True


@dataclass(frozen=True)
class HardThreshold(_Threshold):
    """Prune weights of modulus up to learning_rate · strength after each epoch [pandolfo2025latent].

    Attributes:
        strength: λ ≥ 0; the paper's are 0 to 70.

    Raises:
        ValueError: strength is negative or not finite.

    Example:
        >>> import latentlink as ll
        >>> ll.Neural(hidden_tx=8, hidden_rx=8, pruning=ll.HardThreshold(30.0))
        Neural(hidden_tx=8, hidden_rx=8, pruning=HardThreshold(strength=30.0))
    """

    def prox(self, layer: ComplexLinear, threshold: float) -> None:
        """w ← w 1{|w| > τ}."""
        layer.prune(layer.modulus() > threshold)


@dataclass(frozen=True)
class SoftThreshold(_Threshold):
    """Shorten all weights by learning_rate · strength after each epoch, and prune those that vanish.

    Attributes:
        strength: λ ≥ 0.

    Raises:
        ValueError: strength is negative or not finite.

    Example:
        >>> import latentlink as ll
        >>> ll.Neural(hidden_tx=8, hidden_rx=8, pruning=ll.SoftThreshold(2.0))
        Neural(hidden_tx=8, hidden_rx=8, pruning=SoftThreshold(strength=2.0))
    """

    @torch.no_grad()
    def prox(self, layer: ComplexLinear, threshold: float) -> None:
        """w ← w (1 − τ / |w|)⁺."""
        size = layer.modulus()
        left = (size - threshold).clamp(min=0)
        layer.weight.mul_(torch.where(size > 0, left / torch.where(size > 0, size, 1.0), 0.0))
        layer.prune(left > 0)


@dataclass(frozen=True)
class GreatestWeights:
    """Retain the greatest weights, geometrically fewer from epoch to epoch until a share is reached after half of the epochs.

    Attributes:
        share: share of the complex weights that is left in the end.
    """

    share: float

    @torch.no_grad()
    def after_epoch(self, layers: Iterable[ComplexLinear], epoch: int, epochs: int, learning_rate: float) -> None:
        """Prune the least important weights down to the share of this epoch."""
        layers = list(layers)
        sizes = [_importance(layer.modulus()) for layer in layers]
        every = torch.cat([size.flatten() for size in sizes])
        share = self.share ** min(1.0, epoch / _half(epochs))
        count = int(share * len(every) + 1e-6)
        cut = every.kthvalue(len(every) - count).values if count < len(every) else every.new_tensor(-1.0)
        for layer, size in zip(layers, sizes, strict=True):
            layer.prune(size > cut)

    def settled(self, epoch: int, epochs: int) -> bool:
        return epoch >= _half(epochs)


def pruning_for(pruning: object, budget: object, fixed_flops: int, weights: int) -> Pruning | None:
    """The pruning of the networks of `Neural` by a threshold or another `Pruning`, or by a budget.

    Args:
        pruning: a threshold, or another `Pruning`; None where the budget alone prunes.
        budget: a budget, or None.
        fixed_flops: operations per message besides the products with weights: activations and scaling.
        weights: number of complex weights of both networks.

    Raises:
        ValueError: there are both, or one is of another kind, or a budget that single weights cannot serve.
    """
    if pruning is not None:
        check_instance("pruning", pruning, Pruning, "HardThreshold(λ) or SoftThreshold(λ); budget=budget.Weights(share) limits the cost")
    if pruning is not None and budget is not None:
        raise ValueError(f"pruning and budget both leave out weights, got {pruning!r} and {budget!r}: give one of them")
    match budget:
        case Weights():
            return GreatestWeights(budget.share)
        case Flops():
            left = budget.flops - fixed_flops
            if left < COMPLEX_WEIGHT:
                least = f"{fixed_flops}, which activations and scaling take alone"
                remedy = "allow more, or take fewer hidden units (hidden_tx, hidden_rx)"
                raise ValueError(f"flops must be above {least}, got {budget.flops}: {remedy}")
            return GreatestWeights(min(1.0, left // COMPLEX_WEIGHT / weights))
        case Latency():
            remedy = "limit operations by budget.Flops(...), or train a codec (CodecTraining), which leaves out whole units"
            raise ValueError(f"budget cannot be {budget!r}, since leaving out single weights saves no time: {remedy}")
        case None:
            return pruning if isinstance(pruning, Pruning) else None
    raise ValueError(f"budget must be budget.Weights(share), budget.Flops(flops) or None, got {budget!r}")


def _importance(size: Tensor) -> Tensor:
    """|w| (out, in), comparable between layers."""
    outputs, inputs = size.shape
    return size / size.square().mean().sqrt().clamp(min=1e-30) * math.sqrt((inputs + outputs) / (inputs * outputs))


def _half(epochs: int) -> int:
    return max(1, epochs // 2)

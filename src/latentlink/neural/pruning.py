"""Complexity budgets: which weights of a network are left.

Proximal gradient [parikh2014proximal]: after each epoch the prox of τ times a penalty, τ = learning rate · λ, acts on the modulus of every
complex weight,

    hard   w ← w 1{|w| > τ}        (the paper's threshold),
    soft   w ← w (1 − τ / |w|)⁺    (the prox of the sum of moduli).

A weight that has become zero stays zero. A budget instead keeps the given share of all weights, those of greatest modulus relative to
their layer's root mean square times √((in + out) / (in · out)): narrow layers, through which everything passes, keep more, as in the
densities of Erdős–Rényi graphs [evci2020rigging]. It is reached over the first half of the epochs; in the rest what is left adapts.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from latentlink.neural.layers import ComplexLinear


@runtime_checkable
class Pruning(Protocol):
    """What prunes the layers after an epoch."""

    def after_epoch(self, layers: Iterable[ComplexLinear], epoch: int, epochs: int, learning_rate: float) -> None:
        """Prune, after epoch number `epoch` (from 1) of at most `epochs`."""

    def settled(self, epoch: int, epochs: int) -> bool:
        """Whether weights after this epoch are within the budget, so that they may be delivered."""


def _check_strength(strength: float) -> None:
    if not 0 <= strength < float("inf"):
        raise ValueError(f"strength must be finite and not negative, got {strength}")


@dataclass(frozen=True)
class HardThreshold:
    """Weights of modulus up to learning_rate · strength are pruned after each epoch [pandolfo2025latent].

    Attributes:
        strength: λ ≥ 0.

    Raises:
        ValueError: strength is negative or not finite.
    """

    strength: float

    def __post_init__(self) -> None:
        _check_strength(self.strength)

    def after_epoch(self, layers: Iterable[ComplexLinear], epoch: int, epochs: int, learning_rate: float) -> None:
        """w ← w 1{|w| > τ}."""
        for layer in layers:
            layer.prune(modulus(layer) > learning_rate * self.strength)

    def settled(self, epoch: int, epochs: int) -> bool:
        """Every epoch ends with its threshold met."""
        return True


@dataclass(frozen=True)
class SoftThreshold:
    """All weights are shortened by learning_rate · strength after each epoch, those that vanish are pruned.

    Attributes:
        strength: λ ≥ 0.

    Raises:
        ValueError: strength is negative or not finite.
    """

    strength: float

    def __post_init__(self) -> None:
        _check_strength(self.strength)

    @torch.no_grad()
    def after_epoch(self, layers: Iterable[ComplexLinear], epoch: int, epochs: int, learning_rate: float) -> None:
        """w ← w (1 − τ / |w|)⁺."""
        for layer in layers:
            size = modulus(layer)
            left = (size - learning_rate * self.strength).clamp(min=0)
            layer.weight.mul_(torch.where(size > 0, left / torch.where(size > 0, size, 1.0), 0.0))
            layer.prune(left > 0)

    def settled(self, epoch: int, epochs: int) -> bool:
        """Every epoch ends with its threshold met."""
        return True


@dataclass(frozen=True)
class Budget:
    """At most this share of the complex weights of both networks is kept, reached by half of the epochs.

    Attributes:
        share: in (0, 1]; operations are in proportion.

    Raises:
        ValueError: share is not in (0, 1].
    """

    share: float

    def __post_init__(self) -> None:
        if not 0 < self.share <= 1:
            raise ValueError(f"share must be above 0 and at most 1, got {self.share}")

    @torch.no_grad()
    def after_epoch(self, layers: Iterable[ComplexLinear], epoch: int, epochs: int, learning_rate: float) -> None:
        """Keep the greatest weights, geometrically fewer from epoch to epoch until the share is reached."""
        layers = list(layers)
        ramp = self._ramp(epochs)
        share = self.share ** min(1.0, epoch / ramp)
        sizes = [_importance(modulus(layer)) for layer in layers]
        every = torch.cat([size.flatten() for size in sizes])
        count = int(share * len(every))
        cut = every.kthvalue(len(every) - count).values if count < len(every) else every.new_tensor(-1.0)
        for layer, size in zip(layers, sizes, strict=True):
            layer.prune(size > cut)

    def settled(self, epoch: int, epochs: int) -> bool:
        """Weights count once the share is reached."""
        return epoch >= self._ramp(epochs)

    @staticmethod
    def _ramp(epochs: int) -> int:
        return max(1, epochs // 2)


def _importance(size: Tensor) -> Tensor:
    """|w| (out, in), comparable between layers."""
    outputs, inputs = size.shape
    return size / size.square().mean().sqrt().clamp(min=1e-30) * ((inputs + outputs) / (inputs * outputs)) ** 0.5


def modulus(layer: ComplexLinear) -> Tensor:
    """|w| (out, in)."""
    return layer.weight.detach().square().sum(0).sqrt()

"""Metrics of the receiver: accuracy, agreement, and errors of the latent itself."""

import math
import warnings
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from latentlink.latents.labels import AnyLabels, labels_for
from latentlink.latents.rows import as_latents
from latentlink.numerics.doors import AnyArray, finite, integer, real
from latentlink.numerics.reprs import Summarised
from latentlink.numerics.validation import validate_call
from latentlink.tasks.heads import apply_head, class_name, decisions
from latentlink.tasks.numbering import find_unseen, find_wrong_numbers

_Z95 = 1.959963984540054  # standard normal quantile at 97.5 %


@dataclass(frozen=True)
class Rate(Summarised):
    """A share of n messages with its 95 % confidence interval (Wilson's, good at 0 and 1 and for small n too).

    Attributes:
        value: in [0, 1].
        low: lower end of the interval.
        high: upper end of the interval.
        count: n.

    Example:
        >>> import latentlink as ll
        >>> rate = ll.metrics.Rate.of(90, 100)
        >>> rate.value, round(rate.low, 2), round(rate.high, 2)
        (0.9, 0.83, 0.94)
    """

    value: float
    low: float
    high: float
    count: int

    @classmethod
    def of(cls, hits: int, count: int) -> "Rate":
        """The rate of `hits` among `count`.

        Raises:
            ValueError: count is below 1, or hits not in 0…count.
        """
        count = integer("count", count)
        hits = integer("hits", hits, 0, count)
        return cls.of_share(hits / count, count)

    @classmethod
    def of_share(cls, share: float, count: int) -> "Rate":
        """A share with the interval of `count` independent messages (several channels that repeat the messages add none).

        Raises:
            ValueError: the share is not in [0, 1], or count is below 1.
        """
        share, count = real("share", share, least=0.0, most=1.0), integer("count", count)
        p, z2 = share, _Z95**2 / count
        centre, half = p + z2 / 2, _Z95 * math.sqrt(p * (1 - p) / count + z2 / (4 * count))
        low, high = (centre - half) / (1 + z2), (centre + half) / (1 + z2)
        return cls(p, max(0.0, min(low, p)), min(1.0, max(high, p)), count)


@dataclass(frozen=True)
class Accuracy(Summarised):
    """Accuracy over all messages, for each class, and as the mean over classes.

    Attributes:
        overall: the rate over all messages.
        per_class: rates of the classes that occur, by name where the head knows it, else by number.
        mean_per_class: their mean, which weighs rare classes like common ones.

    Example:
        >>> import torch, latentlink as ll
        >>> x = torch.randn(500, 8, generator=torch.Generator().manual_seed(0))
        >>> y = x[:, :6].tanh()
        >>> labels = (y[:, 0] > 0).long()
        >>> found = ll.metrics.accuracy(ll.fit_head(y, labels, names=["low", "high"]), y, labels)
        >>> list(found.per_class), found.overall.count
        (['low', 'high'], 500)
    """

    overall: Rate
    per_class: dict[int | str, Rate]
    mean_per_class: float


@validate_call
def accuracy(head: nn.Module, y_hat: AnyArray, labels: AnyLabels) -> Accuracy:
    """The share of messages for which head(ŷ) decides for the true class.

    Args:
        head: classifier, latents (n, m) → logits (n, classes).
        y_hat: latents (n, m), or (…, n, m) for several channels: then the mean over them, with the interval of n messages.
        labels: (n,) true classes, numbers or names that the head's `classes` number.

    Raises:
        ValueError: labels are malformed or their number is not n.

    Warns:
        UserWarning: labels of classes that the head lacks, which count as errors; names of classes that look numbered differently than in
            the training of a head that knows no names.

    Example:
        >>> import torch, latentlink as ll
        >>> x = torch.randn(500, 8, generator=torch.Generator().manual_seed(0))
        >>> y = x[:, :6].tanh()
        >>> labels = (y[:, 0] > 0).long()
        >>> ll.metrics.accuracy(ll.fit_head(y, labels), y, labels).overall.value > 0.95
        True
    """
    y_hat = finite("y_hat", y_hat)
    if y_hat.is_complex() or y_hat.ndim < 2:
        raise ValueError(f"y_hat must have shape (..., n, m) and be real, got {y_hat.dtype} {tuple(y_hat.shape)}")
    if y_hat.numel() == 0:
        raise ValueError(f"y_hat is empty, got shape {tuple(y_hat.shape)}")
    decided = decisions(head, y_hat)
    named = labels_for(labels, y_hat.shape[-2], getattr(head, "classes", None))
    numbers = named.numbers.to(decided.device)
    if named.names is not None and getattr(head, "classes", None) is None:  # numbered as they sort, and not as in the head's training
        given = numbers.expand_as(decided).flatten()
        for sentence in find_wrong_numbers(decided.flatten(), given, apply_head(head, y_hat.flatten(0, -2)[:1]).shape[-1], named.names):
            warnings.warn(sentence, UserWarning, stacklevel=2)
    elif (unseen := find_unseen(numbers, apply_head(head, y_hat.flatten(0, -2)[:1]).shape[-1], named.names)) is not None:
        warnings.warn(unseen, UserWarning, stacklevel=2)
    correct = decided == numbers
    rates = {class_name(head, c): _rate(correct[..., numbers == c]) for c in numbers.unique().tolist()}
    return Accuracy(_rate(correct), rates, sum(rate.value for rate in rates.values()) / len(rates))


@validate_call
def agreement(head: nn.Module, y_hat: AnyArray, y: AnyArray) -> Rate:
    """The share of messages on which head(ŷ) decides as head(y) does, of y_hat (…, n, m) and y (n, m); raises as `mse`.

    Example:
        >>> import torch, latentlink as ll
        >>> x = torch.randn(500, 8, generator=torch.Generator().manual_seed(0))
        >>> y = x[:, :6].tanh()
        >>> head = ll.fit_head(y, (y[:, 0] > 0).long())
        >>> ll.metrics.agreement(head, y, y).value
        1.0
    """
    y_hat, y = _as_pair(y_hat, y)
    return _rate(decisions(head, y_hat) == decisions(head, y))


@validate_call
def mse(y_hat: AnyArray, y: AnyArray) -> Float[Tensor, "*batch"]:
    """Total squared error E||y − ŷ||² (…) of y_hat (…, n, m) against y (n, m): the sum over the m dimensions, the mean over messages.

    Raises:
        ValueError: the shapes do not fit.

    Example:
        >>> import torch, latentlink as ll
        >>> ll.metrics.mse(torch.zeros(10, 3), torch.ones(10, 3))
        tensor(3.)
    """
    y_hat, y = _as_pair(y_hat, y)
    difference = y_hat - y
    return (difference if difference.is_floating_point() else difference.double()).square().sum(-1).mean(-1)


@validate_call
def nmse(y_hat: AnyArray, y: AnyArray) -> Float[Tensor, "*batch"]:
    """MSE (…) over the variance tr Ry of y (n, m): 1 is the error of the mean. Constant y gives the MSE; raises as `mse`.

    Example:
        >>> import torch, latentlink as ll
        >>> y = torch.tensor([[1.0], [3.0]])
        >>> ll.metrics.nmse(y.mean(0).expand(2, 1), y)
        tensor(1., dtype=torch.float64)
    """
    y = as_latents("y", y).double()
    variance = (y - y.mean(0)).square().sum(-1).mean()
    return mse(y_hat, y) / torch.where(variance > 0, variance, 1.0)


def _as_pair(y_hat: AnyArray, y: AnyArray) -> tuple[Tensor, Tensor]:
    """The tensors of both latents, on one device."""
    y_hat, y = finite("y_hat", y_hat), as_latents("y", y)
    if y_hat.is_complex():
        raise ValueError(f"y_hat must be real, got {y_hat.dtype}")
    if y_hat.ndim < 2 or y_hat.shape[-2:] != y.shape:
        raise ValueError(f"y_hat must have shape (..., n, m) with y (n, m), got {tuple(y_hat.shape)} and {tuple(y.shape)}")
    return y_hat, y.to(y_hat.device)


def _rate(hits: Tensor) -> Rate:
    """The share of hits (…, n) over all channels, with the interval of n messages."""
    return Rate.of_share(float(hits.double().mean()), hits.shape[-1])

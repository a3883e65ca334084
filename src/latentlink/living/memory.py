"""How much of the past a link should remember when its scene has moved and few new pairs are at hand.

The moments of the past count as m pairs, new pairs as what they are. m is chosen among half, once, twice, four and eight times the number K
of new pairs, and all of the past, by the error on new pairs that were held out, three folds in turn: nothing but new pairs tells how far
the scene has moved. On held-out pairs the error is that of the aligned latents, without a channel,

    E||W (y − ŷ)||² / E||W (y − ȳ)||²  +  f · E||y − ŷ||² / E||y − ȳ||²,

W and f the goal's weight and fidelity, ȳ the mean of the held-out pairs' y; without a goal it is the second term alone.

The shrinkage λ is chosen beside m, by the same error, and costs nothing more: generalised cross-validation judges errors on the past and
on new pairs alike, of which the latter alone are to come.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Float64
from torch import Tensor

from latentlink.latents.folds import fold_numbers
from latentlink.latents.moments import Moments
from latentlink.latents.rows import as_pairs
from latentlink.latents.whitening import Spectrum
from latentlink.linear.goal import Goal
from latentlink.numerics.doors import AnyArray
from latentlink.numerics.reprs import Summarised
from latentlink.numerics.validation import validate_call

_FOLDS = 3
_TIMES = (0.5, 1.0, 2.0, 4.0, 8.0)  # of the number of new pairs
_SHRINKAGES = tuple(
    10.0**exponent for exponent in (-4, -3.5, -3, -2.5, -2, -1.5, -1, -0.5, 0, 0.5, 1)
)  # the error is flat around its least


@dataclass(frozen=True, eq=False, repr=False)
class Memory(Summarised):
    """The past and new pairs merged, and why in these shares.

    Attributes:
        moments: of the past, counted as `count` pairs, and of the new pairs.
        count: m, the pairs that the past counts as.
        shrinkage: λ for `semantic_modes(memory.moments, goal, memory.shrinkage)`; "auto" does not know how many pairs there were.
        candidates: the m that were tried, increasing.
        losses: least held-out error (candidates,) of each, relative to that of sending nothing.

    Example:
        >>> import torch, latentlink as ll
        >>> x = torch.randn(500, 8, generator=torch.Generator().manual_seed(0))
        >>> y = x[:, :6].tanh()
        >>> memory = ll.living.remember(ll.Moments.from_pairs(x[:400], y[:400]), x[400:], y[400:])
        >>> memory.candidates
        (50, 100, 200, 400, 800)
        >>> ll.semantic_modes(memory.moments, shrinkage=memory.shrinkage)
        SemanticModes(6 modes, 8 → 6, MSE, shrinkage ...)
    """

    moments: Moments
    count: int
    shrinkage: float
    candidates: tuple[int, ...]
    losses: Float64[Tensor, "candidates"]

    def _facts(self) -> dict[str, str]:
        return {
            "memory": f"past counted as {self.count} of {max(self.candidates)}",
            "moments": f"{self.moments.count} pairs in all",
            "shrinkage": f"shrinkage {self.shrinkage:.2g}",
            "error": f"held-out error {float(self.losses.min()):.3f}",
        }


@validate_call
def remember(past: Moments, x: AnyArray, y: AnyArray, goal: Goal | None = None) -> Memory:
    """Merge moments of the past with new pairs, the past counting as much as serves new pairs that were held out.

    Args:
        past: moments of the pairs so far.
        x: new latents (K, d) of the transmitter, at least six.
        y: new latents (K, m) of the receiver.
        goal: goal of the link, in whose metric errors are told.

    Returns:
        The merged moments, with the shrinkage to design with; found by 18 eigendecompositions of Rx.

    Raises:
        ValueError: x or y is malformed, of other dimensions than the past, of fewer than six pairs or without variance, or the
            goal does not fit.

    Example:
        >>> import torch, latentlink as ll
        >>> x = torch.randn(500, 8, generator=torch.Generator().manual_seed(0))
        >>> past = ll.Moments.from_pairs(x[:400], x[:400, :6].tanh())
        >>> ll.living.remember(past, x[400:], -x[400:, :6].tanh())  # all is upside down: forget what was
        Memory(past counted as 50 of 800, 150 pairs in all, shrinkage ..., held-out error ...)
    """
    x, y = as_pairs(x, y)
    expected = (len(past.mean_x), len(past.mean_y))
    if (x.shape[1], y.shape[1]) != expected or len(x) < 2 * _FOLDS:
        raise ValueError(f"x and y must be at least {2 * _FOLDS} pairs of dimensions {expected}, got {tuple(x.shape)} and {tuple(y.shape)}")
    if goal is not None and goal.weight.shape[1] != expected[1]:
        raise ValueError(f"goal must weigh latents of dimension {expected[1]}, got a weight of shape {tuple(goal.weight.shape)}")
    candidates = tuple(sorted({max(1, round(times * len(x))) for times in _TIMES} | {past.count}))
    fold = fold_numbers(0, len(x), len(x), _FOLDS).to(x.device)
    losses = torch.zeros(len(candidates), len(_SHRINKAGES), dtype=torch.float64, device="cpu")
    for held in range(_FOLDS):
        new = Moments.from_pairs(x[fold != held], y[fold != held])
        for place, count in enumerate(candidates):
            losses[place] += _losses(past.counted_as(count) + new, x[fold == held], y[fold == held], goal) / _FOLDS
    place, best = divmod(int(losses.argmin()), len(_SHRINKAGES))
    merged = past.counted_as(candidates[place]) + Moments.from_pairs(x, y)
    return Memory(merged, candidates[place], _SHRINKAGES[best], candidates, losses.amin(1))


def _losses(moments: Moments, x: Float[Tensor, "n d"], y: Float[Tensor, "n m"], goal: Goal | None) -> Float64[Tensor, "shrinkages"]:
    """The error on pairs of aligned latents, by the regression that the moments give with each shrinkage."""
    spectrum = Spectrum.of(moments.cov_x)
    projected, RyxV = (x.to(moments.mean_x) - moments.mean_x) @ spectrum.vectors, moments.cov_yx @ spectrum.vectors
    found = []
    for shrinkage in _SHRINKAGES:
        values, _ = spectrum.kept(shrinkage)
        k = len(values)
        found.append(_loss(y.to(values), moments.mean_y + projected[:, :k] / values @ RyxV[:, :k].mT, goal))
    return torch.tensor(found, dtype=torch.float64, device="cpu")


def _loss(y: Float[Tensor, "n m"], y_hat: Float[Tensor, "n m"], goal: Goal | None) -> float:
    """The error of aligned latents relative to that of their mean, in the goal's metric."""
    error, spread = y - y_hat, y - y.mean(0)
    loss, share = 0.0, 1.0
    if goal is not None:
        W, share = goal.weight.to(y), goal.fidelity
        loss = _ratio((error @ W.mT).square().sum(), (spread @ W.mT).square().sum())
    return loss + (share * _ratio(error.square().sum(), spread.square().sum()) if share > 0 else 0.0)


def _ratio(error: Tensor, spread: Tensor) -> float:
    if not spread > 0:
        raise ValueError("y must vary among the new pairs, got the same latent in a third of them, or the same as the goal sees it")
    return float(error / spread)

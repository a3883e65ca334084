"""What a design pays for having seen so few pilots only: in dB of its error, between two figures, and at most a third.

Pairs in folds are trained on in part, and each design is judged by a fold that it has not seen. The mean error at several numbers of pairs
is fitted, by least squares, by

    MSE(n) = a + c / n        and        MSE(n) = a + c / √n,        price = MSE(n) / a  at all pairs,

a being the error of unlimited pilots. The error is Jensen's loss of a convex function of the whitened cross-covariance: smooth, of order
1 / n, where strengths and gains are apart, and kinked, of order 1 / √n, where they tie or ridge decides. So the truth is told between both
exponents rather than by a fitted one, which is noise. It may be below both where parts of the folds have hardly more pairs than a
well-conditioned x has dimensions: there the error falls faster than 1 / n.

For unbiased moments the error that a design expects of itself is too small in the mean, as its true error is too large. So the ratio of
held-out to expected error limits the price from above; with a sampled Rx that is measured, not proved.
"""

from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from latentlink.channels.channel import Channel
from latentlink.latents.moments import Moments
from latentlink.linear.design import ClosedForm
from latentlink.linear.goal import Goal
from latentlink.linear.modes import SemanticModes, semantic_modes
from latentlink.linear.mse import link_mse
from latentlink.numerics.doors import integer
from latentlink.numerics.reprs import Summarised, counted, spread
from latentlink.numerics.validation import validate_call

EXPONENTS = (1.0, 0.5)  # of the fits between which the price lies
_SHARES = (0.3, 0.5, 0.7, 0.9)  # of the folds that are trained on


@dataclass(frozen=True, eq=False, repr=False)
class PilotPrice(Summarised):
    """The price of pilots in dB of the error, for each channel of a batch `...`; the error is the goal's where there is one.

    Attributes:
        low_db: price (…) by the fit of order 1 / n.
        high_db: price (…) by the fit of order 1 / √n; inf where that fit leaves no error at all for unlimited pilots.
        bound_db: held-out error over the error that the design expects (…); the price is hardly above it.
        held_out: error (sizes, …) on unseen pairs, for designs from `counts` pairs.
        counts: mean numbers of pairs (sizes,), increasing.

    Example:
        >>> import torch, latentlink as ll
        >>> x = torch.randn(500, 8, generator=torch.Generator().manual_seed(0))
        >>> moments = ll.Moments.from_pairs(x, x[:, :6].tanh(), folds=10)
        >>> price = ll.bounds.pilot_price(moments, ll.Channel.from_snr(ll.rayleigh(2, 2, generator=0), snr_db=20.0))
        >>> price.counts
        tensor([150., 250., 350., 450.], dtype=torch.float64)
    """

    low_db: Float[Tensor, "*batch"]
    high_db: Float[Tensor, "*batch"]
    bound_db: Float[Tensor, "*batch"]
    held_out: Float[Tensor, "sizes *batch"]
    counts: Float[Tensor, "sizes"]

    def _facts(self) -> dict[str, str]:
        return {
            "channels": counted(self.low_db.numel(), "channel"),
            "low": f"from {spread(self.low_db)} dB",
            "high": f"to {spread(self.high_db)} dB",
            "bound": f"at most {spread(self.bound_db)} dB",
        }


@validate_call
def pilot_price(
    moments: Moments,
    channel: Channel,
    goal: Goal | None = None,
    design: ClosedForm | None = None,
    *,
    splits: int | None = None,
) -> PilotPrice:
    """Tell what a design from these pairs loses against one from unlimited pairs, from the folds of the pairs alone.

    Args:
        moments: moments that keep folds, at least four and better ten: `Moments.from_pairs(x, y, folds=10)`.
        channel: batch of channels.
        goal: goal of `semantic_modes`, in whose metric the error is then told.
        design: design that is asked about, with a mean or per-use power limit; ClosedForm() if not given.
        splits: number of folds to hold out in turn; all of them if not given. Each takes up to four eigendecompositions of Rx.

    Returns:
        The price in dB for each channel, with the errors on unseen pairs that it is told from.

    Raises:
        ValueError: the moments keep fewer than four folds, splits is no integer >= 1, or the design limits single messages or has a decoder
            that is refitted later.

    Example:
        >>> import torch, latentlink as ll
        >>> x = torch.randn(500, 8, generator=torch.Generator().manual_seed(0))
        >>> moments = ll.Moments.from_pairs(x, x[:, :6].tanh(), folds=10)
        >>> channel = ll.Channel.from_snr(ll.rayleigh(2, 2, batch=(10,), generator=0), snr_db=20.0)
        >>> price = ll.bounds.pilot_price(moments, channel)
        >>> bool((price.low_db <= price.high_db).all())
        True
    """
    design, folds = ClosedForm() if design is None else design, moments.folds
    if len(folds) < 4:
        raise ValueError(f"moments must have at least four folds, got {len(folds)}: Moments.from_pairs(x, y, folds=10)")
    if design.power.limits_messages or (design.csi.receiver_measures and channel.uncertain):
        raise ValueError(f"design must have a mean or per-use limit and a decoder that is known at its design, got {design!r}")
    splits = len(folds) if splits is None else integer("splits", splits)
    return price_of_modes(moments, semantic_modes(moments, goal), channel, goal, design, "auto", splits, len(_SHARES))


def price_of_modes(
    moments: Moments,
    whole: SemanticModes,
    channel: Channel,
    goal: Goal | None,
    design: ClosedForm,
    shrinkage: float | str,
    splits: int,
    sizes: int,
) -> PilotPrice:
    """The price, where the modes of all pairs are there already and fewer numbers of pairs may be tried; arguments are not checked.

    Args:
        moments: as for `pilot_price`.
        whole: their semantic modes.
        channel: as for `pilot_price`.
        goal: likewise.
        design: likewise.
        shrinkage: of all modes.
        splits: number of folds to hold out in turn.
        sizes: numbers of pairs that are tried, from two to four, the largest always among them.
    """
    folds = moments.folds
    shares = _SHARES if sizes == len(_SHARES) else (_SHARES[1], *_SHARES[4 - sizes + 1 :])
    parts_of = sorted({min(len(folds) - 1, max(1, round(share * len(folds)))) for share in shares})
    errors, counts = [], []
    for size in parts_of:
        parts = [
            (Moments.merged([folds[(out + 1 + k) % len(folds)] for k in range(size)]), fold) for out, fold in enumerate(folds[:splits])
        ]
        modes = ((semantic_modes(seen, goal, shrinkage), fold) for seen, fold in parts)
        errors.append(torch.stack([_unseen(each, fold, whole, channel, design) for each, fold in modes]).mean(0))
        counts.append(sum(seen.count for seen, _ in parts) / len(parts))
    held_out = torch.stack(errors)
    n = torch.tensor(counts, dtype=held_out.dtype, device=held_out.device)
    low, high = (price_in_db(held_out, n, moments.count, exponent) for exponent in EXPONENTS)
    expected = _unseen(whole, moments, whole, channel, design)
    return PilotPrice(low, torch.maximum(low, high), _db(held_out[-1], expected), held_out, n)


def _unseen(modes: SemanticModes, unseen: Moments, metric: SemanticModes, channel: Channel, design: ClosedForm) -> Float[Tensor, "*batch"]:
    """The error (…) of the design from these modes under other moments, in the metric of the modes of all pairs."""
    link = design.design(modes, channel).transceiver
    s = link.streams.shape[-1]
    first, W = modes.truncated(s + s % 2), metric.weight
    dx, dy = unseen.mean_x - modes.mean_x, unseen.mean_y - modes.mean_y
    x = first.analysis
    y = first.synthesis if W is None else W.mT @ (W @ first.synthesis)  # WᵀW Ψ
    second = unseen.cov_y + torch.outer(dy, dy)
    there = replace(
        first,
        gram=first.synthesis.mT @ y,
        cross=x @ unseen.cov_yx.mT @ y + torch.outer(x @ dx, y.mT @ dy),
        covariance=x @ unseen.cov_x @ x.mT + torch.outer(x @ dx, x @ dx),
        variance=second.trace() if W is None else (W @ second * W).sum(),
    )
    return link_mse(there, link)


def price_in_db(
    held_out: Float[Tensor, "sizes *batch"], n: Float[Tensor, "sizes"], count: float, exponent: float
) -> Float[Tensor, "*batch"]:
    """The price (…) in dB at so many pairs, by the fit a + c n^-exponent with c not negative."""
    t = n**-exponent
    centred = (t - t.mean()).reshape(-1, *(1 for _ in held_out.shape[1:]))
    mean = held_out.mean(0)
    c = ((held_out - mean) * centred).sum(0).clamp(min=0) / centred.square().sum()
    a = mean - c * t.mean()
    return torch.where(a > 0, _db(a + c * count**-exponent, a), torch.inf)


def _db(error: Tensor, of: Tensor) -> Tensor:
    tiny = torch.finfo(of.dtype).tiny
    return 10 * (error.clamp(min=tiny) / of.clamp(min=tiny)).log10()

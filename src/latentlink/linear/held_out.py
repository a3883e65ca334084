"""Honest error and power from pilots kept in folds: no latents are needed, only moments.

A link L = G H F designed on all folds but one is judged by the held-out fold's moments. With δ the difference of held-out and training
means, the second moments about the training means are S + δδᵀ, and in mode coordinates (`linear/errors.py`) they take the place of the
design's own:

    MSE = tr(Syy + δy δyᵀ) − 2 tr(T Φ (Sxy + δx δyᵀ) Ψ) + tr(ΨᵀΨ (T Φ (Sxx + δx δxᵀ) Φᵀ Tᵀ + C_n)),      power = tr F (Sxx + δx δxᵀ) Fᵀ.

With few pilots the training values are optimistic on both counts; designing for the budget P / q, q the mean held-out power over P,
brings the power on unseen latents back to P.
"""

from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from latentlink.channels.channel import Channel
from latentlink.latents.moments import Moments
from latentlink.linear.closed_form import ClosedForm
from latentlink.linear.goal import Goal
from latentlink.linear.modes import SemanticModes, semantic_modes
from latentlink.linear.mse import total_mse
from latentlink.numerics.division import ratio


@dataclass(frozen=True, eq=False)
class HeldOut:
    """Means over folds, for each channel of a batch `...`.

    Attributes:
        mse: total unweighted MSE (…) on held-out pilots. power: power per channel use (…) on them.
    """

    mse: Float[Tensor, "*batch"]
    power: Float[Tensor, "*batch"]

    def calibrated(self, channel: Channel) -> Channel:
        """The channel with the budget P / q under which a design has power P on unseen latents (channel: that of the estimate)."""
        q = ratio(self.power, channel.power)
        return channel.with_power(torch.where(q > 0, ratio(channel.power, q), channel.power))


@dataclass(frozen=True, eq=False)
class HeldOutModes:
    """Modes of all folds but one, with the moments of that one; one pair for each split. `held_out` judges designs by them.

    Attributes:
        splits: pairs (modes, unseen moments).
    """

    splits: tuple[tuple[SemanticModes, Moments], ...]

    @classmethod
    def of(
        cls,
        moments: Moments,
        goal: Goal | None = None,
        shrinkage: float | str = "auto",
        widely_linear: bool = True,
        splits: int | None = None,
    ) -> "HeldOutModes":
        """Work that does not depend on channels, done once.

        Args:
            moments: with folds, `Moments.from_pairs(x, y, folds=5)`.
            goal, shrinkage, widely_linear: as in `semantic_modes`, for each training part anew.
            splits: how many of the folds to hold out in turn; all of them if not given.

        Raises:
            ValueError: the moments keep no folds, or splits is below 1.
        """
        if splits is not None and splits < 1:
            raise ValueError(f"splits must be at least 1, got {splits}")
        pairs = moments.training_folds()[:splits]
        return cls(tuple((semantic_modes(training, goal, shrinkage, widely_linear), unseen) for training, unseen in pairs))

    def judge(self, channel: Channel, design: ClosedForm | None = None) -> HeldOut:
        """Design for the channel on each training part, judge by the part held out, and average.

        Raises:
            ValueError: the design has per-message power, which is exact on any latents by itself, or a decoder that is refitted later.
        """
        design = ClosedForm() if design is None else design
        if design.power.limits_messages:
            raise ValueError("design must have a mean or per-use power limit: per-message power is exact on any latents by itself")
        if design.csi.receiver_measures and channel.uncertain:
            raise ValueError(f"design must not be for a receiver that measures, got {design.csi!r}: it measures later")
        errors, powers = [], []
        for modes, unseen in self.splits:
            transceiver = design.design(modes, channel).transceiver
            s = transceiver.streams.shape[-1]
            there = judged_by(modes, unseen, s)
            errors.append(total_mse(there, *transceiver.response(covariance=there.covariance[:s, :s])))
            powers.append(transceiver.expected_power(there.covariance))
        return HeldOut(torch.stack(errors).mean(0), torch.stack(powers).mean(0))


def held_out(
    moments: Moments,
    channel: Channel,
    goal: Goal | None = None,
    shrinkage: float | str = "auto",
    widely_linear: bool = True,
    design: ClosedForm | None = None,
) -> HeldOut:
    """Design on all folds but one, judge by the one left out, and average: `HeldOutModes` for a single batch of channels.

    Args:
        moments: with folds, `Moments.from_pairs(x, y, folds=5)`.
        channel: batch of channels.
        goal, shrinkage, widely_linear: as in `semantic_modes`, for each training part anew.
        design: ClosedForm() unless given; not with per-message power.

    Raises:
        ValueError: the moments keep no folds, or the design has per-message power.
    """
    return HeldOutModes.of(moments, goal, shrinkage, widely_linear).judge(channel, design)


def judged_by(modes: SemanticModes, moments: Moments, streams: int) -> SemanticModes:
    """The first modes with the statistics of other latents in place of their own, taken about the modes' means."""
    first = modes.truncated(streams + streams % 2)
    dx, dy = moments.mean_x - modes.mean_x, moments.mean_y - modes.mean_y
    x, y = first.analysis, first.synthesis
    return replace(
        first,
        cross=x @ moments.cov_yx.mT @ y + torch.outer(x @ dx, y.mT @ dy),
        covariance=x @ moments.cov_x @ x.mT + torch.outer(x @ dx, x @ dx),
        variance=moments.cov_y.trace() + dy.square().sum(),
    )

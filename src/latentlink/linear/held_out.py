"""Cross-validation: error and power on pilots that the design has not seen, from the moments of folds alone.

A link L = G H F designed on all folds but one is judged by the held-out fold's moments. With δ the difference of held-out and training
means, the second moments about the training means are S + δδᵀ, and in mode coordinates (`linear/mse.py`) they take the place of the
design's own:

    MSE = tr(Syy + δy δyᵀ) − 2 tr(T Φ (Sxy + δx δyᵀ) Ψ) + tr(ΨᵀΨ (T Φ (Sxx + δx δxᵀ) Φᵀ Tᵀ + C_n)),      power = tr F (Sxx + δx δxᵀ) Fᵀ.

With few pilots the error and the power of the training parts are too small; a design for the budget P / q, q the mean held-out power
over P, has about the power P on unseen latents.
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
from latentlink.numerics.division import ratio
from latentlink.numerics.doors import integer
from latentlink.numerics.reprs import Summarised, counted, spread
from latentlink.numerics.validation import validate_call


@dataclass(frozen=True, eq=False, repr=False)
class HeldOut(Summarised):
    """Error and power on held-out pilots, averaged over the folds, for each channel of a batch `...`.

    Attributes:
        mse: total unweighted MSE (…).
        power: mean power per channel use (…).
    """

    mse: Float[Tensor, "*batch"]
    power: Float[Tensor, "*batch"]

    def _facts(self) -> dict[str, str]:
        return {"channels": counted(self.mse.numel(), "channel"), "MSE": f"MSE {spread(self.mse)}", "power": f"power {spread(self.power)}"}

    def calibrated(self, channel: Channel) -> Channel:
        """The channel given to `held_out`, with the budget P / q for which a design has the power P on unseen latents."""
        q = ratio(self.power, channel.power)
        return channel.with_power(torch.where(q > 0, ratio(channel.power, q), channel.power))


@validate_call
def held_out(
    moments: Moments,
    channel: Channel,
    goal: Goal | None = None,
    *,
    shrinkage: float | str = "auto",
    widely_linear: bool = True,
    design: ClosedForm | None = None,
    splits: int | None = None,
) -> HeldOut:
    """Design on all folds but one, evaluate on the one left out, and average over the folds.

    Args:
        moments: moments that keep folds, such as `Moments.from_pairs(x, y, folds=5)`.
        channel: batch of channels.
        goal: goal of `semantic_modes`.
        shrinkage: shrinkage of `semantic_modes`, chosen anew on each training part where it is "auto".
        widely_linear: variant of `semantic_modes`.
        design: design to evaluate, without per-message power; ClosedForm() if not given.
        splits: number of folds to hold out in turn; all of them if not given.

    Returns:
        Error and power (…) on unseen latents, and the channel that they suggest to design for (`calibrated`).

    Raises:
        ValueError: the moments keep no folds, splits is below 1, or the design has per-message power, which is met exactly on any latents,
            or a decoder that is refitted later.

    Example:
        >>> import torch, latentlink as ll
        >>> x = torch.randn(500, 8, generator=torch.Generator().manual_seed(0))
        >>> y = x[:, :6].tanh()
        >>> moments = ll.Moments.from_pairs(x, y, folds=5)
        >>> channel = ll.Channel.from_snr(ll.rayleigh(2, 2, batch=(10,), generator=0), snr_db=20.0)
        >>> seen = ll.held_out(moments, channel)
        >>> seen.mse.shape
        torch.Size([10])
        >>> ll.ClosedForm().design(ll.semantic_modes(moments), seen.calibrated(channel))
        Solution(10 channels, 2×2, 1 use, optimal)
    """
    design = ClosedForm() if design is None else design
    if design.power.limits_messages:
        raise ValueError("design must have a mean or per-use power limit, got per-message: it is met exactly on any latents")
    if design.csi.receiver_measures and channel.uncertain:
        raise ValueError(f"design must not be for a receiver that measures: its decoder is not known yet, got {design.csi!r}")
    errors, powers = [], []
    for training, unseen in moments.training_folds()[: None if splits is None else integer("splits", splits)]:
        modes = semantic_modes(training, goal, shrinkage, widely_linear)
        transceiver = design.design(modes, channel).transceiver
        there = _judged_by(modes, unseen, transceiver.streams.shape[-1])
        errors.append(link_mse(there, transceiver))
        powers.append(transceiver.expected_power(there.covariance))
    return HeldOut(torch.stack(errors).mean(0), torch.stack(powers).mean(0))


def _judged_by(modes: SemanticModes, moments: Moments, streams: int) -> SemanticModes:
    """The strongest modes with the second moments of other latents about the modes' means in place of their own."""
    first = modes.truncated(streams + streams % 2)
    dx, dy = moments.mean_x - modes.mean_x, moments.mean_y - modes.mean_y
    x, y = first.analysis, first.synthesis
    return replace(
        first,
        cross=x @ moments.cov_yx.mT @ y + torch.outer(x @ dx, y.mT @ dy),
        covariance=x @ moments.cov_x @ x.mT + torch.outer(x @ dx, x @ dx),
        variance=moments.cov_y.trace() + dy.square().sum(),
    )

"""The bound on linear links under per-antenna power limits (see `linear/admm/dual_bound.py` for its theory)."""

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from latentlink.channels.channel import Channel
from latentlink.linear.admm.constraints import AntennaPower
from latentlink.linear.admm.dual_bound import antenna_dual, weighted_bound
from latentlink.linear.modes import SemanticModes
from latentlink.numerics.doors import finite


def per_antenna(
    modes: SemanticModes,
    channel: Channel,
    limits: Tensor | NDArray[Any] | Sequence[float] | float | None = None,
    multiplier: Tensor | NDArray[Any] | Sequence[float] | None = None,
) -> Float[Tensor, "*batch"]:
    """A lower bound (…) on the weighted error of every linear link under per-antenna power limits.

    Args:
        modes: of the pair of devices.
        channel: the channels (…, u, n_rx, n_tx).
        limits: l (n_tx,) or one for all, mean power over the uses, as in `AntennaPower`; None is P / n_tx each.
        multiplier: prices μ ≥ 0 (…, n_tx) at which to take the dual; None looks for the best.

    Returns:
        The bound in the units of `modes.weighted_variance`, under the design covariance; tight in all cases tried.

    Raises:
        ValueError: limits or multiplier are malformed or negative, or do not fit the antennas; modes or channel are of another type.

    References:
        [palomar2003joint] for the problem without limits per antenna.
    """
    if not isinstance(modes, SemanticModes) or not isinstance(channel, Channel):
        raise ValueError(f"modes and channel must be SemanticModes and a Channel, got {type(modes).__name__} and {type(channel).__name__}")
    allowed = AntennaPower(limits)
    allowed.check(channel, len(modes))
    channel = channel.to(modes.strength.dtype)
    constant = modes.weighted_variance - modes.strength.square().sum()
    if multiplier is None:
        return weighted_bound(allowed, modes, channel, modes.weighted_variance.expand(channel.batch))
    prices = finite("multiplier", multiplier)
    if prices.is_complex() or prices.shape[-1:] != (channel.n_tx,) or bool((prices < 0).any()):
        raise ValueError(f"multiplier must be real, not negative, of shape (..., {channel.n_tx}), got {prices.dtype} {tuple(prices.shape)}")
    prices = prices.to(modes.strength).expand(*channel.batch, channel.n_tx)
    loose = allowed.limits_of(channel.power, channel.n_tx).sum(-1) > channel.power
    common = torch.where(loose, prices.amin(-1), 0.0).unsqueeze(-1)
    value, _ = antenna_dual(modes.strength, channel, allowed)(torch.cat([prices - common, common], -1))
    return constant + value.clamp(min=0)

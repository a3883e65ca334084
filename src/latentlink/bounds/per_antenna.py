"""The bound on linear links under per-antenna power limits (see `linear/admm/dual_bound.py` for its theory)."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from latentlink.channels.channel import Channel
from latentlink.linear.admm.dual_bound import antenna_dual, bound_per_antenna
from latentlink.linear.closed_form import in_precision_of
from latentlink.linear.modes import SemanticModes
from latentlink.numerics.doors import AnyArray, finite
from latentlink.numerics.validation import validate_call
from latentlink.power import PerAntenna


@validate_call
def per_antenna(
    modes: SemanticModes,
    channel: Channel,
    limits: AnyArray | Sequence[float] | float | None = None,
    *,
    multiplier: AnyArray | Sequence[float] | None = None,
) -> Float[Tensor, "*batch"]:
    """Bound the weighted error (…) of every linear link under power limits per antenna from below.

    Args:
        modes: the semantic modes of the pair of devices.
        channel: the channels (…, u, n_rx, n_tx).
        limits: l (n_tx,) or one for all, mean power over the uses, as in `power.PerAntenna`; None is P / n_tx each.
        multiplier: Lagrange multipliers μ ≥ 0 (…, n_tx) at which to evaluate the dual; None searches for the best.

    Returns:
        The bound in the units of `modes.weighted_variance`, under the design covariance; tight in all cases tried.

    Raises:
        ValueError: limits or multiplier are malformed or negative, or do not fit the antennas; modes or channel are of another type.

    References:
        [palomar2003joint] for the problem without limits per antenna.

    Example:
        >>> import torch, latentlink as ll
        >>> x = torch.randn(500, 8, generator=torch.Generator().manual_seed(0))
        >>> modes = ll.semantic_modes(ll.Moments.from_pairs(x, x[:, :6].tanh()))
        >>> channel = ll.Channel.from_snr(ll.rayleigh(2, 2, generator=0), snr_db=20.0)
        >>> bound = ll.bounds.per_antenna(modes, channel, limits=[0.2, 0.8])
        >>> unlimited = ll.ClosedForm().design(modes, channel).expected_mse  # by the total power alone
        >>> round(float(bound), 2), round(float(unlimited), 2)
        (0.95, 0.86)
    """
    channel = in_precision_of(modes, channel)
    limit = PerAntenna(limits=limits)
    limit.check(channel.n_tx)
    allowed = limit.limits_of(channel.power, channel.n_tx)
    if multiplier is None:
        return bound_per_antenna(modes, channel, allowed, modes.weighted_variance.expand(channel.batch))
    mu = finite("multiplier", multiplier)
    if mu.is_complex() or mu.shape[-1:] != (channel.n_tx,) or bool((mu < 0).any()):
        raise ValueError(f"multiplier must be real, not negative, of shape (..., {channel.n_tx}), got {mu.dtype} {tuple(mu.shape)}")
    mu = mu.to(modes.strength).expand(*channel.batch, channel.n_tx)
    loose = allowed.sum(-1) > channel.power
    common = torch.where(loose, mu.amin(-1), 0.0).unsqueeze(-1)
    value, _ = antenna_dual(modes.strength, channel, allowed)(torch.cat([mu - common, common], -1))
    return modes.weighted_variance - modes.strength.square().sum() + value.clamp(min=0)

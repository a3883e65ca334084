"""Gaussian OPTA (optimal performance theoretically attainable): the least error of any scheme at the channel's capacity.

At a rate of C bits per message the least weighted error that any scheme of any length and complexity can reach for *Gaussian* latents with
these moments (indirect rate distortion, reverse water-filling [dobrushin1962information, wolf1970transmission]) is

    D* = tr(W Ry Wᵀ) − Σ b_i² + Σ min(θ, b_i²),        ½ Σ log2⁺(b_i² / θ) = C.

For other latents with the same moments D* is an upper bound of the true limit: a good nonlinear scheme may go below it. Of all *affine*
pairs the closed form is the limit, whatever the distribution.
"""

from jaxtyping import Float
from torch import Tensor

from latentlink.bounds.capacity import capacity
from latentlink.channels.channel import Channel
from latentlink.linear.modes import SemanticModes
from latentlink.numerics.validation import validate_call
from latentlink.streams.waterfilling import reverse_waterfilling


@validate_call
def opta(modes: SemanticModes, channel: Channel) -> Float[Tensor, "*batch"]:
    """Gaussian OPTA D* (…): the least total weighted MSE at the channel's capacity, unweighted for modes without a goal.

    Args:
        modes: all modes of the moments in question, widely linear and without shrinkage: `semantic_modes(moments, shrinkage=0.0)`, with
            the moments of the test data for a statement on test data.
        channel: batch of channels.

    Returns:
        D* (…) in the units of `modes.weighted_variance`.

    Raises:
        ValueError: the modes were made with shrinkage, or are complex-linear.

    Example:
        >>> import torch, latentlink as ll
        >>> x = torch.randn(500, 8, generator=torch.Generator().manual_seed(0))
        >>> moments = ll.Moments.from_pairs(x, x[:, :6].tanh())
        >>> channel = ll.Channel.from_snr(ll.rayleigh(2, 2, generator=0), snr_db=20.0)
        >>> modes = ll.semantic_modes(moments, shrinkage=0.0)
        >>> round(float(ll.bounds.opta(modes, channel)), 2), round(float(ll.ClosedForm().design(modes, channel).expected_mse), 2)
        (0.31, 0.86)
    """
    return least_error(modes, capacity(channel))


def least_error(modes: SemanticModes, bits: Float[Tensor, "*batch"]) -> Float[Tensor, "*batch"]:
    """Least error (…) at a rate in bits per message."""
    if modes.shrinkage != 0:
        raise ValueError(f"modes must be made with shrinkage=0.0 for a bound, got {modes.shrinkage:g}")
    if not modes.widely_linear:
        raise ValueError("modes must be widely linear for a bound: complex-linear ones do not use all correlations of improper latents")
    energy = modes.strength.square()
    if len(energy) == 0:
        return modes.weighted_variance.expand(bits.shape)
    rest = (modes.weighted_variance - energy.sum()).clamp(min=0)  # not explained by x, up to rounding
    return rest + reverse_waterfilling(energy, bits).sum(-1).to(energy)

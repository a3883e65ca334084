"""Projections of precoders into limits on their power: Euclidean where the inputs are white, scalings elsewhere.

A precoder is F (…, u, t, c), complex: u channel uses, t transmit antennas, c inputs of covariance R. Its row f of a use and an antenna
spends the power f R fᴴ.
"""

import torch
from jaxtyping import Complex, Float
from torch import Tensor

from latentlink.numerics.division import ratio

Precoders = Complex[Tensor, "*batch u t c"]


def row_power(F: Precoders, covariance: Tensor | None = None) -> Float[Tensor, "*batch u t"]:
    """Power f R fᴴ (…, u, t) of the row f of each use and antenna, for inputs of covariance R (I where it is None)."""
    if covariance is None:
        return F.abs().square().sum(-1)
    return (F @ covariance.to(F) * F.conj()).sum(-1).real.clamp(min=0)


def scale_into(F: Precoders, spent: Float[Tensor, "*batch u2 t2"], budget: Float[Tensor, "*batch u3 t3"]) -> Precoders:
    """F, scaled down to the budget where the power that it spends is above it."""
    return F * torch.where(spent > budget, ratio(budget, spent), 1.0).sqrt().unsqueeze(-1)


def scale_antennas(
    F: Precoders, spent: Float[Tensor, "*batch t"], limits: Float[Tensor, "*batch t"], power: Float[Tensor, "*batch"]
) -> Precoders:
    """F with each antenna's rows f scaled to min(√l, s‖f‖) f/‖f‖, s ≤ 1 being common to all antennas, so that the total meets u·P.

    `spent` is the power ‖f‖² (…, t) of each antenna over all uses; the limits l and P are means over the uses.
    """
    uses = F.shape[-3]
    limit, budget = uses * limits, (uses * power).unsqueeze(-1)
    cap, order = ratio(limit, spent).masked_fill(spent == 0, torch.inf).sort(-1)  # antennas reach their limits in this order as s² grows
    saturated = torch.nn.functional.pad(limit.gather(-1, order).cumsum(-1)[..., :-1], (1, 0))
    free = spent.gather(-1, order).flip(-1).cumsum(-1).flip(-1)
    s2 = ratio((budget - saturated).clamp(min=0), free).masked_fill(free == 0, torch.inf)  # with only the antennas before it at their limit
    fits = s2 <= cap
    first = fits.to(torch.int8).argmax(-1, keepdim=True)
    s2 = torch.where(fits.any(-1, keepdim=True), s2.gather(-1, first), 1.0).clamp(max=1)
    return F * ratio(torch.minimum(limit, s2 * spent), spent).sqrt()[..., None, :, None]

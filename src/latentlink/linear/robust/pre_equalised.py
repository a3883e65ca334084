"""The precoder for a decoder that is fixed: the transmitter equalises, since the receiver knows no channel.

With coefficients white, G̃ the fixed decoder, B = diag(b) and the channel known as H = H̄ + E, E ~ CN(0, τ) per entry,

    min over F̃ of  E||B (z − G̃ (H F̃ z + v))||²    s.t.  Σ_u ||F̃_u||² ≤ u·P

is convex, and its solution is the transmit Wiener filter [joham2005linear] for this decoder, with M = B G̃ H̄_r of each use,

    F̃ = (MᵀM + (κ + λ) I)^{-1} Mᵀ B,      κ = τ/2 tr(G̃ᵀ B² G̃),

where λ ≥ 0 is the least that meets the budget, common to all uses; at λ = κ = 0 it forces what G̃ sees of other streams to zero.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from latentlink.channels.channel import Channel
from latentlink.latents.packing import real_embedding
from latentlink.linear.modes import SemanticModes
from latentlink.linear.transceiver import LinearTransceiver
from latentlink.numerics.division import ratio

_BISECTIONS = 60
_RANK = 1e-13  # eigenvalues below this share of the largest are rounding


def pre_equalised(modes: SemanticModes, fixed: LinearTransceiver, known: Channel) -> Float[Tensor, "*batch u t2 q2"]:
    """F̃ (…, u, 2 n_tx, 2q) for the decoder of `fixed`, one use a group, on channels known up to an error."""
    G, known = fixed.decoder, known.to(fixed.decoder.dtype)
    slots = G.new_zeros(*fixed.streams.shape[:-1], G.shape[-3] * G.shape[-2])
    b = slots.scatter(-1, fixed.streams, modes.strength[: fixed.streams.shape[-1]].expand(fixed.streams.shape)).unflatten(
        -1, G.shape[-3:-1]
    )
    BG = b.unsqueeze(-1) * G
    M = BG @ real_embedding(known.h)
    kappa = known.error_variance[..., None, None] / 2 * BG.square().sum((-2, -1)).unsqueeze(-1)  # (…, u, 1)
    values, Q = torch.linalg.eigh(M.mT @ M)
    seen = values > _RANK * values.amax((-2, -1), keepdim=True)  # what G̃ does not see has no load but rounding
    load = Q.mT @ (M.mT * b.unsqueeze(-2)) * seen.unsqueeze(-1)  # Qᵀ Mᵀ B
    values = torch.where(seen, values, 0.0) + kappa
    size, budget = load.square().sum(-1), known.uses * known.power

    def power(price: Tensor) -> Tensor:
        return ratio(size, (values + price[..., None, None]).square()).sum((-2, -1))

    low = torch.zeros_like(budget)
    high = ratio(size.sum((-2, -1)), budget).sqrt()  # λ at which the power is below the budget
    free = power(low) <= budget
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        over = power(middle) > budget
        low, high = torch.where(over, middle, low), torch.where(over, high, middle)
    price = torch.where(free, 0.0, high)[..., None, None]
    F = Q @ ratio(load, (values + price).unsqueeze(-1).expand(load.shape))
    return torch.where((budget > 0)[..., None, None, None], F, 0.0)

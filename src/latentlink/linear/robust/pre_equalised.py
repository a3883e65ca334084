"""Pre-equalisation: precoders for a decoder that is fixed, since the receiver does not know the channel.

With coefficients white, G̃ the fixed decoder, B = diag(b) and the channel known as H = H̄ + E, E ~ CN(0, τ) per entry,

    min over F̃ of  E||B (z − G̃ (H F̃ z + v))||²    s.t.  Σ_u ||F̃_u||² ≤ u·P

is convex, and its solution is the transmit Wiener filter [joham2005linear] for this decoder, with M = B G̃ H̄_r of each use,

    F̃ = (MᵀM + (κ + λ) I)^{-1} Mᵀ B,      κ = τ/2 tr(G̃ᵀ B² G̃),

where λ ≥ 0 is the least that meets the budget, common to all uses; at λ = κ = 0 it forces what G̃ sees of other streams to zero.
"""

from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor

from latentlink.channels.channel import Channel
from latentlink.channels.fading import rayleigh
from latentlink.latents.packing import real_embedding
from latentlink.linear.closed_form import design_exactly, in_precision_of
from latentlink.linear.modes import SemanticModes
from latentlink.linear.transceiver import LinearTransceiver
from latentlink.numerics.division import ratio
from latentlink.power import Mean

_BISECTIONS = 60
_RANK = 1e-13  # eigenvalues below this share of the largest are rounding


def agreed_level(
    modes: SemanticModes, channel: Channel, gain: float, multiples: tuple[float, ...], *, draws: int, seed: int
) -> Float[Tensor, "*batch"]:
    """The level a² (…) that decoder and precoder are designed for, from the sizes, noise and power of the channels alone.

    It is the multiple of the gain that is best in the mean over `draws` Rayleigh channels, divided over the uses, at least two for each.
    """
    facts = torch.stack([channel.noise_variance, channel.power], -1).reshape(-1, 2)
    kinds, kind = facts.unique(dim=0, return_inverse=True)
    generator = torch.Generator(device=facts.device).manual_seed(seed)
    count = max(2, -(-draws // channel.uses))
    h = rayleigh(channel.n_rx, channel.n_tx, gain, batch=(count, 1, channel.uses), generator=generator)
    drawn = Channel(h.to(channel.h), kinds[:, 0], kinds[:, 1])  # (draws, kinds)
    errors = torch.stack([_weighted_error(modes, gain * multiple, drawn) for multiple in multiples])
    best = torch.tensor(multiples, dtype=facts.dtype, device=facts.device)[errors.mean(1).argmin(0)]
    return gain * best[kind].reshape(channel.batch)


def _weighted_error(modes: SemanticModes, level: float, drawn: Channel) -> Float[Tensor, "*batch"]:
    """Weighted error Σ b² E(z − ẑ)² (…) of the pre-equalised design for one level."""
    fixed = design_for_identity(modes, torch.full_like(drawn.power, level), drawn)
    T, noise = replace(fixed, precoder=pre_equalise(modes, fixed, drawn)).response(drawn)
    b = modes.strength[: T.shape[-1]].square()
    return ((1 - 2 * T + T @ T.mT + noise).diagonal(dim1=-2, dim2=-1) * b).sum(-1)


def design_for_identity(modes: SemanticModes, level: Float[Tensor, "*batch"], like: Channel) -> LinearTransceiver:
    """The exact design for a I on every use, a² = level (…), at the noise and power of other channels."""
    eye = torch.eye(like.n_rx, like.n_tx, dtype=like.h.dtype, device=like.h.device)
    identity = level.sqrt()[..., None, None, None] * eye.expand(like.h.shape[-3:])
    channel = in_precision_of(modes, Channel(identity, like.noise_variance, like.power))
    return design_exactly(modes, channel, Mean()).transceiver


def pre_equalise(modes: SemanticModes, fixed: LinearTransceiver, known: Channel) -> Float[Tensor, "*batch u t2 q2"]:
    """Precoder F̃ (…, u, 2 n_tx, 2q) for the decoder of `fixed`, one group for each use, on channels known up to an error."""
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

    def power(multiplier: Tensor) -> Tensor:
        return ratio(size, (values + multiplier[..., None, None]).square()).sum((-2, -1))

    low = torch.zeros_like(budget)
    high = ratio(size.sum((-2, -1)), budget).sqrt()  # λ at which the power is below the budget
    free = power(low) <= budget
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        over = power(middle) > budget
        low, high = torch.where(over, middle, low), torch.where(over, high, middle)
    multiplier = torch.where(free, 0.0, high)[..., None, None]
    F = Q @ ratio(load, (values + multiplier).unsqueeze(-1).expand(load.shape))
    return torch.where((budget > 0)[..., None, None, None], F, 0.0)

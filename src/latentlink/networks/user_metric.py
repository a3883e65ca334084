"""What it costs the others that a user is sent something: the metric of its beams, and its budget in it, from a linear design.

A linear design with precoders F, decoders G_k and noise covariances N_k is stationary within the budget P where F_k, user k's part, is the
closed form on its channel, whitened by noise and interference, in the metric (`pricing`)

    Ω_k = Σ_{j≠k} H_jᵀ G_jᵀ G_j H_j + μ I,      μ = Σ_k tr G_k N_k G_kᵀ / ||F||²,      at the price 1 of its power in it, tr F_kᵀ Ω_k F_k.

With T_k = √μ Ω_k^{-1/2} it is the closed form on the channel H_k T_k within the budget tr F_kᵀ Ω_k F_k / μ. So is any other design of a
single link, a codec's too, told H_k T_k and that budget. Where no user of the linear design hears what others are sent, T_k is the
projector on what only user k hears: block diagonalisation stays that, and one user alone has T = I and the whole budget.

Matrices are complex, one for each use: the mean over phases of those of the linear design, which may treat real and imaginary parts
differently, and mix uses of equal channels.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Complex, Float
from torch import Tensor

from latentlink.channels.channel import Channel
from latentlink.latents.packing import packed_covariance
from latentlink.networks.solution import NetworkSolution
from latentlink.streams.whitened import noise_covariance, real_channel

_HEARD = 1e-9  # share of what arrives for a user itself below which others do not hear it
_LEAST = 1e-9  # share of the prices' trace that power costs at least, as without noise
_RANK = 1e-10  # share of the largest singular value below which a direction is in the null space


@dataclass(frozen=True, eq=False)
class UserMetric:
    """The metric of every user's beams (see the module).

    Attributes:
        beams: T_k (…, K, u, n_tx, n_tx).
        budget: (…, K) of a message in it.
        sent: E s_k s_kᴴ (…, K, u, n_tx, n_tx) of the linear design.
    """

    beams: Complex[Tensor, "*batch K u t t"]
    budget: Float[Tensor, "*batch K"]
    sent: Complex[Tensor, "*batch K u t t"]


def user_metric(solution: NetworkSolution, own: Float[Tensor, "*batch K a c"]) -> UserMetric:
    """The metric of a design for one transmitter; `own` are the parts F_k of its precoder that are for each user."""
    modes, links = solution.modes, solution.links
    users, uses, C = modes.users, links.uses, modes.correlation
    rows = [links.table[k] for k in solution._places[1]]
    H = [real_channel(row[0]).to(C) for row in rows]
    G = [_wanted_decoder(solution, k) for k in range(users)]
    spent = (solution.precoder @ C * solution.precoder).sum((-2, -1))
    noise = sum(((each @ solution._noise(k)) * each).sum((-2, -1)) for k, each in enumerate(G))
    prices = torch.stack([through.mT @ through for through in (g @ h for g, h in zip(G, H, strict=True))], -3)
    least = _LEAST * prices.diagonal(dim1=-2, dim2=-1).sum((-2, -1))
    mu = torch.maximum(noise / torch.where(spent > 0, spent, 1.0), least)
    mu = torch.where((mu > 0) & (spent > 0), mu, 1.0)
    others = prices.sum(-3, keepdim=True) - prices  # (…, K, a, a)
    cost = (own @ C * (others @ own)).sum((-2, -1)) / mu.unsqueeze(-1) + (own @ C * own).sum((-2, -1))
    eye = torch.eye(links.table[0][0].n_tx, dtype=C.dtype.to_complex(), device=C.device)
    priced = _inverse_root(by_use(others, uses) / 2 / mu[..., None, None, None, None] + eye)
    nulls = torch.stack([_unheard([row[0] for j, row in enumerate(rows) if j != k], rows[k][0]) for k in range(users)], -4)
    quiet = _quiet(solution, own)[..., None, None, None]
    return UserMetric(torch.where(quiet, nulls.to(priced), priced), cost, by_use(own @ C @ own.mT, uses))


def by_use(covariance: Float[Tensor, "*batch a2 a2"], uses: int) -> Complex[Tensor, "*batch u a a"]:
    """E s sᴴ of every use from a covariance of all uses' real parts, then imaginary parts."""
    whole = packed_covariance(covariance)
    return whole.unflatten(-1, (uses, -1)).unflatten(-3, (uses, -1)).diagonal(dim1=-4, dim2=-2).movedim(-1, -3)


def noise_by_use(row: tuple[Channel, ...]) -> Complex[Tensor, "*batch u r r"]:
    """E v vᴴ of every use of a receiver's noise, with interference from outside and channel errors at full power."""
    return by_use(noise_covariance(row), row[0].uses)


def _wanted_decoder(solution: NetworkSolution, k: int) -> Float[Tensor, "*batch q r2"]:
    """G_k (…, q, r), the LMMSE estimate of what user k wants."""
    M, N, C = solution._arriving(k), solution._noise(k), solution.modes.correlation
    S = M @ C @ M.mT + N
    level = S.diagonal(dim1=-2, dim2=-1).mean(-1).clamp(min=torch.finfo(S.dtype).tiny)[..., None, None]
    S = S + 1e-15 * level * torch.eye(S.shape[-1], dtype=S.dtype, device=S.device)
    return torch.linalg.solve(S, M @ solution.modes.wanted[k].mT).mT


def _quiet(solution: NetworkSolution, own: Float[Tensor, "*batch K a c"]) -> Tensor:
    """True (…, 1) where no user hears what is sent to others."""
    heard = torch.stack([(real_channel(row[0]).to(own).unsqueeze(-3) @ own).square().sum((-2, -1)) for row in _rows(solution)], -2)
    mine = heard.diagonal(dim1=-2, dim2=-1)
    return ((heard - torch.diag_embed(mine)).sum((-2, -1)) <= _HEARD * mine.sum(-1)).unsqueeze(-1)


def _rows(solution: NetworkSolution) -> list[tuple[Channel, ...]]:
    return [solution.links.table[k] for k in solution._places[1]]


def _unheard(others: list[Channel], own: Channel) -> Complex[Tensor, "*batch u t t"]:
    """The projector on what none of the others hears, use by use."""
    eye = torch.eye(own.n_tx, dtype=own.h.dtype, device=own.h.device).expand(*own.h.shape[:-2], -1, -1)
    if not others:
        return eye
    _, s, Vh = torch.linalg.svd(torch.cat([each.h for each in others], -2), full_matrices=False)
    taken = torch.where(((s > _RANK * s[..., :1]) & (s > 0)).unsqueeze(-1), Vh, 0.0)
    return eye - taken.mH @ taken


def _inverse_root(matrix: Complex[Tensor, "*batch t t"]) -> Complex[Tensor, "*batch t t"]:
    """The inverse of the root of a matrix that is at least the identity."""
    values, vectors = torch.linalg.eigh((matrix + matrix.mH) / 2)
    return (vectors * values.clamp(min=1.0).rsqrt().unsqueeze(-2).to(vectors)) @ vectors.mH

"""Two classical precoders of a broadcast with a message for each user: in the others' nulls, and against what leaks to them.

*Block diagonalisation* [spencer2004zero]: user k's precoder lies in the null space N_k of the channels of all others, so that users do not
disturb each other, and the closed forms on H_k N_k share one water level: the optimum among precoders that null all interference.

*Signal to leakage and noise* [sadek2007leakage]: user k's beams are those of its closed form in the metric of what they cost,

    Ω_k = Σ_{j≠k} H_jᵀH_j + (a / P) I,      F_k = Ω_k^{-1/2} · (closed form on H_k Ω_k^{-1/2}),

the generalised eigenvectors of H_kᵀH_k and Ω_k, with one water level; what is left of F is scaled to the budget P, a antenna dimensions.

For messages that users have in common both send the same several times.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from latentlink.networks.descent import within_sum
from latentlink.networks.design import Designed, Outcome
from latentlink.networks.exact import parallel
from latentlink.networks.one_transmitter import baseline, check_one_transmitter
from latentlink.networks.problem import Problem

_RANK = 1e-10  # share of the largest singular value below which a direction is in the null space


@dataclass(frozen=True, kw_only=True, repr=False)
class BlockDiagonal(Designed):
    """Block diagonalisation, a baseline of `Broadcast` for private messages: no user hears what is sent to others (see the module).

    Example:
        >>> import torch, latentlink as ll
        >>> x = [torch.randn(300, 6, generator=torch.Generator().manual_seed(seed)) for seed in range(2)]
        >>> modes = ll.networks.network_modes(ll.networks.NetworkMoments.from_pilots(x=x, y=x, observations="own"))
        >>> h = [[ll.rayleigh(2, 4, generator=k)] for k in range(2)]
        >>> links = ll.networks.Links.from_snr(h, snr_db=10.0, transmitter_of=(0, 0))
        >>> ll.networks.BlockDiagonal().design(modes, links)
        NetworkSolution(1 network, 2 receivers, 1 transmitter, 1 use, SNR 10 dB, baseline, weighted error ...)
    """

    def solve(self, problem: Problem) -> Outcome:
        """Precoders in the null spaces; a ValueError where the others' channels leave a user none."""
        check_one_transmitter(problem)
        users = problem.H.shape[-3]
        room = torch.linalg.matrix_norm(_nulled(problem)).reshape(-1, users).sum(0)
        for k in range(users):
            if float(room[k]) == 0 and bool(problem.H[..., k, :, :].any()):
                raise ValueError(
                    f"links must have more transmit antennas than the other users have receive antennas together, for block "
                    f"diagonalisation leaves user {k} nothing: take Slnr or Broadcast, or serve fewer users"
                )
        return baseline(problem, block_diagonal(problem))


@dataclass(frozen=True, kw_only=True, repr=False)
class Slnr(Designed):
    """Beams of the largest signal to leakage and noise, a baseline of `Broadcast` for private messages (see the module).

    Example:
        >>> import torch, latentlink as ll
        >>> x = [torch.randn(300, 6, generator=torch.Generator().manual_seed(seed)) for seed in range(2)]
        >>> modes = ll.networks.network_modes(ll.networks.NetworkMoments.from_pilots(x=x, y=x, observations="own"))
        >>> h = [[ll.rayleigh(2, 2, generator=k)] for k in range(2)]
        >>> links = ll.networks.Links.from_snr(h, snr_db=10.0, transmitter_of=(0, 0))
        >>> ll.networks.Slnr().design(modes, links)
        NetworkSolution(1 network, 2 receivers, 1 transmitter, 1 use, SNR 10 dB, baseline, weighted error ...)
    """

    def solve(self, problem: Problem) -> Outcome:
        """Precoders of every user against what they leak to the others."""
        check_one_transmitter(problem)
        return baseline(problem, leakage_aware(problem))


def block_diagonal(problem: Problem) -> Float[Tensor, "*batch a c"]:
    """Precoders in the null spaces of the others' channels; zeros for users who have none."""
    parts, _ = parallel(problem.B.unbind(-3), _nulled(problem).unbind(-3), problem.power.sum(-1))
    return within_sum(problem, sum(parts[1:], parts[0]))


def leakage_aware(problem: Problem) -> Float[Tensor, "*batch a c"]:
    """Precoders by signal to leakage and noise."""
    H, a, power = problem.H, problem.H.shape[-1], problem.power.sum(-1)
    R = H.mT @ H
    loading = a / torch.where(power > 0, power, 1.0)[..., None, None, None] * torch.eye(a, dtype=H.dtype, device=H.device)
    L = torch.linalg.cholesky(R.sum(-3, keepdim=True) - R + loading)
    seen = torch.linalg.solve_triangular(L, H.mT, upper=False).mT  # H_k L_k^{-T}
    parts, _ = parallel(problem.B.unbind(-3), seen.unbind(-3), torch.where(power > 0, float(a), 0.0))
    beams = torch.linalg.solve_triangular(L.mT, torch.stack(parts, -3), upper=True)
    return within_sum(problem, beams.sum(-3))


def _nulled(problem: Problem) -> Float[Tensor, "*batch K r a"]:
    """H_k N_k N_kᵀ of every user, zero where nothing is left."""
    H, users = problem.H, problem.H.shape[-3]
    found = []
    for k in range(users):
        others = H[..., [j for j in range(users) if j != k], :, :].flatten(-3, -2)
        if users == 1:
            return H
        _, s, Vh = torch.linalg.svd(others, full_matrices=False)
        taken = torch.where((s > _RANK * s[..., :1]).unsqueeze(-1), Vh, 0.0)
        own = H[..., k, :, :]
        left = own - (own @ taken.mT) @ taken
        size = [torch.linalg.matrix_norm(each, keepdim=True) for each in (left, own)]
        found.append(torch.where(size[0] > _RANK * size[1], left, 0.0))
    return torch.stack(found, -3)

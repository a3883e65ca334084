"""Federated consensus ADMM for a broadcast: users keep their channels, and agree on a precoder by exchanging copies of it.

Every user has a precoder F_k of its own, the transmitter has Z, and all are to be equal,

    min over F, G, Z of  Σ_k ||B_k − G_k H_k F_k||² + ||G_k||²      subject to  F_k = Z,  ||Z||² ≤ P,

by rounds, with multipliers U_k and a penalty ϱ = ρ / P,

    G_k = LMMSE decoder for F_k,
    F_k = (H_kᵀG_kᵀG_kH_k + ϱ I)^{-1} (H_kᵀG_kᵀB_k + ϱ (Z − U_k)),      Z = Σ_k (F_k + U_k) / K scaled down to P,      U_k ← U_k + F_k − Z

[dipoce2026federated]. Block descent (`descent`) has no ρ and is federated where users send H_kᵀG_kᵀG_kH_k and H_kᵀG_kᵀB_k instead.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from latentlink.networks.descent import within_separate
from latentlink.networks.design import Designed, Outcome
from latentlink.networks.equivalent import mean_channel, strongest
from latentlink.networks.one_transmitter import baseline, check_one_transmitter
from latentlink.networks.problem import Problem
from latentlink.numerics.doors import integer, real


@dataclass(frozen=True, kw_only=True, repr=False)
class FederatedAdmm(Designed):
    """Consensus ADMM over the users of one transmitter, from the closed form on their mean channel: a baseline of `Broadcast`.

    Attributes:
        rho: penalty ρ of disagreement, in units in which the budget is 1; around 0.1 to 1 for goals of a few users of weight 1.
        rounds: of all users and the transmitter.

    Raises:
        ValueError: ρ is not positive, or `rounds` no integer >= 0.

    Example:
        >>> import torch, latentlink as ll
        >>> x = torch.randn(500, 8, generator=torch.Generator().manual_seed(0))
        >>> modes = ll.networks.network_modes(ll.networks.NetworkMoments.from_pilots(x=[x], y=[x[:, :6].tanh(), x[:, 2:].sin()]))
        >>> links = ll.networks.Links.from_snr([[ll.rayleigh(2, 2, generator=k)] for k in range(2)], snr_db=10.0)
        >>> ll.networks.FederatedAdmm(rho=0.3, rounds=100).design(modes, links)
        NetworkSolution(1 network, 2 receivers, 1 transmitter, 1 use, SNR 10 dB, baseline, weighted error ...)
    """

    rho: float = 0.3
    rounds: int = 100

    def __post_init__(self) -> None:
        object.__setattr__(self, "rho", real("rho", self.rho, above=0.0))
        object.__setattr__(self, "rounds", integer("rounds", self.rounds, 0))

    def solve(self, problem: Problem) -> Outcome:
        """What the transmitter has after the last round."""
        check_one_transmitter(problem)
        Z, F = consensus(problem, mean_channel(problem, strongest(problem)), self.rho, self.rounds)
        return baseline(problem, Z, disagreement=(F - Z.unsqueeze(-3)).square().sum((-3, -2, -1)).sqrt())


def consensus(
    problem: Problem, Z: Float[Tensor, "*batch a c"], rho: float, rounds: int
) -> tuple[Float[Tensor, "*batch a c"], Float[Tensor, "*batch K a c"]]:
    """The transmitter's precoder Z and the users' copies F_k after some rounds from a common start."""
    H, B, P = problem.H, problem.B, problem.power.sum(-1)
    penalty = (rho / torch.where(P > 0, P, 1.0))[..., None, None, None]
    loading = penalty * torch.eye(H.shape[-1], dtype=H.dtype, device=H.device)
    eye = torch.eye(H.shape[-2], dtype=H.dtype, device=H.device)
    F = Z.unsqueeze(-3).expand(*Z.shape[:-2], H.shape[-3], *Z.shape[-2:])
    U = torch.zeros_like(F)
    for _ in range(rounds):
        M = H @ F
        through = torch.cholesky_solve(M @ B.mT, torch.linalg.cholesky(M @ M.mT + eye)).mT @ H  # G_k H_k
        F = torch.linalg.solve(through.mT @ through + loading, through.mT @ B + penalty * (Z.unsqueeze(-3) - U))
        Z = within_separate(problem, (F + U).mean(-3))
        U = U + F - Z.unsqueeze(-3)
    return Z, F

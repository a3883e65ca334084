"""Broadcast: one transmitter, several users, who want the same latents, each its own, or anything in between.

With white coordinates z and R_k = H_kᵀH_k the errors are J_k(F) = tr B_k (I + FᵀR_kF)^{-1} B_kᵀ under one budget, ||F||² ≤ P. Interference
needs no term of its own: what another user is sent are columns of F of no use to this one.

*Exact*: where R_k is the same for all users who want and hear anything, the closed form of the stack [B_1; B_2; …] is the optimum, and so
is whatever meets the bound of `broadcast_bounds`, as users on orthogonal channels do.

*Otherwise* the problem is not convex. Several starts (`starts`) take some steps of block descent (`descent`), whose federated
form has each user send H_kᵀG_kᵀG_kH_k and H_kᵀG_kᵀB_k, and then of L-BFGS (`polish`), since block descent has long plateaus; the best is
kept.
"""

from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from latentlink.links.status import Status
from latentlink.networks.broadcast_bounds import broadcast_bound
from latentlink.networks.descent import FURTHER, descend
from latentlink.networks.design import CONVERGED, Designed, Outcome
from latentlink.networks.equivalent import shares, stacked
from latentlink.networks.exact import Exact, exact
from latentlink.networks.one_transmitter import check_one_transmitter
from latentlink.networks.polish import polish
from latentlink.networks.problem import Problem
from latentlink.networks.starts import better, perturbed, starts
from latentlink.numerics.doors import integer

_SAME = 1e-12  # relative difference below which channels are equal
_CLOSED = 1e-9  # relative gap to the bound below which a design is optimal
_ROUNDING = 1e-13  # of what is wanted, below which a gap is rounding


@dataclass(frozen=True, kw_only=True, repr=False)
class Broadcast(Designed):
    """One transmitter for several users (see the module), at the least weighted sum of their errors.

    `status` is OPTIMAL where that is known, else "converged", with the distance to the bound in `trace["gap"]`; `trace["start"]` is the
    number of the start that led there.

    Attributes:
        starts: the number of starts at most, in the order equivalent channel, mean channel, random ones; with private
            messages SLNR comes first, and block diagonalisation after the mean channel.
        steps: of block descent from each start.
        polish: the most steps of L-BFGS from where that ends.

    Raises:
        ValueError: a number is no integer, or too small.

    Example:
        >>> import torch, latentlink as ll
        >>> x = torch.randn(500, 8, generator=torch.Generator().manual_seed(0))
        >>> moments = ll.networks.NetworkMoments.from_pilots(x=[x], y=[x[:, :6].tanh(), x[:, 2:].sin()])  # one latent for two users
        >>> links = ll.networks.Links.from_snr([[ll.rayleigh(2, 2, generator=k)] for k in range(2)], snr_db=10.0)
        >>> solution = ll.networks.Broadcast().design(ll.networks.network_modes(moments), links)
        >>> solution
        NetworkSolution(1 network, 2 receivers, 1 transmitter, 1 use, SNR 10 dB, converged, weighted error ...)
        >>> bool((solution.weighted.sum(-1) >= solution.bound).all())
        True
    """

    starts: int = 5
    steps: int = 30
    polish: int = 150

    def __post_init__(self) -> None:
        for name, least in (("starts", 1), ("steps", 0), ("polish", 0)):
            object.__setattr__(self, name, integer(name, getattr(self, name), least))

    def solve(self, problem: Problem) -> Outcome:
        """Find precoders of a batch of problems of one transmitter."""
        check_one_transmitter(problem)
        heard = torch.where(shares(problem)[..., None, None] > 0, problem.H, 0.0)  # users of no weight change nothing
        problem = replace(problem, H=heard)
        equal, known = of_equal_channels(problem)
        if bool(equal.all()):
            status = torch.full(equal.shape, Status.OPTIMAL.code, device=known.F.device)
            return Outcome(known.F, status, known.error, {"gap": torch.zeros_like(known.error)})
        begun = starts(problem, self.starts)
        found = polish(problem, descend(problem, perturbed(problem, begun), self.steps, "sum"), self.polish, "sum")
        J = problem.errors(found).sum(-1)
        F = torch.where(equal[..., None, None], known.F, better(problem, torch.cat([found, begun])))
        bound = torch.where(equal, known.error, broadcast_bound(problem))
        reached = problem.errors(F).sum(-1)
        closed = equal | (reached - bound <= _CLOSED * bound + _ROUNDING * problem.most.sum(-1))
        status = torch.where(closed, Status.OPTIMAL.code, CONVERGED.code)
        return Outcome(F, status, bound, {"start": J.argmin(0)})

    def improved(self, problem: Problem, F: Float[Tensor, "*batch a c"]) -> Float[Tensor, "*batch a c"]:
        """Go on from precoders of a problem whose weights were a little different, by some rounds of block descent."""
        return descend(problem, F, FURTHER, "sum")


def of_equal_channels(problem: Problem) -> tuple[Bool[Tensor, "*batch"], Exact]:
    """Where all users who want and hear anything have one channel, and the optimum there."""
    R = problem.H.mT @ problem.H
    size = torch.linalg.matrix_norm(R)
    active = (problem.B.square().sum((-2, -1)) > 0) & (size > 0)  # (…, K)
    first = active.to(torch.uint8).argmax(-1)[..., None, None, None]
    own = R.gather(-3, first.expand(*first.shape[:-3], 1, *R.shape[-2:]))
    apart = torch.linalg.matrix_norm(R - own) > _SAME * torch.maximum(size, torch.linalg.matrix_norm(own))
    H = problem.H.gather(-3, first.expand(*first.shape[:-3], 1, *problem.H.shape[-2:])).squeeze(-3)
    served = torch.where(active[..., None, None], problem.B, 0.0)
    found = exact(stacked(served), H, problem.power.sum(-1))
    silent = torch.where(active, 0.0, problem.most).sum(-1)
    return ~(apart & active).any(-1), Exact(found.F, found.error + silent)

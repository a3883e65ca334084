"""Fairness: the least of the worst user's error, by weights that rise where a user is behind.

Each round multiplies the weight of user k by exp(η (J_k / mean − 1)), J_k relative to what there is to win for the user, and goes on from
the last precoders; the round whose worst user is best off is kept. A weighted sum with weights of sum 1 is never above the worst user's
error, so that a bound on any such sum is one on that.
"""

from dataclasses import dataclass, field

import torch
from jaxtyping import Float
from torch import Tensor

from latentlink.links.status import Status
from latentlink.networks.design import CONVERGED, Designed, Outcome
from latentlink.networks.multiple_access import CLOSED
from latentlink.networks.problem import Problem
from latentlink.numerics.doors import check_instance, integer, real


@dataclass(frozen=True, kw_only=True)
class Fair(Designed):
    """Min-max fairness over users, by any design of the least sum.

    Attributes:
        by: the design of weighted sums, such as Broadcast(), MultipleAccess() or Cooperative(); fewer starts and steps save time.
        rounds: of weights.
        rate: η of the first round; it falls with the root of the round.

    Raises:
        ValueError: `by` is no such design, the rounds are no integer ≥ 1, or the rate is not above 0.

    Returns of `design` beside those of others: `trace["worst"]` (…), the worst user's J_k relative to
    what there is to win for it, its weighted variance without what no channel avoids; `trace["worst_bound"]`
    (…), what no design of that kind can be below; `trace["weights"]` (…, K). `trace["gap"]` is that of the worst user.

    Example:
        >>> import torch, latentlink as ll
        >>> x = [torch.randn(500, 8, generator=torch.Generator().manual_seed(seed)) for seed in range(2)]
        >>> moments = ll.networks.NetworkMoments.from_pilots(x=x, y=[each.tanh() for each in x], observations="own")
        >>> h = [[ll.rayleigh(2, 2, generator=2 * k + t) for t in range(2)] for k in range(2)]
        >>> modes, links = ll.networks.network_modes(moments), ll.networks.Links.from_snr(h, snr_db=10.0)
        >>> fair = ll.networks.Fair(by=ll.networks.Cooperative(starts=1, polish=20)).design(modes, links)
        >>> usual = ll.networks.Cooperative(starts=1, polish=20).design(modes, links)
        >>> bool(fair.weighted.max() < usual.weighted.max())
        True
    """

    by: Designed = field()
    rounds: int = 60
    rate: float = 2.0

    def __post_init__(self) -> None:
        check_instance("by", self.by, Designed, "networks.Broadcast()")
        if not self.by.weighs:
            raise ValueError(f"by must be a design that weighs its users, such as Broadcast() or Cooperative(), got {self.by!r}")
        integer("rounds", self.rounds, 1)
        real("rate", self.rate, above=0.0)

    def solve(self, problem: Problem) -> Outcome:
        """Find precoders of a batch of problems."""
        most = problem.most
        own = problem.weighed(torch.where(most > 0, 1 / torch.where(most > 0, most, 1.0), 0.0))  # J_k relative to what there is to win
        users = problem.H.shape[-3]
        weights = torch.full((*problem.batch, users), 1 / users, dtype=most.dtype, device=most.device)
        F = best = self.by.solve(own.weighed(weights)).F
        kept, J = weights, own.errors(F)
        worst = J.amax(-1)
        for number in range(1, self.rounds + 1):
            step = self.rate / number**0.5 * (J / J.mean(-1, keepdim=True).clamp(min=1e-300) - 1)
            weights = torch.softmax(weights.clamp(min=1e-12).log() + step, -1)
            F = self.by.improved(own.weighed(weights), F)
            J = own.errors(F)
            ahead = J.amax(-1) < worst
            best, kept = torch.where(ahead[..., None, None], F, best), torch.where(ahead.unsqueeze(-1), weights, kept)
            worst = torch.minimum(worst, J.amax(-1))
        bound = self._bound(own, kept)
        closed = worst - bound <= CLOSED * bound
        status = torch.where(closed, Status.OPTIMAL.code, CONVERGED.code)
        trace = {"worst": worst, "worst_bound": bound, "weights": kept, "gap": (worst - bound) / bound.clamp(min=1e-300)}
        return Outcome(best, status, torch.full_like(worst, -torch.inf), trace)

    def _bound(self, own: Problem, weights: Float[Tensor, "*batch K"]) -> Float[Tensor, "*batch"]:
        """What the worst user's error is at least: the bound of a weighted sum with weights of sum 1, or what one user has alone."""
        users = weights.shape[-1]
        tried = [
            weights,
            *torch.eye(users, dtype=weights.dtype, device=weights.device).expand(*weights.shape[:-1], users, users).unbind(-2),
        ]
        return torch.stack([self.by.solve(own.weighed(each)).bound for each in tried]).nan_to_num(neginf=0.0).amax(0)

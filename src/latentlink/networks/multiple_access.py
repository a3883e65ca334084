"""Several sensors, one receiver: precoders for one band, decoded together.

Block descent (`descent`) from every sensor's own design and from random ones, then L-BFGS. Sensors whose latents depend on each other add
up over the air where they agree; those that do not share the receiver's space knowingly, which is most of the gain. The bound lets the
sensors cooperate (`several_transmitters.cooperative_bound`).
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from latentlink.links.status import Status
from latentlink.networks.descent import FURTHER, Budget, descend, within_sum
from latentlink.networks.design import CONVERGED, Designed, Outcome
from latentlink.networks.polish import polish
from latentlink.networks.problem import Problem
from latentlink.networks.several_transmitters import best_of, cooperative_bound, own_designs, random_precoders
from latentlink.numerics.doors import choice, integer

CLOSED = 1e-6  # relative gap to the bound below which a design is called optimal
_ROUNDING = 1e-13  # of all that is wanted, below which a gap is rounding


@dataclass(frozen=True, kw_only=True)
class MultipleAccess(Designed):
    """Joint precoders of several sensors for one receiver.

    `status` is OPTIMAL where the gap to the bound is closed, else "converged"; `trace["start"]` is the number of the start that led there.

    Attributes:
        budget: "separate" for a budget of each sensor, "sum" for one that they share.
        starts: the number of starts: own designs first, then random ones; the best is kept for each network.
        steps: rounds of block descent.
        polish: steps of L-BFGS after it.

    Raises:
        ValueError: a budget of another name, or a number that is no integer ≥ 0 (≥ 1 for starts).

    References:
        [serbetli2004transceiver] for the sum of errors of uncorrelated streams, [grippo2000convergence] for block descent.

    Example:
        >>> import torch, latentlink as ll
        >>> x = torch.randn(500, 8, generator=torch.Generator().manual_seed(0))
        >>> moments = ll.networks.NetworkMoments.from_pilots(x=[x[:, :5], x[:, 3:]], y=[x.tanh()])  # two sensors, one scene
        >>> links = ll.networks.Links.from_snr([[ll.rayleigh(2, 2, generator=t) for t in range(2)]], snr_db=10.0)
        >>> ll.networks.MultipleAccess().design(ll.networks.network_modes(moments), links)
        NetworkSolution(1 network, 1 receiver, 2 transmitters, 1 use, SNR 10 dB, converged...)
    """

    budget: Budget = "separate"
    starts: int = 2
    steps: int = 60
    polish: int = 100

    def __post_init__(self) -> None:
        choice("budget", self.budget, ("separate", "sum"))
        integer("starts", self.starts, 1)
        integer("steps", self.steps, 0)
        integer("polish", self.polish, 0)

    def solve(self, problem: Problem) -> Outcome:
        """Find precoders of a batch of problems."""
        begun = started(problem, [own_designs(problem)], self.budget, self.starts)
        return best_ended(problem, begun, [descend(problem, F, self.steps, self.budget) for F in begun], self.budget, self.polish)

    def improved(self, problem: Problem, F: Float[Tensor, "*batch a c"]) -> Float[Tensor, "*batch a c"]:
        """Go on from precoders of a problem whose weights were a little different, by some rounds of block descent."""
        return descend(problem, F, FURTHER, self.budget)


def started(problem: Problem, first: list[Tensor], budget: Budget, starts: int) -> list[Tensor]:
    """So many starts within the budget: given ones first, then random ones."""
    begun = [*first, *(random_precoders(problem, number) for number in range(starts - len(first)))][:starts]
    return [within_sum(problem, F) for F in begun] if budget == "sum" else begun


def best_ended(problem: Problem, begun: list[Tensor], ended: list[Tensor], budget: Budget, polishing: int) -> Outcome:
    """The best for each network of where steps from several starts ended, after L-BFGS, and of the starts; with the bound."""
    ended = [polish(problem, F, polishing, budget) for F in ended]
    F = best_of(problem, [*begun, *ended])
    bound = cooperative_bound(problem, budget)
    J = problem.errors(F).sum(-1)
    closed = J - bound <= CLOSED * bound + _ROUNDING * problem.most.sum(-1)
    start = torch.stack([problem.errors(F).sum(-1) for F in ended]).argmin(0)
    return Outcome(F, torch.where(closed, Status.OPTIMAL.code, CONVERGED.code), bound, {"start": start})

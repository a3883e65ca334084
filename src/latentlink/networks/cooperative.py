"""Pairs on one band that cooperate: the least sum of all users' errors.

Given the decoders the transmitters' precoders decouple, so that block descent (`descent`) has two blocks; the other way is to let each pair
in turn answer what it costs the others (`pricing`). Where interference is as strong as the signal, local optima differ by a tenth and more:
several starts are followed, among them the equilibrium of the selfish game. No optimum is known; the bound serves every user alone.
"""

from dataclasses import dataclass
from typing import Literal

from jaxtyping import Float
from torch import Tensor

from latentlink.networks.descent import FURTHER, Budget, descend
from latentlink.networks.design import Designed, Outcome
from latentlink.networks.game import SemanticGame
from latentlink.networks.multiple_access import best_ended, started
from latentlink.networks.pairs import are_pairs, can_be_proper
from latentlink.networks.pricing import answer_prices
from latentlink.networks.problem import Problem
from latentlink.networks.several_transmitters import own_designs
from latentlink.numerics.doors import choice, integer

_GAME = 200  # rounds of the game at most, whose end is a start


@dataclass(frozen=True, kw_only=True)
class Cooperative(Designed):
    """Joint precoders of several transmitters and receivers, with the least sum of errors that was found.

    `status` is OPTIMAL where the gap to the bound is closed, else "converged"; `trace["start"]` is the number of the start that led there.

    Attributes:
        budget: "separate" for a budget of each transmitter, "sum" for one that they share.
        starts: the number of starts: the game's equilibrium and own designs first, then random ones; 4 and more where INR ≥ SNR.
        method: "descent", or "prices": each pair in turn minimises its own error and the priced interference that it causes.
        steps: rounds of it.
        polish: steps of L-BFGS after it.

    Raises:
        ValueError: a budget or method of another name, a number that is no integer ≥ 0 (≥ 1 for starts), or prices with one budget; at
            `design`: prices, where the network is not one of pairs (see `pairs`).

    References:
        [christensen2008weighted, shi2011iteratively] for block descent of weighted errors, there with weights that follow rates.

    Example:
        >>> import torch, latentlink as ll
        >>> x = [torch.randn(500, 8, generator=torch.Generator().manual_seed(seed)) for seed in range(2)]
        >>> moments = ll.networks.NetworkMoments.from_pilots(x=x, y=[each.tanh() for each in x], observations="own")
        >>> h = [[ll.rayleigh(2, 2, generator=2 * k + t) for t in range(2)] for k in range(2)]
        >>> links = ll.networks.Links.from_snr(h, snr_db=10.0)
        >>> ll.networks.Cooperative().design(ll.networks.network_modes(moments), links).status_names()
        ['converged']
    """

    budget: Budget = "separate"
    starts: int = 4
    method: Literal["descent", "prices"] = "descent"
    steps: int = 60
    polish: int = 100

    def __post_init__(self) -> None:
        choice("budget", self.budget, ("separate", "sum"))
        choice("method", self.method, ("descent", "prices"))
        integer("starts", self.starts, 1)
        integer("steps", self.steps, 0)
        integer("polish", self.polish, 0)
        if self.method == "prices" and self.budget == "sum":
            raise ValueError('budget must be "separate" with method="prices", got "sum": each pair answers prices within its own budget')

    def solve(self, problem: Problem) -> Outcome:
        """Find precoders of a batch of problems."""
        first: list[Tensor] = [own_designs(problem)]
        if problem.H.shape[-3] > 1 and are_pairs(problem):
            first = [SemanticGame(proper=can_be_proper(problem), rounds=_GAME).solve(problem).F, *first]
        begun = started(problem, first, self.budget, self.starts)
        if self.method == "prices":
            ended = [answer_prices(problem, F, self.steps) for F in begun]
        else:
            ended = [descend(problem, F, self.steps, self.budget) for F in begun]
        return best_ended(problem, begun, ended, self.budget, self.polish)

    def improved(self, problem: Problem, F: Float[Tensor, "*batch a c"]) -> Float[Tensor, "*batch a c"]:
        """Go on from precoders of a problem whose weights were a little different, by some rounds of block descent."""
        return descend(problem, F, FURTHER, self.budget)

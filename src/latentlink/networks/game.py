"""Pairs on one band that are selfish: iterative semantic water-filling, and what an equilibrium is.

Each pair in turn plays its closed form in the noise that the others' signals are to it. With the widely linear closed form the game has no
rest point in practice: unequal strengths of a symbol's two halves make interference improper, which splits the two equal singular values
of each complex one in an arbitrary direction, so that the best answers turn for ever. *Proper signalling* gives both halves of a symbol the
same power (`answers`). An equilibrium is told by the residual gain of every pair's exact best answer, never by a number of rounds.

Where interference is as strong as the signal, some games do not settle by best answers alone. After some rounds each pair therefore
answers an average of what it heard,

    N_k ← δ N_k + (1 − δ) (noise and interference now),

whose rest points are the same equilibria: there all noise is what it was.
"""

from dataclasses import dataclass
from typing import ClassVar, Literal, NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from latentlink.links.status import Status
from latentlink.networks.answers import answer, noise_at
from latentlink.networks.design import Designed, Outcome
from latentlink.networks.pairs import alone_with_own, can_be_proper, is_complex, require_pairs
from latentlink.networks.problem import Problem
from latentlink.numerics.doors import choice, flag, integer, real

EQUILIBRIUM = Status(
    "equilibrium", "in equilibrium: no user's own closed form gains more than the tolerance while the others stay (trace['gain'])"
)
CYCLING = Status(
    "cycling",
    "feasible, the best round of a game that did not settle: trace['gain'] is what a user would gain by changing; see Cooperative",
)

_UNDAMPED = 20  # rounds of best answers, in which most games settle
_ROUNDING = 1e-13  # of all that a user wants, below which what it would gain is rounding


class _Played(NamedTuple):
    """How far the games of a batch are.

    Attributes:
        F: precoders (…, a, c) now.
        best: precoders of the best round, or of the equilibrium.
        least: Σ_k J_k (…) with these.
        gain: the largest relative gain (…) of a pair that leaves them.
        rounds: number of rounds (…) that were played.
        settled: True (…) at an equilibrium.
    """

    F: Float[Tensor, "*batch a c"]
    best: Float[Tensor, "*batch a c"]
    least: Float[Tensor, "*batch"]
    gain: Float[Tensor, "*batch"]
    rounds: Float[Tensor, "*batch"]
    settled: Bool[Tensor, "*batch"]

    def of_batch(self, some: Bool[Tensor, "*batch"]) -> "_Played":
        """Some of the batch."""
        return _Played(*(each[some] for each in self))


@dataclass(frozen=True, kw_only=True)
class SemanticGame(Designed):
    """Selfish pairs on one band, each with its closed form against the others' interference.

    Attributes:
        order: "sequential" where one pair after the other answers, "simultaneous" where all answer the last round.
        proper: True for proper signalling (see the module); widely linear answers do not settle.
        tolerance: the gain of a user's best answer, relative to its error, up to which a point is an equilibrium; what is below 1e-13 of
            all that the user wants is rounding.
        rounds: the most rounds.
        damping: δ, the share of past noise in what pairs answer from the 21st round on; 0 for best answers all along.

    Raises:
        ValueError: an order of another name, or numbers out of range; at `design`: the network is not one of pairs (see `pairs`), or
            interference from outside is improper or a source has one coordinate, where signals cannot be proper.

    References:
        [scutari2008optimal, scutari2009mimo] for games of rates.

    Example:
        >>> import torch, latentlink as ll
        >>> x = [torch.randn(500, 8, generator=torch.Generator().manual_seed(seed)) for seed in range(2)]
        >>> moments = ll.networks.NetworkMoments.from_pilots(x=x, y=[each.tanh() for each in x], observations="own")
        >>> h = [[(1.0 if k == t else 0.2) * ll.rayleigh(2, 2, generator=2 * k + t) for t in range(2)] for k in range(2)]
        >>> links = ll.networks.Links.from_snr(h, snr_db=10.0)
        >>> ll.networks.SemanticGame().design(ll.networks.network_modes(moments), links).status_names()
        ['equilibrium']
    """

    weighs: ClassVar[bool] = False
    order: Literal["sequential", "simultaneous"] = "sequential"
    proper: bool = True
    tolerance: float = 1e-10
    rounds: int = 200
    damping: float = 0.5

    def __post_init__(self) -> None:
        choice("order", self.order, ("sequential", "simultaneous"))
        flag("proper", self.proper)
        real("tolerance", self.tolerance, above=0.0, below=1.0)
        integer("rounds", self.rounds, 1)
        real("damping", self.damping, least=0.0, below=1.0)

    def solve(self, problem: Problem) -> Outcome:
        """Play from every pair's own design until no pair of a network gains by changing, or the rounds are over."""
        _require_game(problem, self.proper)
        F = torch.zeros(*problem.batch, *problem.allowed.shape, dtype=problem.H.dtype, device=problem.H.device)
        F = self._answers(problem, F)[0]
        J = problem.errors(F).sum(-1)
        played = _Played(F, F, J, torch.full_like(J, torch.inf), torch.zeros_like(J), torch.zeros_like(J, dtype=torch.bool))
        played = self._play(problem, played, min(self.rounds, _UNDAMPED), 0.0)
        going = ~played.settled
        if bool(going.any()) and self.rounds > _UNDAMPED:
            rest = self._play(problem.of_batch(going), played.of_batch(going), self.rounds - _UNDAMPED, self.damping)
            for whole, part in zip(played, rest, strict=True):
                whole[going] = part
        status = torch.where(played.settled, EQUILIBRIUM.code, CYCLING.code)
        return Outcome(played.best, status, alone_with_own(problem), {"gain": played.gain, "rounds": played.rounds})

    def _play(self, problem: Problem, played: _Played, rounds: int, past: float) -> _Played:
        """Some rounds more, in each of which pairs answer noise with a share of past noise."""
        F, best, least, gain, number, settled = played
        heard = self._noises(problem, F)
        for _ in range(rounds):
            answers, gains = self._answers(problem, F)
            now, J = gains.amax(-1), problem.errors(F).sum(-1)
            better = ~settled & ((least > J) | (now <= self.tolerance) | gain.isinf())
            best, least = torch.where(better[..., None, None], F, best), torch.where(better, J, least)
            gain = torch.where(better, now, gain)
            settled = settled | (now <= self.tolerance)
            if bool(settled.all()):
                break
            number = torch.where(settled, number, number + 1)
            after, heard = self._round(problem, F, answers, heard, past)
            F = torch.where(settled[..., None, None], F, after)
        return _Played(F, best, least, gain, number, settled)

    def _answers(self, problem: Problem, F: Float[Tensor, "*batch a c"]) -> tuple[Tensor, Float[Tensor, "*batch K"]]:
        """All pairs' best answers to precoders F, and the relative gain (…, K) of each alone."""
        answers, gains, J = torch.zeros_like(F), [], problem.errors(F)
        for k, noise in enumerate(self._noises(problem, F)):
            played = answer(problem, noise, k)
            answers[..., problem.rows[k], problem.columns[k]] = played.F
            most = problem.B[..., k, :, :].square().sum((-2, -1))  # as `played` has it, whatever the precision of the modes
            won = J[..., k] - problem.most[..., k] + most - played.error - _ROUNDING * most
            gains.append(won / J[..., k].clamp(min=torch.finfo(J.dtype).tiny))
        return answers, torch.stack(gains, -1).clamp(min=0)

    def _round(self, problem: Problem, F: Tensor, answers: Tensor, heard: list[Tensor], past: float) -> tuple[Tensor, list[Tensor]]:
        """Precoders after one round, and the noise that each pair answered, which has a share of past noise."""
        if self.order == "simultaneous" and past == 0:
            return answers, self._noises(problem, F)
        after, averaged = F.clone(), []
        for k, (rows, columns) in enumerate(zip(problem.rows, problem.columns, strict=True)):
            seen = F if self.order == "simultaneous" else after
            noise = past * heard[k] + (1 - past) * noise_at(problem, seen, k, self.proper)
            known = k == 0 and past == 0
            after[..., rows, columns] = answers[..., rows, columns] if known else answer(problem, noise, k).F
            averaged.append(noise)
        return after, averaged

    def _noises(self, problem: Problem, F: Float[Tensor, "*batch a c"]) -> list[Tensor]:
        """What every pair hears."""
        return [noise_at(problem, F, k, self.proper) for k in range(len(problem.rows))]


def _require_game(problem: Problem, proper: bool) -> None:
    require_pairs(problem, "a game")
    if proper and not is_complex(problem):
        raise ValueError("links must have proper interference from outside for proper=True: make it proper, or play with proper=False")
    if proper and not can_be_proper(problem):
        raise ValueError(
            "modes must have two coordinates of a source at least for proper=True, got one, and one real mode is improper however it is "
            "sent: play with proper=False"
        )

"""Pairs on one band that are selfish: iterative semantic water-filling, and what an equilibrium is.

Each pair in turn plays its closed form in the noise that the others' signals are to it. With the widely linear closed form the game has no
rest point in practice: unequal strengths of a symbol's two halves make interference improper, which splits the two equal singular values
of each complex one in an arbitrary direction, so that the best answers turn for ever. *Proper signalling* gives both halves of a symbol the
same power: with β_i = (b_{2i}² + b_{2i+1}²)^{1/2} and singular values h_i of the complex channel, whitened by complex noise of covariance

    2 I + Σ_{j≠k} H_kj Q_j H_kjᴴ,      Q_j = E s_j s_jᴴ,

pair k plays the MSE water-filling of β over h with half its budget in each half. An equilibrium is told by the residual gain of every
pair's exact best answer, never by a number of rounds.
"""

from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from jaxtyping import Complex, Float
from torch import Tensor

from latentlink.links.status import Status
from latentlink.networks.design import Designed, Outcome
from latentlink.networks.exact import exact
from latentlink.networks.problem import Problem
from latentlink.networks.several_transmitters import own_designs
from latentlink.numerics.division import root
from latentlink.numerics.doors import choice, flag, integer, real
from latentlink.streams.waterfilling import mse_waterfilling

EQUILIBRIUM = Status(
    "equilibrium", "in equilibrium: no user's own closed form gains more than the tolerance while the others stay (trace['gain'])"
)
CYCLING = Status(
    "cycling",
    "feasible, the best round of a game that did not settle: trace['gain'] is what a user would gain by changing; see Cooperative",
)


class _Played(NamedTuple):
    """Best answers: precoders (…, a_t, c_t) of one pair, and its error J_k (…) with them."""

    F: Tensor
    error: Tensor


@dataclass(frozen=True, kw_only=True)
class SemanticGame(Designed):
    """Selfish pairs on one band, each with its closed form against the others' interference.

    Attributes:
        order: "sequential" where one pair after the other answers, "simultaneous" where all answer the last round.
        proper: True for proper signalling (see the module); widely linear answers do not settle.
        tolerance: the relative gain of a user's best answer up to which a point is an equilibrium.
        rounds: the most rounds.

    Raises:
        ValueError: an order of another name, or numbers out of range.

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

    order: Literal["sequential", "simultaneous"] = "sequential"
    proper: bool = True
    tolerance: float = 1e-10
    rounds: int = 200

    def __post_init__(self) -> None:
        choice("order", self.order, ("sequential", "simultaneous"))
        flag("proper", self.proper)
        real("tolerance", self.tolerance, above=0.0, below=1.0)
        integer("rounds", self.rounds, 1)

    def solve(self, problem: Problem) -> Outcome:
        """Play from every pair's own design until no pair of a network gains by changing, or the rounds are over."""
        _require_game(problem, self.proper)
        F = own_designs(problem)
        if self.proper:
            F = self._answers(problem, torch.zeros_like(F))[0]
        best, least = F, problem.errors(F).sum(-1)
        gain, played = torch.full_like(least, torch.inf), torch.zeros_like(least)
        settled = torch.zeros_like(least, dtype=torch.bool)
        for _ in range(self.rounds):
            answers, gains = self._answers(problem, F)
            now = gains.amax(-1)
            J = problem.errors(F).sum(-1)
            better = ~settled & ((least > J) | (now <= self.tolerance) | gain.isinf())
            best, least = torch.where(better[..., None, None], F, best), torch.where(better, J, least)
            gain = torch.where(better, now, gain)
            settled = settled | (now <= self.tolerance)
            if bool(settled.all()):
                break
            played = torch.where(settled, played, played + 1)
            after = answers if self.order == "simultaneous" else self._in_turn(problem, F, answers)
            F = torch.where(settled[..., None, None], F, after)
        status = torch.where(settled, EQUILIBRIUM.code, CYCLING.code)
        return Outcome(best, status, alone_with_own(problem), {"gain": gain, "rounds": played})

    def _answers(self, problem: Problem, F: Float[Tensor, "*batch a c"]) -> tuple[Tensor, Float[Tensor, "*batch K"]]:
        """All pairs' best answers to precoders F, and the relative gain (…, K) of each alone."""
        answers, gains, J = torch.zeros_like(F), [], problem.errors(F)
        for k in range(problem.H.shape[-3]):
            played = self._answer(problem, F, k)
            rows, columns = problem.rows[k], problem.columns[k]
            answers[..., rows, columns] = played.F
            gains.append((J[..., k] - played.error) / J[..., k].clamp(min=torch.finfo(J.dtype).tiny))
        return answers, torch.stack(gains, -1).clamp(min=0)

    def _in_turn(self, problem: Problem, F: Tensor, answers: Tensor) -> Tensor:
        """One sequential round, whose first answer is known."""
        F = F.clone()
        for k, (rows, columns) in enumerate(zip(problem.rows, problem.columns, strict=True)):
            F[..., rows, columns] = answers[..., rows, columns] if k == 0 else self._answer(problem, F, k).F
        return F

    def _answer(self, problem: Problem, F: Float[Tensor, "*batch a c"], k: int) -> _Played:
        others = F.clone()
        others[..., problem.rows[k], :] = 0
        return _proper_answer(problem, others, k) if self.proper else _improper_answer(problem, others, k)


def is_game(problem: Problem) -> bool:
    """Return True if there is one transmitter for each user, whose sources only that user wants, and sources are independent."""
    users = problem.H.shape[-3]
    if len(problem.rows) != users or not bool((problem.C - torch.diag(torch.ones_like(problem.C[0]))).abs().max() < 1e-12):
        return False
    own = torch.zeros(users, len(problem.C), dtype=torch.bool, device=problem.C.device)
    for k, columns in enumerate(problem.columns):
        own[k, columns] = True
    return not bool((problem.B.abs().amax(-2) > 0)[..., ~own].any()) and _is_embedding(problem)


def alone_with_own(problem: Problem) -> Float[Tensor, "*batch"]:
    """Σ_k of every user's error alone on the band, with its own transmitter's budget: a bound."""
    parts = zip(problem.rows, problem.columns, strict=True)
    return torch.stack(
        [exact(problem.B[..., k, :, c], problem.H[..., k, :, r], problem.power[..., k]).error for k, (r, c) in enumerate(parts)], -1
    ).sum(-1)


def _require_game(problem: Problem, proper: bool) -> None:
    if is_game(problem):
        return
    if proper and len(problem.rows) == problem.H.shape[-3] and not _is_embedding(problem):
        raise ValueError("links must have proper interference from outside for proper=True: make it proper, or play with proper=False")
    if proper or len(problem.rows) != problem.H.shape[-3]:
        raise ValueError(
            "modes and links must be a game: one transmitter for each user, with sources that only that user wants and that are "
            'independent of the others\' (observations="own"); see Broadcast, MultipleAccess or Cooperative for other networks'
        )


def _is_embedding(problem: Problem) -> bool:
    """Return True if every whitened channel is the real embedding of a complex one."""
    for rows in problem.rows:
        top, bottom = problem.H[..., rows].unflatten(-2, (2, -1)).unbind(-3)
        (re, minus), (im, again) = (half.unflatten(-1, (2, -1)).unbind(-2) for half in (top, bottom))
        if bool(((re - again).abs().amax() + (im + minus).abs().amax()) > 1e-9 * problem.H.abs().max()):
            return False
    return True


def _complex(problem: Problem, k: int, t: int) -> Complex[Tensor, "*batch r t"]:
    """The complex channel of user k and transmitter t."""
    left = problem.H[..., k, :, problem.rows[t]].unflatten(-1, (2, -1))[..., 0, :]
    return torch.complex(*left.unflatten(-2, (2, -1)).unbind(-3))


def _proper_answer(problem: Problem, others: Float[Tensor, "*batch a c"], k: int) -> _Played:
    """The best proper answer of pair k to the precoders of the others."""
    H = _complex(problem, k, k)
    noise = 2 * torch.eye(H.shape[-2], dtype=H.dtype, device=H.device).expand(*H.shape[:-2], -1, -1)
    for t, rows in enumerate(problem.rows):
        if t != k:
            sent = torch.complex(*others[..., rows, problem.columns[t]].unflatten(-2, (2, -1)).unbind(-3))
            arriving = _complex(problem, k, t) @ sent
            noise = noise + arriving @ arriving.mH
    white = 2**0.5 * torch.linalg.solve_triangular(torch.linalg.cholesky(noise), H, upper=False)
    _, h, Vh = torch.linalg.svd(white, full_matrices=False)
    _, b, VBh = torch.linalg.svd(problem.B[..., k, :, problem.columns[k]], full_matrices=False)
    if b.shape[-1] % 2:
        b, VBh = torch.nn.functional.pad(b, (0, 1)), torch.nn.functional.pad(VBh, (0, 0, 0, 1))
    beta = b.square().unflatten(-1, (-1, 2)).sum(-1).sqrt()
    s = min(beta.shape[-1], h.shape[-1])
    power = problem.power[..., k] / 2
    paired = beta[..., :s].expand(*h.shape[:-1], s)
    p = mse_waterfilling(paired, h[..., :s], torch.ones_like(power), power)
    beams = Vh[..., :s, :].mH * root(p).unsqueeze(-2)
    real = torch.cat([torch.cat([beams.real, beams.imag], -2).unsqueeze(-1), torch.cat([-beams.imag, beams.real], -2).unsqueeze(-1)], -1)
    F = real.flatten(-2) @ VBh[..., : 2 * s, :]
    error = b.square().sum(-1) - (paired.square() * (1 - 1 / (1 + p * h[..., :s].square()))).sum(-1)
    return _Played(F, error)


def _improper_answer(problem: Problem, others: Float[Tensor, "*batch a c"], k: int) -> _Played:
    """The best widely linear answer of pair k to the precoders of the others."""
    rows, columns = problem.rows[k], problem.columns[k]
    arriving = problem.H[..., k, :, :] @ others
    eye = torch.eye(arriving.shape[-2], dtype=arriving.dtype, device=arriving.device)
    values, vectors = torch.linalg.eigh(eye + arriving @ arriving.mT)
    white = (vectors * values.rsqrt().unsqueeze(-2)).mT @ problem.H[..., k, :, rows]
    found = exact(problem.B[..., k, :, columns], white, problem.power[..., k])
    return _Played(found.F, found.error)

"""Time division: the uses of a message are split over the users, use j for user j mod K, each with its closed form there.

One budget serves all uses, with one water level over all users' pairs of strengths and gains. Several transmitters take turns instead, use
j for transmitter j mod T, each with all its energy in its own uses: nobody disturbs another, and what sensors send is designed together.
"""

from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from latentlink.channels.channel import Channel
from latentlink.links.status import Status
from latentlink.networks.descent import descend
from latentlink.networks.design import Designed, Outcome
from latentlink.networks.exact import parallel
from latentlink.networks.links import Links
from latentlink.networks.modes import NetworkModes
from latentlink.networks.one_transmitter import baseline
from latentlink.networks.polish import polish
from latentlink.networks.problem import Problem, places
from latentlink.networks.several_transmitters import cooperative_bound, own_designs
from latentlink.networks.solution import NetworkSolution
from latentlink.numerics.validation import validate_call

_STEPS, _POLISH = 60, 100  # of the design of several transmitters


@dataclass(frozen=True, kw_only=True, repr=False)
class TimeDivision(Designed):
    """Every user, or every transmitter, in uses of its own: a baseline of all other designs (see the module).

    Attributes:
        overheard: every receiver decodes what is sent in all uses, to the others as well, which helps where they want similar latents;
            otherwise the links of the solution are zero in the uses of others, which a receiver does not listen to. It matters for one
            transmitter only.

    Example:
        >>> import torch, latentlink as ll
        >>> x = torch.randn(500, 8, generator=torch.Generator().manual_seed(0))
        >>> modes = ll.networks.network_modes(ll.networks.NetworkMoments.from_pilots(x=[x], y=[x[:, :6].tanh(), x[:, 2:].sin()]))
        >>> links = ll.networks.Links.from_snr([[ll.rayleigh(2, 2, batch=(1, 2), generator=k)] for k in range(2)], snr_db=10.0)
        >>> alone, together = (ll.networks.TimeDivision(overheard=each).design(modes, links) for each in (False, True))
        >>> bool((together.weighted <= alone.weighted).all())
        True
    """

    overheard: bool = False

    @validate_call
    def design(self, modes: NetworkModes, links: Links) -> NetworkSolution:
        """Design all precoders and decoders for every network of the batch at once.

        Args:
            modes: coordinates of the network's latents, on the links' device.
            links: channels, noise and budgets; as many uses as users at least.

        Returns:
            NetworkSolution, whose links are those that receivers listen to.

        Raises:
            ValueError: there are fewer uses than users of one transmitter, or than transmitters, or two users at one receiver that listens
                in some uses only.
        """
        solution = super().design(modes, links)
        if self.overheard or links.transmitters > 1:
            return solution
        receiver_of = places(modes, links)[1]
        if len(set(receiver_of)) < len(receiver_of):
            raise ValueError("links must have a receiver for each user: two users at one hear the same, take TimeDivision(overheard=True)")
        table = [list(row) for row in links.table]
        for k, receiver in enumerate(receiver_of):
            table[receiver] = [_heard(each, k, modes.users) for each in links.table[receiver]]
        heard = super().design(modes, links._with(table))
        bound = solution.bound - modes.rest.sum()
        gap = (heard.trace["objective"] - bound) / bound.clamp(min=1e-300)
        return replace(heard, bound=solution.bound, trace={**heard.trace, "gap": gap})

    def solve(self, problem: Problem) -> Outcome:
        """The closed form of every user in its own uses, or every transmitter's precoder in its own."""
        if len(problem.rows) > 1:
            return _in_turns(problem)
        users, n_tx = problem.H.shape[-3], problem.H.shape[-1] // (2 * problem.uses)
        if problem.uses < users:
            raise ValueError(
                f"links must have uses for each of {users} users, got {problem.uses}: give more, or take Broadcast, which serves all in one"
            )
        own = [problem.H[..., k, :, :] * _mask(problem, k, users, n_tx) for k in range(users)]
        parts, _ = parallel(problem.B.unbind(-3), own, problem.power.sum(-1))
        return baseline(problem, sum(parts[1:], parts[0]))


def _in_turns(problem: Problem) -> Outcome:
    """Every transmitter in its own uses, with all its energy there."""
    turns = len(problem.rows)
    if problem.uses < turns:
        raise ValueError(
            f"links must have uses for each of {turns} transmitters, got {problem.uses}: give more, or a design that shares them"
        )
    masks = [_mask(problem, t, turns, (rows.stop - rows.start) // (2 * problem.uses)) for t, rows in enumerate(problem.rows)]
    apart = replace(problem, H=problem.H * torch.cat(masks))
    F = polish(apart, descend(apart, own_designs(apart), _STEPS, "separate"), _POLISH, "separate")
    status = torch.full(problem.batch, Status.BASELINE.code, device=F.device)
    return Outcome(F * torch.cat(masks).unsqueeze(-1), status, cooperative_bound(problem, "separate"))


def _mask(problem: Problem, k: int, users: int, n_tx: int) -> Float[Tensor, "a"]:
    """1 for the antenna dimensions in the uses of user k, else 0."""
    mine = torch.arange(problem.uses, device=problem.H.device) % users == k
    return mine.to(problem.H).repeat_interleave(n_tx).repeat(2)


def _heard(channel: Channel, k: int, users: int) -> Channel:
    """The channel in the uses of user k, and nothing in the others."""
    mine = torch.arange(channel.uses, device=channel.h.device) % users == k
    return replace(channel, h=channel.h * mine[:, None, None])

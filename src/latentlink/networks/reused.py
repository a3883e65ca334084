"""One user's design for all: the others decode what was made for it, as well as they can."""

from dataclasses import dataclass
from typing import ClassVar

from latentlink.networks.design import Designed, Outcome
from latentlink.networks.exact import exact
from latentlink.networks.one_transmitter import baseline, check_one_transmitter
from latentlink.networks.problem import Problem
from latentlink.numerics.doors import integer


@dataclass(frozen=True, kw_only=True, repr=False)
class ReusedDesign(Designed):
    """The closed form of one user alone, a baseline of `Broadcast`; every user has the LMMSE decoder for what arrives.

    Attributes:
        user: whose design it is, counted from 0.

    Raises:
        ValueError: `user` is no integer >= 0.

    Example:
        >>> import torch, latentlink as ll
        >>> x = torch.randn(500, 8, generator=torch.Generator().manual_seed(0))
        >>> modes = ll.networks.network_modes(ll.networks.NetworkMoments.from_pilots(x=[x], y=[x[:, :6].tanh(), x[:, 2:].sin()]))
        >>> links = ll.networks.Links.from_snr([[ll.rayleigh(2, 2, generator=k)] for k in range(2)], snr_db=10.0)
        >>> ll.networks.ReusedDesign(user=1).design(modes, links)
        NetworkSolution(1 network, 2 receivers, 1 transmitter, 1 use, SNR 10 dB, baseline, weighted error ...)
    """

    weighs: ClassVar[bool] = False
    user: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "user", integer("user", self.user, 0))

    def solve(self, problem: Problem) -> Outcome:
        """The precoder of one user, for all; a ValueError where there is no such user."""
        check_one_transmitter(problem)
        k = integer("user", self.user, 0, problem.H.shape[-3] - 1)
        return baseline(problem, exact(problem.B[..., k, :, :], problem.H[..., k, :, :], problem.power.sum(-1)).F)

"""What every design of a network does: from modes and links to a feasible solution, with what is known of it."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import ClassVar, Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor

from latentlink.links.status import Status
from latentlink.networks.exact import exact
from latentlink.networks.links import Links
from latentlink.networks.modes import NetworkModes
from latentlink.networks.problem import Problem
from latentlink.networks.solution import NetworkSolution
from latentlink.numerics.expectations import made_by
from latentlink.numerics.reprs import Summarised
from latentlink.numerics.validation import validate_call

CONVERGED = Status(
    "converged", "feasible, and stationary as far as it was followed: no optimum is known, trace['gap'] is the distance to the bound"
)


@dataclass(frozen=True, eq=False)
class Outcome:
    """What a design found for a batch of problems.

    Attributes:
        F: (…, a, c) precoders within the budgets.
        status: (…) codes of `Status`.
        bound: (…) what Σ_k J_k, above what no channel could avoid, cannot be below; −∞ where none is known.
        trace: further tensors by name.
    """

    F: Float[Tensor, "*batch a c"]
    status: Int[Tensor, "*batch"]
    bound: Float[Tensor, "*batch"]
    trace: dict[str, Tensor] = field(default_factory=dict)


@made_by("networks.Broadcast()")
@runtime_checkable
class NetworkDesign(Protocol):
    """Anything that designs a network; classes outside this package may be such.

    Example:
        >>> import latentlink as ll
        >>> isinstance(ll.networks.Broadcast(), ll.networks.NetworkDesign)
        True
    """

    def design(self, modes: NetworkModes, links: Links) -> NetworkSolution:
        """Design all precoders and decoders for every network of the batch."""
        ...


class Designed(Summarised, ABC):
    """A design that finds precoders of a `Problem`: subclasses have `solve`; `weighs` is False where users' weights change nothing."""

    weighs: ClassVar[bool] = True

    @abstractmethod
    def solve(self, problem: Problem) -> Outcome:
        """Find precoders of a batch of problems."""

    def improved(self, problem: Problem, F: Float[Tensor, "*batch a c"]) -> Float[Tensor, "*batch a c"]:
        """Go on from precoders of a problem whose weights were a little different; designs that cannot begin anew."""
        return self.solve(problem).F

    @validate_call
    def design(self, modes: NetworkModes, links: Links) -> NetworkSolution:
        """Design all precoders and decoders for every network of the batch at once.

        Args:
            modes: coordinates of the network's latents, on the links' device.
            links: channels, noise and budgets.

        Returns:
            NetworkSolution; `trace["objective"]` (…) is Σ_k J_k, the weighted error above what no channel could avoid, and `trace["gap"]`
            its distance to the bound, relative to it, where one is known.

        Raises:
            ValueError: modes and links do not fit, or the design does not serve such networks.
        """
        problem = Problem.of(modes, links)
        outcome = self.solve(problem)
        J = problem.errors(outcome.F).sum(-1)
        known = outcome.bound.isfinite()
        gap = torch.where(known, (J - outcome.bound) / outcome.bound.clamp(min=1e-300), torch.nan)
        status = torch.where(outcome.F.square().sum((-2, -1)) > 0, outcome.status, Status.NOTHING_TO_SEND.code)
        precision = modes.correlation.dtype
        rest = modes.rest.double().sum()
        trace = {"objective": J, "gap": gap, **outcome.trace}
        return NetworkSolution(
            modes, links.to(precision), (outcome.F @ problem.turn).to(precision), status, (outcome.bound + rest).to(precision),
            {name: value.to(precision) if value.is_floating_point() else value for name, value in trace.items()},
        )  # fmt: skip


def alone(problem: Problem) -> Float[Tensor, "*batch K"]:
    """J_k (…, K) of every user alone with all transmitters and all their power: nobody does better. (Coordinates white, C = I.)"""
    power = problem.power.sum(-1)
    return torch.stack([exact(problem.B[..., k, :, :], problem.H[..., k, :, :], power).error for k in range(problem.H.shape[-3])], -1)

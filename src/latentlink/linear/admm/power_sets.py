"""The constraint sets of the power limits that ADMM serves: the limit's own projection, with its warm start and its lower bound.

The projections (see `latentlink.power`) are Euclidean, which costs power where the inputs are white, as the semantic modes are.
"""

from dataclasses import dataclass
from typing import ClassVar

from jaxtyping import Float
from torch import Tensor

from latentlink.channels.channel import Channel
from latentlink.linear.admm.constraints import ConstraintSet
from latentlink.linear.admm.dual_bound import bound_per_antenna, bound_per_use, equivalent_channel, remove_silent_antennas
from latentlink.linear.admm.problem import Problem
from latentlink.linear.design import ClosedForm
from latentlink.linear.modes import SemanticModes
from latentlink.power import PerAntenna, PerUse, PowerLimit
from latentlink.streams.projections import Precoders


def set_of(limit: PowerLimit) -> "PowerSet":
    """Make the constraint set of a power limit.

    Raises:
        ValueError: the limit has no projection, or it limits single messages.
    """
    if not isinstance(limit, PowerLimit) or limit.limits_messages or type(limit).project is PowerLimit.project:
        raise ValueError(
            f"power must be a limit that a precoder can be projected onto, such as Mean(), PerUse() or PerAntenna(), got {limit!r}; "
            "design with ClosedForm for the other limits"
        )
    return _SETS.get(type(limit), PowerSet)(limit)


@dataclass(frozen=True)
class PowerSet(ConstraintSet):
    """The precoders within a power limit.

    Attributes:
        limit: the power limit.
    """

    limit: PowerLimit

    def check(self, modes: SemanticModes, channel: Channel) -> None:
        """Refuse a limit that does not fit the antennas."""
        self.limit.check(channel.n_tx)

    def project(self, F: Precoders, power: Float[Tensor, "*batch"], covariance: Tensor | None = None) -> Precoders:
        """Project F onto the limit."""
        return self.limit.project(F, power, covariance)


class PerUseSet(PowerSet):
    """The precoders within a power limit per use."""

    power_limit: ClassVar[PowerLimit] = PerUse()

    def lower_bound(self, modes: SemanticModes, channel: Channel, ceiling: Float[Tensor, "*batch"]) -> Float[Tensor, "*batch"]:
        """Bound the weighted error (…) by the dual of the limits per use."""
        return bound_per_use(modes, channel, ceiling)


@dataclass(frozen=True)
class PerAntennaSet(PowerSet):
    """The precoders within a power limit per antenna.

    Attributes:
        limit: the power limit.
    """

    limit: PerAntenna

    def usable(self, channel: Channel) -> Channel:
        """Remove the antennas that are given no power."""
        return remove_silent_antennas(channel, self._limits(channel))

    def warm_start(self, modes: SemanticModes, problem: Problem, random: Precoders) -> Precoders:
        """Start at the closed form for the best Lagrange multipliers of the antennas."""
        equivalent = equivalent_channel(modes, problem.channel, self._limits(problem.channel))
        exact = problem.precoder_of(ClosedForm().design(modes, equivalent.channel).transceiver)
        return exact * equivalent.scale[..., None, :, None]

    def lower_bound(self, modes: SemanticModes, channel: Channel, ceiling: Float[Tensor, "*batch"]) -> Float[Tensor, "*batch"]:
        """Bound the weighted error (…) by the dual of the limits per antenna."""
        return bound_per_antenna(modes, channel, self._limits(channel), ceiling)

    def _limits(self, channel: Channel) -> Float[Tensor, "*batch t"]:
        return self.limit.limits_of(channel.power, channel.n_tx)


_SETS: dict[type[PowerLimit], type[PowerSet]] = {PerUse: PerUseSet, PerAntenna: PerAntennaSet}

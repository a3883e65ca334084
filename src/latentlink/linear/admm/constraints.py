"""Constraint sets of ADMM, each with the projection Π_C onto what a precoder may be.

A precoder is F (…, u, t, c), complex: u channel uses, t transmit antennas, c inputs of covariance R (None is I: the semantic modes). Its
row f of use u and antenna t costs the power f R fᴴ; every set meets the budget Σ f R fᴴ ≤ u·P. Besides the power limits, whose own
projections (see `latentlink.power`) are Euclidean where R = I, there are

    ActiveAntennas    at most q antennas that are not silent: the strongest, then scaled into the budget
    SparsePrecoder    at most that many entries that are not 0: the largest, then scaled into the budget
    ConstantModulus   entries of one modulus: their phases at the mean modulus, then scaled into the budget

The first is a cone, which meets the ball of the budget in the scaled projection onto the cone: a projection in the Euclidean norm, which
costs power where R = I. The last two belong to the latents' own coordinates, where R ≠ I: scaling is then feasible and idempotent, but the
result is not the nearest point. An own set is a subclass of `ConstraintSet` with its `project`.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from functools import partial

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from latentlink.channels.channel import Channel
from latentlink.latents.moments import Moments
from latentlink.linear.admm import dual_bound
from latentlink.linear.admm.antenna_selection import exchange_antennas
from latentlink.linear.admm.problem import Problem
from latentlink.linear.design import ClosedForm
from latentlink.linear.modes import SemanticModes
from latentlink.numerics.doors import integer
from latentlink.numerics.expectations import made_by
from latentlink.numerics.reprs import Summarised
from latentlink.power import Mean, PerAntenna, PerUse, PowerLimit
from latentlink.streams.per_use import per_use_bound
from latentlink.streams.projections import Precoders, row_power
from latentlink.streams.spatial import SpatialModes

_DISTURBANCE = 0.03  # of the budget's root: the closed form is a stationary point, and modes that are absent stay absent


@made_by("ActiveAntennas(2)")
class ConstraintSet(Summarised, ABC):
    """A set of precoders that meet the power budget of the channel and perhaps more.

    Example:
        >>> import torch, latentlink as ll
        >>> x = torch.randn(500, 8, generator=torch.Generator().manual_seed(0))
        >>> modes = ll.semantic_modes(ll.Moments.from_pairs(x, x[:, :6].tanh()))
        >>> channel = ll.Channel.from_snr(ll.rayleigh(2, 2, generator=0), snr_db=20.0)
        >>> class FirstAntenna(ll.ConstraintSet):
        ...     def project(self, F, power, covariance=None):
        ...         return ll.power.Mean().project(F * torch.tensor([[1.0], [0.0]]), power, covariance)
        >>> link = ll.Admm(constraint=FirstAntenna(), max_iterations=20).design(modes, channel).transceiver
        >>> link.encode(x).abs().square().mean((0, 1)) > 0
        tensor([ True, False])
    """

    @property
    def power_limit(self) -> PowerLimit:
        """The power limit of the transceiver; that on the mean unless the set is one of a power limit."""
        return Mean()

    @property
    def latent_moments(self) -> Moments | None:
        """The moments of the latents, for a set in the latents' own coordinates; None for a set in mode coordinates."""
        return None

    @abstractmethod
    def project(self, F: Precoders, power: Float[Tensor, "*batch"], covariance: Tensor | None = None) -> Precoders:
        """Find members of the set near F (…, u, t, c), for power P (…) per use and inputs of this covariance (c, c)."""

    def check(self, modes: SemanticModes, channel: Channel) -> None:  # most sets fit everything
        """Raise ValueError where the set does not fit the modes or the channel."""

    def usable(self, channel: Channel) -> Channel:
        """Remove from the channel what the set leaves without power."""
        return channel

    def warm_start(self, modes: SemanticModes, problem: Problem, random: Precoders) -> Precoders:
        """Start near the closed form, disturbed a little by a random precoder of the whole budget."""
        exact = problem.precoder_of(ClosedForm().design(modes, problem.channel).transceiver)
        return problem.scale_to_budget(exact + _DISTURBANCE * random)

    def lower_bound(self, modes: SemanticModes, channel: Channel, ceiling: Float[Tensor, "*batch"]) -> Float[Tensor, "*batch"]:
        """Bound the weighted error (…) of all members from below, given the error of one of them."""
        return dual_bound.bound_by_budget(modes, channel)

    def refine(self, modes: SemanticModes, problem: Problem, Z: Tensor) -> Tensor | None:
        """Improve what ADMM found, where the set knows a way; None where it does not."""
        return None


@dataclass(frozen=True)
class PowerSet(ConstraintSet):
    """The precoders within a power limit."""

    limit: PowerLimit

    @property
    def power_limit(self) -> PowerLimit:
        return self.limit.deployed()

    def check(self, modes: SemanticModes, channel: Channel) -> None:
        self.limit.check(channel.n_tx)

    def project(self, F: Precoders, power: Float[Tensor, "*batch"], covariance: Tensor | None = None) -> Precoders:
        return self.limit.project(F, power, covariance)


class PerUseSet(PowerSet):
    """The precoders within a power limit per use."""

    def lower_bound(self, modes: SemanticModes, channel: Channel, ceiling: Float[Tensor, "*batch"]) -> Float[Tensor, "*batch"]:
        dual = partial(per_use_bound, modes.strength, SpatialModes.of(channel.h).amplitude, channel.effective_noise / 2, channel.power)
        start = dual_bound.power_multiplier(modes, channel).unsqueeze(-1).expand(*channel.batch, channel.uses)
        return dual_bound.certify(dual, modes, channel, ceiling, start)


@dataclass(frozen=True)
class PerAntennaSet(PowerSet):
    """The precoders within a power limit per antenna."""

    limit: PerAntenna

    def usable(self, channel: Channel) -> Channel:
        return dual_bound.remove_silent_antennas(channel, self._limits(channel))

    def warm_start(self, modes: SemanticModes, problem: Problem, random: Precoders) -> Precoders:
        """Start at the closed form for the best Lagrange multipliers of the antennas."""
        equivalent, scale = dual_bound.equivalent_channel(modes, problem.channel, self._limits(problem.channel))
        return problem.precoder_of(ClosedForm().design(modes, equivalent).transceiver) * scale[..., None, :, None]

    def lower_bound(self, modes: SemanticModes, channel: Channel, ceiling: Float[Tensor, "*batch"]) -> Float[Tensor, "*batch"]:
        return dual_bound.bound_per_antenna(modes, channel, self._limits(channel), ceiling)

    def _limits(self, channel: Channel) -> Float[Tensor, "*batch t"]:
        return self.limit.limits_of(channel.power, channel.n_tx)


_SETS: dict[type[PowerLimit], type[PowerSet]] = {PerUse: PerUseSet, PerAntenna: PerAntennaSet}


def set_of(limit: PowerLimit) -> PowerSet:
    """Make the constraint set of a power limit; a ValueError if the limit has no projection, or it limits single messages."""
    if not isinstance(limit, PowerLimit) or limit.limits_messages or type(limit).project is PowerLimit.project:
        raise ValueError(
            f"power must be a limit that a precoder can be projected onto, such as Mean(), PerUse() or PerAntenna(), got {limit!r}; "
            "design with ClosedForm for the other limits"
        )
    return _SETS.get(type(limit), PowerSet)(limit)


@dataclass(frozen=True)
class ActiveAntennas(ConstraintSet):
    """At most q transmit antennas send, the same in all uses; the mean power is limited.

    Attributes:
        q: number of antennas that may send.

    Raises:
        ValueError: q is no integer >= 1 or, in `check`, above the number of antennas.

    Example:
        >>> import torch, latentlink as ll
        >>> x = torch.randn(500, 8, generator=torch.Generator().manual_seed(0))
        >>> modes = ll.semantic_modes(ll.Moments.from_pairs(x, x[:, :6].tanh()))
        >>> channel = ll.Channel.from_snr(ll.rayleigh(2, 4, generator=0), snr_db=20.0)
        >>> link = ll.Admm(constraint=ll.ActiveAntennas(2), max_iterations=20).design(modes, channel).transceiver
        >>> (link.encode(x).abs().square().mean((0, 1)) > 0).sum()
        tensor(2)
    """

    q: int

    def __post_init__(self) -> None:
        integer("q", self.q)

    def check(self, modes: SemanticModes, channel: Channel) -> None:
        """Raise ValueError where the channel has fewer antennas than may send."""
        if self.q > channel.n_tx:
            raise ValueError(f"q must be at most the number of antennas, {channel.n_tx}, got {self.q}")

    def project(self, F: Precoders, power: Float[Tensor, "*batch"], covariance: Tensor | None = None) -> Precoders:
        """Keep the q antennas of greatest power, scaled into the budget."""
        strongest = _largest(row_power(F, covariance).sum(-2), self.q)
        return Mean().project(F * strongest[..., None, :, None], power, covariance)

    def refine(self, modes: SemanticModes, problem: Problem, Z: Tensor) -> Tensor:
        """Design the closed form on the selected antennas, exchanged one by one while that helps: only the total power is left to meet."""
        channel = problem.channel
        strongest = row_power(problem.entries(Z)).sum(-2).topk(self.q, -1).indices
        antennas = exchange_antennas(modes, channel, strongest)
        sends = torch.zeros_like(channel.h.real[..., 0, 0, :]).scatter(-1, antennas, 1.0)[..., None, None, :]
        restricted = replace(channel, h=channel.h * sends)
        F = problem.precoder_of(ClosedForm().design(modes, restricted).transceiver) * sends.movedim(-1, -2)
        return problem.matrix(self.project(F, channel.power))


@dataclass(frozen=True, eq=False)
class _InLatentCoordinates(ConstraintSet):
    """A set in the latents' own coordinates.

    Attributes:
        moments: the moments that the modes were made of.
    """

    moments: Moments

    @property
    def latent_moments(self) -> Moments:
        return self.moments

    def check(self, modes: SemanticModes, channel: Channel) -> None:
        moments = self.moments
        got, expected = (len(moments.mean_x), len(moments.mean_y)), (len(modes.mean_x), len(modes.mean_y))
        if got != expected:
            raise ValueError(f"moments of the constraint must have the modes' dimensions {expected}, got {got}")
        if not torch.allclose(moments.mean_x.to(modes.mean_x), modes.mean_x, rtol=1e-4, atol=1e-4 * float(moments.cov_x.trace() ** 0.5)):
            raise ValueError("moments of the constraint must be those the modes were made of, got other means of x")


@dataclass(frozen=True, eq=False)
class SparsePrecoder(_InLatentCoordinates):
    """At most `nonzeros` complex entries of F, as it acts on the latent (or its packing), are not 0; the mean power is limited.

    Attributes:
        moments: the moments that the modes were made of.
        nonzeros: number of complex entries, over all uses and antennas, that may differ from 0.

    Raises:
        ValueError: moments are no Moments, nonzeros is no integer >= 1 or, in `check`, above the number of entries.

    Example:
        >>> import torch, latentlink as ll
        >>> x = torch.randn(500, 8, generator=torch.Generator().manual_seed(0))
        >>> moments = ll.Moments.from_pairs(x, x[:, :6].tanh())
        >>> channel = ll.Channel.from_snr(ll.rayleigh(2, 2, generator=0), snr_db=0.0)
        >>> sparse = ll.SparsePrecoder(moments, nonzeros=4)
        >>> ll.Admm(constraint=sparse, adaptive=True, tolerance=1e-4).design(ll.semantic_modes(moments), channel)
        Solution(1 channel, 2×2, 1 use, converged)
    """

    nonzeros: int

    def __post_init__(self) -> None:
        integer("nonzeros", self.nonzeros)

    def check(self, modes: SemanticModes, channel: Channel) -> None:
        """Raise ValueError where the modes are not of the moments, or there are fewer entries than `nonzeros`."""
        super().check(modes, channel)
        inputs = len(modes.mean_x) if modes.widely_linear else -(-len(modes.mean_x) // 2)
        if self.nonzeros > (entries := channel.uses * channel.n_tx * inputs):
            raise ValueError(f"nonzeros must be at most the number of complex entries, {entries}, got {self.nonzeros}")

    def project(self, F: Precoders, power: Float[Tensor, "*batch"], covariance: Tensor | None = None) -> Precoders:
        """Keep the entries of largest modulus, scaled into the budget."""
        largest = _largest(F.abs().flatten(-3), self.nonzeros).unflatten(-1, F.shape[-3:])
        return Mean().project(F * largest, power, covariance)


@dataclass(frozen=True, eq=False)
class ConstantModulus(_InLatentCoordinates):
    """All complex entries of F, as it acts on the latent (or its packing), have one modulus and free phases; the mean power is limited.

    Attributes:
        moments: the moments that the modes were made of.

    Raises:
        ValueError: moments are no Moments.

    Example:
        >>> import torch, latentlink as ll
        >>> x = torch.randn(500, 8, generator=torch.Generator().manual_seed(0))
        >>> moments = ll.Moments.from_pairs(x, x[:, :6].tanh())
        >>> channel = ll.Channel.from_snr(ll.rayleigh(2, 2, generator=0), snr_db=0.0)
        >>> designs = ll.ClosedForm(), ll.Admm(constraint=ll.ConstantModulus(moments), max_iterations=20)
        >>> [round(float(design.design(ll.semantic_modes(moments), channel).expected_mse), 1) for design in designs]
        [1.6, 1.7]
    """

    def project(self, F: Precoders, power: Float[Tensor, "*batch"], covariance: Tensor | None = None) -> Precoders:
        """Set the phases (0 counts as real and positive) at the mean modulus, scaled into the budget."""
        modulus = F.abs()
        phases = torch.where(modulus > 0, F / torch.where(modulus > 0, modulus, 1.0), 1.0)
        return Mean().project(phases * modulus.mean((-3, -2, -1), keepdim=True), power, covariance)


def _largest(values: Float[Tensor, "*batch e"], count: int) -> Bool[Tensor, "*batch e"]:
    """Mark exactly the `count` largest values, the first ones among equals."""
    order = values.argsort(dim=-1, descending=True, stable=True)[..., :count]
    return torch.zeros_like(values, dtype=torch.bool).scatter(-1, order, True)

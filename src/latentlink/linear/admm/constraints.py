"""Constraint sets of iterative designs, each with the projection Π_C onto what a precoder may be.

A precoder is F (…, u, t, c), complex: u channel uses, t transmit antennas, c inputs of covariance R (None is I: the semantic modes). Its
row f of use u and antenna t costs the power f R fᴴ; the budget is Σ f R fᴴ ≤ u·P. The sets are

    TotalPower        the budget                                UsePower          the budget in each use: P
    AntennaPower      the budget and, over the uses, u·l_t for antenna t:  min(√l, s‖f‖) f/‖f‖,  s ≤ 1 where the budget is met
    ActiveAntennas    at most q antennas that are not silent: the strongest, then the budget
    SparsePrecoder    at most that many entries that are not 0: the largest, then scaled into the budget
    ConstantModulus   entries of one modulus: their phases at the mean modulus, then scaled into the budget

The first four are projections in the Euclidean norm, which costs power where R = I. A set that is a cone (the fourth) meets the ball in the
scaled projection onto the cone. The last two belong to the latents' own coordinates, where R ≠ I: scaling is then feasible, idempotent, but
not nearest. An own set is any object with `moments`, `check` and `project`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Complex, Float
from numpy.typing import NDArray
from torch import Tensor

from latentlink.channels.channel import Channel
from latentlink.latents.moments import Moments
from latentlink.numerics.division import ratio
from latentlink.numerics.doors import finite

Precoders = Complex[Tensor, "*batch u t c"]


@runtime_checkable
class ConstraintSet(Protocol):
    """What a precoder may be; every set meets the power budget of the channel."""

    @property
    def moments(self) -> Moments | None:
        """Those of the latents, for sets in the latents' own coordinates; None for sets in mode coordinates."""

    def check(self, channel: Channel, inputs: int) -> None:
        """Raise ValueError where the set does not fit the channel's antennas or the number c of inputs."""

    def project(self, F: Tensor, power: Tensor, covariance: Tensor | None = None) -> Tensor:
        """Members of the set near F (…, u, t, c), for power P (…) per use and inputs of this covariance (c, c)."""


@dataclass(frozen=True)
class _OnModes:
    """Sets in mode coordinates fit every channel, unless they say otherwise."""

    @property
    def moments(self) -> Moments | None:
        """None: mode coordinates."""
        return None

    def check(self, channel: Channel, inputs: int) -> None:
        """Nothing to check."""


@dataclass(frozen=True)
class TotalPower(_OnModes):
    """The mean over messages and channel uses is limited: Σ_u E||s_u||² ≤ u·P."""

    def project(self, F: Precoders, power: Float[Tensor, "*batch"], covariance: Tensor | None = None) -> Precoders:
        """F scaled into the budget."""
        return within_budget(F, power, covariance)


@dataclass(frozen=True)
class UsePower(_OnModes):
    """Each channel use is limited: E||s_u||² ≤ P."""

    def project(self, F: Precoders, power: Float[Tensor, "*batch"], covariance: Tensor | None = None) -> Precoders:
        """Each use scaled into P."""
        return _scaled(F, row_power(F, covariance).sum(-1, keepdim=True), power[..., None, None])


@dataclass(frozen=True, eq=False, init=False)
class AntennaPower(_OnModes):
    """Each transmit antenna is limited, in the mean over the uses, and so is the total: E|s_t|² ≤ l_t, Σ_t E|s_t|² ≤ P.

    Attributes:
        limits: l ≥ 0 (n_tx,), or one number for all antennas, in the unit of P; None is P / n_tx each.

    Raises:
        ValueError: limits are complex, negative, not finite, no number or vector; in `check`, not one per antenna.
    """

    limits: Float[Tensor, "*t"] | None

    def __init__(self, limits: Tensor | NDArray[Any] | Sequence[float] | float | None = None) -> None:
        values = None if limits is None else finite("limits", limits)
        if values is not None and (values.is_complex() or values.ndim > 1 or bool((values < 0).any())):
            raise ValueError(f"limits must be real, not negative, of shape (n_tx,), got {values.dtype} {values.tolist()}")
        object.__setattr__(self, "limits", values)

    def check(self, channel: Channel, inputs: int) -> None:
        """One limit for each antenna."""
        if self.limits is not None and self.limits.ndim and len(self.limits) != channel.n_tx:
            raise ValueError(f"limits must hold one power for each of {channel.n_tx} antennas, got {len(self.limits)}")

    def limits_of(self, power: Float[Tensor, "*batch"], n_tx: int) -> Float[Tensor, "*batch t"]:
        """l (…, n_tx) of channels with power P (…)."""
        if self.limits is None:
            return (power / n_tx).unsqueeze(-1).expand(*power.shape, n_tx)
        return self.limits.to(power).expand(*power.shape, n_tx)

    def project(self, F: Precoders, power: Float[Tensor, "*batch"], covariance: Tensor | None = None) -> Precoders:
        """Each antenna's rows scaled: to its limit, or by the common s at which the total meets the budget."""
        uses = F.shape[-3]
        r = row_power(F, covariance).sum(-2)  # (…, t)
        limit, budget = uses * self.limits_of(power, F.shape[-2]), (uses * power).unsqueeze(-1)
        cap, order = ratio(limit, r).masked_fill(r == 0, torch.inf).sort(-1)  # antennas are cut off in this order as s² grows
        saturated = torch.nn.functional.pad(limit.gather(-1, order).cumsum(-1)[..., :-1], (1, 0))
        free = r.gather(-1, order).flip(-1).cumsum(-1).flip(-1)
        s2 = ratio((budget - saturated).clamp(min=0), free).masked_fill(free == 0, torch.inf)  # if just those before are cut off
        fits = s2 <= cap
        first = fits.to(torch.int8).argmax(-1, keepdim=True)
        s2 = torch.where(fits.any(-1, keepdim=True), s2.gather(-1, first), 1.0).clamp(max=1)
        return F * ratio(torch.minimum(limit, s2 * r), r).sqrt()[..., None, :, None]


@dataclass(frozen=True)
class ActiveAntennas(_OnModes):
    """At most q transmit antennas send, the same in all uses; the total power is limited.

    Attributes:
        q: number of antennas that may send.

    Raises:
        ValueError: q is no integer from 1; in `check`, it is above the number of antennas.
    """

    q: int

    def __post_init__(self) -> None:
        _check_count("q", self.q)

    def check(self, channel: Channel, inputs: int) -> None:
        """Not more than there are."""
        if self.q > channel.n_tx:
            raise ValueError(f"q must be at most the number of antennas, {channel.n_tx}, got {self.q}")

    def project(self, F: Precoders, power: Float[Tensor, "*batch"], covariance: Tensor | None = None) -> Precoders:
        """The q strongest antennas, scaled into the budget."""
        kept = _largest(row_power(F, covariance).sum(-2), self.q)
        return within_budget(F * kept[..., None, :, None], power, covariance)


@dataclass(frozen=True, eq=False)
class SparsePrecoder:
    """At most `nonzeros` complex entries of F, as it acts on the latent (or its packing), are not 0; the total power is limited.

    Attributes:
        moments: those the modes were made of. nonzeros: complex entries over all uses and antennas.

    Raises:
        ValueError: moments are no Moments, nonzeros is no integer from 1; in `check`, it is above the number of entries.
    """

    moments: Moments
    nonzeros: int

    def __post_init__(self) -> None:
        _check_moments(self.moments)
        _check_count("nonzeros", self.nonzeros)

    def check(self, channel: Channel, inputs: int) -> None:
        """Not more than there are."""
        if self.nonzeros > (entries := channel.uses * channel.n_tx * inputs):
            raise ValueError(f"nonzeros must be at most the number of complex entries, {entries}, got {self.nonzeros}")

    def project(self, F: Precoders, power: Float[Tensor, "*batch"], covariance: Tensor | None = None) -> Precoders:
        """The largest entries, scaled into the budget."""
        kept = _largest(F.abs().flatten(-3), self.nonzeros).unflatten(-1, F.shape[-3:])
        return within_budget(F * kept, power, covariance)


@dataclass(frozen=True, eq=False)
class ConstantModulus:
    """All complex entries of F, as it acts on the latent (or its packing), have one modulus, their phases are free; the power is limited.

    Attributes:
        moments: those the modes were made of.

    Raises:
        ValueError: moments are no Moments.
    """

    moments: Moments

    def __post_init__(self) -> None:
        _check_moments(self.moments)

    def check(self, channel: Channel, inputs: int) -> None:
        """Fits every channel."""

    def project(self, F: Precoders, power: Float[Tensor, "*batch"], covariance: Tensor | None = None) -> Precoders:
        """The phases (0 counts as real and positive) at the mean modulus, scaled into the budget."""
        modulus = F.abs()
        phases = torch.where(modulus > 0, F / torch.where(modulus > 0, modulus, 1.0), 1.0)
        return within_budget(phases * modulus.mean((-3, -2, -1), keepdim=True), power, covariance)


def row_power(F: Precoders, covariance: Tensor | None = None) -> Float[Tensor, "*batch u t"]:
    """f R fᴴ (…, u, t) of every row."""
    if covariance is None:
        return F.abs().square().sum(-1)
    return (F @ covariance.to(F) * F.conj()).sum(-1).real.clamp(min=0)


def within_budget(F: Precoders, power: Float[Tensor, "*batch"], covariance: Tensor | None = None) -> Precoders:
    """F, scaled down where it spends more than u·P."""
    return _scaled(F, row_power(F, covariance).sum((-2, -1), keepdim=True), F.shape[-3] * power[..., None, None])


def _scaled(F: Precoders, spent: Float[Tensor, "*batch u2 t2"], budget: Float[Tensor, "*batch u3 t3"]) -> Precoders:
    return F * torch.where(spent > budget, ratio(budget, spent), 1.0).sqrt().unsqueeze(-1)


def _largest(values: Float[Tensor, "*batch e"], count: int) -> Bool[Tensor, "*batch e"]:
    """Marks of exactly the `count` largest, the first ones among equals."""
    order = values.argsort(dim=-1, descending=True, stable=True)[..., :count]
    return torch.zeros_like(values, dtype=torch.bool).scatter(-1, order, True)


def _check_count(name: str, value: object) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ValueError(f"{name} must be an integer >= 1, got {value!r}")


def _check_moments(moments: object) -> None:
    if not isinstance(moments, Moments):
        raise ValueError(f"moments must be Moments (Moments.from_pairs(x, y)), got {type(moments).__name__}")

"""Power limits: what the power budget limits, one vocabulary for every design, codec, study file and command.

P is the power of a channel use (`Channel.power`), u the number of channel uses of a message and s_u what its use u sends.

    limit             what it bounds                                          word in files and commands
    Mean              Σ_u E||s_u||² ≤ u·P, the mean over messages and uses    mean
    PerUse            E||s_u||² ≤ P in each use                               per-use
    PerMessage        Σ_u ||s_u||² = u·P in each message                      per-message
    PerAntenna        E|s_t|² ≤ l_t, and the mean                             per-antenna
    Equal             each use gets P, water-filled within it                 equal
    OneUseAtATime     the same, and each use takes the next modes in turn     one-use-at-a-time

A limit offers what designs ask of it: `allocate` places modes on known channels (exact designs), `project` moves a precoder into the limit
(iterative designs), `message_gain` scales single messages (transmitters). What a limit does not offer is refused with the remedy. An own
limit is a subclass of `PowerLimit`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from latentlink.channels.channel import Channel, is_block_fading
from latentlink.latents.rows import as_pairs
from latentlink.numerics.division import ratio
from latentlink.numerics.doors import AnyArray, choice, finite, integer, real
from latentlink.numerics.validation import validate_call
from latentlink.streams.allocation import Allocation, Placement
from latentlink.streams.leakage import Leakage
from latentlink.streams.per_use import PerUseProblem
from latentlink.streams.power_limit import PowerLimit
from latentlink.streams.projections import Precoders, row_power, scale_antennas, scale_into
from latentlink.streams.spatial import SpatialModes

__all__ = ["NAMES", "Equal", "Leakage", "Mean", "OneUseAtATime", "PerAntenna", "PerMessage", "PerUse", "PowerLimit", "named"]


def __dir__() -> list[str]:
    return __all__


@dataclass(frozen=True, kw_only=True)
class Mean(PowerLimit):
    """The limit on the mean over messages and channel uses, Σ_u E||s_u||² ≤ u·P, and with a peak on every message.

    Attributes:
        peak: largest energy of a message over u·P, ≥ 1; messages above it are clipped to it (codecs). None for no limit.

    Raises:
        ValueError: peak is below 1 or not finite.

    Example:
        >>> import torch, latentlink as ll
        >>> energy, budget = torch.tensor([1.0, 8.0]), torch.tensor([1.0])
        >>> ll.power.Mean(peak=2.0).message_gain(energy, budget)  # the second message is clipped
        tensor([1.0000, 0.5000])
    """

    word: ClassVar[str] = "mean"
    peak: float | None = None

    def __post_init__(self) -> None:
        if self.peak is not None:
            object.__setattr__(self, "peak", real("peak", self.peak, least=1.0))

    @property
    def limits_messages(self) -> bool:
        return self.peak is not None

    def allocate(self, strength: Float[Tensor, "k"], channel: Channel, *, widely_linear: bool = True) -> Placement:
        """Place modes by MSE water-filling over the symbols of all uses."""
        if self.peak is not None:
            raise ValueError(f"power must have no peak in a linear design, got {self!r}: use Mean(), or Mean(peak=...) in CodecTraining")
        return Placement.pooled(strength, SpatialModes.of(channel.h), channel)

    def message_gain(self, energy: Float[Tensor, "*batch n"], budget: Float[Tensor, "*#batch #n"]) -> Float[Tensor, "*batch n"]:
        """Factor (…, n) that clips messages above the peak to it."""
        if self.peak is None:
            return torch.ones_like(energy)
        return ratio(self.peak * budget, energy).sqrt().clamp(max=1.0)

    def project(self, F: Precoders, power: Float[Tensor, "*batch"], covariance: Tensor | None = None) -> Precoders:
        """Scale F down where its power over all uses is above u·P."""
        return scale_into(F, row_power(F, covariance).sum((-2, -1), keepdim=True), F.shape[-3] * power[..., None, None])


@dataclass(frozen=True, kw_only=True)
class PerUse(PowerLimit):
    """The limit on each channel use, E||s_u||² ≤ P: in closed form for block fading, iterative where uses differ.

    Attributes:
        max_iterations: iterations of L-BFGS where uses differ.
        tolerance: gap to the dual bound, relative to the error, that counts as optimal there.

    Raises:
        ValueError: max_iterations is no integer >= 1, or the tolerance is negative or not finite.

    Example:
        >>> import torch, latentlink as ll
        >>> F = torch.tensor([2.0, 1.0]).reshape(2, 1, 1) + 0j  # 2 uses of one antenna, one input
        >>> ll.power.PerUse().project(F, torch.tensor(1.0)).abs().flatten()
        tensor([1., 1.])
    """

    word: ClassVar[str] = "per-use"
    max_iterations: int = 4000
    tolerance: float = 1e-6

    def __post_init__(self) -> None:
        object.__setattr__(self, "max_iterations", integer("max_iterations", self.max_iterations))
        object.__setattr__(self, "tolerance", real("tolerance", self.tolerance, least=0.0))

    def allocate(self, strength: Float[Tensor, "k"], channel: Channel, *, widely_linear: bool = True) -> Placement:
        """Spread the pooled optimum evenly over identical uses; where uses differ, optimise by L-BFGS with a dual certificate."""
        spatial = SpatialModes.of(channel.h)
        if is_block_fading(channel.h) or len(strength) == 0:
            return Placement.pooled(strength, spatial.spread(), channel)
        b = strength[: channel.real_symbols]  # as many modes as there are real symbols
        problem = PerUseProblem(b, spatial, channel.effective_noise / 2, channel.power, widely_linear)
        return problem.solve(self.max_iterations, self.tolerance)

    def project(self, F: Precoders, power: Float[Tensor, "*batch"], covariance: Tensor | None = None) -> Precoders:
        """Scale down each use of F whose power is above P."""
        return scale_into(F, row_power(F, covariance).sum(-1, keepdim=True), power[..., None, None])


@dataclass(frozen=True, eq=False, init=False)
class PerMessage(PowerLimit):
    """The limit that scales each message to the whole budget, Σ_u ||s_u||² = u·P.

    Linear designs refit their decoder to the scaled messages of pilots, which must then be given; codecs and networks need none.

    Attributes:
        x: latents of the pilots at the transmitter (n, d), or None.
        y: latents of the pilots at the receiver (n, m), or None.

    Raises:
        ValueError: x or y is malformed, they differ in length, or only one of them is given.

    Example:
        >>> import torch, latentlink as ll
        >>> ll.power.PerMessage().message_gain(torch.tensor([1.0, 4.0]), torch.tensor([1.0]))
        tensor([1.0000, 0.5000])
    """

    word: ClassVar[str] = "per-message"
    x: Float[Tensor, "n d"] | None = None
    y: Float[Tensor, "n m"] | None = None

    def __init__(self, *, x: AnyArray | None = None, y: AnyArray | None = None) -> None:
        if (x is None) != (y is None):
            raise ValueError(f"x and y must be given together, or neither, got only {'y' if x is None else 'x'}")
        pilots = (None, None) if x is None or y is None else tuple(value.double() for value in as_pairs(x, y))
        for name, value in zip("xy", pilots, strict=True):
            object.__setattr__(self, name, value)

    def __repr__(self) -> str:
        return "PerMessage()" if self.x is None else f"PerMessage({len(self.x)} pilots)"

    @property
    def limits_messages(self) -> bool:
        return True

    def deployed(self) -> "PerMessage":
        """The same limit without pilots."""
        return PerMessage()

    def allocate(self, strength: Float[Tensor, "k"], channel: Channel, *, widely_linear: bool = True) -> Placement:
        """The placement of `Mean`: its messages are then scaled to the budget, and the decoder is refitted to them."""
        return Placement.pooled(strength, SpatialModes.of(channel.h), channel)

    def message_gain(self, energy: Float[Tensor, "*batch n"], budget: Float[Tensor, "*#batch #n"]) -> Float[Tensor, "*batch n"]:
        """Factor (…, n) that scales every message to the budget; it is 0 for messages without energy."""
        return ratio(budget.expand(energy.shape), energy).sqrt()


@dataclass(frozen=True, eq=False, init=False)
class PerAntenna(PowerLimit):
    """The limit on each transmit antenna and on the total, in the mean over the uses: E|s_t|² ≤ l_t, Σ_t E|s_t|² ≤ P.

    Attributes:
        limits: l ≥ 0 (n_tx,), or one number for all antennas, in the unit of P; None is P / n_tx each.

    Raises:
        ValueError: limits are complex, negative, not finite, or neither a number nor a vector.

    Example:
        >>> import torch, latentlink as ll
        >>> ll.power.PerAntenna().limits_of(torch.tensor(1.0), n_tx=4)
        tensor([0.2500, 0.2500, 0.2500, 0.2500])
    """

    word: ClassVar[str] = "per-antenna"
    limits: Float[Tensor, "*t"] | None = None

    def __init__(self, *, limits: AnyArray | Sequence[float] | float | None = None) -> None:
        values = None if limits is None else finite("limits", limits)
        if isinstance(limits, bool) or (
            values is not None and (values.is_complex() or values.ndim > 1 or bool(((values < 0) | (values > 1e150)).any()))
        ):
            raise ValueError(f"limits must be real, from 0 to 1e150, of shape (n_tx,), got {limits!r}")
        object.__setattr__(self, "limits", values)

    def check(self, n_tx: int) -> None:
        """Raise ValueError where the limits are not those of n_tx antennas."""
        if self.limits is not None and self.limits.ndim and len(self.limits) != n_tx:
            raise ValueError(f"limits must hold one power for each of {n_tx} antennas, got {len(self.limits)}")

    def limits_of(self, power: Float[Tensor, "*batch"], n_tx: int) -> Float[Tensor, "*batch t"]:
        """Limits l (…, n_tx) for channels with power P (…)."""
        if self.limits is None:
            return (power / n_tx).unsqueeze(-1).expand(*power.shape, n_tx)
        return self.limits.to(power).expand(*power.shape, n_tx)

    def project(self, F: Precoders, power: Float[Tensor, "*batch"], covariance: Tensor | None = None) -> Precoders:
        """Scale the rows of each antenna to its limit, or by the common factor s with which the total meets the budget."""
        return scale_antennas(F, row_power(F, covariance).sum(-2), self.limits_of(power, F.shape[-2]), power)


@dataclass(frozen=True, kw_only=True)
class Equal(PowerLimit):
    """The limit of P on each use, with water-filling within the use: a transmitter that loads its subcarriers separately.

    It is never better than `Mean`, nor than the optimum of `PerUse`.

    Attributes:
        pooled_order: True where the strongest modes go over the strongest symbols of all uses.

    Example:
        >>> import torch, latentlink as ll
        >>> x = torch.randn(500, 8, generator=torch.Generator().manual_seed(0))
        >>> modes = ll.semantic_modes(ll.Moments.from_pairs(x, x[:, :6].tanh()))
        >>> grid = ll.Channel.from_grid(ll.rayleigh(2, 2, batch=(3,), generator=0), snr_db=0.0)  # 3 uses that differ
        >>> limits = ll.power.Mean(), ll.power.Equal(), ll.power.OneUseAtATime()
        >>> [round(float(ll.ClosedForm(power=limit).design(modes, grid).expected_mse), 2) for limit in limits]
        [0.54, 0.54, 0.9]
    """

    word: ClassVar[str] = "equal"
    is_exact: ClassVar[bool] = False
    pooled_order: ClassVar[bool] = True

    def allocate(self, strength: Float[Tensor, "k"], channel: Channel, *, widely_linear: bool = True) -> Placement:
        """Place the strongest modes on the strongest symbols, of all uses or use by use, with water-filling of P in each use."""
        spatial, noise, budget = SpatialModes.of(channel.h), channel.effective_noise / 2, channel.uses * channel.power
        used = Allocation.use_by_use(strength, spatial.amplitude, noise, budget, pooled_order=self.pooled_order)
        return Placement.parallel(spatial, used, channel)


@dataclass(frozen=True, kw_only=True)
class OneUseAtATime(Equal):
    """The power of `Equal`, and each use takes the next modes in turn, however strong its channel is: a message sent symbol by symbol.

    Example:
        >>> import latentlink as ll
        >>> ll.power.OneUseAtATime().word, ll.power.OneUseAtATime().pooled_order, ll.power.Equal().pooled_order
        ('one-use-at-a-time', False, True)
    """

    word: ClassVar[str] = "one-use-at-a-time"
    pooled_order: ClassVar[bool] = False


AllocatedWord = Literal["mean", "per-use", "per-message", "equal", "one-use-at-a-time"]  # limits with `allocate`: the closed form
ProjectedWord = Literal["mean", "per-use", "per-antenna"]  # limits with `project`: ADMM
MessageWord = Literal["mean", "per-message"]  # limits that scale or clip messages: codecs
NAMES: dict[str, type[PowerLimit]] = {limit.word: limit for limit in (Mean, PerUse, PerMessage, PerAntenna, Equal, OneUseAtATime)}


@validate_call
def named(word: str, **settings: Any) -> PowerLimit:
    """Make the limit that a word of `NAMES` stands for.

    Args:
        word: such as "mean" or "per-antenna".
        settings: fields of the limit, such as `x` and `y` of PerMessage.

    Returns:
        The limit.

    Raises:
        ValueError: no limit has this name, or a setting is wrong.

    Example:
        >>> import latentlink as ll
        >>> ll.power.named("mean", peak=2.0)
        Mean(peak=2.0)
    """
    kind = NAMES[choice("power", word, NAMES)]
    try:
        return kind(**settings)
    except TypeError as error:
        raise ValueError(f"settings must be fields of {kind.__name__}, got {', '.join(settings)}") from error

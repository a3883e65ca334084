"""How good any precoder under per-antenna limits can be: the dual of the linear design, a bound for every price of the antennas.

With a price μ_t ≥ 0 for the power of antenna t, the Lagrangian of min J(F) under Σ_u E|s_ut|² ≤ u l_t and Σ_t Σ_u E|s_ut|² ≤ u P is the
penalised problem min over F' of J(F') + ‖F'‖² on the channels H_u diag(μ)^{-1/2}, F' = diag(μ)^{1/2} F, which the closed form solves: the
i-th strongest mode goes over the i-th largest singular value s_i of all uses, a unit of its received SNR x costs π_i = N / s_i², and

    D(ν, ν₀) = Σ_i min over x ≥ 0 of [ b_i² / (1 + x) + π_i x ]  −  u ( Σ_t ν_t l_t + ν₀ P )  ≤  the least error,       μ = ν + ν₀,

with prices ν ≥ 0 of the antennas and ν₀ ≥ 0 of the budget. For given μ the best share of the budget is ν₀ = min_t μ_t where the limits add
up to more than P, and 0 where not. D is concave; the powers that its minimiser spends, less those allowed, are a supergradient. At the best
prices that minimiser is F = diag(μ)^{-1/2} F', F' the closed form on H_u diag(μ)^{-1/2} with the budget Σ_t ν_t l_t + ν₀ P.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import torch
from jaxtyping import Complex, Float
from torch import Tensor

from latentlink.channels.channel import Channel
from latentlink.linear.admm.constraints import AntennaPower, ConstraintSet, UsePower
from latentlink.linear.modes import SemanticModes
from latentlink.linear.per_use import per_use_bound
from latentlink.numerics.division import ratio
from latentlink.streams.spatial import Allocation, SpatialModes

_STEPS = 400
_PATIENCE = 15  # steps without progress after which the level that is aimed at is lowered by half
_LEAST_SHARE = 1e-12  # of the power, that a limit is taken for in the unit of its price
_FLOOR = 1e-9  # of the largest price, for the budget: an antenna that costs nothing would have no best precoder
_FREE = 1e-4  # least share of a mode's error that is priced: without noise power has no price

Dual = Callable[[Tensor], tuple[Tensor, Tensor]]


def antenna_dual(strength: Float[Tensor, "k"], channel: Channel, allowed: AntennaPower) -> Dual:
    """D (…) without the constant V − Σ b², and a supergradient (…, t + 1), as a function of the prices ν, ν₀ (…, t + 1)."""
    uses, power = channel.uses, channel.power
    N = channel.effective_noise[..., None] / 2
    charge = uses * torch.cat([allowed.limits_of(power, channel.n_tx), power.unsqueeze(-1)], -1)
    tiny = torch.finfo(strength.dtype).tiny

    def dual(nu: Float[Tensor, "*batch t1"]) -> tuple[Float[Tensor, "*batch"], Float[Tensor, "*batch t1"]]:
        own, common = nu[..., :-1], nu[..., -1:]
        common = torch.maximum(common, _FLOOR * nu.amax(-1, keepdim=True)).clamp(min=tiny**0.5)
        nu, mu = torch.cat([own, common], -1), own + common
        scaled: Complex[Tensor, "*batch u r t"] = channel.h * mu.rsqrt()[..., None, None, :]
        _, s, Vh = torch.linalg.svd(scaled, full_matrices=False)
        s, order = s.flatten(-2).sort(dim=-1, descending=True)
        b = strength[: 2 * s.shape[-1]]
        price = (N / s.square().clamp(min=tiny)).clamp(min=tiny, max=1 / tiny).repeat_interleave(2, -1)[..., : len(b)]
        x = (b / price.sqrt() - 1).clamp(min=0)
        streams = torch.nn.functional.pad(x * price, (0, len(b) % 2)).unflatten(-1, (-1, 2)).sum(-1)
        spent = torch.zeros_like(s).scatter(-1, order[..., : streams.shape[-1]], streams)
        antennas = (Vh.abs().square().flatten(-3, -2) * spent.unsqueeze(-1)).sum(-2) / mu
        spent = torch.cat([antennas, antennas.sum(-1, keepdim=True)], -1)
        rest = strength.square().sum() - b.square().sum()
        value = rest + (b.square() / (1 + x) + price * x).sum(-1) - (charge * nu).sum(-1)
        return value, spent - charge

    return dual


def ascended(
    dual: Dual, ceiling: Float[Tensor, "*batch"], start: Float[Tensor, "*batch t"]
) -> tuple[Float[Tensor, "*batch"], Float[Tensor, "*batch t"]]:
    """The largest value (…), at least 0, that Polyak's steps find towards a level between the best so far and a feasible value, and where.

    The level starts at the feasible value and halves its distance to the best whenever progress stops: each channel by itself.
    """
    tiny = torch.finfo(ceiling.dtype).tiny
    mu = where_best = start
    best = torch.zeros_like(ceiling)
    ahead, waited = torch.full_like(ceiling, torch.inf), torch.zeros_like(ceiling)
    for _ in range(_STEPS):
        value, slope = dual(mu)
        better = value > best
        progress = value > best + ahead / 4
        waited = torch.where(progress, 0.0, waited + 1)
        best, where_best = torch.where(better, value, best), torch.where(better.unsqueeze(-1), mu, where_best)
        tired = waited > _PATIENCE
        ahead = torch.minimum(torch.where(tired, ahead / 2, ahead), ceiling - best).clamp(min=0)
        waited = torch.where(tired, 0.0, waited)
        step = (best + ahead - value).clamp(min=0) / slope.square().sum(-1).clamp(min=tiny)
        mu = torch.where(tired.unsqueeze(-1), where_best, (mu + step.unsqueeze(-1) * slope).clamp(min=0))
    return best, where_best


def weighted_bound(constraint: ConstraintSet, modes: SemanticModes, channel: Channel, value: Float[Tensor, "*batch"]) -> Tensor:
    """A lower bound (…) on the weighted error within a constraint set, below a feasible value: the closed form's under total power, or its
    dual per use or per antenna where that is higher."""
    spatial = SpatialModes.of(channel.h)
    N = channel.effective_noise / 2
    best = Allocation.of(modes.strength, spatial.amplitude, N, channel.uses * channel.power)
    b2 = modes.strength.square()
    signal = best.power * best.amplitude.square()
    saved = (b2[: signal.shape[-1]] * ratio(signal, signal + N.unsqueeze(-1))).sum(-1)
    constant, bound = modes.weighted_variance - b2.sum(), modes.weighted_variance - saved
    start = _price(best, b2, N).unsqueeze(-1)
    if isinstance(constraint, AntennaPower):
        dual = _by_limit(modes.strength, channel, constraint)
        start = torch.nn.functional.pad(start, (channel.n_tx, 0))  # all on the budget
    elif isinstance(constraint, UsePower):
        dual = partial(per_use_bound, modes.strength, spatial.amplitude, N, channel.power)
        start = start.expand(*channel.batch, channel.uses)
    else:
        return bound
    return torch.maximum(bound, constant + ascended(dual, (value - constant).clamp(min=0), start)[0])


def _by_limit(strength: Float[Tensor, "k"], channel: Channel, allowed: AntennaPower) -> Dual:
    """The dual in prices w = ν l / P, which stay of one size however small a limit is; antennas with none are left out of the channel."""
    live, scale = allowed.limits_of(channel.power, channel.n_tx) > 0, _limit_scale(channel, allowed)
    dual = antenna_dual(strength, heard(channel, allowed), allowed)
    mask = torch.nn.functional.pad(live, (0, 1), value=True)

    def by_limit(w: Float[Tensor, "*batch t1"]) -> tuple[Float[Tensor, "*batch"], Float[Tensor, "*batch t1"]]:
        value, slope = dual(w / scale)
        return value, slope * mask / scale

    return by_limit


def _limit_scale(channel: Channel, allowed: AntennaPower) -> Float[Tensor, "*batch t1"]:
    """l / P (…, t + 1) of the antennas, by which their prices are divided, 1 where there is no limit to divide by and for the budget."""
    limits = allowed.limits_of(channel.power, channel.n_tx)
    share = ratio(limits, channel.power.unsqueeze(-1)).clamp(_LEAST_SHARE, 1.0).masked_fill(limits <= 0, 1.0)
    return torch.nn.functional.pad(share, (0, 1), value=1.0)


def heard(channel: Channel, constraint: ConstraintSet) -> Channel:
    """The channel without the antennas that are given no power."""
    if not isinstance(constraint, AntennaPower):
        return channel
    live = constraint.limits_of(channel.power, channel.n_tx) > 0
    return replace(channel, h=channel.h * live[..., None, None, :])


def priced(modes: SemanticModes, channel: Channel, allowed: AntennaPower) -> tuple[Channel, Float[Tensor, "*batch t"]]:
    """H_u diag(μ)^{-1/2} with the budget of the best prices, and diag(μ)^{-1/2} (…, t): on which the closed form is what limits want."""
    start = torch.nn.functional.pad(power_price(modes, channel).unsqueeze(-1), (channel.n_tx, 0))  # all on the budget
    dual = _by_limit(modes.strength, channel, allowed)
    nu = ascended(dual, modes.strength.square().sum().expand(channel.batch), start)[1] / _limit_scale(channel, allowed)
    own, common = nu[..., :-1], torch.maximum(nu[..., -1:], _FLOOR * nu.amax(-1, keepdim=True))
    mu, limits = own + common, allowed.limits_of(channel.power, channel.n_tx)
    root = torch.where((mu > 0) & (limits > 0), mu, torch.inf).rsqrt()
    budget = (own * limits).sum(-1) + common.squeeze(-1) * channel.power
    noise = channel.effective_noise
    return Channel(channel.h * root[..., None, None, :], noise, budget), root


def power_price(modes: SemanticModes, channel: Channel) -> Float[Tensor, "*batch"]:
    """What one more unit of total power would save of the weighted error (…), at the closed form: Σ b² x / (1 + x)² / (u P)."""
    spatial = SpatialModes.of(channel.h)
    N = channel.effective_noise / 2
    best = Allocation.of(modes.strength, spatial.amplitude, N, channel.uses * channel.power)
    return _price(best, modes.strength.square(), N)


def _price(best: Allocation, b2: Float[Tensor, "k"], N: Float[Tensor, "*batch"]) -> Float[Tensor, "*batch"]:
    signal = best.power * best.amplitude.square()
    share = ratio(signal, signal + N.unsqueeze(-1))  # x / (1 + x)
    left = (1 - share).clamp(min=_FREE)
    return ratio((b2[: share.shape[-1]] * share * left).sum(-1), best.power.sum(-1))

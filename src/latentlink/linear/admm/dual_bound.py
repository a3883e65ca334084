"""Lower bounds on the error of any precoder under power limits: the Lagrangian dual of the linear design.

With a Lagrange multiplier μ_t ≥ 0 for the power of antenna t, the Lagrangian of min J(F) under Σ_u E|s_ut|² ≤ u l_t and
Σ_t Σ_u E|s_ut|² ≤ u P is the penalised problem min over F' of J(F') + ‖F'‖² on the channels H_u diag(μ)^{-1/2}, F' = diag(μ)^{1/2} F. The
closed form solves it: the i-th strongest mode goes over the i-th largest singular value s_i of all uses, a unit of its received SNR x costs
π_i = N / s_i², and

    D(ν, ν₀) = Σ_i min over x ≥ 0 of [ b_i² / (1 + x) + π_i x ]  −  u ( Σ_t ν_t l_t + ν₀ P )  ≤  the least error,       μ = ν + ν₀,

with multipliers ν ≥ 0 of the antennas and ν₀ ≥ 0 of the budget. For given μ the best share of the budget is ν₀ = min_t μ_t where the limits
add up to more than P, and 0 where not. D is concave; the powers that its minimiser spends, less those allowed, are a supergradient. At the
best multipliers that minimiser is F = diag(μ)^{-1/2} F', F' the closed form on H_u diag(μ)^{-1/2} with the budget Σ_t ν_t l_t + ν₀ P.
"""

from dataclasses import replace

import torch
from jaxtyping import Complex, Float
from torch import Tensor

from latentlink.channels.channel import Channel
from latentlink.linear.modes import SemanticModes
from latentlink.numerics.ascend import Ascent, ConcaveFunction, ascend
from latentlink.numerics.division import ratio
from latentlink.streams.allocation import Allocation
from latentlink.streams.spatial import SpatialModes

_LEAST_SHARE = 1e-12  # of the power: a smaller limit counts as this in the unit of its multiplier
_FLOOR = 1e-9  # of the largest multiplier, for that of the budget: an antenna whose power costs nothing would have no best precoder
_LEAST_REST = 1e-4  # of a mode's error: without noise the multiplier of the power would be 0


def antenna_dual(strength: Float[Tensor, "k"], channel: Channel, limits: Float[Tensor, "*batch t"]) -> ConcaveFunction:
    """Make the dual function of the multipliers ν, ν₀ (…, t + 1): D (…), without the constant V − Σ b², and a supergradient (…, t + 1)."""
    uses, power = channel.uses, channel.power
    N = channel.effective_noise.unsqueeze(-1) / 2
    allowed = uses * torch.cat([limits, power.unsqueeze(-1)], -1)
    tiny = torch.finfo(strength.dtype).tiny

    def dual(nu: Float[Tensor, "*batch t1"]) -> tuple[Float[Tensor, "*batch"], Float[Tensor, "*batch t1"]]:
        own, common = nu[..., :-1], nu[..., -1:]
        common = torch.maximum(common, _FLOOR * nu.amax(-1, keepdim=True)).clamp(min=tiny**0.5)
        nu, mu = torch.cat([own, common], -1), own + common
        scaled: Complex[Tensor, "*batch u r t"] = channel.h * mu.rsqrt()[..., None, None, :]
        _, s, Vh = torch.linalg.svd(scaled, full_matrices=False)
        s, order = s.flatten(-2).sort(dim=-1, descending=True)
        b = strength[: 2 * s.shape[-1]]
        cost = (N / s.square().clamp(min=tiny)).clamp(min=tiny, max=1 / tiny).repeat_interleave(2, -1)[..., : len(b)]
        x = (b / cost.sqrt() - 1).clamp(min=0)
        symbols = torch.nn.functional.pad(x * cost, (0, len(b) % 2)).unflatten(-1, (-1, 2)).sum(-1)
        spent = torch.zeros_like(s).scatter(-1, order[..., : symbols.shape[-1]], symbols)
        antennas = (Vh.abs().square().flatten(-3, -2) * spent.unsqueeze(-1)).sum(-2) / mu
        spent = torch.cat([antennas, antennas.sum(-1, keepdim=True)], -1)
        rest = strength.square().sum() - b.square().sum()
        value = rest + (b.square() / (1 + x) + cost * x).sum(-1) - (allowed * nu).sum(-1)
        return value, spent - allowed

    return dual


def bound_by_budget(modes: SemanticModes, channel: Channel) -> Float[Tensor, "*batch"]:
    """Compute the weighted error (…) of the closed form, which no precoder within the total power can beat."""
    return modes.weighted_variance - _allocate(modes, channel).explained(modes.strength, channel.effective_noise / 2).sum(-1)


def bound_per_antenna(
    modes: SemanticModes, channel: Channel, limits: Float[Tensor, "*batch t"], ceiling: Float[Tensor, "*batch"]
) -> Float[Tensor, "*batch"]:
    """Bound the weighted error (…) under limits l (…, t) per antenna from below, given the error (…) of a feasible precoder."""
    return certify(_scaled_antenna_dual(modes.strength, channel, limits), modes, channel, ceiling, _all_on_budget(modes, channel))


def equivalent_channel(
    modes: SemanticModes, channel: Channel, limits: Float[Tensor, "*batch t"]
) -> tuple[Channel, Float[Tensor, "*batch t"]]:
    """Find the channels on which the closed form, under one budget, is the best precoder under the limits of the antennas.

    They are H_u diag(μ)^{-1/2} with the budget Σ_t ν_t l_t + ν₀ P; the rows of the precoder are multiplied by diag(μ)^{-1/2} (…, t).
    """
    ceiling = modes.strength.square().sum().expand(channel.batch)
    best = ascend(_scaled_antenna_dual(modes.strength, channel, limits), ceiling, _all_on_budget(modes, channel))
    nu = best.argument / _unit_of_multipliers(channel, limits)
    own, common = nu[..., :-1], torch.maximum(nu[..., -1:], _FLOOR * nu.amax(-1, keepdim=True))
    mu = own + common
    scale = torch.where((mu > 0) & (limits > 0), mu, torch.inf).rsqrt()
    budget = (own * limits).sum(-1) + common.squeeze(-1) * channel.power
    return Channel(channel.h * scale[..., None, None, :], channel.effective_noise, budget), scale


def remove_silent_antennas(channel: Channel, limits: Float[Tensor, "*batch t"]) -> Channel:
    """Set the columns of the channel to zero whose antennas are given no power."""
    return replace(channel, h=channel.h * (limits > 0)[..., None, None, :])


def power_multiplier(modes: SemanticModes, channel: Channel) -> Float[Tensor, "*batch"]:
    """Compute the Lagrange multiplier (…) of the total power: the weighted error that one more unit of it would save.

    At the closed form it is Σ b² x / (1 + x)² / (u P), x being the received SNR of a mode.
    """
    best = _allocate(modes, channel)
    saved, b2 = best.explained(modes.strength, channel.effective_noise / 2), modes.strength[: best.power.shape[-1]].square()
    rest = (1 - saved / b2).clamp(min=_LEAST_REST)
    return ratio((saved * rest).sum(-1), best.power.sum(-1))


def certify(
    dual: ConcaveFunction, modes: SemanticModes, channel: Channel, ceiling: Float[Tensor, "*batch"], start: Float[Tensor, "*batch t"]
) -> Float[Tensor, "*batch"]:
    """Maximise a dual function below a ceiling; the bound (…) is at least that of the total power."""
    constant = modes.weighted_variance - modes.strength.square().sum()
    best: Ascent = ascend(dual, (ceiling - constant).clamp(min=0), start)
    return torch.maximum(bound_by_budget(modes, channel), constant + best.value)


def _allocate(modes: SemanticModes, channel: Channel) -> Allocation:
    """Allocate the modes and the total power as the closed form does."""
    amplitude = SpatialModes.of(channel.h).amplitude
    return Allocation.of(modes.strength, amplitude, channel.effective_noise / 2, channel.uses * channel.power)


def _all_on_budget(modes: SemanticModes, channel: Channel) -> Float[Tensor, "*batch t1"]:
    """Start with no multipliers of the antennas and that of the total power for the budget."""
    return torch.nn.functional.pad(power_multiplier(modes, channel).unsqueeze(-1), (channel.n_tx, 0))


def _scaled_antenna_dual(strength: Float[Tensor, "k"], channel: Channel, limits: Float[Tensor, "*batch t"]) -> ConcaveFunction:
    """Make the dual of w = ν l / P, which stay of one size however small a limit is; antennas without power are left out of the channel."""
    unit = _unit_of_multipliers(channel, limits)
    dual = antenna_dual(strength, remove_silent_antennas(channel, limits), limits)
    live = torch.nn.functional.pad(limits > 0, (0, 1), value=True)

    def scaled(w: Float[Tensor, "*batch t1"]) -> tuple[Float[Tensor, "*batch"], Float[Tensor, "*batch t1"]]:
        value, slope = dual(w / unit)
        return value, slope * live / unit

    return scaled


def _unit_of_multipliers(channel: Channel, limits: Float[Tensor, "*batch t"]) -> Float[Tensor, "*batch t1"]:
    """Compute l / P (…, t + 1) of the antennas; 1 for the budget and where there is no limit."""
    share = ratio(limits, channel.power.unsqueeze(-1)).clamp(_LEAST_SHARE, 1.0).masked_fill(limits <= 0, 1.0)
    return torch.nn.functional.pad(share, (0, 1), value=1.0)

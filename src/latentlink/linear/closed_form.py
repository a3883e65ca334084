"""The exact linear design for channels that are known, or known up to an error that acts as white noise.

For the modes (Φ, Ψ, b) of the latents and the spatial modes H = U diag(h) Vᴴ of the channel, N = σ²/2,

    F = V diag(√p) Φ,        G = Ψ diag( h √p / (h² p + N) ) Uᴴ,        p by MSE water-filling of the budget over b_i and h_i,

strongest with strongest, minimise E||W (y − ŷ)||² over all pairs with Σ_u E||s_u||² ≤ u·P; the least error is

    tr(W Ry Wᵀ) − Σ b_i² + Σ b_i² / (1 + p_i h_i² / N).

The problem is biconvex; that this is its global optimum is due to [lee1976optimum, scaglione2002optimal, palomar2003joint]. Only small
matrices are made per channel, so a batch of channels costs about its SVDs, whatever the latents' dimensions. Other power limits place
modes otherwise (`PowerLimit.allocate`).

Scaling every message, s' = s √(u P) / ||s||, is not linear, so second moments of x no longer give those of s'. They are measured on the
pilots, in mode coordinates: with z' = z √(u P) / ||F̃ z|| and t = diag(b)^{-2} (W Ψ)ᵀ W (y − μy), the coefficients that best represent W y,
the decoder for messages that are each scaled to the whole budget is

    G = E[t z'ᵀ] Mᵀ (M E[z' z'ᵀ] Mᵀ + N I)^{-1},        M = H F̃.
"""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from latentlink.channels.channel import Channel
from latentlink.latents.packing import alternating, complex_linear_part, halves
from latentlink.linear.modes import SemanticModes
from latentlink.linear.mse import link_mse, parallel_mse
from latentlink.linear.transceiver import LinearTransceiver
from latentlink.links.shapes import check_channel
from latentlink.links.solution import Solution, Status
from latentlink.numerics.division import ratio
from latentlink.numerics.doors import check_instance
from latentlink.power import PerMessage, PowerLimit
from latentlink.streams.allocation import Placement

LinearSolution = Solution[LinearTransceiver]

ROBUST = Status(
    "robust", "feasible for a channel known up to an error, the best of the precoders tried (trace['candidate']); no optimum is known there"
)
REFITTED = Status(
    "refitted", "feasible: the precoder is that of mean power scaled per message, the decoder is refitted to it; no optimum is known"
)
STOPPED = Status("stopped", "feasible, but the gap to the bound (trace['gap']) is above tolerance: raise max_iterations of the power limit")
_ENTRIES = 2**24  # scaled coefficients in memory at a time


def design_exactly(modes: SemanticModes, channel: Channel, limit: PowerLimit) -> LinearSolution:
    """The optimal pair within a power limit for every channel (…, u, n_rx, n_tx); channel errors count as white noise."""
    placed = limit.allocate(modes.strength, channel, widely_linear=modes.widely_linear)
    link = modes.transceiver(channel, placed.streams, placed.precoder, placed.decoder, power_limit=limit.deployed())
    trace = {"stream_power": placed.power} if placed.gap is None else {"stream_power": placed.power, "gap": placed.gap}
    status = _status(placed, limit, channel)
    if placed.response is None:
        solution = expected_on(modes, link, status, trace, link.channel)
    else:
        mse = parallel_mse(modes, placed.response.t, placed.response.noise)
        power = placed.power @ modes.covariance.diagonal()[: placed.power.shape[-1]] / channel.uses
        solution = Solution(link, status, mse, power, trace)
    return _refit_per_message(modes, solution.transceiver, limit) if limit.limits_messages else solution


def expected_on(
    modes: SemanticModes, link: LinearTransceiver, status: Int[Tensor, "*batch"], trace: dict[str, Tensor], channel: Channel | None
) -> LinearSolution:
    """The solution with the expected MSE and power of a link on a channel; MSE is None where that, or what is sent, is not known."""
    mse = None if channel is None or link.power_limit.limits_messages else link_mse(modes, link, channel)
    return Solution(link, status, mse, link.expected_power(modes.covariance), trace)


def in_precision_of(modes: SemanticModes, channel: Channel) -> Channel:
    """The channel in the precision of the modes; a ValueError if modes or channel are of another type, or on different devices."""
    check_instance("modes", modes, SemanticModes, "semantic_modes(moments)")
    check_channel(channel, modes.strength)
    return channel.to(modes.strength.dtype)


def mark_status(status: Int[Tensor, "*batch"], where: Bool[Tensor, "*batch"], by: Status) -> Int[Tensor, "*batch"]:
    """Replace the status of some channels, except for those over which nothing is sent."""
    return status.masked_fill(where & (status != Status.NOTHING_TO_SEND.code), by.code)


def _status(placed: Placement, limit: PowerLimit, channel: Channel) -> Int[Tensor, "*batch"]:
    """The status (…) of the design for each channel."""
    status = (Status.OPTIMAL if limit.is_exact else Status.BASELINE).where(placed.power.sum(-1) > 0)
    if placed.settled is not None:
        return status.masked_fill(~placed.settled, STOPPED.code)
    shared = (channel.error_variance > 0) & (channel.uses > 1)  # E s is correlated over uses that share one error
    return mark_status(status, shared, ROBUST)


def _refit_per_message(modes: SemanticModes, mean_power: LinearTransceiver, limit: PowerLimit) -> LinearSolution:
    """Refit the decoder of a link for the mean power to messages that are scaled one by one; the expected MSE is that on the pilots."""
    pilots = limit
    if not isinstance(pilots, PerMessage) or pilots.x is None or pilots.y is None:
        raise ValueError(f"power must hold the pilots that the decoder is refitted to, PerMessage(x=x, y=y), got {limit!r}")
    got, expected = (pilots.x.shape[1], pilots.y.shape[1]), (len(modes.mean_x), len(modes.mean_y))
    if got != expected:
        raise ValueError(f"power must hold pilots of the modes' dimensions {expected}, got {got}")
    s, channel = mean_power.streams.shape[-1], mean_power.channel
    y = pilots.y.to(modes.mean_y) - modes.mean_y
    z = modes.coefficients(pilots.x.to(modes.mean_x.device))[:, :s]
    explained = y @ modes.synthesis[:, :s]
    wanted = modes.plain_share * explained
    if (W := modes.task_weight) is not None:
        wanted = wanted + y @ W.mT @ (W @ modes.synthesis[:, :s])
    wanted = wanted / modes.strength[:s].square()
    budget = channel.uses * channel.power
    zz, tz, yz = _scaled_moments(z, wanted, explained, mean_power.stream_gram().diagonal(dim1=-2, dim2=-1), budget)
    sent_zz, sent_tz = (zz, tz) if modes.widely_linear else (_complex_linear(zz), _complex_linear(tz))
    columns = mean_power.symbols(torch.eye(s, dtype=zz.dtype, device=zz.device)).flatten(-2).mT  # (…, u t, s): all uses in one group
    transceiver = modes.transceiver(
        channel,
        torch.arange(s, device=zz.device).expand(mean_power.streams.shape),
        torch.cat([columns.real, columns.imag], -2).unsqueeze(-3),
        moments_zz=sent_zz.unsqueeze(-3),
        moments_tz=sent_tz.unsqueeze(-3),
        power_limit=PerMessage(),
    )
    R, noise = transceiver.response(covariance=zz)
    mse = y.square().sum(-1).mean() - 2 * (R * yz).sum((-2, -1)) + (modes.gram[:s, :s] * (R @ zz @ R.mT + noise)).sum((-2, -1))
    sent = zz.flatten(-2).abs().sum(-1) > 0
    trace = {"stream_power": mean_power.stream_gram().diagonal(dim1=-2, dim2=-1)}
    return Solution(transceiver, REFITTED.where(sent), mse, torch.where(sent, channel.power, 0.0), trace)


def _scaled_moments(
    z: Float[Tensor, "n s"],
    wanted: Float[Tensor, "n s"],
    explained: Float[Tensor, "n s"],
    stream_power: Float[Tensor, "*batch s"],
    budget: Float[Tensor, "*batch"],
) -> tuple[Float[Tensor, "*batch s s"], Float[Tensor, "*batch s s"], Float[Tensor, "*batch s s"]]:
    """E[z' z'ᵀ], E[t z'ᵀ] and E[Ψᵀ(y − μy) z'ᵀ] over the pilots, for every channel."""
    n, s = z.shape
    sums = [z.new_zeros(*budget.shape, s, s) for _ in range(3)]
    rows = max(1, _ENTRIES // max(1, budget.numel() * s))
    for zi, ti, yi in zip(z.split(rows), wanted.split(rows), explained.split(rows), strict=True):
        energy = stream_power @ zi.square().mT  # (…, n): ||F̃ z||², the streams being orthogonal
        scale = ratio(budget.unsqueeze(-1), energy).sqrt()
        scaled = zi * scale.unsqueeze(-1)
        for total, left in zip(sums, (scaled, ti, yi), strict=True):
            total += left.mT @ scaled
    return sums[0] / n, sums[1] / n, sums[2] / n


def _complex_linear(moments: Float[Tensor, "*batch s s"]) -> Float[Tensor, "*batch s s"]:
    """The complex-linear part of moments of coefficients, whose real and imaginary parts alternate."""
    part = complex_linear_part(halves(halves(moments).mT).mT)
    return alternating(alternating(part).mT).mT

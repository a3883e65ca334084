"""The exact linear design for channels that are known, or known up to an error that acts as white noise.

For the modes (Φ, Ψ, b) of the latents and the spatial modes H = U diag(h) Vᴴ of the channel, N = σ²/2,

    F = V diag(√p) Φ,        G = Ψ diag( h √p / (h² p + N) ) Uᴴ,        p by MSE water-filling of the budget over b_i and h_i,

strongest with strongest, minimise E||W (y − ŷ)||² over all pairs with Σ_u E||s_u||² ≤ u·P; the least error is

    tr(W Ry Wᵀ) − Σ b_i² + Σ b_i² / (1 + p_i h_i² / N).

The problem is biconvex; that this is its global optimum is due to [lee1976optimum, scaglione2002optimal, palomar2003joint]. Only small
matrices are made per channel, so a batch of channels costs about its SVDs, whatever the latents' dimensions. Other power limits place
modes otherwise (`PowerLimit.allocate`).
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from latentlink.channels.channel import Channel
from latentlink.linear.modes import SemanticModes
from latentlink.linear.mse import link_mse, parallel_mse
from latentlink.linear.per_message import refit_per_message
from latentlink.linear.transceiver import LinearTransceiver
from latentlink.links.solution import Solution, Status
from latentlink.numerics.doors import check_instance
from latentlink.power import PowerLimit
from latentlink.streams.allocation import Placement

LinearSolution = Solution[LinearTransceiver]

ROBUST = Status(
    "robust", "feasible for a channel known up to an error, the best of the precoders tried (trace['candidate']); no optimum is known there"
)
STOPPED = Status("stopped", "feasible, but the gap to the bound (trace['gap']) is above tolerance: raise max_iterations of the power limit")


def design_exactly(modes: SemanticModes, channel: Channel, limit: PowerLimit) -> LinearSolution:
    """The optimal pair within a power limit, for every channel of the batch at once.

    Args:
        modes: semantic modes of the pair of devices.
        channel: batch of channels (…, u, n_rx, n_tx) in the modes' precision; their error counts as white noise.
        limit: power limit of the transmitter.

    Raises:
        ValueError: the limit has no exact design, or its pilots do not fit the modes.
    """
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
    return refit_per_message(modes, solution.transceiver, limit) if limit.limits_messages else solution


def expected_on(
    modes: SemanticModes, link: LinearTransceiver, status: Int[Tensor, "*batch"], trace: dict[str, Tensor], channel: Channel | None
) -> LinearSolution:
    """The solution with the expected MSE and power of a link on a channel; the MSE is None where the channel is not known."""
    mse = None if channel is None else link_mse(modes, link, channel)
    return Solution(link, status, mse, link.expected_power(modes.covariance), trace)


def check_channel(modes: SemanticModes, channel: Channel) -> Channel:
    """Check the arguments of a linear design, and convert the channel to the modes' precision.

    Raises:
        ValueError: modes or channel are of another type, or on different devices.
    """
    check_instance("modes", modes, SemanticModes, "semantic_modes(moments)")
    check_instance("channel", channel, Channel, "Channel.from_snr(h, snr_db)")
    if channel.h.device != modes.strength.device:
        raise ValueError(f"channel must be on the modes' device {modes.strength.device}, got {channel.h.device}")
    return channel.to(modes.strength.dtype)


def sent_or_nothing(stream_power: Float[Tensor, "*batch s"], status: Status) -> Int[Tensor, "*batch"]:
    """The status (…) where a link sends anything, NOTHING_TO_SEND elsewhere."""
    return torch.where(stream_power.sum(-1) > 0, status.code, Status.NOTHING_TO_SEND.code)


def _status(placed: Placement, limit: PowerLimit, channel: Channel) -> Int[Tensor, "*batch"]:
    """The status (…) of the design for each channel."""
    status = sent_or_nothing(placed.power, Status.OPTIMAL if limit.is_exact else Status.BASELINE)
    if placed.settled is not None:
        return status.masked_fill(~placed.settled, STOPPED.code)
    shared = (channel.error_variance > 0) & (channel.uses > 1)  # E s is correlated over uses that share one error
    return status.masked_fill(shared & (status != Status.NOTHING_TO_SEND.code), ROBUST.code)

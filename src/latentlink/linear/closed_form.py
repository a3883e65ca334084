"""The exact linear design for channels that are known, or known up to an error that acts as white noise.

For the modes (Φ, Ψ, b) of the latents and the spatial modes H = U diag(h) Vᴴ of the channel, N = σ²/2,

    F = V diag(√p) Φ,        G = Ψ diag( h √p / (h² p + N) ) Uᴴ,        p by MSE water-filling of the budget over b_i and h_i,

strongest with strongest, minimise E||W (y − ŷ)||² over all pairs with Σ_u E||s_u||² ≤ u·P; the least error is

    tr(W Ry Wᵀ) − Σ b_i² + Σ b_i² / (1 + p_i h_i² / N).

The problem is biconvex; that this is its global optimum is due to [lee1976optimum, scaglione2002optimal, palomar2003joint]. Only small
matrices are made per channel, so a batch of channels costs about its SVDs, whatever the latents' dimensions. Other power limits place
modes otherwise (`PowerLimit.allocate`).
"""

from jaxtyping import Bool, Int
from torch import Tensor

from latentlink.channels.channel import Channel
from latentlink.linear.modes import SemanticModes
from latentlink.linear.mse import link_mse, parallel_mse
from latentlink.linear.per_message import refit_per_message
from latentlink.linear.transceiver import LinearTransceiver
from latentlink.links.shapes import check_channel
from latentlink.links.solution import Solution
from latentlink.links.status import Status
from latentlink.power import PowerLimit
from latentlink.streams.allocation import Placement

LinearSolution = Solution[LinearTransceiver]

ROBUST = Status(
    "robust", "feasible for a channel known up to an error, the best of the precoders tried (trace['candidate']); no optimum is known there"
)
STOPPED = Status("stopped", "feasible, but the gap to the bound (trace['gap']) is above tolerance: raise max_iterations of the power limit")


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
    return refit_per_message(modes, solution.transceiver, limit) if limit.limits_messages else solution


def expected_on(
    modes: SemanticModes, link: LinearTransceiver, status: Int[Tensor, "*batch"], trace: dict[str, Tensor], channel: Channel | None
) -> LinearSolution:
    """The solution with the expected MSE and power of a link on a channel; MSE is None where that, or what is sent, is not known."""
    mse = None if channel is None or link.power_limit.limits_messages else link_mse(modes, link, channel)
    return Solution(link, status, mse, link.expected_power(modes.covariance), trace)


def in_precision_of(modes: SemanticModes, channel: Channel, coloured: bool = False) -> Channel:
    """The channel in the precision of the modes; a ValueError if modes or channel are of another type, or on different devices.

    Interference is refused unless the design serves it (`coloured`).
    """
    check_channel(channel, modes.strength, coloured)
    return channel.to(modes.strength.dtype)


def mark_status(status: Int[Tensor, "*batch"], where: Bool[Tensor, "*batch"], by: Status) -> Int[Tensor, "*batch"]:
    """Replace the status of some channels, except for those over which nothing is sent."""
    return status.masked_fill(where & (status != Status.NOTHING_TO_SEND.code), by.code)


def _status(placed: Placement, limit: PowerLimit, channel: Channel) -> Int[Tensor, "*batch"]:
    """The status (…) of the design for each channel."""
    status = (Status.OPTIMAL if limit.is_exact else Status.BASELINE).where(placed.power.sum(-1) > 0)
    if placed.settled is not None:
        return status.masked_fill(~placed.settled, STOPPED.code)
    if not limit.is_exact:
        return status  # nothing was tried, whatever is known of the channel
    shared = (channel.error_variance > 0) & (channel.uses > 1)  # E s is correlated over uses that share one error
    return mark_status(status, shared, ROBUST)

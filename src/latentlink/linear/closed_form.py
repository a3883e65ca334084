"""The exact linear design: the globally optimal semantic precoder and decoder for known channels, in closed form.

For the modes (Φ, Ψ, b) of the latents and the spatial modes H = U diag(h) Vᴴ of the channel, N = σ²/2,

    F = V diag(√p) Φ,        G = Ψ diag( h √p / (h² p + N) ) Uᴴ,        p by MSE water-filling of the budget over b_i and h_i,

strongest with strongest, minimise E||W (y − ŷ)||² over all pairs with Σ_u E||s_u||² ≤ u·P; the least error is

    tr(W Ry Wᵀ) − Σ b_i² + Σ b_i² / (1 + p_i h_i² / N).

The problem is biconvex; that this is its global optimum is due to [lee1976optimum, scaglione2002optimal, palomar2003joint]. Only small
matrices are made per channel, so a batch of channels costs about its SVDs, whatever the latents' dimensions.
"""

from dataclasses import dataclass, field, replace

import torch
from jaxtyping import Float, Int
from torch import Tensor

from latentlink.channels.channel import Channel, is_block_fading
from latentlink.latents.packing import real_embedding
from latentlink.linear.modes import SemanticModes
from latentlink.linear.mse import parallel_mse, total_mse
from latentlink.linear.per_message import refitted_per_message
from latentlink.linear.per_use import per_use_precoder
from latentlink.linear.robust.at_transmitter import at_transmitter
from latentlink.linear.robust.both_ends import Choice, EstimateAtBothEnds, EstimateAtTransmitter, at_both_ends, believed
from latentlink.linear.transceiver import LinearTransceiver, PowerLimitName
from latentlink.links.solution import Solution, Status
from latentlink.numerics.division import ratio, root
from latentlink.power import Equal, Mean, OneUseAtATime, PerMessage, PerUse, PowerLimit
from latentlink.streams.spatial import Allocation, SpatialModes, embedded


@dataclass(frozen=True)
class ClosedForm:
    """The exact design of a linear pair; `design` takes modes and a whole batch of channels.

    Attributes:
        power: MeanPower() over uses, PerUsePower(), or PerMessagePower(x, y); to compare with, EqualPower() or OneUseAtATime().
        csi: who knows the channel where `channel.error_variance` is not zero: EstimateAtBothEnds() or EstimateAtTransmitter().

    References:
        [palomar2003joint]; [pandolfo2025latent] for the problem.
    """

    power: PowerLimit = field(default_factory=Mean)
    csi: EstimateAtBothEnds | EstimateAtTransmitter = field(default_factory=EstimateAtBothEnds)

    def __post_init__(self) -> None:
        if not isinstance(self.power, PowerLimit):
            raise ValueError(
                f"power must be MeanPower(), PerUsePower(), PerMessagePower(x, y), EqualPower() or OneUseAtATime(), got {self.power!r}"
            )
        if not isinstance(self.csi, EstimateAtBothEnds | EstimateAtTransmitter):
            raise ValueError(f"csi must be EstimateAtBothEnds() or EstimateAtTransmitter(), got {self.csi!r}")

    def design(self, modes: SemanticModes, channel: Channel) -> Solution[LinearTransceiver]:
        """The optimal pair for every channel of the batch at once.

        Differentiable in h, noise and power, but for PerUsePower on uses that differ; where singular values of h coincide only the
        expected values have a derivative, the singular vectors having none.

        Args:
            modes: of the pair of devices, on the channel's device; the design has their precision.
            channel: the channels (…, u, n_rx, n_tx), or what is known of them.

        Returns:
            Solution with `trace` holding `stream_power` (…, s) and, where a bound is involved, `gap` (…).

        Raises:
            ValueError: modes or channel are of another type or on different devices, a per-use or per-message limit is combined with
                EstimateAtTransmitter, or the pilots of PerMessagePower do not fit the modes.
        """
        channel = checked(modes, channel)
        uncertain = bool((channel.error_variance > 0).any())
        if uncertain and isinstance(self.csi, EstimateAtTransmitter):
            if not isinstance(self.power, Mean):
                raise ValueError(f"power must be MeanPower() with EstimateAtTransmitter, got {self.power}")
            mean = Channel(channel.h, channel.noise_variance, channel.power)  # the decoder's until `matched_to` knows better
            return _robust(modes, channel, mean, at_transmitter(modes, channel, self.csi))
        if uncertain and isinstance(self.power, Mean):
            best = at_both_ends(modes, channel)
            return _robust(modes, channel, believed(channel, best.trusting), best)
        if isinstance(self.power, PerUse) and not is_block_fading(channel.h) and len(modes):
            return _per_use(modes, channel, self.power)
        spatial = SpatialModes.of(channel.h)
        if isinstance(self.power, Equal | OneUseAtATime):
            return _use_by_use(modes, channel, spatial, self.power)
        if isinstance(self.power, PerUse):
            return _exact(modes, channel, spatial.spread(), "per use")
        solution = _exact(modes, channel, spatial, "mean")
        return refitted_per_message(modes, solution.transceiver, self.power) if isinstance(self.power, PerMessage) else solution


def _exact(modes: SemanticModes, channel: Channel, spatial: SpatialModes, power_limit: PowerLimitName) -> Solution[LinearTransceiver]:
    """The theorem: power by pooled water-filling over all uses."""
    N = channel.effective_noise / 2
    return _parallel(
        modes, channel, spatial, Allocation.of(modes.strength, spatial.amplitude, N, channel.uses * channel.power), power_limit
    )


def _use_by_use(modes: SemanticModes, channel: Channel, spatial: SpatialModes, power: Equal | OneUseAtATime) -> Solution[LinearTransceiver]:
    """The same pair but for its power, and for which use carries which mode."""
    N, budget = channel.effective_noise / 2, channel.uses * channel.power
    allocation = Allocation.use_by_use(modes.strength, spatial.amplitude, N, budget, isinstance(power, Equal))
    solution = _parallel(modes, channel, spatial, allocation, "per use")
    return replace(solution, status=solution.status.masked_fill(solution.status == Status.OPTIMAL.code, Status.BASELINE.code))


def _parallel(
    modes: SemanticModes, channel: Channel, spatial: SpatialModes, allocation: Allocation, power_limit: PowerLimitName
) -> Solution[LinearTransceiver]:
    """F = V √p Φ, G = Ψ diag(h √p / (h² p + N)) Uᴴ for an allocation p, and the error that is left."""
    N = channel.effective_noise / 2
    h, p, N = allocation.amplitude, allocation.power, N.unsqueeze(-1)
    sqrt_p = root(p)
    gain = ratio(h * sqrt_p, h.square() * p + N)
    precoder = embedded(spatial.transmit, allocation.on_slots(sqrt_p))
    decoder = embedded(spatial.receive, allocation.on_slots(gain)).mT
    transceiver = replace(modes.transceiver(channel, allocation.streams, precoder, decoder), power_limit=power_limit)
    status, trace = _status(p), {"stream_power": p}
    if bool((channel.error_variance > 0).any()):  # E s is noise of its own kind where one error is shared by several uses
        shared = (channel.error_variance > 0) & (channel.uses > 1) & (status == Status.OPTIMAL.code)
        return _judged(modes, transceiver.matched_to(channel), status.masked_fill(shared, Status.ROBUST.code), trace)
    mse = parallel_mse(modes, gain * h * sqrt_p, N * gain.square())
    power = p @ modes.covariance.diagonal()[: p.shape[-1]] / channel.uses
    return Solution(transceiver, status, mse, power, trace)


def _per_use(modes: SemanticModes, channel: Channel, limit: PerUse) -> Solution[LinearTransceiver]:
    """Limits on uses that differ: no closed form, but a bound."""
    spatial = SpatialModes.of(channel.h)
    N = channel.effective_noise / 2
    F, gap = per_use_precoder(modes.strength, spatial.amplitude, N, channel.power, limit.max_iterations, modes.widely_linear)
    antennas = (real_embedding(spatial.transmit) @ F).unflatten(-2, (2, channel.n_tx))  # (…, u, 2, n_tx, s)
    precoder = antennas.movedim(-3, -4).flatten(-4, -2).unsqueeze(-3)  # all uses in one group
    streams = torch.arange(F.shape[-1], device=F.device).expand(*channel.batch, -1)
    transceiver = replace(modes.transceiver(channel, streams, precoder), power_limit="per use")
    stream_power = F.square().sum((-3, -2))
    status = _status(stream_power).masked_fill(gap > limit.tolerance, Status.STOPPED.code)
    return _judged(modes, transceiver, status, {"stream_power": stream_power, "gap": gap})


def _robust(modes: SemanticModes, channel: Channel, known: Channel, best: Choice) -> Solution[LinearTransceiver]:
    """The best of several precoders for an estimated channel, with the decoder for what is known of it."""
    transceiver = modes.transceiver(known, best.streams, best.precoder)
    uncertain = (channel.error_variance > 0) & (best.stream_power.sum(-1) > 0)
    if best.trusting is not None and channel.uses == 1:
        uncertain &= best.trusting  # else it is the optimum
    status = _status(best.stream_power).masked_fill(uncertain, Status.ROBUST.code)
    trace = {"stream_power": best.stream_power, "candidate": best.number}
    p = best.stream_power  # of beams at right angles within each use
    power = p @ modes.covariance.diagonal()[: p.shape[-1]] / channel.uses
    return Solution(transceiver, status, best.mse, power, trace)


def _judged(modes: SemanticModes, transceiver: LinearTransceiver, status: Tensor, trace: dict[str, Tensor]) -> Solution[LinearTransceiver]:
    """Expected values from the transceiver's own response, for designs whose response is not diagonal."""
    s = transceiver.streams.shape[-1]
    mse = total_mse(modes, *transceiver.response(covariance=modes.covariance[:s, :s]))
    return Solution(transceiver, status, mse, transceiver.expected_power(modes.covariance), trace)


def checked(modes: SemanticModes, channel: Channel) -> Channel:
    """The channel in the modes' precision.

    Raises:
        ValueError: modes or channel are of another type, or on different devices.
    """
    if not isinstance(modes, SemanticModes):
        raise ValueError(f"modes must be SemanticModes (semantic_modes(moments)), got {type(modes).__name__}")
    if not isinstance(channel, Channel):
        raise ValueError(f"channel must be a Channel (Channel.from_snr(h, snr_db)), got {type(channel).__name__}")
    if channel.h.device != modes.strength.device:
        raise ValueError(f"channel must be on the modes' device {modes.strength.device}, got {channel.h.device}")
    return channel.to(modes.strength.dtype)


def _status(stream_power: Float[Tensor, "*batch s"]) -> Int[Tensor, "*batch"]:
    return torch.where(stream_power.sum(-1) > 0, Status.OPTIMAL.code, Status.NOTHING_TO_SEND.code)

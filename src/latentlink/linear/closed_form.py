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
from latentlink.linear.errors import parallel_mse, total_mse
from latentlink.linear.modes import SemanticModes
from latentlink.linear.power import MeanPower, PerMessagePower, PerUsePower, PowerLimit, per_use_precoder
from latentlink.linear.refit import refitted_per_message
from latentlink.linear.robust import Choice, EstimateAtBothEnds, EstimateAtTransmitter, at_both_ends, at_transmitter
from latentlink.linear.spatial import Allocation, SpatialModes
from latentlink.linear.transceiver import LinearTransceiver
from latentlink.transceiver import Solution, Status


@dataclass(frozen=True)
class ClosedForm:
    """The exact design of a linear pair; `design` takes modes and a whole batch of channels.

    Attributes:
        power: MeanPower() over uses, PerUsePower(), or PerMessagePower(x, y).
        csi: who knows the channel where `channel.error_variance` is not zero: EstimateAtBothEnds() or EstimateAtTransmitter().

    References:
        [palomar2003joint]; [pandolfo2025latent] for the problem.
    """

    power: PowerLimit = field(default_factory=MeanPower)
    csi: EstimateAtBothEnds | EstimateAtTransmitter = field(default_factory=EstimateAtBothEnds)

    def __post_init__(self) -> None:
        if not isinstance(self.power, PowerLimit):
            raise ValueError(f"power must be MeanPower(), PerUsePower() or PerMessagePower(x, y), got {self.power!r}")
        if not isinstance(self.csi, EstimateAtBothEnds | EstimateAtTransmitter):
            raise ValueError(f"csi must be EstimateAtBothEnds() or EstimateAtTransmitter(), got {self.csi!r}")

    def design(self, modes: SemanticModes, channel: Channel) -> Solution:
        """The optimal pair for every channel of the batch at once.

        Differentiable in h, noise and power, but for PerUsePower on uses that differ; where singular values of h coincide only the
        expected values have a derivative, the singular vectors having none.

        Args:
            modes: of the pair of devices, on the channel's device; the design has their precision.
            channel: the channels (…, u, n_rx, n_tx), or what is known of them.

        Returns:
            Solution with `trace` holding `stream_power` (…, s) and, where a bound is involved, `gap` (…).

        Raises:
            ValueError: modes or channel are of another type, a per-use or per-message limit is combined with
                EstimateAtTransmitter, or the pilots of PerMessagePower do not fit the modes.
        """
        if not isinstance(modes, SemanticModes):
            raise ValueError(f"modes must be SemanticModes (ClosedForm needs modes: semantic_modes(moments)), got {type(modes).__name__}")
        if not isinstance(channel, Channel):
            raise ValueError(f"channel must be a Channel (Channel.from_snr(h, snr_db)), got {type(channel).__name__}")
        if channel.h.device != modes.strength.device:
            raise ValueError(f"channel must be on the modes' device {modes.strength.device}, got {channel.h.device}")
        channel = channel.to(modes.strength.dtype)
        uncertain = bool((channel.error_variance > 0).any())
        if uncertain and isinstance(self.csi, EstimateAtTransmitter):
            if not isinstance(self.power, MeanPower):
                raise ValueError(f"power must be MeanPower() with EstimateAtTransmitter, got {self.power}")
            return self._robust(
                modes, channel, at_transmitter(modes, channel, self.csi), Channel(channel.h, channel.noise_variance, channel.power)
            )
        if uncertain and channel.uses > 1 and isinstance(self.power, MeanPower):
            return self._robust(modes, channel, at_both_ends(modes, channel), channel)
        if isinstance(self.power, PerUsePower) and not is_block_fading(channel.h) and len(modes):
            return self._per_use(modes, channel, self.power)
        spatial = SpatialModes.of(channel.h)
        if isinstance(self.power, PerUsePower) and channel.uses > 1:
            spatial = spatial.spread()
        noise = design_noise(channel)
        allocation = Allocation.of(modes.strength, spatial.amplitude, noise, channel.uses * channel.power)
        transceiver = _matched(modes, channel, spatial, allocation, noise)
        if isinstance(self.power, PerUsePower):
            transceiver = replace(transceiver, power_limit="per use")
        if isinstance(self.power, PerMessagePower):
            return refitted_per_message(modes, transceiver, self.power)
        trace = {"stream_power": allocation.power}
        status = _status(allocation.power)
        if uncertain:
            spread = (channel.error_variance > 0) & (status == Status.OPTIMAL.code) & (channel.uses > 1)
            return _solution(modes, transceiver.matched_to(channel), status.masked_fill(spread, Status.ROBUST.code), trace)
        h, p = allocation.amplitude, allocation.power
        t, gain = h.square() * p, _receive_gain(h, p, noise)
        t = torch.where(t > 0, t / _positive(t + noise.unsqueeze(-1)), 0.0)
        mse = parallel_mse(modes, t, noise.unsqueeze(-1) * gain.square())
        power = p @ modes.covariance.diagonal()[: p.shape[-1]] / channel.uses
        return Solution(transceiver, status, mse, power, trace)

    def _robust(self, modes: SemanticModes, channel: Channel, best: Choice, known: Channel) -> Solution:
        """The best of the candidates, with a decoder for what is known of the channel until `matched_to` knows more."""
        transceiver = modes.transceiver(known, best.streams, best.precoder)
        power = transceiver.expected_power(modes.covariance)
        uncertain = (channel.error_variance > 0) & (best.stream_power.sum(-1) > 0)
        status = _status(best.stream_power).masked_fill(uncertain, Status.ROBUST.code)
        return Solution(transceiver, status, best.mse, power, {"stream_power": best.stream_power, "candidate": best.number})

    def _per_use(self, modes: SemanticModes, channel: Channel, limit: PerUsePower) -> Solution:
        spatial = SpatialModes.of(channel.h)
        F, gap = per_use_precoder(
            modes.strength, spatial.amplitude, design_noise(channel), channel.power, limit.max_iterations, modes.widely_linear
        )
        transmit = SpatialModes(spatial.amplitude, spatial.transmit, None)
        beams = transmit.embedded(transmit.transmit, torch.ones_like(F[..., 0]))  # (…, u, 2t, 2q)
        precoder = (beams @ F).unflatten(-2, (2, channel.n_tx)).movedim(-3, -4).flatten(-4, -2).unsqueeze(-3)
        streams = torch.arange(F.shape[-1], device=F.device).expand(*channel.batch, -1)
        transceiver = replace(modes.transceiver(channel, streams, precoder), power_limit="per use")
        status = _status(F.square().sum(-2).sum(-2)).masked_fill(gap > limit.tolerance, Status.STOPPED.code)
        return _solution(modes, transceiver, status, {"stream_power": F.square().sum((-3, -2)), "gap": gap})


def design_noise(channel: Channel) -> Float[Tensor, "*batch"]:
    """N (…), noise variance per real dimension, in which a channel error of variance τ counts as τ P."""
    return (channel.noise_variance + channel.error_variance * channel.power) / 2


def _positive(values: Tensor) -> Tensor:
    return torch.where(values > 0, values, 1.0)


def _receive_gain(h: Tensor, p: Tensor, noise: Tensor) -> Float[Tensor, "*batch s"]:
    """h √p / (h² p + N), zero for streams without power."""
    root = torch.where(p > 0, _positive(p).sqrt(), 0.0)  # the derivative of √ at 0 is not finite
    received = h * root
    return torch.where(received > 0, received / _positive(received.square() + noise.unsqueeze(-1)), 0.0)


def _status(stream_power: Float[Tensor, "*batch s"]) -> Int[Tensor, "*batch"]:
    sent = stream_power.sum(-1) > 0
    return torch.where(sent, Status.OPTIMAL.code, Status.NOTHING_TO_SEND.code)


def _matched(
    modes: SemanticModes, channel: Channel, spatial: SpatialModes, allocation: Allocation, noise: Float[Tensor, "*batch"]
) -> LinearTransceiver:
    """F = V √p and G = diag(h √p / (h² p + N)) Uᴴ on the slots."""
    p, h = allocation.on_slots(allocation.power), allocation.on_slots(allocation.amplitude)
    root = torch.where(p > 0, _positive(p).sqrt(), 0.0)
    precoder = spatial.embedded(spatial.transmit, root)
    assert spatial.receive is not None
    decoder = spatial.embedded(spatial.receive, _receive_gain(h, p, noise.unsqueeze(-1))).mT
    return modes.transceiver(channel, allocation.streams, precoder, decoder)


def _solution(modes: SemanticModes, transceiver: LinearTransceiver, status: Tensor, trace: dict[str, Tensor]) -> Solution:
    """Expected values from the transceiver's own response, for designs whose response is not diagonal."""
    mse = total_mse(modes, *transceiver.response(covariance=_judging(modes, transceiver)))
    return Solution(transceiver, status, mse, transceiver.expected_power(modes.covariance), trace)


def _judging(modes: SemanticModes, transceiver: LinearTransceiver) -> Float[Tensor, "s s"]:
    """E[z zᵀ] of the streams under the pilots."""
    s = transceiver.streams.shape[-1]
    return modes.covariance[:s, :s]

"""Designs that know the channel up to an error: H = H̄ + E with E i.i.d. CN(0, τ), as `Channel.estimated` gives it.

EstimateAtBothEnds: precoder and decoder know H̄ only. E s_u then acts as noise of variance τ E||s_u||². For one use, where all the power
goes, the closed form on H̄ with noise σ² + τ P is exact. Over several uses the noise of each depends on the power it is given; compared
are noise σ² (naive), σ² + τ P in all uses, and σ² + τ P_u with the P_u that result (a fixed point).

EstimateAtTransmitter: the receiver sees H F (radio pilots pass the precoder) and matches its decoder to it, so E is no noise at all, only
F is uncertain. Compared are precoders on H̄ with noise σ² (naive), on a square root of E[Hᴴ H] = H̄ᴴ H̄ + n_rx τ I with noise σ² (a bound
by Jensen's inequality, best at high SNR), and on H̄ with noise σ² + τ P.

The candidates are judged channel by channel, exactly in the first case and by Monte Carlo on E in the second, and the best is taken.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from latentlink.channels.channel import Channel, is_block_fading
from latentlink.channels.csi import inflated
from latentlink.linear.errors import total_mse
from latentlink.linear.modes import SemanticModes
from latentlink.linear.spatial import Allocation, SpatialModes, embedded

_FIXED_POINT_STEPS = 30  # halving the distance to σ² + τ P_u at each: 1e-9 of the way is left


@dataclass(frozen=True)
class EstimateAtBothEnds:
    """Transmitter and receiver know the same estimate of the channel."""


@dataclass(frozen=True)
class EstimateAtTransmitter:
    """The transmitter knows an estimate; the receiver knows H F and refits with `matched_to` at reception.

    Attributes:
        draws: Monte Carlo draws of the channel error for each channel.
        seed: of those draws.

    Raises:
        ValueError: draws is below 1.
    """

    draws: int = 64
    seed: int = 0

    def __post_init__(self) -> None:
        if self.draws < 1:
            raise ValueError(f"draws must be at least 1, got {self.draws}")


@dataclass(frozen=True, eq=False)
class Candidate:
    """A precoder: streams (…, s), their power (…, s) and F̃ (…, u, 2 n_tx, 2q)."""

    streams: Int[Tensor, "*batch s"]
    stream_power: Float[Tensor, "*batch s"]
    precoder: Float[Tensor, "*batch u t2 q2"]


@dataclass(frozen=True, eq=False)
class Choice(Candidate):
    """The best candidate for each channel: also its number (…) and its expected, unweighted MSE (…)."""

    number: Int[Tensor, "*batch"]
    mse: Float[Tensor, "*batch"]


def at_both_ends(modes: SemanticModes, channel: Channel) -> Choice:
    """The best of the candidates for several uses (see the module), for each channel; numbers: 0 naive, 1 noisier, 2 fixed point."""
    spatial = SpatialModes.of(channel.h)
    tau, sigma = channel.error_variance.unsqueeze(-1), channel.noise_variance.unsqueeze(-1)
    per_use = channel.power.unsqueeze(-1).expand(*channel.batch, channel.uses)
    noises = [sigma.expand_as(per_use), sigma + tau * per_use]
    noise = noises[1]
    for _ in range(_FIXED_POINT_STEPS):
        allocation = _allocated(modes, channel, spatial, noise)
        noise = (noise + sigma + tau * allocation.on_slots(allocation.power).sum(-1)) / 2
    candidates = []
    for noise_per_use in (*noises, noise):
        allocation = _allocated(modes, channel, spatial, noise_per_use)
        root = allocation.on_slots(allocation.power).sqrt()
        candidates.append(Candidate(allocation.streams, allocation.power, embedded(spatial.transmit, root)))

    def judge(candidate: Candidate) -> tuple[Tensor, Tensor]:
        link = modes.transceiver(channel, candidate.streams, candidate.precoder)
        s = candidate.streams.shape[-1]
        return _weighted_error(modes, *link.response()), total_mse(modes, *link.response(covariance=modes.covariance[:s, :s]))

    return _best(candidates, judge)


def _allocated(modes: SemanticModes, channel: Channel, spatial: SpatialModes, noise: Float[Tensor, "*batch u"]) -> Allocation:
    """The allocation for a noise variance of its own in each use: amplitudes are scaled to a common one."""
    common = noise.amax(-1)
    scale = torch.where(noise > 0, common.unsqueeze(-1) / torch.where(noise > 0, noise, 1.0), 1.0).sqrt()
    return Allocation.of(modes.strength, spatial.amplitude * scale.unsqueeze(-1), common / 2, channel.uses * channel.power)


def at_transmitter(modes: SemanticModes, channel: Channel, csi: EstimateAtTransmitter) -> Choice:
    """The best of the candidates for a receiver that knows H F, for each channel; numbers: 0 naive, 1 inflated, 2 noisier."""
    tau, none = channel.error_variance, torch.zeros_like(channel.error_variance)
    plain, noisier = channel.noise_variance / 2, (channel.noise_variance + tau * channel.power) / 2
    candidates = [_on_second_moment(modes, channel, error, noise) for error, noise in ((none, plain), (tau, plain), (none, noisier))]
    shape = (*channel.batch, 1 if is_block_fading(channel.h) else channel.uses, channel.n_rx, channel.n_tx)

    def judge(candidate: Candidate) -> tuple[Tensor, Tensor]:
        generator = torch.Generator(device=channel.h.device).manual_seed(csi.seed)  # the same draws for every candidate
        link = modes.transceiver(channel, candidate.streams, candidate.precoder)
        weighted, unweighted = torch.zeros_like(tau), torch.zeros_like(tau)
        for _ in range(csi.draws):
            E = torch.randn(shape, dtype=channel.h.dtype, device=channel.h.device, generator=generator)
            drawn = Channel(channel.h + tau.sqrt()[..., None, None, None] * E, channel.noise_variance, channel.power)
            T, noise = link.matched_to(drawn).response()
            weighted += _weighted_error(modes, T, noise) / csi.draws
            unweighted += total_mse(modes, T, noise) / csi.draws
        return weighted, unweighted

    return _best(candidates, judge)


def _on_second_moment(modes: SemanticModes, channel: Channel, error: Tensor, noise: Tensor) -> Candidate:
    """V √p on a square root of H̄ᴴ H̄ + n_rx · error · I, for a noise variance N per real dimension."""
    amplitude, V = inflated(channel.h, error)
    cut = torch.finfo(amplitude.dtype).eps ** 0.5 * channel.n_tx * amplitude[..., :1]  # a root of eigenvalues keeps half the digits
    amplitude = torch.where(amplitude > cut, amplitude, 0.0)
    allocation = Allocation.of(modes.strength, amplitude, noise, channel.uses * channel.power)
    precoder = embedded(V, allocation.on_slots(allocation.power).sqrt())
    return Candidate(allocation.streams, allocation.power, precoder)


def _weighted_error(modes: SemanticModes, T: Float[Tensor, "*batch s s"], noise: Float[Tensor, "*batch s s"]) -> Float[Tensor, "*batch"]:
    """Σ b² of what is left of each mode (…), under the design covariance."""
    b = modes.strength[: T.shape[-1]]
    return (1 - 2 * T + T @ T.mT + noise).diagonal(dim1=-2, dim2=-1) @ b.square()


def _best(candidates: list[Candidate], judge: Callable[[Candidate], tuple[Tensor, Tensor]]) -> Choice:
    """Of several candidates the one of least weighted error, channel by channel; the first of equals."""
    verdicts = [judge(candidate) for candidate in candidates]
    number = torch.stack([weighted for weighted, _ in verdicts]).argmin(0)

    def pick(values: list[Tensor]) -> Tensor:
        stacked = torch.stack(values)
        index = number.reshape(1, *number.shape, *(1,) * (stacked.ndim - 1 - number.ndim))
        return stacked.gather(0, index.expand(1, *stacked.shape[1:])).squeeze(0)

    return Choice(
        pick([c.streams for c in candidates]),
        pick([c.stream_power for c in candidates]),
        pick([c.precoder for c in candidates]),
        number,
        pick([unweighted for _, unweighted in verdicts]),
    )

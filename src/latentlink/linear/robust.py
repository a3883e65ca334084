"""Designs that know the channel up to an error: H = H̄ + E with E i.i.d. CN(0, τ), as `Channel.estimated` gives it.

EstimateAtBothEnds: precoder and decoder know H̄ only. E s then acts as noise of variance τ E||s_u||², so the exact design for one use
(and wherever each use
carries P) is the closed form on H̄ with noise σ² + τ P.

EstimateAtTransmitter: the receiver sees H F (radio pilots pass the precoder) and matches its decoder to it, so E is no noise at all, only
F is uncertain.
Three precoders are compared by Monte Carlo on E, channel by channel: on H̄ with noise σ² (naive), on a square root of
E[Hᴴ H] = H̄ᴴ H̄ + n_rx τ I with noise σ² (a bound by Jensen's inequality, best at high SNR), and on H̄ with noise σ² + τ P. The best is taken.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from latentlink.channels.channel import Channel, is_block_fading
from latentlink.channels.csi import inflated
from latentlink.latents.packing import real_embedding
from latentlink.linear.errors import total_mse
from latentlink.linear.modes import SemanticModes
from latentlink.linear.spatial import Allocation


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


def chosen_precoder(
    modes: SemanticModes, channel: Channel, csi: EstimateAtTransmitter
) -> tuple[Int[Tensor, "*batch s"], Float[Tensor, "*batch u t2 q2"], Float[Tensor, "*batch"], Int[Tensor, "*batch"]]:
    """The best candidate for each channel of the batch.

    Returns:
        its streams, its precoder, its expected unweighted MSE with a matched decoder (mean over the draws), and its number
        (0 naive, 1 inflated, 2 noisier).
    """
    tau, none = channel.error_variance, torch.zeros_like(channel.error_variance)
    plain, noisier = channel.noise_variance / 2, (channel.noise_variance + tau * channel.power) / 2
    candidates = [_precoder(modes, channel, error, noise) for error, noise in ((none, plain), (tau, plain), (none, noisier))]
    weighted, unweighted = [], []
    for allocation, precoder in candidates:
        values = _matched_errors(modes, channel, allocation, precoder, csi)
        weighted.append(values[0])
        unweighted.append(values[1])
    choice = torch.stack(weighted).argmin(0)  # the first of equals: naive

    def pick(values: list[Tensor]) -> Tensor:
        stacked = torch.stack(values)
        index = choice.reshape(1, *choice.shape, *(1,) * (stacked.ndim - 1 - choice.ndim))
        return stacked.gather(0, index.expand(1, *stacked.shape[1:])).squeeze(0)

    streams = pick([allocation.streams for allocation, _ in candidates])
    return streams, pick([precoder for _, precoder in candidates]), pick(unweighted), choice


def _precoder(modes: SemanticModes, channel: Channel, error: Tensor, noise: Tensor) -> tuple[Allocation, Float[Tensor, "*batch u t2 q2"]]:
    """V √p on a square root of H̄ᴴ H̄ + n_rx · error · I, for a noise variance N per real dimension."""
    amplitude, V = inflated(channel.h, error)
    cut = torch.finfo(amplitude.dtype).eps ** 0.5 * channel.n_tx * amplitude[..., :1]  # a root of eigenvalues keeps half the digits
    amplitude = torch.where(amplitude > cut, amplitude, 0.0)
    allocation = Allocation.of(modes.strength, amplitude, noise, channel.uses * channel.power)
    return allocation, real_embedding(V) * allocation.on_slots(allocation.power).sqrt().unsqueeze(-2)


def _matched_errors(
    modes: SemanticModes, channel: Channel, allocation: Allocation, precoder: Tensor, csi: EstimateAtTransmitter
) -> tuple[Float[Tensor, "*batch"], Float[Tensor, "*batch"]]:
    """Weighted and unweighted MSE with a matched decoder, mean over draws of E (the same draws for every candidate)."""
    generator = torch.Generator(device=channel.h.device).manual_seed(csi.seed)
    transceiver = modes.transceiver(channel, allocation.streams, precoder)
    b = modes.strength[: allocation.streams.shape[-1]]
    weighted = torch.zeros_like(channel.power)
    unweighted = torch.zeros_like(channel.power)
    shape = (*channel.h.shape[:-3], 1, *channel.h.shape[-2:]) if is_block_fading(channel.h) else channel.h.shape
    for _ in range(csi.draws):
        E = torch.randn(shape, dtype=channel.h.dtype, device=channel.h.device, generator=generator)
        drawn = Channel(channel.h + channel.error_variance.sqrt()[..., None, None, None] * E, channel.noise_variance, channel.power)
        T, noise = transceiver.matched_to(drawn).response()
        weighted += (1 - 2 * T + T @ T.mT + noise).diagonal(dim1=-2, dim2=-1) @ b.square()
        unweighted += total_mse(modes, T, noise)
    return weighted / csi.draws, unweighted / csi.draws

"""Designs that know the channel up to an error: H = H̄ + E with E i.i.d. CN(0, τ), as `Channel.estimated` gives it.

EstimateAtBothEnds: precoder and decoder know H̄ only. E s_u then acts as noise of variance τ E||s_u||². For one use, where all the power
goes, the closed form on H̄ with noise σ² + τ P is exact. Over several uses a use's noise N_u = σ² + τ P_u grows with the power it is given.
With x_i = p_i h_i² / N_u, the SNR of a stream, and c_u = Σ_{i ∈ u} x_i / h_i², the power spent is P_u = σ² c_u / (1 − τ c_u), so that

    min over x ≥ 0 of  Σ b_i² / (1 + x_i)    s.t.    Σ_u σ² c_u / (1 − τ c_u) ≤ u·P

is convex for any pairing of modes with symbols, and at its optimum a unit of x_i costs N_u² / (σ² h_i²): uses are priced by the square of
their noise, since power also raises the noise of its neighbours. Prices settle at ties, where the pairing is free and decides which use
carries how much: modes are balanced over uses (`balancing`). Uses that share one E (block fading) are no other case as long as a stream
stays within a use: streams are uncorrelated, and so is then what E makes of them. Compared are precoders for noise σ² (naive), for
σ² + τ P in all uses, this one balanced, and balanced ones at prices that are iterated with the powers.

The candidates are judged exactly, channel by channel. EstimateAtTransmitter is the other case: see `robust_precoder`.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from latentlink.channels.channel import Channel, is_block_fading
from latentlink.linear.modes import SemanticModes
from latentlink.linear.mse import parallel_mse, response_mse
from latentlink.linear.robust.balancing import balanced
from latentlink.numerics.division import ratio, root
from latentlink.streams.spatial import Allocation, SpatialModes, embedded

_PRICE_STEPS = 8  # halving the distance at each; all are judged and the best is kept, settled or not
_SEARCHED = 2**15  # symbols whose allocation is searched for at once: what a processor's cache holds


@dataclass(frozen=True)
class EstimateAtBothEnds:
    """Transmitter and receiver know the same estimate of the channel."""


@dataclass(frozen=True)
class EstimateAtTransmitter:
    """The transmitter knows an estimate; the receiver knows H F and refits with `matched_to` at reception.

    The naive precoder is kept wherever no other is surely better, by three standard errors of the paired draws.

    Attributes:
        draws: Monte Carlo draws of an error matrix for each channel, shared out over its uses; two for each use at least.
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
class Choice:
    """The chosen precoder of each channel.

    Attributes:
        streams: (…, s). stream_power: (…, s). precoder: F̃ (…, u, 2 n_tx, 2q).
        number: of the candidate (…). mse: expected, unweighted, in total (…).
        trusting: channels (…) whose decoder takes the estimate for the channel; None where none does.
    """

    streams: Int[Tensor, "*batch s"]
    stream_power: Float[Tensor, "*batch s"]
    precoder: Float[Tensor, "*batch u t2 q2"]
    number: Int[Tensor, "*batch"]
    mse: Float[Tensor, "*batch"]
    trusting: Bool[Tensor, "*batch"] | None = None


def at_both_ends(modes: SemanticModes, channel: Channel) -> Choice:
    """The best of the candidates (see the module), for each channel: 0 naive precoder, 1 noisier, 2 balanced, 3 priced, 4 naive pair.

    The last, the naive precoder with a decoder that takes the estimate for the channel, is worse by design. Under shrinkage the pilots'
    covariance is less than that of the design, though, and so is the noise that E makes: it is taken where it is better under that one.
    """
    spatial = SpatialModes.of(channel.h)
    uses, q = spatial.amplitude.shape[-2:]
    flat, amplitude = channel.flattened(), spatial.amplitude.reshape(-1, uses, q)
    count = max(1, _SEARCHED // (uses * q))
    parts = [_searched(modes, flat[i : i + count], amplitude[i : i + count]) for i in range(0, max(1, len(amplitude)), count)]
    number, streams, h, p = (torch.cat(values).reshape((*channel.batch, *values[0].shape[1:])) for values in zip(*parts, strict=True))
    best = Allocation(streams, h, p, (uses, 2 * q))
    plain, designed = channel.noise_variance.unsqueeze(-1).expand(*channel.batch, uses), _noise(channel, best)
    trusting = torch.zeros_like(number, dtype=torch.bool)
    if _coloured(modes):
        naive = Allocation.of(modes.strength, spatial.amplitude, channel.noise_variance / 2, channel.uses * channel.power)
        trusting = _weighted(modes, channel, naive, plain) < _weighted(modes, channel, best, designed)
        best, number = _merged(trusting, naive, best), number.masked_fill(trusting, 4)
        designed = torch.where(trusting.unsqueeze(-1), plain, designed)
    precoder = embedded(spatial.transmit, best.on_slots(root(best.power)))
    mse = _both_ends_mse(modes, channel, best, precoder, designed, trusting)
    return Choice(best.streams, best.power, precoder, number, mse, trusting)


def believed(channel: Channel, trusting: Bool[Tensor, "*batch"] | None) -> Channel:
    """The channel as decoders take it: without error where they trust the estimate."""
    return channel if trusting is None else replace(channel, error_variance=channel.error_variance.masked_fill(trusting, 0.0))


def _coloured(modes: SemanticModes) -> bool:
    """Whether the pilots' covariance is not that of the design, I."""
    eye = torch.eye(len(modes), dtype=modes.covariance.dtype, device=modes.covariance.device)
    return bool(((modes.covariance - eye).abs() > torch.finfo(eye.dtype).eps ** 0.5).any())


def _weighted(modes: SemanticModes, channel: Channel, used: Allocation, designed: Float[Tensor, "*batch u"]) -> Float[Tensor, "*batch"]:
    """Σ b² E(z − ẑ)² under the pilots' covariance, of a decoder for a noise N_u of its own."""
    b, C = modes.strength[: used.power.shape[-1]].square(), modes.covariance.diagonal()[: used.power.shape[-1]]
    gain, real = _decoded(channel, used, designed, C)
    t = gain * used.amplitude * root(used.power)
    return (1 - 2 * t + t.square() * C + real * gain.square()) @ b


def _decoded(
    channel: Channel, used: Allocation, designed: Float[Tensor, "*batch u"], C: Float[Tensor, "s"]
) -> tuple[Float[Tensor, "*batch s"], Float[Tensor, "*batch s"]]:
    """Gains of an LMMSE decoder for a noise N_u (…, u), and the noise N per real dimension that streams of variances C really meet."""
    h, p = used.amplitude, used.power
    gain = ratio(h * root(p), h.square() * p + _of_streams(used, designed) / 2)
    real = channel.noise_variance.unsqueeze(-1) + channel.error_variance.unsqueeze(-1) * used.on_slots(p * C).sum(-1)
    return gain, _of_streams(used, real) / 2


def _searched(
    modes: SemanticModes, channel: Channel, amplitude: Float[Tensor, "c u q"]
) -> tuple[Int[Tensor, "c"], Int[Tensor, "c s"], Float[Tensor, "c s"], Float[Tensor, "c s"]]:
    """Number, streams, amplitude and power of the best of the candidates."""
    number = torch.zeros(channel.batch, dtype=torch.long, device=channel.h.device)
    tries = enumerate(_tries(modes, channel, amplitude))
    _, best = next(tries)
    least = _left(modes, channel, best)
    for step, tried in tries:
        error = _left(modes, channel, tried)
        better = error < least
        best, least = _merged(better, tried, best), torch.where(better, error, least)
        number = torch.where(better, min(step, 3), number)
    return number, best.streams, best.amplitude, best.power


def _left(modes: SemanticModes, channel: Channel, used: Allocation) -> Float[Tensor, "*batch"]:
    """Σ b² / (1 + p h² / N) with N = N_u/2, as Σ b² N / (N + p h²), over the modes that have a slot."""
    received, N = used.power * used.amplitude.square(), _of_streams(used, _noise(channel, used)) / 2
    rest = torch.where(received > 0, N / torch.where(received > 0, N + received, 1.0), 1.0)
    return rest @ modes.strength[: rest.shape[-1]].square()


def _tries(modes: SemanticModes, channel: Channel, amplitude: Float[Tensor, "c u q"]) -> Iterator[Allocation]:
    """The allocations that are compared, the naive one first."""
    budget, in_pairs = channel.uses * channel.power, not modes.widely_linear
    yield Allocation.of(modes.strength, amplitude, channel.noise_variance / 2, budget)
    white = channel.effective_noise / 2
    tried = Allocation.of(modes.strength, amplitude, white, budget)
    yield tried
    if channel.uses == 1:  # the optimum
        return
    tried = balanced(modes.strength, tried, white, budget, in_pairs)
    N = _noise(channel, tried)
    for _ in range(_PRICE_STEPS):
        yield tried
        tried = _priced(modes, channel, amplitude, N)
        N = (N + _noise(channel, tried)) / 2


def _noise(channel: Channel, used: Allocation) -> Float[Tensor, "*batch u"]:
    """N_u = σ² + τ P_u."""
    return channel.noise_variance.unsqueeze(-1) + channel.error_variance.unsqueeze(-1) * used.on_slots(used.power).sum(-1)


def _priced(modes: SemanticModes, channel: Channel, amplitude: Float[Tensor, "c u q"], N: Float[Tensor, "c u"]) -> Allocation:
    """The balanced allocation at prices N_u² / h_i² of SNR, brought to the budget.

    With the spending linearised at P_u = (N_u − σ²) / τ, Σ_u N_u² c_u = Σ_u P_u N_u: water-filling in units of p N_u.
    """
    budget, tau = channel.uses * channel.power, channel.error_variance.unsqueeze(-1)
    most = N.amax(-1)
    scale = torch.where(N > 0, most.unsqueeze(-1) / torch.where(N > 0, N, 1.0), 1.0)
    spent = (ratio(N - channel.noise_variance.unsqueeze(-1), tau.expand_as(N)) * N).sum(-1)
    spent = torch.where(channel.error_variance > 0, spent, budget * most)
    used = Allocation.of(modes.strength, amplitude * scale.unsqueeze(-1), most.square() / 2, spent)
    used = balanced(modes.strength, used, most.square() / 2, spent, not modes.widely_linear)
    power = ratio(used.power, _of_streams(used, N))
    total = power.sum(-1, keepdim=True)
    power = power * ratio(budget.unsqueeze(-1).expand_as(total), total)
    return Allocation(used.streams, used.amplitude / _of_streams(used, scale), power, used.slots)


def _of_streams(used: Allocation, values: Float[Tensor, "*batch u"]) -> Float[Tensor, "*batch s"]:
    """What belongs to the use of each stream."""
    return values.expand(*used.streams.shape[:-1], -1).gather(-1, used.streams // used.slots[1])


def _merged(better: Tensor, new: Allocation, old: Allocation) -> Allocation:
    chosen = better.unsqueeze(-1)
    streams, amplitude, power = (torch.where(chosen, getattr(new, name), getattr(old, name)) for name in ("streams", "amplitude", "power"))
    return Allocation(streams, amplitude, power, old.slots)


def _both_ends_mse(
    modes: SemanticModes, channel: Channel, used: Allocation, precoder: Tensor, designed: Tensor, trusting: Tensor
) -> Float[Tensor, "*batch"]:
    """Unweighted, under the pilots' covariance C: E s has the variance τ Σ_{i ∈ u} p_i C_ii in use u, whatever the decoder expects."""
    scale = modes.gram.diagonal()
    mixed = ((modes.gram - torch.diag(scale)).abs() > torch.finfo(scale.dtype).eps ** 0.5 * scale.sum()).any()
    if channel.uses > 1 and is_block_fading(channel.h) and bool(mixed):  # what one E makes of different uses is correlated
        return response_mse(modes, channel, used.streams, precoder, believed(channel, trusting))
    gain, real = _decoded(channel, used, designed, modes.covariance.diagonal()[: used.power.shape[-1]])
    return parallel_mse(modes, gain * used.amplitude * root(used.power), real * gain.square())

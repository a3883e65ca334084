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

EstimateAtTransmitter: the receiver sees H F (radio pilots pass the precoder) and matches its decoder to it, so E is no noise at all, only
F is uncertain. Compared are precoders on H̄ with noise σ² (naive), on a square root of E[Hᴴ H] = H̄ᴴ H̄ + n_rx τ I with noise σ² (a bound
by Jensen's inequality, best at high SNR), on H̄ with noise σ² + τ P, and, where n_tx > n_rx, on the n_rx strongest directions of that root.

The candidates are judged channel by channel, exactly in the first case and by Monte Carlo on E in the second.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Complex, Float, Int
from torch import Tensor

from latentlink.arrays import ratio, root
from latentlink.channels.channel import Channel, is_block_fading
from latentlink.channels.csi import inflated
from latentlink.latents.packing import real_embedding
from latentlink.linear.balancing import balanced
from latentlink.linear.errors import parallel_mse, total_mse
from latentlink.linear.modes import SemanticModes
from latentlink.linear.spatial import Allocation, SpatialModes, embedded

_PRICE_STEPS = 8  # halving the distance at each; all are judged and the best is kept, settled or not
_SURELY = 3.0  # standard errors by which a design must beat the naive one to be preferred: wrong once in 700 channels that are ties
_AT_ONCE = 2**23  # numbers in a stack of dense responses
_WHITE = 1e-9  # a covariance of coefficients this close to I is I
_DENSE_DRAWS = 8  # full responses over several uses


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
    """

    streams: Int[Tensor, "*batch s"]
    stream_power: Float[Tensor, "*batch s"]
    precoder: Float[Tensor, "*batch u t2 q2"]
    number: Int[Tensor, "*batch"]
    mse: Float[Tensor, "*batch"]


def at_both_ends(modes: SemanticModes, channel: Channel) -> Choice:
    """The best of the candidates for several uses (see the module), for each channel: 0 naive, 1 noisier, 2 balanced, 3 priced."""
    spatial = SpatialModes.of(channel.h)
    number = torch.zeros(channel.batch, dtype=torch.long, device=channel.h.device)
    for step, tried in enumerate(_tries(modes, channel, spatial)):
        noise = _of_streams(tried, _noise(channel, tried)) / 2
        error = _parallel_error(modes.strength, tried.amplitude, tried.power, noise)
        if step == 0:
            best, least = tried, error
            continue
        better = error < least
        best, least = _merged(better, tried, best), torch.where(better, error, least)
        number = torch.where(better, min(step, 3), number)
    precoder = embedded(spatial.transmit, best.on_slots(root(best.power)))
    return Choice(best.streams, best.power, precoder, number, _both_ends_mse(modes, channel, best, precoder))


def _tries(modes: SemanticModes, channel: Channel, spatial: SpatialModes) -> Iterator[Allocation]:
    """The allocations that are compared, the naive one first."""
    budget, in_pairs = channel.uses * channel.power, not modes.widely_linear
    yield Allocation.of(modes.strength, spatial.amplitude, channel.noise_variance / 2, budget)
    white = (channel.noise_variance + channel.error_variance * channel.power) / 2
    tried = Allocation.of(modes.strength, spatial.amplitude, white, budget)
    yield tried
    tried = balanced(modes.strength, tried, white, budget, in_pairs)
    N = _noise(channel, tried)
    for _ in range(_PRICE_STEPS):
        yield tried
        tried = _priced(modes, channel, spatial, N)
        N = (N + _noise(channel, tried)) / 2


def _noise(channel: Channel, used: Allocation) -> Float[Tensor, "*batch u"]:
    """N_u = σ² + τ P_u."""
    return channel.noise_variance.unsqueeze(-1) + channel.error_variance.unsqueeze(-1) * used.on_slots(used.power).sum(-1)


def _priced(modes: SemanticModes, channel: Channel, spatial: SpatialModes, N: Float[Tensor, "*batch u"]) -> Allocation:
    """The balanced allocation at prices N_u² / h_i² of SNR, brought to the budget.

    With the spending linearised at P_u = (N_u − σ²) / τ, Σ_u N_u² c_u = Σ_u P_u N_u: water-filling in units of p N_u.
    """
    budget, tau = channel.uses * channel.power, channel.error_variance.unsqueeze(-1)
    most = N.amax(-1)
    scale = torch.where(N > 0, most.unsqueeze(-1) / torch.where(N > 0, N, 1.0), 1.0)
    spent = (ratio(N - channel.noise_variance.unsqueeze(-1), tau.expand_as(N)) * N).sum(-1)
    spent = torch.where(channel.error_variance > 0, spent, budget * most)
    used = Allocation.of(modes.strength, spatial.amplitude * scale.unsqueeze(-1), most.square() / 2, spent)
    used = balanced(modes.strength, used, most.square() / 2, spent, not modes.widely_linear)
    power = ratio(used.power, _of_streams(used, N))
    total = power.sum(-1, keepdim=True)
    power = power * ratio(budget.unsqueeze(-1).expand_as(total), total)
    return Allocation(used.streams, used.amplitude / _of_streams(used, scale), power, used.slots)


def _of_streams(used: Allocation, values: Float[Tensor, "*batch u"]) -> Float[Tensor, "*batch s"]:
    """What belongs to the use of each stream."""
    return values.expand(*used.streams.shape[:-1], -1).gather(-1, used.streams // used.slots[1])


def _parallel_error(
    b: Float[Tensor, "k"], h: Float[Tensor, "*batch s"], p: Float[Tensor, "*batch s"], N: Float[Tensor, "*batch s"]
) -> Float[Tensor, "*batch"]:
    """Σ b² / (1 + p h² / N), as Σ b² N / (N + p h²), over the s strongest modes."""
    received = p * h.square()
    rest = torch.where(received > 0, N / torch.where(received > 0, N + received, 1.0), 1.0)
    return rest @ b[: h.shape[-1]].square()


def _merged(better: Tensor, new: Allocation, old: Allocation) -> Allocation:
    chosen = better.unsqueeze(-1)
    streams, amplitude, power = (torch.where(chosen, getattr(new, name), getattr(old, name)) for name in ("streams", "amplitude", "power"))
    return Allocation(streams, amplitude, power, old.slots)


def _both_ends_mse(modes: SemanticModes, channel: Channel, used: Allocation, precoder: Tensor) -> Float[Tensor, "*batch"]:
    """Unweighted, under the pilots' covariance C: E s has the variance τ Σ_{i ∈ u} p_i C_ii in use u, whatever the decoder expects."""
    gram = modes.gram / modes.gram.diagonal().amax()
    if is_block_fading(channel.h) and (gram - torch.diag(gram.diagonal())).abs().max() > _WHITE:  # what E makes of uses is correlated
        return _dense(modes, channel, used.streams, precoder)
    h, p = used.amplitude, used.power
    sigma, tau = channel.noise_variance.unsqueeze(-1), channel.error_variance.unsqueeze(-1)
    designed, real = (sigma + tau * used.on_slots(p * C).sum(-1) for C in (1.0, modes.covariance.diagonal()[: p.shape[-1]]))
    gain = ratio(h * root(p), h.square() * p + _of_streams(used, designed) / 2)
    return parallel_mse(modes, gain * h * root(p), _of_streams(used, real) / 2 * gain.square())


def _dense(modes: SemanticModes, channel: Channel, streams: Tensor, precoder: Tensor) -> Float[Tensor, "*batch"]:
    """Unweighted MSE (…) of precoders with the decoder for the channel, in full and a few channels at a time."""
    s, count = streams.shape[-1], max(1, _AT_ONCE // (streams.shape[-1] + 1) // (channel.uses * channel.n_tx + streams.shape[-1]))
    values = (channel.h, channel.noise_variance, channel.power, channel.error_variance, streams, precoder)
    flat = [value.reshape(-1, *value.shape[len(channel.batch) :]) for value in values]
    parts = []
    for *known, at, F in zip(*(value.split(count) for value in flat), strict=True):
        link = modes.transceiver(Channel(*known), at, F)
        parts.append(total_mse(modes, *link.response(covariance=modes.covariance[:s, :s])))
    return torch.cat(parts).reshape(channel.batch)


def at_transmitter(modes: SemanticModes, channel: Channel, csi: EstimateAtTransmitter) -> Choice:
    """The best of the candidates for a receiver that knows H F, for each channel: 0 naive, 1 inflated, 2 noisier, 3 fewer."""
    plain, noisier = channel.noise_variance / 2, (channel.noise_variance + channel.error_variance * channel.power) / 2
    mean, more = _padded(SpatialModes.of(channel.h), channel.n_tx), inflated(channel.h, channel.error_variance)
    settings = [(mean, plain), (more, plain), (mean, noisier)]
    if channel.n_tx > channel.n_rx:
        strongest = torch.arange(channel.n_tx, device=channel.h.device) < channel.n_rx
        settings.append(((more[0] * strongest, more[1]), plain))
    budget = channel.uses * channel.power
    candidates = [(Allocation.of(modes.strength, h, N, budget), V) for (h, V), N in settings]
    precoders = [embedded(V, used.on_slots(root(used.power))) for used, V in candidates]
    weights = [used.on_slots(modes.strength[: used.power.shape[-1]].square().expand_as(used.power)) for used, _ in candidates]
    trials = range(max(2, -(-csi.draws // channel.uses)))  # each use with errors of its own: the mean of a sum needs no more
    errors = torch.stack(
        [
            torch.stack([_matched_error(h, F, b, plain) for F, b in zip(precoders, weights, strict=True)])
            for _, h in zip(trials, _drawn(channel, csi, shared=False), strict=False)
        ]
    )  # (draws, candidates, …, u)
    number = _surely_best(errors)

    def pick(values: list[Tensor]) -> Tensor:
        stacked = torch.stack(values)
        index = number.reshape(1, *number.shape, *(1,) * (stacked.ndim - 1 - number.ndim))
        return stacked.gather(0, index.expand(1, *stacked.shape[1:])).squeeze(0)

    streams, precoder, weight = pick([used.streams for used, _ in candidates]), pick(precoders), pick(weights)
    mse = _matched_mse(modes, channel, csi, streams, precoder, weight, pick(list(errors.sum(-1).mean(0))))
    return Choice(streams, pick([used.power for used, _ in candidates]), precoder, number, mse)


def _padded(spatial: SpatialModes, n_tx: int) -> tuple[Float[Tensor, "*batch u t"], Complex[Tensor, "*batch u t t"]]:
    """h and V with zeros to n_tx: the phases of V's columns stay those of the naive design, for they matter once the channel is another."""
    q = spatial.amplitude.shape[-1]
    h, V = (torch.nn.functional.pad(part, (0, n_tx - q)) for part in (spatial.amplitude, spatial.transmit))
    return h, V


def _drawn(channel: Channel, csi: EstimateAtTransmitter, shared: bool) -> Iterator[Complex[Tensor, "*batch u r t"]]:
    """Channels (…, u, n_rx, n_tx) as they may be, with one error for all uses or one for each: the same sequence each time."""
    generator = torch.Generator(device=channel.h.device).manual_seed(csi.seed)
    deviation = channel.error_variance.sqrt()[..., None, None, None]
    shape = (*channel.batch, 1 if shared else channel.uses, channel.n_rx, channel.n_tx)
    while True:
        yield channel.h + deviation * torch.randn(shape, dtype=channel.h.dtype, device=channel.h.device, generator=generator)


def _matched_error(
    h: Complex[Tensor, "*batch u r t"], F: Float[Tensor, "*batch u t2 q2"], weight: Float[Tensor, "*batch u q2"], N: Float[Tensor, "*batch"]
) -> Float[Tensor, "*batch u"]:
    """Weighted error that F leaves in each use with its LMMSE decoder: Σ b² (1 − diag Mᵀ (M Mᵀ + N I)^{-1} M), M = H_r F."""
    M = real_embedding(h) @ F
    C = M @ M.mT
    loading = 4 * C.shape[-1] * torch.finfo(C.dtype).eps * C.diagonal(dim1=-2, dim2=-1).sum(-1) + N.unsqueeze(-1)
    loading = torch.where(loading > 0, loading, 1.0)  # definite where there is no noise, and where nothing comes
    L = torch.linalg.cholesky(C + torch.diag_embed(loading.unsqueeze(-1).expand(C.shape[:-1])))
    kept = torch.linalg.solve_triangular(L, M, upper=False).square().sum(-2)
    left: Tensor = (weight * (1 - kept)).sum(-1)
    return left


def _surely_best(errors: Float[Tensor, "draws candidates *batch g"]) -> Int[Tensor, "*batch"]:
    """The candidate of the greatest gain over the first less three standard errors of it (draws paired); the first if none gains."""
    gain = errors[:, :1] - errors
    variance = gain.var(0).sum(-1) / len(errors)
    number: Tensor = (gain.mean(0).sum(-1) - _SURELY * variance.sqrt()).argmax(0)
    return number


def _matched_mse(
    modes: SemanticModes,
    channel: Channel,
    csi: EstimateAtTransmitter,
    streams: Int[Tensor, "*batch s"],
    precoder: Float[Tensor, "*batch u t2 q2"],
    weight: Float[Tensor, "*batch u q2"],
    weighted: Float[Tensor, "*batch"],
) -> Float[Tensor, "*batch"]:
    """Unweighted MSE (…), from the weighted error (…) of the streams: the same but for what is not sent.

    With a goal or shrinkage it is not; the rest is then the mean over draws of the full response, a few where there are several uses.
    """
    s = streams.shape[-1]
    eye = torch.eye(s, dtype=precoder.dtype, device=precoder.device)
    b = modes.strength[:s].square()
    if modes.task_weight is None and modes.widely_linear and (modes.covariance[:s, :s] - eye).abs().max() < _WHITE:
        return modes.variance - b.sum() + weighted
    draws = csi.draws if channel.uses == 1 else min(csi.draws, _DENSE_DRAWS)
    scale = modes.gram.diagonal()[:s].sum() / b.sum()
    rest = torch.zeros_like(channel.power)
    for _, h in zip(range(draws), _drawn(channel, csi, is_block_fading(channel.h)), strict=False):
        drawn = Channel(h, channel.noise_variance, channel.power)
        same = _matched_error(h, precoder, weight, channel.noise_variance / 2).sum(-1)
        rest = rest + (_dense(modes, drawn, streams, precoder) - scale * same) / draws
    return scale * weighted + rest

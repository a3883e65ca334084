"""Designs for both ends that know the channel up to an error: H = H̄ + E with E i.i.d. CN(0, τ), as `Channel.estimated` gives it.

Precoder and decoder know H̄ only. E s_u then acts as noise of variance τ E||s_u||². With a single use, which takes all the power, the closed
form on H̄ with noise σ² + τ P is exact. Over several uses a use's noise N_u = σ² + τ P_u grows with the power it is given.
With x_i = 2 p_i h_i² / N_u, the SNR of a real stream, and c_u = ½ Σ_{i ∈ u} x_i / h_i², the power spent is P_u = σ² c_u / (1 − τ c_u), so
that

    min over x ≥ 0 of  Σ b_i² / (1 + x_i)    s.t.    Σ_u σ² c_u / (1 − τ c_u) ≤ u·P

is convex for any pairing of modes with symbols, and at its optimum a unit of x_i costs N_u² / (σ² h_i²): the cost of a use is weighted by
the square of its noise, since power also raises the noise of its neighbours. These weights settle at ties, where the pairing is free and
decides the power of each use: modes are balanced over uses. Block fading (one E for all uses) needs no separate
treatment while each stream stays within one use: the streams are uncorrelated, and hence so are their error terms. Compared are precoders
for noise σ² (naive), for σ² + τ P in all uses, this one balanced, and balanced ones with weights that are iterated with the powers.

The candidates are judged exactly, channel by channel.

Balancing moves modes among symbols so that all uses carry similar powers. If modes are paired with symbols by strength alone, one use may
receive the strongest modes, hence most of the power and, through the channel error, most of the noise. Symbols of similar amplitude are
equally good, though: in layers of K symbols of K uses, from the best to the worst, the layer's strongest modes go to the uses with the
least power so far, first on the real parts, then on the imaginary ones. Where uses are the same matrix this costs nothing. (Rotations of
tied symbols do no better for two uses of one antenna: the powers of the eigendirections of Σ_i p_i w_i w_iᴴ, w_i orthonormal in R⁴, differ
least for one of the three pairings.) The modes are laid out as (layer, part, symbol, width): two parts of width 1, the real and the
imaginary one, or, for complex-linear designs, one part of width 2, in which modes 2i and 2i + 1 stay together.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import IntEnum

import torch
from jaxtyping import Float, Int
from torch import Tensor

from latentlink.channels.channel import Channel, is_block_fading
from latentlink.linear.modes import SemanticModes
from latentlink.linear.mse import is_white, parallel_mse, response_mse
from latentlink.numerics.division import ratio, root
from latentlink.streams.allocation import Allocation
from latentlink.streams.spatial import SpatialModes, embed_beams
from latentlink.streams.waterfilling import mse_waterfilling

_SEARCHED = 2**15  # symbols whose allocation is searched for at once: what a processor's cache holds
_WEIGHT_STEPS = 8  # halving the distance at each; all are judged and the best is kept, settled or not


class Candidate(IntEnum):
    """The precoders that robust designs compare; `trace["candidate"]` holds these numbers, with one meaning in all designs.

    Attributes:
        NAIVE: designed for H̄ in noise σ², as if the estimate were the channel.
        NOISIER: designed for H̄ in the effective noise σ² + τ P of every use.
        BALANCED: NOISIER with modes moved so that uses carry similar powers.
        REWEIGHTED: balanced, with power weighted by the square of the noise that it makes in each use.
        NAIVE_PAIR: the naive precoder with a decoder that also takes the estimate for the channel.
        INFLATED: designed for a square root of E[Hᴴ H] = H̄ᴴ H̄ + n_rx τ I in noise σ².
        FEWER: INFLATED on the n_rx strongest directions only.
    """

    NAIVE = 0
    NOISIER = 1
    BALANCED = 2
    REWEIGHTED = 3
    NAIVE_PAIR = 4
    INFLATED = 5
    FEWER = 6


@dataclass(frozen=True, eq=False)
class Choice:
    """The chosen precoder of each channel.

    Attributes:
        streams: slot (…, s) of each mode.
        stream_power: power (…, s) of each mode.
        precoder: F̃ (…, u, 2 n_tx, 2q).
        candidate: number of the `Candidate` (…).
        mse: expected total unweighted MSE (…).
        decoded: channel that the decoder is designed for; its error variance is 0 where it takes the estimate for the true channel.
        mse_error: standard error (…) of the MSE where it is sampled; None where it is exact.
    """

    streams: Int[Tensor, "*batch s"]
    stream_power: Float[Tensor, "*batch s"]
    precoder: Float[Tensor, "*batch u t2 q2"]
    candidate: Int[Tensor, "*batch"]
    mse: Float[Tensor, "*batch"]
    decoded: Channel
    mse_error: Float[Tensor, "*batch"] | None = None


def choose_for_both_ends(modes: SemanticModes, channel: Channel) -> Choice:
    """Choose the best candidate for each channel: NAIVE, NOISIER, BALANCED, REWEIGHTED or NAIVE_PAIR.

    The last, the naive precoder with a decoder that takes the estimate for the channel, is worse by design. Under shrinkage the pilots'
    covariance is less than that of the design, though, and so is the noise that E makes: it is taken where it is better under that one.
    """
    spatial = SpatialModes.of(channel.h)
    best, candidate = _search_in_parts(modes, channel, spatial.amplitude)
    plain = channel.noise_variance.unsqueeze(-1).expand(*channel.batch, channel.uses)
    designed = _use_noise(channel, best)
    trusting = torch.zeros_like(candidate, dtype=torch.bool)
    if not is_white(modes, len(modes)):
        naive = Allocation.of(modes.strength, spatial.amplitude, channel.noise_variance / 2, channel.uses * channel.power)
        trusting = _decoded_error(modes, channel, naive, plain) < _decoded_error(modes, channel, best, designed)
        best, candidate = naive.where(trusting, best), candidate.masked_fill(trusting, Candidate.NAIVE_PAIR)
        designed = torch.where(trusting.unsqueeze(-1), plain, designed)
    precoder = embed_beams(spatial.transmit, best.on_slots(root(best.power)))
    decoded = replace(channel, error_variance=channel.error_variance.masked_fill(trusting, 0.0))
    mse = _both_ends_mse(modes, channel, best, precoder, designed, decoded)
    return Choice(best.streams, best.power, precoder, candidate, mse, decoded)


def _decoded_error(modes: SemanticModes, channel: Channel, used: Allocation, designed: Float[Tensor, "*batch u"]) -> Tensor:
    """Weighted error Σ b² E(z − ẑ)² (…) under the pilots' covariance, with a decoder designed for the noise N_u (…, u)."""
    b, C = modes.strength[: used.power.shape[-1]].square(), modes.covariance.diagonal()[: used.power.shape[-1]]
    _, t, noise = used.response(used.of_uses(designed) / 2, _stream_noise(channel, used, C))
    return (1 - 2 * t + t.square() * C + noise) @ b


def _stream_noise(channel: Channel, used: Allocation, variance: Float[Tensor, "s"] | None = None) -> Float[Tensor, "*batch s"]:
    """Noise N (…, s) per real dimension on each stream, for modes with these variances, or with variance 1 if none are given."""
    return used.of_uses(_use_noise(channel, used, variance)) / 2


def _use_noise(channel: Channel, used: Allocation, variance: Float[Tensor, "s"] | None = None) -> Float[Tensor, "*batch u"]:
    """Effective noise N_u = σ² + τ P_u (…, u) of each use."""
    return channel.noise_variance.unsqueeze(-1) + channel.error_variance.unsqueeze(-1) * used.use_power(variance)


def _search_in_parts(
    modes: SemanticModes, channel: Channel, amplitude: Float[Tensor, "*batch u q"]
) -> tuple[Allocation, Int[Tensor, "*batch"]]:
    """Search as `_search` does, for as many channels at a time as a processor's cache holds."""
    flat, amplitude = channel.flattened(), amplitude.reshape(-1, *amplitude.shape[-2:])
    count = max(1, _SEARCHED // (amplitude.shape[-2] * amplitude.shape[-1]))
    starts = range(0, max(1, len(amplitude)), count)
    found = [_search(modes, flat[start : start + count], amplitude[start : start + count]) for start in starts]

    def joined(parts: list[Tensor]) -> Tensor:
        return torch.cat(parts).reshape((*channel.batch, *parts[0].shape[1:]))

    parts = [best for best, _ in found]
    best = Allocation(
        joined([part.streams for part in parts]),
        joined([part.amplitude for part in parts]),
        joined([part.power for part in parts]),
        parts[0].slots,
    )
    return best, joined([candidate for _, candidate in found])


def _search(modes: SemanticModes, channel: Channel, amplitude: Float[Tensor, "*batch u q"]) -> tuple[Allocation, Int[Tensor, "*batch"]]:
    """The best allocation and the number of its candidate for each channel; the first one in a tie."""
    tries = _tries(modes, channel, amplitude)
    first, best = next(tries)
    candidate = torch.full(channel.batch, first, device=channel.h.device)
    least = _error(modes, channel, best)
    for name, tried in tries:
        error = _error(modes, channel, tried)
        better = error < least
        best, least = tried.where(better, best), torch.where(better, error, least)
        candidate = candidate.masked_fill(better, name)
    return best, candidate


def _error(modes: SemanticModes, channel: Channel, used: Allocation) -> Float[Tensor, "*batch"]:
    """Weighted error Σ b² / (1 + p h² / N) (…) with N = N_u/2, as Σ b² N / (N + p h²), over the modes that have a slot."""
    received, N = used.power * used.amplitude.square(), _stream_noise(channel, used)
    rest = torch.where(received > 0, N / torch.where(received > 0, N + received, 1.0), 1.0)
    return rest @ modes.strength[: rest.shape[-1]].square()


def _tries(modes: SemanticModes, channel: Channel, amplitude: Float[Tensor, "*batch u q"]) -> Iterator[tuple[Candidate, Allocation]]:
    """Yield the allocations that are compared, each with its candidate."""
    budget, in_pairs = channel.uses * channel.power, not modes.widely_linear
    yield Candidate.NAIVE, Allocation.of(modes.strength, amplitude, channel.noise_variance / 2, budget)
    white = channel.effective_noise / 2
    noisier = Allocation.of(modes.strength, amplitude, white, budget)
    yield Candidate.NOISIER, noisier
    if channel.uses == 1:  # the optimum
        return
    balanced = balance(modes.strength, noisier, white, budget, in_pairs=in_pairs)
    yield Candidate.BALANCED, balanced
    N = _use_noise(channel, balanced)
    for _ in range(_WEIGHT_STEPS - 1):
        reweighted = _reweight(modes, channel, amplitude, N)
        yield Candidate.REWEIGHTED, reweighted
        N = (N + _use_noise(channel, reweighted)) / 2


def _reweight(modes: SemanticModes, channel: Channel, amplitude: Float[Tensor, "*batch u q"], N: Float[Tensor, "*batch u"]) -> Allocation:
    """The balanced allocation for the power N_u² / h_i² per unit of SNR, scaled to the budget.

    With the spending linearised at P_u = (N_u − σ²) / τ, Σ_u N_u² c_u = Σ_u P_u N_u: water-filling in units of p N_u.
    """
    budget, tau = channel.uses * channel.power, channel.error_variance.unsqueeze(-1)
    most = N.amax(-1)
    scale = torch.where(N > 0, most.unsqueeze(-1) / torch.where(N > 0, N, 1.0), 1.0)
    spent = (ratio(N - channel.noise_variance.unsqueeze(-1), tau.expand_as(N)) * N).sum(-1)
    spent = torch.where(channel.error_variance > 0, spent, budget * most)
    used = Allocation.of(modes.strength, amplitude * scale.unsqueeze(-1), most.square() / 2, spent)
    used = balance(modes.strength, used, most.square() / 2, spent, in_pairs=not modes.widely_linear)
    power = ratio(used.power, used.of_uses(N))
    total = power.sum(-1, keepdim=True)
    power = power * ratio(budget.unsqueeze(-1).expand_as(total), total)
    return replace(used, amplitude=used.amplitude / used.of_uses(scale), power=power)


def _both_ends_mse(
    modes: SemanticModes, channel: Channel, used: Allocation, precoder: Tensor, designed: Tensor, decoded: Channel
) -> Float[Tensor, "*batch"]:
    """Unweighted MSE (…) under the pilots' covariance C: E s has variance τ Σ_{i ∈ u} p_i C_ii in use u, whatever the decoder expects."""
    scale = modes.gram.diagonal()
    mixed = ((modes.gram - torch.diag(scale)).abs() > torch.finfo(scale.dtype).eps ** 0.5 * scale.sum()).any()
    if channel.uses > 1 and is_block_fading(channel.h) and bool(mixed):  # what one E makes of different uses is correlated
        return response_mse(modes, channel, used.streams, precoder, decoded)
    sent = modes.covariance.diagonal()[: used.power.shape[-1]]
    _, t, noise = used.response(used.of_uses(designed) / 2, _stream_noise(channel, used, sent))
    return parallel_mse(modes, t, noise)


def balance(
    strength: Float[Tensor, "k"], used: Allocation, noise: Float[Tensor, "*batch"], power: Float[Tensor, "*batch"], *, in_pairs: bool
) -> Allocation:
    """Move the modes of each layer among its symbols to balance the uses, and repeat the water-filling.

    `used` is `Allocation.of` for this strength b (k,), noise N (…) per real dimension and power (…) of the message; `in_pairs` keeps modes
    2i and 2i + 1 in one symbol, as complex-linear designs do.
    """
    uses, width = used.slots
    count = used.streams.shape[-1]
    if count == 0:
        return used
    modes = _layout(count, uses, 2 if in_pairs else 1).to(used.streams.device)  # (layer, part, symbol, width)
    symbols = modes.flatten(1).sort(-1).values[:, ::2]  # (layer, symbol): the stream on each symbol's real part
    slot, amplitude = _at(used.streams, symbols), _at(used.amplitude, symbols)  # (…, layer, symbol)
    order = _least_loaded(slot // width, _at(used.power, modes).sum(-1), symbols == count, uses)  # (…, layer, part, symbol)
    part = torch.arange(modes.shape[1], device=order.device)[:, None, None]
    half = torch.arange(modes.shape[3], device=order.device)
    real = slot.unsqueeze(-2).expand(order.shape).gather(-1, order).unsqueeze(-1)
    streams = _by_mode(real + width // 2 * (part + half), modes, count)
    h = amplitude.unsqueeze(-2).expand(order.shape).gather(-1, order).unsqueeze(-1)
    h = _by_mode(h.expand(*h.shape[:-1], modes.shape[3]), modes, count)
    b = strength[:count]
    strongest = (b * h).sort(dim=-1, descending=True, stable=True).indices
    p = mse_waterfilling(b.expand_as(h).gather(-1, strongest), h.gather(-1, strongest), noise, power)
    return Allocation(streams, h, torch.empty_like(p).scatter(-1, strongest, p), used.slots)


def _layout(count: int, uses: int, width: int) -> Int[Tensor, "layer part symbol width"]:
    """Number of the mode at each place, `count` at places without a mode."""
    layers, parts = -(-count // (2 * uses)), 2 // width
    first = 2 * uses * torch.arange(layers, device="cpu")[:, None, None, None]
    last = (first + 2 * uses).clamp(max=count)
    symbols = (last - first + 1) // 2  # of this layer
    part, symbol, half = (
        torch.arange(parts, device="cpu")[:, None, None],
        torch.arange(uses, device="cpu")[:, None],
        torch.arange(width, device="cpu"),
    )
    mode = first + (part * symbols + symbol) * width + half
    return torch.where((symbol < symbols) & (mode < last), mode, count)


def _least_loaded(
    use: Int[Tensor, "*batch layer symbol"],
    power: Float[Tensor, "*batch layer part symbol"],
    absent: Tensor,
    uses: int,
) -> Int[Tensor, "*batch layer part symbol"]:
    """Symbols of each layer in the order in which modes take them: those of the use with the least power so far come first."""
    so_far = power.new_zeros(*power.shape[:-3], uses)
    orders = []
    for layer in range(power.shape[-3]):
        here = use[..., layer, :]
        for part in range(power.shape[-2]):
            load = so_far.gather(-1, here).masked_fill(absent[layer], torch.inf)
            order = load.sort(dim=-1, stable=True).indices
            so_far = so_far.scatter_add(-1, here.gather(-1, order), power[..., layer, part, :])
            orders.append(order)
    return torch.stack(orders, -2).unflatten(-2, power.shape[-3:-1])


def _at(values: Tensor, places: Int[Tensor, "*places"]) -> Tensor:
    """Values (…, *places) of the mode at each place, 0 at places without a mode."""
    return torch.nn.functional.pad(values, (0, 1))[..., places]


def _by_mode(values: Tensor, modes: Int[Tensor, "layer part symbol width"], count: int) -> Tensor:
    """Values (…, count) of each mode, of values at their places."""
    flat = values.flatten(-4)
    return flat.new_empty(*flat.shape[:-1], count + 1).scatter(-1, modes.flatten().expand(flat.shape), flat)[..., :count]

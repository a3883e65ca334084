"""Precoders for a receiver that measures H F, from pilots sent through the precoder, and matches its decoder: only F is uncertain.

H = H̄ + E with E i.i.d. CN(0, τ) is no noise to such a decoder, and adding τ P to the noise is the wrong problem. What is left to
minimise, E over the error of Σ b² diag (I + F̃ᵀ H_rᵀ H_r F̃ / N)^{-1}, has no closed form. Compared are precoders on H̄ with noise σ² (naive),
on a square root of E[Hᴴ H] = H̄ᴴ H̄ + n_rx τ I with noise σ² (a bound by Jensen's inequality, best at high SNR), on H̄ with noise σ² + τ P,
and, where n_tx > n_rx, on the n_rx strongest directions of that root.

They are compared by Monte Carlo, channel by channel. Errors of different uses may be drawn apart, shared or not: the mean of a sum does not
depend on it. The naive one is preferred unless another is better by three standard errors of the paired draws.
"""

from collections.abc import Iterator
from typing import NamedTuple

import torch
from jaxtyping import Complex, Float, Int
from torch import Tensor

from latentlink.channels.channel import Channel, is_block_fading
from latentlink.channels.csi.posterior import inflate
from latentlink.latents.packing import real_embedding
from latentlink.linear.modes import SemanticModes
from latentlink.linear.mse import is_white, response_mse
from latentlink.linear.robust.both_ends import Candidate, Choice
from latentlink.numerics.division import root
from latentlink.streams.allocation import Allocation
from latentlink.streams.spatial import SpatialModes, embed_beams

_SURELY = 3.0  # standard errors: a precoder that is no better is preferred for one channel in 700
_DENSE_DRAWS = 8  # full responses over several uses


def choose_for_transmitter(modes: SemanticModes, channel: Channel, *, draws: int, seed: int, robust: bool = True) -> Choice:
    """Choose the best candidate for a receiver that knows H F, for each channel: NAIVE, INFLATED, NOISIER or FEWER.

    Candidates are compared on `draws` error matrices, divided over the uses, at least two for each; without `robust` NAIVE is the only one.
    """
    tried = _candidates(modes, channel, robust=robust)
    plain = channel.noise_variance / 2
    trials = range(max(2, -(-draws // channel.uses)))  # each use with errors of its own: the mean of a sum needs no more
    errors = torch.stack(
        [
            torch.stack([_matched_error(H, one.precoder, one.weight, plain) for one in tried])
            for _, H in zip(trials, map(real_embedding, _draw_channels(channel, seed, shared=False)), strict=False)
        ]
    )  # (draws, candidates, …, u)
    number = _surely_best(errors)

    def pick(stacked: Tensor) -> Tensor:
        index = number.reshape(1, *number.shape, *(1,) * (stacked.ndim - 1 - number.ndim))
        return stacked.gather(0, index.expand(1, *stacked.shape[1:])).squeeze(0)

    best = _Tried(*(pick(torch.stack(values)) for values in zip(*tried, strict=True)))
    mse, error = _matched_mse(modes, channel, best, pick(errors.sum(-1).movedim(0, -1)), draws, seed)
    return Choice(best.streams, best.power, best.precoder, best.candidate, mse, channel.without_error(), error)


class _Tried(NamedTuple):
    """The precoder of a candidate.

    Attributes:
        candidate: number (…) of the candidate.
        streams: slot (…, s) of each mode.
        power: power (…, s) of each mode.
        precoder: F̃ (…, u, 2 n_tx, 2q).
        weight: b² (…, u, 2q) of the mode at each slot.
    """

    candidate: Int[Tensor, "*batch"]
    streams: Int[Tensor, "*batch s"]
    power: Float[Tensor, "*batch s"]
    precoder: Float[Tensor, "*batch u t2 q2"]
    weight: Float[Tensor, "*batch u q2"]


def _candidates(modes: SemanticModes, channel: Channel, *, robust: bool) -> list[_Tried]:
    """The candidates, the naive one first, on as many directions as there are antennas; it alone where the design is not robust."""

    def design(candidate: Candidate, amplitude: Tensor, directions: Tensor, noise: Tensor) -> _Tried:
        used = Allocation.of(modes.strength, amplitude, noise, channel.uses * channel.power)
        precoder = embed_beams(directions, used.on_slots(root(used.power)))
        weight = used.on_slots(modes.strength[: used.power.shape[-1]].square().expand_as(used.power))
        return _Tried(torch.full(channel.batch, candidate, device=noise.device), used.streams, used.power, precoder, weight)

    spatial, noise = SpatialModes.of(channel.h), channel.noise_variance / 2
    h, V = spatial.amplitude, spatial.transmit
    if not robust:
        return [design(Candidate.NAIVE, h, V, noise)]
    missing = channel.n_tx - h.shape[-1]  # the phases of V's columns stay those of the naive design: they matter on other channels
    h, V = torch.nn.functional.pad(h, (0, missing)), torch.nn.functional.pad(V, (0, missing))
    root_h, root_V = inflate(channel.h, channel.error_variance)
    candidates = [
        design(Candidate.NAIVE, h, V, noise),
        design(Candidate.INFLATED, root_h, root_V, noise),
        design(Candidate.NOISIER, h, V, channel.effective_noise / 2),
    ]
    if channel.n_tx > channel.n_rx:
        strongest = torch.arange(channel.n_tx, device=channel.h.device) < channel.n_rx
        candidates.append(design(Candidate.FEWER, root_h * strongest, root_V, noise))
    return candidates


def _draw_channels(channel: Channel, seed: int, *, shared: bool) -> Iterator[Complex[Tensor, "*batch u r t"]]:
    """Random channels (…, u, n_rx, n_tx) around the estimate, with one error for all uses or one for each; always the same sequence."""
    generator = torch.Generator(device=channel.h.device).manual_seed(seed)
    deviation = channel.error_variance.sqrt()[..., None, None, None]
    shape = (*channel.batch, 1 if shared else channel.uses, channel.n_rx, channel.n_tx)
    while True:
        yield channel.h + deviation * torch.randn(shape, dtype=channel.h.dtype, device=channel.h.device, generator=generator)


def _matched_error(
    H: Float[Tensor, "*batch u r2 t2"], F: Float[Tensor, "*batch u t2 q2"], weight: Float[Tensor, "*batch u q2"], N: Float[Tensor, "*batch"]
) -> Float[Tensor, "*batch u"]:
    """Weighted error (…, u) of F in each use with its LMMSE decoder: Σ b² (1 − diag Mᵀ (M Mᵀ + N I)^{-1} M), M = H_r F."""
    M = H @ F
    C = M @ M.mT
    loading = 4 * C.shape[-1] * torch.finfo(C.dtype).eps * C.diagonal(dim1=-2, dim2=-1).sum(-1) + N.unsqueeze(-1)
    loading = torch.where(loading > 0, loading, 1.0)  # definite where there is no noise, and where nothing comes
    C.diagonal(dim1=-2, dim2=-1).add_(loading.unsqueeze(-1))
    L = torch.linalg.cholesky(C)
    explained = torch.linalg.solve_triangular(L, M, upper=False).square().sum(-2)
    return (weight * (1 - explained)).sum(-1)


def _surely_best(errors: Float[Tensor, "draws candidates *batch g"]) -> Int[Tensor, "*batch"]:
    """The candidate with the greatest gain over the first, less three standard errors (paired draws); the first if none gains."""
    gain = errors[:, :1] - errors
    variance = gain.var(0).sum(-1) / len(errors)
    return (gain.mean(0).sum(-1) - _SURELY * variance.sqrt()).argmax(0)


def _matched_mse(
    modes: SemanticModes, channel: Channel, best: _Tried, weighted: Float[Tensor, "*batch draws"], draws: int, seed: int
) -> tuple[Float[Tensor, "*batch"], Float[Tensor, "*batch"]]:
    """Unweighted MSE (…) from the weighted errors (…, draws) of the streams, and its standard error: they differ by what is not sent.

    With a goal or shrinkage it is not; the rest is then the mean over draws of the full response, a few where there are several uses.
    """
    s = best.streams.shape[-1]
    b = modes.strength[:s].square()
    if modes.task_weight is None and modes.widely_linear and is_white(modes, s):
        return modes.variance - b.sum() + weighted.mean(-1), _standard_error(weighted)
    shared = is_block_fading(channel.h)  # uses with errors of their own are as many draws
    several = _DENSE_DRAWS if shared else -(-_DENSE_DRAWS // channel.uses)
    count = max(2, draws if channel.uses == 1 else min(draws, several))
    scale = modes.gram.diagonal()[:s].sum() / b.sum()
    rests = []
    for _, h in zip(range(count), _draw_channels(channel, seed, shared=shared), strict=False):
        drawn = Channel(h, channel.noise_variance, channel.power)
        same = _matched_error(real_embedding(h), best.precoder, best.weight, channel.noise_variance / 2).sum(-1)
        rests.append(response_mse(modes, drawn, best.streams, best.precoder) - scale * same)
    rest, weighted = torch.stack(rests, -1), scale * weighted
    together = channel.uses == 1  # the same draws of both; otherwise at most the sum of their standard errors
    error = _standard_error(weighted + rest) if together else _standard_error(weighted) + _standard_error(rest)
    return weighted.mean(-1) + rest.mean(-1), error


def _standard_error(drawn: Float[Tensor, "*batch draws"]) -> Float[Tensor, "*batch"]:
    """The standard error (…) of the mean of draws, at least two."""
    n = drawn.shape[-1]
    return ((drawn - drawn.mean(-1, keepdim=True)).square().sum(-1) / (n - 1) / n).sqrt()

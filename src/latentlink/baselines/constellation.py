"""Constellations of few points for given channels: as hard as possible to confuse at the receiver, within a mean power.

Points a_c over all streams of a message's uses, of gains g, are moved downhill from several starts on the union bound

    Σ_{c ≠ c'} √(π_c π_c') exp(−||g (a_c − a_c')||² / (4 σ²)),        Σ_c π_c ||a_c||² = u·P,

of the probability of confusing two of them in noise of variance σ². Streams that are too weak are left empty by it.
"""

import math

import torch
from jaxtyping import Complex, Float
from torch import Tensor

from latentlink.channels.channel import Channel
from latentlink.numerics.gradients import with_gradients
from latentlink.numerics.seeds import stream_generator

_STARTS = 8  # at random, beside one that is on the strongest stream alone
_STEPS = 200
_RATE = 0.05  # of Adam, relative to the root mean square of a point's entries
_LOUD = 1e-4  # least noise relative to what arrives, for which points are chosen: beyond 40 dB the same ones serve
_AT_ONCE = 2**22  # numbers in memory at a time


def constellation_for(channel: Channel, probability: Float[Tensor, "c"]) -> Complex[Tensor, "*batch c u t"]:
    """Points (…, c, u, n_tx) for symbols of these probabilities, of mean power P per use; zeros where the channel carries nothing."""
    flat = channel.flattened()
    c, streams = len(probability), channel.uses * min(channel.n_tx, channel.n_rx)
    count = max(1, _AT_ONCE // ((_STARTS + 1) * c * c * 2 * streams))
    parts = [_chosen(flat[first : first + count], probability) for first in range(0, max(1, math.prod(channel.batch)), count)]
    return torch.cat(parts).reshape(*channel.batch, c, channel.uses, channel.n_tx)


def _chosen(channel: Channel, probability: Float[Tensor, "c"]) -> Complex[Tensor, "b c u t"]:
    _, g, Vh = torch.linalg.svd(channel.h, full_matrices=False)
    gains = g.flatten(-2).detach()  # (b, u q)
    budget = channel.uses * channel.power.detach()
    noise = (channel.noise_variance + channel.error_variance * channel.power).detach()
    loud = torch.maximum(noise, _LOUD * budget * gains.amax(-1).square()).clamp(min=torch.finfo(noise.dtype).tiny)
    scaled = gains * (budget / loud).sqrt().unsqueeze(-1)  # of points of mean energy 1 in noise of variance 1
    a = _moved(scaled, probability) * budget.sqrt()[:, None, None]
    symbols = a.unflatten(-1, g.shape[-2:]).to(channel.h)  # (b, c, u, q)
    return torch.einsum("buqt,bcuq->bcut", Vh.conj(), symbols) * (gains.amax(-1) > 0)[:, None, None, None]


@with_gradients
def _moved(gains: Float[Tensor, "b s"], probability: Float[Tensor, "c"]) -> Complex[Tensor, "b c s"]:
    """The best points (b, c, s) of mean energy 1 that were found for each channel."""
    b, s, c = *gains.shape, len(probability)
    generator = stream_generator(0, "starts of constellations")
    drawn = torch.randn(_STARTS + 1, 1, c, s, 2, generator=generator, dtype=torch.float64, device="cpu").to(gains)
    start = drawn.repeat(1, b, 1, 1, 1)  # the same for all channels, so that a batch finds what its members find
    start[-1] = 0.0
    strongest = gains.argmax(-1)
    start[-1, torch.arange(b, device=gains.device), :, strongest] = _spiral(c).to(gains)
    raw = start.requires_grad_()
    optimiser = torch.optim.Adam([raw], lr=_RATE)
    pairs = torch.triu_indices(c, c, 1, device=gains.device)
    weight = (probability[pairs[0]] * probability[pairs[1]]).clamp(min=1e-12).log() / 2

    def points() -> Tensor:
        centred = raw - (probability[:, None, None] * raw).sum(-3, keepdim=True)
        energy = (probability * centred.square().sum((-2, -1))).sum(-1)
        return centred / energy.clamp(min=1e-12).sqrt()[..., None, None, None]

    def confusion() -> Tensor:
        a = points() * gains[:, None, :, None]
        apart = (a[:, :, pairs[0]] - a[:, :, pairs[1]]).square().sum((-2, -1))
        return torch.logsumexp(weight - apart / 4, -1)  # (starts, b)

    for _ in range(_STEPS):
        optimiser.zero_grad()
        confusion().sum().backward()
        optimiser.step()
    with torch.no_grad():
        best = confusion().argmin(0)
        return torch.view_as_complex(points()[best, torch.arange(b, device=gains.device)].contiguous())


def _spiral(count: int) -> Float[Tensor, "c 2"]:
    """Points (c, 2) of a disc that are about equally far from their neighbours: a sunflower's."""
    number = torch.arange(count, dtype=torch.float64, device="cpu")
    radius, angle = (number + 0.5).sqrt(), number * (math.pi * (3 - 5**0.5))
    return torch.stack([radius * angle.cos(), radius * angle.sin()], -1)

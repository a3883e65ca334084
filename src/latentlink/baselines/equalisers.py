"""Equalisers: how k real numbers, known to be of unit variance and uncorrelated, cross a channel that is treated for itself.

Each channel use carries q = min(n_rx, n_tx) complex symbols, two numbers a symbol. All numbers are sent with one power p, such that the
mean power meets the budget. N = σ²/2.

    with the channel known at the transmitter, H = U diag(h) Vᴴ:     s = V √p z,      ẑ = diag(g) Uᴴ r,
        zero-forcing  g_i = 1 / (h_i √p),       MMSE  g_i = h_i √p / (h_i² p + N);
    unknown there, number j on an antenna of its own:                s = √p z,        ẑ = V_M diag(g) U_Mᵀ r,
        with M = √p H = U_M diag(h_M) V_Mᵀ,  zero-forcing  g_i = 1 / h_M,i,  MMSE  g_i = h_M,i / (h_M,i² + N).

Singular values below the numerical rank carry nothing: there the zero-forcing one is the pseudo-inverse.
"""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor

from latentlink.channels.channel import Channel
from latentlink.latents.packing import real_embedding
from latentlink.numerics.division import ratio
from latentlink.numerics.doors import choice
from latentlink.numerics.reprs import Summarised
from latentlink.streams.allocation import Allocation
from latentlink.streams.spatial import SpatialModes, embedded


@dataclass(frozen=True, eq=False)
class Equalised:
    """The way in which s numbers cross the channel, in the factors of `LinearTransceiver`: s streams, u uses, q symbols a use.

    Attributes:
        streams: (…, s) slot of each number among u × 2q.
        precoder: F̃ (…, u, 2 n_tx, 2q).
        decoder: G̃ (…, u, 2q, 2 n_rx).
    """

    streams: Int[Tensor, "*batch s"]
    precoder: Float[Tensor, "*batch u t2 q2"]
    decoder: Float[Tensor, "*batch u q2 r2"]


@runtime_checkable
class Equaliser(Protocol):
    """The part of a baseline that carries numbers across a channel."""

    def carry(self, channel: Channel, variance: Float[Tensor, "s"]) -> Equalised:
        """Carry s numbers, designed for unit variance; s is at most `room(channel)`, and power is counted with `variance`."""


def room(channel: Channel) -> int:
    """The number of real numbers that one message has room for: two for each of u·min(n_rx, n_tx) complex symbols."""
    return 2 * channel.uses * min(channel.n_rx, channel.n_tx)


@dataclass(frozen=True)
class SvdEqualiser(Summarised):
    """The channel is known at both ends: numbers go over its singular vectors, first ones over strongest ones; dead ones get no power.

    Attributes:
        loading: "mmse" weighs each stream's signal against its noise, "zf" inverts it.

    Raises:
        ValueError: the loading is neither.

    References:
        [pandolfo2025latent], whose published code equalises so.
    """

    loading: str = "mmse"

    def __post_init__(self) -> None:
        choice("loading", self.loading, ("mmse", "zf"))

    def carry(self, channel: Channel, variance: Float[Tensor, "s"]) -> Equalised:
        """Carry the numbers over the strongest symbols of all uses together."""
        spatial = SpatialModes.of(channel.h)
        ranked = Allocation.of(torch.ones_like(variance), spatial.amplitude, channel.noise_variance, torch.zeros_like(channel.power))
        h, N = ranked.amplitude, channel.noise_variance.unsqueeze(-1) / 2
        root = _equal_power(channel, (h > 0) * variance).sqrt().unsqueeze(-1) * (h > 0)
        gain = ratio(h * root, h.square() * root.square() + N) if self.loading == "mmse" else ratio(torch.ones_like(h), h * root)
        return Equalised(
            ranked.streams,
            embedded(spatial.transmit, ranked.on_slots(root)),
            embedded(spatial.receive, ranked.on_slots(gain)).mT,
        )


@dataclass(frozen=True)
class ZeroForcing(Summarised):
    """The channel is known at the receiver only, which inverts it (pseudo-inverse); each symbol goes on an antenna of its own."""

    def carry(self, channel: Channel, variance: Float[Tensor, "s"]) -> Equalised:
        """Carry the numbers on the first min(n_rx, n_tx) antennas, over all uses before the next antenna is taken."""
        return _on_antennas(channel, variance, torch.zeros_like(channel.noise_variance))


@dataclass(frozen=True)
class MmseEqualiser(Summarised):
    """The channel is known at the receiver only, whose linear estimate has the least error; each symbol goes on an antenna of its own."""

    def carry(self, channel: Channel, variance: Float[Tensor, "s"]) -> Equalised:
        """Carry the numbers on the first min(n_rx, n_tx) antennas, over all uses before the next antenna is taken."""
        return _on_antennas(channel, variance, channel.noise_variance / 2)


def _equal_power(channel: Channel, variance: Float[Tensor, "*a s"]) -> Float[Tensor, "*batch"]:
    """The power p (…) of each number, the budget shared by what they vary in all; 0 where there is no channel to send over."""
    total = variance.sum(-1).expand(channel.batch)
    reaches = channel.h.abs().amax((-3, -2, -1)) > 0
    return ratio(channel.uses * channel.power, total) * reaches


def _on_antennas(channel: Channel, variance: Float[Tensor, "s"], load: Float[Tensor, "*batch"]) -> Equalised:
    """Each symbol on an antenna of its own, equalised with a load on the squared singular values."""
    count = len(variance)
    uses, q = channel.uses, min(channel.n_rx, channel.n_tx)
    symbol = torch.arange(-(-count // 2), device=variance.device)
    real = symbol % uses * 2 * q + symbol // uses  # slot of the real part; the imaginary part is q further
    streams = torch.stack([real, real + q], -1).flatten()[:count].expand(*channel.batch, -1)
    p = _equal_power(channel, variance).unsqueeze(-1).expand(*channel.batch, count)
    sent = Allocation(streams, torch.ones_like(p), p, (uses, 2 * q))
    antennas = torch.eye(channel.n_tx, q, dtype=channel.h.dtype, device=channel.h.device).expand(*channel.batch, uses, -1, -1)
    precoder = embedded(antennas, sent.on_slots(p.sqrt()))
    U, h, Vt = torch.linalg.svd(real_embedding(channel.h) @ precoder, full_matrices=False)
    h = torch.where(h > 2 * max(channel.n_rx, q) * torch.finfo(h.dtype).eps * h[..., :1], h, 0.0)
    gain = ratio(h, h.square() + load[..., None, None])
    return Equalised(streams, precoder, (Vt.mT * gain.unsqueeze(-2)) @ U.mT)

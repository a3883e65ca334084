"""Equalisers: transmission of k uncorrelated real numbers of unit variance over a channel, designed for the channel alone.

Each channel use carries q = min(n_rx, n_tx) complex symbols, two numbers a symbol. All numbers are sent with one power p, such that the
mean power meets the budget. N = σ²/2.

    with the channel known at the transmitter, H = U diag(h) Vᴴ:     s = V √p z,      ẑ = diag(g) Uᴴ r,
        zero-forcing  g_i = 1 / (h_i √p),       MMSE  g_i = h_i √p / (h_i² p + N);
    unknown there, number j on an antenna of its own:                s = √p z,        ẑ = V_M diag(g) U_Mᵀ r,
        with M = √p H = U_M diag(h_M) V_Mᵀ,  zero-forcing  g_i = 1 / h_M,i,  MMSE  g_i = h_M,i / (h_M,i² + N).

Singular values below the numerical rank carry nothing: there the zero-forcing one is the pseudo-inverse.
"""

from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from latentlink.channels.channel import Channel
from latentlink.latents.packing import real_embedding
from latentlink.numerics.division import ratio
from latentlink.numerics.doors import choice
from latentlink.numerics.expectations import made_by
from latentlink.numerics.reprs import Summarised
from latentlink.streams.allocation import Allocation, Placement
from latentlink.streams.spatial import SpatialModes, embed_beams


@made_by("SvdEqualiser(), ZeroForcing() or MmseEqualiser()")
@runtime_checkable
class Equaliser(Protocol):
    """The part of a baseline that sends numbers over a channel."""

    def carry(self, channel: Channel, variance: Float[Tensor, "s"]) -> Placement:
        """Place s numbers of unit variance, s at most `channel.real_symbols`, with a decoder; power is counted with `variance`."""


@dataclass(frozen=True)
class SvdEqualiser(Summarised):
    """The channel is known at both ends: the first numbers go over the strongest singular vectors; singular values of 0 get no power.

    Attributes:
        loading: "mmse" weighs each stream's signal against its noise, "zf" inverts it.

    Raises:
        ValueError: the loading is neither.

    References:
        [pandolfo2025latent], whose published code has this equaliser.

    Example:
        >>> import torch, latentlink as ll
        >>> x = torch.randn(500, 8, generator=torch.Generator().manual_seed(0))
        >>> moments = ll.Moments.from_pairs(x, x[:, :6].tanh())
        >>> channel = ll.Channel.from_snr(ll.rayleigh(2, 2, generator=0), snr_db=20.0)
        >>> equaliser = ll.baselines.SvdEqualiser(loading="zf")
        >>> ll.baselines.FirstK(equaliser=equaliser).design(moments, channel)
        Solution(1 channel, 2×2, 1 use, baseline)
    """

    loading: str = "mmse"

    def __post_init__(self) -> None:
        choice("loading", self.loading, ("mmse", "zf"))

    def carry(self, channel: Channel, variance: Float[Tensor, "s"]) -> Placement:
        """Send the numbers over the strongest symbols of all uses together."""
        spatial = SpatialModes.of(channel.h)
        ranked = Allocation.of(torch.ones_like(variance), spatial.amplitude, channel.noise_variance, torch.zeros_like(channel.power))
        alive = ranked.amplitude > 0
        used = replace(ranked, power=_equal_power(channel, alive * variance).unsqueeze(-1) * alive)
        assumed = channel if self.loading == "mmse" else replace(channel, noise_variance=torch.zeros_like(channel.noise_variance))
        return Placement.parallel(spatial, used, assumed)


@dataclass(frozen=True)
class ZeroForcing(Summarised):
    """The channel is known at the receiver only, which inverts it (pseudo-inverse); each symbol goes on an antenna of its own.

    Example:
        >>> import torch, latentlink as ll
        >>> x = torch.randn(500, 8, generator=torch.Generator().manual_seed(0))
        >>> moments = ll.Moments.from_pairs(x, x[:, :6].tanh())
        >>> channel = ll.Channel.from_snr(ll.rayleigh(2, 2, generator=0), snr_db=20.0)
        >>> ll.baselines.FirstK(equaliser=ll.baselines.ZeroForcing()).design(moments, channel)
        Solution(1 channel, 2×2, 1 use, baseline)
    """

    def carry(self, channel: Channel, variance: Float[Tensor, "s"]) -> Placement:
        """Send the numbers on the first min(n_rx, n_tx) antennas, over all uses of an antenna before the next one."""
        return _on_antennas(channel, variance, torch.zeros_like(channel.noise_variance))


@dataclass(frozen=True)
class MmseEqualiser(Summarised):
    """The channel is known at the receiver only, whose linear estimate has the least error; each symbol goes on an antenna of its own.

    Example:
        >>> import torch, latentlink as ll
        >>> x = torch.randn(500, 8, generator=torch.Generator().manual_seed(0))
        >>> moments = ll.Moments.from_pairs(x, x[:, :6].tanh())
        >>> channel = ll.Channel.from_snr(ll.rayleigh(2, 2, generator=0), snr_db=20.0)
        >>> designs = [ll.baselines.FirstK(equaliser=e) for e in (ll.baselines.MmseEqualiser(), ll.baselines.ZeroForcing())]
        >>> [round(float(design.design(moments, channel).expected_mse), 2) for design in designs]
        [0.99, 1.0]
    """

    def carry(self, channel: Channel, variance: Float[Tensor, "s"]) -> Placement:
        """Send the numbers on the first min(n_rx, n_tx) antennas, over all uses of an antenna before the next one."""
        return _on_antennas(channel, variance, channel.noise_variance / 2)


def _equal_power(channel: Channel, variance: Float[Tensor, "*a s"]) -> Float[Tensor, "*batch"]:
    """The power p (…) of each number: the budget over the sum of their variances; 0 where the channel is zero."""
    total = variance.sum(-1).expand(channel.batch)
    reaches = channel.h.abs().amax((-3, -2, -1)) > 0
    return ratio(channel.uses * channel.power, total) * reaches


def _on_antennas(channel: Channel, variance: Float[Tensor, "s"], load: Float[Tensor, "*batch"]) -> Placement:
    """Each symbol on an antenna of its own, equalised with a load on the squared singular values."""
    count = len(variance)
    uses, q = channel.uses, min(channel.n_rx, channel.n_tx)
    symbol = torch.arange(-(-count // 2), device=variance.device)
    real = symbol % uses * 2 * q + symbol // uses  # slot of the real part; the imaginary part is q further
    streams = torch.stack([real, real + q], -1).flatten()[:count].expand(*channel.batch, -1)
    p = _equal_power(channel, variance).unsqueeze(-1).expand(*channel.batch, count)
    sent = Allocation(streams, torch.ones_like(p), p, (uses, 2 * q))
    antennas = torch.eye(channel.n_tx, q, dtype=channel.h.dtype, device=channel.h.device).expand(*channel.batch, uses, -1, -1)
    precoder = embed_beams(antennas, sent.on_slots(p.sqrt()))
    U, h, Vt = torch.linalg.svd(real_embedding(channel.h) @ precoder, full_matrices=False)
    h = torch.where(h > 2 * max(channel.n_rx, q) * torch.finfo(h.dtype).eps * h[..., :1], h, 0.0)
    gain = ratio(h, h.square() + load[..., None, None])
    return Placement(streams, p, precoder, (Vt.mT * gain.unsqueeze(-2)) @ U.mT)

"""Parallel streams: the form in which a codec works on a channel, whatever its antennas and uses.

The SVD turns all uses of a channel into parallel real streams (two for each complex symbol), pooled and sorted, strongest first. In units
of the whole budget u·P at the transmitter and of the noise's standard deviation √N at the receiver, N = σ²/2, stream i is

    w_i = a_i t_i + n_i,      n_i ~ N(0, 1),      Σ E t_i² ≤ 1,      a_i = h_i √(u P / N).

A channel with fewer streams is one whose last amplitudes are 0: streams are nested. The exact linear design in these units sends
t_i = √q_i z_i, q_i = p_i / (u P), and receives ẑ_i = a_i √q_i / (a_i² q_i + 1) w_i  (`linear/closed_form.py`).
"""

import math
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Complex, Float, Int
from torch import Tensor
from torch.nn.functional import pad

from latentlink.channels.channel import Channel
from latentlink.channels.interference import no_interference
from latentlink.numerics.division import ratio
from latentlink.numerics.parts import Parts
from latentlink.streams.spatial import SpatialModes
from latentlink.streams.waterfilling import mse_waterfilling
from latentlink_runtime.codec.streams import LEAST_SENT, NOISE_FLOOR


@dataclass(frozen=True, eq=False)
class Streams(Parts):
    """S streams of each channel of a batch `...`, in the units of the module; dead ones are zero throughout.

    Attributes:
        amplitude: a (…, S).
        share: q (…, S), the linear design's power, summing to 1 where anything is sent.
        gain: gain of the linear decoder (…, S).
    """

    amplitude: Float[Tensor, "*batch S"]
    share: Float[Tensor, "*batch S"]
    gain: Float[Tensor, "*batch S"]

    @property
    def alive(self) -> Float[Tensor, "*batch S"]:
        """1 where a stream reaches the receiver, else 0."""
        return (self.amplitude > 0).to(self.amplitude)

    @property
    def _even_share(self) -> Float[Tensor, "*batch S"]:
        return ratio(torch.ones_like(self.amplitude), self.alive.sum(-1, keepdim=True).expand_as(self.amplitude))

    @property
    def evened(self) -> Float[Tensor, "*batch S"]:
        """The factor that brings w to the scale of t: the LMMSE gain for streams of equal power, relative to that power's root."""
        even = self._even_share
        return self.amplitude * even.sqrt() / (self.amplitude.square() * even + 1)

    @property
    def symbols(self) -> Int[Tensor, "*batch"]:
        """Number of symbols that reach the receiver."""
        return (self.amplitude[..., ::2] > 0).sum(-1)

    def features(self, ceiling: Float[Tensor, "s"] | None = None) -> Float[Tensor, "*batch c"]:
        """Features of a channel (…, 2 S) for the networks: log-SNR and presence of each symbol, the linear design's amplitudes.

        Args:
            ceiling: strongest amplitude by number of symbols, to which the features of better channels are clipped; None for no clipping.
        """
        a, q = self.amplitude[..., ::2], self.share
        if ceiling is not None:
            best = a[..., :1]
            a = a * (ceiling.to(a)[self.symbols].unsqueeze(-1) / best.clamp(min=torch.finfo(a.dtype).tiny)).clamp(max=1.0)
        return torch.cat([a.square().log1p() / 4, self.alive[..., ::2], 3 * torch.where(q > 0, q, 0.0).sqrt()], -1)

    @property
    def bits(self) -> Float[Tensor, "*batch"]:
        """Bits (…) that a message of Gaussian streams of equal power would carry."""
        return (self.amplitude.square() * self._even_share).log1p().sum(-1) / (2 * math.log(2))

    def __getitem__(self, index: Any) -> "Streams":
        return self.each(lambda value: value[index])


@dataclass(frozen=True, eq=False)
class Beams(Parts):
    """The vectors between streams and antennas; symbol i carries streams 2 i and 2 i + 1 in its real and imaginary part.

    Attributes:
        transmit: √(u P) V (…, u n_tx, q), each column within one use.
        receive: U / √N (…, u n_rx, q).
        uses: u, number of channel uses.
    """

    transmit: Complex[Tensor, "*batch ut q"]
    receive: Complex[Tensor, "*batch ur q"]
    uses: int

    def symbols(self, t: Float[Tensor, "*b n q2"]) -> Complex[Tensor, "*batch n u t"]:
        """s = √(u P) V t."""
        beams = torch.view_as_complex(t.contiguous().unflatten(-1, (-1, 2))) @ self.transmit.mT
        return beams.unflatten(-1, (self.uses, -1))

    def streams(self, r: Complex[Tensor, "*b n u r"]) -> Float[Tensor, "*batch n q2"]:
        """w = Uᴴ r / √N."""
        return torch.view_as_real(r.flatten(-2) @ self.receive.conj()).flatten(-2)


def symbols(channel: Channel) -> int:
    """Complex symbols that a message takes at most, u · min(n_rx, n_tx)."""
    return channel.uses * min(channel.n_rx, channel.n_tx)


def place_streams(strength: Float[Tensor, "k"], channel: Channel, most: int) -> tuple[Streams, Beams]:
    """The streams (`most` of them) of every channel, as the exact linear design of modes of this strength uses them, and their beams.

    Raises:
        ValueError: the channel has interference, or more than `most` real streams.
    """
    no_interference(channel.interference, "for a codec")
    if 2 * symbols(channel) > most:
        size = f"{symbols(channel)} ({channel.uses} use(s) of {channel.n_rx}×{channel.n_tx})"
        raise ValueError(f"channel must have at most {most // 2} symbols for this codec, got {size}; train it with more max_symbols")
    spatial = SpatialModes.of(channel.h)
    pooled = spatial.pooled()
    h = pooled.real
    b = pad(strength, (0, max(0, h.shape[-1] - len(strength))))[: h.shape[-1]]
    N = channel.effective_noise / 2
    budget = channel.uses * channel.power
    p = mse_waterfilling(b.expand_as(h), h, N, budget)
    floor = NOISE_FLOOR * h[..., 0].square() * budget
    noise = torch.maximum(N, floor).clamp(min=torch.finfo(h.dtype).tiny).unsqueeze(-1)
    root = torch.where(p > 0, p, 0.0).sqrt()
    amplitude, share = h * (budget.unsqueeze(-1) / noise).sqrt(), ratio(p, budget.unsqueeze(-1).expand_as(p))
    gain = ratio(h * root, h.square() * p + N.unsqueeze(-1)) * noise.sqrt()
    streams = Streams(*(pad(value, (0, most - value.shape[-1])) for value in (amplitude, share, gain)))
    transmit = _of_uses(spatial.transmit, pooled.order) * budget.sqrt()[..., None, None]
    return streams, Beams(transmit, _of_uses(spatial.receive, pooled.order) / noise.sqrt().unsqueeze(-1), channel.uses)


def rematch_streams(streams: Streams, beams: Beams, energy: Float[Tensor, "*batch S"], channel: Channel) -> tuple[Streams, Beams]:
    """The same transmit beams at a receiver that measures another channel (in float64) than that of the design.

    Symbols t of variance R (diagonal), by the `energy` E t² of each stream, reach it as r = M t + v, M = H B. It takes the unbiased LMMSE
    estimate of each: with

        K = I + R^½ Mᴴ M R^½ / σ²,      D = 1 − diag K⁻¹,

    a symbol has the signal-to-interference-and-noise ratio γ = D / (1 − D), and amplitude a = √(2 γ / R) over noise of unit variance in
    each real dimension.
    """
    B = beams.transmit.to(channel.h)
    M = (channel.h @ B.unflatten(-2, (beams.uses, -1))).flatten(-3, -2)  # each beam lies within one use
    q = M.shape[-1]
    R = (energy[..., : 2 * q : 2] + energy[..., 1 : 2 * q : 2]).to(M.real).clamp(min=LEAST_SENT / q)
    strongest = (M.abs().square() * R.unsqueeze(-2)).sum((-2, -1))
    noise = channel.effective_noise
    noise = torch.maximum(noise, NOISE_FLOOR * strongest).clamp(min=torch.finfo(R.dtype).tiny)
    scaled = M * (R / noise.unsqueeze(-1)).sqrt().unsqueeze(-2)
    K = torch.eye(q, dtype=M.dtype, device=M.device) + scaled.mH @ scaled
    left = torch.linalg.solve(K, torch.eye(q, dtype=M.dtype, device=M.device).expand(K.shape))
    rest = left.diagonal(dim1=-2, dim2=-1).real.clamp(min=torch.finfo(R.dtype).tiny)  # 1 − D
    D = (1 - rest).clamp(min=0)
    a = (2 * D / (rest * R)).sqrt()
    estimators = scaled @ left * (R / noise.unsqueeze(-1)).sqrt().unsqueeze(-2)  # columns, biased by D
    most = streams.amplitude.shape[-1]
    amplitude = pad(a.repeat_interleave(2, -1), (0, most - 2 * q)).to(streams.amplitude)
    share = streams.share.expand(amplitude.shape)
    gain = amplitude * share.sqrt() / (amplitude.square() * share + 1)
    receive = estimators * ratio(a, D).unsqueeze(-2)
    matched = Beams(B.expand(*M.shape[:-2], *B.shape[-2:]), receive, beams.uses)
    return Streams(amplitude, share, gain), matched.to(streams.amplitude.dtype)


def _of_uses(beams: Complex[Tensor, "*batch u a q"], order: Tensor) -> Complex[Tensor, "*batch ua uq"]:
    """Beams over the antennas of all uses (…, u a, u q), each within its own use, sorted."""
    eye = torch.eye(beams.shape[-3], dtype=beams.dtype, device=beams.device)
    every = (beams.unsqueeze(-2) * eye[:, None, :, None]).flatten(-4, -3).flatten(-2)  # (…, u, a, u, q) → (…, u a, u q)
    return every.gather(-1, order.unsqueeze(-2).expand(*every.shape[:-1], -1))

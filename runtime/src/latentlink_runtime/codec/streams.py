"""Parallel streams: the form in which a codec works on a channel, whatever its antennas and uses.

In units of the whole budget u P at the transmitter and of the noise's standard deviation √N at the receiver, N = σ²/2, stream i is

    w_i = a_i t_i + n_i,      n_i ~ N(0, 1),      Σ E t_i² ≤ 1,      a_i = h_i √(u P / N).

The exact linear design in these units sends t_i = √q_i z_i and receives ẑ_i = a_i √q_i / (a_i² q_i + 1) w_i.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from latentlink_runtime.channels.channel import Channel
from latentlink_runtime.channels.spatial import SpatialModes, beams_of_uses
from latentlink_runtime.numerics.waterfilling import mse_waterfilling, ratio

Array = np.ndarray[Any, Any]

NOISE_FLOOR = 1e-12  # of the strongest stream's received energy: what counts as noise where there is none
LEAST_SENT = 1e-9  # energy of a symbol that is hardly used, of an even share


@dataclass(frozen=True, eq=False)
class Streams:
    """S streams of each channel of a batch `...`; dead ones are zero throughout.

    Attributes:
        amplitude: a (…, S).
        share: q (…, S), the linear design's power, summing to 1 where anything is sent.
        gain: gain of the linear decoder (…, S).
    """

    amplitude: Array
    share: Array
    gain: Array

    @property
    def alive(self) -> Array:
        """1 where a stream reaches the receiver, else 0."""
        return (self.amplitude > 0).astype(self.amplitude.dtype)

    @property
    def _even_share(self) -> Array:
        alive = self.alive.sum(-1, keepdims=True)
        return np.broadcast_to(ratio(np.ones_like(alive), alive), self.amplitude.shape)

    @property
    def evened(self) -> Array:
        """The factor that brings w to the scale of t, for streams of equal power, relative to that power's root."""
        even = self._even_share
        return self.amplitude * np.sqrt(even) / (self.amplitude**2 * even + 1)

    @property
    def symbols(self) -> Array:
        """Number of symbols that reach the receiver."""
        return (self.amplitude[..., ::2] > 0).sum(-1)

    @property
    def bits(self) -> Array:
        """Bits (…) that a message of Gaussian streams of equal power would carry."""
        return np.log1p(self.amplitude**2 * self._even_share).sum(-1) / (2 * math.log(2))

    def features(self, ceiling: Array) -> Array:
        """Features (…, 2 S) of a channel for the networks: log-SNR and presence of each symbol, the linear design's amplitudes.

        Args:
            ceiling: strongest amplitude by number of symbols, to which the features of better channels are clipped.
        """
        a, q = self.amplitude[..., ::2], self.share
        most = ceiling.astype(a.dtype)[self.symbols][..., None]
        a = a * np.minimum(most / np.maximum(a[..., :1], np.finfo(a.dtype).tiny), 1.0).astype(a.dtype)
        return np.concatenate([np.log1p(a**2) / 4, self.alive[..., ::2], 3 * np.sqrt(np.where(q > 0, q, 0.0))], -1)

    def astype(self, dtype: Any) -> "Streams":
        """The same in another precision."""
        return Streams(*(value.astype(dtype) for value in (self.amplitude, self.share, self.gain)))


@dataclass(frozen=True, eq=False)
class Beams:
    """The vectors between streams and antennas; symbol i carries streams 2 i and 2 i + 1 in its real and imaginary part.

    Attributes:
        transmit: √(u P) V (…, u n_tx, q), each column within one use.
        receive: U / √N (…, u n_rx, q).
        uses: u, number of channel uses.
    """

    transmit: Array
    receive: Array
    uses: int

    def symbols(self, t: Array) -> Array:
        """s = √(u P) V t (…, n, u, n_tx) of streams t (…, n, 2q)."""
        pairs = np.ascontiguousarray(t).view(np.result_type(t.dtype, np.complex64))
        s = pairs @ np.swapaxes(self.transmit, -1, -2)
        return s.reshape(*s.shape[:-1], self.uses, -1)

    def streams(self, r: Array) -> Array:
        """w = Uᴴ r / √N (…, n, 2q) of received symbols r (…, n, u, n_rx)."""
        w = r.reshape(*r.shape[:-2], -1) @ self.receive.conj()
        return np.ascontiguousarray(w).view(w.real.dtype)


def place_streams(strength: Array, channel: Channel, most: int, spatial: SpatialModes | None = None) -> tuple[Streams, Beams]:
    """The streams (`most` of them) of every channel, as the exact linear design of modes of this strength uses them, and their beams.

    Args:
        strength: b (k,) of the semantic modes.
        channel: of which the sizes, the noise and the power count, and the matrices where there are no spatial modes.
        most: number of streams, alive and dead.
        spatial: spatial modes that are known without an SVD, such as those of a report.

    Raises:
        ValueError: the channel has more than `most` real streams.
    """
    size = channel.uses * min(channel.n_rx, channel.n_tx)
    if 2 * size > most:
        raise ValueError(f"channel must have at most {most // 2} symbols for this codec, got {size}")
    spatial = SpatialModes.of(channel) if spatial is None else spatial
    pooled, order = spatial.pooled()
    h = np.repeat(pooled, 2, -1)
    b = np.pad(strength, (0, max(0, h.shape[-1] - len(strength))))[: h.shape[-1]]
    N, budget = channel.effective_noise / 2, channel.uses * channel.power
    p = mse_waterfilling(np.broadcast_to(b, h.shape), h, N, budget)
    floor = NOISE_FLOOR * h[..., 0] ** 2 * budget
    noise = np.maximum(np.maximum(N, floor), np.finfo(h.dtype).tiny)[..., None]
    amplitude, share = h * np.sqrt(budget[..., None] / noise), ratio(p, np.broadcast_to(budget[..., None], p.shape))
    gain = ratio(h * np.sqrt(p), h**2 * p + N[..., None]) * np.sqrt(noise)
    streams = Streams(*(_padded(value, most) for value in (amplitude, share, gain)))
    transmit = beams_of_uses(spatial.transmit, order) * np.sqrt(budget)[..., None, None]
    return streams, Beams(transmit, beams_of_uses(spatial.receive, order) / np.sqrt(noise)[..., None], channel.uses)


def rematch_streams(streams: Streams, beams: Beams, energy: Array, channel: Channel) -> tuple[Streams, Beams]:
    """The same transmit beams at a receiver that measures another channel (in float64) than that of the design.

    Symbols t of variance R (diagonal), by the `energy` E t² of each stream, reach it as r = M t + v, M = H B. It takes the unbiased LMMSE
    estimate of each: with K = I + R^½ Mᴴ M R^½ / σ² and D = 1 − diag K⁻¹ a symbol has the signal-to-interference-and-noise ratio
    γ = D / (1 − D), and amplitude a = √(2 γ / R) over noise of unit variance in each real dimension.
    """
    B = beams.transmit.astype(channel.h.dtype)
    M = channel.h @ B.reshape(*B.shape[:-2], beams.uses, -1, B.shape[-1])  # each beam lies within one use
    M = M.reshape(*M.shape[:-3], -1, M.shape[-1])
    q = M.shape[-1]
    R = np.maximum((energy[..., : 2 * q : 2] + energy[..., 1 : 2 * q : 2]).astype(M.real.dtype), LEAST_SENT / q)
    strongest = (np.abs(M) ** 2 * R[..., None, :]).sum((-2, -1))
    tiny = np.finfo(R.dtype).tiny
    noise = np.maximum(np.maximum(channel.effective_noise, NOISE_FLOOR * strongest), tiny)
    scale = np.sqrt(R / noise[..., None])[..., None, :]
    scaled = M * scale
    K = np.eye(q) + np.conj(np.swapaxes(scaled, -1, -2)) @ scaled
    left = np.linalg.inv(K)
    rest = np.maximum(np.diagonal(left, axis1=-2, axis2=-1).real, tiny)  # 1 − D
    D = np.maximum(1 - rest, 0)
    a = np.sqrt(2 * D / (rest * R))
    dtype, most = streams.amplitude.dtype, streams.amplitude.shape[-1]
    amplitude = _padded(np.repeat(a, 2, -1), most).astype(dtype)
    share = np.broadcast_to(streams.share, amplitude.shape)
    gain = amplitude * np.sqrt(share) / (amplitude**2 * share + 1)
    receive = scaled @ left * scale * ratio(a, D)[..., None, :]
    transmit = np.broadcast_to(beams.transmit, (*M.shape[:-2], *B.shape[-2:]))
    return Streams(amplitude, share, gain), Beams(transmit, receive.astype(beams.receive.dtype), beams.uses)


def _padded(values: Array, most: int) -> Array:
    padded = np.zeros((*values.shape[:-1], most), values.dtype)
    padded[..., : values.shape[-1]] = values
    return padded

"""Both ends of a codec at given channels: the exact linear design and what two networks add to it.

With z the latent's coordinates in the semantic modes and f, g the networks at the channel's features c,

    t = limit( κ [ φ(c) √q ⊙ z + f(z; c) ] ),        w = a ⊙ t + n,        ẑ = ψ(c) ℓ ⊙ w + g(e ⊙ w; c),

√q and ℓ the linear design's precoder and decoder, κ what brings the mean energy to the budget, e what evens the scale of w. Where the codec
is off, φ = ψ = κ = 1 and f = g = 0: the exact linear design, alone.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from latentlink_runtime.codec.network import Modulation, Network
from latentlink_runtime.codec.streams import Streams

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, eq=False)
class Ends:
    """Everything that depends on the channels of a batch `...` but not on messages.

    Attributes:
        precoding: modulation of the encoder.
        decoding: modulation of the decoder.
        direct_tx: κ φ √q (…, 1, S).
        residual_tx: κ (…, 1, S) on streams that reach the receiver, 0 on others and where the codec is off.
        direct_rx: ψ ℓ (…, 1, S).
        evened: e (…, 1, S).
        residual_rx: (…, 1, 1), 0 where the codec is off.
    """

    precoding: Modulation
    decoding: Modulation
    direct_tx: Array
    residual_tx: Array
    direct_rx: Array
    evened: Array
    residual_rx: Array

    @classmethod
    def of(cls, encoder: Network, decoder: Network, streams: Streams, active: Array, ceiling: Array) -> "Ends":
        """Both ends at channels with κ = 1; `active` (…) says where the codec is on."""
        features = streams.features(ceiling)
        f, g = encoder.modulation(features), decoder.modulation(features)
        root = np.sqrt(np.where(streams.share > 0, streams.share, 0))[..., None, :]
        on = active.astype(root.dtype)[..., None, None]
        return cls(
            precoding=f,
            decoding=g,
            direct_tx=(on * f.direct + 1 - on) * root,
            residual_tx=on * streams.alive[..., None, :],
            direct_rx=(on * g.direct + 1 - on) * streams.gain[..., None, :],
            evened=streams.evened[..., None, :],
            residual_rx=on,
        )

    def scaled(self, factor: Array) -> "Ends":
        """Both ends with κ times the factor (…, 1, 1)."""
        return replace(self, direct_tx=self.direct_tx * factor, residual_tx=self.residual_tx * factor)

    def first(self, count: int) -> "Ends":
        """Both ends with the first `count` streams only, which must be all that reach the receiver."""
        cut: dict[str, Any] = {name: getattr(self, name)[..., :count] for name in ("direct_tx", "residual_tx", "direct_rx", "evened")}
        return replace(self, **cut)

    def matched_to(self, decoder: Network, streams: Streams, ceiling: Array) -> "Ends":
        """The same transmitter with the receiver for the streams that it receives."""
        g = decoder.modulation(streams.features(ceiling))
        on, alive = self.residual_rx, self.direct_tx.shape[-1]
        direct, evened = (value[..., None, :alive] for value in (streams.gain, streams.evened))
        return replace(self, decoding=g, direct_rx=(on * g.direct + 1 - on) * direct, evened=evened)


def carry(z: Array, streams: int) -> Array:
    """The first coordinates of z, one for each stream; 0 where there are more streams than coordinates."""
    if streams <= z.shape[-1]:
        return z[..., :streams]
    padded = np.zeros((*z.shape[:-1], streams), z.dtype)
    padded[..., : z.shape[-1]] = z
    return padded


def precode(encoder: Network, ends: Ends, z: Array) -> Array:
    """κ [ φ √q ⊙ z + f(z) ] (…, n, S), before any limit."""
    S = ends.direct_tx.shape[-1]
    t = ends.direct_tx * carry(z, S)
    return t + ends.residual_tx * encoder(z, ends.precoding)[..., :S] if ends.residual_tx.any() else t


def decode(decoder: Network, ends: Ends, w: Array) -> Array:
    """ẑ = ψ ℓ ⊙ w + g(e ⊙ w) (…, n, k)."""
    direct = carry(ends.direct_rx * w, decoder.outputs)
    if not ends.residual_rx.any():
        return direct
    return direct + decoder(carry(ends.evened * w, decoder.inputs), ends.decoding) * ends.residual_rx

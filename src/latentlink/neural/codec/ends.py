"""Both ends of a codec at given channels: the exact linear design and what two networks add to it.

In the units of `streams.py`, with z the latent's coordinates in the semantic modes and f, g the networks at the channel's features c,

    t = limit( κ [ φ(c) √q ⊙ z + f(z; c) ] ),        w = a ⊙ t + n,        ẑ = ψ(c) ℓ ⊙ w + g(e ⊙ w; c),

√q and ℓ the linear design's precoder and decoder, φ and ψ 1 at first, f and g 0 at first, κ what brings the mean energy to the budget
(with `power.Mean()` that of the linear design), limit what clips messages to a peak or scales each to the budget (`power.PerMessage()`),
e what evens the scale of w. Where the codec is switched off (`active` 0), φ = ψ = κ = 1 and f = g = 0: the exact linear design, alone.
"""

from dataclasses import dataclass, replace
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn.functional import pad

from latentlink.neural.codec.networks import Dropout, ModulatedMlp, Modulation
from latentlink.neural.codec.streams import Streams
from latentlink.numerics.division import ratio
from latentlink.numerics.parts import Parts
from latentlink.power import Mean, PowerLimit


@dataclass(frozen=True, eq=False)
class Ends(Parts):
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
    direct_tx: Float[Tensor, "*batch 1 S"]
    residual_tx: Float[Tensor, "*batch 1 S"]
    direct_rx: Float[Tensor, "*batch 1 S"]
    evened: Float[Tensor, "*batch 1 S"]
    residual_rx: Float[Tensor, "*batch 1 1"]

    @classmethod
    def of(
        cls,
        encoder: ModulatedMlp,
        decoder: ModulatedMlp,
        streams: Streams,
        active: Bool[Tensor, "*batch"] | None = None,
        ceiling: Float[Tensor, "s"] | None = None,
    ) -> "Ends":
        """Both ends of two networks at channels, with κ = 1.

        `active` (…) says where the codec is on, None everywhere; the features of channels better than `ceiling` are clipped to it.
        """
        features = streams.features(ceiling)
        f, g = encoder.modulation(features), decoder.modulation(features)
        root = torch.where(streams.share > 0, streams.share, 0.0).sqrt().unsqueeze(-2)
        on = torch.ones_like(f.direct) if active is None else active.to(root)[..., None, None]
        off = 1 - on
        return cls(
            precoding=f,
            decoding=g,
            direct_tx=(on * f.direct + off) * root,
            residual_tx=on * streams.alive.unsqueeze(-2),
            direct_rx=(on * g.direct + off) * streams.gain.unsqueeze(-2),
            evened=streams.evened.unsqueeze(-2),
            residual_rx=on,
        )

    def scaled(self, factor: Float[Tensor, "*batch 1 1"]) -> "Ends":
        """Both ends with κ times the factor."""
        return replace(self, direct_tx=self.direct_tx * factor, residual_tx=self.residual_tx * factor)

    def refitted(self, z: Float[Tensor, "n k"], t: Float[Tensor, "*batch n S"], streams: Streams) -> "Ends":
        """Both ends, where the codec is off with the linear decoder refitted to symbols t as they are sent of latents z."""
        gain = refitted_gain(z, t, streams).unsqueeze(-2)
        return replace(self, direct_rx=torch.where(self.residual_rx > 0, self.direct_rx, gain))

    def first(self, count: int) -> "Ends":
        """Both ends with the first `count` streams only, which must be all that reach the receiver."""
        cut: dict[str, Any] = {name: getattr(self, name)[..., :count] for name in ("direct_tx", "residual_tx", "direct_rx", "evened")}
        return replace(self, **cut)

    def matched_to(self, decoder: ModulatedMlp, streams: Streams, ceiling: Float[Tensor, "s"]) -> "Ends":
        """The same transmitter with the receiver for the streams that it receives."""
        g = decoder.modulation(streams.features(ceiling))
        on = self.residual_rx
        alive = self.direct_tx.shape[-1]
        direct, evened = (value[..., :alive].unsqueeze(-2) for value in (streams.gain, streams.evened))
        return replace(self.expand(g.direct.shape[:-2]), decoding=g, direct_rx=(on * g.direct + 1 - on) * direct, evened=evened)

    def expand(self, batch: torch.Size) -> "Ends":
        """The same for a batch of that shape."""
        return self.each(lambda value: value.expand(*batch, *value.shape[-2:]))


def carry(z: Float[Tensor, "*b n k"], streams: int) -> Float[Tensor, "*b n S"]:
    """The first coordinates of z, one for each stream; 0 where there are more streams than coordinates."""
    return pad(z, (0, max(0, streams - z.shape[-1])))[..., :streams]


def refitted_gain(z: Float[Tensor, "n k"], t: Float[Tensor, "*batch n S"], streams: Streams) -> Float[Tensor, "*batch S"]:
    """ℓ_i = a_i E[z_i t_i] / (a_i² E[t_i²] + 1) (…, S): the linear decoder for symbols t as they are sent of z, stream by stream."""
    a = streams.amplitude
    return a * (carry(z, t.shape[-1]) * t).mean(-2) / (a.square() * t.square().mean(-2) + 1)


def precode(encoder: ModulatedMlp, ends: Ends, z: Float[Tensor, "*#batch n k"], drop: Dropout | None = None) -> Float[Tensor, "*batch n S"]:
    """κ [ φ √q ⊙ z + f(z) ] (…, n, S), before any limit."""
    S = ends.direct_tx.shape[-1]
    return torch.addcmul(ends.direct_tx * carry(z, S), ends.residual_tx, encoder(z, ends.precoding, drop)[..., :S])


def decode(decoder: ModulatedMlp, ends: Ends, w: Float[Tensor, "*#batch n S"], drop: Dropout | None = None) -> Float[Tensor, "*batch n k"]:
    """ẑ = ψ ℓ ⊙ w + g(e ⊙ w) (…, n, k)."""
    read = ends.evened * w
    missing = decoder.widths[0] - read.shape[-1]
    out = decoder(pad(read, (0, missing)) if missing else read, ends.decoding, drop) * ends.residual_rx
    k = out.shape[-1]
    direct = (ends.direct_rx * w)[..., :k]
    return out + (pad(direct, (0, k - direct.shape[-1])) if direct.shape[-1] < k else direct)


def mean_scale(limit: PowerLimit, spent: Float[Tensor, "*batch"], budget: Float[Tensor, "*batch"]) -> Float[Tensor, "*batch 1 1"]:
    """The factor κ that brings the mean energy spent to the budget; 1 under `power.PerMessage()`, which scales each message by itself."""
    scale = ratio(budget, spent).sqrt() if isinstance(limit, Mean) else torch.ones_like(spent)
    return scale[..., None, None]


def limit_messages(limit: PowerLimit, t: Float[Tensor, "*batch n S"]) -> Float[Tensor, "*batch n S"]:
    """Messages t scaled as the limit asks for: clipped to a peak, or set to the budget; a message of 0 stays 0."""
    if not limit.limits_messages:
        return t
    energy = t.square().sum(-1)
    return t * limit.message_gain(energy, torch.ones_like(energy)).unsqueeze(-1)

"""Latents sent over many channels at once, as training and the gate do: in the units of `streams.py`, without antennas.

Every latent passes every channel of a bank; the mean energy of these very latents is at the budget within each channel.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from latentlink.neural.codec.design import Codec
from latentlink.neural.codec.ends import Ends, carried, decode, limit_messages, mean_scale, precode, refitted_gain
from latentlink.neural.codec.examples import Batch
from latentlink.neural.codec.networks import Dropout
from latentlink.neural.codec.streams import Streams

CHANNELS_AT_ONCE = 16


@torch.no_grad()
def loss_and_score(
    codec: Codec, batch: Batch, streams: Streams, seed: int, active: Tensor | None = None
) -> tuple[Float[Tensor, "c"], Float[Tensor, "c"]]:
    """Loss (c,) and score (c,) of a codec on a batch over each channel, always with the same noise.

    Args:
        codec: what is judged.
        batch: latents and what is wanted of them.
        streams: channels (c,).
        seed: of the noise.
        active: (c,) False where the linear design alone is judged; None where the codec is on everywhere.
    """
    generator = torch.Generator(streams.amplitude.device).manual_seed(seed)
    losses, scores = [], []
    for rows in torch.arange(len(streams.amplitude), device=streams.amplitude.device).split(CHANNELS_AT_ONCE):
        on = None if active is None else active[rows]
        z = simulate(codec, batch.z, streams[rows], generator, active=on)
        losses.append(batch.wanted.loss(z, batch.rows).mean(-1))
        scores.append(batch.wanted.score(z, batch.rows).mean(-1))
    return torch.cat(losses), torch.cat(scores)


def simulate(
    codec: Codec, z: Tensor, streams: Streams, generator: torch.Generator, drop: Dropout | None = None, active: Tensor | None = None
) -> Float[Tensor, "c n o"]:
    """What the receiver decodes, ẑ (c, n, o), of latents z (n, i) that are sent over channels (c,) with fresh noise.

    Args:
        codec: networks and power limit.
        z: coordinates that the encoder reads.
        streams: channels (c,).
        generator: of the noise, on the device.
        drop: what leaves out hidden units in training, or None.
        active: as in `loss_and_score`.
    """
    if active is not None and not bool(active.any()):
        return _by_the_linear_design(codec, z, streams, generator)
    ends = Ends.of(codec.encoder, codec.decoder, streams, active)
    raw = precode(codec.encoder, ends, z, drop)
    t = _at_budget(codec, raw, streams)
    if active is not None and codec.limit.limits_messages:
        ends = ends.refitted(z, t, streams)
    noise = torch.randn(t.shape, generator=generator, device=t.device, dtype=streams.amplitude.dtype)
    return decode(codec.decoder, ends, streams.amplitude.unsqueeze(-2) * t + noise, drop)


def _by_the_linear_design(codec: Codec, z: Tensor, streams: Streams, generator: torch.Generator) -> Float[Tensor, "c n o"]:
    """The same where the codec is off at every channel: no network has to be asked."""
    S, k = streams.amplitude.shape[-1], len(codec.outputs)
    t = _at_budget(codec, streams.share.sqrt().unsqueeze(-2) * carried(z, S), streams)
    gain = refitted_gain(z, t, streams) if codec.limit.limits_messages else streams.gain
    noise = torch.randn(t.shape, generator=generator, device=t.device, dtype=t.dtype)
    return carried(gain.unsqueeze(-2) * (streams.amplitude.unsqueeze(-2) * t + noise), k)


def _at_budget(codec: Codec, raw: Float[Tensor, "c n S"], streams: Streams) -> Float[Tensor, "c n S"]:
    """Symbols scaled to the mean budget within each channel, and limited message by message."""
    scale = mean_scale(codec.limit, raw.square().sum(-1).mean(-1), streams.share.sum(-1))
    return limit_messages(codec.limit, raw * scale)

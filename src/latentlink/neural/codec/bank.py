"""A bank of channels to train on, as the parallel streams that their SVDs make of them."""

from dataclasses import fields

import torch

from latentlink.channels.channel import Channel
from latentlink.channels.draws import ChannelSource
from latentlink.neural.codec.design import Codec
from latentlink.neural.codec.streams import Streams, placed, symbols

LEAST_DRAWN = 2**14  # channels that are drawn before a source is said to have none that fits


def draw_bank(source: ChannelSource, count: int, codec: Codec, seed: int) -> Streams:
    """The streams (c, S) of channels that a source draws, on the codec's device.

    Args:
        source: what draws the channels.
        count: number of channels to draw. Those with more symbols than the codec has are left out; where none is left, more are drawn.
        codec: what the channels are for.
        seed: of the draws.

    Raises:
        ValueError: none of many channels fits.
    """
    generator, strength = torch.Generator().manual_seed(seed), codec.modes.strength
    fitting: list[Channel] = []
    drawn = 0
    while not fitting and drawn <= LEAST_DRAWN:
        fitting = [channel for channel in source.draw(count, generator) if symbols(channel) <= codec.max_symbols]
        drawn, count = drawn + count, 2 * count
    if not fitting:
        raise ValueError(f"draws must have channels of at most max_symbols = {codec.max_symbols} symbols, got none: raise max_symbols")
    parts = [placed(strength, channel.to(strength.device), codec.most)[0] for channel in fitting]
    order = torch.randperm(sum(len(part.amplitude) for part in parts), generator=generator)  # they come by size
    return Streams(*(torch.cat([getattr(part, f.name) for part in parts]).float()[order.to(strength.device)] for f in fields(Streams)))

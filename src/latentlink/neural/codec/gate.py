"""The gate: for which kinds of channels the codec is on, decided once on validation pilots; elsewhere the exact linear design stays.

Channels are distinguished by their number of symbols and by the bits a symbol carries. The codec is on for a kind only where it scored
higher than the linear design on the same channels, messages and noise, by more than `margin` standard errors of that difference over
channels. The messages are the same for all channels, so that error does not cover how well they stand for others: with few pilots the
promise is one on these pilots. A training therefore opens the gate only if the mean gain over all channels that would be served exceeds as
many standard errors over the messages.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from latentlink.neural.codec.streams import Streams
from latentlink_runtime.codec.design import BITS, SYMBOLS  # a kind counts how many of these its bits a symbol, its symbols are above


@dataclass(frozen=True, eq=False)
class Gate:
    """On or off for each kind of channel.

    Attributes:
        open: (len(SYMBOLS) + 1, len(BITS) + 1).
    """

    open: Bool[Tensor, "s b"]

    @classmethod
    def always(cls) -> "Gate":
        """The codec serves every channel."""
        return cls(torch.ones(len(SYMBOLS) + 1, len(BITS) + 1, dtype=torch.bool, device="cpu"))

    @classmethod
    def choose(cls, streams: Streams, gained: Float[Tensor, "c"], margin: float) -> "Gate":
        """The gate that is open for the kinds of channels whose mean gain in score (of gains (c,)) exceeds `margin` standard errors."""
        kind, kinds = kinds_of(streams), (len(SYMBOLS) + 1) * (len(BITS) + 1)
        gained, zeros = gained.double(), gained.new_zeros(kinds, dtype=torch.float64)
        count = zeros.scatter_add(0, kind, torch.ones_like(gained))
        mean = zeros.scatter_add(0, kind, gained) / count.clamp(min=1)
        spread = zeros.scatter_add(0, kind, (gained - mean[kind]).square()) / (count - 1).clamp(min=1)
        surely = mean > margin * (spread / count.clamp(min=1)).sqrt()
        enough = count >= 2  # one channel says nothing of its kind
        return cls((surely & enough).view(len(SYMBOLS) + 1, -1))

    def of(self, streams: Streams) -> Bool[Tensor, "*batch"]:
        """True for the channels that the codec serves."""
        return self.open.to(streams.amplitude.device).flatten()[kinds_of(streams)]


def kinds_of(streams: Streams) -> Int[Tensor, "*batch"]:
    """The index of the kind of each channel."""
    device = streams.amplitude.device
    symbols = streams.symbols.to(streams.amplitude)
    per_symbol = streams.bits / symbols.clamp(min=1)
    size = torch.bucketize(symbols, torch.tensor(SYMBOLS, dtype=symbols.dtype, device=device), right=False)
    rate = torch.bucketize(per_symbol, torch.tensor(BITS, dtype=per_symbol.dtype, device=device), right=False)
    return size * (len(BITS) + 1) + rate

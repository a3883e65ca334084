"""The number of real floating-point operations that a device needs for one message.

Convention: a complex product is 6 real operations (4 products, 2 additions) and the complex addition that accumulates it is 2, so each
complex weight costs 8; a complex weight on a real input, and each real weight on a complex input, costs 4; a real weight on a real input 2.
The accumulator starts at the bias, so that each product is followed by one addition; layers without a bias are counted in the same way.
"""

from dataclasses import dataclass
from typing import NamedTuple

from latentlink.numerics.reprs import Summarised

COMPLEX_WEIGHT = 8  # real operations for a complex weight on a complex input: product and accumulation
MIXED_WEIGHT = 4  # one of the two is real
REAL_WEIGHT = 2


class LayerFlops(NamedTuple):
    """A line of the table of operations: its name, real operations per message, and remaining weights."""

    name: str
    flops: int
    weights: int = 0


@dataclass(frozen=True)
class OperationCount(Summarised):
    """The real floating-point operations for one message.

    Attributes:
        encode: operations at the transmitter.
        decode: operations at the receiver.

    Example:
        >>> import torch, latentlink as ll
        >>> x = torch.randn(500, 8, generator=torch.Generator().manual_seed(0))
        >>> modes = ll.semantic_modes(ll.Moments.from_pairs(x, x[:, :6].tanh()))
        >>> channel = ll.Channel.from_snr(ll.rayleigh(2, 2, generator=0), snr_db=20.0)
        >>> link = ll.ClosedForm().design(modes, channel).transceiver
        >>> link.flops, link.flops.total  # 2 × 4 × 8 and 2 × 6 × 4
        (OperationCount(encode=64, decode=48), 112)
    """

    encode: int
    decode: int

    @classmethod
    def of(cls, table: list[LayerFlops]) -> "OperationCount":
        """The sums of a table, whose lines begin with "precoder" or "decoder"."""
        encode, decode = (sum(line.flops for line in table if line.name.startswith(end)) for end in ("precoder", "decoder"))
        return cls(encode, decode)

    @property
    def total(self) -> int:
        """The operations of both devices."""
        return self.encode + self.decode

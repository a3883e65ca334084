"""What is put on the two devices: encode and decode, and what a design returns.

A transceiver may be anything that encodes latents to channel symbols and decodes what is received. Decoders end in ŷ = μy + Ψ ẑ with few
coefficients ẑ, which is all that evaluation needs of a message.
"""

from typing import Any, Protocol, runtime_checkable

import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from latentlink.channels.channel import Channel
from latentlink.numerics.doors import as_tensor


@runtime_checkable
class Transceiver(Protocol):
    """Anything that can be put on the two devices, for a batch `...` of channels."""

    @property
    def batch(self) -> torch.Size:
        """The leading dimensions `...`."""

    @property
    def mean_y(self) -> Tensor:
        """μy (m,)."""

    @property
    def synthesis(self) -> Tensor:
        """Ψ (m, s)."""

    def encode(self, x: Tensor) -> Tensor:
        """Channel symbols (…, n, u, n_tx) of latents x (…, n, d)."""

    def receive(self, r: Tensor) -> Tensor:
        """Coefficients ẑ (…, n, s) of received symbols r (…, n, u, n_rx)."""

    def decode(self, r: Tensor) -> Tensor:
        """Latents ŷ = μy + Ψ ẑ (…, n, m)."""


@runtime_checkable
class SideInformed(Protocol):
    """A transceiver whose receiver is told something of each message besides the channel, free of error; what that costs is counted."""

    @property
    def side_symbols(self) -> int:
        """Complex symbols per message to add to the compression factor for it, at one real number an index."""

    @property
    def side_bits(self) -> float:
        """What it takes in bits per message, at least."""

    def informed_by(self, x: Tensor) -> Transceiver:
        """The same transceiver, its receiver knowing the side information of these messages x (…, n, d)."""


@runtime_checkable
class Scalable(Protocol):
    """A transceiver whose power may be set without designing it anew."""

    def scaled(self, factor: Tensor) -> Transceiver:
        """The same at powers times a factor (…), known at both ends."""


def informed(transceiver: Transceiver, x: Tensor) -> Transceiver:
    """The transceiver that can decode what is received of messages x (…, n, d): itself, unless it needs side information on them."""
    return transceiver.informed_by(x) if isinstance(transceiver, SideInformed) else transceiver


def transmit(
    transceiver: Transceiver, x: Tensor | NDArray[Any], channel: Channel, generator: torch.Generator | None = None
) -> Float[Tensor, "*batch n m"]:
    """ŷ (…, n, m): encode x, send it through the channel with fresh noise, decode.

    Args:
        transceiver: the pair.
        x: latents (n, d) or (…, n, d).
        channel: the channels they really pass, which need not be those of the design.
        generator: source of the noise.

    Raises:
        ValueError: shapes do not fit (see `encode`, `Channel.apply`, `decode`).
    """
    x = as_tensor("x", x)
    return informed(transceiver, x).decode(channel.apply(transceiver.encode(x), generator))

"""The protocol of what is put on the two devices.

A transceiver may be anything that encodes latents to channel symbols and decodes what is received. Decoders end in ŷ = μy + Ψ ẑ with few
coefficients ẑ, which is all that evaluation needs of a message. Inherit from
`latentlink.BaseTransceiver` to write one: it has all that is optional.
"""

import os
from collections.abc import Callable, Hashable
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from latentlink.channels.channel import Channel
from latentlink.links.operation_count import OperationCount
from latentlink.numerics.doors import AnyArray


@runtime_checkable
class Codes(Protocol):
    """The least that an own transceiver has to have: `ll.evaluate`, `ll.transmit`, `ll.metrics.peaks` and `latency` take it as it is."""

    def encode(self, x: Tensor) -> Tensor:
        """Channel symbols (…, n, u, n_tx), complex, of latents x (…, n, d)."""

    def decode(self, r: Tensor) -> Tensor:
        """Latents ŷ (…, n, m) of received symbols r (…, n, u, n_rx)."""


@runtime_checkable
class Transceiver(Protocol):
    """The protocol of what can be put on the two devices, for a batch `...` of channels.

    Attributes that are optional (see `BaseTransceiver`) are those from `side_symbols` on.
    """

    @property
    def batch(self) -> torch.Size:
        """The leading dimensions `...`: one transceiver for each channel."""

    @property
    def channel(self) -> Channel:
        """The channel that it was designed for; its power is the budget."""

    @property
    def mean_y(self) -> Tensor:
        """μy (m,)."""

    @property
    def synthesis(self) -> Tensor:
        """Ψ (m, s)."""

    @property
    def flops(self) -> OperationCount | None:
        """Real floating-point operations for one message; None where nobody has counted them."""

    def encode(self, x: AnyArray) -> Tensor:
        """Channel symbols (…, n, u, n_tx) of latents x (…, n, d).

        Raises:
            ValueError: x is complex or not finite, its last dimension is not d, it has no message axis, or its batch does not fit.
        """

    def receive(self, r: AnyArray) -> Tensor:
        """Coefficients ẑ (…, n, s) of received symbols r (…, n, u, n_rx).

        Raises:
            ValueError: r is real or not finite, its uses or antennas are not the channel's, or its batch does not fit.
        """

    def decode(self, r: AnyArray) -> Tensor:
        """Latents ŷ = μy + Ψ ẑ (…, n, m) of received symbols r (…, n, u, n_rx)."""

    def matched_to(self, channel: Channel) -> "Transceiver":
        """The same transmitter with the receiver for the channel that it measures; a ValueError where that takes a new design."""

    def to(self, target: torch.device | torch.dtype | str) -> "Transceiver":
        """The same transceiver on another device, or in another precision."""

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the link atomically; `latentlink.load` reads it back."""

    @property
    def side_symbols(self) -> int:
        """Complex symbols per message to add to the compression factor for side information; 0 where there is none."""

    @property
    def side_bits(self) -> float:
        """Bits per message that the side information takes, at least; 0 where there is none."""

    @property
    def density(self) -> float | None:
        """Share of the weights that pruning has left; None where nothing is pruned."""

    @property
    def form(self) -> str | None:
        """The form, dense or sparse, in which its weights are multiplied; None where there is only one."""

    @property
    def scalable(self) -> bool:
        """True if `scaled` changes its power without a new design."""

    @property
    def clock_key(self) -> Hashable | None:
        """Transceivers of equal keys take the same time on channels of the same shape; None where each has to be timed."""

    def informed_by(self, x: AnyArray) -> "Transceiver":
        """The same transceiver, its receiver knowing the side information of these messages x (…, n, d)."""

    def scaled(self, factor: Float[Tensor, "*batch"]) -> "Transceiver":
        """The same at powers times a factor (…), known at both ends; a ValueError where `scalable` is false."""

    def for_counting(self) -> "Transceiver":
        """The form whose operations are counted: without the parts that a device would leave out."""

    def for_clock(self, x: Tensor, messages: int) -> "Transceiver":
        """The form that a clock times when `messages` of x (n, d) are sent at a time; its batch may be one channel of many."""

    def measured(self, x: Tensor, send: Callable[[Tensor], Tensor]) -> dict[str, Tensor]:
        """Further figures (…) of its own, by name, measured on messages x (n, d); `send` gives what is received of symbols."""

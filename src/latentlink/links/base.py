"""The defaults that every transceiver inherits: decoding by coefficients, summaries in one line, a default for all that is optional."""

from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING, TypeVar

import torch
from jaxtyping import Float
from torch import Tensor

from latentlink.channels.channel import Channel
from latentlink.links.operation_count import OperationCount
from latentlink.links.transceiver import Transceiver
from latentlink.numerics.doors import AnyArray
from latentlink.numerics.parts import Parts
from latentlink.numerics.reprs import Summarised, counted
from latentlink.storage.artifacts import Saved

T = TypeVar("T", bound="BaseTransceiver")


class BaseTransceiver(Summarised, Parts, Saved):
    """The default of all that is optional in `Transceiver`, and of what all links do alike.

    A class that inherits it brings `channel`, `mean_y`, `synthesis`, `flops`, `encode` and `receive`; it overrides what it can do better,
    such as `matched_to`, `scaled` or `informed_by`. A dataclass of tensors moves by `to`, and is saved if it is an `artifact`.
    """

    if TYPE_CHECKING:  # what a class that inherits it brings

        @property
        def channel(self) -> Channel: ...
        @property
        def mean_y(self) -> Tensor: ...
        @property
        def synthesis(self) -> Tensor: ...
        @property
        def flops(self) -> OperationCount | None: ...
        def receive(self, r: AnyArray) -> Tensor: ...

    side_symbols: int = 0
    side_bits: float = 0.0
    density: float | None = None
    form: str | None = None
    scalable: bool = False

    @property
    def batch(self) -> torch.Size:
        """The leading dimensions `...` of the channel."""
        return self.channel.batch

    @property
    def clock_key(self) -> Hashable | None:
        """Transceivers of one class and equal operations take the same time on channels of the same shape."""
        return type(self).__name__, self.flops

    def decode(self, r: AnyArray) -> Float[Tensor, "*batch n m"]:
        """Latents ŷ = μy + Ψ ẑ (…, n, m) of received symbols r (…, n, u, n_rx); raises as `receive`."""
        return self.mean_y + self.receive(r) @ self.synthesis.mT

    def matched_to(self, channel: Channel) -> Transceiver:
        """Refused by a ValueError: this kind of receiver is made together with its transmitter."""
        raise ValueError(f"a {type(self).__name__} cannot be matched to another channel: design it again for that channel")

    def scaled(self, factor: Float[Tensor, "*batch"]) -> Transceiver:
        """Refused by a ValueError: another power takes another design."""
        raise ValueError(f"a {type(self).__name__} cannot be scaled: design it again with channel.with_power(power)")

    def informed_by(self: T, x: AnyArray) -> T:
        """Itself: the receiver needs no side information on messages."""
        return self

    def for_counting(self: T) -> T:
        """Itself: all of it runs on a device."""
        return self

    def for_clock(self: T, x: Tensor, messages: int) -> T:
        """Itself, for all channels of its batch."""
        return self

    def measured(self, x: Tensor, send: Callable[[Tensor], Tensor]) -> dict[str, Tensor]:
        """An empty dictionary: there are no further figures."""
        return {}

    def _facts(self) -> dict[str, str]:
        flops = self.flops
        operations = "" if flops is None else f"{flops.encode:,} to encode, {flops.decode:,} to decode"
        sizes = {"receiver's latent": str(len(self.mean_y)), "coefficients": str(self.synthesis.shape[-1])}
        return {**self.channel.sizes, **sizes, "operations": operations}

    def _line(self) -> list[str]:
        return [*self.channel.sizes.values(), f"latents → {len(self.mean_y)}", counted(self.synthesis.shape[-1], "coefficient")]

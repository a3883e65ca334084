"""The protocol of a transceiver, and the base class that has the defaults of all that is optional.

A transceiver may be anything that encodes latents to channel symbols and decodes received symbols. Decoders end in ŷ = μy + Ψ ẑ with few
coefficients ẑ, which is all that evaluation needs of a message. To write one, inherit from `latentlink.BaseTransceiver`.
"""

import os
from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING, Protocol, TypeVar, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from latentlink.channels.channel import Channel
from latentlink.latents.rows import as_latents
from latentlink.links.calibration import bring_to_budget
from latentlink.links.operation_count import OperationCount
from latentlink.numerics.doors import AnyArray
from latentlink.numerics.expectations import made_by
from latentlink.numerics.parts import Parts
from latentlink.numerics.reprs import Summarised, counted
from latentlink.storage.artifacts import Saved
from latentlink.storage.provenance import Provenance

T = TypeVar("T", bound="BaseTransceiver")


@runtime_checkable
class Codes(Protocol):
    """The least that an own transceiver has to have: `ll.evaluate`, `ll.transmit`, `ll.metrics.peaks` and `latency` take it as it is."""

    def encode(self, x: Tensor) -> Tensor:
        """Channel symbols (…, n, u, n_tx), complex, of latents x (…, n, d)."""

    def decode(self, r: Tensor) -> Tensor:
        """Latents ŷ (…, n, m) of received symbols r (…, n, u, n_rx)."""


@made_by("solution.transceiver")
@runtime_checkable
class Transceiver(Protocol):
    """The protocol of what can be put on the two devices, for a batch `...` of channels.

    Attributes that are optional (see `BaseTransceiver`) are those from `side_symbols` on.

    Example:
        >>> import torch, latentlink as ll
        >>> x = torch.randn(500, 8, generator=torch.Generator().manual_seed(0))
        >>> modes = ll.semantic_modes(ll.Moments.from_pairs(x, x[:, :6].tanh()))
        >>> channel = ll.Channel.from_snr(ll.rayleigh(2, 2, generator=0), snr_db=20.0)
        >>> link = ll.ClosedForm().design(modes, channel).transceiver
        >>> isinstance(link, ll.Transceiver)
        True
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

    def save(self, path: str | os.PathLike[str], provenance: Provenance | None = None) -> None:
        """Write the link atomically, with how it was made where that is told; `latentlink.load` reads it back."""

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
    def has_rates(self) -> bool:
        """True if it carries bits at rates that a design chooses, so that another power by a new design would be another link."""

    @property
    def clock_key(self) -> Hashable | None:
        """Transceivers of equal keys take the same time on channels of the same shape; None where each has to be timed."""

    def informed_by(self, x: AnyArray) -> "Transceiver":
        """The same transceiver, its receiver knowing the side information of these messages x (…, n, d)."""

    def scaled(self, factor: Float[Tensor, "*batch"]) -> "Transceiver":
        """The same at powers times a factor (…), known at both ends; a ValueError where `scalable` is false."""

    def calibrated(self, x: AnyArray) -> "Transceiver":
        """The same with the gain at which messages x (n, d) spend the budget; a ValueError where that takes a new design."""

    def for_counting(self) -> "Transceiver":
        """The form whose operations are counted: without the parts that a device would leave out."""

    def for_clock(self, x: Tensor, messages: int) -> "Transceiver":
        """The form that a clock times when `messages` of x (n, d) are sent at a time; its batch may be one channel of many."""

    def measured(self, x: Tensor, send: Callable[[Tensor], Tensor]) -> dict[str, Tensor]:
        """Further figures (…) of its own, by name, measured on messages x (n, d); `send` gives what is received of symbols."""


class BaseTransceiver(Summarised, Parts, Saved):
    """The default of all that is optional in `Transceiver`, and the common methods of all links.

    A class that inherits it brings `channel`, `mean_y`, `synthesis`, `flops`, `encode` and `receive`, and may override the others. A
    dataclass of tensors moves by `to`, and is saved if it is an `artifact`.

    Example:
        >>> import torch, latentlink as ll
        >>> class FirstTwo(ll.BaseTransceiver):  # sends the first two numbers of a latent as one symbol over one antenna
        ...     flops, mean_y, synthesis = None, torch.zeros(8), torch.eye(8)[:, :2]
        ...     channel = ll.Channel.from_snr(ll.rayleigh(1, 1, generator=0), snr_db=20.0)
        ...     def encode(self, x):
        ...         return torch.complex(x[..., 0], x[..., 1])[..., None, None] / 2**0.5
        ...     def receive(self, r):
        ...         return torch.view_as_real(r[..., 0, 0] / self.channel.h.to(r.dtype)[0, 0, 0]) * 2**0.5
        >>> x = torch.randn(100, 8, generator=torch.Generator().manual_seed(0))
        >>> ll.transmit(FirstTwo(), x, FirstTwo.channel, generator=0).shape
        torch.Size([100, 8])
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
        def encode(self, x: AnyArray) -> Tensor: ...
        def receive(self, r: AnyArray) -> Tensor: ...

    side_symbols: int = 0
    side_bits: float = 0.0
    density: float | None = None
    form: str | None = None
    scalable: bool = False
    has_rates: bool = False

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

    def calibrated(self: T, x: AnyArray) -> T:
        """The same link with the gain at which messages like x spend the budget, as a transmitter's gain control sets it.

        Power that was planned on pilots comes out differently on other latents, most where pilots are few. The receiver knows the gain.

        Args:
            x: latents (n, d) of the transmitter.

        Returns:
            The link whose mean power over x is that of its `channel`, to 0.2 %; itself where it is so already or nothing is sent.

        Raises:
            ValueError: x are no latents of the transmitter, or the power cannot be changed without a new design.

        Example:
            >>> import torch, latentlink as ll
            >>> x = torch.randn(500, 8, generator=torch.Generator().manual_seed(0))
            >>> modes = ll.semantic_modes(ll.Moments.from_pairs(x, x[:, :6].tanh()))
            >>> channel = ll.Channel.from_snr(ll.rayleigh(2, 2, generator=0), snr_db=20.0)
            >>> link = ll.ClosedForm().design(modes, channel).transceiver
            >>> others = 2 * x  # latents that the design has not seen
            >>> [round(float(each.encode(others).abs().square().sum((-2, -1)).mean()), 1) for each in (link, link.calibrated(others))]
            [4.0, 1.0]
        """
        return bring_to_budget(self, as_latents("x", x))

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

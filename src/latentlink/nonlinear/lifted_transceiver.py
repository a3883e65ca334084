"""The transceiver whose transmitter lifts latents before a link encodes them; its receiver is that link's."""

from dataclasses import dataclass, replace
from typing import Any

import torch
from jaxtyping import Complex, Float
from torch import Tensor

from latentlink.channels.channel import Channel
from latentlink.linear.transceiver import LinearTransceiver
from latentlink.links.link_file import saved_tensors, taken_out
from latentlink.links.operation_count import OperationCount
from latentlink.links.shapes import check_latents
from latentlink.links.transceiver import BaseTransceiver
from latentlink.nonlinear.lifted import Lifted
from latentlink.nonlinear.mixture_transceiver import MixtureTransceiver
from latentlink.numerics.doors import AnyArray
from latentlink.storage.artifacts import artifact

_LINKS: dict[str, type[LinearTransceiver] | type[MixtureTransceiver]] = {"linear": LinearTransceiver, "mixture": MixtureTransceiver}


@artifact("lifted link")
@dataclass(frozen=True, eq=False, repr=False)
class LiftedTransceiver(BaseTransceiver):
    """A link on lifted latents (see `Lifted`), for a batch `...` of channels.

    Attributes:
        lifted: what the transmitter computes of x.
        link: the link that encodes it, and whose receiver decodes.

    Example:
        >>> import torch, latentlink as ll
        >>> x = torch.randn(500, 8, generator=torch.Generator().manual_seed(0))
        >>> lifted = ll.nonlinear.Lifted.of_latents(x, features=64)
        >>> modes = ll.semantic_modes(lifted.moments(x, x[:, :2] * x[:, 2:4]))
        >>> channel = ll.Channel.from_snr(ll.rayleigh(2, 2, generator=0), snr_db=20.0)
        >>> link = ll.nonlinear.LiftedLink(lifted).design(modes, channel).transceiver
        >>> ll.transmit(link, x, channel, generator=0).shape
        torch.Size([500, 2])
    """

    lifted: Lifted
    link: LinearTransceiver | MixtureTransceiver

    @property
    def channel(self) -> Channel:
        """The channel that the receiver believes in; its power is the budget."""
        return self.link.channel

    @property
    def batch(self) -> torch.Size:
        """The batch `...` of the link."""
        return self.link.batch

    @property
    def mean_y(self) -> Float[Tensor, "m"]:
        """μy (m,)."""
        return self.link.mean_y

    @property
    def synthesis(self) -> Float[Tensor, "m s"]:
        """Ψ (m, s)."""
        return self.link.synthesis

    @property
    def flops(self) -> OperationCount:
        """The operations of the link, and those of lifting."""
        return OperationCount(self.lifted.flops + self.link.flops.encode, self.link.flops.decode)

    def encode(self, x: AnyArray) -> Complex[Tensor, "*batch n u t"]:
        """Channel symbols s (…, n, u, n_tx) of latents x (n, d) or (…, n, d); raises as `Transceiver.encode`."""
        return self.link.encode(self.lifted.of(check_latents(x, len(self.lifted.mean), self.batch)))

    def receive(self, r: AnyArray) -> Float[Tensor, "*batch n s"]:
        """Coefficients ẑ (…, n, s) of received symbols r (…, n, u, n_rx); raises as that of the link."""
        return self.link.receive(r)

    def matched_to(self, channel: Channel) -> "LiftedTransceiver":
        """The same transmitter, with the link's receiver for another channel; raises as that of the link."""
        return replace(self, link=self.link.matched_to(channel))

    @property
    def scalable(self) -> bool:  # type: ignore[override]
        """True where the link is."""
        return self.link.scalable

    def scaled(self, factor: Float[Tensor, "*batch"]) -> "LiftedTransceiver":
        """The same at powers times a factor (…); raises as that of the link."""
        return replace(self, link=self.link.scaled(factor))

    def to_tensors(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        facts = self.link.to_tensors()[1]
        kind = next(word for word, made in _LINKS.items() if isinstance(self.link, made))
        return saved_tensors(self), {**facts, "tx_dim": len(self.lifted.mean), "features": len(self.lifted.phases), "link": kind}

    @classmethod
    def from_tensors(cls, tensors: dict[str, Tensor], manifest: dict[str, Any]) -> "LiftedTransceiver":
        """The link of a saved file."""
        lifted = Lifted.from_tensors(taken_out(tensors, "lifted."), manifest)
        link = _LINKS[manifest["link"]].from_tensors(taken_out(tensors, "link."), manifest)
        return checked(lifted, link)


def checked(lifted: Lifted, link: LinearTransceiver | MixtureTransceiver) -> LiftedTransceiver:
    """The transceiver of both; a ValueError unless the link encodes lifted latents of this dimension."""
    expected = len(lifted.mean) + len(lifted.phases)
    got = len(link.mean_x if isinstance(link, LinearTransceiver) else link.link.mean_x)
    if got != expected:
        raise ValueError(f"link must encode lifted latents of dimension {expected}, got one of latents of dimension {got}")
    return LiftedTransceiver(lifted, link)

"""The transceiver of an object that has `encode` and `decode` alone.

class ZeroForcing:
    def encode(self, x): ...        # latents (n, d) → complex symbols (…, n, u, n_tx)
    def decode(self, r): ...        # received symbols (…, n, u, n_rx) → latents (…, n, m)

ll.evaluate(ZeroForcing(...), x, y, channel=channel, head=head, labels=labels)
"""

import os
from collections.abc import Hashable
from dataclasses import dataclass, replace
from typing import Any

import torch
from jaxtyping import Complex, Float
from torch import Tensor

from latentlink.channels.channel import Channel
from latentlink.links.operation_count import OperationCount
from latentlink.links.shapes import check_channel
from latentlink.links.solution import Solution
from latentlink.links.transceiver import BaseTransceiver, Codes, Transceiver
from latentlink.numerics.doors import AnyArray, as_tensor

AnyLink = Codes | Solution


@dataclass(frozen=True, eq=False, repr=False)
class OwnTransceiver(BaseTransceiver):
    """An own object as a transceiver: ẑ is the decoded latent itself, μy = 0 and Ψ = I.

    What the object has of `Transceiver` besides `encode` and `decode` (side information, operations, `to`, …) is used.

    Attributes:
        own: the object.
        channel: that it is used on.
        dimension: m of the receiver's latents; 0 where nothing is decoded.
    """

    own: Any
    channel: Channel
    dimension: int = 0

    @property
    def batch(self) -> torch.Size:
        """The leading dimensions that the object names, else those of the channel."""
        return torch.Size(getattr(self.own, "batch", self.channel.batch))

    @property
    def mean_y(self) -> Float[Tensor, "m"]:
        """Zeros (m,): the decoded latent has its mean already."""
        return self.channel.power.new_zeros(self.dimension)

    @property
    def synthesis(self) -> Float[Tensor, "m m"]:
        """The identity (m, m)."""
        return torch.diag(torch.ones_like(self.mean_y))

    @property
    def flops(self) -> OperationCount | None:
        """The operations that the object names; None where it names none."""
        flops = getattr(self.own, "flops", None)
        return flops if isinstance(flops, OperationCount) else None

    @property
    def side_symbols(self) -> int:  # type: ignore[override]
        """The symbols that the object names, else none."""
        return int(getattr(self.own, "side_symbols", 0))

    @property
    def clock_key(self) -> Hashable | None:
        """An own object has none: it is timed on every channel."""
        return None

    def encode(self, x: AnyArray) -> Complex[Tensor, "*batch n u t"]:
        """Channel symbols (…, n, u, n_tx) as the object makes them; raises as `encoded`."""
        return encoded(self.own, x)

    def receive(self, r: AnyArray) -> Float[Tensor, "*batch n m"]:
        """The latents (…, n, m) that the object decodes, in the channel's precision and on its device; a ValueError otherwise."""
        return self.decode(r).to(self.channel.power)

    def decode(self, r: AnyArray) -> Float[Tensor, "*batch n m"]:
        decoded = as_tensor("what decode returned", self.own.decode(r))
        if self.dimension and (decoded.ndim < 2 or decoded.shape[-1] != self.dimension):
            name = type(self.own).__name__
            raise ValueError(f"{name}.decode must return latents of shape (..., n, {self.dimension}), got {tuple(decoded.shape)}")
        return decoded

    def informed_by(self, x: AnyArray) -> "OwnTransceiver":
        """The object with the side information of these messages, where it takes any."""
        return replace(self, own=self.own.informed_by(x)) if hasattr(self.own, "informed_by") else self

    def matched_to(self, channel: Channel) -> Transceiver:
        """The object matched to the channel, where it can be; raises as `BaseTransceiver.matched_to`."""
        return replace(self, own=self.own.matched_to(channel)) if hasattr(self.own, "matched_to") else super().matched_to(channel)

    def to(self, target: torch.device | torch.dtype | str) -> "OwnTransceiver":
        """The object moved, where it can be."""
        return replace(self, own=self.own.to(target)) if hasattr(self.own, "to") else self

    def save(self, path: str | os.PathLike[str]) -> None:
        """Save the object by its own `save`; raises a ValueError if it has none."""
        if not hasattr(self.own, "save"):
            raise ValueError(f"a {type(self.own).__name__} cannot be saved: give it a method save(path)")
        self.own.save(path)


def as_transceiver(link: AnyLink, channel: Channel, dimension: int = 0) -> Transceiver:
    """The transceiver of a solution, or of any object with `encode` and `decode`, on a channel; `dimension` is m of the receiver's latents.

    Raises:
        ValueError: it has no `encode` or no `decode`, or channel is no Channel.
    """
    check_channel(channel)
    found = codes_of(link)
    return found if isinstance(found, BaseTransceiver) else OwnTransceiver(found, channel, dimension)  # type: ignore[return-value]


def codes_of(link: AnyLink) -> Codes:
    """The part of a link of any kind that encodes and decodes; a ValueError where nothing does."""
    found = link.transceiver if isinstance(link, Solution) else link
    if isinstance(found, type) or not isinstance(found, Codes):
        raise ValueError(f"transceiver must have encode(x) and decode(r), or be a Solution, got {found!r}")
    return found


def encoded(link: AnyLink, x: AnyArray) -> Complex[Tensor, "*batch n u t"]:
    """The channel symbols (…, n, u, n_tx) that a link of any kind makes of latents x, at least in the precision of complex64.

    Raises:
        ValueError: what its `encode` returned is no complex array of this shape.
    """
    codes = codes_of(link)
    s = as_tensor("what encode returned", codes.encode(as_tensor("x", x)))
    if not s.is_complex() or s.ndim < 3:
        name = type(codes).__name__
        raise ValueError(f"{name}.encode must return complex symbols of shape (..., n, uses, n_tx), got {s.dtype} {tuple(s.shape)}")
    return s.to(torch.promote_types(s.dtype, torch.complex64))

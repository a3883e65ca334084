"""The transceiver of an object that has `encode` and `decode` alone.

class ZeroForcing:
    def encode(self, x): ...        # latents (n, d) → complex symbols (…, n, u, n_tx)
    def decode(self, r): ...        # received symbols (…, n, u, n_rx) → latents (…, n, m)

ll.evaluate(ZeroForcing(...), x, y, channel=channel, head=head, labels=labels)

What the two return is checked each time: a result of NaN or of another shape would broadcast, and end in an accuracy that nobody measured.
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
from latentlink.links.shapes import broadcast_batch, check_channel
from latentlink.links.solution import Solution
from latentlink.links.transceiver import BaseTransceiver, Codes, Transceiver
from latentlink.numerics.doors import AnyArray, as_tensor
from latentlink.storage.provenance import Provenance

AnyLink = Codes | Solution
_BESIDE = 16  # messages that a message is sent with, to see whether they matter


class OwnLinkError(ValueError):
    """What an own object's `encode` or `decode` returned cannot be used; studies tell it as the fault of the code that made the object."""


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
        """Channel symbols (…, n, u, n_tx) as the object makes them; one that knows no channel may leave out the batch.

        Raises:
            OwnLinkError: they are real or not finite, or no symbols for these messages, uses, antennas and channels.
        """
        x = as_tensor("x", x)
        s = encoded(self.own, x)
        batch, sizes = broadcast_batch("x", x.shape[:-2], self.channel.batch), (*x.shape[-2:-1], self.channel.uses, self.channel.n_tx)
        if s.shape[-3:] != sizes or not _fits(s.shape[:-3], batch):
            raise _refused(self.own, "encode", "finite complex symbols", (*batch, *sizes), s)
        return s

    def mixes_messages(self, x: Tensor) -> bool:
        """True if the object sends the first of latents x (n, d) differently where it is alone, as normalisation over a batch does."""
        beside, alone = self.encode(x[:_BESIDE])[..., :1, :, :], self.encode(x[:1])
        return not torch.allclose(beside, alone.to(beside), rtol=1e-3, atol=1e-3 * float(alone.abs().amax()))

    def receive(self, r: AnyArray) -> Float[Tensor, "*batch n m"]:
        """The latents (…, n, m) that the object decodes, in the channel's precision and on its device; raises as `decode`."""
        return self.decode(r).to(self.channel.power)

    def decode(self, r: AnyArray) -> Float[Tensor, "*batch n m"]:
        """The latents (…, n, m) that the object decodes.

        Raises:
            OwnLinkError: they are complex or not finite, or no latents for the messages and channels of r.
        """
        r = as_tensor("r", r)
        decoded = _returned(self.own, "decode", self.own.decode(r))
        m = self.dimension or decoded.shape[-1:].numel()
        if decoded.is_complex() or decoded.shape != (*r.shape[:-2], m) or not bool(decoded.isfinite().all()):
            raise _refused(self.own, "decode", "finite real latents", (*r.shape[:-2], self.dimension or "m"), decoded)
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

    def save(self, path: str | os.PathLike[str], provenance: Provenance | None = None) -> None:
        """Save the object by its own `save(path)`, which stores no provenance; raises a ValueError if it has none."""
        if not hasattr(self.own, "save"):
            raise ValueError(f"a {type(self.own).__name__} cannot be saved: give it a method save(path)")
        self.own.save(path)


def as_transceiver(link: AnyLink, channel: Channel, dimension: int = 0) -> Transceiver:
    """The transceiver of a solution, or of any object with `encode` and `decode`, on a channel; `dimension` is m of the receiver's latents.

    Raises:
        ValueError: it has no `encode` or no `decode`, or channel is no Channel.
    """
    check_channel(channel, coloured=True)
    found = codes_of(link)
    return found if isinstance(found, BaseTransceiver) else OwnTransceiver(found, channel, dimension)


def codes_of(link: AnyLink) -> Codes:
    """The part of a link of any kind that encodes and decodes; a ValueError where nothing does."""
    found = link.transceiver if isinstance(link, Solution) else link
    if isinstance(found, type) or not isinstance(found, Codes):
        raise ValueError(f"transceiver must have encode(x) and decode(r), or be a Solution, got {found!r}")
    return found


def encoded(link: AnyLink, x: AnyArray) -> Complex[Tensor, "*batch n u t"]:
    """The channel symbols (…, n, u, n_tx) that a link of any kind makes of latents x, at least in the precision of complex64.

    Raises:
        OwnLinkError: what its `encode` returned is no finite complex array of this shape.
    """
    codes = codes_of(link)
    s = _returned(codes, "encode", codes.encode(as_tensor("x", x)))
    if s.is_complex():
        s = s.to(torch.promote_types(s.dtype, torch.complex64))
    if not s.is_complex() or s.ndim < 3 or not bool(s.isfinite().all()):
        raise _refused(codes, "encode", "finite complex symbols", ("...", "n", "uses", "n_tx"), s)
    return s


def _returned(own: Codes, name: str, value: Any) -> Tensor:
    """The tensor of what a method of an own object returned."""
    try:
        return as_tensor(f"what {type(own).__name__}.{name} returned", value)
    except ValueError as error:
        raise OwnLinkError(str(error)) from error


def _fits(got: torch.Size, batch: torch.Size) -> bool:
    """True if leading dimensions broadcast to a batch without enlarging it."""
    try:
        return torch.broadcast_shapes(got, batch) == batch
    except RuntimeError:
        return False


def _refused(own: Codes, name: str, what: str, shape: tuple[object, ...], got: Tensor) -> OwnLinkError:
    """The error that names the object's class, what was expected of a method of its, and what came."""
    entries = "" if bool(got.isfinite().all()) else " with NaN or infinite entries"
    expected = f"{what} of shape (*batch, n, {'m' if name == 'decode' else 'uses, n_tx'}), here ({', '.join(map(str, shape))})"
    return OwnLinkError(f"{type(own).__name__}.{name} must return {expected}; got {tuple(got.shape)} of {got.dtype}{entries}")

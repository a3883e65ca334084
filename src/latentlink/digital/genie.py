"""Link adaptation by a genie: of each message the largest block that its own noise lets through.

The receiver is told the messages x (`informed_by`), so it knows what was sent and hence the noise, v = r − H s. Each block of the ladder is
then sent over H in that very noise, from the largest payload down, and the first that is read right is what the receiver keeps. `encode`
sends the block of ordinary adaptation: same power, same uses. For payloads without a checksum the genie is also a checksum free of charge,
so that at a few bits it may pass what capacity allows; such blocks are left out where they would mostly be guessed.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from jaxtyping import Complex, Float
from numpy.typing import NDArray
from torch import Tensor

from latentlink.channels.channel import Channel
from latentlink.digital.coding.block import Block
from latentlink.digital.transceiver import DigitalTransceiver, Payloads
from latentlink.links.base import BaseTransceiver
from latentlink.links.operations import OperationCount


@dataclass(frozen=True, eq=False, repr=False)
class GenieTransceiver(BaseTransceiver):
    """A digital link whose adaptation knows the noise (see the module): a bound, not a scheme.

    Attributes:
        link: ordinary adaptation, which `encode` uses. ladders: blocks of each channel of the flat batch, largest payload first.
        told: weighted coefficients of the messages (n, k) or (…, n, k) that the receiver was told of.
    """

    link: DigitalTransceiver
    ladders: tuple[tuple[Block, ...], ...]
    told: Float[Tensor, "*a n k"] | None = None

    @property
    def batch(self) -> torch.Size:
        """The leading dimensions `...`."""
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
        """Of the ordinary link."""
        return self.link.flops

    @property
    def message_bits(self) -> Float[Tensor, "*batch"]:
        """Payload bits (…) of ordinary adaptation."""
        return self.link.message_bits

    def encode(self, x: Tensor | NDArray[Any]) -> Complex[Tensor, "*batch n u t"]:
        """As `DigitalTransceiver.encode`."""
        return self.link.encode(x)

    def informed_by(self, x: Tensor | NDArray[Any]) -> "GenieTransceiver":
        """The same transceiver, its genie told of these messages x (n, d) or (…, n, d); raises as `encode`."""
        return replace(self, told=self.link.messages(x)[0])

    def receive(self, r: Tensor | NDArray[Any]) -> Float[Tensor, "*batch n s"]:
        """Coefficients ẑ (…, n, s) of the received symbols r (…, n, u, n_rx) of the messages told of.

        Raises:
            ValueError: the receiver was told of no messages, of others in number, or r does not fit (see `DigitalTransceiver.receive`).
        """
        return self._through(r)[0]

    def lost(self, x: Tensor | NDArray[Any], r: Tensor | NDArray[Any]) -> Float[Tensor, "*batch"]:
        """Share (…) of messages x (…, n, d) of which no block gets through; raises as `encode` and `receive`."""
        return self.informed_by(x)._through(r)[1]

    scalable = True

    def measured(self, x: Tensor, send: Callable[[Tensor], Tensor]) -> dict[str, Tensor]:
        """Payload bits of a message by ordinary adaptation, and the share of messages of which no block gets through (…)."""
        return {"message_bits": self.message_bits, "block_error": self.lost(x, send(self.encode(x)))}

    def save(self, path: str | os.PathLike[str]) -> None:
        """Refused so far."""
        raise ValueError("a digital link cannot be saved yet")

    @property
    def channel(self) -> Channel:
        """The channels that it was designed for."""
        return self.link.channel

    def scaled(self, factor: Float[Tensor, "*batch"]) -> "GenieTransceiver":
        """The same blocks, those of the ladders too, at powers times a factor (…), as `DigitalTransceiver.scaled`."""
        factors = factor.expand(self.batch).flatten().tolist()
        ladders = tuple(tuple(block.scaled(f) for block in ladder) for ladder, f in zip(self.ladders, factors, strict=True))
        return replace(self, link=self.link.scaled(factor), ladders=ladders)

    def to(self, target: torch.device | torch.dtype | str) -> "GenieTransceiver":
        """The same transceiver in float32 or float64."""
        return replace(self, link=self.link.to(target))

    def _through(self, r: Tensor | NDArray[Any]) -> tuple[Float[Tensor, "*batch n s"], Float[Tensor, "*batch"]]:
        if self.told is None:
            raise ValueError("the genie must be told of the messages: decode with transceiver.informed_by(x), or let ll.transmit do it")
        r, batch = self.link.received(r)
        if self.told.shape[-2] != r.shape[1]:
            raise ValueError(f"r must hold the {self.told.shape[-2]} messages that the genie was told of, got {r.shape[1]}")
        payloads = Payloads(self.link.code, self.told)
        z = self.link.coordinates.weight.new_zeros(len(r), r.shape[1], len(self.link.coordinates.weight))
        missing = torch.ones(len(r), r.shape[1], dtype=torch.bool, device=r.device)
        for number, own, block, beams in self.link.members(batch):
            noise = r[number] - beams.arrive(self.link.sent(payloads, number, block, beams)).to(r)
            for other in self.ladders[own]:
                left = missing[number].nonzero().squeeze(-1)
                if len(left) == 0:
                    break
                sent = payloads.coded(number, other)[left]
                heard = beams.heard(noise[left] + beams.arrive(beams.leave(other.symbols(sent))).to(r))
                bits, holds = other.read(heard, beams.amplitude.double().flatten())
                right = holds & (bits == payloads.of(number, other)[left]).all(-1)
                z[number, left[right]] = self.link.coefficients(bits[right], holds[right])
                missing[number, left[right]] = False
        return z.reshape(*batch, *z.shape[1:]), missing.to(z).mean(-1).reshape(batch)

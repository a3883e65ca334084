"""Link adaptation by a genie: of each message the largest block that its own noise lets through.

The receiver is told the messages x (`informed_by`), so it knows what was sent and hence the noise, v = r − H s. Each block of the ladder is
then sent over H in that very noise, from the largest payload down, and the first that is read right is what the receiver keeps. `encode`
sends the block of ordinary adaptation: same power, same uses. For payloads without a CRC the genie is also a CRC free of charge, so that
at a few bits it may pass what capacity allows; such blocks are left out where they would mostly be guessed.
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
from latentlink.digital.stored import blocks_from_tensors, blocks_to_tensors
from latentlink.digital.transceiver import DigitalTransceiver, Member, Payloads
from latentlink.links.base import BaseTransceiver
from latentlink.links.operation_count import OperationCount
from latentlink.links.saved_channel import taken_out
from latentlink.storage.artifacts import artifact, save


@artifact("genie link")
@dataclass(frozen=True, eq=False, repr=False)
class GenieTransceiver(BaseTransceiver):
    """A digital link whose adaptation knows the noise (see the module): a bound, not a scheme.

    What the genie is told is not counted as side information: no number of bits would make it a scheme.

    Attributes:
        nominal: the link by ordinary adaptation, which `encode` uses.
        ladders: blocks of each channel of the flat batch, largest payload first.
        told: weighted coefficients of the messages (n, k) or (…, n, k) that the receiver was told of.
    """

    nominal: DigitalTransceiver
    ladders: tuple[tuple[Block, ...], ...]
    told: Float[Tensor, "*a n k"] | None = None

    scalable = True

    @property
    def batch(self) -> torch.Size:
        """The leading dimensions `...`."""
        return self.nominal.batch

    @property
    def channel(self) -> Channel:
        """The channels that it was designed for."""
        return self.nominal.channel

    @property
    def mean_y(self) -> Float[Tensor, "m"]:
        """μy (m,)."""
        return self.nominal.mean_y

    @property
    def synthesis(self) -> Float[Tensor, "m s"]:
        """Ψ (m, s)."""
        return self.nominal.synthesis

    @property
    def flops(self) -> OperationCount:
        """The operations of the link by ordinary adaptation: what a genie does no device can do."""
        return self.nominal.flops

    @property
    def message_bits(self) -> Float[Tensor, "*batch"]:
        """The payload bits (…) of ordinary adaptation."""
        return self.nominal.message_bits

    def encode(self, x: Tensor | NDArray[Any]) -> Complex[Tensor, "*batch n u t"]:
        """Channel symbols (…, n, u, n_tx) as `DigitalTransceiver.encode` makes them."""
        return self.nominal.encode(x)

    def informed_by(self, x: Tensor | NDArray[Any]) -> "GenieTransceiver":
        """The same transceiver, its genie told of these messages x (n, d) or (…, n, d); raises as `encode`."""
        return replace(self, told=self.nominal.messages(x).coefficients)

    def receive(self, r: Tensor | NDArray[Any]) -> Float[Tensor, "*batch n s"]:
        """Coefficients ẑ (…, n, s) of the received symbols r (…, n, u, n_rx) of the messages told of.

        Raises:
            ValueError: the receiver was told of no messages, of others in number, or r does not fit (see `DigitalTransceiver.receive`).
        """
        return self._send_through(r)[0]

    def lost(self, x: Tensor | NDArray[Any], r: Tensor | NDArray[Any]) -> Float[Tensor, "*batch"]:
        """The share (…) of messages x (…, n, d) of which no block gets through; raises as `encode` and `receive`."""
        return self.informed_by(x)._send_through(r)[1]

    def measured(self, x: Tensor, send: Callable[[Tensor], Tensor]) -> dict[str, Tensor]:
        """The payload bits of ordinary adaptation, and the share of messages of which no block gets through (…)."""
        return {"message_bits": self.message_bits, "block_error": self.lost(x, send(self.encode(x)))}

    def scaled(self, factor: Float[Tensor, "*batch"]) -> "GenieTransceiver":
        """The same blocks, those of the ladders too, at powers times a factor (…), as `DigitalTransceiver.scaled`."""
        factors = factor.expand(self.batch).flatten().tolist()
        ladders = tuple(tuple(block.scaled(f) for block in ladder) for ladder, f in zip(self.ladders, factors, strict=True))
        return replace(self, nominal=self.nominal.scaled(factor), ladders=ladders)

    def to(self, target: torch.device | torch.dtype | str) -> "GenieTransceiver":
        """The same transceiver on another device, or in float32 or float64."""
        moved = replace(self, nominal=self.nominal.to(target))
        if isinstance(target, torch.dtype):
            return moved
        ladders = tuple(tuple(block.to(target) for block in ladder) for ladder in self.ladders)
        return replace(moved, ladders=ladders, told=None if self.told is None else self.told.to(target))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the link atomically; `latentlink.load` reads it back. What the genie was told of messages is not kept."""
        save("genie link", self, path)

    def to_tensors(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Tensors and facts of the saved file."""
        tensors, facts = self.nominal.to_tensors()
        amplitude = self.nominal.spatial.amplitude
        every = [block for ladder in self.ladders for block in ladder]
        rungs = blocks_to_tensors(every, 2 * amplitude.shape[-2] * amplitude.shape[-1])
        rungs["count"] = torch.tensor([len(ladder) for ladder in self.ladders], dtype=torch.long)
        return tensors | {f"ladder.{name}": value for name, value in rungs.items()}, facts

    @classmethod
    def from_tensors(cls, tensors: dict[str, Tensor], manifest: dict[str, Any]) -> "GenieTransceiver":
        """The link of a saved file."""
        rungs = taken_out(tensors, "ladder.")
        blocks = (block for block in blocks_from_tensors(rungs) if block is not None)
        ladders = tuple(tuple(next(blocks) for _ in range(count)) for count in rungs["count"].tolist())
        return cls(DigitalTransceiver.from_tensors(tensors, manifest), ladders)

    def _send_through(self, r: Tensor | NDArray[Any]) -> tuple[Float[Tensor, "*batch n s"], Float[Tensor, "*batch"]]:
        """Coefficients (…, n, s), and the share (…) of messages of which no block gets through."""
        if self.told is None:
            raise ValueError("the genie must be told of the messages: decode with transceiver.informed_by(x), or let ll.transmit do it")
        symbols, batch = self.nominal.received(r)
        if self.told.shape[-2] != symbols.shape[1]:
            raise ValueError(f"r must hold the {self.told.shape[-2]} messages that the genie was told of, got {symbols.shape[1]}")
        payloads = Payloads(self.nominal.code, self.told)
        weight = self.nominal.coordinates.weight
        z = weight.new_zeros(*symbols.shape[:2], len(weight))
        missing = torch.ones(*symbols.shape[:2], dtype=torch.bool, device=symbols.device)
        for member in self.nominal.members(batch):
            noise = symbols[member.number] - member.spatial.carry(self.nominal.symbols(payloads, member)).to(symbols)
            self._climb_down(member, payloads, noise, z[member.number], missing[member.number])
        return z.reshape(*batch, *z.shape[1:]), missing.to(z).mean(-1).reshape(batch)

    def _climb_down(self, member: Member, payloads: Payloads, noise: Tensor, z: Tensor, missing: Tensor) -> None:
        """Send the blocks of one channel's ladder in the noise of its messages; z (n, s) and missing (n,) are filled in."""
        for block in self.ladders[member.own]:
            left = missing.nonzero().squeeze(-1)
            if len(left) == 0:
                break
            sent = member.spatial.send(block.symbols(payloads.coded(member.number, block)[left]))
            bits, valid = member.read(noise[left] + member.spatial.carry(sent).to(noise), block)
            right = valid & (bits == payloads.of(member.number, block)[left]).all(-1)
            z[left[right]] = self.nominal.coefficients(bits[right], valid[right])
            missing[left[right]] = False

"""Link adaptation by a genie: of each message the largest block that its own noise lets through.

The receiver is given the messages x (`informed_by`), so it knows what was sent and hence the noise, v = r − H s. Each block of the ladder
is then sent over H in the same noise, from the largest payload down, and the receiver takes the first that is decoded correctly. `encode`
sends the block of ordinary adaptation: same power, same uses. For payloads without a CRC the genie is also a CRC free of charge, so that at
a few bits it may pass what capacity allows; such blocks are left out where they would mostly be guessed.
"""

from dataclasses import dataclass, replace
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from latentlink.digital.coding.block import Block
from latentlink.digital.transceiver import DigitalTransceiver, Member, Payloads
from latentlink.links.link_file import taken_out
from latentlink.links.shapes import expanded
from latentlink.numerics.doors import AnyArray
from latentlink.storage.artifacts import artifact


@artifact("genie link")
@dataclass(frozen=True, eq=False, repr=False)
class GenieTransceiver(DigitalTransceiver):
    """A digital link whose receiver knows the noise (see the module): a reference, and no scheme.

    It transmits, and its operations are counted, as the link by ordinary adaptation. The messages that the genie knows are not counted as
    side information: no number of bits would make it a scheme.

    Attributes:
        code: payloads of latents.
        coordinates: the coefficients that a payload can reach, in the precision of what comes out.
        channel: the channels that it was designed for.
        spatial: the spatial modes of the flat batch.
        blocks: the block that each channel of the flat batch carries by ordinary adaptation, None where nothing is sent.
        ladders: blocks of each channel of the flat batch, largest payload first.
        known: weighted coefficients (n, k) or (…, n, k) of the messages that the genie knows; None until `informed_by`.

    Example:
        >>> import torch, latentlink as ll
        >>> x = torch.randn(500, 8, generator=torch.Generator().manual_seed(0))
        >>> y = x[:, :6].tanh()
        >>> genie = ll.digital.Digital(adaptation=ll.digital.Genie())
        >>> code = genie.code(ll.semantic_modes(ll.Moments.from_pairs(x, y)), ll.Pilots(x, y))
        >>> channel = ll.Channel.from_snr(ll.rayleigh(1, 1, generator=0), snr_db=10.0)
        >>> link = genie.design(code, channel).transceiver
        >>> ll.transmit(link, x[:5], channel, generator=0).shape, [block.payload for block in link.ladders[0]]
        (torch.Size([5, 6]), [4, 3, 2, 1])
    """

    ladders: tuple[tuple[Block, ...], ...]
    known: Float[Tensor, "*a n k"] | None = None

    def informed_by(self, x: AnyArray) -> "GenieTransceiver":
        """The same transceiver, whose genie knows these messages x (n, d) or (…, n, d); raises as `encode`."""
        return replace(self, known=self.weighted(x))

    def receive(self, r: AnyArray) -> Float[Tensor, "*batch n s"]:
        """Coefficients ẑ (…, n, s) of the received symbols r (…, n, u, n_rx) of the messages that the genie knows.

        Raises:
            ValueError: the genie knows no messages, or another number of them, or r does not fit (see `DigitalTransceiver.receive`).
        """
        return self._send_through(r)[0]

    def lost(self, x: AnyArray, r: AnyArray) -> Float[Tensor, "*batch"]:
        """The share (…) of messages x (…, n, d) of which no block gets through; raises as `encode` and `receive`."""
        return self.informed_by(x)._send_through(r)[1]

    def scaled(self, factor: Float[Tensor, "*batch"]) -> "GenieTransceiver":
        """The same blocks, those of the ladders too, at powers times a factor (…), as `DigitalTransceiver.scaled`."""
        factors = expanded("factor", factor, self.batch).flatten().tolist()
        ladders = tuple(tuple(block.scaled(f) for block in ladder) for ladder, f in zip(self.ladders, factors, strict=True))
        return replace(super().scaled(factor), ladders=ladders)

    def to(self, target: torch.device | torch.dtype | str) -> "GenieTransceiver":
        """The same transceiver elsewhere, as `DigitalTransceiver.to` gives it."""
        moved = super().to(target)
        return replace(moved, ladders=self.ladders, known=self.known) if isinstance(target, torch.dtype) else moved

    def to_tensors(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        tensors, facts = super().to_tensors()
        rungs = self._stacked([block for ladder in self.ladders for block in ladder])
        rungs["count"] = torch.tensor([len(ladder) for ladder in self.ladders], dtype=torch.long, device="cpu")
        return tensors | {f"ladder.{name}": value for name, value in rungs.items()}, facts

    @classmethod
    def parts_from(cls, tensors: dict[str, Tensor], manifest: dict[str, Any]) -> dict[str, Any]:
        rungs = taken_out(tensors, "ladder.")
        counts = rungs.pop("count").tolist()
        blocks = iter(Block.unstacked(rungs))
        ladders = tuple(tuple(next(blocks) for _ in range(count)) for count in counts)
        return super().parts_from(tensors, manifest) | {"ladders": ladders}

    def _send_through(self, r: AnyArray) -> tuple[Float[Tensor, "*batch n s"], Float[Tensor, "*batch"]]:
        """Coefficients (…, n, s), and the share (…) of messages of which no block gets through."""
        if self.known is None:
            raise ValueError("the genie must know the messages: decode with transceiver.informed_by(x), or let ll.transmit do it")
        symbols, batch = self.flat(r)
        if self.known.shape[-2] != symbols.shape[1]:
            raise ValueError(f"r must hold the {self.known.shape[-2]} messages that the genie knows, got {symbols.shape[1]}")
        payloads = Payloads(self.code, self.known)
        weight = self.coordinates.weight
        z = weight.new_zeros(*symbols.shape[:2], len(weight))
        missing = torch.ones(*symbols.shape[:2], dtype=torch.bool, device=symbols.device)
        for member in self.members(batch):
            noise = symbols[member.number] - member.spatial.carry(self.symbols(payloads, member)).to(symbols)
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
            z[left[right]] = self.coefficients(bits[right], valid[right])
            missing[left[right]] = False

"""The digital transceiver: latents to payloads, payloads to blocks, and back; a block whose CRC fails gives the mean.

The receiver decodes what it receives and knows nothing else: streams, bit log-likelihood ratios, belief propagation, CRC, codewords and
range decoder, in that order.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, NamedTuple, TypeVar

import torch
from jaxtyping import Bool, Complex, Float, Int
from torch import Tensor

from latentlink.channels.channel import Channel
from latentlink.digital.coding.block import Block
from latentlink.digital.operations import count_operations
from latentlink.digital.source.latent_code import Coordinates, LatentCode
from latentlink.links.link_file import channel_from, link_facts, saved_tensors, taken_out
from latentlink.links.operation_count import OperationCount
from latentlink.links.shapes import broadcast_batch, check_received, expanded
from latentlink.links.transceiver import BaseTransceiver
from latentlink.numerics.doors import AnyArray
from latentlink.power import Mean
from latentlink.storage.artifacts import artifact
from latentlink.streams.spatial import SpatialModes

Link = TypeVar("Link", bound="DigitalTransceiver")


class Member(NamedTuple):
    """One channel of the flat batch that messages are sent over.

    Attributes:
        number: in that flat batch.
        own: number among the link's own channels.
        block: that it carries, None where nothing is sent.
        spatial: its spatial modes.
    """

    number: int
    own: int
    block: Block | None
    spatial: SpatialModes

    def read(self, r: Complex[Tensor, "n u r"], block: Block) -> tuple[Int[Tensor, "n p"], Bool[Tensor, "n"]]:
        """Payloads (n, B) and whether their CRCs hold, of received symbols that carry a block."""
        return block.read(self.spatial.separate(r), self.spatial.amplitude.double().flatten())


@artifact("digital link")
@dataclass(frozen=True, eq=False, repr=False)
class DigitalTransceiver(BaseTransceiver):
    """A digital link for a batch `...` of channels (see the module).

    Attributes:
        code: payloads of latents.
        coordinates: the coefficients that a payload can reach, in the precision of what comes out.
        channel: the channels that it was designed for.
        spatial: the spatial modes of the flat batch.
        blocks: the block that each channel of the flat batch carries, None where nothing is sent.

    Example:
        >>> import torch, latentlink as ll
        >>> x = torch.randn(500, 8, generator=torch.Generator().manual_seed(0))
        >>> y = x[:, :6].tanh()
        >>> digital = ll.digital.Digital()
        >>> code = digital.code(ll.semantic_modes(ll.Moments.from_pairs(x, y)), ll.Pilots(x, y))
        >>> channel = ll.Channel.from_snr(ll.rayleigh(1, 1, generator=0), snr_db=10.0)
        >>> link = digital.design(code, channel).transceiver
        >>> int(link.message_bits), ll.transmit(link, x, channel, generator=0).shape
        (2, torch.Size([500, 6]))
    """

    code: LatentCode
    coordinates: Coordinates
    channel: Channel
    spatial: SpatialModes
    blocks: tuple[Block | None, ...]

    scalable = True
    has_rates = True

    @property
    def mean_y(self) -> Float[Tensor, "m"]:
        """μy (m,)."""
        return self.coordinates.mean_y

    @property
    def synthesis(self) -> Float[Tensor, "m s"]:
        """Ψ (m, s)."""
        return self.coordinates.synthesis

    @property
    def message_bits(self) -> Float[Tensor, "*batch"]:
        """Payload bits of a message (…), header and indices included, CRC not."""
        return self.per_channel([0.0 if block is None else block.payload for block in self.blocks])

    @property
    def block_error(self) -> Float[Tensor, "*batch"]:
        """The predicted probability (…) of losing a block, 1 where none is sent."""
        return self.per_channel([1.0 if block is None else block.error for block in self.blocks])

    @property
    def flops(self) -> OperationCount:
        """The operations for one message, the mean over the channels: an estimate (see `digital/operations.py`)."""
        antennas, latents = (self.channel.n_tx, self.channel.n_rx), (len(self.coordinates.mean_x), len(self.mean_y))
        counts = [count_operations(block, self.code, latents, antennas, self.channel.uses) for block in self.blocks if block is not None]
        channels = max(1, len(self.blocks))
        return OperationCount(sum(count.encode for count in counts) // channels, sum(count.decode for count in counts) // channels)

    def scaled(self: Link, factor: Float[Tensor, "*batch"]) -> Link:
        """The same blocks at powers times a factor (…), known at both ends: a transmitter's gain control."""
        factors = expanded("factor", factor, self.batch).flatten().tolist()
        return replace(self, blocks=tuple(b if b is None else b.scaled(f) for b, f in zip(self.blocks, factors, strict=True)))

    def encode(self, x: AnyArray) -> Complex[Tensor, "*batch n u t"]:
        """Channel symbols s (…, n, u, n_tx) of latents x (n, d) or (…, n, d); raises as `Transceiver.encode`."""
        c = self.code.coordinates.weighted(x)
        batch = broadcast_batch("x", c.shape[:-2], self.batch)
        payloads = Payloads(self.code, c)
        sent = [self.symbols(payloads, member) for member in self.members(batch)]
        shape = (*batch, c.shape[-2], self.channel.uses, self.channel.n_tx)
        return torch.stack(sent).reshape(shape) if sent else self.channel.h.new_zeros(shape)

    def receive(self, r: AnyArray) -> Float[Tensor, "*batch n s"]:
        """Coefficients ẑ (…, n, s), zero for lost blocks, of received symbols r (…, n, u, n_rx); raises as `Transceiver.receive`."""
        symbols, batch = self.flat(r)
        z = self.coordinates.weight.new_zeros(*symbols.shape[:2], len(self.coordinates.weight))
        for member in self.members(batch):
            if member.block is not None:
                z[member.number] = self.coefficients(*member.read(symbols[member.number], member.block))
        return z.reshape(*batch, *z.shape[1:])

    def lost(self, x: AnyArray, r: AnyArray) -> Float[Tensor, "*batch"]:
        """The measured share (…) of messages x (…, n, d) whose payload is not read right from r; 1 where nothing is sent."""
        c = self.weighted(x)
        symbols, batch = self.flat(r)
        payloads = Payloads(self.code, c.expand(*batch, -1, -1) if c.ndim > 2 else c)
        shares = self.coordinates.weight.new_ones(len(symbols))
        for member in self.members(batch):
            if member.block is not None:
                bits, valid = member.read(symbols[member.number], member.block)
                wrong = (bits != payloads.of(member.number, member.block)).any(-1) | ~valid
                shares[member.number] = wrong.double().mean()
        return shares.reshape(batch)

    def measured(self, x: Tensor, send: Callable[[Tensor], Tensor]) -> dict[str, Tensor]:
        """The payload bits of a message, and the share of blocks that are lost (…)."""
        return {"message_bits": self.message_bits, "block_error": self.lost(x, send(self.encode(x)))}

    def to(self: Link, target: torch.device | torch.dtype | str) -> Link:
        """The same transceiver on another device, or in float32 or float64 (transform, symbols and latents; bits are bits)."""
        moved = super().to(target)
        if isinstance(target, torch.dtype):
            return replace(moved, blocks=self.blocks)
        return replace(moved, code=self.code.to(target))

    def to_tensors(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Tensors and facts of the saved file: what both devices make their tables of, the pilots' coefficients, and the blocks."""
        parts = {"channel": self.channel, "spatial": self.spatial, "code": self.code.to_tensors(), "block": self._stacked(self.blocks)}
        facts = link_facts(self.channel, len(self.coordinates.mean_x), len(self.mean_y), Mean())
        precision = str(self.spatial.amplitude.dtype).removeprefix("torch.")
        return saved_tensors(parts), facts | {"coefficients": len(self.coordinates.weight), "precision": precision}

    @classmethod
    def from_tensors(cls: type[Link], tensors: dict[str, Tensor], manifest: dict[str, Any]) -> Link:
        """The link of a saved file."""
        return cls(**cls.parts_from(tensors, manifest))

    @classmethod
    def parts_from(cls, tensors: dict[str, Tensor], manifest: dict[str, Any]) -> dict[str, Any]:
        """The fields of the link of a saved file."""
        code = LatentCode.from_tensors(taken_out(tensors, "code."))
        precision = {"float32": torch.float32, "float64": torch.float64}[manifest["precision"]]
        return {
            "code": code,
            "coordinates": code.coordinates.truncated(manifest["coefficients"]).to(precision),
            "channel": channel_from(tensors),
            "spatial": SpatialModes(**taken_out(tensors, "spatial.", "transmit", "receive")),
            "blocks": tuple(Block.unstacked(taken_out(tensors, "block."))),
        }

    def _stacked(self, blocks: Sequence[Block | None]) -> dict[str, Tensor]:
        return Block.stacked(blocks, 2 * self.channel.uses * self.spatial.amplitude.shape[-1])

    def symbols(self, payloads: "Payloads", member: Member) -> Complex[Tensor, "n u t"]:
        """The symbols (n, u, n_tx) that one channel is sent."""
        if member.block is None:
            return member.spatial.transmit.new_zeros(payloads.count, self.channel.uses, self.channel.n_tx)
        return member.spatial.send(member.block.symbols(payloads.coded(member.number, member.block)))

    def coefficients(self, bits: Int[Tensor, "n p"], valid: Bool[Tensor, "n"]) -> Float[Tensor, "n s"]:
        """Coefficients ẑ (n, s) of payloads (n, B), zero where the CRC does not hold."""
        weight = self.coordinates.weight
        c = self.code.decode(bits)[:, : len(weight)].to(weight)
        return torch.where(valid.unsqueeze(-1), c / weight, 0.0)

    def weighted(self, x: AnyArray) -> Float[Tensor, "*a n k"]:
        """The weighted coefficients of latents that are sent; raises as `encode`."""
        c = self.code.coordinates.weighted(x)
        broadcast_batch("x", c.shape[:-2], self.batch)
        return c

    def flat(self, r: AnyArray) -> tuple[Complex[Tensor, "c n u r"], torch.Size]:
        """The received symbols of the flat batch, and the batch; raises as `receive`."""
        r = check_received(r, self.channel)
        batch = broadcast_batch("r", r.shape[:-3], self.batch)
        return r.expand(*batch, *r.shape[-3:]).reshape(batch.numel(), *r.shape[-3:]), batch

    def members(self, batch: torch.Size) -> Iterator[Member]:
        """The channels of a batch that messages are sent over, one after the other."""
        own = torch.arange(self.batch.numel(), device="cpu").reshape(self.batch).expand(batch).flatten().tolist()
        return (Member(number, i, self.blocks[i], self.spatial[i]) for number, i in enumerate(own))

    def per_channel(self, values: list[float]) -> Float[Tensor, "*batch"]:
        """One number for each channel, in the shape of the batch."""
        weight = self.coordinates.weight
        return torch.tensor(values, dtype=weight.dtype, device=weight.device).reshape(self.batch)


class Payloads:
    """Payloads of messages (n, k), or of others for each channel (…, n, k); each is made once."""

    def __init__(self, code: LatentCode, c: Float[Tensor, "*a n k"]) -> None:
        self.count = c.shape[-2]
        self._shared = c.ndim == 2
        self._c = c.reshape(c.shape[:-2].numel(), *c.shape[-2:])
        self._made = cache(lambda number, payload: code.encode(self._c[number], payload))
        self._in_code: dict[tuple[int, int, int], Tensor] = {}

    def of(self, number: int, block: Block) -> Tensor:
        """Payloads (n, B) for a channel of the flat batch."""
        return self._made(0 if self._shared else number, block.payload)

    def coded(self, number: int, block: Block) -> Tensor:
        """The coded bits (n, slots) of a block for a channel of the flat batch."""
        key = (0 if self._shared else number, block.payload, block.length)
        if key not in self._in_code:
            self._in_code[key] = block.coded(self.of(number, block))
        return self._in_code[key]

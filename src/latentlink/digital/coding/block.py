"""One message as one block over all streams and uses of a channel: payload to symbols and back.

Coded bits go to slots, the most reliable first: the LDPC code sends its systematic bits first, and belief propagation gains where these
are received well. Symbols leave through the right singular vectors of the channel and are received through the left ones, as parallel
streams of known SNR.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from jaxtyping import Bool, Complex, Float, Int
from torch import Tensor

from latentlink.digital.coding.amplitudes import MOST_BITS, amplitudes, log_ratios, reliabilities
from latentlink.digital.coding.block_code import MOST_SHORT, BlockCode, ShortCode, block_code, crc_bits, short_code
from latentlink.digital.coding.loading import Loads
from latentlink.numerics.parts import Parts


@dataclass(frozen=True)
class Protection:
    """The size of a block and its protection.

    Attributes:
        payload: B bits.
        length: n coded bits, 0 for an uncoded payload.
        error: predicted probability ε of losing the block.
    """

    payload: int
    length: int
    error: float

    @property
    def has_crc(self) -> bool:
        """True if a CRC detects errors."""
        return self.length > 0 and self.payload > MOST_SHORT


@dataclass(frozen=True, eq=False)
class Block(Protection, Parts):
    """The mapping of messages to the symbols of one channel with u uses and q symbols a use; D = 2uq real dimensions.

    Attributes:
        bits: (D,) that each dimension carries.
        power: (D,) of each dimension.
        snr: (D,) of each dimension at the receiver.
        order: (slots,) slot of each bit; slots are numbered dimension by dimension, those of 1 bit first, then those of 2, …
    """

    bits: Int[Tensor, "D"]
    power: Float[Tensor, "D"]
    snr: Float[Tensor, "D"]
    order: Int[Tensor, "l"]

    @classmethod
    def of(cls, payload: int, length: int, error: float, loads: Loads, streams: Int[Tensor, "q"]) -> "Block":
        """Make a block of the loads of pooled streams, the i-th strongest of which is symbol streams[i] among all u·q."""

        def by_symbol(value: Tensor) -> Tensor:
            return torch.empty_like(value).index_copy(0, streams, value).flatten()

        bits, power, snr = by_symbol(loads.bits), by_symbol(loads.power), by_symbol(loads.snr)
        reliability = torch.cat([reliabilities(snr[bits == count], count).flatten() for count in range(1, MOST_BITS + 1)])
        order = torch.arange(len(reliability), device=bits.device)
        if length:
            order = reliability.sort(descending=True, stable=True).indices
        return cls(payload, length, error, bits, power, snr, order)

    @staticmethod
    def stacked(blocks: "Sequence[Block | None]", dimensions: int) -> dict[str, Tensor]:
        """The tensors of the blocks of many channels, for a saved link; a payload of 0 stands for None, orders are put end to end.

        Args:
            blocks: of channels that are all of one size.
            dimensions: real dimensions D of each block.
        """
        empty = torch.zeros(dimensions, dtype=torch.float64, device="cpu")
        nothing = Block(0, 0, 1.0, empty.long(), empty, empty, empty[:0].long())
        rows = [nothing, *(nothing if block is None else block.to("cpu") for block in blocks)]  # one at least, which is cut off again
        tensors = {name: torch.stack([getattr(row, name) for row in rows])[1:] for name in ("bits", "power", "snr")}
        for name, dtype in (("payload", torch.long), ("length", torch.long), ("error", torch.float64)):
            tensors[name] = torch.tensor([getattr(row, name) for row in rows[1:]], dtype=dtype, device="cpu")
        slots = torch.tensor([len(row.order) for row in rows[1:]], dtype=torch.long, device="cpu")
        return tensors | {"order": torch.cat([row.order for row in rows]), "slots": slots}

    @staticmethod
    def unstacked(tensors: dict[str, Tensor]) -> "Iterator[Block | None]":
        """The blocks of a saved link, None for a payload of 0."""
        orders = tensors.pop("order").split(tensors.pop("slots").tolist())
        for number, order in enumerate(orders):
            values: dict[str, Any] = {name: value[number] for name, value in tensors.items()}
            numbers = {name: values.pop(name).item() for name in ("payload", "length", "error")}
            if numbers["payload"] == 0:
                yield None
                continue
            block = Block(**numbers, **values, order=order)
            block.check()
            yield block

    def check(self) -> None:
        """Check a block that was read from a file: every coded bit has one slot, and dimensions carry what constellations do."""
        slots = int(self.bits.sum())
        if self.bits.numel() == 0 or not 0 <= int(self.bits.min()) <= int(self.bits.max()) <= MOST_BITS:
            raise ValueError(f"bits must be from 0 to {MOST_BITS} in each dimension")
        if not torch.equal(self.order.sort().values, torch.arange(slots, device=self.order.device)):
            raise ValueError(f"order must be that of {slots} slots")
        if self.length not in (0, slots) or not 1 <= self.payload <= slots or (self.length == 0 and self.payload != slots):
            raise ValueError(f"payload and length must be those of {slots} slots, got {self.payload} and {self.length}")

    @property
    def code(self) -> BlockCode | ShortCode | None:
        """The block code; None for an uncoded payload."""
        make = block_code if self.payload > MOST_SHORT else short_code
        return make(self.payload, self.length, str(self.bits.device)) if self.length else None

    @property
    def information_bits(self) -> int:
        """Bits that enter the code: the payload and its CRC."""
        return self.payload + (crc_bits(self.payload) if self.has_crc else 0)

    def scaled(self, factor: float) -> "Block":
        """The same block with all powers times a factor."""
        return replace(self, power=self.power * factor, snr=self.snr * factor)

    def coded(self, payload: Int[Tensor, "n p"]) -> Int[Tensor, "n l"]:
        """Coded bits (n, slots) of payloads (n, B), which are these themselves without a code."""
        return payload if self.code is None else self.code.encode(payload)

    def symbols(self, coded: Int[Tensor, "n l"]) -> Complex[Tensor, "n s"]:
        """Symbols (n, u·q) of coded bits (n, slots)."""
        slots = torch.empty_like(coded)
        slots[:, self.order] = coded
        sent = torch.zeros(len(coded), len(self.bits), dtype=torch.float64, device=coded.device)
        read = 0
        for count in range(1, MOST_BITS + 1):
            where = (self.bits == count).nonzero().squeeze(-1)
            taken = slots[:, read : read + count * len(where)].reshape(len(coded), len(where), count)
            sent[:, where] = amplitudes(taken) * self.power[where].sqrt()
            read += count * len(where)
        return torch.view_as_complex(sent.unflatten(-1, (-1, 2)))

    def read(self, symbols: Complex[Tensor, "n s"], amplitude: Float[Tensor, "s"]) -> tuple[Int[Tensor, "n p"], Bool[Tensor, "n"]]:
        """Payloads (n, B) and whether their CRCs hold, of symbols received through amplitudes h (u·q)."""
        scale = (self.power * amplitude.repeat_interleave(2).square()).sqrt()
        received = torch.view_as_real(symbols.to(torch.complex128)).flatten(-2) / torch.where(scale > 0, scale, 1.0)
        parts = []
        for count in range(1, MOST_BITS + 1):
            where = (self.bits == count).nonzero().squeeze(-1)
            parts.append(log_ratios(received[:, where], count, self.snr[where]).flatten(-2))
        ratios = torch.cat(parts, -1)[:, self.order]
        if self.code is None:
            return (ratios > 0).long(), torch.ones(len(symbols), dtype=torch.bool, device=symbols.device)
        return self.code.decode(ratios)

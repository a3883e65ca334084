"""One message as one block over all streams and uses of a channel: payload to symbols and back.

Coded bits go to slots, the most reliable first: the LDPC code sends its systematic bits first, and belief propagation gains by hearing
these well. Symbols leave through the right singular vectors and are heard through the left ones, as parallel streams of known SNR.
"""

from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Complex, Float, Int
from torch import Tensor

from latentlink.digital.coding.amplitudes import MOST_BITS, amplitudes, log_ratios, reliabilities
from latentlink.digital.coding.block_code import BlockCode, block_code, checksum_bits
from latentlink.digital.coding.loading import Loads
from latentlink.digital.coding.short_code import MOST_SHORT, ShortCode, short_code
from latentlink.streams.spatial import SpatialModes


@dataclass(frozen=True, eq=False)
class Block:
    """How messages cross one channel of u uses and q symbols a use; D = 2uq real dimensions.

    Attributes:
        payload: B bits. length: n coded bits, 0 for an uncoded payload. error: probability ε of losing it, as predicted.
        bits: (D,) of each dimension. power: (D,) of a dimension. snr: (D,) at its receiver.
        order: (slots,) slot of each bit; slots are numbered dimension by dimension, those of 1 bit first, then those of 2, …
    """

    payload: int
    length: int
    error: float
    bits: Int[Tensor, "D"]
    power: Float[Tensor, "D"]
    snr: Float[Tensor, "D"]
    order: Int[Tensor, "l"]

    @classmethod
    def of(cls, payload: int, length: int, error: float, loads: Loads, streams: Int[Tensor, "q"]) -> "Block":
        """From the loads of pooled streams, the i-th strongest of which is symbol streams[i] among all u·q."""
        bits, power, snr = (
            torch.empty_like(value).index_copy(0, streams, value).flatten() for value in (loads.bits, loads.power, loads.snr)
        )
        parts = [reliabilities(snr[bits == count], count).flatten() for count in range(1, MOST_BITS + 1)]
        reliable = torch.cat(parts)
        order = reliable.sort(descending=True, stable=True).indices if length else torch.arange(len(reliable), device=bits.device)
        return cls(payload, length, error, bits, power, snr, order)

    @property
    def code(self) -> BlockCode | ShortCode | None:
        """The block code, None for an uncoded payload."""
        make = block_code if self.payload > MOST_SHORT else short_code
        return make(self.payload, self.length, str(self.bits.device)) if self.length else None

    @property
    def checked(self) -> bool:
        """Whether a checksum tells of errors."""
        return self.length > 0 and self.payload > MOST_SHORT

    @property
    def information_bits(self) -> int:
        """Bits that enter the code: the payload and its checksum."""
        return self.payload + (checksum_bits(self.payload) if self.checked else 0)

    def scaled(self, factor: float) -> "Block":
        """All powers times a factor."""
        return replace(self, power=self.power * factor, snr=self.snr * factor)

    def symbols(self, coded: Int[Tensor, "n l"]) -> Complex[Tensor, "n s"]:
        """Symbols (n, u·q) of coded bits (n, slots)."""
        slots = torch.empty_like(coded)
        slots[:, self.order] = coded
        sent, read = torch.zeros(len(coded), len(self.bits), dtype=torch.float64, device=coded.device), 0
        for count in range(1, MOST_BITS + 1):
            where = (self.bits == count).nonzero().squeeze(-1)
            taken = slots[:, read : read + count * len(where)].reshape(len(coded), len(where), count)
            sent[:, where] = amplitudes(taken) * self.power[where].sqrt()
            read += count * len(where)
        return torch.view_as_complex(sent.reshape(len(coded), -1, 2))

    def read(self, heard: Complex[Tensor, "n s"], amplitude: Float[Tensor, "s"]) -> tuple[Int[Tensor, "n p"], Bool[Tensor, "n"]]:
        """Payloads (n, B) and whether their checksums hold, of symbols heard through amplitudes h (u·q)."""
        scale = (self.power * amplitude.repeat_interleave(2).square()).sqrt()
        received = torch.view_as_real(heard.to(torch.complex128)).flatten(-2) / torch.where(scale > 0, scale, 1.0)
        parts = []
        for count in range(1, MOST_BITS + 1):
            where = (self.bits == count).nonzero().squeeze(-1)
            parts.append(log_ratios(received[:, where], count, self.snr[where]).flatten(-2))
        ratios = torch.cat(parts, -1)[:, self.order]
        if self.code is None:
            return (ratios > 0).long(), torch.ones(len(heard), dtype=torch.bool, device=heard.device)
        return self.code.decode(ratios)


@dataclass(frozen=True, eq=False)
class Beams:
    """The spatial modes of one channel: V (u, t, q), U (u, r, q), h (u, q)."""

    transmit: Complex[Tensor, "u t q"]
    receive: Complex[Tensor, "u r q"]
    amplitude: Float[Tensor, "u q"]

    @classmethod
    def of(cls, spatial: SpatialModes, channel: int) -> "Beams":
        """Those of one channel of a flat batch."""
        return cls(spatial.transmit[channel], spatial.receive[channel], spatial.amplitude[channel])

    def leave(self, symbols: Complex[Tensor, "n s"]) -> Complex[Tensor, "n u t"]:
        """What the antennas send of symbols (n, u·q)."""
        return torch.einsum("utq,nuq->nut", self.transmit, symbols.reshape(len(symbols), *self.amplitude.shape).to(self.transmit))

    def arrive(self, sent: Complex[Tensor, "n u t"]) -> Complex[Tensor, "n u r"]:
        """What is received of it without noise: U diag(h) Vᴴ s."""
        through = torch.einsum("utq,nut->nuq", self.transmit.conj(), sent) * self.amplitude
        return torch.einsum("urq,nuq->nur", self.receive, through)

    def heard(self, received: Complex[Tensor, "n u r"]) -> Complex[Tensor, "n s"]:
        """Symbols (n, u·q), each times its amplitude h, of what is received."""
        return torch.einsum("urq,nur->nuq", self.receive.conj(), received.to(self.receive)).flatten(-2)

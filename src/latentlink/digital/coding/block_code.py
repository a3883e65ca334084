"""The block codes of 5G: LDPC with a CRC, and the code of the shortest messages.

`BlockCode` protects a payload with its CRC by the LDPC code of TS 38.212 at any length:

    payload (B bits)  →  + CRC (6, 11, 16 or 24 bits)  →  LDPC, rate matched to n bits  →  scrambled.

The CRCs are those of 5G: the 6 and 11 bits of its short control messages up to 19 and 1706 bits, 16 up to 3824, 24 above. Belief
propagation (sum-product, flooding) runs a few iterations, and more only for blocks whose CRC fails, as early stopping would. Sionna makes
both codes; neither its global random state nor PyTorch's is touched. [3gpp38212]

`ShortCode` carries up to 11 bits by a subcode of the second-order Reed–Muller code of length 32, decoded exactly. The 32 coded bits are
repeated or cut to any length; the receiver adds what it received of each and takes the likeliest of all 2^B codewords. There is no CRC: an
error is not detected. [3gpp38212, table 5.3.3.3-1]
"""

from functools import cache, lru_cache
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from latentlink.digital.coding.amplitudes import label_bits
from latentlink.numerics.extras import import_extra

FEWEST, MOST = 12, 8448  # bits into one LDPC code, CRC included
LOWEST_RATE, HIGHEST_RATE = 0.2, 0.92
_CRCS = ((19, 6, "CRC6"), (1706, 11, "CRC11"), (3824, 16, "CRC16"), (MOST, 24, "CRC24A"))  # payload up to, bits, name
ITERATIONS = (6, 30)  # of belief propagation: at first, and for blocks whose CRC fails then
_ENTRIES = 2**22  # of received bits decoded at a time

MOST_SHORT = 11
SHORT_LENGTH = 32
_BASIS = """
11000000001 11100000011 10010010111 10110000101 11110001001 11001011101 10101010111 10011001101
11011001011 10111010011 10100111011 11100110101 10010101111 11010101011 10001101001 11001111011
11101110010 10011100100 11011111000 10000110000 10100010001 11010000011 10001001101 11101000111
11111011110 11000111001 10110100110 11110101110 10101110100 10111111100 11111111111 10000000000
"""


def crc_bits(payload: int) -> int:
    """The number of CRC bits of a payload."""
    return next(bits for most, bits, _ in _CRCS if payload <= most)


def payload_of(bits: int) -> int:
    """The largest payload that takes at most this number of bits with its CRC; 0 if there is none."""
    return max((size for size in range(max(0, bits - 24), bits) if size + crc_bits(size) <= bits), default=0)


class BlockCode:
    """The LDPC code that carries a payload of B bits in n coded bits."""

    def __init__(self, payload: int, length: int, device: str) -> None:
        self.payload, self.length = payload, length
        with torch.random.fork_rng(devices=[]):  # importing Sionna seeds PyTorch's global generator
            fec = import_extra("sionna.phy.fec", "digital")
        settings = {"device": device, "precision": "single"}
        self._crc: Any = fec.crc.CRCEncoder(next(name for most, _, name in _CRCS if payload <= most), k=payload, **settings)
        self._encoder: Any = fec.ldpc.LDPC5GEncoder(payload + crc_bits(payload), length, **settings)
        self._decoders: list[Any] = [
            fec.ldpc.LDPC5GDecoder(self._encoder, num_iter=count, hard_out=True, **settings) for count in ITERATIONS
        ]
        generator = torch.Generator().manual_seed(length)
        self._scrambling = torch.randint(0, 2, (length,), generator=generator, device="cpu").to(device)

    @property
    def edges(self) -> int:
        """Edges of the graph that belief propagation passes messages over."""
        return int(self._decoders[0].pcm.nnz)

    def encode(self, payload: Int[Tensor, "n p"]) -> Int[Tensor, "n l"]:
        """Coded bits (n, length) of payloads (n, payload)."""
        return self._encoder(self._crc(payload.float())).long() ^ self._scrambling

    def decode(self, log_ratios: Float[Tensor, "n l"]) -> tuple[Int[Tensor, "n p"], Bool[Tensor, "n"]]:
        """Payloads (n, payload), and whether the CRC holds (n,), of log P(1) / P(0) of the coded bits (n, length)."""
        parts = log_ratios.split(max(1, _ENTRIES // (8 * self.length)))
        decided = [self._decoded(part * (1 - 2 * self._scrambling)) for part in parts]
        return torch.cat([part[0] for part in decided]), torch.cat([part[1] for part in decided])

    def _decoded(self, log_ratios: Float[Tensor, "n l"]) -> tuple[Int[Tensor, "n p"], Bool[Tensor, "n"]]:
        log_ratios = log_ratios.float().clamp(-40, 40)
        quick, thorough = self._decoders
        bits = quick(log_ratios).long()
        holds = self._holds(bits)
        if not bool(holds.all()):
            bits[~holds] = thorough(log_ratios[~holds]).long()
            holds = self._holds(bits)
        return bits[:, : self.payload], holds

    def crc(self, payload: Int[Tensor, "n p"]) -> Int[Tensor, "n c"]:
        """The CRC bits (n, 6 … 24) of payloads (n, payload)."""
        return self._crc(payload.float())[:, self.payload :].long()

    def _holds(self, bits: Int[Tensor, "n k"]) -> Bool[Tensor, "n"]:
        return (self.crc(bits[:, : self.payload]) == bits[:, self.payload :]).all(-1)


class ShortCode:
    """The code that carries a payload of B ≤ 11 bits in n coded bits."""

    def __init__(self, payload: int, length: int, device: str) -> None:
        basis = torch.tensor([[int(bit) for bit in row[:payload]] for row in _BASIS.split()], device="cpu")
        self._messages = label_bits(payload).to(device)
        self._codewords = (label_bits(payload) @ basis.mT % 2).to(device)
        self._basis = basis.to(device)
        self._place = (torch.arange(length, device="cpu") % SHORT_LENGTH).to(device)

    def encode(self, payload: Int[Tensor, "n p"]) -> Int[Tensor, "n l"]:
        """Coded bits (n, length) of payloads (n, payload)."""
        return ((payload.unsqueeze(-2) * self._basis).sum(-1) % 2)[:, self._place]

    def decode(self, log_ratios: Float[Tensor, "n l"]) -> tuple[Int[Tensor, "n p"], Bool[Tensor, "n"]]:
        """The likeliest payloads (n, payload) given log P(1) / P(0) of the coded bits (n, length); no error is detected."""
        combined = log_ratios.new_zeros(len(log_ratios), SHORT_LENGTH).index_add(-1, self._place, log_ratios)
        chosen = (combined @ self._codewords.to(combined).mT).argmax(-1)
        return self._messages[chosen], torch.ones(len(combined), dtype=torch.bool, device=combined.device)


@cache
def shortest(payload: int) -> int:
    """The least length at which any two codewords of this payload differ in two places."""
    code = ShortCode(payload, SHORT_LENGTH, "cpu")
    weights = code.encode(label_bits(payload)[1:]).cumsum(-1).amin(0)
    return int((weights < 2).sum()) + 1


block_code = lru_cache(maxsize=256)(BlockCode)  # the code of each size is made once
short_code = lru_cache(maxsize=256)(ShortCode)

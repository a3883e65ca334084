"""The block code of 5G: a payload with its CRC, protected by the LDPC code of TS 38.212 at any length.

    payload (B bits)  →  + CRC (6, 11, 16 or 24 bits)  →  LDPC, rate matched to n bits  →  scrambled.

The CRCs are those of 5G: the 6 and 11 bits of its short control messages up to 19 and 1706 bits, 16 up to 3824, 24 above. Belief
propagation (sum-product, flooding) runs a few iterations, and more only for blocks whose CRC fails, as an early stop would. Sionna makes
the code; neither its global random state nor PyTorch's is touched. [3gpp38212]
"""

from functools import lru_cache
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from latentlink.numerics.extras import import_extra

FEWEST, MOST = 12, 8448  # bits into one LDPC code, CRC included
LOWEST_RATE, HIGHEST_RATE = 0.2, 0.92
_CRCS = ((19, 6, 0x21), (1706, 11, 0x621), (3824, 16, 0x1021), (MOST, 24, 0x864CFB))  # payload up to, bits, polynomial
ITERATIONS = (6, 30)  # of belief propagation: at first, and for blocks whose CRC fails then
_ENTRIES = 2**22  # of received bits decoded at a time


def crc_bits(payload: int) -> int:
    """The number of CRC bits of a payload."""
    return next(bits for most, bits, _ in _CRCS if payload <= most)


def payload_of(bits: int) -> int:
    """The largest payload that fits so many bits with its CRC; 0 if none does."""
    return max((size for size in range(max(0, bits - 24), bits) if size + crc_bits(size) <= bits), default=0)


class BlockCode:
    """The LDPC code that carries a payload of B bits in n coded bits."""

    def __init__(self, payload: int, length: int, device: str) -> None:
        self.payload, self.length = payload, length
        size, polynomial = next((bits, polynomial) for most, bits, polynomial in _CRCS if payload <= most)
        self._generator = _remainders(payload, size, polynomial).to(device)
        with torch.random.fork_rng(devices=[]):  # importing Sionna seeds PyTorch's global generator
            ldpc = import_extra("sionna.phy.fec.ldpc", "digital")
        self._encoder: Any = ldpc.LDPC5GEncoder(payload + size, length, device=device, precision="single")
        self._decoders: list[Any] = [
            ldpc.LDPC5GDecoder(self._encoder, num_iter=count, hard_out=True, device=device, precision="single") for count in ITERATIONS
        ]
        generator = torch.Generator().manual_seed(length)
        self._scrambling = torch.randint(0, 2, (length,), generator=generator).to(device)

    @property
    def edges(self) -> int:
        """Edges of the graph that belief propagation passes messages over."""
        return int(self._decoders[0].pcm.nnz)

    def encode(self, payload: Int[Tensor, "n p"]) -> Int[Tensor, "n l"]:
        """Coded bits (n, length) of payloads (n, payload)."""
        protected = torch.cat([payload, self.crc(payload)], -1)
        coded: Tensor = self._encoder(protected.float())
        return coded.long() ^ self._scrambling

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
        return (payload.double() @ self._generator).long() % 2

    def _holds(self, bits: Int[Tensor, "n k"]) -> Bool[Tensor, "n"]:
        return (self.crc(bits[:, : self.payload]) == bits[:, self.payload :]).all(-1)


@lru_cache(maxsize=256)
def block_code(payload: int, length: int, device: str) -> BlockCode:
    """The code for these sizes, made once."""
    return BlockCode(payload, length, device)


def _remainders(payload: int, size: int, polynomial: int) -> Float[Tensor, "p c"]:
    """The remainder of each payload bit alone, most significant first; row i is that of the i-th bit."""
    rows, remainder = [], polynomial
    for _ in range(payload):
        rows.append([remainder >> (size - 1 - j) & 1 for j in range(size)])
        carry = remainder >> (size - 1) & 1
        remainder = (remainder << 1 & (1 << size) - 1) ^ (polynomial if carry else 0)
    return torch.tensor(rows[::-1], dtype=torch.float64)

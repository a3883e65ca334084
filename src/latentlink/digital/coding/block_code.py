"""The block code of 5G: a payload with its checksum, protected by the LDPC code of TS 38.212 at any length.

    payload (B bits)  →  + checksum (6, 11, 16 or 24 bits)  →  LDPC, rate matched to n bits  →  scrambled.

Checksums are those of 5G: the 6 and 11 bits of its short control messages up to 19 and 1706 bits, 16 up to 3824, 24 above. Belief
propagation (sum-product, flooding) runs a few iterations, and more only for blocks whose checksum fails: as an early stop would. Sionna
makes the code; neither its global random state nor PyTorch's is touched. [3gpp38212]
"""

from functools import lru_cache
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from latentlink.numerics.extras import import_extra

FEWEST, MOST = 12, 8448  # bits into one LDPC code, checksum included
LOWEST_RATE, HIGHEST_RATE = 0.2, 0.92
_CHECKSUMS = ((19, 6, 0x21), (1706, 11, 0x621), (3824, 16, 0x1021), (MOST, 24, 0x864CFB))  # payload up to, bits, polynomial
_ITERATIONS = (6, 30)
_ENTRIES = 2**22  # of received bits decoded at a time


def checksum_bits(payload: int) -> int:
    """Bits of the checksum of a payload."""
    return next(bits for most, bits, _ in _CHECKSUMS if payload <= most)


def payload_of(bits: int) -> int:
    """The largest payload that fits so many bits with its checksum; 0 if none does."""
    return max((size for size in range(max(0, bits - 24), bits) if size + checksum_bits(size) <= bits), default=0)


class BlockCode:
    """A payload of B bits in n coded bits."""

    def __init__(self, payload: int, length: int, device: str) -> None:
        self.payload, self.length = payload, length
        size, polynomial = next((bits, poly) for most, bits, poly in _CHECKSUMS if payload <= most)
        self._checksum = _remainders(payload, size, polynomial).to(device)
        with torch.random.fork_rng(devices=[]):  # importing Sionna seeds PyTorch's global generator
            ldpc = import_extra("sionna.phy.fec.ldpc", "digital")
        self._encoder: Any = ldpc.LDPC5GEncoder(payload + size, length, device=device, precision="single")
        self._decoders: list[Any] = [
            ldpc.LDPC5GDecoder(self._encoder, num_iter=count, hard_out=True, device=device, precision="single") for count in _ITERATIONS
        ]
        generator = torch.Generator().manual_seed(length)
        self._scrambling = torch.randint(0, 2, (length,), generator=generator).to(device)

    def encode(self, payload: Int[Tensor, "n p"]) -> Int[Tensor, "n l"]:
        """Coded bits (n, length) of payloads (n, payload)."""
        checked = torch.cat([payload, self._check(payload)], -1)
        coded: Tensor = self._encoder(checked.float())
        return coded.long() ^ self._scrambling

    def decode(self, log_ratios: Float[Tensor, "n l"]) -> tuple[Int[Tensor, "n p"], Bool[Tensor, "n"]]:
        """Payloads (n, payload), and whether the checksum holds (n,), of log P(1) / P(0) of the coded bits (n, length)."""
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

    def _check(self, payload: Int[Tensor, "n p"]) -> Int[Tensor, "n c"]:
        return (payload.double() @ self._checksum).long() % 2

    def _holds(self, bits: Int[Tensor, "n k"]) -> Bool[Tensor, "n"]:
        return (self._check(bits[:, : self.payload]) == bits[:, self.payload :]).all(-1)


@lru_cache(maxsize=256)
def block_code(payload: int, length: int, device: str) -> BlockCode:
    """The code for these sizes, made once."""
    return BlockCode(payload, length, device)


def _remainders(payload: int, size: int, polynomial: int) -> Float[Tensor, "p c"]:
    """Row i is the remainder of the i-th payload bit alone, most significant first."""
    rows, remainder = [], polynomial
    for _ in range(payload):
        rows.append([remainder >> (size - 1 - j) & 1 for j in range(size)])
        carry = remainder >> (size - 1) & 1
        remainder = (remainder << 1 & (1 << size) - 1) ^ (polynomial if carry else 0)
    return torch.tensor(rows[::-1], dtype=torch.float64)

"""The code of 5G for the shortest messages: up to 11 bits, a subcode of the second-order Reed–Muller code of length 32, decoded exactly.

The 32 coded bits are repeated or cut to any length; the receiver adds what it received of each and takes the likeliest of all 2^B
codewords. There is no CRC: an error is not detected. [3gpp38212, table 5.3.3.3-1]
"""

from functools import cache, lru_cache

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

MOST_SHORT = 11
_LENGTH = 32
_BASIS = """
11000000001 11100000011 10010010111 10110000101 11110001001 11001011101 10101010111 10011001101
11011001011 10111010011 10100111011 11100110101 10010101111 11010101011 10001101001 11001111011
11101110010 10011100100 11011111000 10000110000 10100010001 11010000011 10001001101 11101000111
11111011110 11000111001 10110100110 11110101110 10101110100 10111111100 11111111111 10000000000
"""


class ShortCode:
    """The code that carries a payload of B ≤ 11 bits in n coded bits."""

    def __init__(self, payload: int, length: int, device: str) -> None:
        basis = torch.tensor([[int(bit) for bit in row[:payload]] for row in _BASIS.split()])
        self._messages = torch.arange(2**payload).unsqueeze(-1) >> torch.arange(payload - 1, -1, -1) & 1
        self._codewords = (self._messages @ basis.mT % 2).to(device)
        self._messages = self._messages.to(device)
        self._basis = basis.to(device)
        self._place = (torch.arange(length) % _LENGTH).to(device)

    def encode(self, payload: Int[Tensor, "n p"]) -> Int[Tensor, "n l"]:
        """Coded bits (n, length) of payloads (n, payload)."""
        coded: Tensor = (payload.unsqueeze(-2) * self._basis).sum(-1) % 2
        return coded[:, self._place]

    def decode(self, log_ratios: Float[Tensor, "n l"]) -> tuple[Int[Tensor, "n p"], Bool[Tensor, "n"]]:
        """The likeliest payloads (n, payload) given log P(1) / P(0) of the coded bits (n, length); no error is detected."""
        combined = log_ratios.new_zeros(len(log_ratios), _LENGTH).index_add(-1, self._place, log_ratios)
        chosen = (combined @ self._codewords.to(combined).mT).argmax(-1)
        return self._messages[chosen], torch.ones(len(combined), dtype=torch.bool, device=combined.device)


@cache
def shortest(payload: int) -> int:
    """The least length at which any two codewords of so many bits differ in two places."""
    code = ShortCode(payload, _LENGTH, "cpu")
    weights = code.encode(torch.arange(1, 2**payload).unsqueeze(-1) >> torch.arange(payload - 1, -1, -1) & 1).cumsum(-1).amin(0)
    return int((weights < 2).sum()) + 1


@lru_cache(maxsize=256)
def short_code(payload: int, length: int, device: str) -> ShortCode:
    """The code for these sizes, made once."""
    return ShortCode(payload, length, device)

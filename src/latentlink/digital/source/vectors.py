"""Residual vector quantiser: the code for payloads of a few bits, where an entropy coder has nothing to gain.

    c ≈ v_1[i_1] + v_2[i_2] + …,      stage t a codebook fitted to the residual of those before it (Lloyd's algorithm [linde1980algorithm]).

Full stages have `_STAGE` bits each, fewer where pilots are few, and the last stage takes the remaining bits.
"""

import math
from functools import cache

import torch
from jaxtyping import Float, Int
from torch import Tensor

_STAGE = 10  # bits, at most
_MEMBERS = 8  # pilots per codeword, at least on average
_ROUNDS = 10  # of Lloyd's algorithm
_PILOTS = 8192  # fitted to at most
_SHARE = 1e-3  # of the strongest coefficient's energy: weaker ones are left at their mean
_ENTRIES = 2**24


class VectorQuantiser:
    """Codebooks of pilots' weighted coefficients c (n, k), made as payloads ask for them."""

    def __init__(self, pilots: Float[Tensor, "n k"]) -> None:
        energy = pilots.square().mean(0)
        self.size = int((energy > _SHARE * energy.amax()).sum()) if energy.numel() else 0
        self._stage = min(_STAGE, max(0, math.floor(math.log2(max(1, len(pilots) / _MEMBERS)))))
        self._residuals = [pilots[:_PILOTS, : self.size].float()]
        self._book = cache(self._fit_book)

    def stages(self, payload: int) -> list[int]:
        """The bits of each stage."""
        if self._stage == 0:
            return []
        full, rest = divmod(payload, self._stage)
        return [self._stage] * full + ([rest] if rest else [])

    def encode(self, c: Float[Tensor, "n k"], payload: int) -> tuple[Int[Tensor, "n p"], Float[Tensor, "n k"]]:
        """Payloads (n, payload) of coefficients (n, k), and the coefficients (n, k) that they decode to."""
        left = c[:, : self.size].float()
        bits = []
        for number, size in enumerate(self.stages(payload)):
            book = self._book(number, size)
            chosen = nearest(left, book)
            left = left - book[chosen]
            bits.append(chosen.unsqueeze(-1) >> torch.arange(size - 1, -1, -1, device=c.device) & 1)  # the most significant first
        written = torch.cat(bits, -1) if bits else torch.zeros(len(c), 0, dtype=torch.long, device=c.device)
        missing = payload - written.shape[-1]
        decoded = torch.zeros_like(c)
        decoded[:, : self.size] = (c[:, : self.size].float() - left).to(c)
        return torch.nn.functional.pad(written, (0, missing)), decoded

    def decode(self, bits: Int[Tensor, "n p"], size: int) -> Float[Tensor, "n k"]:
        """Coefficients (n, size) of payloads (n, payload)."""
        decoded = torch.zeros(len(bits), size, dtype=torch.float64, device=bits.device)
        read = 0
        for number, stage in enumerate(self.stages(bits.shape[-1])):
            weights = 2 ** torch.arange(stage - 1, -1, -1, device=bits.device)
            index = (bits[:, read : read + stage] * weights).sum(-1)
            decoded[:, : self.size] += self._book(number, stage)[index]
            read += stage
        return decoded

    def _fit_book(self, number: int, bits: int) -> Float[Tensor, "w s"]:
        while len(self._residuals) <= number:  # those of full stages
            last, before = self._residuals[-1], self._book(len(self._residuals) - 1, self._stage)
            self._residuals.append(last - before[nearest(last, before)])
        return lloyd(self._residuals[number], 2**bits)


def lloyd(points: Float[Tensor, "n s"], count: int) -> Float[Tensor, "w s"]:
    """Codebook (count, s) of least mean squared error, locally; deserted codewords split the cells of greatest error."""
    generator = torch.Generator().manual_seed(count)
    start = torch.randperm(len(points), generator=generator, device="cpu")[torch.arange(count, device="cpu") % len(points)]
    book = points[start.to(points.device)].clone()
    for _ in range(_ROUNDS):
        chosen = nearest(points, book)
        members = torch.bincount(chosen, minlength=count)
        sums = torch.zeros_like(book).index_add_(0, chosen, points)
        book = torch.where(members.unsqueeze(-1) > 0, sums / members.clamp(min=1).unsqueeze(-1), book)
        deserted = (members == 0).nonzero().squeeze(-1)
        if len(deserted):
            error = (points - book[chosen]).square().sum(-1)
            worst = error.topk(min(len(deserted), len(points))).indices
            book[deserted[: len(worst)]] = points[worst]
    return book


def nearest(points: Float[Tensor, "n s"], book: Float[Tensor, "w s"]) -> Int[Tensor, "n"]:
    """Index (n,) of the nearest codeword."""
    rows = max(1, _ENTRIES // len(book))
    length = book.square().sum(-1) / 2
    return torch.cat([(length - part @ book.mT).argmin(-1) for part in points.split(rows)])

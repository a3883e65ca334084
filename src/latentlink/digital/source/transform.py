"""Transform code of a given payload: the step that serves each message best, its index, and range-coded symbols.

A payload of B bits has 16 steps of a ladder of factor 2^{1/4} to choose from, which both sides know; the index costs 4 bits. Of the symbols
of a step, in order of strength, as many as fit are coded and the others are replaced by the likeliest ones. These cost no more than the
entropy, so that something fits whatever the message. The transmitter takes the step of least squared error.

The range coder's point is rounded up to B bits. An interval of width ≥ 2^{−B} holds such a point, so a message costs its information and
not the words in which the coder writes [martin1979range]; `constriction` does the coding [bamler2022constriction].
"""

from bisect import bisect_right
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.typing import NDArray
from torch import Tensor

from latentlink.numerics.extras import import_extra

_ROUNDING = 0.4  # ρ; of 0.3 … 0.5 the least error at equal payload on Gaussian and Fashion-MNIST latents
_FAINT = 0.3  # coefficients of a standard deviation below this many steps are left at their mean
_REACH = 1.5  # times the largest pilot: other messages may go further
_WINDOW = 0.7  # half width of the smoothing window, in n^{−1/3} standard deviations: a fifth of Scott's histogram cell on either side
_GEOMETRIC = 0.1  # share of the geometric prior
_ANCHOR = 0.5  # pilots that qΔ counts for in a centroid
_OFFSETS = (-24, -17, -12, -9, -7, -6, -5, -4, -3, -2, -1, 0, 1, 2, 3, 5)  # of the steps around the one that takes B bits on average
STEPS = len(_OFFSETS)  # to choose from
HEADER = 4  # bits of its index
_OCTAVE = 4  # steps per factor 2
_FINEST = 14 * _OCTAVE  # of the ladder, below the coarsest of four times the strongest deviation
_SLACK, _SLACK_EACH = 0.05, 5e-4  # bits per message and per symbol, for the coder's probabilities of 24 bits and range of 32 to 64
_WORD = 32
_PILOTS = 5000  # that tables are made of, at most


@dataclass(frozen=True, eq=False)
class Step:
    """A uniform quantiser with dead zone; k strongest coefficients are quantised to −a … a, the others are left at their mean.

    Weighted coefficients c_i (their squared errors add up to the weighted error) share one step Δ: that is reverse water-filling at high
    rate.

        q = sign(c) ⌊|c| / Δ + ρ⌋,   ρ < ½ (the dead zone),      ĉ = E[c | q] over pilots, shrunk to qΔ where they are few.

    Probabilities of q are static, one table for each coefficient, from the pilots: counts beside a prior that weighs as many pilots as
    there are different symbols [witten1991zero]; it is the counts smoothed by a window, and a little of a two-sided geometric law of the
    same E|q|.

    Attributes:
        size: Δ.
        probability: (k, 2a + 1) of each symbol.
        cost: (k, 2a + 1), the bits −log2 of the probability.
        centroid: ĉ (k, 2a + 1).
    """

    size: float
    probability: Float[Tensor, "k q"]
    cost: Float[Tensor, "k q"]
    centroid: Float[Tensor, "k q"]

    @classmethod
    def of(cls, pilots: Float[Tensor, "n k"], size: float) -> "Step":
        """Make the tables of weighted coefficients of pilots, sorted with the strongest first."""
        spread = pilots.square().mean(0).sqrt()
        loud = (spread > _FAINT * size).nonzero()
        if len(loud) == 0:
            return cls(size, *pilots.new_zeros(3, 0, 1))
        c = pilots[:, : int(loud.max()) + 1]
        n, k = c.shape
        q = _quantise(c, size)
        a = int(_REACH * int(q.abs().amax())) + 1
        place = (q + a + (2 * a + 1) * torch.arange(k, device=c.device)).flatten()
        count, total = (
            torch.bincount(place, weights, minlength=k * (2 * a + 1)).reshape(k, 2 * a + 1)
            for weights in (torch.ones_like(c).flatten().double(), c.flatten().double())
        )
        value = torch.arange(-a, a + 1, device=c.device, dtype=torch.float64)
        novelty = (count > 0).sum(-1, keepdim=True)
        probability = ((count + novelty * _prior(q, count)) / (n + novelty)).clamp(min=2.0**-20)
        probability = probability / probability.sum(-1, keepdim=True)
        centroid = (total + _ANCHOR * size * value) / (count + _ANCHOR)
        return cls(size, probability, -probability.log2(), centroid)

    def quantise(self, c: Float[Tensor, "n k"]) -> Int[Tensor, "n l"]:
        """Table entries q + a (n, k) of coefficients (n, at least k)."""
        k, a = len(self.cost), self.cost.shape[-1] // 2
        return _quantise(c[:, :k], self.size).clamp(-a, a) + a

    def look_up(self, table: Float[Tensor, "k q"], symbols: Int[Tensor, "n k"]) -> Float[Tensor, "n k"]:
        """The entry of each symbol in a table."""
        return table[torch.arange(len(table), device=table.device), symbols]


def _prior(q: Int[Tensor, "n k"], count: Float[Tensor, "k q"]) -> Float[Tensor, "k q"]:
    """The prior probabilities of symbols, besides their counts."""
    n, size = len(q), count.shape[-1]
    value = torch.arange(size, device=q.device)
    mean = q.abs().double().mean(0).unsqueeze(-1) + 0.5 / n
    geometric = (mean / (1 + mean)) ** (value - size // 2).abs()
    half = (_WINDOW * n ** (-1 / 3) * q.double().std(0, correction=0)).long().unsqueeze(-1)
    total = torch.nn.functional.pad(count.cumsum(-1), (1, 0))
    smooth = total.gather(-1, (value + half + 1).clamp(max=size)) - total.gather(-1, (value - half).clamp(min=0))
    parts = [part / part.sum(-1, keepdim=True) for part in (geometric, smooth)]
    return _GEOMETRIC * parts[0] + (1 - _GEOMETRIC) * parts[1]


def _quantise(c: Float[Tensor, "n k"], size: float) -> Int[Tensor, "n k"]:
    """The symbols q (n, k) of a uniform quantiser with dead zone."""
    return (c.sign() * (c.abs() / size + _ROUNDING).floor()).long()


class TransformCode:
    """Transform codes of weighted coefficients c (n, k) of pilots, tables made as payloads ask for them."""

    def __init__(self, pilots: Float[Tensor, "n k"]) -> None:
        self._pilots = pilots[:_PILOTS].double()
        spread = self._pilots.square().mean(0).sqrt()
        self._coarsest = 4 * float(spread.amax()) if spread.numel() else 0.0
        self.step, self._usual = cache(self._make_step), cache(self._search_step)
        self._coder: Any = import_extra("constriction", "digital").stream

    def _make_step(self, number: int) -> Step:
        """A step of the ladder."""
        return Step.of(self._pilots, self._coarsest * 2 ** (-number / _OCTAVE))

    def _search_step(self, payload: int) -> int:
        """The number of the finest step whose symbols take at most the payload on average."""

        def mean_bits(number: int) -> float:
            step = self.step(number)
            return float((step.probability * step.cost).sum())

        return bisect_right(range(1, _FINEST), float(payload - HEADER), key=mean_bits)

    def offered(self, payload: int, index: int) -> Step:
        """The step that an index of a payload names."""
        return self.step(max(0, self._usual(payload) + _OFFSETS[index]))

    def sizes(self, payload: int) -> list[int]:
        """The number of coefficients that each step of a payload quantises."""
        return [len(self.offered(payload, number).cost) for number in range(STEPS)]

    def choose(self, c: Float[Tensor, "n k"], payload: int) -> tuple[Int[Tensor, "n"], Int[Tensor, "n k"], Float[Tensor, "n k"]]:
        """Index of the step (n,), table entries (n, k) and decoded coefficients (n, k), for messages c (n, k)."""
        c = c.double()
        n, k = c.shape
        least = torch.full((n,), torch.inf, dtype=torch.float64, device=c.device)
        index = torch.zeros(n, dtype=torch.long, device=c.device)
        symbols, decoded = torch.zeros(n, k, dtype=torch.long, device=c.device), torch.zeros_like(c)
        for number in range(STEPS):
            step = self.offered(payload, number)
            taken, value = _fit(step, c, payload - HEADER - _SLACK - _SLACK_EACH * len(step.cost))
            size = taken.shape[-1]
            error = (c[:, :size] - value).square().sum(-1) + c[:, size:].square().sum(-1)
            better = error < least
            least, index = torch.where(better, error, least), torch.where(better, number, index)
            symbols[better, :size], decoded[better, :size], decoded[better, size:] = taken[better], value[better], 0.0
        return index, symbols, decoded

    def encode(self, c: Float[Tensor, "n k"], payload: int) -> tuple[Int[Tensor, "n p"], Float[Tensor, "n k"]]:
        """Payloads (n, payload) of coefficients (n, k), and the coefficients that they decode to."""
        index, symbols, decoded = self.choose(c, payload)
        written = [self.write(payload, int(j), row) for j, row in zip(index.tolist(), symbols.cpu().numpy(), strict=True)]
        bits = np.stack(written) if written else np.zeros((0, payload), np.uint8)
        return torch.from_numpy(bits).long().to(c.device), decoded

    def decode(self, bits: Int[Tensor, "n p"], size: int) -> Float[Tensor, "n k"]:
        """Coefficients (n, size) of payloads (n, payload); those that no transmitter can have sent give the mean."""
        decoded = torch.zeros(len(bits), size, dtype=torch.float64, device=bits.device)
        for row, payload in enumerate(bits.cpu().numpy().astype(np.uint8)):
            read = self.read(payload)
            if read is not None:
                step = self.offered(len(payload), read[0])
                symbols = torch.from_numpy(read[1].astype(np.int64)).to(bits.device)
                decoded[row, : len(symbols)] = step.look_up(step.centroid, symbols.unsqueeze(0)).squeeze(0)
        return decoded

    def write(self, payload: int, index: int, symbols: NDArray[np.int64]) -> NDArray[np.uint8]:
        """The payload of one message."""
        step = self.offered(payload, index)
        wanted = symbols[: len(step.cost)].astype(np.int32)
        coder = self._coder.queue.RangeEncoder()
        coder.encode(index, self._coder.model.Uniform(STEPS))
        if len(wanted):
            coder.encode(wanted, self._coder.model.Categorical(perfect=False), step.probability.cpu().numpy())
        point = np.unpackbits(coder.get_compressed().astype(">u4").view(np.uint8))
        below = np.pad(point, (0, max(0, payload - len(point))))[:payload]
        read = self.read(below)
        if read is not None and read[0] == index and np.array_equal(read[1], wanted):
            return below
        above = (int("".join(map(str, below)), 2) + 1) % 2**payload
        return np.array(list(np.binary_repr(above, payload)), np.uint8)

    def read(self, payload: NDArray[np.uint8]) -> tuple[int, NDArray[np.int32]] | None:
        """Index of the step and symbols of a payload; None where no message has it."""
        words = np.packbits(np.pad(payload, (0, -len(payload) % _WORD + 2 * _WORD))).view(">u4").astype(np.uint32)
        coder = self._coder.queue.RangeDecoder(words)
        try:
            index = int(coder.decode(self._coder.model.Uniform(STEPS)))
            step = self.offered(len(payload), index)
            if len(step.cost) == 0:
                return index, np.zeros(0, np.int32)
            return index, coder.decode(self._coder.model.Categorical(perfect=False), step.probability.cpu().numpy())
        except (AssertionError, ValueError):  # what constriction raises for points outside all intervals
            return None


def _fit(step: Step, c: Float[Tensor, "n k"], bits: float) -> tuple[Int[Tensor, "n l"], Float[Tensor, "n l"]]:
    """Choose table entries of the step, the likeliest from where the bits are spent; their values are infinite where nothing fits."""
    size = len(step.cost)
    if size == 0:
        return c[:, :0].long(), c[:, :0]
    symbols, likeliest = step.quantise(c), step.cost.argmin(-1)
    cost, cheap = step.look_up(step.cost, symbols), step.cost.amin(-1)
    spent = cost.cumsum(-1) + (cheap.sum() - cheap.cumsum(0))
    last = ((spent <= bits) * torch.arange(1, size + 1, device=c.device)).amax(-1, keepdim=True)
    kept = torch.arange(size, device=c.device) < last
    symbols = torch.where(kept, symbols, likeliest)
    value = step.look_up(step.centroid, symbols)
    return symbols, value if bool(cheap.sum() <= bits) else torch.full_like(value, torch.inf)

"""How long a series remembers itself, and series like it that are put together of its blocks.

The stationary bootstrap [politis1994stationary] walks through the series and jumps to a random place with probability 1/L at each step. L
is chosen from the series itself [politis2004automatic, patton2009correction]: with autocovariances R(k), weighed by a flat top λ over the
lags that can be told from none,

    L = (G² / g²)^⅓ n^⅓,      G = Σ λ(k) |k| R(k),      g = Σ λ(k) R(k);

and g / R(0) is the correlation time τ: the mean of n numbers has the variance R(0) τ / n. A series of independent numbers has τ = L = 1.
"""

import math
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

_TOLD = 2.0  # standard errors, over which an autocorrelation counts
_AT_ONCE = 2**21  # numbers that are drawn at a time


class Dependence(NamedTuple):
    """The dependence of a series on its past.

    Attributes:
        time: τ ≥ 1, the correlation time in steps.
        block: L ≥ 1, the mean length of blocks for the stationary bootstrap.
    """

    time: float
    block: float

    @classmethod
    def of(cls, series: Float[Tensor, "n"]) -> "Dependence":
        """That of a series; of fewer than eight numbers, and of constant ones, none is told."""
        n = len(series)
        centred = (series - series.mean()).double()
        if n < 8 or not centred.square().sum() > 0:
            return cls(1.0, 1.0)
        spectrum = torch.fft.rfft(centred, 2 * n).abs().square()
        R = torch.fft.irfft(spectrum, 2 * n)[:n] / n
        run = max(5, math.ceil(math.log10(n) ** 0.5))
        longest = max(1, min(n - 1 - run, math.ceil(n**0.5) + run))
        small = (R[1:] / R[0]).abs() < _TOLD * (math.log10(n) / n) ** 0.5
        quiet = [bool(small[lag : lag + run].all()) for lag in range(longest)]
        width = 2 * (quiet.index(True) if True in quiet else longest)
        if width == 0:
            return cls(1.0, 1.0)
        k = torch.arange(1, min(width, n - 1) + 1, dtype=R.dtype, device=R.device)
        weighted = (2 * (1 - k / width)).clamp(max=1) * R[1 : len(k) + 1]
        g, G = float(R[0] + 2 * weighted.sum()), float(2 * (k * weighted).sum())
        if g <= 0:
            return cls(1.0, 1.0)
        block = (G / g) ** 2 * n
        return cls(max(1.0, g / float(R[0])), min(max(1.0, block ** (1 / 3)), math.ceil(min(3 * n**0.5, n / 3))))


def blocks_of(n: int, steps: int, walks: int, block: float, generator: torch.Generator) -> Int[Tensor, "steps walks"]:
    """Places (steps, walks) in a series of n numbers, for walks of the stationary bootstrap with blocks of this mean length."""
    device = generator.device
    start = torch.randint(n, (steps, walks), generator=generator, device=device)
    if block <= 1:
        return start
    step = torch.arange(steps, device=device).unsqueeze(-1)
    jumps = torch.rand(steps, walks, generator=generator, device=device) < 1 / block
    last = torch.where(jumps, step, 0).cummax(0).values  # the first block begins at step 0
    return (start.gather(0, last) + step - last) % n


def chunks_of(walks: int, steps: int) -> list[int]:
    """The walks in chunks that fit into memory."""
    size = max(1, _AT_ONCE // steps)
    return [min(size, walks - first) for first in range(0, walks, size)]

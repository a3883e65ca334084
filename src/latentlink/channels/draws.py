"""Which channels a codec will meet: a distribution over sizes, channel uses, SNRs and fading, to train on.

A draw is a list of channel batches, one for each size that came up. Sizes n (n_rx = n_tx) come up in proportion to 1/√n: small ones have
the most to gain, and each has to be seen often enough.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

import torch
from torch import Tensor

from latentlink.channels.channel import Channel
from latentlink.channels.fading import exponential_correlation, kronecker, rayleigh, rician

Fading = Literal["rayleigh", "rician", "kronecker"]


@runtime_checkable
class ChannelSource(Protocol):
    """Anything that draws channels: a distribution, or a bank of measured ones."""

    def draw(self, count: int, generator: torch.Generator) -> list[Channel]:
        """`count` channels in batches (c,) of equal size, c adding up to count."""


@dataclass(frozen=True)
class ChannelDraws:
    """Channels of random size, uses and SNR.

    Attributes:
        antennas: n_rx = n_tx, each in proportion to 1/√n.
        uses: channel uses per message, each as likely as the next; half of those of several uses are block fading, half fade independently.
        snr_db: (lowest, highest) SNR per transmit antenna in dB, uniform between them.
        model: "rayleigh", "rician" or "kronecker" (exponential correlation at both ends).
        gain: E|h|². k_factor: of Rician fading. correlation: between neighbouring antennas, of Kronecker fading.

    Raises:
        ValueError: naming the attribute that is out of range.
    """

    antennas: tuple[int, ...] = (1, 2, 3, 4, 6, 8, 12, 16)
    uses: tuple[int, ...] = (1, 1, 2)
    snr_db: tuple[float, float] = (-10.0, 30.0)
    model: Fading = "rayleigh"
    gain: float = 1.0
    k_factor: float = 1.0
    correlation: float = 0.7

    def __post_init__(self) -> None:
        for name in ("antennas", "uses"):
            values = getattr(self, name)
            whole = isinstance(values, tuple | list) and all(isinstance(n, int) and not isinstance(n, bool) and n >= 1 for n in values)
            if not whole or not values:
                raise ValueError(f"{name} must be integers >= 1, at least one of them, got {values!r}")
        if not isinstance(self.snr_db, tuple | list) or len(self.snr_db) != 2 or not all(map(_number, self.snr_db)):
            raise ValueError(f"snr_db must be (lowest, highest) in dB, got {self.snr_db!r}")
        if self.snr_db[0] > self.snr_db[1]:
            raise ValueError(f"snr_db must be (lowest, highest) in dB, got {self.snr_db!r}")
        if self.model not in ("rayleigh", "rician", "kronecker"):
            raise ValueError(f"model must be 'rayleigh', 'rician' or 'kronecker', got {self.model!r}")
        if not _number(self.gain) or not self.gain > 0:
            raise ValueError(f"gain must be positive and finite, got {self.gain!r}")
        if not _number(self.k_factor) or self.k_factor < 0:
            raise ValueError(f"k_factor must be finite and not negative, got {self.k_factor!r}")
        if not _number(self.correlation) or not 0 <= self.correlation < 1:
            raise ValueError(f"correlation must be at least 0 and below 1, got {self.correlation!r}")

    def draw(self, count: int, generator: torch.Generator) -> list[Channel]:
        """`count` channels, in batches of equal size; generator is on the CPU, and so are they."""
        sizes = torch.tensor(self.antennas, dtype=torch.float64)
        n = torch.multinomial(sizes.rsqrt(), count, replacement=True, generator=generator)
        u = torch.randint(len(self.uses), (count,), generator=generator)
        block = torch.randint(2, (count,), generator=generator) | (torch.tensor(self.uses)[u] == 1)
        kinds, counts = torch.stack([n, u, block], -1).unique(dim=0, return_counts=True)
        return list(self._batches(kinds, counts, generator))

    def _batches(self, kinds: Tensor, counts: Tensor, generator: torch.Generator) -> Iterator[Channel]:
        for (n, u, block), count in zip(kinds.tolist(), counts.tolist(), strict=True):
            antennas, uses = self.antennas[n], self.uses[u]
            h = self._fading(antennas, (count, 1 if block else uses), generator)
            low, high = self.snr_db
            snr_db = low + (high - low) * torch.rand(count, dtype=torch.float64, generator=generator)
            channel = Channel.from_grid(h, snr_db)
            yield channel.repeated(uses) if block else channel

    def _fading(self, n: int, batch: tuple[int, ...], generator: torch.Generator) -> Tensor:
        if self.model == "rician":
            return rician(n, n, self.k_factor, self.gain, batch, generator)
        if self.model == "kronecker":
            R = exponential_correlation(n, self.correlation)
            return kronecker(R, R, self.gain, batch, generator)
        return rayleigh(n, n, self.gain, batch, generator)


def _number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)

"""Which channels a codec will meet: a distribution over sizes, channel uses, SNRs and fading, to train on.

A draw is a list of channel batches, one for each size that came up. Sizes n (n_rx = n_tx) come up in proportion to 1/√n: small ones have
the most to gain, and each has to be seen often enough.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, Protocol, get_args, runtime_checkable

import torch
from torch import Tensor

from latentlink.channels.channel import Channel
from latentlink.channels.fading import exponential_correlation, kronecker, rayleigh, rician
from latentlink.numerics.doors import choice, integer, real
from latentlink.numerics.doors import generator as generator_of

FadingName = Literal["rayleigh", "rician", "kronecker"]


@runtime_checkable
class ChannelSource(Protocol):
    """Anything that draws channels: a distribution, or a bank of measured ones."""

    def draw(self, count: int, generator: torch.Generator) -> list[Channel]:
        """Draw `count` channels in batches (c,) of equal size, c adding up to count."""


@dataclass(frozen=True)
class ChannelDraws:
    """Channels of random size, uses and SNR.

    Attributes:
        antennas: numbers of antennas, n_rx = n_tx, each drawn in proportion to 1/√n.
        uses: channel uses per message, each as likely as the next; half of those of several uses are block fading, half fade independently.
        snr_db: (lowest, highest) SNR per transmit antenna in dB, uniform between them.
        model: "rayleigh", "rician" or "kronecker" (exponential correlation at both ends).
        gain: E|h|².
        k_factor: K of Rician fading, linear.
        correlation: correlation between neighbouring antennas, of Kronecker fading.

    Raises:
        ValueError: naming the attribute that is out of range.
    """

    antennas: tuple[int, ...] = (1, 2, 3, 4, 6, 8, 12, 16)
    uses: tuple[int, ...] = (1, 1, 2)
    snr_db: tuple[float, float] = (-10.0, 30.0)
    model: FadingName = "rayleigh"
    gain: float = 1.0
    k_factor: float = 1.0
    correlation: float = 0.7

    def __post_init__(self) -> None:
        check_sizes(self.antennas, self.uses, self.snr_db)
        choice("model", self.model, get_args(FadingName))
        real("gain", self.gain, above=0.0)
        real("k_factor", self.k_factor, least=0.0)
        real("correlation", self.correlation, least=0.0, below=1.0)

    def draw(self, count: int, generator: torch.Generator | int) -> list[Channel]:
        """Draw `count` channels on the CPU, in batches of equal size, by a generator on the CPU or its seed."""
        source = generator_of(generator)
        sizes = torch.tensor(self.antennas, dtype=torch.float64)
        n = torch.multinomial(sizes.rsqrt(), count, replacement=True, generator=source)
        u = torch.randint(len(self.uses), (count,), generator=source)
        block = torch.randint(2, (count,), generator=source) | (torch.tensor(self.uses)[u] == 1)
        kinds, counts = torch.stack([n, u, block], -1).unique(dim=0, return_counts=True)
        return list(self._batches(kinds, counts, source))

    def _batches(self, kinds: Tensor, counts: Tensor, generator: torch.Generator | None) -> Iterator[Channel]:
        for (n, u, block), count in zip(kinds.tolist(), counts.tolist(), strict=True):
            antennas, uses = self.antennas[n], self.uses[u]
            h = self._fading(antennas, (count, 1 if block else uses), generator)
            low, high = self.snr_db
            snr_db = low + (high - low) * torch.rand(count, dtype=torch.float64, generator=generator)
            channel = Channel.from_grid(h, snr_db)
            yield channel.repeated(uses) if block else channel

    def _fading(self, n: int, batch: tuple[int, ...], generator: torch.Generator | None) -> Tensor:
        if self.model == "rician":
            return rician(n, n, self.k_factor, gain=self.gain, batch=batch, generator=generator)
        if self.model == "kronecker":
            R = exponential_correlation(n, self.correlation)
            return kronecker(R, R, self.gain, batch=batch, generator=generator)
        return rayleigh(n, n, self.gain, batch=batch, generator=generator)


def check_sizes(antennas: object, uses: object, snr_db: object) -> None:
    """Check the sizes and SNRs of a distribution of channels.

    Raises:
        ValueError: antennas or uses are no integers >= 1, or snr_db is not (lowest, highest).
    """
    for name, values in (("antennas", antennas), ("uses", uses)):
        if not isinstance(values, tuple | list) or not values:
            raise ValueError(f"{name} must be a tuple of integers >= 1, at least one of them, got {values!r}")
        for value in values:
            integer(name, value)
    if not isinstance(snr_db, tuple | list) or len(snr_db) != 2:
        raise ValueError(f"snr_db must be (lowest, highest) in dB, got {snr_db!r}")
    if real("snr_db", snr_db[0]) > real("snr_db", snr_db[1]):
        raise ValueError(f"snr_db must be (lowest, highest) in dB, got {snr_db!r}")

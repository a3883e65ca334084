"""Distributions of channels over sizes, channel uses, SNRs and fading, on which a codec is trained.

A draw is a list of channel batches, one for each size that came up. Sizes n (n_rx = n_tx) come up in proportion to 1/√n: small ones gain
most, and each must be drawn often enough.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, Literal, Protocol, get_args, runtime_checkable

import torch
from jaxtyping import Int
from torch import Tensor

from latentlink.channels.channel import Channel
from latentlink.channels.fading import exponential_correlation, kronecker, rayleigh, rician
from latentlink.numerics.doors import as_generator, choice, integer, real
from latentlink.numerics.expectations import made_by
from latentlink.numerics.reprs import Summarised

FadingName = Literal["rayleigh", "rician", "kronecker"]


@made_by("ChannelDraws(...), or an object with draw(count, generator)")
@runtime_checkable
class ChannelSource(Protocol):
    """Anything that draws channels: a distribution, or a bank of measured ones.

    Example:
        >>> import latentlink as ll
        >>> class Bank:
        ...     def draw(self, count, generator):  # of measured channels, for instance
        ...         return [ll.Channel.from_snr(ll.rayleigh(2, 2, batch=(count,), generator=generator), snr_db=20.0)]
        >>> isinstance(Bank(), ll.channels.ChannelSource), ll.CodecTraining(draws=Bank()).max_symbols
        (True, 16)
    """

    def draw(self, count: int, generator: torch.Generator) -> list[Channel]:
        """Draw `count` channels in batches (c,) of equal size, c adding up to count."""


@dataclass(frozen=True, kw_only=True)
class SizedDraws(Summarised, ABC):
    """Channels of random size, uses and SNR; the base of all distributions over them.

    Attributes:
        antennas: numbers of antennas, n_rx = n_tx, each drawn in proportion to 1/√n.
        uses: channel uses per message, each as likely as the next.
        snr_db: (lowest, highest) SNR per transmit antenna in dB, uniform between them.

    Raises:
        ValueError: naming the attribute that is out of range.
    """

    antennas: tuple[int, ...] = (1, 2, 3, 4, 6, 8, 12, 16)
    uses: tuple[int, ...] = (1, 1, 2)
    snr_db: tuple[float, float] = (-10.0, 30.0)

    def __post_init__(self) -> None:
        for name in ("antennas", "uses"):
            values = getattr(self, name)
            if not isinstance(values, tuple | list) or not values:
                raise ValueError(f"{name} must be a tuple of integers >= 1, at least one of them, got {values!r}")
            for value in values:
                integer(name, value)
        snr_db = self.snr_db
        if not isinstance(snr_db, tuple | list) or len(snr_db) != 2 or real("snr_db", snr_db[0]) > real("snr_db", snr_db[1]):
            raise ValueError(f"snr_db must be (lowest, highest) in dB, got {snr_db!r}")

    def draw(self, count: int, generator: torch.Generator | int) -> list[Channel]:
        """Draw channels on the CPU.

        Args:
            count: number of channels.
            generator: source of sizes, SNRs and fading, on the CPU, or its seed.

        Returns:
            Batches (c,) of channels of equal size, c adding up to count.

        Raises:
            ValueError: count is no integer >= 1, or the generator is neither a generator nor a seed.
        """
        source, count = as_generator(generator, "channels"), integer("count", count)
        sizes = torch.tensor(self.antennas, dtype=torch.float64, device="cpu")
        n = torch.multinomial(sizes.rsqrt(), count, replacement=True, generator=source)
        u = torch.randint(len(self.uses), (count,), generator=source, device="cpu")
        block = self._is_block_fading(torch.tensor(self.uses, device="cpu")[u], source)
        kinds, counts = torch.stack([n, u, block], -1).unique(dim=0, return_counts=True)
        low, high = self.snr_db
        batches = []
        for (size, use, same), members in zip(kinds.tolist(), counts.tolist(), strict=True):
            grid = self._grid(self.antennas[size], self.uses[use], bool(same), members, source)
            batches.append(
                Channel.from_grid(grid, low + (high - low) * torch.rand(members, dtype=torch.float64, generator=source, device="cpu"))
            )
        return batches

    def _is_block_fading(self, uses: Int[Tensor, "count"], generator: torch.Generator | None) -> Tensor:
        """Decide for each channel (count,), given its number of uses, if all of them have the same matrix."""
        return torch.zeros_like(uses)

    @abstractmethod
    def _grid(self, antennas: int, uses: int, block: bool, count: int, generator: torch.Generator | None) -> Tensor:
        """Draw channels (count, uses, antennas, antennas) of one size."""


@dataclass(frozen=True, kw_only=True)
class ChannelDraws(SizedDraws):
    """Channels of random size, uses and SNR under flat fading; half of those of several uses are block fading, half fade independently.

    Attributes:
        antennas: numbers of antennas, n_rx = n_tx, each drawn in proportion to 1/√n.
        uses: channel uses per message, each as likely as the next.
        snr_db: (lowest, highest) SNR per transmit antenna in dB, uniform between them.
        model: "rayleigh", "rician" or "kronecker" (exponential correlation at both ends).
        gain: E|h|².
        k_factor: K of Rician fading, linear.
        correlation: correlation between neighbouring antennas, of Kronecker fading.

    Raises:
        ValueError: naming the attribute that is out of range.

    Example:
        >>> import latentlink as ll
        >>> draws = ll.channels.ChannelDraws(antennas=(2, 4), uses=(1,), snr_db=(0.0, 20.0))
        >>> [channel.h.shape for channel in draws.draw(10, 0)]
        [torch.Size([6, 1, 2, 2]), torch.Size([4, 1, 4, 4])]
    """

    model: FadingName = "rayleigh"
    gain: float = 1.0
    k_factor: float = 1.0
    correlation: float = 0.7

    def __post_init__(self) -> None:
        super().__post_init__()
        choice("model", self.model, get_args(FadingName))
        real("gain", self.gain, above=0.0)
        real("k_factor", self.k_factor, least=0.0)
        real("correlation", self.correlation, least=0.0, below=1.0)

    def _is_block_fading(self, uses: Int[Tensor, "count"], generator: torch.Generator | None) -> Tensor:
        return torch.randint(2, uses.shape, generator=generator, device="cpu") | (uses == 1)

    def _grid(self, antennas: int, uses: int, block: bool, count: int, generator: torch.Generator | None) -> Tensor:
        settings: dict[str, Any] = {"gain": self.gain, "batch": (count, 1 if block else uses), "generator": generator}
        if self.model == "rician":
            h = rician(antennas, antennas, self.k_factor, **settings)
        elif self.model == "kronecker":
            R = exponential_correlation(antennas, self.correlation)
            h = kronecker(R, R, **settings)
        else:
            h = rayleigh(antennas, antennas, **settings)
        return h.expand(-1, uses, -1, -1)

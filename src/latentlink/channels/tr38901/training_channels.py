"""3GPP channels to train a codec on: for each size a bank of them, from which draws are taken."""

from dataclasses import dataclass, replace
from functools import lru_cache

import torch
from jaxtyping import Complex
from torch import Tensor

from latentlink.channels.channel import Channel
from latentlink.channels.draws import check_sizes
from latentlink.channels.ofdm import ResourceElements
from latentlink.channels.tr38901.generate import grids
from latentlink.channels.tr38901.model import Model
from latentlink.channels.tr38901.panels import Panel
from latentlink.numerics.doors import generator as generator_of
from latentlink.numerics.doors import integer


@dataclass(frozen=True)
class StandardDraws:
    """Channels of a 3GPP model of random size, uses and SNR; a `ChannelSource`.

    Attributes:
        model: the settings, whose arrays are replaced by linear ones of each size, cross-polarised if even.
        antennas: numbers of antennas, as in `ChannelDraws`.
        uses: channel uses per message, as in `ChannelDraws`; several uses are resource elements spread over the band.
        snr_db: (lowest, highest) SNR per transmit antenna in dB.
        subcarriers: number of subcarriers of the band.
        bank: number of channels of each size and number of uses that draws are taken from.
        seed: seed of the banks.

    Raises:
        ValueError: naming the attribute that is out of range.
    """

    model: Model
    antennas: tuple[int, ...] = (1, 2, 3, 4, 6, 8, 12, 16)
    uses: tuple[int, ...] = (1, 1, 2)
    snr_db: tuple[float, float] = (-10.0, 30.0)
    subcarriers: int = 624
    bank: int = 500
    seed: int = 0

    def __post_init__(self) -> None:
        check_sizes(self.antennas, self.uses, self.snr_db)
        integer("subcarriers", self.subcarriers, max(self.uses))
        integer("bank", self.bank)

    def draw(self, count: int, generator: torch.Generator | int) -> list[Channel]:
        """Draw `count` channels on the CPU, in batches of equal size, by a generator on the CPU or its seed."""
        source = generator_of(generator)
        sizes = torch.tensor(self.antennas, dtype=torch.float64)
        n = torch.multinomial(sizes.rsqrt(), count, replacement=True, generator=source)
        u = torch.randint(len(self.uses), (count,), generator=source)
        kinds, counts = torch.stack([n, u], -1).unique(dim=0, return_counts=True)
        low, high = self.snr_db
        batches = []
        for (size, use), members in zip(kinds.tolist(), counts.tolist(), strict=True):
            h = _bank(self, self.antennas[size], self.uses[use])[torch.randint(self.bank, (members,), generator=source)]
            snr_db = low + (high - low) * torch.rand(members, dtype=torch.float64, generator=source)
            batches.append(Channel.from_grid(h.to(torch.complex128), snr_db))
        return batches


@lru_cache(maxsize=64)
def _bank(draws: StandardDraws, antennas: int, uses: int) -> Complex[Tensor, "bank u r t"]:
    """Draw or read the channels of one size."""
    array = Panel.linear(antennas, dual=None if not draws.model.model.startswith("TDL") else False)
    model = replace(draws.model, receive=array, transmit=replace(array, pattern=draws.model.transmit.pattern))
    return grids(model, draws.bank, ResourceElements.over_frequency(uses, draws.subcarriers), seed=draws.seed)

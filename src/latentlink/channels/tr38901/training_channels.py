"""3GPP channels to train a codec on: for each size a bank of them, from which draws are taken."""

from dataclasses import dataclass, replace
from functools import lru_cache

import torch
from jaxtyping import Complex
from torch import Tensor

from latentlink.channels.draws import SizedDraws
from latentlink.channels.ofdm import ResourceElements
from latentlink.channels.tr38901.generate import grids
from latentlink.channels.tr38901.model import Model, Panel
from latentlink.numerics.doors import integer


@dataclass(frozen=True, kw_only=True)
class StandardDraws(SizedDraws):
    """Channels of a 3GPP model of random size, uses and SNR; several uses are resource elements spread over the band.

    Attributes:
        antennas: numbers of antennas, n_rx = n_tx, each drawn in proportion to 1/√n.
        uses: channel uses per message, each as likely as the next.
        snr_db: (lowest, highest) SNR per transmit antenna in dB, uniform between them.
        model: the settings, whose arrays are replaced by linear ones of each size, cross-polarised if even.
        subcarriers: number of subcarriers of the band.
        bank: number of channels of each size and number of uses that draws are taken from.
        seed: seed of the banks.

    Raises:
        ValueError: naming the attribute that is out of range.

    Example:
        >>> import latentlink as ll
        >>> draws = ll.tr38901.StandardDraws(model=ll.tr38901.Model("TDL-A"), antennas=(2,), uses=(1,), bank=10)
        >>> [channel.h.shape for channel in draws.draw(5, 0)]
        [torch.Size([5, 1, 2, 2])]
    """

    model: Model
    subcarriers: int = 624
    bank: int = 500
    seed: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        integer("subcarriers", self.subcarriers, max(self.uses))
        integer("bank", self.bank)

    def _grid(self, antennas: int, uses: int, block: bool, count: int, generator: torch.Generator | None) -> Tensor:
        return _bank(self, antennas, uses)[torch.randint(self.bank, (count,), generator=generator, device="cpu")].to(torch.complex128)


@lru_cache(maxsize=64)
def _bank(draws: StandardDraws, antennas: int, uses: int) -> Complex[Tensor, "bank u r t"]:
    """Draw or read the channels of one size."""
    array = Panel.linear(antennas, dual=None if not draws.model.model.startswith("TDL") else False)
    model = replace(draws.model, receive=array, transmit=replace(array, pattern=draws.model.transmit.pattern))
    return grids(model, draws.bank, ResourceElements.over_frequency(uses, draws.subcarriers), seed=draws.seed)

"""The air of a run: taps between the antennas, noise, and what the clocks of both ends differ by."""

from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from latentlink.numerics.doors import check_instance, flag, integer, real
from latentlink.numerics.reprs import Summarised
from latentlink_runtime.radio.numerology import LL_64_16, Numerology
from latentlink_runtime.serve.air import Air, rayleigh

_TAPS = 4  # in samples; the cyclic prefix takes 13


@dataclass(frozen=True)
class AirSetting(Summarised):
    """The air of a run, and how samples go through it.

    Attributes:
        n_tx: transmit antennas.
        n_rx: receive antennas.
        snr_db: SNR of a sample at a receive antenna in dB, for a transmit power of 1 and a mean gain of 1.
        seed: of the taps and of the noise.
        frequency: carrier frequency offset in cycles a sample.
        ppm: by which the transmitter's clock is faster, in parts per million.
        rate: samples a second of each antenna, by which the transmitter is paced.
        per_frame: messages of a frame.
        bits: of each angle and each amplitude that the receiver reports.
        gnuradio: True where GNU Radio's flow graph is the air, else the one in NumPy.
        numerology: of the frames.

    Raises:
        ValueError: antennas are not 1 to 8, or another field is out of range.

    Example:
        >>> import latentlink as ll
        >>> air = ll.deploy.AirSetting(n_tx=2, n_rx=4, snr_db=10.0)
        >>> air.taps.shape, tuple(air.carriers.shape)
        ((4, 4, 2), (48, 1, 4, 2))
    """

    n_tx: int = 4
    n_rx: int = 4
    snr_db: float = 20.0
    seed: int = 0
    frequency: float = 0.004
    ppm: float = 20.0
    rate: float = 2.5e4
    per_frame: int = 768
    bits: int = 6
    gnuradio: bool = False
    numerology: Numerology = field(default=LL_64_16, repr=False)

    def __post_init__(self) -> None:
        for name in ("n_tx", "n_rx"):
            integer(name, getattr(self, name), 1, 8)
        real("snr_db", self.snr_db, least=-200.0, most=200.0)
        real("frequency", self.frequency, above=-0.5, below=0.5)
        real("ppm", self.ppm, above=-1e4, below=1e4)
        real("rate", self.rate, above=0.0, most=1e9)
        integer("per_frame", self.per_frame, 1, 4000)
        integer("bits", self.bits, 1, 16)
        integer("seed", self.seed, 0)
        flag("gnuradio", self.gnuradio)
        check_instance("numerology", self.numerology, Numerology, "latentlink_runtime.radio.numerology has LL_64_16 and LL_256_64")

    @property
    def taps(self) -> np.ndarray:
        """Taps (taps, n_rx, n_tx) of falling power, drawn by the seed."""
        return rayleigh(self.seed, _TAPS, self.n_rx, self.n_tx)

    @property
    def carriers(self) -> Tensor:
        """The channel (data carriers, 1, n_rx, n_tx) of each data carrier."""
        numerology = self.numerology
        return torch.from_numpy(Air(self.taps).response(numerology.carriers[numerology.data_index], numerology.n_fft))[:, None]

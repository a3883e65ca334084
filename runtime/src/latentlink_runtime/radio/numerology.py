"""Numerologies of the OFDM frame: which carriers of an FFT are used, and how long every part of a frame is.

An OFDM symbol of N carriers has N + CP samples, x[n] = Σ_k X_k e^{j2πkn/N} / √K over the K used carriers. So K carriers of power 1 give
samples of power 1, and white noise of variance σ² a sample has the variance σ² K / N on a carrier.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

FRAME_FORMAT = 1  # the version that headers carry
STF_PERIOD = 16  # samples; the short training field repeats so often, whatever the numerology
HEADER_SYMBOLS = 208  # QPSK symbols of a header, once


@dataclass(frozen=True)
class Numerology:
    """Carriers and lengths of a frame (see the module); carriers are numbered from −N/2 to N/2 − 1.

    Attributes:
        name: what both ends call it.
        n_fft: N, carriers of the FFT, a multiple of 16.
        cyclic_prefix: CP, samples repeated before each symbol; longest delay between the first and the last path.
        used: carriers that are sent, in rising order.
        pilots: those of them that are pilots in every payload symbol, in rising order.
        stf_length: samples of the short training field, a multiple of 16 and at least 256.
        ltf_repetitions: LTF symbols for each transmit antenna.
        header_repetitions: R, how often the header is sent.
        gap: zeros after a frame.
        lead: samples that the receiver's window begins before the earliest path.

    Raises:
        ValueError: a field contradicts another; the message says which.
    """

    name: str
    n_fft: int
    cyclic_prefix: int
    used: tuple[int, ...]
    pilots: tuple[int, ...]
    stf_length: int = 320
    ltf_repetitions: int = 1
    header_repetitions: int = 2
    gap: int = 160
    lead: int = 3

    def __post_init__(self) -> None:
        if self.n_fft < 4 * STF_PERIOD or self.n_fft % STF_PERIOD:
            raise ValueError(f"n_fft must be a multiple of {STF_PERIOD}, at least {4 * STF_PERIOD}, got {self.n_fft}; take 64 or 256")
        if not self.lead < self.cyclic_prefix <= self.n_fft // 2:
            raise ValueError(f"cyclic_prefix must be above lead = {self.lead} and at most n_fft / 2, got {self.cyclic_prefix}")
        half = self.n_fft // 2
        if tuple(sorted(set(self.used))) != self.used or 0 in self.used or not -half <= self.used[0] <= self.used[-1] < half:
            raise ValueError(f"used must be rising carriers from {-half} to {half - 1} without 0, got {self.used}")
        if HEADER_SYMBOLS % len(self.used):
            raise ValueError(f"used must be a divisor of {HEADER_SYMBOLS} carriers, which a header fills, got {len(self.used)}")
        if not set(self.pilots) < set(self.used) or tuple(sorted(self.pilots)) != self.pilots or not self.pilots:
            raise ValueError(f"pilots must be some of the used carriers in rising order, got {self.pilots}")
        if self.stf_length % STF_PERIOD or self.stf_length < 16 * STF_PERIOD:
            raise ValueError(f"stf_length must be a multiple of {STF_PERIOD}, at least {16 * STF_PERIOD}, got {self.stf_length}")
        if min(self.ltf_repetitions, self.header_repetitions, self.lead) < 1 or self.gap < 0:
            raise ValueError("ltf_repetitions, header_repetitions and lead must be at least 1 and gap at least 0; take the defaults")

    @classmethod
    def symmetric(cls, name: str, n_fft: int, cyclic_prefix: int, edge: int, pilots: tuple[int, ...]) -> "Numerology":
        """Carriers −edge … edge without 0, with pilots at ± each of these numbers."""
        used = (*range(-edge, 0), *range(1, edge + 1))
        return cls(name, n_fft, cyclic_prefix, used, (*(-pilot for pilot in reversed(pilots)), *pilots))

    @property
    def n_used(self) -> int:
        """K, used carriers."""
        return len(self.used)

    @property
    def n_data(self) -> int:
        """Carriers of a payload symbol that carry messages."""
        return len(self.used) - len(self.pilots)

    @property
    def symbol_length(self) -> int:
        """N + CP, samples of an OFDM symbol."""
        return self.n_fft + self.cyclic_prefix

    @property
    def header_symbols(self) -> int:
        """OFDM symbols of a header, with its repetitions."""
        return self.header_repetitions * HEADER_SYMBOLS // self.n_used

    @property
    def longest_channel(self) -> int:
        """Taps that a channel may have: the cyclic prefix less the lead."""
        return self.cyclic_prefix - self.lead

    @cached_property
    def carriers(self) -> Array:
        """Used carriers (K,)."""
        return np.array(self.used)

    @cached_property
    def pilot_index(self) -> Array:
        """Places of the pilots among the used carriers."""
        return np.flatnonzero(np.isin(self.carriers, self.pilots))

    @cached_property
    def data_index(self) -> Array:
        """Places of the data carriers among the used carriers."""
        return np.flatnonzero(~np.isin(self.carriers, self.pilots))


LL_64_16 = Numerology.symmetric("ll-64-16", 64, 16, 26, (7, 21))
LL_256_64 = Numerology.symmetric("ll-256-64", 256, 64, 104, (7, 21, 35, 49, 63, 77, 91, 103))  # for channels of 14 to 61 taps

"""The converters: scale samples below full scale, clip, and quantise, as a DAC or an ADC does.

    x ← Q( clip( g x ) ),   full scale 1 for I and Q each,   Q to 2^bits levels

Peaks of OFDM are some 10 dB above its mean: a DAC's mean lies 9 or 10 dB below full scale. An ADC's gain must hold through a frame.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class FrontEnd:
    """A converter.

    Attributes:
        bits: of I and of Q, 1 to 24; None does not quantise.
        back_off_db: how far the mean power of complex samples lies below full scale, |I| = |Q| = 1 being + 3 dB.

    Raises:
        ValueError: bits or the back-off are out of range.
    """

    bits: int | None = None
    back_off_db: float = 10.0

    def __post_init__(self) -> None:
        if self.bits is not None and not 1 <= self.bits <= 24:
            raise ValueError(f"bits must be from 1 to 24, or None, got {self.bits}")
        if not np.isfinite(self.back_off_db):
            raise ValueError(f"back_off_db must be finite, got {self.back_off_db}; 9 or 10 suits OFDM")

    def gain(self, power: float) -> float:
        """g for samples of this mean power at an antenna: 1 / n_tx at a transmitter."""
        if not power > 0:
            raise ValueError(f"power must be above 0, got {power}; measure it over a frame")
        return float(10 ** (-self.back_off_db / 20) / np.sqrt(power))

    def convert(self, samples: Array, gain: float) -> tuple[Array, int]:
        """Samples at full scale 1 after gain, clipping and quantisation, in their precision, and how many were clipped."""
        parts = np.stack([samples.real, samples.imag]) * gain
        clipped = int((np.abs(parts) > 1).any(0).sum())
        parts = np.clip(parts, -1, 1)
        if self.bits is not None:
            levels = 2.0 ** (self.bits - 1)
            parts = (np.floor(parts * levels).clip(-levels, levels - 1) + 0.5) / levels
        return (parts[0] + 1j * parts[1]).astype(samples.dtype), clipped

"""Sources with faults, for tests: an array that is read, and a wrapper that drops, doubles, clips and quantises what another reads."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from latentlink_runtime.iq.protocol import TIMEOUT_S, Block, IQSource, check_most, check_samples, check_stream

Array = np.ndarray[Any, Any]


class ArraySource:
    """An array (n, antennas) that is read from its start to its end.

    Attributes:
        rate: samples a second of each antenna.
        antennas: number of antennas.
    """

    def __init__(self, samples: Array, rate: float = 1e6) -> None:
        check_stream(rate, samples.shape[-1])
        self.rate, self.antennas = rate, samples.shape[-1]
        self._samples, self._at = check_samples(samples, self.antennas), 0

    def read(self, most: int, timeout: float = TIMEOUT_S) -> Block:
        """The next 1 to `most` samples; EOFError after the last."""
        check_most(most)
        if self._at >= len(self._samples):
            raise EOFError("the array has ended")
        block = Block(self._samples[self._at : self._at + most], self._at)
        self._at += len(block.samples)
        return block

    def close(self) -> None:
        """Nothing is held."""


@dataclass(frozen=True)
class Faults:
    """What goes wrong; places are numbers of samples of the source.

    Attributes:
        drops: how many samples are missing from a place on, unannounced.
        doubles: how many samples come twice from a place on.
        clip: largest magnitude of a real or imaginary part; None for any.
        bits: of the converter, whose full scale is `clip` or 1; None for no rounding.
    """

    drops: Mapping[int, int] = field(default_factory=dict)
    doubles: Mapping[int, int] = field(default_factory=dict)
    clip: float | None = None
    bits: int | None = None


class FaultySource:
    """A source whose reader sees faults that nobody announces, as a radio without timestamps has them.

    Attributes:
        rate: samples a second of each antenna.
        antennas: number of antennas.
    """

    def __init__(self, source: IQSource, faults: Faults) -> None:
        self.rate, self.antennas = source.rate, source.antennas
        self._source, self._faults, self._clock, self._waiting = source, faults, 0, np.zeros((0, source.antennas), np.complex64)

    def read(self, most: int, timeout: float = TIMEOUT_S) -> Block:
        """The next 1 to `most` samples after the faults; raises as the source does."""
        check_most(most)
        while not len(self._waiting):
            block = self._source.read(most, timeout)
            self._waiting = self._converted(self._moved(block))
        block = Block(self._waiting[:most], self._clock)
        self._waiting = self._waiting[most:]
        self._clock += len(block.samples)
        return block

    def close(self) -> None:
        """Close the source."""
        self._source.close()

    def _moved(self, block: Block) -> Array:
        times = np.ones(len(block.samples), np.int64)
        numbers = block.first + np.arange(len(times))
        for faults, count in ((self._faults.drops, 0), (self._faults.doubles, 2)):
            for start, length in faults.items():
                times[(numbers >= start) & (numbers < start + length)] = count
        return np.repeat(block.samples, times, 0)

    def _converted(self, samples: Array) -> Array:
        clip, bits = self._faults.clip, self._faults.bits
        if clip is None and bits is None:
            return samples
        parts = np.ascontiguousarray(samples).view(np.float32).clip(-(clip or 1.0), clip or 1.0)
        if bits is not None:
            step = np.float32((clip or 1.0) / 2 ** (bits - 1))
            parts = np.rint(parts / step) * step
        return parts.astype(np.float32).view(np.complex64)

"""A pair of ends in one process: what is written to one is read from the other, from any thread."""

from typing import Any

import numpy as np

from latentlink_runtime.iq.buffer import SampleBuffer
from latentlink_runtime.iq.protocol import BUDGET_S, TIMEOUT_S, Block, check_samples, check_stream

Array = np.ndarray[Any, Any]


class MemorySource:
    """The reading end.

    Attributes:
        rate: samples a second of each antenna.
        antennas: number of antennas.
        buffer: between both ends, with its counts.
    """

    def __init__(self, rate: float, buffer: SampleBuffer) -> None:
        self.rate, self.antennas, self.buffer = rate, buffer.antennas, buffer

    def read(self, most: int, timeout: float = TIMEOUT_S) -> Block:
        """The next 1 to `most` samples; IQTimeoutError if none come in time, EOFError after the last."""
        return self.buffer.pop(most, timeout)

    def close(self) -> None:
        """Nothing is held."""
        self.buffer.end()


class MemorySink:
    """The writing end.

    Attributes:
        rate: samples a second of each antenna.
        antennas: number of antennas.
    """

    def __init__(self, rate: float, buffer: SampleBuffer) -> None:
        self.rate, self.antennas, self._buffer = rate, buffer.antennas, buffer

    def write(self, samples: Array, timeout: float = TIMEOUT_S) -> None:
        """Hand samples (n, antennas) on; it never waits, since the oldest are dropped beyond the budget."""
        self._buffer.push(check_samples(samples, self.antennas).copy())

    def close(self) -> None:
        """End the stream; the reader reads what is left."""
        self._buffer.end()


def memory_pair(rate: float, antennas: int, budget_s: float = BUDGET_S) -> tuple[MemorySink, MemorySource]:
    """Both ends of a stream in this process."""
    buffer = SampleBuffer(antennas, check_stream(rate, antennas, budget_s))
    return MemorySink(rate, buffer), MemorySource(rate, buffer)

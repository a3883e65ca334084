"""Samples of a stream between the number of the first that is still needed and the last that came."""

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


class SampleBuffer:
    """Samples (n, antennas), numbered from the stream's beginning; chunks are joined only when what is awaited has come.

    Attributes:
        first: number of the first sample kept.
        received: number of samples that came.
        awaited: number of samples that must have come before anything can go on.
    """

    def __init__(self, antennas: int) -> None:
        self.first = self.received = self.awaited = 0
        self._samples = np.zeros((0, antennas), np.complex128)
        self._pending: list[Array] = []

    def push(self, samples: Array) -> bool:
        """Add samples; False where what is awaited has not come yet."""
        self._pending.append(samples.astype(np.complex128))
        self.received += len(samples)
        if self.received < self.awaited:
            return False
        self._samples = np.concatenate([self._samples, *self._pending])
        self._pending = []
        return True

    def take(self, first: int, count: int) -> Array | None:
        """So many samples from a number on, or None, awaiting them, where they have not come."""
        if first + count > self.received:
            self.awaited = first + count
            return None
        return self._samples[first - self.first : first - self.first + count]

    def rest(self, first: int, fewest: int) -> Array | None:
        """All samples from a number on, or None, awaiting them, where there are fewer."""
        return None if self.take(first, fewest) is None else self._samples[first - self.first :]

    def forget(self, first: int) -> None:
        """Drop the samples before this number."""
        keep = max(min(first, self.received), self.first)
        self._samples = self._samples[keep - self.first :]
        self.first = keep

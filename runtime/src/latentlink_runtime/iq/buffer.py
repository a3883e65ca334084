"""A bounded buffer between what brings samples and what reads them; it drops the oldest, and its clock goes on.

A reader that was late once loses what is beyond the budget. One that is too slow for longer, and finds the budget exceeded again before it
has read everything, loses half of the budget at once: it has whole frames between gaps then, instead of a gap after every read.

Missing samples are numbers, not arrays: a gap of any length takes no memory, and is read as blocks of zeros.
"""

import threading
from collections import deque
from typing import Any

import numpy as np

from latentlink_runtime.iq.protocol import Block, IQTimeoutError, check_most

Array = np.ndarray[Any, Any]

_MOST_ZEROS = 2**16  # in one block, however many are asked for


class SampleBuffer:
    """Samples in order, at most `budget` of them (see the module); any thread may push, and any pop.

    Attributes:
        antennas: number of antennas.
        budget: most samples that are held.
        dropped: samples that were dropped since the reader was late.
        clock: number of the next sample that is read.
    """

    def __init__(self, antennas: int, budget: int) -> None:
        if budget < 1:
            raise ValueError(f"budget must be at least 1 sample, got {budget}")
        self.antennas, self.budget = antennas, budget
        self.dropped = self.clock = 0
        self._pieces: deque[tuple[int, Array]] = deque()  # samples, and how many are missing before them
        self._held = self._missing = 0  # _missing: at the end, before samples that are still to come
        self._ended = False
        self._is_late = self._was_read = False  # dropped since nothing waited last; samples were read since
        self._changed = threading.Condition()

    def __len__(self) -> int:
        return self._held

    def push(self, samples: Array, lost: int = 0) -> None:
        """Append samples (n, antennas), before which `lost` are missing; the array must not change afterwards."""
        with self._changed:
            lost += self._missing
            self._missing = 0
            if len(samples):
                self._pieces.append((lost, samples))
                self._held += len(samples)
            else:
                self._missing = lost
            self._trim()
            self._changed.notify_all()

    def end(self) -> None:
        """Say that no more samples come."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def pop(self, most: int, timeout: float) -> Block:
        """The next 1 to `most` samples.

        Raises:
            IQTimeoutError: none came in time.
            EOFError: all were read, and no more come.
        """
        check_most(most)
        with self._changed:
            if not self._changed.wait_for(lambda: self._pieces or self._ended, max(timeout, 0)):
                raise IQTimeoutError(f"no samples within {timeout:g} s; the other end is silent")
            if not self._pieces:
                raise EOFError("the stream of samples has ended")
            return self._next(most)

    def _next(self, most: int) -> Block:
        missing, _ = self._pieces[0]
        lost = min(missing, most, _MOST_ZEROS)
        parts = [np.zeros((lost, self.antennas), np.complex64)] if lost else []
        room = most - lost if lost == missing else 0
        if lost:
            self._pieces[0] = (missing - lost, self._pieces[0][1])
        while room and self._pieces and self._pieces[0][0] == 0:
            samples = self._pieces.popleft()[1]
            parts.append(samples[:room])
            if len(samples) > room:
                self._pieces.appendleft((0, samples[room:]))
            room -= len(parts[-1])
            self._held -= len(parts[-1])
        block = Block(parts[0] if len(parts) == 1 else np.concatenate(parts), self.clock, lost)
        self.clock += len(block.samples)
        self._was_read = self._was_read or lost < len(block.samples)
        self._is_late = self._is_late and self._held > 0
        return block

    def _trim(self) -> None:
        """Drop the oldest samples beyond the budget, or half of it; they are missing from then on."""
        if self._held <= self.budget:
            return
        kept = max(1, self.budget // 2) if self._is_late and self._was_read else self.budget
        self._is_late, self._was_read = True, False
        while (excess := self._held - kept) > 0:
            missing, samples = self._pieces.popleft()
            cut = min(excess, len(samples))
            self.dropped += cut
            self._held -= cut
            if cut < len(samples):
                self._pieces.appendleft((missing + cut, samples[cut:].copy()))
            else:  # another piece follows, since the budget is at least a sample
                after, rest = self._pieces[0]
                self._pieces[0] = (missing + cut + after, rest)

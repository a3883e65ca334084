"""What carries IQ samples: complex64 arrays (n, antennas) with a clock that counts them, whether they arrived or not.

    block = source.read(4096)       # samples block.first … of the stream; the first block.lost of them are zeros in place of missing ones
    sink.write(samples)

Blocks follow each other: `first` of the next is `first + len(samples)` of this one, so the sample clock goes on through losses, unless the
source says by `jumps` that it started anew. Nothing holds more than `budget_s` seconds of samples: the oldest are dropped, and counted.
"""

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

Array = np.ndarray[Any, Any]

MAX_ANTENNAS = 64
BUDGET_S = 0.25
TIMEOUT_S = 1.0
_LARGEST = 1e15  # of a real or imaginary part: sums of squares of any length stay finite in float32


class IQError(ValueError):
    """Samples, a packet or a recording is not what it should be; the message says what."""


class IQTimeoutError(TimeoutError):
    """Nothing came, or nothing was taken, within the time given."""


@dataclass(frozen=True, eq=False)
class Block:
    """A piece of a stream.

    Attributes:
        samples: (n, antennas) complex64, n ≥ 1.
        first: number of the first sample since the start of the stream.
        lost: how many samples at the head of the block are zeros since the true ones are missing.
    """

    samples: Array
    first: int
    lost: int = 0


class IQSource(Protocol):
    """Where samples come from.

    Attributes:
        rate: samples a second of each antenna.
        antennas: number of antennas.
    """

    rate: float
    antennas: int

    def read(self, most: int, timeout: float = TIMEOUT_S) -> Block:
        """The next 1 to `most` samples; IQTimeoutError if none come in time, EOFError after the last."""

    def close(self) -> None:
        """Give everything back; a second call does nothing."""


class IQSink(Protocol):
    """Where samples go.

    Attributes:
        rate: samples a second of each antenna.
        antennas: number of antennas.
    """

    rate: float
    antennas: int

    def write(self, samples: Array, timeout: float = TIMEOUT_S) -> None:
        """Send samples (n, antennas); IQTimeoutError if they are not taken in time, what is left being dropped and counted."""

    def close(self) -> None:
        """Give everything back; a second call does nothing."""


def check_stream(rate: float, antennas: int, budget_s: float = BUDGET_S) -> int:
    """The samples that a budget holds; ValueError for a rate, a number of antennas or a budget out of range."""
    if not 0 < rate <= 1e9:
        raise ValueError(f"rate must be above 0 and at most 1e9 samples a second, got {rate}")
    if not 1 <= antennas <= MAX_ANTENNAS:
        raise ValueError(f"antennas must be 1 to {MAX_ANTENNAS}, got {antennas}")
    if not 0 < budget_s <= 60:
        raise ValueError(f"budget_s must be above 0 and at most 60 seconds, got {budget_s}")
    return max(1, round(rate * budget_s))


def check_most(most: int) -> None:
    """ValueError unless at least one sample is asked for."""
    if most < 1:
        raise ValueError(f"most must be at least 1 sample, got {most}")


def check_samples(samples: Any, antennas: int) -> Array:
    """Samples (n, antennas) as contiguous complex64; ValueError for others."""
    samples = np.asarray(samples)
    if not np.iscomplexobj(samples) or samples.ndim != 2 or samples.shape[1] != antennas:
        raise ValueError(f"samples must be complex of shape (n, {antennas}), got {samples.dtype} {samples.shape}")
    return np.ascontiguousarray(samples, np.complex64)


def finite(samples: Array) -> tuple[Array, int]:
    """Contiguous samples with zeros in place of those whose energy is not finite, which would spoil every sum, and the number of those."""
    magnitude = np.abs(samples.view(np.float32))
    if magnitude.size and magnitude.max() <= _LARGEST:  # false for NaN
        return samples, 0
    wrong = ~(magnitude <= _LARGEST).reshape(*samples.shape, 2).all(-1)
    return np.where(wrong, np.complex64(0), samples), int(wrong.sum())


def to_ci16(samples: Array) -> tuple[Array, int]:
    """Little-endian 16-bit integers (…, 2) of samples, ±1 being ±32767, and how many parts were clipped."""
    parts = np.ascontiguousarray(samples).view(np.float32).reshape(*samples.shape, 2)
    scaled = np.rint(parts * np.float32(32767))
    return np.clip(scaled, -32767, 32767).astype("<i2"), int((np.abs(scaled) > 32767).sum())


def from_ci16(parts: Array) -> Array:
    """Samples of 16-bit integers (…, 2)."""
    return np.ascontiguousarray(parts.astype(np.float32) / np.float32(32767)).view(np.complex64)[..., 0]

"""What a transceiver costs to run: real floating-point operations, counted; seconds, measured.

Convention: a complex product is 6 real operations (4 products, 2 additions) and the complex addition that accumulates it is 2, so each
complex weight costs 8; a complex weight on a real input, and each real weight on a complex input, costs 4; a real weight on a real input 2.
A bias starts the accumulation: with it every product is followed by an addition, which is what is counted with or without one.
"""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor

from latentlink.channels.channel import Channel
from latentlink.links.transceiver import Transceiver, informed
from latentlink.numerics.doors import as_tensor
from latentlink.numerics.threads import one_thread

COMPLEX_WEIGHT = 8  # real operations for a complex weight on a complex input: product and accumulation
MIXED_WEIGHT = 4  # one of the two is real
REAL_WEIGHT = 2


@dataclass(frozen=True)
class OperationCount:
    """Real floating-point operations for one message.

    Attributes:
        encode: at the transmitter. decode: at the receiver.
    """

    encode: int
    decode: int

    @property
    def total(self) -> int:
        """Both devices."""
        return self.encode + self.decode


@dataclass(frozen=True)
class MeasuredLatency:
    """Median microseconds for one message, measured on one thread.

    Attributes:
        encode_us: at the transmitter. decode_us: at the receiver.
    """

    encode_us: float
    decode_us: float


def latency(transceiver: Transceiver, x: Tensor | NDArray[Any], channel: Channel, batch: int = 1, repeats: int = 30) -> MeasuredLatency:
    """How long encoding and decoding take on one thread, `batch` messages at a time: medians of many calls, after a warm-up.

    Unstructured zeros save operations, not time: this is what stands beside `Flops`. With a batch of channels a message is one that goes
    over all of them.

    Args:
        transceiver: of any kind.
        x: latents (n, d), of which the first `batch` are sent (again and again if there are fewer).
        channel: what they pass.
        batch: messages at a time; times are per message.
        repeats: calls to take the median of.

    Raises:
        ValueError: batch or repeats is below 1, or x holds no message.
    """
    x = as_tensor("x", x)
    for name, value in (("batch", batch), ("repeats", repeats)):
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise ValueError(f"{name} must be at least 1, got {value!r}")
    if x.ndim != 2 or len(x) == 0:
        raise ValueError(f"x must have shape (n, d) with n from 1, got {tuple(x.shape)}")
    rows = x[torch.arange(batch, device=x.device) % len(x)]
    with one_thread(), torch.no_grad():
        received = channel.apply(transceiver.encode(rows), torch.Generator(channel.h.device).manual_seed(0))
        receiver = informed(transceiver, rows)
        encode = median_us(lambda: transceiver.encode(rows), repeats, received.device)
        decode = median_us(lambda: receiver.decode(received), repeats, received.device)
    return MeasuredLatency(encode / batch, decode / batch)


def median_us(call: Callable[[], object], repeats: int, device: torch.device) -> float:
    """Median microseconds of a call, after three that do not count."""
    times = []
    for _ in range(3 + repeats):
        start = time.perf_counter()
        call()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        times.append(time.perf_counter() - start)
    return 1e6 * statistics.median(times[3:])

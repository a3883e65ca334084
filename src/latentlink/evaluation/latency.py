"""The time that a transceiver takes for a message, measured; the operations that it needs are its `flops`."""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch

from latentlink.channels.channel import Channel
from latentlink.links.own import AnyLink, as_transceiver
from latentlink.numerics.doors import AnyArray, as_tensor, integer
from latentlink.numerics.reprs import Summarised
from latentlink.numerics.threads import one_thread
from latentlink.numerics.validation import validate_call


@dataclass(frozen=True)
class MeasuredLatency(Summarised):
    """Median microseconds for one message, measured on one thread.

    Attributes:
        encode_us: microseconds at the transmitter.
        decode_us: microseconds at the receiver.

    Example:
        >>> import latentlink as ll
        >>> ll.metrics.MeasuredLatency(encode_us=42.0, decode_us=52.0)
        MeasuredLatency(encode_us=42.0, decode_us=52.0)
    """

    encode_us: float
    decode_us: float


@validate_call
def latency(transceiver: AnyLink, x: AnyArray, channel: Channel, *, batch: int = 1, repeats: int = 30) -> MeasuredLatency:
    """Measure how long encoding and decoding take on one thread, `batch` messages at a time: medians of many calls, after a warm-up.

    Unstructured zeros save operations, not time: this is what stands beside `flops`. With a batch of channels a message is one that goes
    over all of them.

    Args:
        transceiver: the link, of any kind (see `transmit`).
        x: latents (n, d), of which the first `batch` are sent (again and again if there are fewer).
        channel: the channels that they pass.
        batch: number of messages at a time; times are per message.
        repeats: number of calls to take the median of.

    Returns:
        Median microseconds per message at either end.

    Raises:
        ValueError: batch or repeats is below 1, or x holds no message.

    Example:
        >>> import torch, latentlink as ll
        >>> x = torch.randn(500, 8, generator=torch.Generator().manual_seed(0))
        >>> modes = ll.semantic_modes(ll.Moments.from_pairs(x, x[:, :6].tanh()))
        >>> channel = ll.Channel.from_snr(ll.rayleigh(2, 2, generator=0), snr_db=20.0)
        >>> link = ll.ClosedForm().design(modes, channel).transceiver
        >>> measured = ll.metrics.latency(link, x, channel, repeats=5)
        >>> measured.encode_us > 0
        True
    """
    link, x = as_transceiver(transceiver, channel), as_tensor("x", x)
    batch, repeats = integer("batch", batch), integer("repeats", repeats)
    if x.ndim != 2 or len(x) == 0:
        raise ValueError(f"x must have shape (n, d) with n >= 1, got {tuple(x.shape)}")
    rows = x[torch.arange(batch, device=x.device) % len(x)]
    with one_thread(), torch.no_grad():
        received = channel.apply(link.encode(rows), torch.Generator(channel.h.device).manual_seed(0))
        receiver = link.informed_by(rows)
        encode = median_us(lambda: link.encode(rows), repeats, received.device)
        decode = median_us(lambda: receiver.decode(received), repeats, received.device)
    return MeasuredLatency(encode / batch, decode / batch)


def median_us(call: Callable[[], object], repeats: int, device: torch.device) -> float:
    """The median microseconds of a call, after three that do not count."""
    times = []
    for _ in range(3 + repeats):
        start = time.perf_counter()
        call()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        times.append(time.perf_counter() - start)
    return 1e6 * statistics.median(times[3:])

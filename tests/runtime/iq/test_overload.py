"""Laws of streams whose reader is 10 times too slow: what it reads is at most half a second old, in order, and what is missing is known."""

import os
import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from latentlink_runtime.iq.memory import memory_pair
from latentlink_runtime.iq.protocol import IQTimeoutError
from latentlink_runtime.iq.udp import UdpSink, UdpSource

pytest.importorskip("zmq")
from latentlink_runtime.iq.zeromq import ZmqSink, ZmqSource

RATE, SECONDS, CHUNK = 200_000.0, 0.9, 2000
READ, OVERLOAD = 2048, 10


def by_zeromq() -> tuple[Any, Any]:
    source = ZmqSource("tcp://127.0.0.1:*", RATE, 1, bind=True)
    return ZmqSink(source.endpoint, RATE, 1, bind=False), source


def by_zeromq_without_tcp() -> tuple[Any, Any]:
    source = ZmqSource(f"ipc://@latentlink-overload-{os.getpid()}", RATE, 1, bind=True)
    return ZmqSink(source.endpoint, RATE, 1, bind=False), source


def by_udp() -> tuple[Any, Any]:
    source = UdpSource("127.0.0.1", 0, RATE, 1)
    return UdpSink(*source.address, RATE, 1), source


def by_memory() -> tuple[Any, Any]:
    return memory_pair(RATE, 1)


def write(sink: Any, begun: float) -> None:
    """Samples in real time, each being its number."""
    for start in range(0, int(RATE * SECONDS), CHUNK):
        time.sleep(max(0.0, begun + start / RATE - time.monotonic()))
        try:
            sink.write((np.arange(start, start + CHUNK) + 1j)[:, None].astype(np.complex64), 0.01)
        except IQTimeoutError:
            continue


@pytest.mark.parametrize("ends", [by_memory, by_udp, by_zeromq, by_zeromq_without_tcp])
def test_what_is_read_is_young_and_in_order(ends: Callable[[], tuple[Any, Any]]) -> None:
    sink, source = ends()
    begun = time.monotonic()
    writer = threading.Thread(target=write, args=(sink, begun))
    writer.start()
    ages, numbers, zeros = [], [], 0
    try:
        while time.monotonic() < begun + SECONDS:
            block = source.read(READ, 1.0)
            assert len(source.buffer) <= source.buffer.budget
            there = block.samples[:, 0].imag > 0
            zeros += block.lost
            if there.any():
                ages.append(time.monotonic() - begun - block.samples[there, 0].real[0] / RATE)
                numbers += block.samples[there, 0].real.tolist()
                time.sleep(there.sum() / (RATE / OVERLOAD))
    finally:
        writer.join()
        sink.close()
        source.close()
    assert max(ages) <= 0.5  # 0.25 s that wait, 0.1 s of a read, and what sockets hold
    assert (np.diff(numbers) > 0).all()
    assert len(numbers) + zeros >= 0.5 * RATE * SECONDS
    assert zeros > 3 * len(numbers)


def test_one_hiccup_loses_what_is_beyond_the_budget_and_a_slow_reader_half_of_it() -> None:
    sink, source = memory_pair(1000.0, 1, 1.0)
    hold = np.ones((100, 1), np.complex64)
    for _ in range(13):  # while the reader is away
        sink.write(hold)
    assert (len(source.buffer), source.buffer.dropped) == (1000, 300)
    for _ in range(40):  # and catches up, through the gap first
        sink.write(hold[:20])
        source.read(200)
    assert 300 <= source.buffer.dropped <= 300 + 2 * 20
    while len(source.buffer):
        source.read(1000)
    before, most = source.buffer.dropped, 0
    for _ in range(30):  # and is slow
        last = source.buffer.dropped
        sink.write(hold)
        most = max(most, source.buffer.dropped - last)
        while source.read(10).lost:
            pass
    assert most >= 500
    assert source.buffer.dropped > before

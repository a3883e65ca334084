"""Laws of overload: 10 times what can be received, or sent, loses frames and counts them; never order, memory or time."""

from typing import Any

import numpy as np
import pytest

from latentlink_runtime.control.transmitter import TransmitterSession
from latentlink_runtime.iq.memory import memory_pair
from latentlink_runtime.iq.protocol import BUDGET_S, Block
from latentlink_runtime.serve.running import _MOST
from latentlink_runtime.serve.transmit import TransmitterNode
from runtime.serve.loop import IDENTITY, PER_FRAME, RATE, Loop, conformance, random
from runtime.serve.test_nodes import air

OVERLOAD = 10
QUEUE_AGE_S = 0.5


def linked(messages: int) -> Loop:
    loop = Loop(conformance("pair"), air(), coherence_s=1000.0)
    loop.tx = TransmitterNode(loop.design, loop.format, TransmitterSession(IDENTITY, random(1)), rate=RATE, per_frame=messages)
    loop.run(0.06, feeds=False)
    return loop


def stream(loop: Loop, frames: int, messages: int) -> np.ndarray[Any, Any]:
    """Samples of so many frames at the receiver's antennas."""
    pieces = []
    for _ in range(frames):
        loop.now += 0.02
        loop.talk()
        loop.tx.offer(loop.latents(loop.coefficients(messages)), loop.now)
        samples = loop.tx.step(loop.now)
        assert samples is not None
        pieces.append(loop.air(samples))
    return np.concatenate(pieces)


@pytest.mark.parametrize(("symbols", "frames", "share"), [(10, 400, 0.8), (80, 100, 0.4)])
def test_a_receiver_that_is_fed_at_ten_times_its_rate(symbols: int, frames: int, share: float) -> None:
    """Virtual time: a read of n samples takes n / (rate / 10), while the source goes on at its rate."""
    loop = linked(48 * symbols)
    whole = stream(loop, frames, 48 * symbols)
    sink, source = memory_pair(RATE, 4, BUDGET_S)
    begun = source.buffer.clock = loop.rx._clock
    fed, now, ages, decoded, before, last = 0, 0.0, [], [], loop.rx.counts.copy(), loop.rx._last
    while fed < len(whole):
        due = min(int(now * RATE) + 1, len(whole))
        for start in range(fed, due, 2000):
            sink.write(whole[start : min(start + 2000, due)])
            assert len(source.buffer) <= source.buffer.budget
        fed = due
        block = source.read(_MOST, 0.0)
        if block.lost < len(block.samples):
            ages.append(now - (block.first + block.lost - begun) / RATE)
        decoded += loop.rx.push(block, loop.now)
        now += (len(block.samples) - block.lost) / (RATE / OVERLOAD)
    counts, sequences = loop.rx.counts - before, [frame.sequence for frame in decoded]
    assert max(ages) <= QUEUE_AGE_S
    assert sequences == sorted(set(sequences))
    assert last is not None
    assert counts["missed"] == sequences[-1] - last - len(sequences)
    assert counts["lost_samples"] <= source.buffer.dropped
    assert counts["lost_samples"] > 0.6 * source.buffer.dropped > 0.3 * len(whole)
    carried = now * RATE / OVERLOAD / len(whole) * frames * 48 * symbols  # messages of as many samples as were read
    assert counts["messages"] - counts["lost_messages"] > share * carried
    assert all(np.isfinite(frame.values[~frame.lost]).all() for frame in decoded)


def test_a_gap_takes_no_time_however_long_it_is() -> None:
    loop = linked(PER_FRAME)
    before = loop.rx._receiver._buffer.received
    for _ in range(1000):
        assert loop.rx.push(Block(np.zeros((8192, 4), np.complex64), loop.rx._clock, 8192), loop.now) == []
    assert loop.rx._receiver._buffer.received - before <= 2 * 8192
    loop.antennas.buffer.clock = loop.rx._clock
    decoded = len(loop.decoded)
    loop.run(0.06)
    assert len(loop.decoded) > decoded + 5
    assert loop.rx.counts["jumps"] == 0


def test_a_transmitter_that_is_offered_ten_times_what_it_can_send() -> None:
    loop, messages, steps = linked(96), 96, 300
    loop.run(0.02, feeds=False)
    takes = 1600 / RATE  # of a frame
    ages, before = [], loop.tx.counts.copy()
    for step in range(steps):
        z = loop.coefficients(messages)
        z[:, 0] = 4 * step / steps - 2  # tells when it was offered
        loop.tx.offer(loop.latents(z), loop.now)
        ages.append(loop.tx.age(loop.now))
        assert len(loop.tx) <= 2 * messages
        loop.step(takes / OVERLOAD, feeds=False)
    counts = loop.tx.counts - before
    assert max(ages) <= QUEUE_AGE_S
    assert counts["messages"] + counts["dropped"] + len(loop.tx) == steps * messages
    assert counts["dropped"] / (steps * messages) == pytest.approx(1 - 1 / OVERLOAD, abs=0.05)
    assert len(loop.decoded) > 15
    told = np.array(
        [((frame.values - loop.design.mean_y) @ np.linalg.pinv(loop.design.synthesis).T)[:, 0].mean() for frame in loop.decoded]
    )
    assert (np.diff(told) > 0).all()

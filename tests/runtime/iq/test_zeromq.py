"""Laws of samples by ZeroMQ, against plain sockets as gr-zeromq has them."""

import numpy as np
import pytest

from latentlink_runtime.iq.addresses import AddressError
from latentlink_runtime.iq.protocol import IQTimeoutError
from runtime.iq.helpers import numbered, read_all

zmq = pytest.importorskip("zmq")
from latentlink_runtime.iq.zeromq import ZmqSink, ZmqSource  # noqa: E402

ANY = "tcp://127.0.0.1:*"


@pytest.mark.parametrize("chunk", [1, 37, 1000, 20_000])
def test_any_chunking_gives_the_same_samples(chunk: int) -> None:
    whole = numbered(2000 if chunk == 1 else 20_000, 4)
    with_closing = ZmqSource(ANY, 1e6, 4, bind=True)
    sink = ZmqSink(with_closing.endpoint, 1e6, 4, bind=False)
    for start in range(0, len(whole), chunk):
        sink.write(whole[start : start + chunk], 5.0)
    samples, _ = read_all(with_closing, len(whole), 777)
    np.testing.assert_array_equal(samples, whole)
    sink.close()
    with_closing.close()
    with_closing.close()
    with pytest.raises(EOFError):
        with_closing.read(1)


def test_speaks_with_plain_sockets() -> None:
    context = zmq.Context.instance()
    source = ZmqSource(ANY, 1e6, 2, bind=True)
    push = context.socket(zmq.PUSH)
    push.connect(source.endpoint)
    push.send(numbered(5).tobytes())
    push.send(b"1234567")
    push.send(b"")
    push.send_multipart([numbered(1).tobytes(), b""])
    wrong = numbered(5, start=5)
    wrong[2, 1] = np.nan
    push.send(wrong.tobytes())
    samples, _ = read_all(source, 10)
    assert (source.malformed, source.nonfinite) == (3, 1)
    assert samples[7, 1] == 0
    push.close(linger=0)
    source.close()
    sink = ZmqSink(ANY, 1e6, 2)
    pull = context.socket(zmq.PULL)
    pull.connect(sink.endpoint)
    sink.write(numbered(5), 5.0)
    assert pull.poll(5000)
    assert pull.recv() == numbered(5).tobytes()
    pull.close(linger=0)
    sink.close()


def test_a_message_beyond_the_cap_is_never_stored() -> None:
    source = ZmqSource(ANY, 1e6, 1, bind=True)
    push = zmq.Context.instance().socket(zmq.PUSH)
    push.setsockopt(zmq.RECONNECT_IVL, 10)
    push.connect(source.endpoint)
    push.send(bytes(2**20 + 8))
    push.send(numbered(1, 1).tobytes())
    samples, _ = read_all(source, 1)
    assert samples[0, 0] == 1j
    push.close(linger=0)
    source.close()


def test_messages_of_many_frames_are_skipped_and_hold_nobody_up() -> None:
    source = ZmqSource(ANY, 1e6, 1, bind=True)
    push = zmq.Context.instance().socket(zmq.PUSH)
    push.connect(source.endpoint)
    push.send_multipart([numbered(1, 1).tobytes()] * 20_000)
    push.send(numbered(2, 1).tobytes())
    samples, _ = read_all(source, 2)
    assert (source.malformed, len(source.buffer), source.buffer.dropped) == (1, 0, 0)
    np.testing.assert_array_equal(samples, numbered(2, 1))
    push.close(linger=0)
    source.close()


def test_late_readers_lose_the_oldest_and_know_how_many() -> None:
    source = ZmqSource(ANY, 10_000.0, 1, bind=True, budget_s=0.1)
    push = zmq.Context.instance().socket(zmq.PUSH)
    push.connect(source.endpoint)
    total = 0
    first = source
    for start in range(0, 20_000, 500):
        push.send(numbered(500, 1, start).tobytes())
        total += 500
        if start == 0:
            first.read(1, 5.0)
        else:
            try:
                source._socket.poll(100)
                source._drain()
            except zmq.Again:
                continue
        assert len(source.buffer) <= 1000
    while source._socket.poll(200):
        source._drain()
    assert len(source.buffer) == 1000
    assert source.buffer.dropped == total - 1 - 1000
    samples, blocks = read_all(source, total - 1, 5000)
    assert sum(block.lost for block in blocks) == source.buffer.dropped
    np.testing.assert_array_equal(samples[-1000:], numbered(1000, 1, total - 1000))
    push.close(linger=0)
    source.close()


def test_samples_that_nobody_takes_are_dropped_and_counted() -> None:
    sink = ZmqSink(ANY, 1e6, 2)
    with pytest.raises(IQTimeoutError, match="dropped"):
        sink.write(numbered(100), 0.01)
    assert sink.dropped == 100
    sink.close()


def test_silence_and_addresses() -> None:
    source = ZmqSource(ANY, 1e6, 2, bind=True)
    with pytest.raises(IQTimeoutError):
        source.read(1, 0.01)
    with pytest.raises(OSError, match="fresh"):
        ZmqSource(source.endpoint, 1e6, 2, bind=True)
    source.close()
    for kind in (ZmqSource, ZmqSink):
        with pytest.raises(AddressError):
            kind("tcp://0.0.0.0:0", 1e6, 2)

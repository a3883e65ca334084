"""Samples by ZeroMQ as gr-zeromq speaks it: messages of raw complex64 vectors, `vlen` = antennas, PUSH to PULL.

PUSH and PULL wait for each other, whereas PUB drops silently at its high-water mark. A reader empties its socket at every call, so that
what waits is bounded by the budget here rather than by messages of unknown sizes in the socket. A message of several frames is no samples
and is skipped frame by frame; libzmq puts it together before that, however long it is, so only those may write that shall.
"""

import time
from typing import Any

import numpy as np

from latentlink_runtime.iq.addresses import check_endpoint, check_free
from latentlink_runtime.iq.buffer import SampleBuffer
from latentlink_runtime.iq.protocol import BUDGET_S, TIMEOUT_S, Block, IQTimeoutError, check_most, check_samples, check_stream, finite

try:
    import zmq
except ImportError as error:  # pragma: no cover
    raise ImportError("samples by ZeroMQ need pyzmq: pip install 'latentlink-runtime[zmq]'") from error

Array = np.ndarray[Any, Any]

_MESSAGE_BYTES = 2**16  # what a sink sends at once
_MOST_MESSAGE_BYTES = 2**20  # what a source takes at once: more closes the connection before it is stored
_MOST_BUFFER_BYTES = 2**22
_REFILL_MS = 1  # until a queue that was full has more
_MOST_FRAMES = 8192  # that one call takes from the socket


class ZmqSource:
    """A PULL socket.

    Attributes:
        rate: samples a second of each antenna.
        antennas: number of antennas.
        buffer: what waits, with its counts.
        malformed: messages that were no whole vectors.
        nonfinite: samples that were NaN or infinite, read as zeros.
        endpoint: where it listens, or what it reads from.
    """

    def __init__(
        self, endpoint: str, rate: float, antennas: int, *, bind: bool = False, budget_s: float = BUDGET_S, i_know: bool = False
    ) -> None:
        budget = check_stream(rate, antennas, budget_s)
        check_endpoint(endpoint, i_know)
        self.rate, self.antennas, self.malformed, self.nonfinite = rate, antennas, 0, 0
        self.buffer = SampleBuffer(antennas, budget)
        self._is_first = True  # of its message, is the next frame
        self._socket = _socket(zmq.PULL, endpoint, bind, budget * antennas * 8)
        self.endpoint = str(self._socket.getsockopt_string(zmq.LAST_ENDPOINT))

    def read(self, most: int, timeout: float = TIMEOUT_S) -> Block:
        """The next 1 to `most` samples; IQTimeoutError if none come in time, EOFError after `close`."""
        check_most(most)
        if self._socket.closed:
            raise EOFError("the source is closed")
        end = time.monotonic() + max(timeout, 0)
        self._drain()
        while not len(self.buffer):
            left = end - time.monotonic()
            if left <= 0 or not self._socket.poll(max(1, round(1000 * left))):
                break
            self._drain()
        return self.buffer.pop(most, 0)

    def close(self) -> None:
        """Close the socket; a second call does nothing."""
        self._socket.close(linger=0)

    def _drain(self) -> None:
        taken, whole = 0, int(self._socket.getsockopt(zmq.RCVHWM))
        for _ in range(_MOST_FRAMES):
            try:
                content = self._socket.recv(zmq.NOBLOCK)
            except zmq.Again:
                if taken < whole or not self._socket.poll(_REFILL_MS):
                    return
                taken = 0  # the queue was full, so that there is more behind it, which grows old
                continue
            taken += 1
            was_first, self._is_first = self._is_first, not self._socket.getsockopt(zmq.RCVMORE)
            if not (was_first and self._is_first) or not content or len(content) % (8 * self.antennas):
                self.malformed += self._is_first  # once a message
                continue
            samples, wrong = finite(np.frombuffer(content, "<c8").reshape(-1, self.antennas))
            self.nonfinite += wrong
            self.buffer.push(samples)


class ZmqSink:
    """A PUSH socket.

    Attributes:
        rate: samples a second of each antenna.
        antennas: number of antennas.
        dropped: samples that nobody took in time.
        endpoint: where it listens, or what it sends to.
        linger_s: seconds for which samples that wait may still be taken after `close`.
    """

    def __init__(
        self,
        endpoint: str,
        rate: float,
        antennas: int,
        *,
        bind: bool = True,
        budget_s: float = BUDGET_S,
        i_know: bool = False,
        linger_s: float = 0.0,
    ) -> None:
        budget = check_stream(rate, antennas, budget_s)
        check_endpoint(endpoint, i_know)
        self.rate, self.antennas, self.dropped, self.linger_s = rate, antennas, 0, linger_s
        self._chunk = max(1, min(_MESSAGE_BYTES // (8 * antennas), budget))
        self._socket = _socket(zmq.PUSH, endpoint, bind, budget * antennas * 8, self._chunk * antennas * 8)
        self.endpoint = str(self._socket.getsockopt_string(zmq.LAST_ENDPOINT))

    def write(self, samples: Array, timeout: float = TIMEOUT_S) -> None:
        """Send samples (n, antennas); IQTimeoutError if they are not taken in time, what is left being dropped and counted."""
        samples = check_samples(samples, self.antennas)
        end = time.monotonic() + max(timeout, 0)
        for start in range(0, len(samples), self._chunk):
            if not self._socket.poll(max(0, round(1000 * (end - time.monotonic()))), zmq.POLLOUT):
                self.dropped += len(samples) - start
                raise IQTimeoutError(
                    f"{len(samples) - start} of {len(samples)} samples were not taken within {timeout:g} s and are dropped"
                )
            self._socket.send(samples[start : start + self._chunk].tobytes(), zmq.NOBLOCK)

    def close(self) -> None:
        """Close the socket; samples that wait may still be taken for `linger_s`. A second call does nothing."""
        self._socket.close(linger=round(1000 * self.linger_s))


def _socket(kind: int, endpoint: str, bind: bool, budget_bytes: int, message_bytes: int = _MESSAGE_BYTES) -> "zmq.Socket[bytes]":
    """A socket whose queues hold about the budget."""
    socket: zmq.Socket[bytes] = zmq.Context.instance().socket(kind)
    socket.setsockopt(zmq.LINGER, 0)
    socket.setsockopt(zmq.MAXMSGSIZE, _MOST_MESSAGE_BYTES)
    buffer = min(max(budget_bytes // 2, _MESSAGE_BYTES), _MOST_BUFFER_BYTES)
    socket.setsockopt(zmq.SNDBUF if kind == zmq.PUSH else zmq.RCVBUF, buffer)  # the system's would hold seconds of slow streams
    socket.setsockopt(zmq.SNDHWM if kind == zmq.PUSH else zmq.RCVHWM, max(1, budget_bytes // message_bytes))
    if bind:
        check_free(endpoint)
    try:
        (socket.bind if bind else socket.connect)(endpoint)
    except zmq.ZMQError as error:
        socket.close(linger=0)
        raise OSError(f"{endpoint}: {error}; another process may be using it, so choose a fresh one") from error
    return socket

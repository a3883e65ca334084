"""The loops that bring nodes, sockets and files together."""

import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from latentlink_runtime.iq.protocol import IQSink, IQSource, IQTimeoutError
from latentlink_runtime.serve.metrics import PERIOD_S, MetricsServer
from latentlink_runtime.serve.receive import Decoded, ReceiverNode
from latentlink_runtime.serve.transmit import TransmitterNode

if TYPE_CHECKING:  # it needs pyzmq
    from latentlink_runtime.control.link import ControlClient, ControlServer

Array = np.ndarray[Any, Any]
Stop = Callable[[], bool]

_FAREWELL_S = 0.5
_IDLE_S, _READ_S, _WRITE_S = 0.002, 0.01, 0.2  # below the sessions' beats of 0.5 s
_MOST = 8192  # samples of a read


class Publish:
    """Hands values to a server of metrics now and then; does nothing where there is none."""

    def __init__(self, server: MetricsServer | None) -> None:
        self._server, self._due = server, 0.0

    def __call__(self, metrics: Callable[[float], dict[str, float]], now: float) -> None:
        """Publish what `metrics` tells at this time, if it is due."""
        if self._server is not None and now >= self._due:
            self._due = now + PERIOD_S
            self._server.publish(metrics(now))


def transmit(
    node: TransmitterNode, client: "ControlClient", sink: IQSink, rows: Array, per_frame: int, messages: int, stop: Stop, publish: Publish
) -> None:
    """Send the rows of a file over and over, until so many messages were sent (0: for ever) or it is time to stop.

    Message i of frame s is row (s per_frame + i) mod the number of rows, whatever is lost.
    """
    samples: Array | None = None
    now = time.monotonic()
    end = np.inf
    while not stop() and now < end:
        heard = client.poll(_IDLE_S if samples is None else 0)
        now = time.monotonic()
        for message in node.control((one.message for one in heard), now):
            client.send(message)
        if 0 < messages <= node.counts["messages"]:
            end = min(end, now + _FAREWELL_S)  # the last frames are still on the air, and sounding frames push them out of it
        elif node.is_due(now) and not len(node):
            node.offer(rows[(node.sequence * per_frame + np.arange(per_frame)) % len(rows)], now)
        samples = node.step(now)
        publish(node.metrics, now)
        if samples is not None:
            try:
                sink.write(samples, _WRITE_S)
            except IQTimeoutError:
                node.counts["late"] += 1
    for message in node.session.bye(time.monotonic(), "the transmitter ends"):
        client.send(message)
    client.poll(_WRITE_S)  # for the farewell's sake


def receive(
    node: ReceiverNode,
    server: "ControlServer",
    source: IQSource,
    keep: Callable[[Decoded], None],
    messages: int,
    stop: Stop,
    publish: "Publish",
    record: IQSink | None = None,
) -> None:
    """Receive until so many messages came (0: for ever) or it is time to stop; samples are also written to `record`."""
    while not stop() and not 0 < messages <= node.counts["messages"]:
        heard = server.poll(0)
        now = time.monotonic()
        for peer, message in node.control(heard, now):
            server.send(peer, message)
        publish(node.metrics, now)
        with suppress(IQTimeoutError):
            block = source.read(_MOST, _READ_S)
            if record is not None:
                record.write(block.samples)
            for decoded in node.push(block, time.monotonic()):
                keep(decoded)
    peer = node.session.peer
    for message in node.session.bye(time.monotonic(), "the receiver ends"):
        server.send(peer, message)
    server.poll(_IDLE_S)


def replay(source: IQSource, sink: IQSink, stop: Stop) -> int:
    """Send a recording at its own rate; returns the samples that were sent."""
    sent, start = 0, time.monotonic()
    while not stop():
        try:
            block = source.read(_MOST)
        except EOFError:
            break
        time.sleep(max(0.0, start + sent / source.rate - time.monotonic()))
        with suppress(IQTimeoutError):
            sink.write(block.samples, _WRITE_S)
        sent += len(block.samples)
    return sent


class Kept:
    """What was decoded, for a file NAME.npy, and which row of the transmitter's each message is, for NAME.rows.npy; −1 if it was lost.

    Rows go on counting where the transmitter begins its file again: row r of n is r mod n.

    Attributes:
        path: NAME.npy, or None to keep nothing.
        most: messages that are kept.
    """

    def __init__(self, path: Path | None, per_frame: int, most: int) -> None:
        self.path, self.most, self._per_frame, self._count = path, most, per_frame, 0
        self._values: list[Array] = []
        self._rows: list[Array] = []

    def __call__(self, decoded: Decoded) -> None:
        """Keep the messages of a frame."""
        if self.path is None or self._count >= self.most:
            return
        rows = decoded.sequence * self._per_frame + np.arange(len(decoded.values))
        self._values.append(decoded.values.astype(np.float32))
        self._rows.append(np.where(decoded.lost, -1, rows))
        self._count += len(rows)

    def save(self) -> None:
        """Write both files, if anything came."""
        if self.path is None or not self._values:
            return
        np.save(self.path, np.concatenate(self._values))
        np.save(self.path.with_suffix(".rows.npy"), np.concatenate(self._rows))

"""The loops that bring nodes, sockets and files together."""

import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np

from latentlink_runtime.iq.protocol import IQSink, IQSource, IQTimeoutError
from latentlink_runtime.serve.decoded import Decoded
from latentlink_runtime.serve.keeping import Recording
from latentlink_runtime.serve.publish import Publisher
from latentlink_runtime.serve.receive import ReceiverNode
from latentlink_runtime.serve.transmit import TransmitterNode

if TYPE_CHECKING:  # it needs pyzmq
    from latentlink_runtime.control.link import ControlClient, ControlServer

Array = np.ndarray[Any, Any]
Stop = Callable[[], bool]

_FAREWELL_S = 0.5
_IDLE_S, _READ_S, _WRITE_S = 0.002, 0.01, 0.2  # below the sessions' beats of 0.5 s
_MOST = 4096  # samples of a read, between which control is heard


def transmit(
    node: TransmitterNode, client: "ControlClient", sink: IQSink, rows: Array, per_frame: int, messages: int, stop: Stop, publish: Publisher
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
        publish(node, now, node.elements)
        publish.warn(node.session, node.session.state == "hello", 0.0, now)
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
    keep: Iterable[Callable[[Decoded], None]],
    messages: int,
    stop: Stop,
    publish: Publisher,
    record: Recording | None = None,
) -> None:
    """Receive until so many messages came (0: for ever) or it is time to stop; samples are recorded before they are decoded."""
    keepers: list[Callable[[Decoded], None]] = [*keep, *([] if record is None else [record])]
    while not stop() and not 0 < messages <= node.counts["messages"]:
        heard = server.poll(0)
        now = time.monotonic()
        for peer, message in node.control(heard, now):
            server.send(peer, message)
        publish(node, now, node.points)
        publish.warn(node.session, False, server.counts["not let in"], now)
        with suppress(IQTimeoutError):
            block = source.read(_MOST, _READ_S)
            if record is not None:
                record.block(block)
            for decoded in node.push(block, time.monotonic()):
                for keeper in keepers:
                    keeper(decoded)
        if (waiting := getattr(source, "buffer", None)) is not None:
            node.counts["dropped_samples"], node.gauges["queue_age"] = waiting.dropped, len(waiting) / source.rate
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

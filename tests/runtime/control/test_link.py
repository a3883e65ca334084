"""Laws of the control plane on ZeroMQ: who gets an answer, restarts, floods, and whole sessions over CURVE."""

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from latentlink_runtime.control.keys import AllowList, make_keys
from latentlink_runtime.control.receiver import ReceiverSession
from latentlink_runtime.control.transmitter import TransmitterSession
from latentlink_runtime.control.wire import MAX_RAW, MAX_RAW_BYTES, Message, encode
from latentlink_runtime.iq.addresses import AddressError
from runtime.control.ends import DIGEST, IDENTITY

zmq = pytest.importorskip("zmq")
from latentlink_runtime.control.link import QUEUE, ControlClient, ControlServer  # noqa: E402

BEAT = Message("beat", 1, "0" * 16, {"want": False})
ANY = "tcp://127.0.0.1:*"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[Any]:
    ends = SimpleNamespace(path=tmp_path, open=[], allowed_path=tmp_path / "allowed")
    ends.rx, ends.tx, ends.stranger = (make_keys(tmp_path / name) for name in ("rx", "tx", "stranger"))
    ends.allowed_path.write_bytes(ends.tx.public + b" tx\n")
    ends.allowed = AllowList(ends.allowed_path)

    def server(endpoint: str = ANY) -> ControlServer:
        ends.open.append(ControlServer(endpoint, ends.rx, ends.allowed))
        return ends.open[-1]

    def client(endpoint: str, keys: Any = None, public: bytes | None = None) -> ControlClient:
        ends.open.append(ControlClient(endpoint, keys or ends.tx, public or ends.rx.public))
        return ends.open[-1]

    ends.server, ends.client = server, client
    yield ends
    for end in ends.open:
        end.close()


def until(done: Callable[[], Any], *polled: Any, seconds: float = 10.0) -> Any:
    """What `done` gives once it is true, the ends being polled meanwhile."""
    end = time.monotonic() + seconds
    while not (found := done()):
        assert time.monotonic() < end, "nothing happened"
        for one in polled:
            one.poll(0.005)
    return found


def test_a_message_there_and_back(world: Any) -> None:
    server = world.server()
    client = world.client(server.endpoint)
    until(lambda: client.send(BEAT), server)
    ((peer, message),) = until(lambda: server.poll(0.01))
    assert (peer, message) == (world.tx.public, BEAT)
    csi = Message("csi", 1, "0" * 16, {"e": 1, "c": 1.0}, (bytes(524),))
    assert server.send(peer, csi)
    assert [received.message for received in until(lambda: client.poll(0.01))] == [csi]
    assert not server.send(world.stranger.public, csi)


def no_answer(world: Any, server: ControlServer, client: Any, frames: list[bytes]) -> None:
    """Nothing that the client sends is received, and nothing comes back."""
    end = time.monotonic() + 0.4
    while time.monotonic() < end:
        with contextlib.suppress(zmq.Again):
            client._socket.send_multipart(frames, zmq.NOBLOCK)
        assert server.poll(0.01) == []
        assert not client._socket.poll(1)
    good = world.client(server.endpoint)
    until(lambda: good.send(BEAT), server)
    until(lambda: server.poll(0.01))


def test_a_key_that_is_not_let_in_gets_no_answer(world: Any) -> None:
    server = world.server()
    no_answer(world, server, world.client(server.endpoint, world.stranger), encode(BEAT))
    assert server.counts["not let in"] >= 1


def test_a_wrong_key_of_the_server_gets_no_answer(world: Any) -> None:
    server = world.server()
    no_answer(world, server, world.client(server.endpoint, public=world.stranger.public), encode(BEAT))


@pytest.mark.parametrize("kind", ["null", "plain"])
def test_no_curve_gets_no_answer(world: Any, kind: str) -> None:
    server = world.server()
    context = zmq.Context()
    socket = context.socket(zmq.DEALER)
    socket.linger = 0
    socket.immediate = 1
    if kind == "plain":
        socket.plain_username, socket.plain_password = b"tx", b"secret"
    socket.connect(server.endpoint)
    no_answer(world, server, SimpleNamespace(_socket=socket), encode(BEAT))
    context.destroy(linger=0)


def test_without_anybody_who_answers_zap_nobody_is_let_in(world: Any) -> None:
    server = world.server()
    server._zap.close(linger=0)
    server._authenticate = lambda: None
    client = world.client(server.endpoint)
    end = time.monotonic() + 0.4
    while time.monotonic() < end:
        assert not client.send(BEAT)
        server._socket.poll(5)
    server._zap = server._socket


def test_a_key_that_is_struck_off_is_not_heard_any_more(world: Any) -> None:
    server = world.server()
    client = world.client(server.endpoint)
    until(lambda: client.send(BEAT), server)
    until(lambda: server.poll(0.01))
    world.allowed_path.write_bytes(world.stranger.public + b"\n")
    client.send(BEAT)
    until(lambda: server.counts["not allowed"], server)
    other = world.client(server.endpoint, world.stranger)
    until(lambda: other.send(BEAT), server)
    assert until(lambda: server.poll(0.01))[0].peer == world.stranger.public


def test_malformed_messages_are_counted(world: Any) -> None:
    server = world.server()
    client = world.client(server.endpoint)
    until(lambda: client.send(BEAT), server)
    for frames in ([b""], [b"LLC1"], [b"x"] * 20, [encode(BEAT)[0], b"{}"]):
        client._socket.send_multipart(frames)
    until(lambda: server.counts["malformed"] == 4, server)
    assert server.counts["received"] == 1


def test_a_flood_is_bounded(world: Any) -> None:
    server = world.server()
    client = world.client(server.endpoint)
    until(lambda: client.send(BEAT), server)
    big = Message("csi", 1, "0" * 16, {"e": 1, "c": 1.0}, (bytes(MAX_RAW_BYTES),))
    dropped = client.counts["dropped"]
    sent = sum(client.send(big) for _ in range(4 * QUEUE + 50))
    assert client.counts["dropped"] - dropped == 4 * QUEUE + 50 - sent > 0
    until(lambda: server.counts["received"] == sent + 1, server)
    assert client.send(BEAT)
    until(lambda: server.counts["received"] == sent + 2, server)


def test_the_largest_frame_crosses_the_wire_and_a_larger_one_never_arrives(world: Any) -> None:
    server = world.server()
    client = world.client(server.endpoint)
    until(lambda: client.send(BEAT), server)
    largest = Message("csi", 1, "0" * 16, {"e": 1, "c": 1.0}, (bytes(MAX_RAW_BYTES),))
    assert client.send(largest)
    until(lambda: server.counts["received"] == 2, server)
    client._socket.send_multipart([b"x", bytes(MAX_RAW_BYTES + 1)])
    until(lambda: server.counts["let in"] == 2, server)  # the connection was closed and is there again
    assert server.counts["malformed"] == 0


def test_a_message_of_many_frames_is_skipped_and_holds_nobody_up(world: Any) -> None:
    server = world.server()
    client = world.client(server.endpoint)
    until(lambda: client.send(BEAT), server)
    client._socket.send_multipart([b"x"] * 30_000)
    client._socket.send_multipart(encode(BEAT))
    polls = 0
    while server.counts["received"] < 2:
        server.poll(1.0)
        polls += 1
        assert len(server._parts) <= 2 + MAX_RAW + 2
    assert server.counts["malformed"] == 1
    assert polls >= 4


class Ends:
    """Both sessions over CURVE on the real clock."""

    def __init__(self, world: Any) -> None:
        self.world, self.endpoint = world, f"ipc://{world.path}/control"
        self.restart_rx()
        self.restart_tx()

    def restart_rx(self) -> None:
        if hasattr(self, "server"):
            self.server.close()
        self.server, self.rx = self.world.server(self.endpoint), ReceiverSession(IDENTITY)

    def restart_tx(self) -> None:
        if hasattr(self, "client"):
            self.client.close()
        self.client, self.tx = self.world.client(self.endpoint), TransmitterSession(IDENTITY)

    def poll(self, timeout: float) -> None:
        now = time.monotonic()
        out, back = self.tx.tick(now), self.rx.tick(now)
        for _, message in self.client.poll(timeout):
            out += self.tx.received(message, now)
            if self.tx.pending is not None:
                out += self.tx.applied(DIGEST, now)
        for peer, message in self.server.poll(timeout):
            for answer in self.rx.received(message, now, peer):
                self.server.send(peer, answer)
        if self.rx.wants_csi(now):
            back += self.rx.measured(os.urandom(524), DIGEST, 10.0, now)
        for message in out:
            self.client.send(message)
        for message in back:
            self.server.send(self.rx.peer, message)

    def linked(self) -> bool:
        return self.tx.state == self.rx.state == "linked" and self.tx.session == self.rx.session


def test_sessions_over_curve_and_both_restarts(world: Any) -> None:
    ends = Ends(world)
    until(ends.linked, ends)
    first = ends.tx.session
    ends.restart_rx()
    until(lambda: ends.linked() and ends.tx.session != first, ends)
    second = ends.tx.session
    ends.restart_tx()
    until(lambda: ends.linked() and ends.tx.session != second, ends)
    assert ends.tx.current is not None
    assert ends.rx.frame(ends.tx.current.epoch) is not None


def test_addresses_and_keys(world: Any) -> None:
    server = world.server()
    with pytest.raises(OSError, match="fresh"):
        world.server(server.endpoint)
    with pytest.raises(AddressError):
        world.server("tcp://0.0.0.0:*")
    with pytest.raises(AddressError):
        world.client("tcp://10.0.0.1:5000")
    with pytest.raises(ValueError, match="belong together"):
        world.client(server.endpoint, type(world.tx)(world.tx.public, world.rx.secret))
    server.close()
    server.close()

"""The control plane on ZeroMQ: the receiver's ROUTER and the transmitter's DEALER, over CURVE, without threads and without waiting.

The ROUTER answers ZAP itself while it is polled: a new connection's key (32 bytes there) is looked up in the allow-list. A key that is not
on it, a wrong key of the server, or no CURVE at all gets no answer. A domain is enforced, so that a missing ZAP handler lets nobody in.
All queues are bounded; what does not fit is dropped and counted, since every message of the sessions is repeated or replaced.

libzmq bounds each frame of a message before it takes it in, and the messages that wait, but not the frames of one message, which it puts
together before anybody sees them: a peer with a key that is let in can have the process hold as much as it sends in one. What is too long
is skipped here piece by piece, so that it takes no more memory and no time of others; the rest is up to a limit of the process's memory.
"""

from collections import Counter
from typing import Any, NamedTuple

from latentlink_runtime.control.keys import AllowList, KeyPair, z85
from latentlink_runtime.control.wire import MAX_JSON_BYTES, MAX_RAW, MAX_RAW_BYTES, Message, WireError, decode, encode
from latentlink_runtime.iq.addresses import check_endpoint, check_free

try:
    import zmq
except ImportError as error:  # pragma: no cover
    raise ImportError("the control plane needs pyzmq: pip install 'latentlink-runtime[zmq]'") from error

QUEUE = 64  # messages
MOST_AT_ONCE = 64  # that one poll takes
MAX_PEERS = 64
_DOMAIN, _ZAP = b"latentlink", "inproc://zeromq.zap.01"
_MOST_FRAMES = 2 + MAX_RAW
_MOST_SKIPPED = 8192  # frames that one poll takes from a message that is too long
_CURVE_BYTES = 33  # that CURVE adds to each frame


class Received(NamedTuple):
    """A message and who sent it: the public key of a transmitter in Z85, or b"" of the receiver."""

    peer: bytes
    message: Message


class _End:
    """One socket of the control plane.

    Attributes:
        counts: of messages and connections by what became of them.
    """

    def __init__(self, kind: int, keys: KeyPair) -> None:
        self.counts = Counter[str]()
        if zmq.curve_public(keys.secret) != keys.public:
            raise ValueError("keys must belong together: the public key is not that of the secret key; read both from one NAME.secret")
        self._parts: list[Any] = []
        self._context: zmq.Context[Any] = zmq.Context()  # of its own: one ZAP handler is there for all sockets of a context
        self._socket = self._context.socket(kind)
        for option, value in (
            (zmq.LINGER, 0),
            (zmq.SNDHWM, QUEUE),
            (zmq.RCVHWM, QUEUE),
            (zmq.MAXMSGSIZE, max(MAX_RAW_BYTES, MAX_JSON_BYTES) + _CURVE_BYTES),
            (zmq.RECONNECT_IVL, 50),
            (zmq.RECONNECT_IVL_MAX, 1000),
            (zmq.HANDSHAKE_IVL, 5000),
        ):
            self._socket.setsockopt(option, value)
        self._socket.curve_publickey, self._socket.curve_secretkey = keys.public, keys.secret

    def close(self) -> None:
        """Close everything; a second call does nothing."""
        self._context.destroy(linger=0)

    def _taken(self) -> list[Any] | None:
        """The next message's frames, of too many the first ones and the last; None if there is none, or not to its end."""
        for _ in range(_MOST_SKIPPED):
            try:
                frame = self._socket.recv(zmq.NOBLOCK, copy=False)
            except zmq.Again:
                return None
            self._parts = [*self._parts[: 1 + _MOST_FRAMES], frame]
            if not frame.more:
                parts, self._parts = self._parts, []
                return parts
        return None

    def _decoded(self, frames: list[Any]) -> Message | None:
        try:
            if len(frames) > _MOST_FRAMES:
                raise WireError(f"a message must have at most {_MOST_FRAMES} frames, got {len(frames)}")
            message = decode([frame.bytes for frame in frames])
        except WireError:
            self.counts["malformed"] += 1
            return None
        self.counts["received"] += 1
        return message

    def _send(self, frames: list[bytes]) -> bool:
        try:
            self._socket.send_multipart(frames, zmq.NOBLOCK)
        except zmq.ZMQError as error:
            if error.errno not in (zmq.EAGAIN, zmq.EHOSTUNREACH):
                raise
            self.counts["dropped"] += 1
            return False
        self.counts["sent"] += 1
        return True


class ControlServer(_End):
    """The receiver's end.

    Attributes:
        counts: of messages and connections by what became of them.
        endpoint: where it listens.
    """

    def __init__(self, endpoint: str, keys: KeyPair, allowed: AllowList, *, i_know: bool = False) -> None:
        check_endpoint(endpoint, i_know)
        check_free(endpoint)
        super().__init__(zmq.ROUTER, keys)
        self._allowed = allowed
        self._routes: dict[bytes, bytes] = {}
        self._zap = self._context.socket(zmq.ROUTER)
        self._zap.setsockopt(zmq.LINGER, 0)
        self._zap.bind(_ZAP)
        for option, value in ((zmq.CURVE_SERVER, 1), (zmq.ZAP_ENFORCE_DOMAIN, 1), (zmq.ROUTER_MANDATORY, 1)):
            self._socket.setsockopt(option, value)
        self._socket.setsockopt(zmq.ZAP_DOMAIN, _DOMAIN)
        try:
            self._socket.bind(endpoint)
        except zmq.ZMQError as error:
            self.close()
            raise OSError(f"{endpoint}: {error}; another process may be using it, so choose a fresh one") from error
        self.endpoint = str(self._socket.getsockopt_string(zmq.LAST_ENDPOINT))

    def poll(self, timeout: float = 0.0) -> list[Received]:
        """The messages that are there, after `timeout` seconds at most; new connections are let in or not."""
        zmq.select([self._socket, self._zap], [], [], max(timeout, 0))
        self._authenticate()
        messages = []
        for _ in range(MOST_AT_ONCE):
            if (frames := self._taken()) is None:
                break
            peer = str(frames[-1].get("User-Id") or "").encode()
            if peer not in self._allowed:  # no longer, since it was let in
                self.counts["not allowed"] += 1
                continue
            if (message := self._decoded(frames[1:])) is not None:
                self._route(peer, frames[0].bytes)
                messages.append(Received(peer, message))
        return messages

    def send(self, peer: bytes, message: Message) -> bool:
        """Send to a key that wrote before; False, counted, if it is gone or its queue is full."""
        if peer not in self._routes:
            self.counts["dropped"] += 1
            return False
        return self._send([self._routes[peer], *encode(message)])

    def _route(self, peer: bytes, route: bytes) -> None:
        self._routes.pop(peer, None)
        self._routes[peer] = route
        while len(self._routes) > MAX_PEERS:
            del self._routes[next(iter(self._routes))]

    def _authenticate(self) -> None:
        """Answer what ZAP asks: [route, "", version, request, domain, address, identity, mechanism, key]."""
        for _ in range(MOST_AT_ONCE):
            try:
                route, _, version, request, domain, _, _, mechanism, *credentials = self._zap.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                return
            except ValueError:
                self.counts["malformed"] += 1
                continue
            is_curve = version == b"1.0" and domain == _DOMAIN and mechanism == b"CURVE" and len(credentials) == 1
            key = z85(credentials[0]) if is_curve and len(credentials[0]) == 32 else b""
            lets_in = key in self._allowed
            self.counts["let in" if lets_in else "not let in"] += 1
            answer = [b"200", b"OK", key] if lets_in else [b"400", b"no", b""]
            self._zap.send_multipart([route, b"", b"1.0", request, *answer, b""], zmq.NOBLOCK)


class ControlClient(_End):
    """The transmitter's end, which connects again by itself.

    Attributes:
        counts: of messages by what became of them.
    """

    def __init__(self, endpoint: str, keys: KeyPair, server: bytes, *, i_know: bool = False) -> None:
        check_endpoint(endpoint, i_know)
        super().__init__(zmq.DEALER, keys)
        self._socket.curve_serverkey = server
        self._socket.setsockopt(zmq.IMMEDIATE, 1)  # nothing waits for a receiver that is not there: it would be stale
        self._socket.connect(endpoint)

    def poll(self, timeout: float = 0.0) -> list[Received]:
        """The messages that are there, after `timeout` seconds at most."""
        self._socket.poll(round(1000 * max(timeout, 0)))
        messages = []
        for _ in range(MOST_AT_ONCE):
            if (frames := self._taken()) is None:
                break
            if (message := self._decoded(frames)) is not None:
                messages.append(Received(b"", message))
        return messages

    def send(self, message: Message) -> bool:
        """Send; False, counted, if there is no connection or its queue is full."""
        return self._send(encode(message))

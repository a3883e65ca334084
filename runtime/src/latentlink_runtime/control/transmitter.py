"""The session of a transmitter (see `session`)."""

import secrets
from dataclasses import dataclass

from latentlink_runtime.control.session import (
    BEAT_S,
    FIRST_HELLO_S,
    LAST_HELLO_S,
    LOST_S,
    OLD,
    SECRET_BYTES,
    Identity,
    Random,
    Session,
    is_later,
)
from latentlink_runtime.control.wire import Message


@dataclass(frozen=True)
class Csi:
    """A report that came.

    Attributes:
        epoch: of the precoder that it makes.
        feedback: its bytes.
        coherence_s: seconds for which it holds.
        received_at: when it came.
    """

    epoch: int
    feedback: bytes
    coherence_s: float
    received_at: float


class TransmitterSession(Session):
    """HELLO, SOUND or LINKED (see the module `session`).

    Attributes:
        identity: of this end.
        state: "hello", "sound" or "linked".
        session: name of the session, or "" where there is none.
        secret: of the session.
        counts: of messages by what became of them.
        pending: the newest report, which the owner has not answered by `applied` or `rejected` yet; or None.
        current: the report in use; None unless LINKED.
        refused: what the receiver named in its last refusal.
    """

    def __init__(self, identity: Identity, random: Random = secrets.token_bytes) -> None:
        super().__init__(identity, "hello", random)
        self.pending: Csi | None = None
        self.current: Csi | None = None
        self.refused: list[str] = []
        self._restart()

    @property
    def epoch(self) -> int | None:
        """The epoch of frames: None for header-only frames that sound the channel."""
        return None if self.current is None else self.current.epoch

    def tick(self, now: float) -> list[Message]:
        """What is due: a HELLO, a beat, or the end of what is too old."""
        if self.state != "hello" and self._is_lost(now):
            self.counts["lost"] += 1
            self._restart()
        if self.state == "hello":
            return self._hello(now) if self._hello_at is None or now >= self._hello_at else []
        if self.state == "linked" and self._is_older(now, OLD):
            self.counts["outdated"] += 1
            self.state, self.current = "sound", None
        return [self._message(now, "beat", {"want": self._is_older(now, 1)})] if now - self._sent_at >= BEAT_S else []

    def received(self, message: Message, now: float) -> list[Message]:
        """What a message asks for."""
        if message.type in ("welcome", "refuse"):
            return self._answered(message, now)
        if self.state == "hello":
            return self._misplaced()
        if not self._is_new(message, now):
            return []
        match message.type:
            case "csi":
                return self._informed(message, now)
            case "bye":
                self._restart()
            case "beat" | "stats":
                self.counts[message.type] += 1
            case _:
                return self._misplaced()
        return []

    def applied(self, digest: bytes, now: float) -> list[Message]:
        """The pending report is used from the next frame on; `digest` (8 bytes) is that of the beams made of it.

        Raises:
            ValueError: nothing is pending.
        """
        csi, self.pending = self._due(), None
        self.state, self.current, self._digest = "linked", csi, digest.hex()
        return [self._message(now, "ack", {"e": csi.epoch, "ok": True, "d": self._digest})]

    def rejected(self, now: float) -> list[Message]:
        """The pending report is no use; the receiver will send another under another epoch.

        Raises:
            ValueError: nothing is pending.
        """
        csi, self.pending = self._due(), None
        return [self._message(now, "ack", {"e": csi.epoch, "ok": False, "d": "0" * 16})]

    def bye(self, now: float, why: str = "") -> list[Message]:
        """End the session, if there is one."""
        messages = [] if self.state == "hello" else [self._message(now, "bye", {"why": why})]
        self._restart()
        return messages

    def _due(self) -> Csi:
        if self.pending is None:
            raise ValueError("pending must be a report that came; there is none to answer")
        return self.pending

    def _restart(self) -> None:
        self._begin(0.0, "hello", "", b"")
        self.pending = self.current = None
        self._nonce, self._digest = self._random(8).hex(), ""
        self._hello_at: float | None = None
        self._nonce_at: float | None = None
        self._wait = FIRST_HELLO_S

    def _hello(self, now: float) -> list[Message]:
        """A HELLO; under another nonce once the receiver has ended what it may have begun for this one, as it answers none twice."""
        if self._nonce_at is None:
            self._nonce_at = now
        elif now - self._nonce_at >= LOST_S:
            self._nonce, self._nonce_at = self._random(8).hex(), now
        self._hello_at, self._wait = now + self._wait, min(2 * self._wait, LAST_HELLO_S)
        return [self._message(now, "hello", self.identity.fields(), session=self._nonce)]

    def _answered(self, message: Message, now: float) -> list[Message]:
        if self.state != "hello" or message.fields["to"] != self._nonce or self._hello_at is None:
            self.counts["foreign"] += 1
        elif message.type == "refuse":
            self.counts["refused"] += 1
            self.refused = list(message.fields["why"])
            self._hello_at, self._wait = now + LAST_HELLO_S, LAST_HELLO_S
        elif len(message.raw[0]) != SECRET_BYTES:
            return self._misplaced()
        else:
            self.refused = []
            self._begin(now, "sound", message.session, message.raw[0])
            self._heard_number = message.number
            return [self._message(now, "beat", {"want": True})]
        return []

    def _informed(self, message: Message, now: float) -> list[Message]:
        """A report: a new one is pending, the one in use is acknowledged again, and older ones are stale."""
        epoch = message.fields["e"]
        if self.current is not None and epoch == self.current.epoch:
            self.counts["resent"] += 1
            return [self._message(now, "ack", {"e": epoch, "ok": True, "d": self._digest})]
        newest = self.pending or self.current
        if newest is not None and not is_later(epoch, newest.epoch):
            self.counts["resent" if self.pending and epoch == newest.epoch else "stale"] += 1
            return []
        self.pending = Csi(epoch, message.raw[0], float(message.fields["c"]), now)
        return []

    def _is_older(self, now: float, times: float) -> bool:
        return self.current is None or now - self.current.received_at >= times * self.current.coherence_s

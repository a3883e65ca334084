"""The session of a receiver (see `session`)."""

import secrets
from dataclasses import dataclass

from latentlink_runtime.control.session import BEAT_S, EPOCHS, NONCES, RESEND_S, SECRET_BYTES, Identity, Random, Session
from latentlink_runtime.control.wire import MAX_NUMBER, Message


@dataclass
class Epoch:
    """A report that was sent.

    Attributes:
        number: modulo 2^16.
        feedback: its bytes.
        digest: 8 bytes of the beams that were made of it here.
        coherence_s: seconds for which it holds.
        sent_at: when it was sent first.
    """

    number: int
    feedback: bytes
    digest: bytes
    coherence_s: float
    sent_at: float


class ReceiverSession(Session):
    """IDLE, SOUND or LINKED (see the module `session`).

    Attributes:
        identity: of this end.
        state: "idle", "sound" or "linked".
        session: name of the session, or "" where there is none.
        secret: of the session.
        counts: of messages and frames by what became of them.
        peer: whom the session is with, as the owner names it.
        refused: what differed where a session was refused last.
        epochs: the last 16 that were sent and not refused, by number.
    """

    def __init__(self, identity: Identity, random: Random = secrets.token_bytes) -> None:
        super().__init__(identity, "idle", random)
        self.peer: bytes = b""
        self.refused: list[str] = []
        self.epochs: dict[int, Epoch] = {}
        self._nonces: list[str] = []  # of hellos that were answered: none is answered by another session
        self._welcome: Message | None = None
        self._next = int.from_bytes(random(2), "big")
        self._outstanding: Epoch | None = None
        self._settled: Epoch | None = None
        self._wanted, self._csi_at, self._not_before, self._hello_number = False, 0.0, 0.0, 0

    def tick(self, now: float) -> list[Message]:
        """What is due: a beat, or the outstanding CSI again."""
        if self.state == "idle":
            return []
        if self._is_lost(now):
            self.counts["lost"] += 1
            self._end()
            return []
        if self._outstanding is not None and now - self._csi_at >= RESEND_S:
            if now - self._outstanding.sent_at < self._outstanding.coherence_s:
                return [self._csi(self._outstanding, now)]
            self.counts["unanswered"] += 1
            self._outstanding, self._wanted = None, True
        return [self._message(now, "beat", {"want": False})] if now - self._sent_at >= BEAT_S else []

    def received(self, message: Message, now: float, peer: bytes = b"") -> list[Message]:
        """What a message asks for; `peer` is who sent it."""
        if message.type == "hello":
            return self._greeted(message, now, peer)
        if self.state == "idle" or peer != self.peer:
            self.counts["foreign"] += 1
            is_lost = self.state == "idle" and message.type != "bye"
            return [Message("bye", MAX_NUMBER, message.session, {"why": "the receiver does not know this session"})] if is_lost else []
        if not self._is_new(message, now):
            return []
        match message.type:
            case "ack":
                self._acknowledged(message, now)
            case "beat":
                self.counts["beat"] += 1
                self._wanted = self._wanted or message.fields["want"]
            case "stats":
                self.counts["stats"] += 1
            case "bye":
                self._end()
            case _:
                self._misplaced()
        return []

    def wants_csi(self, now: float) -> bool:
        """True if a measurement should be reported: none is outstanding, and there is none yet, or it is half over, or asked for."""
        if not self._heard_number or self._outstanding is not None or now < self._not_before:
            return False
        return self._settled is None or self._wanted or now - self._settled.sent_at >= self._settled.coherence_s / 2

    def next_epoch(self) -> int:
        """The number of the next report, for its header."""
        return self._next

    def measured(self, feedback: bytes, digest: bytes, coherence_s: float, now: float) -> list[Message]:
        """Report a measurement under `next_epoch`; nothing is sent, and it is counted, where none is wanted.

        Args:
            feedback: bytes of the report.
            digest: 8 bytes of the beams that were made of it here.
            coherence_s: seconds for which it holds.
            now: the time.
        """
        if self.state == "idle" or self._outstanding is not None:
            self.counts["unwanted"] += 1
            return []
        epoch = Epoch(self._next, feedback, digest, coherence_s, now)
        self._next = (self._next + 1) % 2**16
        self.epochs[epoch.number] = epoch
        while len(self.epochs) > EPOCHS:
            del self.epochs[next(iter(self.epochs))]
        self._outstanding, self._wanted = epoch, False
        return [self._csi(epoch, now)]

    def frame(self, number: int) -> Epoch | None:
        """The report by which a frame of messages was made; None, counted, if that is unknown. It asks for nothing."""
        epoch = self.epochs.get(number)
        self.counts["unknown epoch" if epoch is None else "known epoch"] += 1
        return epoch

    def stats(self, counts: dict[str, float], now: float) -> list[Message]:
        """Tell the transmitter counts, such as frames lost."""
        return [] if self.state == "idle" else [self._message(now, "stats", {"counts": counts})]

    def bye(self, now: float, why: str = "") -> list[Message]:
        """End the session, if there is one."""
        messages = [] if self.state == "idle" else [self._message(now, "bye", {"why": why})]
        self._end()
        return messages

    def _greeted(self, message: Message, now: float, peer: bytes) -> list[Message]:
        if self._welcome is not None and peer == self.peer and message.session == self._welcome.fields["to"]:
            if message.number <= self._hello_number or self._heard_number:
                self.counts["replayed"] += 1
                return []
            self._hello_number = message.number
            return [self._welcome]  # the first one was lost on its way
        if message.session in self._nonces:
            self.counts["replayed"] += 1
            return []
        if self.state != "idle" and peer != self.peer:
            self.counts["busy"] += 1
            return [self._refusal(message, ["the receiver is busy with another transmitter"])]
        if differences := self.identity.differences(message.fields):
            self.counts["refused"] += 1
            self.refused = differences
            return [self._refusal(message, differences)]
        self._nonces = [*self._nonces[1 - NONCES :], message.session]
        self._begin(now, "sound", self._random(8).hex(), self._random(SECRET_BYTES))
        self._forget()
        self.peer, self._hello_number = peer, message.number
        self._welcome = self._message(now, "welcome", {"to": message.session}, self.secret)
        return [self._welcome]

    @staticmethod
    def _refusal(message: Message, reasons: list[str]) -> Message:
        fields = {"to": message.session, "why": [reason[:160] for reason in reasons]}
        return Message("refuse", message.number, message.session, fields)

    def _acknowledged(self, message: Message, now: float) -> None:
        epoch = self._outstanding
        if epoch is None or message.fields["e"] != epoch.number:
            self.counts["stale"] += 1
            return
        self._outstanding = None
        if message.fields["ok"] and message.fields["d"] == epoch.digest.hex():
            self.state, self._settled, self._wanted = "linked", epoch, False
        else:
            self.counts["other beams" if message.fields["ok"] else "rejected"] += 1
            self.epochs.pop(epoch.number, None)
            self._wanted, self._not_before = True, now + RESEND_S

    def _csi(self, epoch: Epoch, now: float) -> Message:
        self._csi_at = now
        left = epoch.coherence_s - (now - epoch.sent_at)
        return self._message(now, "csi", {"e": epoch.number, "c": left}, epoch.feedback)

    def _end(self) -> None:
        self._begin(0.0, "idle", "", b"")
        self._forget()

    def _forget(self) -> None:
        self.epochs = {}
        self._outstanding = self._settled = None
        self._wanted, self._csi_at, self._not_before, self._hello_number = False, 0.0, 0.0, 0
        self._welcome, self.peer = None, b""

"""Sessions: what each end does about a message or the passing of time, as objects without sockets, threads or clocks.

    transmitter   HELLO ─welcome→ SOUND ─csi→ LINKED(e) ─csi→ LINKED(e + 1) …      refuse, bye, 3 beats missed → HELLO
    receiver      IDLE ─hello→ SOUND ─ack→ LINKED(e) …                             bye, 3 beats missed → IDLE

Both take events and the time, and return messages to be sent. What is replayed, foreign or out of place is counted, and never acted on.

A transmitter that recognises its CSI as older than its coherence time asks for another, and falls back to SOUND at twice that age. It does
not change its precoder by itself, as the receiver could not know how.

A receiver has one CSI outstanding, resends it (the same epoch) after a second with what is left of its coherence time, measures anew once
nothing is left, and knows its last 16 epochs. A frame of an unknown epoch is counted and asks for nothing: stale frames in flight would
otherwise ask for CSI that makes newer frames stale, for ever. A receiver that was restarted answers messages of a session that it does not
know by BYE, so that the transmitter need not wait for beats to be missed.
"""

import secrets
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from latentlink_runtime.control.wire import IDENTITY, Message

BEAT_S, MISSED_BEATS = 0.5, 3
LOST_S = MISSED_BEATS * BEAT_S  # of silence, after which a session is over
FIRST_HELLO_S, LAST_HELLO_S = 0.2, 5.0
RESEND_S, EPOCHS, NONCES = 1.0, 16, 64
SECRET_BYTES = 32
OLD = 2  # coherence times after which nothing is left of a CSI

_SHOWN = 40  # letters of a value that differs: with all of them a reason would be longer than a message takes
_WORDS = {"conventions": "conventions (uses, per-frame, version)"}

Random = Callable[[int], bytes]


@dataclass(frozen=True)
class Identity:
    """What both ends must have in common.

    Attributes:
        pair: SHA-256 of the pair file, 64 hexadecimal digits.
        conventions: SHA-256 of the conventions that both ends follow.
        numerology: name of the carriers and symbols.
        format: of the frame.
        n_tx: transmit antennas.
        n_rx: receive antennas.
    """

    pair: str
    conventions: str
    numerology: str
    format: int
    n_tx: int
    n_rx: int

    def fields(self) -> dict[str, Any]:
        """Return the fields by name, as a HELLO carries them."""
        return {name: getattr(self, name) for name in IDENTITY}

    def differences(self, fields: dict[str, Any]) -> list[str]:
        """Every field in which a transmitter's differ from this receiver's; digests by their first 40 digits."""
        own = self.fields().items()
        return [
            f"{_WORDS.get(name, name)} is {str(mine)[:_SHOWN]} at the receiver, {str(fields[name])[:_SHOWN]} at the transmitter"
            for name, mine in own
            if fields[name] != mine
        ]


class Session:
    """What both ends of a session keep.

    Attributes:
        identity: of this end.
        state: see the module.
        session: name of the session, or "" where there is none.
        secret: of the session, the key of tags of frames on the air.
        counts: of messages by what became of them.
    """

    def __init__(self, identity: Identity, state: str, random: Random = secrets.token_bytes) -> None:
        self.identity, self.state, self.session, self.secret = identity, state, "", b""
        self.counts = Counter[str]()
        self._random = random
        self._sent_number = self._heard_number = 0
        self._sent_at = self._heard_at = 0.0

    def _message(self, now: float, kind: str, fields: dict[str, Any], *raw: bytes, session: str | None = None) -> Message:
        self._sent_number += 1
        self._sent_at = now
        return Message(kind, self._sent_number, self.session if session is None else session, fields, raw)

    def _begin(self, now: float, state: str, session: str, secret: bytes) -> None:
        self.state, self.session, self.secret = state, session, secret
        self._sent_number = self._heard_number = 0
        self._heard_at = now

    def _is_new(self, message: Message, now: float) -> bool:
        """True for the next message of this session; others are counted."""
        if not self.session or message.session != self.session:
            self.counts["foreign"] += 1
            return False
        if message.number <= self._heard_number:
            self.counts["replayed"] += 1
            return False
        self._heard_number, self._heard_at = message.number, now
        return True

    def _is_lost(self, now: float) -> bool:
        return now - self._heard_at >= LOST_S

    def _misplaced(self) -> list[Message]:
        self.counts["misplaced"] += 1
        return []


def is_later(epoch: int, than: int) -> bool:
    """True if an epoch comes after another, modulo 2^16."""
    return 0 < (epoch - than) % 2**16 < 2**15

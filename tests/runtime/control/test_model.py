"""Sessions against a model: over a wire that loses, delays, reorders and doubles, and with ends that start anew, both always link again.

What must hold at every step: a frame whose epoch the receiver knows is of the very report that it has under this number, and of its digest.
"""

import hashlib
import random
from dataclasses import replace

import pytest

from latentlink_runtime.control.receiver import ReceiverSession
from latentlink_runtime.control.session import LAST_HELLO_S
from latentlink_runtime.control.transmitter import TransmitterSession
from latentlink_runtime.control.wire import MAX_NUMBER, Message, decode, encode
from runtime.control.ends import IDENTITY, World

STEP_S, DISTURBED_S = 0.02, 8.0
CALM_S = LAST_HELLO_S + 2 * 1.5 + 2.0  # a hello's longest wait, a session's end at both ends, and a link


def digest(feedback: bytes) -> bytes:
    return hashlib.sha256(feedback).digest()[:8]


class Model(World):
    """A world with a hostile wire, whose ends may be started anew."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self.random = random.Random(seed)
        self.tx, self.rx = TransmitterSession(IDENTITY, self.random.randbytes), ReceiverSession(IDENTITY, self.random.randbytes)
        self.coherence_s = self.random.choice((0.3, 2.0, 10.0))
        self.answer = self.answered
        self.loss, self.double, self.late = (self.random.choice(values) for values in ((0.0, 0.1, 0.5), (0.0, 0.3), (0.001, 0.1, 1.0)))
        self.refuses = self.random.choice((0.0, 0.3))
        self.old: list[tuple[str, Message]] = []
        self.known = self.right = 0

    def answered(self, tx: TransmitterSession, now: float) -> list[Message]:
        assert tx.pending is not None
        return tx.rejected(now) if self.random.random() < self.refuses else tx.applied(digest(tx.pending.feedback), now)

    def post(self, to: str, messages: list[Message]) -> None:
        for message in messages:
            self.said.append((self.now, to, message))
            self.old.append((to, message))
            if self.random.random() < self.loss:
                continue
            for _ in range(1 + (self.random.random() < self.double)):
                when = self.now + self.random.uniform(0, self.late)
                self.on_the_way.append((when, next(self._order), to, decode(encode(message))))

    def measure(self) -> None:
        if self.rx.wants_csi(self.now):
            feedback = self.random.randbytes(20)
            self.post("tx", self.rx.measured(feedback, digest(feedback), self.coherence_s, self.now))

    def disturb(self) -> None:
        """Start an end anew, or let an old message come again, with another number or not."""
        match self.random.randrange(60):
            case 0:
                self.tx = TransmitterSession(IDENTITY, self.random.randbytes)
            case 1:
                self.rx = ReceiverSession(IDENTITY, self.random.randbytes)
            case 2 | 3 if self.old:
                to, message = self.random.choice(self.old)
                number = self.random.choice((message.number, message.number + 1, MAX_NUMBER))
                self.on_the_way.append((self.now, next(self._order), to, replace(message, number=number)))
            case 4:
                self.post("rx", self.tx.bye(self.now))
            case 5:
                self.post("tx", self.rx.bye(self.now))
            case _:
                pass

    def check(self) -> None:
        """A frame that is sent now is never decoded by another report than it was made of."""
        if self.tx.current is None or self.tx.session != self.rx.session or self.tx.secret != self.rx.secret:
            return
        self.right += 1
        if (epoch := self.rx.epochs.get(self.tx.current.epoch)) is not None:
            self.known += 1
            assert epoch.feedback == self.tx.current.feedback
            assert epoch.digest == digest(self.tx.current.feedback)

    def calm(self) -> None:
        self.loss = self.double = self.refuses = 0.0
        self.late = 0.001


@pytest.mark.parametrize("seed", range(60))
def test_they_always_link_again_by_the_same_report(seed: int) -> None:
    model = Model(seed)
    while model.now < DISTURBED_S:
        model.disturb()
        model.step(STEP_S)
        model.check()
    model.calm()
    end = model.now + CALM_S
    while model.now < end:
        model.step(STEP_S)
        model.check()
    assert (model.tx.state, model.rx.state) == ("linked", "linked")
    assert (model.tx.session, model.tx.secret) == (model.rx.session, model.rx.secret)
    assert model.tx.current is not None
    assert model.rx.epochs[model.tx.current.epoch].feedback == model.tx.current.feedback
    assert model.known > 0.5 * model.right > 0


def numbered(tx: TransmitterSession, message: Message) -> Message:
    """A message as the next one of the session."""
    return replace(message, number=tx._heard_number + 1, session=tx.session)


def test_reports_of_another_epoch_than_the_newest_change_nothing() -> None:
    """Replayed, of a former session, older under a new number, or half of all numbers ahead."""
    world = World()
    world.coherence_s = 0.4
    world.run(1.0)
    former = [message for _, to, message in world.said if message.type == "csi"]
    world.post("rx", world.tx.bye(world.now))
    world.run(1.5)
    csi = [message for _, to, message in world.said if message.type == "csi" and message.session == world.tx.session]
    assert len(csi) >= 3
    current, counts = world.tx.current, world.tx.counts.copy()
    assert current is not None
    cases: list[tuple[Message, str]] = [
        (csi[0], "replayed"),
        (former[-1], "foreign"),
        (numbered(world.tx, csi[-2]), "stale"),
        (replace(csi[-1], number=csi[-1].number + 2, fields={**csi[-1].fields, "e": (current.epoch + 2**15) % 2**16}), "stale"),
    ]
    for message, reason in cases:
        before = world.tx.counts[reason]
        assert world.tx.received(message, world.now) == []
        assert world.tx.counts[reason] == before + 1, reason
        assert (world.tx.current, world.tx.pending) == (current, None)
    assert world.tx.counts - counts == {"replayed": 1, "foreign": 1, "stale": 2}


def test_a_refused_report_leaves_the_one_in_use() -> None:
    world = World()
    world.run(0.2)
    current = world.tx.current
    world.answer = lambda tx, now: tx.rejected(now)
    world.rx._wanted = True
    world.run(0.1)
    assert (world.tx.current, world.tx.state) == (current, "linked")
    assert world.rx.counts["rejected"] == 1
    assert current is not None
    assert world.rx.frame(current.epoch) is not None

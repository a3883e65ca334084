"""Both sessions with a wire between them that takes time and loses what it is told to."""

import itertools
from collections.abc import Callable
from typing import Any

from latentlink_runtime.control.receiver import ReceiverSession
from latentlink_runtime.control.session import Identity
from latentlink_runtime.control.transmitter import TransmitterSession
from latentlink_runtime.control.wire import Message, decode, encode

IDENTITY = Identity("ab" * 32, "cd" * 32, "ll-64-16", 1, 4, 4)
DIGEST = b"12345678"


def other_identity(**changed: Any) -> Identity:
    return Identity(**{**IDENTITY.fields(), **changed})


class World:
    """A transmitter and a receiver, their time, and what is on its way to each."""

    def __init__(self, delay: float = 0.001, keep: Callable[[Message], bool] = lambda message: True) -> None:
        self.tx, self.rx = TransmitterSession(IDENTITY), ReceiverSession(IDENTITY)
        self.now, self.delay, self.keep = 0.0, delay, keep
        self.on_the_way: list[tuple[float, int, str, Message]] = []
        self.said: list[tuple[float, str, Message]] = []
        self.coherence_s = 10.0
        self.answer: Callable[[TransmitterSession, float], list[Message]] = lambda tx, now: tx.applied(DIGEST, now)
        self._order = itertools.count()

    def post(self, to: str, messages: list[Message]) -> None:
        for message in messages:
            self.said.append((self.now, to, message))
            if self.keep(message):
                self.on_the_way.append((self.now + self.delay, next(self._order), to, decode(encode(message))))

    def measure(self) -> None:
        if self.rx.wants_csi(self.now):
            self.post("tx", self.rx.measured(b"FB%d" % self.rx.next_epoch(), DIGEST, self.coherence_s, self.now))

    def step(self, seconds: float = 0.01, measures: bool = True) -> None:
        self.now += seconds
        due = sorted(item for item in self.on_the_way if item[0] <= self.now)
        self.on_the_way = [item for item in self.on_the_way if item[0] > self.now]
        for _, _, to, message in due:
            if to == "tx":
                self.post("rx", self.tx.received(message, self.now))
                if self.tx.pending is not None:
                    self.post("rx", self.answer(self.tx, self.now))
            else:
                self.post("tx", self.rx.received(message, self.now, b"key"))
        if measures:
            self.measure()
        self.post("rx", self.tx.tick(self.now))
        self.post("tx", self.rx.tick(self.now))

    def run(self, seconds: float, **given: Any) -> None:
        for _ in range(round(seconds / 0.01)):
            self.step(**given)

    def count(self, kind: str) -> int:
        return sum(message.type == kind for _, _, message in self.said)


def linked() -> World:
    world = World()
    world.run(0.1)
    assert (world.tx.state, world.rx.state) == ("linked", "linked")
    return world


def state_of(session: Any) -> dict[str, Any]:
    """All that a session remembers, but its counts."""
    return {name: repr(value) for name, value in vars(session).items() if name not in ("counts", "_random")}

"""Reports of another epoch than they say, replayed, older, or of a former session are refused and counted, by nodes and by processes."""

import signal
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from latentlink_runtime.control.keys import AllowList, read_secret
from latentlink_runtime.control.receiver import ReceiverSession
from latentlink_runtime.control.session import Identity
from latentlink_runtime.control.wire import Message
from latentlink_runtime.feedback.links import link_from_feedback
from latentlink_runtime.feedback.report import Report
from runtime.serve.loop import Loop, conformance
from runtime.serve.test_nodes import air
from runtime.serve.test_processes import Place, ended, place

__all__ = ["place"]


def report(epoch: int, n_rx: int = 4, seed: int = 0) -> bytes:
    h = np.random.default_rng(seed).standard_normal((48, n_rx, 4, 2)) @ np.array([1, 1j])
    return Report.measure(h, 0.01, epoch=epoch).to_bytes()


def forged(loop: Loop, message: Message, **fields: Any) -> Message:
    """A message as the next one of the session, with other fields; `raw` is its report."""
    raw = (fields.pop("raw", message.raw[0]),)
    number = loop.tx.session._heard_number + 1
    return replace(message, number=number, session=loop.tx.session.session, fields={**message.fields, **fields}, raw=raw)


def test_a_node_never_uses_a_report_of_another_epoch() -> None:
    loop = Loop(conformance("pair"), air(), coherence_s=0.1)
    heard: list[Message] = []
    talk = loop.talk

    def listened() -> None:
        heard.extend(loop.to_tx)
        talk()

    loop.talk = listened  # type: ignore[method-assign]
    loop.run(0.1)
    former = [message for message in heard if message.type == "csi"][-1]
    loop.tx.session.bye(loop.now)
    loop.run(0.35)
    newest = [message for message in heard if message.type == "csi" and message.session == loop.tx.session.session]
    assert len(newest) >= 3
    tx, epoch = loop.tx, newest[-1].fields["e"]
    wrong: list[tuple[Callable[[], Message], str]] = [
        (lambda: newest[0], "replayed"),
        (lambda: former, "foreign"),
        (lambda: forged(loop, newest[-2]), "stale"),
        (lambda: forged(loop, newest[-1], e=(epoch + 1) % 2**16), "rejected"),  # the bytes are of the epoch before
        (lambda: forged(loop, newest[-1], e=(epoch + 1) % 2**16, raw=report(epoch)), "rejected"),
        (lambda: forged(loop, newest[-1], e=(epoch + 1) % 2**16, raw=report(epoch + 1, n_rx=2)), "rejected"),
        (lambda: forged(loop, newest[-1], e=(epoch + 1) % 2**16, raw=report(epoch + 1)[:-1]), "rejected"),
    ]
    for made, reason in wrong:
        current, precoder, message = tx.session.current, tx._precoder, made()
        counts = tx.counts if reason == "rejected" else tx.session.counts
        before = counts[reason]
        answers = [answer for answer in tx.control([message], loop.now) if answer.type == "ack"]
        assert counts[reason] == before + 1, reason
        assert (tx.session.current, tx._precoder, tx.session.pending) == (current, precoder, None)
        assert [answer.fields["ok"] for answer in answers] == ([False] if reason == "rejected" else [])
    decoded = len(loop.decoded)
    loop.run(0.06)
    assert len(loop.decoded) > decoded


def identity_of(place: Place) -> Identity:
    """What a process of this place says of itself."""
    from latentlink_runtime.serve.commands import _agreed
    from latentlink_runtime.serve.parser import parser

    words = ["tx", *(f"--{name.replace('_', '-')}={value}" for name, value in place.end("tx").items()), f"--iq={place.at('a')}"]
    given = parser().parse_args([*words, f"--latents={place.folder / 'latents.npy'}", f"--server-key={place.folder / 'rx.public'}"])
    return _agreed(given)[1]


def test_a_process_refuses_them_and_says_how_many(place: Place) -> None:
    """A transmitter as a user starts it, to a receiver that is made of its parts here and forges what it reports."""
    pytest.importorskip("zmq")
    from latentlink_runtime.control.link import ControlServer

    tx = place.tx()
    allowed = AllowList(place.folder / "allowed")
    server, session = ControlServer(place.at("c"), read_secret(place.folder / "rx.secret"), allowed), ReceiverSession(identity_of(place))
    acks: list[bool] = []

    def wait(done: Callable[[], Any]) -> None:
        end = time.monotonic() + 30
        while not done():
            assert time.monotonic() < end
            for peer, message in server.poll(0.02):
                acks.extend([message.fields["ok"]] if message.type == "ack" else [])
                for answer in session.received(message, time.monotonic(), peer):
                    server.send(peer, answer)
            for message in session.tick(time.monotonic()):
                server.send(session.peer, message)

    def tell(content: bytes) -> Message:
        digest = link_from_feedback(conformance("pair"), report(session.next_epoch()), 48).digest
        (message,) = session.measured(content, digest, 60.0, time.monotonic())
        server.send(session.peer, message)
        return message

    try:
        wait(lambda: session.wants_csi(time.monotonic()))
        tell(report(session.next_epoch() + 1))  # under another epoch than its own
        wait(lambda: acks == [False])
        wait(lambda: session.wants_csi(time.monotonic()))
        good = tell(report(session.next_epoch()))
        wait(lambda: session.state == "linked")
        old = replace(good, number=session._sent_number + 1)  # the report in use, which is acknowledged again
        session._sent_number += 3
        for message in (good, old, replace(old, number=old.number + 1, fields={**good.fields, "e": (good.fields["e"] - 1) % 2**16}),
                        replace(old, session="0" * 16)):  # fmt: skip
            server.send(session.peer, message)
        wait(lambda: len(acks) == 3)
        assert acks == [False, True, True]
        wait(lambda: not server.poll(0.05))
    finally:
        tx.send_signal(signal.SIGTERM)
        counts = ended(tx)
        server.close()
    assert {name: counts.get(name) for name in ("rejected", "session replayed", "session stale", "session foreign", "session resent")} == {
        "rejected": 1, "session replayed": 1, "session stale": 1, "session foreign": 1, "session resent": 1,
    }  # fmt: skip

"""What is told to those who look: numbers as they are, and sentences on what changed."""

from collections import Counter
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from latentlink_runtime.serve.publish import Publisher, counted, grown
from latentlink_runtime.serve.view import View
from runtime.serve.loop import Loop, conformance
from runtime.serve.test_nodes import air


class Told:
    """A server of metrics that keeps what it is told."""

    def __init__(self) -> None:
        self.values: list[dict[str, float]] = []

    def publish(self, values: dict[str, float]) -> None:
        self.values.append(values)


def node(state: str = "idle", name: str = "", **counts: int) -> Any:
    session = SimpleNamespace(
        state=state, session=name, counts=Counter(refused=counts.pop("refused", 0)), refused=["n_tx: 2 here, 4 there"]
    )
    return SimpleNamespace(session=session, metrics=lambda now: {name: float(count) for name, count in counts.items()})


def texts(view: View) -> list[str]:
    return [event["text"] for event in view.state()["events"]]


def test_only_what_grew_is_told_in_words_that_agree() -> None:
    before = {"stale": 2.0, "bad_header": 1.0, "lost_symbols": 0.0}
    now = {"stale": 3.0, "bad_header": 1.0, "lost_symbols": 12.0, "messages": 99.0, "refused": 1.0}
    assert list(grown(before, now).values()) == ["1 frame of an unknown epoch", "12 symbols damaged", "1 session refused"]
    assert (counted(1, "frame"), counted(0, "frame")) == ("1 frame", "0 frames")


def test_sessions_that_begin_link_and_end_are_events() -> None:
    view = View()
    publish = Publisher(None, view)
    steps = [("idle", ""), ("sound", "abcdef1234567890"), ("linked", "abcdef1234567890"), ("linked", "abcdef1234567890"), ("idle", "")]
    for time, (state, name) in enumerate(steps):
        publish(node(state, name), float(time))
    assert texts(view) == ["session abcdef12 began", "session abcdef12: linked", "session abcdef12 ended"]


def test_a_refusal_is_told_with_what_the_other_end_named() -> None:
    view = View()
    Publisher(None, view)(node("hello", refused=1), 1.0)
    assert texts(view) == ["hello", "n_tx: 2 here, 4 there", "1 session refused"]


def test_counts_that_grow_for_ever_drive_no_event_away() -> None:
    view = View()
    publish = Publisher(None, view)
    for time in range(100):
        publish(node("linked", "abcdef12", missed=3 * time, late=time // 50), float(time))
    assert texts(view) == ["session abcdef12 began", "session abcdef12: linked", "1 frame that the air did not take in time",
                           "297 frames missed between others"]  # fmt: skip
    publish(node("idle", "", missed=300, late=1), 100.0)
    assert texts(view)[-2:] == ["session abcdef12 ended", "3 frames missed between others"]


def test_it_publishes_five_times_a_second_at_most_and_both_at_once() -> None:
    server, view = Told(), View()
    publish = Publisher(server, view)  # type: ignore[arg-type]
    for time in np.arange(0, 2, 0.01):
        publish(node("linked", "ab", messages=5), 1 + float(time), np.ones(3) * 1j)
    assert 9 <= len(server.values) <= 10
    assert server.values[-1] == {"messages": 5.0}
    assert view.state()["values"] == {"messages": 5.0}
    assert view.state()["points"] == [[0.0, 1.0]] * 3


def test_real_nodes_tell_their_points_and_sessions() -> None:
    loop, tx, rx = Loop(conformance("pair"), air()), View(), View()
    publish = Publisher(None, tx), Publisher(None, rx)
    for _ in range(4):
        loop.run(0.03)
        publish[0](loop.tx, 100 * loop.now, loop.tx.elements)
        publish[1](loop.rx, 100 * loop.now, loop.rx.points)
    assert any("linked" in text for text in texts(tx))
    assert any("linked" in text for text in texts(rx))
    assert 0 < len(rx.state()["points"]) <= 500
    assert 0 < len(tx.state()["points"]) <= 500
    assert rx.state()["values"]["snr_db"] > 0


def test_it_says_once_why_nothing_happens(capsys: pytest.CaptureFixture[str]) -> None:
    publish, waiting = Publisher(), SimpleNamespace(refused=[])
    for now in (10.0, 12.0, 14.9):
        publish.warn(waiting, True, 0, now)
    assert capsys.readouterr().err == ""
    for now in (15.1, 16.0, 30.0):
        publish.warn(waiting, True, 0, now)
    assert capsys.readouterr().err.count("no answer from the receiver") == 1
    refused = SimpleNamespace(refused=["n_tx is 2 at the receiver, 4 at the transmitter"])
    for _ in range(3):
        publish.warn(refused, True, 2, 40.0)
    said = capsys.readouterr().err
    assert said.count("refused: n_tx is 2 at the receiver, 4 at the transmitter") == 1
    assert said.count("was not let in") == 1
    publish.warn(SimpleNamespace(refused=[]), False, 2, 50.0)
    assert capsys.readouterr().err == ""

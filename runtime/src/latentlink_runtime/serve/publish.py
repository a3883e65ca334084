"""What a process tells those who look: its numbers for Prometheus, and the live page with its points and events.

An event is a sentence on what changed since the last look: a session began, a precoder came into use. What is counted, such as frames
that were refused, is one sentence of each kind with the number since the session's state last changed.
"""

import sys
from collections.abc import Mapping
from typing import Any, Protocol

from latentlink_runtime.serve.metrics import MetricsServer
from latentlink_runtime.serve.view import PERIOD_S, View

SILENCE_S = 5.0  # of a receiver, after which a transmitter says so
_SILENT = f"no answer from the receiver for {SILENCE_S:g} s: is it running, and is NAME.public of this end in its list?"
_EVENTS = {
    "bad_header": "{} whose header did not decode",
    "foreign": "{} of another link",
    "stale": "{} of an unknown epoch",
    "missed": "{} missed between others",
    "replayed": "{} that came before",
    "malformed": "{} that contradict themselves",
    "lost_symbols": "{} damaged",
    "jumps": "{} where samples were missing",
    "known_faults": "{} of known messages that came out wrong",
    "dropped": "{} dropped, since the queue was full",
    "dropped_samples": "{} dropped, since the receiver was late",
    "late": "{} that the air did not take in time",
    "rejected": "{} of the channel that were no use",
    "refused": "{} refused",
}
_WHAT = {
    "lost_symbols": "symbol",
    "jumps": "place",
    "known_faults": "frame",
    "dropped": "message",
    "dropped_samples": "sample",
    "rejected": "report",
    "refused": "session",
}


class Node(Protocol):
    """A transmitter or a receiver that tells what it counts."""

    session: Any

    def metrics(self, now: float) -> dict[str, float]:
        """All counts and gauges by name."""


class Publisher:
    """Hands what a node tells to a server of metrics and to a live page, five times a second; does nothing where there is neither.

    Args:
        server: of metrics.
        view: what the live page shows.
    """

    def __init__(self, server: MetricsServer | None = None, view: View | None = None) -> None:
        self._server, self._view, self._due = server, view, 0.0
        self._before: Mapping[str, float] = {}
        self._since: Mapping[str, float] = {}
        self._changes = 0
        self._state = "", "idle"
        self._refused: list[str] = []
        self._unknown, self._was_silent = 0.0, False
        self._begun: float | None = None

    def warn(self, session: Any, unanswered: bool, unknown: float, now: float) -> None:
        """Say on stderr, once each, why nothing happens: a session was refused, nobody answers, or a key is not let in.

        Args:
            session: of this end.
            unanswered: True for a transmitter that has no session.
            unknown: connections of keys that were not let in.
            now: the time.
        """
        self._begun = now if self._begun is None or not unanswered else self._begun
        said = []
        if session.refused and session.refused != self._refused:
            said.append(f"the session was refused: {'; '.join(session.refused)}")
        elif unanswered and not session.refused and now - self._begun >= SILENCE_S and not self._was_silent:
            said.append(_SILENT)
            self._was_silent = True
        if unknown > self._unknown:
            said.append("a device was not let in, whose key is not in the list: append its NAME.public")
        for sentence in said:
            print(sentence, file=sys.stderr, flush=True)
        self._refused, self._unknown = list(session.refused), max(unknown, self._unknown)

    def __call__(self, node: Node, now: float, points: Any = ()) -> None:
        """Publish what the node tells at this time, if it is due.

        Args:
            node: whose metrics and session are told.
            now: the time.
            points: complex symbols for the constellation of the page.
        """
        if (self._server is None and self._view is None) or now < self._due:
            return
        self._due = now + PERIOD_S
        values = node.metrics(now)
        if self._server is not None:
            self._server.publish(values)
        if self._view is not None:
            counts = {**values, "refused": float(node.session.counts["refused"])}
            reasons = node.session.refused if counts["refused"] > self._before.get("refused", 0) else []
            changed, news = self._changed(node.session), grown(self._before, counts)
            if changed:
                self._since, self._changes = self._before, self._changes + 1
            totals = {f"{name} {self._changes}": text for name, text in grown(self._since, counts).items() if name in news}
            self._view.show(points, values, [*changed, *reasons], totals)
            self._before = counts

    def _changed(self, session: Any) -> list[str]:
        """Sentences on the session's name and state, if they are others than before."""
        before, self._state = self._state, (session.session, session.state)
        if before == self._state:
            return []
        name = session.session[:8]
        if session.session != before[0]:
            begun = f"session {name} began" if name else f"session {before[0][:8]} ended"
            return [begun, *([f"session {name}: {session.state}"] if session.state == "linked" else [])]
        return [f"session {name}: {session.state}" if name else session.state]


def grown(before: Mapping[str, float], now: Mapping[str, float]) -> dict[str, str]:
    """Sentences on the counts that grew, by name."""
    return {
        name: sentence.format(counted(int(now[name] - before.get(name, 0)), _WHAT.get(name, "frame")))
        for name, sentence in _EVENTS.items()
        if now.get(name, 0) > before.get(name, 0)
    }


def counted(number: int, what: str) -> str:
    """A number of things, in words that agree with it."""
    return f"{number} {what}" if number == 1 else f"{number} {what}s"

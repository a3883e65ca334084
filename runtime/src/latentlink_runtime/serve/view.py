"""The live page: what a link does at this moment, on loopback, for looking only.

    view = View("receiver, 4 × 4")
    with ViewServer(view) as server:                    # http://127.0.0.1:8080
        view.show(points, values, ["session 3f… began"])

The page is one HTML file with a script and a style sheet beside it, and asks for nothing from elsewhere. `/events` is a stream of
server-sent events, five a second: JSON with at most 500 points of the constellation, the numbers that `metrics` has, and the last 50
events. With `?most=3` the stream ends after three.
"""

import json
import math
import threading
import time
import webbrowser
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from importlib import resources
from typing import Any
from urllib.parse import parse_qs
from urllib.request import urlopen

import numpy as np

from latentlink_runtime.serve.loopback import Answer, LoopbackServer, Route

Array = np.ndarray[Any, Any]

PORT = 8080
PERIOD_S = 0.2
MOST_POINTS, MOST_EVENTS, MOST_LETTERS = 500, 50, 200
_FILES = {
    "/": ("view.html", "text/html; charset=utf-8"),
    "/view.js": ("view.js", "text/javascript; charset=utf-8"),
    "/view.css": ("view.css", "text/css; charset=utf-8"),
}


class View:
    """What the page shows, set by the process that runs the link and read by the server's threads.

    Args:
        title: of the page, such as "receiver, 4 × 4".
    """

    def __init__(self, title: str = "link") -> None:
        self._title = title[:MOST_LETTERS]
        self._lock = threading.Lock()
        self._points: list[list[float]] = []
        self._values: dict[str, float | None] = {}
        self._events: deque[dict[str, Any]] = deque(maxlen=MOST_EVENTS)
        self._number, self._shown_at = 0, time.monotonic()

    def show(
        self,
        points: Any = (),
        values: Mapping[str, float | None] | None = None,
        events: Iterable[str] = (),
        totals: Mapping[str, str] | None = None,
    ) -> None:
        """Show what is there now.

        Args:
            points: complex symbols of any shape, of which at most 500 are shown, evenly chosen; those that are not finite are left out.
            values: numbers by name, as `metrics.MetricsServer.publish` takes them.
            events: what happened since the last call, a short sentence each.
            totals: sentences by name, each instead of the last one of that name: what happens again and again drives no event away.
        """
        chosen, numbers = thinned(points), {name: _finite(value) for name, value in (values or {}).items()}
        told = [*((None, text) for text in events), *(totals or {}).items()]
        now = [{"t": round(time.time(), 1), "text": str(text)[:MOST_LETTERS], "total": name} for name, text in told]
        with self._lock:
            self._points, self._values, self._shown_at = chosen, numbers, time.monotonic()
            self._number += 1
            kept = [event for event in self._events if event["total"] is None or event["total"] not in (totals or {})]
            self._events = deque([*kept, *now], maxlen=MOST_EVENTS)

    def state(self) -> dict[str, Any]:
        """What the page is told: title, number of the update, its time and age in seconds, points, values and events, the newest last."""
        with self._lock:
            return {
                "title": self._title,
                "number": self._number,
                "t": round(self._shown_at, 2),
                "age_s": round(time.monotonic() - self._shown_at, 2),
                "points": self._points,
                "values": self._values,
                "events": [{"t": event["t"], "text": event["text"]} for event in self._events],
            }


class ViewServer(LoopbackServer):
    """Serves the page of a view on loopback until it is closed; a context manager.

    Args:
        view: what it shows.
        port: to listen at; 0 for any that is free.
        host: a loopback address.
    """

    def __init__(self, view: View, port: int = PORT, host: str = "127.0.0.1") -> None:
        self._closed = threading.Event()
        routes: dict[str, Route] = {path: _file(*file) for path, file in _FILES.items()}
        super().__init__({**routes, "/events": lambda query: Answer("text/event-stream", self._stream(view, query))}, port, host)

    def close(self) -> None:
        """Stop listening and end all streams; a second call does nothing."""
        self._closed.set()
        super().close()

    def _stream(self, view: View, query: str) -> Iterator[bytes]:
        text = parse_qs(query).get("most", ["0"])[0]
        left = int(text) if text.isascii() and text.isdigit() and len(text) < 9 else 0
        yield b"retry: 1000\n\n"
        while not self._closed.is_set():
            yield b"data: " + json.dumps(view.state(), separators=(",", ":"), allow_nan=False).encode() + b"\n\n"
            left -= 1
            if left == 0 or self._closed.wait(PERIOD_S):
                return


def open_page(port: int = PORT, no_browser: bool = False) -> str:
    """Open the live page at a port of this machine in a browser, where there is one.

    Args:
        port: that a process was given by --view.
        no_browser: only see that the page is there.

    Returns:
        The page's address.

    Raises:
        OSError: no live page answers at the port.
    """
    address = f"http://127.0.0.1:{port}"
    try:
        with urlopen(f"{address}/events?most=1", timeout=2) as answer:
            found = answer.headers.get_content_type() == "text/event-stream"
    except OSError:
        found = False
    if not found:
        raise OSError(f"no live page answers at {address}: start tx or rx with --view {port}")
    if not no_browser:
        webbrowser.open(address)
    return address


def thinned(points: Any, most: int = MOST_POINTS) -> list[list[float]]:
    """At most so many points [re, im] of complex symbols, evenly chosen from those that are finite, to three decimals."""
    symbols = np.asarray(points, np.complex128).ravel()
    symbols = symbols[np.isfinite(symbols)]
    chosen = symbols[np.arange(min(len(symbols), most)) * len(symbols) // max(min(len(symbols), most), 1)]
    pairs: list[list[float]] = np.stack([chosen.real, chosen.imag], -1).round(3).tolist()
    return pairs


def _finite(value: float | None) -> float | None:
    """The number, or None for one that JSON does not have."""
    return float(value) if value is not None and math.isfinite(value) else None


def _file(name: str, kind: str) -> Route:
    content = (resources.files("latentlink_runtime.serve") / "page" / name).read_bytes()
    return lambda _: Answer(kind, content)

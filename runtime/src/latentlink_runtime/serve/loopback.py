"""A web server for this machine alone: it binds to loopback, answers GET and HEAD, and changes nothing.

A page of another site cannot read it either: requests that name another host than loopback are refused, and no answer lets other origins
in. At most 16 requests are answered at a time; others get 503.
"""

import threading
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

from latentlink_runtime.iq.addresses import AddressError, check_host

MOST_REQUESTS = 16
TIMEOUT_S = 10.0
HEADERS = {
    "Content-Security-Policy": "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class Answer(NamedTuple):
    """An answer of one piece, or of pieces that come one after the other for as long as the client listens."""

    kind: str
    content: bytes | Iterator[bytes]


Route = Callable[[str], Answer]


class LoopbackServer:
    """Serves routes until it is closed, in threads of its own; a context manager.

    Args:
        routes: what answers each path, given the request's query.
        port: to listen at; 0 for any that is free.
        host: a loopback address.

    Attributes:
        address: where it listens, as a URL.
        port: of that address.

    Raises:
        ValueError: port is out of range.
        AddressError: host is not loopback; no argument makes it serve other machines.
        OSError: the port is taken.
    """

    def __init__(self, routes: Mapping[str, Route], port: int = 0, host: str = "127.0.0.1") -> None:
        if not 0 <= port < 2**16:
            raise ValueError(f"port must be from 0 to 65535, got {port}; 0 takes any")
        try:
            check_host(host)
        except AddressError:
            raise AddressError(f"host must be loopback, got {host!r}; forward the port by ssh -L to see it from another machine") from None
        try:
            self._server = ThreadingHTTPServer((host, port), _handler(dict(routes)))
        except OSError as error:
            raise OSError(f"port {port} of {host} cannot be listened at ({error.strerror}); 0 takes any that is free") from error
        self._server.daemon_threads, self._server.block_on_close = True, False
        self.port = int(self._server.server_address[1])
        self.address = f"http://{host}:{self.port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.1,), daemon=True, name=f"serve {self.address}")
        self._thread.start()

    def close(self) -> None:
        """Stop listening; a second call does nothing."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def __enter__(self) -> "LoopbackServer":
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()


class _Handler(BaseHTTPRequestHandler):
    """Answers one connection by the routes of its class."""

    routes: dict[str, Route]
    free: threading.BoundedSemaphore

    server_version, sys_version, timeout = "latentlink", "", TIMEOUT_S

    def do_GET(self) -> None:
        """Answer with the route's content."""
        if not self.free.acquire(blocking=False):
            self.send_error(503)
            return
        try:
            self._answer()
        except (ConnectionError, TimeoutError):
            pass  # the client went away
        finally:
            self.free.release()

    def do_HEAD(self) -> None:
        """Answer with the headers alone."""
        self.do_GET()

    def _answer(self) -> None:
        path, _, query = self.path.partition("?")
        if not _names_loopback(self.headers.get("Host", "")):
            self.send_error(421, "This server is for loopback alone")
        elif path not in self.routes:
            self.send_error(404)
        else:
            kind, content = self.routes[path](query)
            self._begin(kind, len(content) if isinstance(content, bytes) else None)
            if self.command != "HEAD":
                for piece in [content] if isinstance(content, bytes) else content:
                    self.wfile.write(piece)

    def _begin(self, kind: str, length: int | None) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        if length is not None:
            self.send_header("Content-Length", str(length))
        self.end_headers()

    def end_headers(self) -> None:
        """Close the headers, of errors too, with those that keep browsers careful."""
        for name, value in HEADERS.items():
            self.send_header(name, value)
        super().end_headers()

    def log_message(self, *_: Any) -> None:
        """Requests are not logged."""


def _handler(routes: dict[str, Route]) -> type[_Handler]:
    """A handler of these routes."""
    return type("Handler", (_Handler,), {"routes": routes, "free": threading.BoundedSemaphore(MOST_REQUESTS)})


def _names_loopback(host: str) -> bool:
    """True if a request's Host is loopback: names that others point at 127.0.0.1 are not."""
    name = host.rpartition("]")[0].strip("[") if host.startswith("[") else host.partition(":")[0]
    try:
        check_host(name)
    except AddressError:
        return False
    return True

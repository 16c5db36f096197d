"""The page over HTTP: files, events, metrics and JSON; nothing can be changed by it.

/               the page; /style.css and /page.js
/events         server-sent events, one a second: the JSON of /api/v1/status
/api/v1/status  {"version": 1, "status": {…}} or {"version": 1, "error": "…"};
                the keys of status are those of `refclock status --json`
/metrics        the text format of Prometheus
"""

from __future__ import annotations

import gzip
import socket
import threading
from collections.abc import Sequence
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from typing import Final

from refclock import __version__
from refclock.observe.metrics import metrics
from refclock.page.feed import Feed

_FILES: Final = {
    "/": ("index.html", "text/html; charset=utf-8"),
    "/style.css": ("style.css", "text/css; charset=utf-8"),
    "/page.js": ("page.js", "text/javascript; charset=utf-8"),
}
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_METRICS: Final = "text/plain; version=0.0.4; charset=utf-8"
_CONNECTIONS: Final = 16
_SILENT_S: Final = 10.0
_Request = socket.socket | tuple[bytes, socket.socket]
_LOCAL: Final = ("localhost", "127.0.0.1", "[::1]")


class PageServer(ThreadingHTTPServer):
    """A thread a connection, 16 at most."""

    daemon_threads = True
    block_on_close = False

    def __init__(
        self, address: tuple[str, int], feed: Feed, names: Sequence[str] = ()
    ) -> None:
        """Listen at `address`. `names`: of hosts, beside the local ones, under which
        it may be asked. OSError: cannot listen there."""
        self.feed = feed
        self.names = frozenset(n.lower() for n in (*_LOCAL, address[0], *names))
        self.stopping = threading.Event()
        self._free = threading.BoundedSemaphore(_CONNECTIONS)
        static = files("refclock.page") / "static"
        self.files = {
            path: (kind, gzip.compress((static / name).read_bytes(), mtime=0))
            for path, (name, kind) in _FILES.items()
        }
        super().__init__(address, _Handler)

    def process_request(self, request: _Request, client_address: object) -> None:
        if not self._free.acquire(blocking=False):
            self.shutdown_request(request)
            return
        super().process_request(request, client_address)

    def process_request_thread(self, request: _Request, client_address: object) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free.release()

    def handle_error(self, request: _Request, client_address: object) -> None:
        """Whoever asked has left."""


class _Handler(BaseHTTPRequestHandler):
    server: PageServer
    timeout = _SILENT_S
    server_version = "refclock"
    sys_version = ""

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        name = self.headers.get("Host", "").lower()
        head, colon, port = name.rpartition(":")
        if (head if colon and port.isdigit() else name) not in self.server.names:
            self._send(HTTPStatus.MISDIRECTED_REQUEST, "text/plain", b"unknown host\n")
        elif path in self.server.files:
            kind, body = self.server.files[path]
            self._send(HTTPStatus.OK, kind, body, packed=True)
        elif path == "/events":
            self._events()
        elif path == "/metrics":
            text = metrics(self.server.feed.last().status, __version__)
            self._send(HTTPStatus.OK, _METRICS, text.encode())
        elif path == "/api/v1/status":
            text = self.server.feed.last().text
            self._send(HTTPStatus.OK, "application/json", text.encode())
        else:
            self._send(HTTPStatus.NOT_FOUND, "text/plain", b"not here\n")

    def _events(self) -> None:
        self._head(HTTPStatus.OK, "text/event-stream")
        self.end_headers()
        message = self.server.feed.last()
        while not self.server.stopping.is_set():
            self.wfile.write(f"data: {message.text}\n\n".encode())
            newer = self.server.feed.after(message.number, _SILENT_S / 2)
            message = newer or message

    def _send(
        self, code: HTTPStatus, kind: str, body: bytes, *, packed: bool = False
    ) -> None:
        if packed and "gzip" not in self.headers.get("Accept-Encoding", ""):
            body, packed = gzip.decompress(body), False
        self._head(code, kind)
        if packed:
            self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _head(self, code: HTTPStatus, kind: str) -> None:
        self.send_response(code)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Security-Policy", _POLICY)
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Referrer-Policy", "no-referrer")
        self.send_header("Cache-Control", "no-store")

    def log_message(self, *_: object) -> None:
        """No line a request."""

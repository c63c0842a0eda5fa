"""A page's host on loopback, which does what it is told: up, slow, torn, a portal, an error, huge, going in circles."""

import gzip
import threading
import time
from collections import Counter
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PAGE = b"<!doctype html><title>Status</title><h1>Ubuntu status</h1><p>All systems operational</p>"
WORDS = "All systems operational"


class Site:
    """From `with` to the end. `mode` says how pages are answered, `robots` what robots.txt is (None: 404)."""

    def __init__(self) -> None:
        self.mode = "up"
        self.page = PAGE
        self.content_type = "text/html; charset=utf-8"
        self.robots: bytes | None = None
        self.robots_status = 200
        self.asked: Counter[str] = Counter()
        self.agents: set[str] = set()
        self.asked_at: list[float] = []

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(handler) -> None:  # noqa: N805  # http.server's names; the site is `self`
                self.asked_at.append(time.monotonic())
                self.asked[handler.path] += 1
                self.agents.add(handler.headers["User-Agent"])
                if handler.path == "/robots.txt":
                    self._say_robots(handler)
                else:
                    self._MODES[self.mode](self, handler)

            def log_message(handler, format: str, *args: object) -> None:  # noqa: N805
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})

    def __enter__(self) -> "Site":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.mode = "up"
        self.leave()

    def leave(self) -> None:
        """Nobody answers there any more; idempotent."""
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
            self._server.server_close()

    def _say_robots(self, handler: BaseHTTPRequestHandler) -> None:
        if self.robots is None:
            _say(handler, 404, b"no such file", "text/plain")
        else:
            _say(handler, self.robots_status, self.robots, "text/plain")

    def _up(self, handler: BaseHTTPRequestHandler) -> None:
        _say(handler, 200, self.page, self.content_type)

    def _chunked(self, handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Type", self.content_type)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        for piece in (self.page[:10], self.page[10:]):
            handler.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))
        handler.wfile.write(b"0\r\n\r\n")

    def _packed(self, handler: BaseHTTPRequestHandler) -> None:
        _say(handler, 200, gzip.compress(self.page), self.content_type, ("Content-Encoding", "gzip"))

    def _error(self, handler: BaseHTTPRequestHandler) -> None:
        _say(handler, 503, b"<h1>Service unavailable</h1>", "text/html", ("Retry-After", "600"))

    def _portal(self, handler: BaseHTTPRequestHandler) -> None:
        _say(handler, 200, b"<h1>Welcome to our hotel</h1><p>Please log in.</p>", "text/html")

    def _torn(self, handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(self.page)))
        handler.end_headers()
        handler.wfile.write(self.page[: len(self.page) // 2])
        handler.close_connection = True

    def _slow(self, handler: BaseHTTPRequestHandler) -> None:
        while self.mode == "slow":
            time.sleep(0.02)
        handler.close_connection = True

    def _huge(self, handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Type", "text/html")
        handler.end_headers()
        handler.close_connection = True
        try:
            handler.wfile.write(self.page)
            while self.mode == "huge":
                handler.wfile.write(b"x" * 65_536)
        except OSError:
            pass

    def _circle(self, handler: BaseHTTPRequestHandler) -> None:
        _say(handler, 302, b"", "text/plain", ("Location", f"{handler.path}x"))

    def _moved(self, handler: BaseHTTPRequestHandler) -> None:
        if handler.path == "/new":
            self._up(handler)
        else:
            _say(handler, 301, b"", "text/plain", ("Location", "/new"))

    _MODES: dict[str, Callable[["Site", BaseHTTPRequestHandler], None]] = {  # noqa: RUF012  # never changed
        "up": _up, "chunked": _chunked, "packed": _packed, "error": _error, "portal": _portal, "torn": _torn,
        "slow": _slow, "huge": _huge, "circle": _circle, "moved": _moved,
    }  # fmt: skip


def _say(handler: BaseHTTPRequestHandler, status: int, body: bytes, content_type: str, *more: tuple[str, str]) -> None:
    handler.send_response(status)
    for name, value in (("Content-Type", content_type), ("Content-Length", str(len(body))), *more):
        handler.send_header(name, value)
    handler.end_headers()
    handler.wfile.write(body)

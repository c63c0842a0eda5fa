"""A server of feeds on loopback, with the faults that real ones have; and what a round of ours needs to ask it."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from tidegate.advisories.at_hand import AtHand, Ports, Step
from tidegate.advisories.documents import Documents
from tidegate.advisories.download import Access
from tidegate.advisories.history import FeedState
from tidegate.advisories.intake_process import Intake, ProcessIntake
from tidegate.advisories.round import Outcome, go_round
from tidegate.advisories.settings import AdvisoriesSettings
from tidegate.advisories.sqlite_history import SqliteHistory
from tidegate.advisories.subscription import NO_KEYS, Subscription, feed_source
from tidegate.sources.archive import Reach
from tidegate.sources.client import Client
from tidegate.sources.health import Health
from tidegate.sources.settings import FetchSettings, HealthSettings
from tidegate.trust.keyring import Keyring
from tidegate.trust.verifier import verifier_for

PIECE_BYTES = 1 << 16
SETTINGS = AdvisoriesSettings()
FETCH = FetchSettings(
    connect_timeout_s=5.0, first_byte_timeout_s=2.0, silence_timeout_s=1.0, rate_window_s=1.0, rate_min_bytes_s=4096
)


@dataclass(frozen=True)
class Served:
    """What is at a path. `cut_after`: the connection ends after so many bytes of each answer."""

    data: bytes = b""
    etag: str | None = None
    last_modified: str | None = None
    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    cut_after: int | None = None
    silent_after: int | None = None
    byte_s: float = 0.0
    endless: bool = False
    has_ranges: bool = True
    answers: Callable[[dict[str, list[str]]], bytes] | None = None
    """By the query."""


@dataclass
class FeedServer:
    """`paths` may be changed at any time; `requests` are those that came, with their headers in lower case."""

    paths: dict[str, Served] = field(default_factory=dict)
    requests: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    port: int = 0

    def url(self, path: str) -> str:
        """The address of a path here."""
        return f"http://127.0.0.1:{self.port}{path}"

    def asked(self, path: str) -> list[dict[str, str]]:
        """The headers of each request for a path."""
        return [headers for target, headers in self.requests if target.partition("?")[0] == path]


@contextmanager
def feed_server() -> Iterator[FeedServer]:
    """One server, until the end of the block."""
    server = FeedServer()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *args: object) -> None:
            """Nothing."""

        def do_GET(self) -> None:
            headers = {name.lower(): value for name, value in self.headers.items()}
            server.requests.append((self.path, headers))
            url = urlsplit(self.path)
            served = server.paths.get(url.path, Served(status=404))
            if served.answers is not None:
                served = replace(served, data=served.answers(parse_qs(url.query)))
            _answer(self, served, headers)

    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    httpd.daemon_threads = True
    server.port = httpd.server_address[1]
    thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        httpd.shutdown()
        httpd.server_close()
        thread.join()


def _answer(handler: BaseHTTPRequestHandler, served: Served, asked: dict[str, str]) -> None:
    data, status, headers = served.data, served.status, dict(served.headers)
    told = {"ETag": served.etag, "Last-Modified": served.last_modified}
    headers |= {name: value for name, value in told.items() if value is not None}
    if status == 200 and served.etag is not None and asked.get("if-none-match") == served.etag:
        status, data = 304, b""
    first = asked.get("range", "").removeprefix("bytes=").removesuffix("-")
    if status == 200 and first and served.has_ranges and asked.get("if-range", served.etag) == served.etag:
        headers["Content-Range"] = f"bytes {first}-{len(data) - 1}/{len(data)}"
        status, data = 206, data[int(first) :]
    handler.send_response(status)
    for name, value in headers.items():
        handler.send_header(name, value)
    if served.endless:
        handler.send_header("Connection", "close")
    elif status != 304:
        handler.send_header("Content-Length", str(len(data)))
    handler.end_headers()
    try:
        _send(handler, served, data)
    except OSError:
        handler.close_connection = True


def _send(handler: BaseHTTPRequestHandler, served: Served, data: bytes) -> None:
    limit = next((one for one in (served.cut_after, served.silent_after) if one is not None), len(data))
    sent = 0
    while sent < min(limit, len(data)) or served.endless:
        piece = b"x" * PIECE_BYTES if served.endless else data[sent : min(sent + PIECE_BYTES, limit)]
        if served.byte_s:
            piece = data[sent : sent + 1]
            time.sleep(served.byte_s)
        handler.wfile.write(piece)
        sent += len(piece)
    handler.wfile.flush()
    if served.silent_after is not None and sent < len(data):
        time.sleep(3.0)
    if sent < len(data) or served.endless:
        handler.close_connection = True


@dataclass
class Place:
    """Where one gateway keeps its feeds. A round takes as much from the real thing as there is."""

    root: Path
    settings: AdvisoriesSettings = SETTINGS
    health: Health = field(default_factory=lambda: Health(HealthSettings(backoff_base_s=0.01, backoff_cap_s=0.01)))
    intake: Intake = field(default_factory=lambda: ProcessIntake(30.0))
    room: Callable[[], int] = lambda: 1 << 40
    steps: list[Step] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.feeds.mkdir(parents=True, exist_ok=True)

    @property
    def feeds(self) -> Path:
        return self.root / "feeds"

    @property
    def history(self) -> Path:
        return self.root / "advisories.db"

    @property
    def documents(self) -> Documents:
        return Documents(self.feeds)

    def opened(self) -> SqliteHistory:
        """The history; whoever opens it closes it."""
        return SqliteHistory(self.history)

    def state(self, feed: str) -> FeedState | None:
        """The history's word on a feed."""
        history = self.opened()
        try:
            return history.feed(feed)
        finally:
            history.close()

    def ports(self, client: Client) -> Ports:
        """What a round works with."""
        access = Access(client, self.health, self.room)
        return Ports(access, verifier_for(), self.intake, self.state, self.feeds, self.history)

    async def go_round(self, subscription: Subscription, *, now: int, may_vanish: bool = False) -> Outcome:
        """One round by the real client."""
        client = Client(FETCH)
        try:
            at_hand = AtHand(
                subscription,
                self.ports(client),
                self.settings,
                self.steps.append,
                now=now,
                anyway=True,
                may_vanish=may_vanish,
            )
            return await go_round(at_hand)
        finally:
            client.close()


def subscription(
    name: str,
    *urls: str,
    bytes_max: int = 1 << 26,
    pages_of: str = "",
    digests: str = "",
    signature: str = "",
    keyring: Keyring = NO_KEYS,
) -> Subscription:
    """A feed from these addresses."""
    sources = tuple(feed_source(url, Reach.ANY) for url in urls)
    return Subscription(name, name, sources, 3600.0, bytes_max, pages_of, digests, signature, keyring)

"""How one request is answered: what kind of server, which stretch of the file, which fault."""

import contextlib
import email.utils
import os
import re
import socket
import ssl
import struct
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Literal, Protocol, assert_never

from tidegate.drill.simulator.faults import (
    CorruptByte,
    EndlessBody,
    ExtraHeaders,
    Fault,
    Hold,
    HtmlPage,
    Longer,
    RawAnswer,
    Redirect,
    RedirectLoop,
    ResetInBody,
    ResetInHead,
    ShiftedRange,
    Silence,
    Status,
    Substitute,
    Trickle,
    Truncate,
)

Framing = Literal["length", "chunked", "close"]

BLOCK_BYTES = 1 << 18
SILENCE_S = 600.0
TRICKLE_TICK_S = 0.05
ZEROS_BYTES = 65_536
REASONS = {
    200: "OK",
    206: "Partial Content",
    302: "Found",
    304: "Not Modified",
    400: "Bad Request",
    403: "Forbidden",
    404: "Not Found",
    416: "Range Not Satisfiable",
    429: "Too Many Requests",
    500: "Internal Server Error",
    501: "Not Implemented",
    503: "Service Unavailable",
}


@dataclass(frozen=True, slots=True)
class Style:
    """What kind of server it is; every switch is something that real mirrors differ in."""

    last_modified: bool = True
    etag: bool = False
    accept_ranges: bool = True  # off: no Accept-Ranges, and a Range is answered with 200
    conditional: bool = True  # off: If-Modified-Since is ignored
    framing: Framing = "length"
    keep_alive: bool = True
    first_byte_s: float = 0.0  # before each answer: how far away it is
    headers: tuple[tuple[str, str], ...] = ()  # sent with every answer


@dataclass(slots=True)
class Request:
    """One request as it came, and how its answer went."""

    method: str
    target: str  # as it stood in the request line
    path: str  # decoded, without the server's prefix and leading slash
    headers: Mapping[str, str]  # names in lower case
    connection: int  # number of the connection it came on
    at: float = field(default_factory=time.time)  # when it was there, epoch seconds
    status: int = 0  # 0: no whole head was sent
    sent_bytes: int = 0  # of the body
    done: bool = False  # whether the answer is over, well or not
    fault: Fault | None = None

    @property
    def range(self) -> str:
        """Its Range header, or ""."""
        return self.headers.get("range", "")


class GoneError(Exception):
    """The connection is over, by fault or by the client."""


class Stage(Protocol):
    """What an answer needs of its server."""

    closing: threading.Event
    moving: threading.Event  # cleared: nothing is sent

    def note(self, request: Request, sent: int = 0, status: int | None = None) -> None:
        """Record progress and wake whoever waits for it."""

    def wait_at(self, gate: Hold) -> None:
        """Wait until the gate opens."""


@dataclass(slots=True)
class Answer:
    """One answer on its way."""

    stage: Stage
    root: Path
    style: Style
    connection: socket.socket
    request: Request
    fault: Fault | None
    headers: list[tuple[str, str]] = field(default_factory=list)

    def give(self) -> bool:
        """Send it; returns whether the connection may be kept."""
        if self.style.first_byte_s and self.stage.closing.wait(self.style.first_byte_s):
            raise GoneError
        match self.fault:
            case Silence():
                self.stage.closing.wait(SILENCE_S)
                raise GoneError
            case RawAnswer(data):
                self.connection.sendall(data)
                return False
            case Status(code, reason, retry_after, body):
                extra = [("Retry-After", retry_after)] if retry_after else []
                return self._simple(code, body, extra, reason)
            case HtmlPage(body):
                return self._simple(200, body, [("Content-Type", "text/html")])
            case Substitute(body):
                return self._simple(200, body, [])
            case Redirect(to, code):
                location = to.replace("{target}", self.request.target)
                return self._simple(code, b"", [("Location", location)])
            case RedirectLoop(code):
                again = self.request.target + ("&again" if "?" in self.request.target else "?again")
                return self._simple(code, b"", [("Location", again)])
            case Hold(after_bytes=None) as gate:
                self.stage.wait_at(gate)
                return self._file()
            case _:
                return self._file()

    def _simple(self, code: int, body: bytes, extra: list[tuple[str, str]], reason: str = "") -> bool:
        headers = [*extra, ("Content-Length", str(len(body)))]
        self._head(code, headers, reason)
        if self.request.method != "HEAD":
            self.connection.sendall(body)
            self.stage.note(self.request, len(body))
        return self._keeps()

    def _file(self) -> bool:
        if self.request.method not in ("GET", "HEAD"):
            return self._simple(501, b"", [])
        try:
            stream = self._open()
        except OSError:
            return self._simple(404, b"no such file\n", [])
        with stream:
            facts = os.fstat(stream.fileno())
            self.headers = self._validators(facts)
            if isinstance(self.fault, ExtraHeaders):
                self.headers += self.fault.headers
            if self._unchanged(facts):
                self._head(304, self.headers)
                return self._keeps()
            return self._stretch(stream, facts)

    def _open(self) -> BinaryIO:
        root = self.root.resolve()
        path = (root / self.request.path).resolve()
        if not path.is_relative_to(root) or path.is_dir():
            raise FileNotFoundError(self.request.path)
        return path.open("rb")

    def _validators(self, facts: os.stat_result) -> list[tuple[str, str]]:
        style = self.style
        headers: list[tuple[str, str]] = []
        if style.last_modified:
            headers.append(("Last-Modified", _http_date(facts.st_mtime)))
        if style.etag:
            headers.append(("ETag", _etag(facts)))
        if style.accept_ranges:
            headers.append(("Accept-Ranges", "bytes"))
        return headers

    def _unchanged(self, facts: os.stat_result) -> bool:
        asked = self.request.headers
        if not self.style.conditional:
            return False
        if self.style.etag and "if-none-match" in asked:
            return asked["if-none-match"] == _etag(facts)
        if self.style.last_modified and "if-modified-since" in asked:
            with contextlib.suppress(ValueError):
                since = email.utils.parsedate_to_datetime(asked["if-modified-since"]).timestamp()
                return int(facts.st_mtime) <= since
        return False

    def _stretch(self, stream: BinaryIO, facts: os.stat_result) -> bool:
        size = facts.st_size
        wanted = self._range(facts)
        if not wanted:
            return self._body(200, stream, 0, size)
        start, end = wanted[0], min(wanted[1], size)
        if start >= end:
            return self._simple(416, b"", [("Content-Range", f"bytes */{size}")])
        self.headers.append(("Content-Range", f"bytes {start}-{end - 1}/{size}"))
        if isinstance(self.fault, ShiftedRange):
            shift = min(self.fault.by_bytes, start)
            return self._body(206, stream, start - shift, end - start)
        return self._body(206, stream, start, end - start)

    def _range(self, facts: os.stat_result) -> tuple[int, int] | None:
        """The first byte and the one after the last of a single range, if it applies."""
        asked = self.request.headers
        found = re.fullmatch(r"bytes=(\d*)-(\d*)", asked.get("range", ""))
        if not self.style.accept_ranges or not found or found.group(0) == "bytes=-":
            return None
        condition = asked.get("if-range")
        if condition is not None and condition not in (_http_date(facts.st_mtime), _etag(facts)):
            return None
        first, last = found.groups()
        if not first:
            return max(0, facts.st_size - int(last)), facts.st_size
        return int(first), int(last) + 1 if last else facts.st_size

    def _body(self, code: int, stream: BinaryIO, start: int, length: int) -> bool:
        framing, promised = self._framing(length)
        match framing:
            case "length":
                self.headers.append(("Content-Length", str(promised)))
            case "chunked":
                self.headers.append(("Transfer-Encoding", "chunked"))
            case "close":
                self.headers.append(("Connection", "close"))
            case _:
                assert_never(framing)
        if isinstance(self.fault, ResetInHead):
            self.connection.sendall(self._head_bytes(code, self.headers)[: self.fault.after_bytes])
            self._abort()
        self._head(code, self.headers)
        if self.request.method == "HEAD":
            return self._keeps()
        stream.seek(start)
        self._send(stream, start, length, chunked=framing == "chunked")
        return self._keeps() and framing != "close" and not isinstance(self.fault, Truncate)

    def _framing(self, length: int) -> tuple[Framing, int]:
        match self.fault:
            case Truncate(after_bytes, honest=True):
                return "length", min(length, after_bytes)
            case EndlessBody(declared):
                return ("length" if declared else "close"), length
            case Longer(by_bytes):
                return "length", length + by_bytes
            case _:
                return self.style.framing, length

    def _send(self, stream: BinaryIO, start: int, length: int, *, chunked: bool) -> None:
        match self.fault:
            case ResetInBody(after_bytes):
                self._copy(stream, min(length, after_bytes), chunked=chunked)
                self._abort()
            case Truncate(after_bytes):
                self._copy(stream, min(length, after_bytes), chunked=chunked)
                return
            case Trickle(bytes_per_s):
                self._trickle(stream, length, bytes_per_s, chunked=chunked)
            case CorruptByte(at):
                self._corrupted(stream, start, length, at, chunked=chunked)
            case Hold(after_bytes=int(after_bytes)) as gate:
                before = min(length, after_bytes)
                self._copy(stream, before, chunked=chunked)
                self.stage.wait_at(gate)
                self._copy(stream, length - before, chunked=chunked)
            case EndlessBody(bytes_per_s=pace):
                self._copy(stream, length, chunked=False)
                self._zeros(pace)
            case Longer(by_bytes):
                self._copy(stream, length, chunked=False)
                self._block(bytes(by_bytes), chunked=False)
            case _:
                self._copy(stream, length, chunked=chunked)
        if chunked:
            self.connection.sendall(b"0\r\n\r\n")

    def _copy(self, stream: BinaryIO, length: int, *, chunked: bool) -> None:
        plain = not chunked and not isinstance(self.connection, ssl.SSLSocket)
        while length > 0:
            if plain:
                count = self._sendfile(stream, min(length, BLOCK_BYTES))
            else:
                block = stream.read(min(length, BLOCK_BYTES))
                count = len(block)
                self._block(block, chunked=chunked)
            if not count:
                raise GoneError  # the file became shorter under our hands
            length -= count

    def _sendfile(self, stream: BinaryIO, length: int) -> int:
        self.stage.moving.wait()
        count = self.connection.sendfile(stream, stream.tell(), length)  # moves the stream on
        self.stage.note(self.request, count)
        return count

    def _block(self, block: bytes, *, chunked: bool) -> None:
        if block:
            self.stage.moving.wait()
            self.connection.sendall(b"%x\r\n%b\r\n" % (len(block), block) if chunked else block)
            self.stage.note(self.request, len(block))

    def _trickle(self, stream: BinaryIO, length: int, bytes_per_s: int, *, chunked: bool) -> None:
        tick = TRICKLE_TICK_S if bytes_per_s * TRICKLE_TICK_S >= 1 else 1 / bytes_per_s
        step = max(1, int(bytes_per_s * tick))
        due = time.monotonic()
        while length > 0:
            block = stream.read(min(step, length))
            self._block(block, chunked=chunked)
            length -= len(block)
            due += tick
            if self.stage.closing.wait(max(0.0, due - time.monotonic())):
                raise GoneError

    def _corrupted(self, stream: BinaryIO, start: int, length: int, at: int, *, chunked: bool) -> None:
        place = at - start
        if not 0 <= place < length:
            self._copy(stream, length, chunked=chunked)
            return
        self._copy(stream, place, chunked=chunked)
        (byte,) = stream.read(1)
        self._block(bytes([byte ^ 0xFF]), chunked=chunked)
        self._copy(stream, length - place - 1, chunked=chunked)

    def _zeros(self, bytes_per_s: int | None) -> None:
        block = bytes(ZEROS_BYTES)
        pause_s = ZEROS_BYTES / bytes_per_s if bytes_per_s else 0.0
        while not self.stage.closing.wait(pause_s):
            self._block(block, chunked=False)
        raise GoneError

    def _head(self, code: int, headers: list[tuple[str, str]], reason: str = "") -> None:
        self.stage.moving.wait()
        self.connection.sendall(self._head_bytes(code, headers, reason))
        self.stage.note(self.request, 0, code)

    def _head_bytes(self, code: int, headers: list[tuple[str, str]], reason: str = "") -> bytes:
        lines = [f"HTTP/1.1 {code} {reason or REASONS.get(code, 'Simulated')}"]
        everything = [*headers, *self.style.headers, ("Date", _http_date(time.time()))]
        lines += [f"{name}: {value}" for name, value in everything]
        if not self._keeps() and not any(name == "Connection" for name, _ in headers):
            lines.append("Connection: close")
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")

    def _keeps(self) -> bool:
        return self.style.keep_alive and self.request.headers.get("connection", "").lower() != "close"

    def _abort(self) -> None:
        reset(self.connection)
        raise GoneError


def _http_date(moment: float) -> str:
    return email.utils.formatdate(int(moment), usegmt=True)


def _etag(facts: os.stat_result) -> str:
    return f'"{facts.st_size:x}-{facts.st_mtime_ns:x}"'


def reset(connection: socket.socket) -> None:
    """Close with RST instead of FIN."""
    with contextlib.suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()

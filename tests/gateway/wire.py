"""A client of one bare socket: it sends what it likes, and reads answers as strictly as RFC 9112 allows."""

import contextlib
import re
import socket
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Self

TIMEOUT_S = 15.0
RECEIVE_BYTES = 1 << 16
HEAD_BYTES_MAX = 1 << 16
POLL_S = 0.01
_STATUS = re.compile(r"HTTP/1\.1 ([1-5][0-9]{2}) ([ -~]*)\Z")
_FIELD = re.compile(r"([!#$%&'*+\-.^_`|~0-9A-Za-z]+): ([ -~]*)\Z")


class CutShortError(Exception):
    """The connection ended within an answer; `got` is what came of the body (None: not even the head)."""

    def __init__(self, got: bytes | None) -> None:
        super().__init__(f"cut short after {got if got is None else len(got)} bytes of the body")
        self.got = got


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole answer; header names in lower case."""

    status: int
    reason: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def how(self) -> str:
        """What the gateway says of it: the first word of X-Tidegate."""
        return self.headers["x-tidegate"].partition(";")[0]


def request(target: str, *fields: str, method: str = "GET", version: str = "1.1") -> bytes:
    """A request's bytes; a Host is put first unless `fields` brings one."""
    host = () if any(field.lower().startswith("host:") for field in fields) else ("Host: gateway.example",)
    return "\r\n".join([f"{method} {target} HTTP/{version}", *host, *fields, "", ""]).encode("latin-1")


class Wire:
    """One connection to a port of this machine."""

    def __init__(self, port: int, *, receive_buffer_bytes: int | None = None, timeout_s: float = TIMEOUT_S) -> None:
        self.socket = socket.socket()
        if receive_buffer_bytes is not None:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer_bytes)
        self.socket.settimeout(timeout_s)
        self.socket.connect(("127.0.0.1", port))
        self.buffer = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the connection."""
        self.socket.close()

    def send(self, data: bytes) -> None:
        """Send bytes as they are."""
        self.socket.sendall(data)

    def ask(self, target: str, *fields: str, method: str = "GET", version: str = "1.1") -> Reply:
        """One request and its answer."""
        self.send(request(target, *fields, method=method, version=version))
        return self.read(bodiless=method == "HEAD")

    def read_head(self) -> tuple[int, str, dict[str, str]]:
        """The next answer's head. Raises CutShortError."""
        while b"\r\n\r\n" not in self.buffer:
            assert len(self.buffer) <= HEAD_BYTES_MAX, "a head without end"
            self._receive(None)
        head, _, self.buffer = self.buffer.partition(b"\r\n\r\n")
        status, *lines = head.decode("latin-1").split("\r\n")
        found = _STATUS.match(status)
        assert found, f"no status line: {status!r}"
        fields = [_FIELD.match(line) for line in lines]
        assert all(fields), f"malformed fields: {lines!r}"
        named = {field[1].lower(): field[2] for field in fields if field}
        assert len(named) == len(lines), f"a field stands twice: {lines!r}"
        assert "transfer-encoding" not in named
        return int(found[1]), found[2], named

    def read(self, *, bodiless: bool = False) -> Reply:
        """The next answer. Raises CutShortError."""
        status, reason, headers = self.read_head()
        length = 0 if bodiless or status == 304 else int(headers["content-length"])
        return Reply(status, reason, headers, self.take(length))

    def take(self, count: int) -> bytes:
        """So many bytes. Raises CutShortError."""
        pieces, self.buffer = [self.buffer], b""
        have = len(pieces[0])
        while have < count:
            try:
                piece = self.socket.recv(RECEIVE_BYTES)
            except ConnectionResetError:
                piece = b""
            if not piece:
                raise CutShortError(b"".join(pieces))
            pieces.append(piece)
            have += len(piece)
        whole = b"".join(pieces)
        self.buffer = whole[count:]
        return whole[:count]

    def rest(self) -> bytes:
        """Everything up to the end of the connection, a reset being an end too. TimeoutError when none comes."""
        with contextlib.suppress(CutShortError):
            while True:
                self._receive(None)
        rest, self.buffer = self.buffer, b""
        return rest

    def is_ended(self) -> bool:
        """Whether the other side has closed by now, without waiting."""
        self.socket.setblocking(False)
        try:
            return self.socket.recv(1, socket.MSG_PEEK) == b""
        except BlockingIOError:
            return False
        except ConnectionError:
            return True
        finally:
            self.socket.settimeout(TIMEOUT_S)

    def _receive(self, got: bytes | None) -> None:
        try:
            data = self.socket.recv(RECEIVE_BYTES)
        except ConnectionResetError:
            data = b""
        if not data:
            raise CutShortError(got)
        self.buffer += data


def wait_until(condition: Callable[[], bool], *, within_s: float = TIMEOUT_S) -> None:
    """Look until it holds."""
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, f"not within {within_s} s"
        time.sleep(POLL_S)


def close_all(wires: Iterable[Wire]) -> None:
    """End many connections."""
    for wire in wires:
        wire.close()

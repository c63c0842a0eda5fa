"""A wire tap between clients and a gateway: every byte passes as it is, and what was answered is kept.

apt verifies what it holds, so what apt holds proves nothing about who served it. The tap has what was served.
"""

import contextlib
import re
import socket
import threading
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

READ_BYTES = 1 << 18
BACKLOG = 256
TIMEOUT_S = 150.0
JOIN_TIMEOUT_S = 10.0
_LENGTH = re.compile(rb"^content-length: *(\d+)\r?$", re.IGNORECASE | re.MULTILINE)
_RANGE = re.compile(rb"^content-range: *bytes (\d+)-(\d+)/\d+\r?$", re.IGNORECASE | re.MULTILINE)
BODILESS = (204, 304)


@dataclass(frozen=True, slots=True)
class Served:
    """One answer as it went over the wire. `start` is where in the file a 206 begins."""

    target: str
    status: int
    body: bytes
    start: int
    complete: bool


@dataclass(slots=True, eq=False)
class _Line:
    """One connection: what the client sent, what it got, until both ends are closed."""

    asked: bytearray = field(default_factory=bytearray)
    answered: bytearray = field(default_factory=bytearray)


class Tap:
    """Listens at `url` and passes everything on to a port of this machine. A context manager."""

    def __init__(self, port: int, host: str = "127.0.0.1") -> None:
        self._to = (host, port)
        self._listener = socket.create_server((host, 0), backlog=BACKLOG)
        self.url = f"http://{host}:{self._listener.getsockname()[1]}"
        self._lines: list[_Line] = []
        self._sockets: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop, cutting whatever is still under way."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._threads[0].join(JOIN_TIMEOUT_S)
        self._listener.close()
        with self._lock:
            open_now = list(self._sockets)
        for one in open_now:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        for thread in self._threads[1:]:
            thread.join(JOIN_TIMEOUT_S)

    def served(self) -> list[Served]:
        """Every answer so far, connection by connection in the order of the requests."""
        with self._lock:
            lines = list(self._lines)
        return [one for line in lines for one in answers(bytes(line.asked), bytes(line.answered))]

    def forget(self) -> None:
        """Empty the record."""
        with self._lock:
            self._lines.clear()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._pass, args=(client,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _pass(self, client: socket.socket) -> None:
        line = _Line()
        with client, socket.create_connection(self._to, TIMEOUT_S) as server:
            with self._lock:
                self._lines.append(line)
                self._sockets |= {client, server}
            for end in (client, server):
                end.settimeout(TIMEOUT_S)
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            back = threading.Thread(target=_copy, args=(server, client, line.answered), daemon=True)
            back.start()
            _copy(client, server, line.asked)
            back.join(TIMEOUT_S)
            with self._lock:
                self._sockets -= {client, server}


def answers(asked: bytes, answered: bytes) -> list[Served]:
    """The answers on one connection, whose bodies are all of a stated length; a cut one comes last."""
    found: list[Served] = []
    targets = [head.split(b"\r\n", 1)[0].split(b" ")[:2] for head in asked.split(b"\r\n\r\n") if head.strip()]
    at = 0
    for method, target in targets:
        end = answered.find(b"\r\n\r\n", at)
        if end < 0:
            break
        head, at = answered[at : end + 2], end + 4
        status = int(head[9:12])
        length = _LENGTH.search(head)
        bodiless = method == b"HEAD" or status in BODILESS
        assert bodiless or length, f"an answer of no stated length: {head!r}"
        size = 0 if bodiless or length is None else int(length[1])
        body = answered[at : at + size]
        at += size
        stretch = _RANGE.search(head)
        start = int(stretch[1]) if stretch else 0
        found.append(Served(target.decode("latin-1"), status, body, start, not bodiless and len(body) == size))
    return found


def _copy(source: socket.socket, target: socket.socket, record: bytearray) -> None:
    with contextlib.suppress(OSError):
        while block := source.recv(READ_BYTES):
            record += block
            target.sendall(block)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)

"""A small, fast HTTP client over epoll: many connections, one thread, each answer counted.

It measures the servers rather than itself: unless asked for digests it lets the kernel discard the
bodies (`MSG_TRUNC`, tcp(7)), the same for every peer. An answer counts only when it is a 200 with a
Content-Length and every byte of it came; whatever else happens to a request makes it `Lost`, with the
reason. A kept-alive connection that is closed before the first byte of an answer is opened again and
the request repeated once (RFC 9112, 9.3.1), and that is counted too.
"""

import hashlib
import select
import socket
import time
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bench.process import BenchError

if TYPE_CHECKING:
    from bench.peers import Door

READ_BYTES = 1 << 20
HEAD_BYTES_MAX = 65_536
EVENTS_MAX = 1_024
ASK_AGAIN_S = 0.002


@dataclass(frozen=True, slots=True)
class Fetched:
    """A complete answer. Seconds count from the start of the run; `asked_s` is when it was asked for."""

    path: str
    size: int
    asked_s: float
    first_byte_s: float
    done_s: float
    sha256: bytes | None


@dataclass(frozen=True, slots=True)
class Lost:
    """A request without a complete answer, and why."""

    path: str
    reason: str


@dataclass(slots=True)
class Outcome:
    """What became of the requests. `started_at` is epoch seconds, to compare with servers' logs."""

    started_at: float = 0.0
    wall_s: float = 0.0
    fetched: list[Fetched] = field(default_factory=list)
    lost: list[Lost] = field(default_factory=list)
    reopened: int = 0

    @property
    def bytes(self) -> int:
        """Bytes of complete bodies."""
        return sum(one.size for one in self.fetched)


def fetch(
    door: "Door", paths: Iterable[str], *, connections: int, digest: bool = False, timeout_s: float = 600.0
) -> Outcome:
    """Ask for every path once over at most `connections` kept-alive connections; blocks until all is done."""
    return _Run(door, deque(paths), digest).until(connections, timeout_s)


def first_answer(door: "Door", path: str, *, timeout_s: float) -> Outcome:
    """Ask until it is answered, as often as it takes: for a server that is just coming up."""
    deadline = time.monotonic() + timeout_s
    while True:
        outcome = fetch(door, [path], connections=1, timeout_s=timeout_s)
        if outcome.fetched or time.monotonic() > deadline:
            return outcome
        time.sleep(ASK_AGAIN_S)


def must_fit(outcome: Outcome, digests: Mapping[str, bytes]) -> None:
    """BenchError unless every request was answered with the bytes that its digest names."""
    if outcome.lost:
        first = outcome.lost[0]
        raise BenchError(f"{len(outcome.lost)} requests lost, the first {first.path}: {first.reason}")
    for one in outcome.fetched:
        if one.sha256 != digests[one.path]:
            raise BenchError(f"{one.path} came with wrong bytes")


class _Connection:
    __slots__ = ("asked", "digest", "first", "head", "keep", "left", "path", "repeat", "size", "sock", "used")

    def __init__(self, path: str) -> None:
        self.path = path
        self.used = False  # whether an answer came over it before
        self.repeat = False  # whether this request was already repeated
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        self.reset(0.0)

    def reset(self, now: float) -> None:
        self.asked = now
        self.head = b""
        self.left = -1  # body bytes still to come; -1 while in the head
        self.size = 0
        self.first = 0.0
        self.keep = True
        self.digest = hashlib.sha256()


class _Run:
    """One run of `fetch`: the connections, and what is known so far."""

    def __init__(self, door: "Door", paths: deque[str], digest: bool) -> None:
        self.door = door
        self.paths = paths
        self.flags = 0 if digest else socket.MSG_TRUNC
        self.digest = digest
        self.view = memoryview(bytearray(READ_BYTES))
        self.epoll = select.epoll()
        self.open: dict[int, _Connection] = {}
        self.outcome = Outcome()
        self.began = 0.0

    def until(self, connections: int, timeout_s: float) -> Outcome:
        self.outcome.started_at = time.time()
        self.began = time.perf_counter()
        for _ in range(min(connections, len(self.paths))):
            self.connect(self.paths.popleft())
        deadline = self.began + timeout_s
        while self.open and time.perf_counter() < deadline:
            for fd, event in self.epoll.poll(1.0, EVENTS_MAX):
                connection = self.open[fd]
                try:
                    self.turn(connection, event)
                except OSError as error:
                    self.broken(connection, error.strerror or repr(error))
        self.outcome.wall_s = time.perf_counter() - self.began
        never, self.paths = self.paths, deque()
        for connection in tuple(self.open.values()):
            self.lose(connection, f"not done after {timeout_s:g} s")
        self.outcome.lost += [Lost(path, "never asked") for path in never]
        self.epoll.close()
        return self.outcome

    def connect(self, path: str, *, repeat: bool = False) -> None:
        connection = _Connection(path)
        connection.repeat = repeat
        connection.reset(self.now())
        connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.sock.connect_ex((self.door.host, self.door.port))
        self.open[connection.sock.fileno()] = connection
        self.epoll.register(connection.sock, select.EPOLLOUT)

    def now(self) -> float:
        return time.perf_counter() - self.began

    def turn(self, connection: _Connection, event: int) -> None:
        if event & select.EPOLLOUT:
            failed = connection.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if failed:
                self.lose(connection, f"connection refused ({failed})")
                return
            self.ask(connection)
            self.epoll.modify(connection.sock, select.EPOLLIN)
        elif connection.left < 0:
            self.read_head(connection)
        else:
            self.read_body(connection)

    def ask(self, connection: _Connection) -> None:
        request = self.door.request(connection.path)
        if connection.sock.send(request) != len(request):
            raise OSError("the server takes no request")

    def read_head(self, connection: _Connection) -> None:
        data = connection.sock.recv(HEAD_BYTES_MAX)
        if not data:
            self.broken(connection, "closed before the answer")
            return
        connection.head += data
        head, end, rest = connection.head.partition(b"\r\n\r\n")
        if not end:
            if len(connection.head) > HEAD_BYTES_MAX:
                self.lose(connection, "endless head")
            return
        status, connection.size, connection.keep = parse_head(head)
        if status != 200 or connection.size < 0:
            self.lose(connection, f"status {status}" if status != 200 else "no Content-Length")
            return
        connection.left = connection.size
        if rest or not connection.size:
            self.took(connection, memoryview(rest), len(rest))

    def read_body(self, connection: _Connection) -> None:
        wanted = min(connection.left, READ_BYTES)
        count = connection.sock.recv_into(self.view, wanted, self.flags)
        if count == 0:
            self.lose(connection, f"closed {connection.left} bytes before the end")
            return
        self.took(connection, self.view, count)

    def took(self, connection: _Connection, data: memoryview, count: int) -> None:
        if not connection.first:
            connection.first = self.now()
        if self.digest:
            connection.digest.update(data[:count])
        connection.left -= count
        if connection.left < 0:
            self.lose(connection, "bytes after the end")
        elif connection.left == 0:
            self.complete(connection)

    def complete(self, connection: _Connection) -> None:
        digest = connection.digest.digest() if self.digest else None
        self.outcome.fetched.append(
            Fetched(connection.path, connection.size, connection.asked, connection.first, self.now(), digest)
        )
        if not connection.keep:
            self.close(connection)
            if self.paths:
                self.connect(self.paths.popleft())
        elif self.paths:
            connection.path = self.paths.popleft()
            connection.used, connection.repeat = True, False
            connection.reset(self.now())
            self.ask(connection)
        else:
            self.close(connection)

    def broken(self, connection: _Connection, reason: str) -> None:
        if connection.used and not connection.repeat and not connection.head:
            self.outcome.reopened += 1
            self.close(connection)
            self.connect(connection.path, repeat=True)
        else:
            self.lose(connection, reason)

    def lose(self, connection: _Connection, reason: str) -> None:
        self.outcome.lost.append(Lost(connection.path, reason))
        self.close(connection)
        if self.paths:
            self.connect(self.paths.popleft())

    def close(self, connection: _Connection) -> None:
        del self.open[connection.sock.fileno()]
        connection.sock.close()


def parse_head(head: bytes) -> tuple[int, int, bool]:
    """Status, Content-Length (-1 when there is none) and whether the connection stays open."""
    lines = head.split(b"\r\n")
    version, _, rest = lines[0].partition(b" ")
    status = int(rest[:3]) if rest[:3].isdigit() else 0
    size, keep = -1, version == b"HTTP/1.1"
    for line in lines[1:]:
        name, _, value = line.partition(b":")
        match name.strip().lower():
            case b"content-length":
                size = int(value)
            case b"connection":
                keep = value.strip().lower() != b"close"
            case _:
                pass
    return status, size, keep

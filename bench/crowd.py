"""A crowd of clients in a process of its own: idle ones kept alive, slow ones reading 1 kB a second.

`Crowd` is what an experiment holds; the module run as a program is the crowd itself. It says when
everybody is connected, holds on until its input ends, and then says how many were still served.
"""

import json
import select
import socket
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from bench.client import parse_head
from bench.peers import Door
from bench.process import BenchError

READ_BYTES_PER_S = 1_000
SLOW_RECEIVE_BUFFER_BYTES = 4_096
ANSWER_TIMEOUT_S = 30.0
TURNS_PER_S = 10
READY, DONE = "ready", "done"


@dataclass(frozen=True, slots=True)
class Order:
    """Who is to come: how many idle clients after a first answer, how many slow ones, asking for what."""

    idle: int
    slow: int
    idle_path: str
    slow_path: str


@dataclass(frozen=True, slots=True)
class Kept:
    """How many connections the server still held at the end, and what slow ones had read meanwhile."""

    idle: int
    slow: int
    slow_bytes: int


class Crowd:
    """The crowd is there while the block runs; `kept` is known after it."""

    def __init__(self, door: Door, order: Order) -> None:
        told = json.dumps({"door": asdict(door), "order": asdict(order)})
        self._process = subprocess.Popen(
            [sys.executable, "-m", "bench.crowd", told],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=Path(__file__).resolve().parent.parent,
            text=True,
        )
        self.kept = Kept(0, 0, 0)

    def __enter__(self) -> Self:
        self._hear(READY)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                assert self._process.stdin is not None
                self._process.stdin.close()
                self.kept = Kept(**json.loads(self._hear(DONE)))
        finally:
            self._process.kill()
            self._process.wait()

    def _hear(self, word: str) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        said, _, rest = line.partition(" ")
        if said.strip() != word:
            self._process.kill()
            raise BenchError(f"the crowd could not be gathered: {line.strip() or 'it ended'}")
        return rest


def _connected(door: Door, path: str, receive_buffer_bytes: int | None = None) -> socket.socket:
    """A connection on which `path` was asked for."""
    sock = socket.socket()
    if receive_buffer_bytes is not None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer_bytes)
    sock.settimeout(ANSWER_TIMEOUT_S)
    sock.connect((door.host, door.port))
    sock.sendall(door.request(path))
    return sock


def _idle(door: Door, path: str) -> socket.socket:
    """A connection that took one whole answer and now says nothing."""
    sock = _connected(door, path)
    answer = b""
    while b"\r\n\r\n" not in answer:
        answer += _some(sock)
    head, _, body = answer.partition(b"\r\n\r\n")
    status, size, keep = parse_head(head)
    if status != 200 or not keep:
        raise BenchError(f"an idle client was answered {status}, {'kept' if keep else 'closed'}")
    left = size - len(body)
    while left > 0:
        left -= len(_some(sock))
    sock.setblocking(False)
    return sock


def _some(sock: socket.socket) -> bytes:
    data = sock.recv(65_536)
    if not data:
        raise BenchError("a client was cut off")
    return data


def _slow(door: Door, path: str) -> socket.socket:
    sock = _connected(door, path, SLOW_RECEIVE_BUFFER_BYTES)
    sock.setblocking(False)
    return sock


def _alive(sock: socket.socket) -> bool:
    with suppress(BlockingIOError):
        try:
            return bool(sock.recv(1))
        except ConnectionError:
            return False
    return True


class _Readers:
    """The slow ones: each gets its turn once a second."""

    def __init__(self, socks: list[socket.socket]) -> None:
        self.socks = socks
        self.bytes = 0
        self._turn = 0

    def take_turn(self) -> None:
        """Read from every tenth of them."""
        for sock in self.socks[self._turn % TURNS_PER_S :: TURNS_PER_S]:
            with suppress(BlockingIOError, ConnectionError):
                self.bytes += len(sock.recv(READ_BYTES_PER_S))
        self._turn += 1


def main(told: str) -> None:
    """Gather, hold on until the input ends, tell who was kept."""
    spec = json.loads(told)
    door, order = Door(**spec["door"]), Order(**spec["order"])
    idle = [_idle(door, order.idle_path) for _ in range(order.idle)]
    readers = _Readers([_slow(door, order.slow_path) for _ in range(order.slow)])
    for _ in range(TURNS_PER_S):
        readers.take_turn()
    print(READY, flush=True)
    while not _input_ended(1 / TURNS_PER_S):
        readers.take_turn()
    kept = Kept(sum(map(_alive, idle)), sum(map(_alive, readers.socks)), readers.bytes)
    print(DONE, json.dumps(asdict(kept)), flush=True)


def _input_ended(timeout_s: float) -> bool:
    """Wait for the end of standard input for so long; whether it came."""
    deadline = time.monotonic() + timeout_s
    readable, _, _ = select.select([sys.stdin], [], [], timeout_s)
    if readable and not sys.stdin.read(1):
        return True
    time.sleep(max(0.0, deadline - time.monotonic()))
    return False


if __name__ == "__main__":
    main(sys.argv[1])

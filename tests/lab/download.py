"""A plain client that reads one object and keeps the time of every byte."""

import contextlib
import socket
import time
from dataclasses import dataclass

READ_BYTES = 1 << 18
HEAD_BYTES_MAX = 65_536
TIMEOUT_S = 120.0


@dataclass(frozen=True, slots=True)
class Download:
    """How one went. `longest_gap_s` is the longest time without a byte, from the first one to the last."""

    status: int
    body: bytes
    complete: bool
    first_byte_s: float
    seconds: float
    longest_gap_s: float


def download(port: int, url: str, *, timeout_s: float = TIMEOUT_S) -> Download:
    """GET in absolute form, as apt asks a proxy on this machine."""
    begun = time.monotonic()
    with contextlib.closing(socket.create_connection(("127.0.0.1", port), timeout_s)) as connection:
        connection.sendall(f"GET {url} HTTP/1.1\r\nHost: archive.example\r\nConnection: close\r\n\r\n".encode())
        head, rest = _head(connection)
        first = last = time.monotonic()
        status, size = int(head[9:12]), _length(head)
        body = bytearray(size)
        view, at, gap = memoryview(body), len(rest), 0.0
        view[:at] = rest
        while at < size:
            count = connection.recv_into(view[at : at + READ_BYTES])
            now = time.monotonic()
            gap, last = max(gap, now - last), now
            if not count:
                break
            at += count
    return Download(status, bytes(body[:at]), at == size, first - begun, last - begun, gap)


def _head(connection: socket.socket) -> tuple[bytes, bytes]:
    buffer = b""
    while b"\r\n\r\n" not in buffer:
        block = connection.recv(READ_BYTES)
        assert block, f"no whole head: {buffer!r}"
        assert len(buffer) < HEAD_BYTES_MAX + READ_BYTES, "a head without an end"
        buffer += block
    head, _, rest = buffer.partition(b"\r\n\r\n")
    return head, rest


def _length(head: bytes) -> int:
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    raise AssertionError(f"no length: {head!r}")

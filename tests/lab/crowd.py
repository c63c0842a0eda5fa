"""Two hundred clients ask for one cold object at once while the preferred source trickles."""

import contextlib
import selectors
import socket
import time
from dataclasses import dataclass

from tests.lab.bulk import CROWD, SUITE, path_of
from tests.lab.faults import TRICKLE
from tests.lab.laboratory import Laboratory
from tests.lab.stage import ROLES
from tests.lab.trees import ALIAS, Trees
from tests.lab.ways import gateway_over

CLIENTS = 200
READ_BYTES = 1 << 18
TIMEOUT_S = 120.0


@dataclass(frozen=True, slots=True)
class Crowd:
    """What was measured. `requests` and `sent_bytes` are the sources', by role, for this object alone."""

    clients: int
    size_bytes: int
    served: int  # clients that got the whole, and the right bytes
    seconds: float
    requests: dict[str, int]
    sent_bytes: dict[str, int]


def measure(laboratory: Laboratory, trees: Trees) -> Crowd:
    """Let them all ask."""
    path = path_of(trees, CROWD)
    expected = trees.archive.read(path)
    trees.oracle().check(path, expected)
    with laboratory.stage(trees=trees) as stage, laboratory.folder() as folder:
        gateway = gateway_over(stage, folder / "gateway")
        try:
            gateway.start(until="/healthz")
            laboratory.client(folder, SUITE).apt(stage, ALIAS, proxy=gateway.url).update().check()
            stage.strike(TRICKLE, ROLES[0])
            begun = time.monotonic()
            served = _ask(gateway.port, f"{ALIAS}/{path}", expected)
            seconds = time.monotonic() - begun
        finally:
            gateway.kill9()
        asked = {source.role: source.server.asked(path) for source in stage.sources}
    return Crowd(
        CLIENTS,
        len(expected),
        served,
        round(seconds, 3),
        {role: len(requests) for role, requests in asked.items()},
        {role: sum(request.sent_bytes for request in requests) for role, requests in asked.items()},
    )


@dataclass(slots=True, eq=False)
class _Member:
    """One client: its connection, the head as far as it came, how much of the body was right."""

    connection: socket.socket
    head: bytes = b""
    right: int = 0
    has_head: bool = False

    def take(self, block: bytes, expected: bytes) -> bool:
        """More came. Whether all of it is what it should be."""
        if not self.has_head:
            self.head += block
            head, found, block = self.head.partition(b"\r\n\r\n")
            if not found:
                return True
            self.has_head = True
            if not head.startswith(b"HTTP/1.1 200 "):
                return False
        as_it_should_be = block == expected[self.right : self.right + len(block)]
        self.right += len(block)
        return as_it_should_be


def _ask(port: int, url: str, expected: bytes) -> int:
    """How many of the crowd got every byte, and right."""
    served = 0
    deadline = time.monotonic() + TIMEOUT_S
    request = f"GET {url} HTTP/1.1\r\nHost: archive.example\r\n\r\n".encode()
    with contextlib.ExitStack() as closing, selectors.DefaultSelector() as selector:
        for _ in range(CLIENTS):
            connection = closing.enter_context(socket.create_connection(("127.0.0.1", port), TIMEOUT_S))
            connection.sendall(request)
            connection.setblocking(False)
            selector.register(connection, selectors.EVENT_READ, _Member(connection))
        while selector.get_map() and time.monotonic() < deadline:
            for key, _ in selector.select(1.0):
                member: _Member = key.data
                block = member.connection.recv(READ_BYTES)
                right = bool(block) and member.take(block, expected)
                whole = right and member.right == len(expected)
                served += whole
                if whole or not right:
                    selector.unregister(member.connection)
    return served

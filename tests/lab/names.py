"""A name server of the laboratory's own, which can deny a name or say nothing at all (RFC 1035)."""

import contextlib
import socket
import struct
import threading

QUERY_BYTES_MAX = 4_096
JOIN_TIMEOUT_S = 5.0
TYPE_A, CLASS_IN = 1, 1
ANSWERED, NO_SUCH_NAME = 0x8580, 0x8583  # a response, authoritative, recursion as asked for and available
TTL_S = 0


class Resolver:
    """Answers questions for IPv4 addresses over UDP from `addresses`; every other name does not exist.

    `absent` and `silent` hold names (lower case) that do not exist, or for which no answer comes, while they are in
    there; whatever ends in such a name goes with it (`_http._tcp.` before it, for apt).
    """

    def __init__(self, host: str, port: int = 0) -> None:
        self.addresses: dict[str, str] = {}
        self.absent: set[str] = set()
        self.silent: set[str] = set()
        self.asked: list[str] = []
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((host, port))
        self.port: int = self._socket.getsockname()[1]
        self._closing = False
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop answering."""
        self._closing = True
        with contextlib.suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as waker:
            waker.sendto(b"", self._socket.getsockname())
        self._thread.join(JOIN_TIMEOUT_S)
        self._socket.close()

    def _run(self) -> None:
        while True:
            query, client = self._socket.recvfrom(QUERY_BYTES_MAX)
            if self._closing:
                return
            with contextlib.suppress(ValueError, IndexError, struct.error, OSError):
                answer = self._answer(query)
                if answer is not None:
                    self._socket.sendto(answer, client)

    def _answer(self, query: bytes) -> bytes | None:
        name, end = _question(query)
        kind, _ = struct.unpack_from(">HH", query, end)
        self.asked.append(name)
        if _within(name, self.silent):
            return None
        address = self.addresses.get(name)
        flags = NO_SUCH_NAME if address is None or _within(name, self.absent) else ANSWERED
        records = []
        if flags == ANSWERED and kind == TYPE_A and address is not None:
            record = struct.pack(">HHHIH", 0xC00C, TYPE_A, CLASS_IN, TTL_S, 4)  # 0xC00C: the name asked for
            records.append(record + socket.inet_aton(address))
        head = query[:2] + struct.pack(">HHHHH", flags, 1, len(records), 0, 0)
        return head + query[12 : end + 4] + b"".join(records)


def _question(query: bytes) -> tuple[str, int]:
    """The first question's name in lower case, and where its type stands."""
    labels, at = [], 12
    while length := query[at]:
        labels.append(query[at + 1 : at + 1 + length].decode("ascii"))
        at += 1 + length
    return ".".join(labels).lower(), at + 1


def _within(name: str, names: set[str]) -> bool:
    return any(name == one or name.endswith(f".{one}") for one in names)

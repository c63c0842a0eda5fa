"""Counting and logging, in batches: a request costs one append, the rest is done once a second."""

import re
import time
from collections import Counter
from collections.abc import Callable
from typing import NamedTuple

import msgspec

WAITING_MAX = 100_000
_HIDDEN = re.compile(r"[^ -~]").sub


class Answered(NamedTuple):
    """One answer: who asked, the request line, the status, the body's bytes, and how it was come by."""

    peer: str
    line: bytes
    status: int
    size: int
    how: str


class _Line(msgspec.Struct):
    at: str
    event: str
    client: str
    request: str
    status: int
    bytes: int
    how: str


class AccessLog:
    """Answers as they are given; `flush` counts them and, if wanted, writes a line for each."""

    def __init__(self, write: Callable[[bytes], None] | None) -> None:
        self._waiting: list[tuple[str, bytes, int, int, str]] = []
        self.note = self._waiting.append
        """Takes the fields of an `Answered` as a plain tuple, which costs a third of making one."""
        self._write = write
        self.by_how: Counter[str] = Counter()
        self.by_status: Counter[int] = Counter()
        self.bytes = 0
        self.on_refusal: Callable[[str, str], None] | None = None
        """Called with the request line and the reason of each refusal."""

    def flush(self) -> None:
        """Count what was answered since the last time, and write it down."""
        if not self._waiting:
            return
        for _, line, status, size, how in self._waiting:
            if self.on_refusal is not None and how.startswith("refused; "):
                self.on_refusal(line.decode("latin-1"), how[len("refused; ") :])
            self.by_how[how.partition(";")[0]] += 1
            self.by_status[status] += 1
            self.bytes += size
        if self._write is not None:
            at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
            self._write(b"".join([_line(at, Answered(*one)) for one in self._waiting]))
        self._waiting.clear()


def _line(at: str, answered: Answered) -> bytes:
    """A JSON line of printable ASCII (threat 42): a request line is checked beforehand, a source's words are not."""
    told = _Line(
        at,
        "answered",
        answered.peer,
        _HIDDEN("?", answered.line.decode("latin-1")),
        answered.status,
        answered.size,
        _HIDDEN("?", answered.how),
    )
    return msgspec.json.encode(told) + b"\n"

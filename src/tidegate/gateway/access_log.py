"""Counting and logging, in batches: a request costs one append, the rest is done once a second."""

import time
from collections import Counter
from collections.abc import Callable
from typing import NamedTuple

WAITING_MAX = 100_000


class Answered(NamedTuple):
    """One answer: who asked, the request line, the status, the body's bytes, and how it was come by."""

    peer: str
    line: bytes
    status: int
    size: int
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
            self._write("".join([_line(at, Answered(*one)) for one in self._waiting]).encode())
        self._waiting.clear()


def _line(at: str, answered: Answered) -> str:
    """A JSON line. Request lines hold no quotes and no backslashes (request.py sees to it), nor do our reasons."""
    how = answered.how.replace("\\", "/").replace('"', "'")
    return (
        f'{{"at":"{at}","event":"answered","client":"{answered.peer}","request":"{answered.line.decode("latin-1")}",'
        f'"status":{answered.status},"bytes":{answered.size},"how":"{how}"}}\n'
    )

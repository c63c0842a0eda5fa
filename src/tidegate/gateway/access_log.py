"""Counting and logging, in batches: a request costs one append, the rest is done once a second.

Lines are written by a thread of their own: standard output may be a pipe whose reader stands still, and then clients
must not wait for the log.
"""

import os
import re
import select
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from queue import SimpleQueue
from typing import NamedTuple

import msgspec

WAITING_MAX = 100_000
"""Lines that may wait for a reader who is slow. Those that come beyond are dropped and counted."""
CLOSE_WAIT_S = 2.0
"""How long the end waits for such a reader."""
LACKING = "lacking; "
"""How a refusal begins whose cause is that we lack what was asked for, and could not get it."""
_HIDDEN = re.compile(r"[^ -~]").sub


def write_lines(fd: int, lines: bytes) -> None:
    """Whole lines, in pieces that a pipe takes at once (PIPE_BUF), so that no other writer's come in between.

    Past Python's buffers, whose lock a writer that stands still would hold. Raises OSError.
    """
    start = 0
    while start < len(lines):
        end = lines.rfind(b"\n", start, start + select.PIPE_BUF) + 1 or lines.find(b"\n", start) + 1 or len(lines)
        piece = memoryview(lines)[start:end]
        while piece:
            piece = piece[os.write(fd, piece) :]
        start = end


class Answered(NamedTuple):
    """One answer: who asked, the request line, the status, the body's bytes, and how it was come by."""

    peer: str
    line: bytes
    status: int
    size: int
    how: str


_Noted = tuple[str, bytes, int, int, str]


class _Line(msgspec.Struct):
    at: str
    event: str
    client: str
    request: str
    status: int
    bytes: int
    how: str


class _Dropped(msgspec.Struct):
    at: str
    event: str
    answers: int


class AccessLog:
    """Answers as they are given; `flush` counts them and, if wanted, has a line written for each."""

    def __init__(self, write: Callable[[bytes], None] | None) -> None:
        """`write` takes whole lines, in a thread; it may block, and raises OSError where they cannot be written."""
        self._waiting: list[_Noted] = []
        self.note = self._waiting.append
        """Takes the fields of an `Answered` as a plain tuple, which costs a third of making one."""
        self._lines = None if write is None else _Lines(write)
        self.by_how: Counter[str] = Counter()
        self.by_status: Counter[int] = Counter()
        self.bytes = 0
        self.lacking = 0
        """Refusals of what is not held and could not be had: an outage that clients felt."""
        self.on_refusal: Callable[[str, str], None] | None = None
        """Called with the request line and the reason of each refusal."""

    def flush(self) -> None:
        """Count what was answered since the last time, and hand it to whoever writes it down. Never blocks."""
        if not self._waiting:
            return
        for _, line, status, size, how in self._waiting:
            word, _, more = how.partition("; ")
            if word == "refused":
                self._refused(line, more)
            self.by_how[word] += 1
            self.by_status[status] += 1
            self.bytes += size
        if self._lines is not None:
            self._lines.put(self._waiting.copy())
        self._waiting.clear()

    def _refused(self, line: bytes, why: str) -> None:
        self.lacking += why.startswith(LACKING)
        if self.on_refusal is not None:
            self.on_refusal(line.decode("latin-1"), why.removeprefix(LACKING))

    def close(self) -> None:
        """Count and write down what waits, within CLOSE_WAIT_S."""
        self.flush()
        if self._lines is not None:
            self._lines.close()


class _Lines:
    """The lines on their way out: a bounded queue and a thread that empties it."""

    def __init__(self, write: Callable[[bytes], None]) -> None:
        self._write = write
        self._batches: SimpleQueue[tuple[str, Sequence[_Noted]] | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._waiting = 0
        self._dropped = 0
        self._thread = threading.Thread(target=self._run, name="access-log", daemon=True)
        self._thread.start()

    def put(self, batch: Sequence[_Noted]) -> None:
        """Take what there is room for."""
        with self._lock:
            taken = batch[: WAITING_MAX - self._waiting]
            self._waiting += len(taken)
            self._dropped += len(batch) - len(taken)
        if taken:
            self._batches.put((_now(), taken))

    def close(self) -> None:
        """Let the thread finish; it ends with the process if its reader stands still."""
        self._batches.put(None)
        self._thread.join(CLOSE_WAIT_S)

    def _run(self) -> None:
        while batch := self._batches.get():
            at, answers = batch
            try:
                self._write(b"".join([_line(at, Answered(*one)) for one in answers]))
                lost = 0
            except OSError:  # nobody reads any more, or the disk behind it is full
                lost = len(answers)
            with self._lock:
                self._waiting -= len(answers)
                self._dropped += lost
            self._tell_dropped()
        self._tell_dropped()

    def _tell_dropped(self) -> None:
        """A line about the lines that are missing; counted on where even that cannot be written."""
        with self._lock:
            dropped, self._dropped = self._dropped, 0
        if not dropped:
            return
        try:
            self._write(msgspec.json.encode(_Dropped(_now(), "not-logged", dropped)) + b"\n")
        except OSError:
            with self._lock:
                self._dropped += dropped


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


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

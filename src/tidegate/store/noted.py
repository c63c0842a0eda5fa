"""What was noted and is not in the journal yet: a line for each event, in files that outlive the process.

One write(2) into the kernel's cache takes microseconds and waits for no other process, as a commit of SQLite would; and
kill -9 takes nothing of it away (a power cut does). A *pen* has two pages: events are noted on one while the journal
takes in the other, which is emptied then; so both stay small, however long and fast it writes.

    STATE/noted/PEN.0, PEN.1    a newline, then JSON: number, at_us, monotonic_us, boot, drill, kind, subject, data

A pen holds an flock on its first page, which the kernel drops with the process. Whoever opens the journal appends what
pens without one left behind. The journal keeps, in the transaction that appends it, the number of a pen's last line, so
that nothing is in it twice.
"""

import contextlib
import errno
import fcntl
import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from tidegate.store.journal import Happening, Moment, moment_now

PAGE_BYTES_MAX = 8 << 20
"""Beyond so much on one page the journal is too slow, and events are dropped."""
LINE_BYTES_MAX = 1 << 20
PENS_AT_ONCE = 64
"""Of pens left behind, taken in by one who opens the journal."""
_FIRST, _SECOND = ".0", ".1"


class Line(NamedTuple):
    """A line of a pen: its name, and the line's number, from 1 on."""

    pen: str
    number: int


def encoded(number: int, one: Happening) -> bytes:
    """An event as a line. A torn one before it cannot spoil it."""
    fields = (number, *(one.moment or moment_now()), one.drill, one.kind, one.subject, one.data)
    return b"\n" + json.dumps(fields).encode("ascii")


def decoded(line: bytes) -> tuple[int, Happening] | None:
    """The event of a line; None for one that is torn."""
    try:
        number, at_us, monotonic_us, boot, drill, kind, subject, data = json.loads(line)
    except (ValueError, TypeError, RecursionError):
        return None
    whole = all(type(one) is int for one in (number, at_us, monotonic_us)) and type(data) is dict
    if not whole or not all(type(one) is str for one in (boot, drill, kind, subject)):
        return None
    return number, Happening(kind, subject, data, drill, Moment(at_us, monotonic_us, boot))


class Pages:
    """The two pages of a pen that writes. Not for several threads at once."""

    def __init__(self, directory: Path) -> None:
        """Raises OSError."""
        directory.mkdir(mode=0o700, exist_ok=True)
        self.pen = secrets.token_hex(8)
        self._paths = directory / f"{self.pen}{_FIRST}", directory / f"{self.pen}{_SECOND}"
        self._fds = [_locked(self._paths[0])]
        try:
            self._fds.append(_opened(self._paths[1]))
        except OSError:
            self.close()
            raise
        self._on = 0

    def write(self, line: bytes) -> None:
        """Add a line to the page that is written on. Raises OSError where it is not there whole."""
        if os.write(self._fds[self._on], line) != len(line):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def turn(self) -> None:
        """Write on the other page from now on."""
        self._on = 1 - self._on

    def empty(self) -> None:
        """What stands on the page that is not written on is in the journal, or given up. Raises OSError."""
        os.ftruncate(self._fds[1 - self._on], 0)

    def close(self) -> None:
        """Nothing is left on either."""
        for path in reversed(self._paths):  # the locked one last: who finds it finds all
            path.unlink(missing_ok=True)
        for fd in self._fds:
            os.close(fd)


@dataclass(frozen=True, slots=True)
class Left:
    """What a pen left behind, in the order in which it was noted."""

    pen: str
    lines: tuple[tuple[int, Happening], ...]


@contextmanager
def left_behind(directory: Path) -> Iterator[tuple[Left, ...]]:
    """What pens of processes that are gone noted, for the block to keep; removed behind it, unless it raises.

    Held by a lock meanwhile: whoever comes at the same time finds nothing. Raises OSError.
    """
    with contextlib.ExitStack() as held:
        paths = list(islice(_ownerless(directory, held), PENS_AT_ONCE))
        yield tuple(_read(path) for path in paths)
        for path in paths:
            path.with_suffix(_SECOND).unlink(missing_ok=True)
            path.unlink(missing_ok=True)
        if paths:
            synced(directory)


def pens(directory: Path) -> frozenset[str]:
    """The pens that have a page there."""
    return frozenset(path.stem for path in directory.glob(f"*{_FIRST}"))


def synced(directory: Path) -> None:
    """What was removed from a directory does not come back after a power cut. Raises OSError."""
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _ownerless(directory: Path, held: contextlib.ExitStack) -> Iterator[Path]:
    for path in sorted(directory.glob(f"*{_FIRST}")):
        try:
            fd = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
        except FileNotFoundError:
            continue
        held.callback(os.close, fd)
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.fstat(fd).st_nlink:  # else somebody took it in, and removed it, while we opened it
                yield path


def _read(path: Path) -> Left:
    found: list[tuple[int, Happening]] = []
    for page in (path, path.with_suffix(_SECOND)):
        with contextlib.suppress(FileNotFoundError), page.open("rb") as file:
            text = file.read(PAGE_BYTES_MAX + LINE_BYTES_MAX)
            found += (line for one in text.split(b"\n") if (line := decoded(one)) is not None)
    return Left(path.stem, tuple(sorted(found, key=lambda line: line[0])))


def _opened(path: Path) -> int:
    return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)


def _locked(path: Path) -> int:
    """A page of ours. One that is found before it is locked is removed as one that was left."""
    while True:
        fd = _opened(path)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            is_there = os.fstat(fd).st_nlink > 0
        except OSError:  # a file system without locks
            os.close(fd)
            raise
        if is_there:
            return fd
        os.close(fd)

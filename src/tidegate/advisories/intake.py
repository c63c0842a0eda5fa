"""The child process that reads a feed into the history: `python -m tidegate.advisories.intake`.

A job comes on standard input; answers go to standard output, a line each, the last of them an end (`Taken`,
`NotTaken`). What a feed does to its reader, it does to this process: memory and time are limited, and both go with it.
"""

import ctypes
import fcntl
import os
import resource
import signal
import sqlite3
import sys
import time
from enum import StrEnum
from pathlib import Path
from typing import TextIO

import msgspec

from tidegate.advisories import containers
from tidegate.advisories.documents import is_name
from tidegate.advisories.from_files import take_in_path
from tidegate.advisories.history import Provenance, Verified
from tidegate.advisories.sqlite_history import SqliteHistory
from tidegate.advisories.taking_in import NotTakenInError, OlderFeedError
from tidegate.archive.errors import FormatError

PROBLEMS_TOLD_MAX = 10
TELL_INTERVAL_S = 0.5
NICENESS = 10
LOCK = ".importing"
"""In the folder of all feeds: one import at a time, since SQLite has one writer."""
_PR_SET_PDEATHSIG = 1
_MARKUP = (b"<!doctype html", b"<html")


class Task(StrEnum):
    """What is to be done."""

    TAKE_IN = "take-in"
    CONFIRM = "confirm"
    LOOK_AT = "look-at"
    """Of what nobody here reads: whether it is whole, and no page of somebody's portal."""


class Job(msgspec.Struct, frozen=True):
    """One task. `digest` is in hexadecimal; times are epoch seconds."""

    task: Task
    feed: str
    history: str
    feeds: str
    path: str
    origin: str
    fetched_at: int
    digest: str = ""
    verified: Verified = Verified.NOTHING
    published: int | None = None
    may_vanish: bool = False
    memory_bytes_max: int = 2**31


class Looking(msgspec.Struct, frozen=True, tag="looking"):
    """So many records were looked at."""

    records: int


class Taken(msgspec.Struct, frozen=True, tag="taken"):
    """What an import did; see `taking_in.TakenIn`. `problems` are the first of `unreadable` in all."""

    unchanged: bool = False
    seen: int = 0
    read: int = 0
    retracted: int = 0
    statements_changed: int = 0
    unreadable: int = 0
    problems: tuple[str, ...] = ()


class Why(StrEnum):
    """Whose fault it is that nothing was taken in."""

    UNFIT = "unfit"
    """The bytes are no such feed, or too much of one."""
    OLDER = "older"
    OURS = "ours"


class NotTaken(msgspec.Struct, frozen=True, tag="not-taken"):
    """What was known before stands."""

    why: Why
    what: str


Answer = Looking | Taken | NotTaken


def main() -> None:
    """One job, from its line to its last answer."""
    job = msgspec.json.decode(sys.stdin.buffer.read(), type=Job)
    _bound(job)
    _tell(sys.stdout, done(job, sys.stdout))


def done(job: Job, out: TextIO) -> Taken | NotTaken:
    """Do it. Only what is a defect of ours is raised."""
    try:
        if job.task is Task.LOOK_AT:
            return _look_at(Path(job.path))
        lock = os.open(Path(job.feeds, LOCK), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            return _with_history(job, out)
        finally:
            os.close(lock)
    except OlderFeedError as error:
        return NotTaken(Why.OLDER, str(error))
    except (NotTakenInError, FormatError) as error:
        return NotTaken(Why.UNFIT, str(error))
    except MemoryError:
        return NotTaken(Why.UNFIT, f"reading it takes more than {job.memory_bytes_max:,} bytes of memory")
    except (OSError, sqlite3.Error) as error:
        return NotTaken(Why.OURS, str(error))


def _with_history(job: Job, out: TextIO) -> Taken:
    history = SqliteHistory(Path(job.history))
    try:
        if job.task is Task.CONFIRM:
            digest = bytes.fromhex(job.digest)
            history.confirm(Provenance(job.feed, job.origin, job.fetched_at, digest, job.verified))
            return Taken(unchanged=True)
        taken = take_in_path(
            history,
            job.feed,
            Path(job.path),
            origin=job.origin,
            fetched_at=job.fetched_at,
            verified=job.verified,
            published=job.published,
            may_vanish=job.may_vanish,
            progress=_Teller(out).told,
        )
    finally:
        history.close()
    return Taken(
        unchanged=taken.unchanged,
        seen=taken.seen,
        read=taken.read,
        retracted=taken.retracted,
        statements_changed=taken.statements_changed,
        unreadable=len(taken.problems),
        problems=tuple(str(one)[:500] for one in taken.problems[:PROBLEMS_TOLD_MAX]),
    )


def _look_at(path: Path) -> Taken:
    """Unpack it to its end, as its name says that it is packed. Raises FormatError."""
    size, head = 0, b""
    for chunk in containers.content(path):
        head = head or bytes(chunk[:64])
        size += len(chunk)
    if not size:
        raise FormatError("it is empty")
    if head.lstrip().lower().startswith(_MARKUP):
        raise FormatError("it is a web page")
    return Taken(seen=1, read=1)


class _Teller:
    """Progress, not too often."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._next = 0.0

    def told(self, records: int) -> None:
        if (now := time.monotonic()) >= self._next:
            self._next = now + TELL_INTERVAL_S
            _tell(self._out, Looking(records))


def _tell(out: TextIO, answer: Answer) -> None:
    out.write(msgspec.json.encode(answer).decode() + "\n")
    out.flush()


def _bound(job: Job) -> None:
    """End with whoever started us, stand behind who serves, and take no more memory than is allowed."""
    assert is_name(job.feed)
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    os.nice(NICENESS)
    resource.setrlimit(resource.RLIMIT_AS, (job.memory_bytes_max, job.memory_bytes_max))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


if __name__ == "__main__":
    main()

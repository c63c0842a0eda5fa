"""The journal: append-only events, the record that everything told afterwards stands on.

An event is a fact at a time. Both clocks are kept: wall time orders it among the world's events, the monotonic
clock (with the boot it belongs to) tells durations that a stepped wall clock cannot bend.
"""

import json
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from tidegate.store.sqlite import connect, transaction

Value = str | int | float | bool | None
TEXT_MAX = 2_000


@dataclass(frozen=True, slots=True)
class Happening:
    """What is to be written down: a kind (`adopted`, `refused`, `source-failed`…), its subject, and the evidence."""

    kind: str
    subject: str
    data: Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class Event:
    """A line of the journal. `seq` has no gaps; `at` is epoch seconds; `monotonic_s` counts since `boot` began."""

    seq: int
    at: float
    monotonic_s: float
    boot: str
    kind: str
    subject: str
    data: Mapping[str, Value]


def boot_id() -> str:
    """Which boot of this machine the monotonic clock belongs to (random(4))."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return "unknown"


def plain(one: Happening) -> Happening:
    """A happening made safe to keep: bounded, and control bytes shown as escapes (threat 42)."""
    data = {_shown(key): _shown(value) if isinstance(value, str) else value for key, value in one.data.items()}
    return Happening(_shown(one.kind), _shown(one.subject), data)


def _shown(text: str) -> str:
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text[:TEXT_MAX])


class Journal(Protocol):
    """Every implementation passes tests/store/journal_contract.py."""

    def append(self, happenings: Sequence[Happening]) -> None:
        """Write events down, in order, durably, all or none. Raises OSError when that is not possible."""
        ...

    def read(self, *, after: int = 0, limit: int = 1000) -> tuple[Event, ...]:
        """Events with a higher `seq`, oldest first."""
        ...

    def last(self, limit: int) -> tuple[Event, ...]:
        """The newest events, oldest of them first."""
        ...


class MemoryJournal:
    """`Journal` in a list."""

    def __init__(self) -> None:
        self._events: list[Event] = []
        self._boot = boot_id()

    def append(self, happenings: Sequence[Happening]) -> None:
        for one in map(plain, happenings):
            seq = len(self._events) + 1
            self._events.append(Event(seq, time.time(), time.monotonic(), self._boot, one.kind, one.subject, one.data))

    def read(self, *, after: int = 0, limit: int = 1000) -> tuple[Event, ...]:
        return tuple(self._events[after : after + limit])

    def last(self, limit: int) -> tuple[Event, ...]:
        return tuple(self._events[-limit:]) if limit else ()


_SCHEMA = """
CREATE TABLE IF NOT EXISTS event (
  seq INTEGER PRIMARY KEY AUTOINCREMENT, at REAL NOT NULL, monotonic_s REAL NOT NULL, boot TEXT NOT NULL,
  kind TEXT NOT NULL, subject TEXT NOT NULL, data TEXT NOT NULL);
"""


class SqliteJournal:
    """`Journal` in SQLite; each append is on the disk before it returns, and several processes may append."""

    def __init__(self, path: Path) -> None:
        self._connection = connect(path, sync="FULL", schema=_SCHEMA)
        self._lock = threading.Lock()
        self._boot = boot_id()

    def close(self) -> None:
        self._connection.close()

    def append(self, happenings: Sequence[Happening]) -> None:
        with self._lock, transaction(self._connection) as write:
            write.executemany(
                "INSERT INTO event (at, monotonic_s, boot, kind, subject, data) VALUES (?, ?, ?, ?, ?, ?)",
                (
                    (
                        time.time(),
                        time.monotonic(),
                        self._boot,
                        one.kind,
                        one.subject,
                        json.dumps(one.data),
                    )
                    for one in map(plain, happenings)
                ),
            )

    def read(self, *, after: int = 0, limit: int = 1000) -> tuple[Event, ...]:
        return self._events("SELECT * FROM event WHERE seq > ? ORDER BY seq LIMIT ?", (after, limit))

    def last(self, limit: int) -> tuple[Event, ...]:
        newest = "SELECT * FROM (SELECT * FROM event ORDER BY seq DESC LIMIT ?) ORDER BY seq"
        return self._events(newest, (limit,))

    def _events(self, query: str, arguments: tuple[int, ...]) -> tuple[Event, ...]:
        with self._lock:
            rows = self._connection.execute(query, arguments).fetchall()
        return tuple(
            Event(seq, at, monotonic_s, boot, kind, subject, json.loads(data))
            for seq, at, monotonic_s, boot, kind, subject, data in rows
        )

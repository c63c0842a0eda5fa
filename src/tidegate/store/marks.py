"""High-water marks: the newest Release ever accepted of each suite. Durable, and apart from the cache (threat 9).

Beside the mark stand the Dates of the Releases accepted so far: a suite's rhythm is learned from them (threat 10).
"""

import json
import threading
from dataclasses import asdict
from pathlib import Path
from typing import Protocol

from tidegate.store.sqlite import connect, transaction
from tidegate.trust.acceptance import Mark

DATES_MAX = 64
"""Of one suite; the oldest go first."""


class Marks(Protocol):
    """Every implementation passes tests/store/marks_contract.py."""

    def get(self, archive: str, suite: str) -> Mark | None:
        """The mark of a suite, or None when nothing was ever accepted."""
        ...

    def rise(self, archive: str, suite: str, mark: Mark) -> None:
        """Set the mark, durably; one with an older date than what stands is ignored: a mark never falls.

        Raises OSError where it cannot be written.
        """
        ...

    def all(self) -> tuple[tuple[str, str, Mark], ...]:
        """Every mark with its archive and suite."""
        ...

    def dates(self, archive: str, suite: str) -> tuple[int, ...]:
        """The Dates that the mark has stood at, oldest first, DATES_MAX of them at most."""
        ...


class MemoryMarks:
    """`Marks` in a dictionary."""

    def __init__(self) -> None:
        self._marks: dict[tuple[str, str], Mark] = {}
        self._dates: dict[tuple[str, str], tuple[int, ...]] = {}

    def get(self, archive: str, suite: str) -> Mark | None:
        return self._marks.get((archive, suite))

    def rise(self, archive: str, suite: str, mark: Mark) -> None:
        current = self._marks.get((archive, suite))
        if current is None or mark.date >= current.date:
            self._marks[archive, suite] = mark
            dates = self.dates(archive, suite)
            if mark.date not in dates:
                self._dates[archive, suite] = (*dates, mark.date)[-DATES_MAX:]

    def dates(self, archive: str, suite: str) -> tuple[int, ...]:
        return self._dates.get((archive, suite), ())

    def all(self) -> tuple[tuple[str, str, Mark], ...]:
        return tuple(
            (archive, suite, mark) for (archive, suite), mark in sorted(self._marks.items(), key=lambda i: i[0])
        )


_SCHEMA = """
CREATE TABLE IF NOT EXISTS mark (
  archive TEXT, suite TEXT, date INTEGER NOT NULL, mark TEXT NOT NULL, PRIMARY KEY (archive, suite)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS accepted (
  archive TEXT, suite TEXT, date INTEGER NOT NULL, PRIMARY KEY (archive, suite, date)) WITHOUT ROWID;
"""
_FORGET = (
    "DELETE FROM accepted WHERE archive = :archive AND suite = :suite AND date <= (SELECT date FROM accepted"
    " WHERE archive = :archive AND suite = :suite ORDER BY date DESC LIMIT 1 OFFSET :kept)"
)


def _dump(mark: Mark) -> str:
    return json.dumps(asdict(mark) | {"digest": mark.digest.hex()})


def _load(text: str) -> Mark:
    values = json.loads(text)
    return Mark(**values | {"digest": bytes.fromhex(values["digest"]), "signers": tuple(values["signers"])})


class SqliteMarks:
    """`Marks` in SQLite, on the disk before `rise` returns."""

    def __init__(self, path: Path) -> None:
        self._connection = connect(path, sync="FULL", schema=_SCHEMA)
        self._lock = threading.Lock()

    def close(self) -> None:
        self._connection.close()

    def get(self, archive: str, suite: str) -> Mark | None:
        with self._lock:
            row = self._connection.execute(
                "SELECT mark FROM mark WHERE archive = ? AND suite = ?", (archive, suite)
            ).fetchone()
        return None if row is None else _load(row[0])

    def rise(self, archive: str, suite: str, mark: Mark) -> None:
        with self._lock, transaction(self._connection) as write:
            risen = write.execute(
                "INSERT INTO mark VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE"
                " SET date = excluded.date, mark = excluded.mark WHERE excluded.date >= mark.date",
                (archive, suite, mark.date, _dump(mark)),
            ).rowcount
            if risen:
                write.execute("INSERT OR IGNORE INTO accepted VALUES (?, ?, ?)", (archive, suite, mark.date))
                write.execute(_FORGET, {"archive": archive, "suite": suite, "kept": DATES_MAX})

    def dates(self, archive: str, suite: str) -> tuple[int, ...]:
        with self._lock:
            rows = self._connection.execute(
                "SELECT date FROM accepted WHERE archive = ? AND suite = ? ORDER BY date", (archive, suite)
            ).fetchall()
        return tuple(row[0] for row in rows)

    def all(self) -> tuple[tuple[str, str, Mark], ...]:
        with self._lock:
            rows = self._connection.execute("SELECT archive, suite, mark FROM mark ORDER BY archive, suite").fetchall()
        return tuple((archive, suite, _load(mark)) for archive, suite, mark in rows)

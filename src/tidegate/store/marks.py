"""High-water marks: the newest Release ever accepted of each suite. Durable, and apart from the cache (threat 9)."""

import json
import threading
from dataclasses import asdict
from pathlib import Path
from typing import Protocol

from tidegate.store.sqlite import connect, transaction
from tidegate.trust.acceptance import Mark


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


class MemoryMarks:
    """`Marks` in a dictionary."""

    def __init__(self) -> None:
        self._marks: dict[tuple[str, str], Mark] = {}

    def get(self, archive: str, suite: str) -> Mark | None:
        return self._marks.get((archive, suite))

    def rise(self, archive: str, suite: str, mark: Mark) -> None:
        current = self._marks.get((archive, suite))
        if current is None or mark.date >= current.date:
            self._marks[archive, suite] = mark

    def all(self) -> tuple[tuple[str, str, Mark], ...]:
        return tuple(
            (archive, suite, mark) for (archive, suite), mark in sorted(self._marks.items(), key=lambda i: i[0])
        )


_SCHEMA = """
CREATE TABLE IF NOT EXISTS mark (
  archive TEXT, suite TEXT, date INTEGER NOT NULL, mark TEXT NOT NULL, PRIMARY KEY (archive, suite)) WITHOUT ROWID;
"""


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
            write.execute(
                "INSERT INTO mark VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE"
                " SET date = excluded.date, mark = excluded.mark WHERE excluded.date >= mark.date",
                (archive, suite, mark.date, _dump(mark)),
            )

    def all(self) -> tuple[tuple[str, str, Mark], ...]:
        with self._lock:
            rows = self._connection.execute("SELECT archive, suite, mark FROM mark ORDER BY archive, suite").fetchall()
        return tuple((archive, suite, _load(mark)) for archive, suite, mark in rows)

"""How we open SQLite: write-ahead log, one writer at a time, readers never wait."""

import errno
import sqlite3
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

BUSY_TIMEOUT_S = 20.0
BUSY_PAUSE_S = 0.01
ROWS_AT_ONCE = 4096
_BUSY = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL})
_NO_ROOM = frozenset({sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_SHMSIZE})


@dataclass(frozen=True, slots=True)
class FileForm:
    """Which form a database has (`user_version`), and what to do about one of another."""

    number: int
    todo: str


def connect(
    path: Path, *, sync: Literal["FULL", "NORMAL"], schema: str, form: FileForm | None = None
) -> sqlite3.Connection:
    """A connection in autocommit mode, its schema in place.

    Raises sqlite3.Error, and OSError for a full disk or another `form`.
    """
    connection = sqlite3.connect(path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False)
    try:
        _to_wal(connection)
        connection.execute(f"PRAGMA synchronous = {sync}")
        connection.execute("PRAGMA foreign_keys = ON")
        if form is not None:
            _hold_to(form, connection, path)
        connection.executescript(schema)
    except OSError:
        connection.close()
        raise
    except sqlite3.Error as error:
        connection.close()
        if error.sqlite_errorcode in _NO_ROOM:
            told = "the disk is full, and its database cannot be opened: free 1 MiB there, and try again"
            raise OSError(errno.ENOSPC, told, str(path)) from error
        raise
    return connection


def _hold_to(form: FileForm, connection: sqlite3.Connection, path: Path) -> None:
    """Write the form into a new database. Raises OSError for one of another form."""
    (found,) = connection.execute("PRAGMA user_version").fetchone()
    (is_new,) = connection.execute("SELECT NOT EXISTS (SELECT 1 FROM sqlite_schema)").fetchone()
    if is_new:
        connection.execute(f"PRAGMA user_version = {form.number}")
    elif found != form.number:
        told = f"made by another version of Tidegate (form {found}, not {form.number}): {form.todo}"
        raise OSError(errno.EINVAL, told, str(path))


def _to_wal(connection: sqlite3.Connection) -> None:
    """Switch a new database to the write-ahead log.

    Two processes that switch at once can each wait for the other until SQLite's time limit, or fail at once; so the
    turns are taken here, in small steps. Whatever else is wrong does not get better by waiting.
    """
    deadline = time.monotonic() + BUSY_TIMEOUT_S
    connection.execute("PRAGMA busy_timeout = 0")
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF not in _BUSY or time.monotonic() >= deadline:
                raise
            time.sleep(BUSY_PAUSE_S)
        else:
            break
    connection.execute(f"PRAGMA busy_timeout = {int(BUSY_TIMEOUT_S * 1000)}")


class Reading:
    """Reads a database through a connection of its own, for any thread; a long answer lets others read in between."""

    def __init__(self, path: Path) -> None:
        """Raises what `connect` raises. Its schema is in place already."""
        self._connection = connect(path, sync="NORMAL", schema="")
        self._lock = threading.Lock()

    def close(self) -> None:
        """Read no more."""
        self._connection.close()

    def rows(self, sql: str, values: Mapping[str, object] | Sequence[object] = ()) -> list[Any]:
        """All rows at once."""
        with self._lock:
            return self._connection.execute(sql, values).fetchall()

    def each(self, sql: str, values: Mapping[str, object] | Sequence[object] = ()) -> Iterator[Any]:
        """Row after row, however many: ROWS_AT_ONCE of them are in memory."""
        with self._lock:
            cursor = self._connection.execute(sql, values)
        try:
            while True:
                with self._lock:
                    rows = cursor.fetchmany(ROWS_AT_ONCE)
                if not rows:
                    return
                yield from rows
        finally:
            with self._lock:
                cursor.close()


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    """All of the block's writes, or none. Raises OSError where the disk or another writer does not let us.

    SQLite ends some transactions by itself when the disk is full, and leaves one open whose commit failed.
    """
    try:
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield connection
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
    except sqlite3.Error as error:
        raise OSError(f"the database cannot be written: {error}") from error

"""How we open SQLite: write-ahead log, one writer at a time, readers never wait."""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

BUSY_TIMEOUT_S = 20.0
BUSY_PAUSE_S = 0.01


def connect(path: Path, *, sync: Literal["FULL", "NORMAL"], schema: str) -> sqlite3.Connection:
    """A connection in autocommit mode, its schema in place. Raises sqlite3.Error."""
    connection = sqlite3.connect(path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False)
    _to_wal(connection)
    connection.execute(f"PRAGMA synchronous = {sync}")
    connection.execute("PRAGMA foreign_keys = ON")
    connection.executescript(schema)
    return connection


def _to_wal(connection: sqlite3.Connection) -> None:
    """Switch a new database to the write-ahead log.

    Two processes that switch at once can each wait for the other until SQLite's time limit, or fail at once; so the
    turns are taken here, in small steps.
    """
    deadline = time.monotonic() + BUSY_TIMEOUT_S
    connection.execute("PRAGMA busy_timeout = 0")
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError:
            if time.monotonic() >= deadline:
                raise
            time.sleep(BUSY_PAUSE_S)
        else:
            break
    connection.execute(f"PRAGMA busy_timeout = {int(BUSY_TIMEOUT_S * 1000)}")


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

"""How we open SQLite: write-ahead log, one writer at a time, readers never wait."""

import sqlite3
from pathlib import Path
from typing import Literal

BUSY_TIMEOUT_S = 20.0


def connect(path: Path, *, sync: Literal["FULL", "NORMAL"], schema: str) -> sqlite3.Connection:
    """A connection in autocommit mode, its schema in place. Raises sqlite3.Error."""
    connection = sqlite3.connect(path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute(f"PRAGMA synchronous = {sync}")
    connection.execute("PRAGMA foreign_keys = ON")
    connection.executescript(schema)
    return connection

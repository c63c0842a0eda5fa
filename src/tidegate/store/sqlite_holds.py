"""The hot set's facts in SQLite: shared by all workers and by the commands, and on the disk before a call returns."""

import json
import sqlite3
import threading
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tidegate.store.holds import (
    FADING,
    PROBLEMS_MAX,
    UPGRADES_MAX,
    USED_MAX,
    WISHES_MAX,
    Hold,
    Origin,
    PackageKey,
    Reported,
    Wish,
    most_reported,
    too_many_wishes,
)
from tidegate.store.sqlite import connect, transaction

_SCHEMA = """
CREATE TABLE IF NOT EXISTS hold (
  archive TEXT, suite TEXT, component TEXT, architecture TEXT, name TEXT, origin TEXT, author TEXT,
  since INTEGER NOT NULL, last_used_at INTEGER NOT NULL, uses INTEGER NOT NULL,
  PRIMARY KEY (name, archive, suite, component, architecture, origin, author)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS wish (name TEXT PRIMARY KEY, wish TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS problems (
  origin TEXT, author TEXT, problems TEXT NOT NULL, PRIMARY KEY (origin, author)) WITHOUT ROWID;
"""
_COLUMNS = "SELECT archive, suite, component, architecture, name, origin, author, since, last_used_at, uses FROM hold"
_ORDER = " ORDER BY name, archive, suite, component, architecture, origin, author"
_USED = (
    "INSERT INTO hold VALUES (?, ?, ?, ?, ?, 'clients', '', ?, ?, 1) ON CONFLICT DO UPDATE"
    " SET last_used_at = max(last_used_at, excluded.last_used_at), uses = uses + 1"
)
_REPORTED = (
    "INSERT INTO hold VALUES (?, ?, ?, ?, ?, 'inventory', '', ?, ?, ?) ON CONFLICT DO UPDATE"
    " SET last_used_at = excluded.last_used_at, uses = excluded.uses"
)
_UPGRADE = (
    "INSERT INTO hold VALUES (?, ?, ?, ?, ?, 'upgrade', ?, ?, ?, 1) ON CONFLICT DO UPDATE"
    " SET last_used_at = max(last_used_at, excluded.last_used_at)"
)
_TOO_MANY = (
    "DELETE FROM hold WHERE (name, archive, suite, component, architecture, origin, author) IN (SELECT name, archive,"
    " suite, component, architecture, origin, author FROM hold WHERE origin = ? ORDER BY last_used_at DESC,"
    " name, archive, suite, component, architecture, author LIMIT -1 OFFSET ?)"
)
_WANTED = (
    "INSERT INTO hold VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 1) ON CONFLICT DO UPDATE"
    " SET last_used_at = excluded.last_used_at"
)


class SqliteHolds:
    """`Holds` in one file."""

    def __init__(self, path: Path) -> None:
        self._connection = connect(path, sync="FULL", schema=_SCHEMA)
        self._lock = threading.Lock()

    def close(self) -> None:
        self._connection.close()

    def note_used(self, keys: Iterable[PackageKey], now: int) -> None:
        rows = [(*key, now, now) for key in sorted(set(keys))]
        with self._lock, transaction(self._connection) as write:
            write.executemany(_USED, rows)
            _keep_latest(write, Origin.CLIENTS, USED_MAX)

    def reported(self, packages: Iterable[Reported], now: int) -> None:
        wanted = most_reported(packages)
        with self._lock, transaction(self._connection) as write:
            known = {PackageKey(*row) for row in write.execute(_KEYS_OF, (Origin.INVENTORY, ""))}
            write.executemany(_DROP, ((*key, Origin.INVENTORY, "") for key in known.difference(wanted)))
            write.executemany(_REPORTED, ((*key, now, one.last_reported_at, one.hosts) for key, one in wanted.items()))

    def note_upgrade(self, by: str, keys: Iterable[PackageKey], now: int) -> None:
        rows = [(*key, by, now, now) for key in sorted(set(keys))]
        with self._lock, transaction(self._connection) as write:
            write.executemany(_UPGRADE, rows)
            _keep_latest(write, Origin.UPGRADE, UPGRADES_MAX)

    def replace(
        self, origin: Origin, by: str, keys: Iterable[PackageKey], now: int, problems: Sequence[str] = ()
    ) -> None:
        wanted = sorted(set(keys))
        with self._lock, transaction(self._connection) as write:
            known = {PackageKey(*row) for row in write.execute(_KEYS_OF, (origin, by))}
            write.executemany(_DROP, ((*key, origin, by) for key in known.difference(wanted)))
            write.executemany(_WANTED, ((*key, origin, by, now, now) for key in wanted))
            told = json.dumps(list(problems)[:PROBLEMS_MAX])
            write.execute("INSERT OR REPLACE INTO problems VALUES (?, ?, ?)", (origin, by, told))

    def problems(self, origin: Origin, by: str) -> tuple[str, ...]:
        rows = self._rows("SELECT problems FROM problems WHERE origin = ? AND author = ?", origin, by)
        return tuple(json.loads(rows[0][0])) if rows else ()

    def all(self) -> tuple[Hold, ...]:
        return tuple(_hold(row) for row in self._rows(_COLUMNS + _ORDER))

    def named(self, name: str) -> tuple[Hold, ...]:
        return tuple(_hold(row) for row in self._rows(f"{_COLUMNS} WHERE name = ?{_ORDER}", name))

    def forget(self, before: int) -> int:
        with self._lock, transaction(self._connection) as write:
            rows = [(origin, before) for origin in FADING]
            return write.executemany("DELETE FROM hold WHERE origin = ? AND last_used_at < ?", rows).rowcount

    def forget_named(self, name: str) -> int:
        with self._lock, transaction(self._connection) as write:
            query = "DELETE FROM hold WHERE origin IN ('clients', 'upgrade') AND name = ?"
            return write.execute(query, (name,)).rowcount

    def wish(self, wish: Wish) -> None:
        with self._lock, transaction(self._connection) as write:
            others = write.execute("SELECT count(*) FROM wish WHERE name != ?", (wish.name,)).fetchone()[0]
            if others >= WISHES_MAX:
                raise too_many_wishes()
            write.execute("INSERT OR REPLACE INTO wish VALUES (?, ?)", (wish.name, json.dumps(asdict(wish))))

    def unwish(self, name: str) -> bool:
        with self._lock, transaction(self._connection) as write:
            write.execute("DELETE FROM hold WHERE author = ? AND origin IN ('rule', 'need')", (name,))
            write.execute("DELETE FROM problems WHERE author = ? AND origin IN ('rule', 'need')", (name,))
            return write.execute("DELETE FROM wish WHERE name = ?", (name,)).rowcount > 0

    def wishes(self) -> tuple[Wish, ...]:
        return tuple(_wish(row[0]) for row in self._rows("SELECT wish FROM wish ORDER BY name"))

    def _rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        with self._lock:
            return self._connection.execute(query, values).fetchall()


_KEYS_OF = "SELECT archive, suite, component, architecture, name FROM hold WHERE origin = ? AND author = ?"
_DROP = (
    "DELETE FROM hold WHERE archive = ? AND suite = ? AND component = ? AND architecture = ? AND name = ?"
    " AND origin = ? AND author = ?"
)


def _keep_latest(write: sqlite3.Connection, origin: Origin, count: int) -> None:
    (found,) = write.execute("SELECT count(*) FROM hold WHERE origin = ?", (origin,)).fetchone()
    if found > count:
        write.execute(_TOO_MANY, (origin, count))


def _hold(row: sqlite3.Row | tuple[Any, ...]) -> Hold:
    archive, suite, component, architecture, name, origin, author, since, last_used_at, uses = row
    return Hold(archive, suite, component, architecture, name, Origin(origin), author, since, last_used_at, uses)


def _wish(text: str) -> Wish:
    values = json.loads(text)
    return Wish(**values | {"patterns": tuple(values["patterns"])})

"""`Hosts` in SQLite: what hosts share is kept once, so a host that changed costs a row of a kilobyte.

The file can grow by what hosts report, and by nothing else. Commits are not synced one by one: what a power cut takes
is reported again.
"""

import json
import sqlite3
import threading
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeVar

from pyroaring import BitMap

from tidegate.fleet.composition import Composition, Piece, Setting, host_of, pieces_of, setting_of
from tidegate.fleet.encoding import piece_of, piece_text, setting_of_text, setting_text
from tidegate.fleet.hosts import HOSTS_MAX, SILENCE_S, TAGS_MAX, HostEntry, TooManyHostsError
from tidegate.fleet.inventory import Form, Inventory
from tidegate.store.sqlite import FileForm, Reading, connect, transaction

FORM = FileForm(
    1, "move it away, and let the hosts report again: what they have now comes again, what they had does not"
)
"""Raise the number when a table changes."""
PIECES_REMEMBERED = 500_000
NUMBERS_AT_ONCE = 500
_NOW = 2**62

_SCHEMA = """
CREATE TABLE IF NOT EXISTS piece (id INTEGER PRIMARY KEY, body TEXT NOT NULL UNIQUE);
CREATE TABLE IF NOT EXISTS setting (id INTEGER PRIMARY KEY, body TEXT NOT NULL UNIQUE);
CREATE TABLE IF NOT EXISTS made (id INTEGER PRIMARY KEY, digest BLOB NOT NULL UNIQUE, pieces BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS host (
  number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, tags TEXT NOT NULL DEFAULT '[]');
CREATE TABLE IF NOT EXISTS span (
  host INTEGER NOT NULL REFERENCES host, since INTEGER NOT NULL, until INTEGER, seen_at INTEGER NOT NULL,
  name TEXT NOT NULL, boot TEXT NOT NULL, form TEXT NOT NULL, packages INTEGER NOT NULL,
  setting INTEGER NOT NULL REFERENCES setting, made INTEGER NOT NULL REFERENCES made, reported BLOB NOT NULL,
  PRIMARY KEY (host, since)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS span_name ON span (name);
CREATE TABLE IF NOT EXISTS silence (
  host INTEGER NOT NULL REFERENCES host, since INTEGER NOT NULL, until INTEGER NOT NULL,
  PRIMARY KEY (host, since)) WITHOUT ROWID;
"""
_HOLDS = "(s.until IS NULL OR s.until > :at) AND s.since <= :at"
_SEEN = (
    "CASE WHEN s.seen_at <= :at THEN s.seen_at ELSE coalesce((SELECT q.since FROM silence q"
    " WHERE q.host = s.host AND q.since <= :at AND q.until > :at), :at) END"
)
_ENTRY = (
    "SELECT h.number, h.id, h.tags, s.name, s.boot, s.form, "  # noqa: S608  # joined of words that stand here
    + _SEEN
    + ", s.since, s.packages, s.reported, e.body"
    + " FROM host h JOIN span s ON s.host = h.number JOIN setting e ON e.id = s.setting WHERE "
    + _HOLDS
)
_INVENTORY = "SELECT s.name, s.boot, s.form, " + _SEEN + ", s.setting, m.pieces"
_OF_HOST = (
    " FROM host h JOIN span s ON s.host = h.number JOIN made m ON m.id = s.made WHERE " + _HOLDS + " AND h.id = :host"
)
_COMPOSITIONS = (
    "SELECT s.host, s.setting, m.pieces, "  # noqa: S608  # likewise
    + _SEEN
    + " FROM span s JOIN made m ON m.id = s.made WHERE "
    + _HOLDS
)
_LAST = (
    "SELECT s.since, s.seen_at, s.name, s.boot, s.form, s.setting, s.made, s.until FROM span s"
    " WHERE s.host = ? ORDER BY s.since DESC LIMIT 1"
)

T = TypeVar("T")


class SqliteHosts:
    """Reads use one connection and reports another."""

    def __init__(self, path: Path, *, hosts_max: int = HOSTS_MAX) -> None:
        self._hosts_max = hosts_max
        self._write = connect(path, sync="NORMAL", schema=_SCHEMA, form=FORM)
        self._read = Reading(path)
        self._write_lock = threading.Lock()
        self._known: dict[str, int] = {}
        """Pieces that are written down for good, by their text."""

    def close(self) -> None:
        self._read.close()
        self._write.close()

    def report(self, inventory: Inventory, reported: bytes, tags: Collection[str] | None = None) -> bool:
        at, texts = inventory.taken_at, [piece_text(one) for one in pieces_of(inventory.packages)]
        with self._writing() as (write, fresh):
            host = self._number(write, inventory.host.id)
            if tags is not None:
                write.execute("UPDATE host SET tags = ? WHERE number = ?", (_tags(tags), host))
            last = write.execute(_LAST, (host,)).fetchone()
            if last is not None and at < max(last[1], last[7] or 0):
                return False
            made = _made(write, [self._known.get(text) or self._piece(write, text, fresh) for text in texts])
            setting = _number_of(write, "setting", setting_text(setting_of(inventory)))
            told = (inventory.host.name, inventory.host.boot, inventory.form.value, setting, made)
            if last is not None and last[7] is None:
                if last[2:7] == told:
                    _seen(write, host, last[0], at, reported)
                    return False
                _end(write, host, last[0], at)
            write.execute(
                "INSERT INTO span (host, since, seen_at, name, boot, form, setting, made, packages, reported)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (host, at, at, *told, len(inventory.packages), reported),
            )
        return True

    def confirm(self, host: str, reported: bytes, at: int) -> bool:
        with self._writing() as (write, _):
            row = write.execute(
                "SELECT h.number, s.since, s.reported FROM host h JOIN span s ON s.host = h.number"
                " WHERE h.id = ? AND s.until IS NULL",
                (host,),
            ).fetchone()
            if row is None or row[2] != reported:
                return False
            _seen(write, row[0], row[1], at, reported)
        return True

    def tag(self, host: str, tags: Collection[str]) -> bool:
        with self._writing() as (write, _):
            return bool(
                write.execute(
                    "UPDATE host SET tags = ? WHERE id = ?"
                    " AND EXISTS (SELECT 1 FROM span s WHERE s.host = number AND s.until IS NULL)",
                    (_tags(tags), host),
                ).rowcount
            )

    def remove(self, host: str, at: int) -> bool:
        with self._writing() as (write, _):
            row = write.execute(
                "SELECT h.number, s.since FROM host h JOIN span s ON s.host = h.number"
                " WHERE h.id = ? AND s.until IS NULL",
                (host,),
            ).fetchone()
            if row is None:
                return False
            _end(write, row[0], row[1], at)
        return True

    def entry(self, host: str, as_of: int | None = None) -> HostEntry | None:
        rows = self._read.rows(_ENTRY + " AND h.id = :host", {"host": host, "at": _at(as_of)})
        return _entry(rows[0]) if rows else None

    def named(self, name: str, as_of: int | None = None) -> tuple[HostEntry, ...]:
        where = " AND (h.id = :name OR s.name = :name) ORDER BY h.id"
        return tuple(map(_entry, self._read.rows(_ENTRY + where, {"name": name, "at": _at(as_of)})))

    def numbered(self, numbers: Collection[int], as_of: int | None = None) -> tuple[HostEntry, ...]:
        return tuple(
            _entry(row)
            for some in _some(sorted(numbers))
            for row in self._read.rows(
                _ENTRY + f" AND h.number IN ({','.join(map(str, some))}) ORDER BY h.number", {"at": _at(as_of)}
            )
        )

    def entries(self, as_of: int | None = None) -> Iterator[HostEntry]:
        return map(_entry, self._read.each(_ENTRY + " ORDER BY h.number", {"at": _at(as_of)}))

    def inventory(self, host: str, as_of: int | None = None) -> Inventory | None:
        rows = self._read.rows(_INVENTORY + _OF_HOST, {"host": host, "at": _at(as_of)})
        if not rows:
            return None
        name, boot, form, seen_at, number, pieces = rows[0]
        setting = self.settings([number])[number]
        found = self.pieces(BitMap.deserialize(pieces).to_array())
        packages = sorted(package for piece in found.values() for package in piece)
        return Inventory(
            host_of(setting, host, name, boot), tuple(packages), seen_at, Form(form), setting.modules,
            setting.unreadable,
        )  # fmt: skip

    def composition(self, host: str) -> Composition | None:
        rows = self._read.rows("SELECT h.number, s.setting, m.pieces" + _OF_HOST, {"host": host, "at": _NOW})
        return Composition(rows[0][0], rows[0][1], BitMap.deserialize(rows[0][2]).to_array()) if rows else None

    def compositions(self, as_of: int | None = None) -> Iterator[tuple[Composition, int]]:
        for number, setting, pieces, seen_at in self._read.each(_COMPOSITIONS, {"at": _at(as_of)}):
            yield Composition(number, setting, BitMap.deserialize(pieces).to_array()), seen_at

    def settings(self, numbers: Collection[int]) -> dict[int, Setting]:
        return {number: setting_of_text(text) for number, text in self._bodies("setting", numbers)}

    def pieces(self, numbers: Collection[int]) -> dict[int, Piece]:
        return {number: piece_of(text) for number, text in self._bodies("piece", numbers)}

    def _bodies(self, table: str, numbers: Collection[int]) -> Iterator[tuple[int, str]]:
        for some in _some(sorted(numbers)):
            rows = self._read.rows(f"SELECT id, body FROM {table} WHERE id IN ({','.join(map(str, some))})", {})  # noqa: S608  # numbers of ours
            if len(rows) != len(some):
                raise KeyError(min(set(some) - {row[0] for row in rows}))
            yield from rows

    def _number(self, write: sqlite3.Connection, identity: str) -> int:
        row = write.execute("SELECT number FROM host WHERE id = ?", (identity,)).fetchone()
        if row is not None:
            return int(row[0])
        if write.execute("SELECT coalesce(max(number), 0) FROM host").fetchone()[0] >= self._hosts_max:
            raise TooManyHostsError(f"more than {self._hosts_max:,} hosts")
        return int(write.execute("INSERT INTO host (id) VALUES (?)", (identity,)).lastrowid or 0)

    def _piece(self, write: sqlite3.Connection, text: str, fresh: dict[str, int]) -> int:
        number = self._known.get(text)
        if number is None:
            number = fresh[text] = _number_of(write, "piece", text)
        return number

    @contextmanager
    def _writing(self) -> Iterator[tuple[sqlite3.Connection, dict[str, int]]]:
        """One transaction; what it numbers anew is remembered only once it is written."""
        fresh: dict[str, int] = {}
        with self._write_lock:
            with transaction(self._write) as write:
                yield write, fresh
            if len(self._known) + len(fresh) > PIECES_REMEMBERED:
                self._known.clear()
            self._known.update(fresh)


def _number_of(write: sqlite3.Connection, table: str, text: str) -> int:
    row = write.execute(f"SELECT id FROM {table} WHERE body = ?", (text,)).fetchone()  # noqa: S608  # one of two tables
    if row is not None:
        return int(row[0])
    return int(write.execute(f"INSERT INTO {table} (body) VALUES (?)", (text,)).lastrowid or 0)  # noqa: S608  # likewise


def _made(write: sqlite3.Connection, pieces: Iterable[int]) -> int:
    blob = BitMap(pieces).serialize()
    digest = sha256(blob).digest()
    row = write.execute("SELECT id FROM made WHERE digest = ?", (digest,)).fetchone()
    if row is not None:
        return int(row[0])
    return int(write.execute("INSERT INTO made (digest, pieces) VALUES (?, ?)", (digest, blob)).lastrowid or 0)


def _seen(write: sqlite3.Connection, host: int, since: int, at: int, reported: bytes) -> None:
    write.execute(
        "INSERT OR IGNORE INTO silence SELECT host, seen_at, :at FROM span"
        " WHERE host = :host AND since = :since AND :at - seen_at > :pause",
        {"host": host, "since": since, "at": at, "pause": SILENCE_S},
    )
    write.execute(
        "UPDATE span SET seen_at = max(seen_at, ?), reported = ? WHERE host = ? AND since = ?",
        (at, reported, host, since),
    )


def _end(write: sqlite3.Connection, host: int, since: int, at: int) -> None:
    """The last span ends; one that lasted no second never was."""
    write.execute("DELETE FROM span WHERE host = ? AND since = ? AND since >= ?", (host, since, at))
    write.execute("UPDATE span SET until = ? WHERE host = ? AND since = ?", (at, host, since))


def _tags(tags: Collection[str]) -> str:
    if len(set(tags)) > TAGS_MAX:
        raise ValueError(f"more than {TAGS_MAX} tags")
    return json.dumps(sorted(set(tags)))


def _entry(row: Any) -> HostEntry:
    number, identity, tags, name, boot, form, seen_at, since, packages, reported, body = row
    host = host_of(setting_of_text(body), identity, name, boot)
    return HostEntry(number, host, Form(form), seen_at, since, packages, reported, frozenset(json.loads(tags)))


def _at(as_of: int | None) -> int:
    return _NOW if as_of is None else as_of


def _some(numbers: list[int]) -> Iterator[list[int]]:
    for start in range(0, len(numbers), NUMBERS_AT_ONCE):
        yield numbers[start : start + NUMBERS_AT_ONCE]

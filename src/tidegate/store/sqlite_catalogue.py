"""The catalogue in SQLite."""

import json
import sqlite3
import threading
import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from tidegate.archive.packages import Package
from tidegate.store.catalogue import Account, Adoption, Listed, Look, Offer, Snapshot, Validator, weightiest
from tidegate.store.sqlite import connect, transaction

SHA512_BYTES = 64
LOOK_AGAIN_S = 0.1
"""Another process's adoption is seen after so long at most, our own at once: asking SQLite costs 20 us."""
_SCHEMA = """
CREATE TABLE IF NOT EXISTS snapshot (
  id INTEGER PRIMARY KEY, archive TEXT NOT NULL, suite TEXT NOT NULL, date INTEGER NOT NULL, valid_until INTEGER,
  payload BLOB NOT NULL, source TEXT NOT NULL, adopted_at INTEGER NOT NULL, confirmed_at INTEGER NOT NULL,
  replaced_at INTEGER, confirmed_by TEXT NOT NULL DEFAULT '[]');
CREATE UNIQUE INDEX IF NOT EXISTS served ON snapshot (archive, suite) WHERE replaced_at IS NULL;
CREATE TABLE IF NOT EXISTS member (
  snapshot INTEGER NOT NULL REFERENCES snapshot ON DELETE CASCADE, path TEXT NOT NULL, digest BLOB NOT NULL,
  size INTEGER NOT NULL, PRIMARY KEY (snapshot, path)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS member_digest ON member (digest);
CREATE TABLE IF NOT EXISTS sha512 (
  snapshot INTEGER NOT NULL REFERENCES snapshot ON DELETE CASCADE, sha512 BLOB NOT NULL, digest BLOB NOT NULL,
  PRIMARY KEY (snapshot, sha512)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS sha512_digest ON sha512 (sha512);
CREATE TABLE IF NOT EXISTS listing (
  id INTEGER PRIMARY KEY, digest BLOB NOT NULL UNIQUE, form INTEGER NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS artifact (
  listing INTEGER NOT NULL REFERENCES listing ON DELETE CASCADE, path TEXT NOT NULL, digest BLOB NOT NULL,
  size INTEGER NOT NULL, name TEXT, version TEXT, architecture TEXT, source TEXT, source_version TEXT,
  PRIMARY KEY (listing, path)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS asked (
  archive TEXT, suite TEXT, path TEXT, at INTEGER NOT NULL, PRIMARY KEY (archive, suite, path)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS look (
  archive TEXT, suite TEXT, at INTEGER NOT NULL, ok INTEGER NOT NULL, outcome TEXT NOT NULL,
  alarm TEXT NOT NULL DEFAULT '', PRIMARY KEY (archive, suite)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS validator (
  source TEXT, path TEXT, last_modified TEXT, etag TEXT, payload BLOB NOT NULL, PRIMARY KEY (source, path))
  WITHOUT ROWID;
"""
# Catalogues from before these columns get them when they are opened.
_ADDED = (
    ("snapshot", "confirmed_by", "TEXT NOT NULL DEFAULT '[]'"),
    ("look", "alarm", "TEXT NOT NULL DEFAULT ''"),
    ("listing", "form", "INTEGER NOT NULL DEFAULT 0"),
    *(("artifact", column, "TEXT") for column in ("name", "version", "architecture", "source", "source_version")),
)
FORM = 1
"""What is kept of a listing: 0, where its artifacts are and what they must be; 1, of which package they are too."""
_BY_NAME = "CREATE INDEX IF NOT EXISTS artifact_name ON artifact (listing, name) WHERE name IS NOT NULL"
# The package's own name and version stand for the source's where those are the same, as they mostly are.
_PACKAGE = (
    "SELECT a.path, a.digest, a.size, a.name, a.version, a.architecture, ifnull(a.source, a.name),"
    " ifnull(a.source_version, a.version) FROM artifact a"
)
_PACKAGE_AT = _PACKAGE + " WHERE a.listing = ? AND a.path = ? AND a.name IS NOT NULL"
# Without statistics SQLite would rather read the whole listing than search for a name.
_FROM_INDEX = " INDEXED BY artifact_name WHERE a.listing = (SELECT id FROM listing WHERE digest = ?)"
_PACKAGES_OF = _PACKAGE + _FROM_INDEX + " AND a.name IS NOT NULL ORDER BY a.name, a.path"
_PACKAGES_NAMED = _PACKAGE + _FROM_INDEX + " AND a.name = ? ORDER BY a.path"
_INSERT_ARTIFACT = "INSERT OR REPLACE INTO artifact VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
_OFFERING = (
    "SELECT s.suite, m.path, l.id FROM snapshot s JOIN member m ON m.snapshot = s.id JOIN listing l"
    " ON l.digest = m.digest WHERE s.archive = ? ORDER BY s.replaced_at IS NOT NULL, s.date DESC, m.path"
)
# The bytes that are asked about, in the memory of one connection: SQLite meets them with the listings by itself, beside
# the interpreter, instead of handing over a million rows.
_HELD = "CREATE TEMP TABLE held (digest BLOB PRIMARY KEY) WITHOUT ROWID"
_HELD_MEMBERS = (
    "SELECT m.digest, s.archive, s.suite, m.path, m.size, 1, s.replaced_at IS NULL FROM member m"
    " JOIN held h ON h.digest = m.digest JOIN snapshot s ON s.id = m.snapshot"
)
_HELD_ARTIFACTS = (
    "SELECT DISTINCT a.digest, s.archive, s.suite, a.path, a.size, 0, s.replaced_at IS NULL FROM artifact a"
    " CROSS JOIN held h ON h.digest = a.digest JOIN listing l ON l.id = a.listing JOIN member m ON m.digest = l.digest"
    " JOIN snapshot s ON s.id = m.snapshot"
)
_SELECT = (
    "SELECT archive, suite, date, valid_until, payload, source, adopted_at, confirmed_at, replaced_at, id, confirmed_by"
    " FROM snapshot WHERE replaced_at IS NULL"
)
_BY_SHA256 = (
    "SELECT m.path, m.digest, m.size FROM member m JOIN snapshot s ON s.id = m.snapshot"
    " WHERE m.digest = ? AND s.archive = ? LIMIT 1"
)
# What one archive's Release says about a SHA-512 must not bend another archive's names.
_BY_SHA512 = (
    "SELECT m.path, m.digest, m.size FROM sha512 x JOIN snapshot s ON s.id = x.snapshot"
    " JOIN member m ON m.snapshot = x.snapshot AND m.digest = x.digest WHERE x.sha512 = ? AND s.archive = ? LIMIT 1"
)
_INSERT = (
    "INSERT INTO snapshot (archive, suite, date, valid_until, payload, source, adopted_at, confirmed_at, confirmed_by)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
)


class SqliteCatalogue:
    """`Catalogue` in one file, shared by several processes.

    Reads use one connection and writes another, so that a reader on the event loop never waits for a writer in a
    thread; what is asked about packages, in threads as well, has a third. Commits are NORMAL: a power cut may lose the
    last adoption, which the next refresh makes again.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._write = connect(path, sync="NORMAL", schema=_SCHEMA)
        _add_columns(self._write)
        self._read = connect(path, sync="NORMAL", schema="")
        self._aside = connect(path, sync="NORMAL", schema="")
        self._lock = threading.Lock()
        self._lock_aside = threading.Lock()
        self._generation = -1
        self._look_again_at = 0.0
        self._listings: dict[str, tuple[int, ...]] = {}
        self._listings_of = -1
        self._offering: dict[str, list[tuple[Any, ...]]] = {}
        self._offering_version = -1

    def close(self) -> None:
        self._aside.close()
        self._read.close()
        self._write.close()

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            with transaction(self._write) as write:
                yield write
            self._look_again_at = 0.0

    def generation(self) -> int:
        now = time.monotonic()
        if now >= self._look_again_at:
            self._look_again_at = now + LOOK_AGAIN_S
            self._generation = self._read.execute("PRAGMA data_version").fetchone()[0]
        return self._generation

    def look_again(self) -> None:
        self._look_again_at = 0.0

    def adopt(self, adoption: Adoption) -> Snapshot:
        new = adoption.snapshot
        with self._transaction() as write:
            write.execute(
                "UPDATE snapshot SET replaced_at = ? WHERE archive = ? AND suite = ? AND replaced_at IS NULL",
                (new.adopted_at, new.archive, new.suite),
            )
            cursor = write.execute(
                _INSERT,
                (
                    new.archive,
                    new.suite,
                    new.date,
                    new.valid_until,
                    new.payload,
                    new.source,
                    new.adopted_at,
                    new.confirmed_at,
                    json.dumps(new.confirmed_by),
                ),
            )
            adopted = replace(new, id=cursor.lastrowid or 0)
            self._insert_members(write, adopted, adoption.members)
            aliases = ((adopted.id, sha512, digest) for sha512, digest in sorted(adoption.sha512.items()))
            write.executemany("INSERT INTO sha512 VALUES (?, ?, ?)", aliases)
        return adopted

    @staticmethod
    def _insert_members(write: sqlite3.Connection, snapshot: Snapshot, members: Sequence[Listed]) -> None:
        rows = ((snapshot.id, *member) for member in sorted(members))
        write.executemany("INSERT OR REPLACE INTO member VALUES (?, ?, ?, ?)", rows)

    def add_members(self, snapshot: Snapshot, members: Sequence[Listed]) -> None:
        with self._transaction() as write:
            self._insert_members(write, snapshot, members)

    def confirm(self, archive: str, suite: str, now: int, by: Collection[str]) -> None:
        with self._transaction() as write:
            write.execute(
                "UPDATE snapshot SET confirmed_at = ?, confirmed_by = ?"
                " WHERE archive = ? AND suite = ? AND replaced_at IS NULL",
                (now, json.dumps(sorted(by)), archive, suite),
            )

    def served(self) -> tuple[Snapshot, ...]:
        rows = self._read.execute(_SELECT + " ORDER BY archive, suite")
        return tuple(_snapshot(row) for row in rows)

    def snapshot(self, archive: str, suite: str) -> Snapshot | None:
        row = self._read.execute(_SELECT + " AND archive = ? AND suite = ?", (archive, suite)).fetchone()
        return None if row is None else _snapshot(row)

    def member(self, snapshot: Snapshot, path: str) -> Listed | None:
        row = self._read.execute(
            "SELECT path, digest, size FROM member WHERE snapshot = ? AND path = ?", (snapshot.id, path)
        ).fetchone()
        return None if row is None else Listed(*row)

    def members(self, snapshot: Snapshot) -> tuple[Listed, ...]:
        rows = self._read.execute("SELECT path, digest, size FROM member WHERE snapshot = ?", (snapshot.id,))
        return tuple(Listed(*row) for row in rows)

    def by_digest(self, archive: str, digest: bytes) -> Listed | None:
        query = _BY_SHA512 if len(digest) == SHA512_BYTES else _BY_SHA256
        row = self._read.execute(query, (digest, archive)).fetchone()
        return None if row is None else Listed(*row)

    def artifact(self, archive: str, path: str) -> Listed | None:
        generation = self.generation()
        if generation != self._listings_of:
            self._listings.clear()
            self._listings_of = generation
        listings = self._listings.get(archive)
        if listings is None:
            listings = self._listings[archive] = self._listings_of_archive(archive)
        for listing in listings:
            row = self._read.execute(
                "SELECT path, digest, size FROM artifact WHERE listing = ? AND path = ?", (listing, path)
            ).fetchone()
            if row is not None:
                return Listed(*row)
        return None

    def _listings_of_archive(self, archive: str) -> tuple[int, ...]:
        rows = self._read.execute(
            "SELECT l.id FROM snapshot s JOIN member m ON m.snapshot = s.id JOIN listing l ON l.digest = m.digest"
            " WHERE s.archive = ? ORDER BY s.replaced_at IS NOT NULL, s.date DESC",
            (archive,),
        )
        return tuple(dict.fromkeys(row[0] for row in rows))

    def accounts(self, digests: Collection[bytes]) -> Mapping[bytes, tuple[Account, ...]]:
        found: dict[bytes, set[Account]] = {}
        with closing(connect(self._path, sync="NORMAL", schema="")) as reading:
            reading.execute("PRAGMA temp_store = MEMORY")
            reading.execute("BEGIN")  # both queries see one moment; of the catalogue nothing is locked
            reading.execute(_HELD)
            reading.executemany("INSERT OR IGNORE INTO held VALUES (?)", ((one,) for one in digests))
            for query in (_HELD_MEMBERS, _HELD_ARTIFACTS):
                for digest, archive, suite, path, size, is_member, served in reading.execute(query):
                    account = Account(archive, suite, path, size, bool(is_member), bool(served))
                    found.setdefault(digest, set()).add(account)
        return {digest: weightiest(accounts) for digest, accounts in found.items()}

    def add_listing(self, digest: bytes, artifacts: Iterable[Listed | Package]) -> int:
        # Sorted, so that the table grows at its end: a third of the time of an insert in index order.
        rows = sorted(artifacts)
        with self._transaction() as write:
            known = write.execute("SELECT id, form FROM listing WHERE digest = ?", (digest,)).fetchone()
            if known is None:
                cursor = write.execute("INSERT INTO listing (digest, form) VALUES (?, ?)", (digest, FORM))
                listing = cursor.lastrowid or 0
            elif known[1] != FORM:
                listing = known[0]
                write.execute("DELETE FROM artifact WHERE listing = ?", (listing,))
                write.execute("UPDATE listing SET form = ? WHERE id = ?", (FORM, listing))
            else:
                return len(rows)
            write.executemany(_INSERT_ARTIFACT, (_artifact_row(listing, row) for row in rows))
        return len(rows)

    def has_listing(self, digest: bytes) -> bool:
        query = "SELECT 1 FROM listing WHERE digest = ? AND form = ?"
        return self._read.execute(query, (digest, FORM)).fetchone() is not None

    def outdated(self) -> tuple[Listed, ...]:
        query = (
            "SELECT DISTINCT m.path, m.digest, m.size FROM snapshot s JOIN member m ON m.snapshot = s.id"
            " JOIN listing l ON l.digest = m.digest WHERE s.replaced_at IS NULL AND l.form != ?"
        )
        return tuple(Listed(*row) for row in self._asked_aside(query, FORM))

    def listings(self, snapshot: Snapshot) -> tuple[Listed, ...]:
        query = (
            "SELECT m.path, m.digest, m.size FROM member m JOIN listing l ON l.digest = m.digest"
            " WHERE m.snapshot = ? ORDER BY m.path"
        )
        return tuple(Listed(*row) for row in self._asked_aside(query, snapshot.id))

    def packages(self, index: bytes, names: Collection[str] | None = None) -> tuple[Package, ...]:
        if names is None:
            rows = self._asked_aside(_PACKAGES_OF, index)
        else:
            rows = [row for name in sorted(set(names)) for row in self._asked_aside(_PACKAGES_NAMED, index, name)]
        return tuple(Package(*row) for row in rows)

    def package_names(self, index: bytes) -> tuple[str, ...]:
        query = (
            "SELECT DISTINCT a.name FROM artifact a JOIN listing l ON l.id = a.listing"
            " WHERE l.digest = ? AND a.name IS NOT NULL ORDER BY a.name"
        )
        return tuple(row[0] for row in self._asked_aside(query, index))

    def offers_at(self, archive: str, path: str) -> tuple[Offer, ...]:
        offers: dict[tuple[str, str], Offer] = {}
        looked: dict[int, Package | None] = {}
        for suite, listed_in, listing in self._offering_of(archive):
            if (suite, listed_in) in offers:
                continue
            if listing not in looked:
                rows = self._asked_aside(_PACKAGE_AT, listing, path)
                looked[listing] = Package(*rows[0]) if rows else None
            if (package := looked[listing]) is not None:
                offers[suite, listed_in] = Offer(suite, listed_in, package)
        return tuple(offers.values())

    def _offering_of(self, archive: str) -> list[tuple[Any, ...]]:
        """Suite, index and listing of all that an archive offers; asked anew when anything has changed."""
        ((version,),) = self._asked_aside("PRAGMA data_version")
        if version != self._offering_version:
            self._offering, self._offering_version = {}, version
        offering = self._offering.get(archive)
        if offering is None:
            offering = self._offering[archive] = self._asked_aside(_OFFERING, archive)
        return offering

    def _asked_aside(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        with self._lock_aside:
            return self._aside.execute(query, values).fetchall()

    def note_asked(self, archive: str, suite: str, path: str, now: int) -> None:
        with self._transaction() as write:
            write.execute("INSERT OR REPLACE INTO asked VALUES (?, ?, ?, ?)", (archive, suite, path, now))

    def asked(self, archive: str, suite: str, since: int) -> frozenset[str]:
        rows = self._read.execute(
            "SELECT path FROM asked WHERE archive = ? AND suite = ? AND at >= ?", (archive, suite, since)
        )
        return frozenset(row[0] for row in rows)

    def note_look(self, look: Look) -> None:
        with self._transaction() as write:
            write.execute(
                "INSERT OR REPLACE INTO look (archive, suite, at, ok, outcome, alarm) VALUES (?, ?, ?, ?, ?, ?)",
                (look.archive, look.suite, look.at, look.ok, look.outcome, look.alarm),
            )

    def looks(self) -> tuple[Look, ...]:
        rows = self._read.execute("SELECT archive, suite, at, ok, outcome, alarm FROM look ORDER BY archive, suite")
        return tuple(Look(archive, suite, at, bool(ok), *said) for archive, suite, at, ok, *said in rows)

    def validator(self, source: str, path: str) -> Validator | None:
        row = self._read.execute(
            "SELECT last_modified, etag, payload FROM validator WHERE source = ? AND path = ?", (source, path)
        ).fetchone()
        return None if row is None else Validator(*row)

    def note_validator(self, source: str, path: str, validator: Validator) -> None:
        with self._transaction() as write:
            write.execute(
                "INSERT OR REPLACE INTO validator VALUES (?, ?, ?, ?, ?)",
                (source, path, validator.last_modified, validator.etag, validator.payload),
            )

    def retire(self, before: int) -> int:
        with self._transaction() as write:
            retired = write.execute("DELETE FROM snapshot WHERE replaced_at < ?", (before,)).rowcount
            if retired:
                write.execute("DELETE FROM listing WHERE digest NOT IN (SELECT digest FROM member)")
        return retired


def _artifact_row(listing: int, row: Listed | Package) -> tuple[object, ...]:
    if isinstance(row, Listed):
        return (listing, *row, None, None, None, None, None)
    source = None if row.source == row.name else row.source
    version = None if row.source_version == row.version else row.source_version
    return (listing, *row[:6], source, version)


def _snapshot(row: tuple[Any, ...]) -> Snapshot:
    values = (*row[:-1], tuple(json.loads(row[-1])))
    return Snapshot(*values)


def _add_columns(write: sqlite3.Connection) -> None:
    for table, column, kind in _ADDED:
        if column in _columns(write, table):
            continue
        with transaction(write):
            if column not in _columns(write, table):  # another process may have been faster
                write.execute(f"ALTER TABLE {table} ADD COLUMN {column} {kind}")
    if write.execute("SELECT 1 FROM sqlite_schema WHERE name = 'artifact_name'").fetchone() is None:
        with transaction(write):
            write.execute(_BY_NAME)


def _columns(connection: sqlite3.Connection, table: str) -> frozenset[str]:
    return frozenset(row[1] for row in connection.execute(f"PRAGMA table_info({table})"))

"""One import into the SQLite history: names are stored once, and only what changed is written."""

import sqlite3
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from hashlib import sha256

import msgspec
import zstandard

from tidegate.advisories.history import Known, Provenance, changes, moved, problem_changes
from tidegate.advisories.listing import priority_of, wording
from tidegate.advisories.statement import Parsed, Place, Problem, Record, Score, Statement, Status

SCHEMA = """
CREATE TABLE IF NOT EXISTS taken (
  id INTEGER PRIMARY KEY, feed TEXT NOT NULL, origin TEXT NOT NULL, fetched_at INTEGER NOT NULL,
  confirmed_at INTEGER NOT NULL, digest BLOB NOT NULL, verified TEXT NOT NULL, published INTEGER,
  whole INTEGER NOT NULL, reader INTEGER NOT NULL, records INTEGER NOT NULL, unreadable INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS taken_feed ON taken (feed, fetched_at);
CREATE TABLE IF NOT EXISTS name (id INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE);
CREATE TABLE IF NOT EXISTS place (
  id INTEGER PRIMARY KEY, distribution TEXT NOT NULL, release TEXT NOT NULL, pocket TEXT NOT NULL,
  UNIQUE (release, pocket, distribution));
CREATE TABLE IF NOT EXISTS saying (
  id INTEGER PRIMARY KEY, status TEXT NOT NULL, fixed TEXT NOT NULL, introduced TEXT NOT NULL, urgency TEXT NOT NULL,
  note TEXT NOT NULL, UNIQUE (status, fixed, introduced, urgency, note));
CREATE TABLE IF NOT EXISTS record (id INTEGER PRIMARY KEY, feed TEXT NOT NULL, text TEXT NOT NULL, UNIQUE (feed, text));
CREATE TABLE IF NOT EXISTS edition (
  record INTEGER NOT NULL REFERENCES record, since INTEGER NOT NULL, until INTEGER, digest BLOB NOT NULL,
  modified INTEGER, head BLOB NOT NULL, about INTEGER NOT NULL REFERENCES name, kind TEXT NOT NULL,
  published INTEGER, priority TEXT NOT NULL, feed TEXT NOT NULL, wording INTEGER NOT NULL REFERENCES wording,
  PRIMARY KEY (record, since));
CREATE INDEX IF NOT EXISTS edition_listed ON edition
  (kind, about, until, since, published, modified, feed, priority);
CREATE INDEX IF NOT EXISTS edition_about ON edition (about);
CREATE INDEX IF NOT EXISTS edition_wording ON edition (wording);
CREATE TABLE IF NOT EXISTS wording (id INTEGER PRIMARY KEY, digest BLOB NOT NULL UNIQUE);
CREATE VIRTUAL TABLE IF NOT EXISTS wording_text USING fts5 (
  text, content = '', detail = full, tokenize = 'unicode61 remove_diacritics 0', prefix = '2 3');
CREATE TABLE IF NOT EXISTS mention (
  cve INTEGER NOT NULL, record INTEGER NOT NULL, since INTEGER NOT NULL, PRIMARY KEY (cve, record, since))
  WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS verbatim (digest BLOB PRIMARY KEY, zstd BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS subject (
  id INTEGER PRIMARY KEY, record INTEGER NOT NULL REFERENCES record, about INTEGER NOT NULL REFERENCES name,
  package INTEGER NOT NULL REFERENCES name, place INTEGER NOT NULL REFERENCES place,
  UNIQUE (record, about, package, place));
CREATE INDEX IF NOT EXISTS subject_about ON subject (about);
CREATE INDEX IF NOT EXISTS subject_package ON subject (package);
CREATE INDEX IF NOT EXISTS subject_place ON subject (place);
CREATE TABLE IF NOT EXISTS statement (
  subject INTEGER NOT NULL REFERENCES subject, since INTEGER NOT NULL, until INTEGER, saying INTEGER NOT NULL,
  PRIMARY KEY (subject, since)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS unreadable (
  feed TEXT NOT NULL, record TEXT NOT NULL, place TEXT NOT NULL, what TEXT NOT NULL, since INTEGER NOT NULL,
  until INTEGER);
CREATE INDEX IF NOT EXISTS unreadable_feed ON unreadable (feed);
CREATE TABLE IF NOT EXISTS score (
  cve TEXT NOT NULL, since INTEGER NOT NULL, until INTEGER, begun REAL NOT NULL, begun_percentile REAL,
  probability REAL NOT NULL, percentile REAL, PRIMARY KEY (cve, since)) WITHOUT ROWID;
"""

ZSTD_LEVEL = 3
WORDING_DIGEST_BYTES = 16
CACHED_MAX = 2**17
"""Names, places and sayings each, of a session; a full import has some 50,000 names and 70,000 sayings."""

# A span that began at this very moment was never seen by anybody: it goes, and does not end.
_END_STATEMENT = (
    "DELETE FROM statement WHERE subject = ? AND until IS NULL AND since = ?",
    "UPDATE statement SET until = ?2 WHERE subject = ?1 AND until IS NULL",
)
_END_EDITION = (
    "DELETE FROM edition WHERE record = ? AND until IS NULL AND since = ?",
    "UPDATE edition SET until = ?2 WHERE record = ?1 AND until IS NULL",
)
_END_SCORE = (
    "DELETE FROM score WHERE cve = ? AND until IS NULL AND since = ?",
    "UPDATE score SET until = ?2 WHERE cve = ?1 AND until IS NULL",
)
_END_UNREADABLE = (
    "DELETE FROM unreadable WHERE rowid = ? AND since = ?",
    "UPDATE unreadable SET until = ?2 WHERE rowid = ?1",
)
_NAME = ("SELECT id FROM name WHERE text = ?", "INSERT INTO name (text) VALUES (?)")
_PLACE = (
    "SELECT id FROM place WHERE distribution = ? AND release = ? AND pocket = ?",
    "INSERT INTO place (distribution, release, pocket) VALUES (?, ?, ?)",
)
_SAYING = (
    "SELECT id FROM saying WHERE status = ? AND fixed = ? AND introduced = ? AND urgency = ? AND note = ?",
    "INSERT INTO saying (status, fixed, introduced, urgency, note) VALUES (?, ?, ?, ?, ?)",
)
_SUBJECT = "SELECT id FROM subject WHERE record = ? AND about = ? AND package = ? AND place = ?"
_OPEN_SUBJECTS = (
    "SELECT s.id, a.text, p.text, l.distribution, l.release, l.pocket,"
    " y.status, y.fixed, y.introduced, y.urgency, y.note"
    " FROM subject s JOIN statement t ON t.subject = s.id AND t.until IS NULL JOIN saying y ON y.id = t.saying"
    " JOIN name a ON a.id = s.about JOIN name p ON p.id = s.package JOIN place l ON l.id = s.place WHERE s.record = ?"
)

Subject = tuple[str, str, Place]


class SqliteSession:
    """`Session` within a transaction that somebody else began and ends."""

    def __init__(self, write: sqlite3.Connection, provenance: Provenance, reader: int) -> None:
        self._write = write
        self._provenance = provenance
        self._feed = provenance.feed
        self._now = provenance.fetched_at
        self._reader = reader
        self._pack = zstandard.ZstdCompressor(level=ZSTD_LEVEL).compress
        self._scores = 0
        self._next_subject = 1 + int(write.execute("SELECT coalesce(max(id), 0) FROM subject").fetchone()[0])
        self._records: dict[str, int] = {}
        self.known: Mapping[str, Known] = self._stand()
        # The same names and words come again and again; these caches live as long as the session.
        self._name = lru_cache(CACHED_MAX)(self._name_id)
        self._place = lru_cache(CACHED_MAX)(self._place_id)
        self._saying = lru_cache(CACHED_MAX)(self._saying_id)

    def _stand(self) -> dict[str, Known]:
        rows = self._write.execute(
            "SELECT r.text, r.id, e.digest, e.modified FROM record r"
            " LEFT JOIN edition e ON e.record = r.id AND e.until IS NULL WHERE r.feed = ?",
            (self._feed,),
        )
        known: dict[str, Known] = {}
        for text, record, digest, modified in rows:
            self._records[text] = record
            if digest is not None:
                known[text] = Known(digest, modified)
        return known

    def put(self, parsed: Parsed, data: bytes, digest: bytes) -> int:
        head = parsed.record
        record = self._records.get(head.id)
        new = record is None
        if record is None:
            record = self._insert("INSERT INTO record (feed, text) VALUES (?, ?)", (self._feed, head.id))
            self._records[head.id] = record
        self._keep(digest, data)
        self._begin_edition(record, parsed, digest)
        after = {one.subject: one for one in parsed.statements}
        if new:
            return self._begin(record, after)
        return self._change(record, self._standing(record), after)

    def retract(self, records: Iterable[str]) -> int:
        ended = 0
        for text in records:
            record = self._records[text]
            self._end(_END_EDITION, [record])
            ended += self._change(record, self._standing(record), {})
        return ended

    def rate(self, scores: Iterable[Score]) -> int:
        rows = self._write.execute(
            "SELECT cve, begun, begun_percentile, probability, percentile FROM score WHERE until IS NULL"
        )
        standing = {
            cve: (Score(cve, begun, share), Score(cve, now, now_share)) for cve, begun, share, now, now_share in rows
        }
        begun: list[tuple[object, ...]] = []
        revised: list[tuple[object, ...]] = []
        moved_on: list[str] = []
        for score in scores:
            self._scores += 1
            span = standing.pop(score.cve, None)
            if span is None or moved(span[0], score):
                moved_on += [] if span is None else [score.cve]
                begun.append((score.cve, self._now, *(score.probability, score.percentile) * 2))
            elif span[1] != score:
                revised.append((score.probability, score.percentile, score.cve))
        self._end(_END_SCORE, [*moved_on, *standing])
        self._write.executemany(
            "UPDATE score SET probability = ?, percentile = ? WHERE cve = ? AND until IS NULL", revised
        )
        self._write.executemany("INSERT INTO score VALUES (?, ?, NULL, ?, ?, ?, ?)", begun)
        return len(begun) + len(standing)

    def close(
        self, problems: Sequence[Problem], *, read: Collection[str], whole: bool, published: int | None = None
    ) -> None:
        if published is not None:
            self._provenance = replace(self._provenance, published=published)
        rows = self._write.execute(
            "SELECT rowid, record, place, what FROM unreadable WHERE feed = ? AND until IS NULL", (self._feed,)
        )
        before = {Problem(*problem): row for row, *problem in rows}
        over, new = problem_changes(list(before), problems, read, whole=whole)
        self._end(_END_UNREADABLE, [before[problem] for problem in over])
        self._write.executemany(
            "INSERT INTO unreadable VALUES (?, ?, ?, ?, ?, NULL)",
            [(self._feed, problem.record, problem.where, problem.what, self._now) for problem in new],
        )
        self._insert(
            "INSERT INTO taken (feed, origin, fetched_at, confirmed_at, digest, verified, published, whole, reader,"
            " records, unreadable) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (*self._origin(), whole, self._reader, self._count_records() + self._scores, self._count_unreadable()),
        )

    # Statements.

    def _standing(self, record: int) -> dict[Subject, tuple[int, Statement]]:
        """The open statements of a record, with the ids of their subjects."""
        found: dict[Subject, tuple[int, Statement]] = {}
        for row in self._write.execute(_OPEN_SUBJECTS, (record,)):
            statement = statement_of(*row[1:])
            found[statement.subject] = row[0], statement
        return found

    def _change(
        self, record: int, before: Mapping[Subject, tuple[int, Statement]], after: Mapping[Subject, Statement]
    ) -> int:
        ended, begun = changes({subject: one for subject, (_, one) in before.items()}, after)
        self._end(_END_STATEMENT, [before[subject][0] for subject in ended])
        self._write.executemany(
            "INSERT INTO statement VALUES (?, ?, NULL, ?)",
            [
                (
                    before[subject][0] if subject in before else self._subject(record, subject),
                    self._now,
                    self._say(one),
                )
                for subject, one in begun
            ],
        )
        return len(set(ended).union(subject for subject, _ in begun))

    def _begin(self, record: int, statements: Mapping[Subject, Statement]) -> int:
        """The statements of a record that is new: nothing has to be looked for."""
        first = self._next_subject
        self._next_subject += len(statements)
        self._write.executemany(
            "INSERT INTO subject VALUES (?, ?, ?, ?, ?)",
            [
                (first + number, record, self._name(about), self._name(package), self._place(place))
                for number, (about, package, place) in enumerate(statements)
            ],
        )
        self._write.executemany(
            "INSERT INTO statement VALUES (?, ?, NULL, ?)",
            [(first + number, self._now, self._say(one)) for number, one in enumerate(statements.values())],
        )
        return len(statements)

    def _say(self, said: Statement) -> int:
        return self._saying(said.status, said.fixed or "", said.introduced or "", said.urgency, said.note)

    def _subject(self, record: int, subject: Subject) -> int:
        about, package, place = subject
        row = (record, self._name(about), self._name(package), self._place(place))
        found = self._write.execute(_SUBJECT, row).fetchone()
        if found is not None:
            return int(found[0])
        self._next_subject += 1
        return self._insert("INSERT INTO subject VALUES (?, ?, ?, ?, ?)", (self._next_subject - 1, *row))

    def _name_id(self, text: str) -> int:
        return self._found_or_made(_NAME, (text,))

    def _place_id(self, place: Place) -> int:
        row = (place.distribution, place.release, place.pocket)
        return self._found_or_made(_PLACE, row)

    def _saying_id(self, status: Status, fixed: str, introduced: str, urgency: str, note: str) -> int:
        row = (status.value, fixed, introduced, urgency, note)
        return self._found_or_made(_SAYING, row)

    # Records.

    def _begin_edition(self, record: int, parsed: Parsed, digest: bytes) -> None:
        head = parsed.record
        packed = self._pack(msgspec.msgpack.encode(head))
        row = self._write.execute(
            "SELECT digest, head FROM edition WHERE record = ? AND until IS NULL", (record,)
        ).fetchone()
        if row is not None and row[0] == digest and head_of(row[1]) == head:
            return
        if row is not None:
            self._end(_END_EDITION, [record])
            # What an edition of this very moment spoke of, it never did.
            self._write.executemany(
                "DELETE FROM mention WHERE cve = ? AND record = ? AND since = ?",
                [(self._name(cve), record, self._now) for cve in head_of(row[1]).cves],
            )
        listed = (self._name(head.about), head.kind.value, head.published, priority_of(head), self._feed)
        self._write.execute(
            "INSERT INTO edition VALUES (?, ?, NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (record, self._now, digest, head.modified, packed, *listed, self._wording(parsed)),
        )
        self._write.executemany(
            "INSERT OR IGNORE INTO mention VALUES (?, ?, ?)",
            [(self._name(cve), record, self._now) for cve in head.cves],
        )

    def _wording(self, parsed: Parsed) -> int:
        """What it can be found by; the same words are indexed once, whatever else changed in a record."""
        text = wording(parsed)
        digest = sha256(text.encode()).digest()[:WORDING_DIGEST_BYTES]
        found = self._write.execute("SELECT id FROM wording WHERE digest = ?", (digest,)).fetchone()
        if found is not None:
            return int(found[0])
        made = self._insert("INSERT INTO wording (digest) VALUES (?)", (digest,))
        self._write.execute("INSERT INTO wording_text (rowid, text) VALUES (?, ?)", (made, text))
        return made

    def _keep(self, digest: bytes, data: bytes) -> None:
        if not self._write.execute("SELECT 1 FROM verbatim WHERE digest = ?", (digest,)).fetchone():
            self._write.execute("INSERT INTO verbatim VALUES (?, ?)", (digest, self._pack(data)))

    def _origin(self) -> tuple[object, ...]:
        come = self._provenance
        return (come.feed, come.origin, self._now, self._now, come.digest, come.verified.value, come.published)

    def _count_records(self) -> int:
        counted = self._write.execute(
            "SELECT count(*) FROM edition e JOIN record r ON r.id = e.record WHERE r.feed = ? AND e.until IS NULL",
            (self._feed,),
        )
        return int(counted.fetchone()[0])

    def _count_unreadable(self) -> int:
        counted = self._write.execute("SELECT count(*) FROM unreadable WHERE feed = ? AND until IS NULL", (self._feed,))
        return int(counted.fetchone()[0])

    # SQL.

    def _end(self, sql: tuple[str, str], ended: Iterable[object]) -> None:
        rows = [(one, self._now) for one in ended]
        for each in sql:
            self._write.executemany(each, rows)

    def _found_or_made(self, sql: tuple[str, str], row: tuple[object, ...]) -> int:
        select, insert = sql
        found = self._write.execute(select, row).fetchone()
        return self._insert(insert, row) if found is None else int(found[0])

    def _insert(self, sql: str, row: tuple[object, ...]) -> int:
        return self._write.execute(sql, row).lastrowid or 0


def statement_of(
    about: str,
    package: str,
    distribution: str,
    release: str,
    pocket: str,
    status: str,
    fixed: str,
    introduced: str,
    urgency: str,
    note: str,
) -> Statement:
    """A statement from its columns, in this order."""
    place = Place(distribution, release, pocket)
    return Statement(about, package, place, Status(status), fixed or None, introduced or None, urgency, note)


def head_of(packed: bytes) -> Record:
    """A record without its statements, as it was stored."""
    return msgspec.msgpack.decode(zstandard.ZstdDecompressor().decompress(packed), type=Record)

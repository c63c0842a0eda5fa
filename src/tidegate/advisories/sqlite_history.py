"""`History` in SQLite: one file, readers that never wait for an import, an import that is all or nothing."""

import json
import threading
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import zstandard

from tidegate.advisories import sqlite_listing
from tidegate.advisories.history import Edition, FeedState, Naming, Provenance, Said, Unreadable, Verified
from tidegate.advisories.listing import Listed, Listing, Page
from tidegate.advisories.sqlite_session import SCHEMA, SqliteSession, head_of, statement_of
from tidegate.advisories.statement import Kind, Problem, Score
from tidegate.store.sqlite import FileForm, Reading, connect, transaction

FORM = FileForm(2, "move it away, and have the feeds refreshed: what they say now comes again, what they said does not")
"""Raise the number when a table changes."""
_END_OF_TIME = 2**62
"""Now: whatever has ended, ended before; a moment itself would have to be compared with a clock."""

_SAID = """
SELECT r.feed, r.text, a.text, p.text, l.distribution, l.release, l.pocket,
  y.status, y.fixed, y.introduced, y.urgency, y.note, t.since, t.until
FROM subject s JOIN name a ON a.id = s.about JOIN name p ON p.id = s.package JOIN place l ON l.id = s.place
  CROSS JOIN statement t ON t.subject = s.id JOIN saying y ON y.id = t.saying JOIN record r ON r.id = s.record
"""
_HOLDS = " AND t.since <= :at AND (t.until IS NULL OR t.until > :at)"
_ORDER = " ORDER BY r.feed, r.text, a.text, p.text, l.distribution, l.release, l.pocket, t.since"
_SPANS = _SAID + " WHERE a.text = :name"
_SPANS_OF = _SAID + " WHERE p.text = :name"
_SPANS_IN = _SAID + " WHERE l.release = :name"
_EDITION = "SELECT r.feed, t.head, t.digest, t.since, t.until FROM record r JOIN edition t ON t.record = r.id"
_RECORD = _EDITION + " WHERE r.feed = :feed AND r.text = :name" + _HOLDS
_MENTIONS = (
    _EDITION
    + " JOIN mention m ON m.record = t.record AND m.since = t.since JOIN name c ON c.id = m.cve WHERE c.text = :name"
    + _HOLDS
    + " ORDER BY r.feed, r.text"
)
_NAMED = """
SELECT c.text, a.text, t.feed, t.published FROM json_each(:cves) j CROSS JOIN name c ON c.text = j.value
  CROSS JOIN mention m ON m.cve = c.id JOIN edition t ON t.record = m.record AND t.since = m.since
  JOIN name a ON a.id = t.about WHERE t.kind = :kind
"""
_NAMING = _NAMED + _HOLDS + " ORDER BY c.text, a.text, t.feed"
_ABOUT = _EDITION + " JOIN name a ON a.id = t.about WHERE a.text = :name" + _HOLDS + " ORDER BY r.feed, r.text"
_UNREADABLE = "SELECT t.feed, t.record, t.place, t.what, t.since, t.until FROM unreadable t WHERE TRUE"
_SCORE_NOW = "SELECT cve, probability, percentile FROM score WHERE cve = ? AND until IS NULL"
_SCORE_THEN = "SELECT t.cve, t.begun, t.begun_percentile FROM score t WHERE t.cve = :name"
_TAKEN = """
SELECT feed, origin, fetched_at, digest, verified, published, confirmed_at, whole, reader, records, unreadable
FROM taken WHERE feed = ? AND fetched_at <= ? ORDER BY id DESC LIMIT 1
"""


class SqliteHistory:
    """Reads use one connection and imports another. Commits are synced: what was known when cannot be fetched again."""

    def __init__(self, path: Path) -> None:
        self._write = connect(path, sync="FULL", schema=SCHEMA, form=FORM)
        self._read = Reading(path)
        self._write_lock = threading.Lock()

    def close(self) -> None:
        self._read.close()
        self._write.close()

    @contextmanager
    def importing(self, provenance: Provenance, *, reader: int) -> Iterator[SqliteSession]:
        with self._write_lock, transaction(self._write) as write:
            yield SqliteSession(write, provenance, reader)

    def confirm(self, provenance: Provenance) -> None:
        with self._write_lock, transaction(self._write) as write:
            write.execute(
                "UPDATE taken SET confirmed_at = max(confirmed_at, ?)"
                " WHERE id = (SELECT max(id) FROM taken WHERE feed = ?)",
                (provenance.fetched_at, provenance.feed),
            )

    def feed(self, name: str, as_of: int | None = None) -> FeedState | None:
        rows = self._read.rows(_TAKEN, (name, _END_OF_TIME if as_of is None else as_of))
        return None if not rows else _state(rows[0], _at(as_of))

    def feeds(self, as_of: int | None = None) -> tuple[FeedState, ...]:
        names = [str(row[0]) for row in self._read.rows("SELECT DISTINCT feed FROM taken ORDER BY feed", ())]
        return tuple(state for name in names if (state := self.feed(name, as_of)) is not None)

    def said(self, about: str, as_of: int | None = None) -> tuple[Said, ...]:
        rows = self._read.rows(_SPANS + _HOLDS + _ORDER, {"name": about, "at": _at(as_of)})
        return tuple(map(_said, rows))

    def said_of(self, package: str, as_of: int | None = None) -> tuple[Said, ...]:
        rows = self._read.rows(_SPANS_OF + _HOLDS + _ORDER, {"name": package, "at": _at(as_of)})
        return tuple(map(_said, rows))

    def spans(self, about: str) -> tuple[Said, ...]:
        return tuple(map(_said, self._read.rows(_SPANS + _ORDER, {"name": about})))

    def all_said(self, release: str, as_of: int | None = None) -> Iterator[Said]:
        yield from map(_said, self._read.each(_SPANS_IN + _HOLDS, {"name": release, "at": _at(as_of)}))

    def editions(self, feed: str, as_of: int | None = None) -> Iterator[Edition]:
        values = {"feed": feed, "at": _at(as_of)}
        yield from map(_edition, self._read.each(_EDITION + " WHERE r.feed = :feed" + _HOLDS, values))

    def record(self, feed: str, identity: str, as_of: int | None = None) -> Edition | None:
        rows = self._read.rows(_RECORD, {"feed": feed, "name": identity, "at": _at(as_of)})
        return _edition(rows[0]) if rows else None

    def mentions(self, cve: str, as_of: int | None = None) -> tuple[Edition, ...]:
        return tuple(map(_edition, self._read.rows(_MENTIONS, {"name": cve, "at": _at(as_of)})))

    def naming(self, cves: Collection[str], kind: Kind, as_of: int | None = None) -> tuple[Naming, ...]:
        values: dict[str, object] = {"kind": kind.value, "at": _at(as_of), "cves": json.dumps(sorted(set(cves)))}
        return tuple(Naming(*row) for row in self._read.rows(_NAMING, values))

    def about(self, name: str, as_of: int | None = None) -> tuple[Edition, ...]:
        return tuple(map(_edition, self._read.rows(_ABOUT, {"name": name, "at": _at(as_of)})))

    def listed(self, listing: Listing, as_of: int | None = None) -> Page:
        few = bool(self._read.rows(*sqlite_listing.few_subjects(listing))[0][0])
        rows = self._read.rows(*sqlite_listing.page(listing, _at(as_of), few=few))
        if len(rows) < listing.limit and (rows or not listing.offset):
            return Page(listing.offset + len(rows), tuple(Listed(*row) for row in rows))
        counted = self._read.rows(*sqlite_listing.total(listing, _at(as_of), few=few))
        return Page(int(counted[0][0]), tuple(Listed(*row) for row in rows))

    def verbatim(self, digest: bytes) -> bytes | None:
        rows = self._read.rows("SELECT zstd FROM verbatim WHERE digest = ?", (digest,))
        return zstandard.ZstdDecompressor().decompress(rows[0][0]) if rows else None

    def unreadable(self, as_of: int | None = None) -> tuple[Unreadable, ...]:
        rows = self._read.rows(_UNREADABLE + _HOLDS + " ORDER BY t.feed, t.record, t.place", {"at": _at(as_of)})
        return tuple(Unreadable(feed, Problem(*rest), since, until) for feed, *rest, since, until in rows)

    def score(self, cve: str, as_of: int | None = None) -> Score | None:
        if as_of is None:
            rows = self._read.rows(_SCORE_NOW, (cve,))
        else:
            rows = self._read.rows(_SCORE_THEN + _HOLDS, {"name": cve, "at": as_of})
        return Score(*rows[0]) if rows else None


def _at(as_of: int | None) -> int:
    return _END_OF_TIME if as_of is None else as_of


def _said(row: Any) -> Said:
    feed, record, *columns, since, until = row
    return Said(feed, record, statement_of(*columns), since, until)


def _edition(row: Any) -> Edition:
    feed, head, digest, since, until = row
    return Edition(feed, head_of(head), digest, since, until)


def _state(row: Any, as_of: int) -> FeedState:
    feed, origin, fetched_at, digest, verified, published, confirmed_at, whole, reader, records, unreadable = row
    provenance = Provenance(feed, origin, fetched_at, digest, Verified(verified), published)
    return FeedState(provenance, min(confirmed_at, as_of), bool(whole), reader, records, unreadable)

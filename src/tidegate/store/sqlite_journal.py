"""`Journal` in SQLite: several processes append, each append is on the disk before it returns.

The file says by its `user_version` which form it has: 0 is that of before events were chained, and is brought into
this one when it is opened, in one transaction. A file of a newer form is left alone.
"""

import contextlib
import json
import sqlite3
import threading
from collections.abc import Collection, Iterator, Sequence
from heapq import merge
from pathlib import Path

from tidegate.store.journal import (
    RETIRED_AT_ONCE,
    Event,
    Happening,
    chained,
    event_of,
    plain,
)
from tidegate.store.journal_chain import GENESIS, Checked, Link, Row, check, data_text, hashed
from tidegate.store.journal_summary import summaries
from tidegate.store.noted import Line, left_behind, pens
from tidegate.store.sqlite import connect, transaction

FORM = 1
READ_AT_ONCE = 1000
_TABLES = (
    """CREATE TABLE event (
  seq INTEGER PRIMARY KEY AUTOINCREMENT, at_us INTEGER NOT NULL, monotonic_us INTEGER NOT NULL, boot TEXT NOT NULL,
  drill TEXT NOT NULL, kind TEXT NOT NULL, subject TEXT NOT NULL, data TEXT NOT NULL, hash BLOB NOT NULL)""",
    "CREATE TABLE anchor (seq INTEGER NOT NULL, hash BLOB NOT NULL)",
)
_PENS = "CREATE TABLE IF NOT EXISTS pen (name TEXT PRIMARY KEY, number INTEGER NOT NULL) WITHOUT ROWID"
"""How much of what pens noted is in the journal. Earlier versions do without, and so may later ones."""
_COLUMNS = "seq, at_us, monotonic_us, boot, drill, kind, subject, data, hash"
_INSERT = f"INSERT INTO event ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608 (our own names)
_SELECT = f"SELECT {_COLUMNS} FROM event"  # noqa: S608 (our own names)


class SqliteJournal:
    """`Journal` in a file."""

    def __init__(self, path: Path) -> None:
        """Raises sqlite3.Error (of a newer form, too), OSError."""
        self._connection = connect(path, sync="FULL", schema="")
        self._lock = threading.Lock()
        self.noted = path.parent / "noted"
        try:
            if self._form() != FORM:
                with transaction(self._connection) as write:
                    self._bring_up(write)
            with contextlib.suppress(OSError):  # a full disk, mostly: it stays where it is until the next time
                self._take_in()
        except BaseException:
            self._connection.close()
            raise

    def close(self) -> None:
        self._connection.close()

    def append(self, happenings: Sequence[Happening], *, line: Line | None = None) -> tuple[int, ...]:
        with self._lock, transaction(self._connection) as write:
            rows = list(chained(self._place(), happenings))
            write.executemany(_INSERT, rows)
            if line is not None:
                write.execute(_PENS)
                write.execute("INSERT OR REPLACE INTO pen VALUES (?, ?)", line)
        return tuple(row.seq for row in rows)

    def forget(self, pen: str) -> None:
        with self._lock, transaction(self._connection) as write:
            write.execute(_PENS)
            write.execute("DELETE FROM pen WHERE name = ?", (pen,))

    def read(self, *, after: int = 0, limit: int = 1000) -> tuple[Event, ...]:
        return tuple(map(event_of, self.rows(after=after, limit=limit)))

    def last(self, limit: int, *, kinds: Collection[str] = ()) -> tuple[Event, ...]:
        which = f"WHERE kind IN ({', '.join('?' * len(kinds))})" if kinds else ""
        newest = f"SELECT * FROM ({_SELECT} {which} ORDER BY seq DESC LIMIT ?) ORDER BY seq"  # noqa: S608 (our own names)
        return tuple(map(event_of, self._rows(newest, (*kinds, limit))))

    def rows(self, *, after: int = 0, limit: int = 1000) -> tuple[Row, ...]:
        return self._rows(f"{_SELECT} WHERE seq > ? ORDER BY seq LIMIT ?", (after, limit))

    def anchor(self) -> Link:
        with self._lock:
            return self._anchor()

    def check(self, noted: Link | None = None) -> Checked:
        """Through a connection of its own, which takes text for what it is even where it is none."""
        (path,) = (path for _, name, path in self._connection.execute("PRAGMA database_list") if name == "main")
        looking = sqlite3.connect(f"{Path(path).as_uri()}?mode=ro", uri=True, isolation_level=None)
        looking.text_factory = lambda raw: raw.decode("utf-8", "surrogateescape")
        try:
            looking.execute("BEGIN")  # all of it of one moment
            anchor = looking.execute("SELECT seq, hash FROM anchor").fetchone()
            (last_seq,) = looking.execute("SELECT seq FROM sqlite_sequence WHERE name = 'event'").fetchone() or (0,)
            rows = map(Row._make, looking.execute(f"{_SELECT} ORDER BY seq"))
            return check(Link(*anchor) if anchor else GENESIS, rows, last_seq=last_seq, noted=noted)
        finally:
            looking.close()

    def retire(self, before: int, carried: Sequence[Happening] = ()) -> int:
        with self._lock, transaction(self._connection) as write:
            place = self._place()
            oldest = f"{_SELECT} WHERE seq < ? ORDER BY seq LIMIT ?"
            going = list(map(Row._make, write.execute(oldest, (min(before, place.seq), RETIRED_AT_ONCE))))
            if going:
                anchor = going[-1]
                write.executemany(_INSERT, chained(place, [*summaries(going), *carried]))
                write.execute("DELETE FROM event WHERE seq <= ?", (anchor.seq,))
                write.execute("DELETE FROM anchor")
                write.execute("INSERT INTO anchor VALUES (?, ?)", (anchor.seq, anchor.hash))
            return len(going)

    def _take_in(self) -> None:
        """Append what processes that are gone had noted, each event once, by their time. Raises OSError."""
        with left_behind(self.noted) as left:
            if not left:
                return
            with self._lock, transaction(self._connection) as write:
                write.execute(_PENS)
                known = dict(write.execute("SELECT name, number FROM pen"))
                fresh = [[one for number, one in each.lines if number > known.get(each.pen, 0)] for each in left]
                write.executemany(_INSERT, chained(self._place(), merge(*fresh, key=_at_us)))
                numbers = [Line(each.pen, each.lines[-1][0]) for each in left if each.lines]
                write.executemany("INSERT OR REPLACE INTO pen VALUES (?, ?)", numbers)
        with self._lock, transaction(self._connection) as write:
            gone = {name for (name,) in write.execute("SELECT name FROM pen")} - pens(self.noted)
            write.executemany("DELETE FROM pen WHERE name = ?", [(name,) for name in gone])

    # Within a transaction, or the lock

    def _rows(self, query: str, arguments: tuple[int | str, ...]) -> tuple[Row, ...]:
        with self._lock:
            return tuple(map(Row._make, self._connection.execute(query, arguments)))

    def _anchor(self) -> Link:
        found = self._connection.execute("SELECT seq, hash FROM anchor").fetchone()
        return Link(*found) if found else GENESIS

    def _place(self) -> Link:
        """What the next event goes on from. Numbers of events that somebody took away are not given again."""
        found = self._connection.execute(
            "SELECT max(seq, coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'event'), 0)), hash"
            " FROM event ORDER BY seq DESC LIMIT 1"
        ).fetchone()
        return Link(*found) if found else self._anchor()

    def _form(self) -> int:
        (form,) = self._connection.execute("PRAGMA user_version").fetchone()
        if form > FORM:
            raise sqlite3.DatabaseError(f"the journal is of form {form}, of a newer version of tidegate than this one")
        return int(form)

    def _bring_up(self, write: sqlite3.Connection) -> None:
        if self._form() == FORM:  # another process was first
            return
        is_old = write.execute("SELECT 1 FROM sqlite_master WHERE name = 'event'").fetchone()
        if is_old:
            write.execute("ALTER TABLE event RENAME TO event_0")
        for table in _TABLES:
            write.execute(table)
        if is_old:
            write.executemany(_INSERT, _rechained(write))
            write.execute("DROP TABLE event_0")
        write.execute(f"PRAGMA user_version = {FORM}")


def _rechained(read: sqlite3.Connection) -> Iterator[Row]:
    """The events of form 0, as a chain: their numbers stay."""
    before = GENESIS.hash
    for seq, at, monotonic_s, boot, kind, subject, data in read.execute("SELECT * FROM event_0 ORDER BY seq"):
        text = data_text(plain(Happening("", "", json.loads(data))).data)
        row = Row(seq, round(at * 1e6), round(monotonic_s * 1e6), boot, "", kind, subject, text, b"")
        row = row._replace(hash=hashed(before, row))
        before = row.hash
        yield row


def _at_us(one: Happening) -> int:
    return one.moment.at_us if one.moment is not None else 0

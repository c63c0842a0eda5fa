"""Stores of many hosts in a fraction of the time that their reports would take.

The rows are those that `SqliteHosts.report` writes; `built` compares some hosts with what their reports come to.
"""

import sqlite3
from collections.abc import Iterable, Iterator
from hashlib import sha256
from pathlib import Path

from pyroaring import BitMap

from bench.jammy import Made
from bench.process import BenchError
from tidegate.fleet.composition import host_of
from tidegate.fleet.encoding import piece_text, setting_text
from tidegate.fleet.inventory import Form, Inventory
from tidegate.fleet.sqlite_hosts import SqliteHosts

ROWS_AT_ONCE = 5000
COMPARED = 20
REPORTED = sha256(b"").digest()


def inventory_of(made: Made) -> Inventory:
    """A host as its report would be read."""
    host = host_of(made.setting, made.identity, made.identity)
    return Inventory(host, made.packages, made.seen_at, Form.REPORT, made.setting.modules)


def built(path: Path, hosts: Iterable[Made]) -> None:
    """A new store. BenchError where it is not what reports would have made of it."""
    SqliteHosts(path).close()
    first: list[Made] = []
    connection = sqlite3.connect(path)
    try:
        connection.execute("PRAGMA synchronous = OFF")
        rows = _Rows(connection)
        for number, made in enumerate(hosts, 1):
            if number <= COMPARED:
                first.append(made)
            rows.add(number, made)
        rows.flush()
        connection.commit()
    finally:
        connection.close()
    store = SqliteHosts(path)
    try:
        for made in first:
            if store.inventory(made.identity) != inventory_of(made) or store.report(inventory_of(made), REPORTED):
                raise BenchError(f"{made.identity} is not in the store as its report would be")
    finally:
        store.close()


class _Rows:
    """Rows that wait to be written, and the numbers that were given."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._pieces: dict[int, int] = {}
        self._kept: list[object] = []
        self._settings: dict[str, int] = {}
        self._made: dict[bytes, int] = {}
        self._rows: list[tuple[object, ...]] = []

    def add(self, number: int, made: Made) -> None:
        """A host."""
        text = setting_text(made.setting)
        if text not in self._settings:
            self._settings[text] = self._insert("setting", text)
        blob = BitMap(self._numbers(made)).serialize()
        digest = sha256(blob).digest()
        if digest not in self._made:
            row = self._connection.execute("INSERT INTO made (digest, pieces) VALUES (?, ?)", (digest, blob))
            self._made[digest] = int(row.lastrowid or 0)
        packages = sum(map(len, made.pieces))
        told = (made.identity, "", Form.REPORT.value, packages, self._settings[text], self._made[digest], REPORTED)
        self._rows.append((number, made.identity, made.seen_at, *told))
        if len(self._rows) >= ROWS_AT_ONCE:
            self.flush()

    def flush(self) -> None:
        """Write what waits."""
        self._connection.executemany("INSERT INTO host (number, id) VALUES (?, ?)", (row[:2] for row in self._rows))
        self._connection.executemany(
            "INSERT INTO span (host, since, seen_at, name, boot, form, packages, setting, made, reported)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            ((row[0], row[2], *row[2:]) for row in self._rows),
        )
        self._rows.clear()

    def _numbers(self, made: Made) -> Iterator[int]:
        """By the objects themselves: a fleet makes each piece once, and a piece is long to compare."""
        for piece in made.pieces:
            number = self._pieces.get(id(piece))
            if number is None:
                text = piece_text(piece)
                row = self._connection.execute("SELECT id FROM piece WHERE body = ?", (text,)).fetchone()
                number = self._pieces[id(piece)] = row[0] if row else self._insert("piece", text)
                self._kept.append(piece)  # or else another one could come to have its id
            yield number

    def _insert(self, table: str, text: str) -> int:
        return int(self._connection.execute(f"INSERT INTO {table} (body) VALUES (?)", (text,)).lastrowid or 0)

"""What the feeds said, kept in SQLite and in memory."""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.advisories.history_contract import HistoryContract, take
from tests.advisories.samples import NOON, parsed, provenance, statement
from tidegate.advisories.history import History
from tidegate.advisories.memory_history import MemoryHistory
from tidegate.advisories.sqlite_history import SqliteHistory


class TestSqliteHistory(HistoryContract):
    @pytest.fixture
    def history(self, tmp_path: Path) -> Iterator[History]:
        with closing(SqliteHistory(tmp_path / "advisories.db")) as history:
            yield history


class TestMemoryHistory(HistoryContract):
    @pytest.fixture
    def history(self) -> History:
        return MemoryHistory()


def test_a_history_survives_a_restart(tmp_path: Path) -> None:
    with closing(SqliteHistory(tmp_path / "advisories.db")) as history:
        take(history, NOON, parsed("CVE-2026-0001", statement()))
        said = history.said("CVE-2026-0001")
    with closing(SqliteHistory(tmp_path / "advisories.db")) as history:
        assert history.said("CVE-2026-0001") == said


def test_a_history_of_another_form_is_left_as_it_is_and_it_is_said_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "advisories.db"
    with closing(sqlite3.connect(path)) as other, other:
        other.execute("CREATE TABLE taken (feed TEXT)")
        other.execute("INSERT INTO taken VALUES ('kev')")
    with pytest.raises(OSError, match=r"another version of Tidegate.*move it away"):
        SqliteHistory(path)
    with closing(sqlite3.connect(path)) as other:
        assert other.execute("SELECT feed FROM taken").fetchall() == [("kev",)]


def test_a_reader_does_not_wait_for_an_import_and_sees_none_of_it(tmp_path: Path) -> None:
    with closing(SqliteHistory(tmp_path / "advisories.db")) as history:
        take(history, NOON, parsed("CVE-2026-0001", statement()))
        with history.importing(provenance("ubuntu-tracker", NOON + 10), reader=1) as session:
            session.retract(["CVE-2026-0001"])
            seen: list[int] = []
            reader = threading.Thread(target=lambda: seen.append(len(history.said("CVE-2026-0001"))))
            reader.start()
            reader.join(10)
            assert seen == [1]
            session.close((), read=[], whole=True)
        assert history.said("CVE-2026-0001") == ()


def test_names_and_bytes_are_stored_once(tmp_path: Path) -> None:
    with closing(SqliteHistory(tmp_path / "advisories.db")) as history:
        for at in range(3):
            take(history, NOON + at, parsed("CVE-2026-0001", statement()), parsed("CVE-2026-0002", statement()))
        counted = {
            table: history._write.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
            for table in ("name", "place", "saying", "record", "edition", "verbatim", "subject", "statement", "taken")
        }
    assert counted == {
        "name": 3, "place": 1, "saying": 1, "record": 2, "edition": 2, "verbatim": 2, "subject": 2, "statement": 2,
        "taken": 3,
    }  # fmt: skip


def test_a_history_that_cannot_be_written_is_an_oserror(tmp_path: Path) -> None:
    with closing(SqliteHistory(tmp_path / "advisories.db")) as history:
        history._write.execute("PRAGMA query_only = ON")
        with pytest.raises(OSError, match="cannot be written"):
            take(history, NOON, parsed("CVE-2026-0001", statement()))
        assert history.feeds() == ()

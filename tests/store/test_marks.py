"""High-water marks in SQLite and in memory."""

import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.store.marks_contract import NOW, MarksContract, mark
from tidegate.store.layout import Layout
from tidegate.store.marks import Marks, MemoryMarks, SqliteMarks


class TestSqliteMarks(MarksContract):
    @pytest.fixture
    def marks(self, tmp_path: Path) -> Iterator[Marks]:
        with closing(SqliteMarks(tmp_path / "marks.db")) as marks:
            yield marks


class TestMemoryMarks(MarksContract):
    @pytest.fixture
    def marks(self) -> Marks:
        return MemoryMarks()


def test_a_mark_survives_a_restart_and_a_wiped_cache(tmp_path: Path) -> None:
    """Threat 9."""
    layout = Layout(tmp_path / "state", tmp_path / "state" / "cache")
    layout.make()
    with closing(SqliteMarks(layout.marks)) as marks:
        marks.rise("debian", "stable", mark())
    shutil.rmtree(layout.cache)
    layout.make()
    with closing(SqliteMarks(layout.marks)) as marks:
        assert marks.get("debian", "stable") == mark()


def test_a_mark_does_not_fall_under_two_writers(tmp_path: Path) -> None:
    with closing(SqliteMarks(tmp_path / "marks.db")) as one, closing(SqliteMarks(tmp_path / "marks.db")) as other:
        assert one.get("debian", "stable") is None
        other.rise("debian", "stable", mark(NOW + 9))
        one.rise("debian", "stable", mark(NOW))  # whoever read before the other wrote
        assert one.get("debian", "stable") == other.get("debian", "stable") == mark(NOW + 9)


def test_a_mark_that_cannot_be_written_is_an_oserror(tmp_path: Path) -> None:
    with closing(SqliteMarks(tmp_path / "marks.db")) as marks:
        marks.rise("debian", "stable", mark())
        marks._connection.execute("PRAGMA query_only = ON")
        with pytest.raises(OSError, match="cannot be written"):
            marks.rise("debian", "stable", mark(NOW + 1))
        assert marks.get("debian", "stable") == mark()

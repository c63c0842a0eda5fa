"""The journal in SQLite and in memory, and the pen that writes it without making anybody wait."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import pytest

from tests.store.journal_contract import JournalContract, happened
from tests.store.test_catalogue import limit_size
from tidegate.store.journal import Event, Happening, Journal
from tidegate.store.journal_writer import WAITING_MAX, JournalWriter
from tidegate.store.memory_journal import MemoryJournal
from tidegate.store.noted import Line
from tidegate.store.sqlite_journal import SqliteJournal


class TestSqliteJournal(JournalContract):
    @pytest.fixture
    def journal(self, tmp_path: Path) -> Iterator[Journal]:
        with closing(SqliteJournal(tmp_path / "journal.db")) as journal:
            yield journal


class TestMemoryJournal(JournalContract):
    @pytest.fixture
    def journal(self) -> Journal:
        return MemoryJournal()


def test_the_journal_goes_on_after_a_restart(tmp_path: Path) -> None:
    for kind in "abc":
        with closing(SqliteJournal(tmp_path / "journal.db")) as journal:
            journal.append(happened(kind))
            assert [event.seq for event in journal.read()] == list(range(1, "abc".index(kind) + 2))


def test_a_batch_on_a_full_disk_leaves_no_event_and_no_gap(tmp_path: Path) -> None:
    """Threat 37."""
    with closing(SqliteJournal(tmp_path / "journal.db")) as journal:
        journal.append(happened("before"))
        limit_size(journal._connection)
        with pytest.raises(OSError, match="full"):
            journal.append([Happening("too much", "x", {"text": "y" * 2000})] * 500)
        journal._connection.execute("PRAGMA max_page_count = 1000000")
        journal.append(happened("after"))
        assert [(event.seq, event.kind) for event in journal.read()] == [(1, "before"), (2, "after")]


class Slow(MemoryJournal):
    """A journal whose disk does not answer until it is let."""

    def __init__(self) -> None:
        super().__init__()
        self.may, self.began, self.broken = threading.Event(), threading.Event(), False

    def append(self, happenings: Sequence[Happening], *, line: Line | None = None) -> tuple[int, ...]:
        self.began.set()
        assert self.may.wait(10)
        if self.broken:
            raise OSError("no space left on device")
        return super().append(happenings, line=line)


def test_what_was_noted_is_written_in_order_by_the_time_the_pen_is_laid_down() -> None:
    journal, errors = MemoryJournal(), list[str]()
    pen = JournalWriter(journal, errors.append)
    for number in range(1000):
        pen.note("counted", "debian stable", number=number)
    pen.close()
    assert [event.data["number"] for event in journal.read()] == list(range(1000))
    assert errors == []


def test_noting_does_not_wait_for_a_slow_disk() -> None:
    journal = Slow()
    pen = JournalWriter(journal, lambda text: None)
    pen.note("first", "x")
    assert journal.began.wait(10)
    pen.note("second", "x")  # returns although the disk does not
    journal.may.set()
    pen.close()
    assert [event.kind for event in journal.read()] == ["first", "second"]


def test_a_journal_that_cannot_be_written_is_told_and_stops_nothing() -> None:
    journal, errors = Slow(), list[str]()
    journal.broken = True
    pen = JournalWriter(journal, errors.append)
    pen.note("lost", "x")
    assert journal.began.wait(10)
    journal.began.clear()
    journal.may.set()
    while not errors:
        threading.Event().wait(0.001)
    journal.broken = False
    pen.note("kept", "x")
    pen.close()
    assert errors == ["1 events are not in the journal: no space left on device"]
    assert [event.kind for event in journal.read()] == ["kept"]


def test_beyond_the_bound_events_are_dropped_and_that_is_told() -> None:
    journal, errors = Slow(), list[str]()
    pen = JournalWriter(journal, errors.append)
    pen.note("first", "x")
    assert journal.began.wait(10)
    for _ in range(WAITING_MAX + 5):
        pen.note("more", "x")
    assert errors == ["the journal is too slow: dropped more of x"] * 5
    journal.may.set()
    pen.close()
    assert len(journal.read(limit=2 * WAITING_MAX)) == WAITING_MAX + 1


def test_an_event_is_a_value() -> None:
    journal = MemoryJournal()
    journal.append(happened("a"))
    (event,) = journal.read()
    assert event == Event(1, event.at, event.monotonic_s, event.boot, "a", "debian stable", {})

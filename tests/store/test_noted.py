"""What was noted and is not in the journal yet: its lines, its pages, and what whoever comes next makes of them."""

import os
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.store.journal_contract import VALUES
from tidegate.store.journal import Happening, Moment, moment_now, plain
from tidegate.store.journal_writer import JournalWriter
from tidegate.store.noted import Line, Pages, decoded, encoded, left_behind
from tidegate.store.sqlite_journal import SqliteJournal

HAPPENINGS = st.builds(
    Happening, st.text(), st.text(), st.dictionaries(st.text(), VALUES, max_size=4), st.text(), st.builds(moment_now)
)


def noted(number: int) -> Happening:
    return plain(Happening("stopped", "gateway", {"number": number}, "", Moment(1_000 + number, number, "a boot")))


def die(pages: Pages) -> None:
    """What the kernel does for a process that is killed."""
    for fd in pages._fds:
        os.close(fd)


def left(directory: Path) -> list[tuple[int, Happening]]:
    with left_behind(directory) as found:
        return [line for each in found for line in each.lines]


@given(HAPPENINGS, st.integers(min_value=1, max_value=2**63))
def test_an_event_comes_out_of_its_line_as_it_went_in(happening: Happening, number: int) -> None:
    whole = plain(happening)
    line = encoded(number, whole)
    assert line.count(b"\n") == 1
    assert decoded(line) == (number, whole)


def test_a_line_cut_anywhere_is_no_line_and_spoils_no_other(tmp_path: Path) -> None:
    whole = encoded(1, noted(1))
    for end in range(len(whole)):
        assert decoded(whole[:end]) is None
    pages = Pages(tmp_path)
    pages.write(whole[: len(whole) // 2])
    pages.write(encoded(2, noted(2)))
    pages.write(encoded(3, noted(3))[:-1])
    die(pages)
    assert left(tmp_path) == [(2, noted(2))]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("line", [b"null", b"[]", b"7", b'[1,2,3,"b","","k","s",[]]', b"\x00" * 40, b"[" * 100_000])
def test_what_is_no_line_of_ours_is_passed_over(line: bytes) -> None:
    assert decoded(line) is None


def test_of_two_pages_lines_come_in_the_order_in_which_they_were_noted(tmp_path: Path) -> None:
    pages = Pages(tmp_path)
    for number in (1, 2, 3, 4, 5):
        pages.write(encoded(number, noted(number)))
        if number in (1, 3):
            pages.turn()
    die(pages)
    assert [number for number, _ in left(tmp_path)] == [1, 2, 3, 4, 5]


def test_a_pen_that_lives_is_left_alone(tmp_path: Path) -> None:
    pages = Pages(tmp_path)
    pages.write(encoded(1, noted(1)))
    assert left(tmp_path) == []
    die(pages)
    assert left(tmp_path) == [(1, noted(1))]


def test_what_could_not_be_kept_stays_for_the_next_one(tmp_path: Path) -> None:
    pages = Pages(tmp_path)
    pages.write(encoded(1, noted(1)))
    die(pages)
    with pytest.raises(OSError, match="full"), left_behind(tmp_path):
        raise OSError("the disk is full")
    assert left(tmp_path) == [(1, noted(1))]


def test_a_journal_that_is_opened_takes_in_what_was_left_each_event_once_with_its_own_time(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    with closing(SqliteJournal(path)) as journal:
        pages = [Pages(journal.noted), Pages(journal.noted)]
        for number in range(6):
            pages[number % 2].write(encoded(number + 1, noted(number)))
        journal.append([noted(0), noted(2)], line=Line(pages[0].pen, 3))  # it died before it emptied its page
    for each in pages:
        die(each)
    for _ in range(2):
        with closing(SqliteJournal(path)) as journal:
            events = journal.read()
            assert [event.data["number"] for event in events] == [0, 2, 1, 3, 4, 5]
            assert [(event.at, event.monotonic_s, event.boot) for event in events] == [
                (at.at_us / 1e6, at.monotonic_us / 1e6, at.boot)
                for number in (0, 2, 1, 3, 4, 5)
                if (at := noted(number).moment)
            ]
            assert journal.check().is_whole
            assert list(journal.noted.iterdir()) == []
            assert journal._connection.execute("SELECT * FROM pen").fetchall() == []


def test_pages_are_emptied_as_the_journal_takes_them_in_and_gone_with_their_pen(tmp_path: Path) -> None:
    errors = list[str]()
    with closing(SqliteJournal(tmp_path / "journal.db")) as journal:
        pen = JournalWriter(journal, errors.append)
        for number in range(3_000):
            pen.note("stopped", "gateway", number=number)
        while sum(page.stat().st_size for page in journal.noted.iterdir()):
            pass
        assert len(journal.last(5_000)) == 3_000
        pen.close()
        assert list(journal.noted.iterdir()) == []
        assert journal._connection.execute("SELECT * FROM pen").fetchall() == []
    assert errors == []


def test_a_disk_that_takes_no_line_is_told_once_and_the_event_comes_into_the_journal(tmp_path: Path) -> None:
    """Threat 37."""
    errors = list[str]()
    with closing(SqliteJournal(tmp_path / "journal.db")) as journal:
        pen = JournalWriter(journal, errors.append)
        assert pen._pages is not None
        pages, pen._pages._fds = pen._pages._fds, [os.open("/dev/full", os.O_WRONLY) for _ in range(2)]
        for number in range(5):
            pen.note("stopped", "gateway", number=number)
        pen.close()
        for fd in pages:
            os.close(fd)
        assert [event.data["number"] for event in journal.read()] == list(range(5))
    assert errors == ["a crash would lose what is not in the journal yet: [Errno 28] No space left on device"]

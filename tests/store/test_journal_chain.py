"""A gap or an edit in the journal shows; who wrote what when does not matter, nor what was there before chains."""

import json
import re
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.store.journal_contract import HAPPENINGS
from tidegate.store.journal import Happening, chained
from tidegate.store.journal_chain import GENESIS, Link, Row, check, hashed, link_of
from tidegate.store.memory_journal import MemoryJournal
from tidegate.store.sqlite_journal import SqliteJournal
from tidegate.web.journal_report import event_report, exported_rows
from tidegate.wiring.journal import rows_after

PAGE = Path(__file__).parents[2] / "docs/journal.md"
EVENTS = [
    Happening("refused", "debian stable", {"source": "http://mirror.example", "reason": "older-than-accepted"}),
    Happening("prefetched", "debian stable", {"packages": 3, "bytes": 1 << 40, "seconds": 0.1}),
    Happening("bit-rot", "ab" * 32, {"size": 5, "fetched_again": True}, drill="frozen-mirror"),
    Happening("source-state", "http://ü.example", {"cause": None, "reason": 'it said "no" \\ '}),
    Happening("adopted", "debian stable", {}),
]

Edit = Callable[[sqlite3.Connection], object]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A journal with EVENTS, closed."""
    path = tmp_path / "journal.db"
    with closing(SqliteJournal(path)) as journal:
        journal.append(EVENTS[:2])
        journal.append(EVENTS[2:])
    return path


def edited(path: Path, edit: str, *arguments: object) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        assert connection.execute(edit, arguments).rowcount


def troubles(path: Path, noted: Link | None = None) -> list[tuple[int, str]]:
    with closing(SqliteJournal(path)) as journal:
        return [(one.seq, one.what) for one in journal.check(noted).troubles]


def export(path: Path, since: int = 0) -> bytes:
    with closing(SqliteJournal(path)) as journal:
        lines = (json.dumps(to_dict(event_report(one))) for one in rows_after(journal, since))
        return "".join(f"{line}\n" for line in lines).encode()


def to_dict(report: object) -> object:
    import msgspec

    return msgspec.to_builtins(report)


def by_the_page(exported: bytes) -> subprocess.CompletedProcess[str]:
    """What the program of docs/journal.md says, run by a Python that cannot import ours."""
    (program,) = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    return subprocess.run(
        [sys.executable, "-I", "-S", "-c", program],
        input=exported.decode(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


# Whole


def test_a_journal_that_nobody_touched_is_whole(file: Path) -> None:
    with closing(SqliteJournal(file)) as journal:
        checked = journal.check()
        assert checked.is_whole
        assert (checked.events, checked.anchor, checked.head.seq) == (5, GENESIS, 5)
        assert link_of(str(checked.head)) == checked.head
        assert journal.check(checked.head).is_whole


def test_an_empty_journal_is_whole(tmp_path: Path) -> None:
    assert troubles(tmp_path / "new.db") == []


@given(st.lists(HAPPENINGS, max_size=6))
def test_whatever_is_written_is_whole_and_of_two_chains_one_hash_is_one_event(happenings: list[Happening]) -> None:
    journal = MemoryJournal()
    journal.append(happenings)
    assert journal.check().is_whole
    hashes = [row.hash for row in journal.rows()]
    assert len(set(hashes)) == len(happenings)


# By others


def test_who_has_only_the_page_and_an_export_can_verify_it(file: Path) -> None:
    done = by_the_page(export(file))
    with closing(SqliteJournal(file)) as journal:
        assert (done.returncode, done.stdout) == (0, f"whole, up to {journal.check().head}\n"), done.stderr


def test_who_has_only_the_page_can_verify_the_end_of_a_journal_as_well(file: Path) -> None:
    assert by_the_page(export(file, since=3)).returncode == 0


@pytest.mark.parametrize("spoil", [(b"older", b"newer"), (b'"packages": 3', b'"packages": 4'), (b"frozen", b"thawed")])
def test_who_has_only_the_page_sees_an_edit_of_an_export(file: Path, spoil: tuple[bytes, bytes]) -> None:
    exported = export(file)
    assert spoil[0] in exported
    assert by_the_page(exported.replace(*spoil)).returncode == 1
    anchor, rows = exported_rows(exported.replace(*spoil).splitlines())
    assert not check(anchor, rows).is_whole


def test_who_has_only_the_page_sees_a_line_that_is_gone(file: Path) -> None:
    lines = export(file).splitlines(keepends=True)
    done = by_the_page(b"".join(lines[:2] + lines[3:]))
    assert (done.returncode, done.stderr) == (1, "something is missing before event 4\n")


def test_an_export_is_read_back_as_the_rows_it_was(file: Path) -> None:
    anchor, rows = exported_rows(export(file, since=2).splitlines())
    with closing(SqliteJournal(file)) as journal:
        assert tuple(rows) == journal.rows(after=2)
        assert anchor == Link(2, journal.rows()[1].hash)


# Edits


@pytest.mark.parametrize("column", [name for name in Row._fields if name not in ("seq", "hash")])
def test_a_changed_field_is_found(file: Path, column: str) -> None:
    edited(file, f"UPDATE event SET {column} = {column} || '1' WHERE seq = 3")
    ((seq, what),) = troubles(file)
    assert (seq, "changed" in what) == (3, True)


def test_another_hash_is_found_there_and_behind(file: Path) -> None:
    edited(file, "UPDATE event SET hash = zeroblob(32) WHERE seq = 3")
    assert [seq for seq, _ in troubles(file)] == [3, 4]


def test_an_event_rewritten_with_its_own_hash_is_found_by_the_next_one(file: Path) -> None:
    with closing(SqliteJournal(file)) as journal:
        second, third = journal.rows()[1:3]
    edited(file, "UPDATE event SET kind = 'adopted' WHERE seq = 3")
    edited(file, "UPDATE event SET hash = ? WHERE seq = 3", hashed(second.hash, third._replace(kind="adopted")))
    assert [seq for seq, _ in troubles(file)] == [4]


@pytest.mark.parametrize(
    ("gone", "first", "found"),
    [
        ("seq = 1", 1, "is missing"),
        ("seq = 3", 3, "is missing"),
        ("seq IN (2, 3)", 2, "and up to 3 are missing"),
        ("seq = 5", 5, "is missing"),
        ("seq > 0", 1, "and up to 5 are missing"),
    ],
)
def test_a_gap_is_found_at_the_beginning_in_the_middle_and_at_the_end(
    file: Path, gone: str, first: int, found: str
) -> None:
    edited(file, f"DELETE FROM event WHERE {gone}")
    assert (first, found) in troubles(file)


def test_a_gap_at_the_end_stays_one_when_the_journal_goes_on(file: Path) -> None:
    edited(file, "DELETE FROM event WHERE seq = 5")
    with closing(SqliteJournal(file)) as journal:
        journal.append(EVENTS[:1])
        assert [event.seq for event in journal.last(2)] == [4, 6]
    assert (5, "is missing") in troubles(file)


def test_two_events_that_changed_places_are_found(file: Path) -> None:
    for seq, other in ((2, 90), (3, 2), (90, 3)):
        edited(file, "UPDATE event SET seq = ? WHERE seq = ?", other, seq)
    assert [seq for seq, _ in troubles(file)] == [2, 3, 4]


def test_a_number_in_place_of_a_text_is_found(file: Path) -> None:
    edited(file, "UPDATE event SET subject = x'00ff' WHERE seq = 2")
    assert [seq for seq, _ in troubles(file)] == [2, 3]
    assert troubles(file)[0][1] == "was changed: a field is of another type"


def test_a_chain_written_anew_is_found_by_whoever_noted_a_head(file: Path) -> None:
    with closing(SqliteJournal(file)) as journal:
        noted = journal.check().head
    file.unlink()
    with closing(SqliteJournal(file)) as journal:
        journal.append(EVENTS)
        assert journal.check().is_whole
    assert troubles(file, noted) == [(5, "is not the event that was there when this place was noted")]
    file.unlink()
    assert troubles(file, noted) == [(5, "was there when this place was noted, and is missing")]


def _wal_into_file(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def test_any_byte_that_is_changed_in_the_file_is_found_where_it_belongs_to_an_event(file: Path) -> None:
    """Every byte of the page's events and of its head, turned: either it is found, or every event reads as before."""
    _wal_into_file(file)
    with closing(SqliteJournal(file)) as journal:
        before = journal.rows()
    whole = file.read_bytes()
    at = whole.index(b"older-than-accepted")
    page = at - at % 4096
    found = 0
    copy = file.with_name("spoiled.db")
    events_at = page + int.from_bytes(whole[page + 5 : page + 7])  # fileformat2.html, 1.6
    for place in (*range(page, page + 8), *range(events_at, page + 4096)):
        copy.write_bytes(whole[:place] + bytes([whole[place] ^ 0x15]) + whole[place + 1 :])
        try:
            with closing(SqliteJournal(copy)) as journal:
                if journal.check().is_whole:
                    assert journal.rows() == before
                    continue
        except (sqlite3.Error, OSError):
            pass
        found += 1
    text = sum(len(str(row)) for row in before) // 2
    assert found > text, "less than the events themselves"


# What was there before


def old_journal(path: Path, events: int) -> None:
    """As versions before chains left it."""
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(
            "CREATE TABLE event (seq INTEGER PRIMARY KEY AUTOINCREMENT, at REAL NOT NULL, monotonic_s REAL NOT NULL,"
            " boot TEXT NOT NULL, kind TEXT NOT NULL, subject TEXT NOT NULL, data TEXT NOT NULL)"
        )
        connection.executemany(
            "INSERT INTO event (at, monotonic_s, boot, kind, subject, data) VALUES (?, ?, ?, ?, ?, ?)",
            ((1.7e9 + n / 7, n / 3, "boot", "refused", "ü", json.dumps({"n": n, "a": "é"})) for n in range(events)),
        )


def test_a_journal_of_before_chains_is_chained_when_it_is_opened_and_loses_nothing(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    old_journal(path, 50)
    with closing(SqliteJournal(path)) as journal:
        events = journal.read()
        assert [event.seq for event in events] == list(range(1, 51))
        assert [event.data for event in events] == [{"n": n, "a": "é"} for n in range(50)]
        assert events[7].at == pytest.approx(1.7e9 + 1, abs=1e-6)
        journal.append(EVENTS)
        assert journal.check().is_whole
        assert journal.last(1)[0].seq == 55
    assert by_the_page(export(path)).returncode == 0


def test_several_processes_that_open_a_journal_of_before_chains_chain_it_once(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    old_journal(path, 300)
    program = (
        "import sys; from pathlib import Path; from tidegate.store.sqlite_journal import SqliteJournal as J;"
        "from tidegate.store.journal import Happening as H; sys.stdin.readline();"
        "J(Path(sys.argv[1])).append([H('stopped', 'gateway', {})])"
    )
    processes = [
        subprocess.Popen([sys.executable, "-c", program, str(path)], stdin=subprocess.PIPE, text=True) for _ in range(3)
    ]
    for process in processes:
        process.communicate("go\n", timeout=60)
        assert process.returncode == 0
    with closing(SqliteJournal(path)) as journal:
        assert (journal.check().is_whole, journal.check().events) == (True, 303)


def test_a_journal_of_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 7")
    with pytest.raises(sqlite3.DatabaseError, match="newer version"):
        SqliteJournal(path)


# Clocks


def test_a_wall_clock_that_is_stepped_back_breaks_no_chain(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = list(chained(GENESIS, EVENTS[:1]))
    monkeypatch.setattr(time, "time", lambda: 0.0)
    rows += chained(Link(1, rows[0].hash), EVENTS[1:])
    assert check(GENESIS, rows).is_whole
    assert rows[1].at_us == 0
    assert rows[1].monotonic_us >= rows[0].monotonic_us

"""Killed at any write or flush, a journal loses what was just being written at most, and never its chain."""

import os
import platform
import random
import signal
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from tests.keeper.crash_point import CALLS, STRUCK
from tests.keeper.sweeps import Child, tell
from tests.store.journal_child import LEFT, NOTED, PROBE, RETIRED, STEPS
from tests.store.test_journal_chain import by_the_page, export, old_journal
from tests.store.test_noted import die
from tidegate.store.journal import Happening
from tidegate.store.noted import Line, Pages, encoded
from tidegate.store.sqlite_journal import SqliteJournal

POINTS_MAX = 400
CHILD = "tests.store.journal_child"
APPENDERS = 3
TOLD_MIN = 5
LIVES = 30
LIVED_S_MAX = 0.06
BY_THE_PAGE_EVERY = 16
"""At every sixteenth point others are asked as well: docs/journal.md's program."""

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", autouse=True)
def tracing() -> None:
    """Some containers allow neither ptrace(2) nor filters of seccomp(2)."""
    if platform.machine() not in CALLS:
        pytest.skip(f"no call numbers for {platform.machine()}")
    with Child(CHILD) as child:
        if child.ask(f"{POINTS_MAX} {PROBE}") != "0":
            pytest.skip(f"nothing may be traced here: {child.said.strip().rpartition(chr(10))[2]}")


@pytest.mark.parametrize("before", [0, 20], ids=["new", "of-before-chains"])
def test_killed_at_any_point_all_that_was_promised_is_there_and_the_chain_is_whole(
    tmp_path: Path, before: int, capsys: pytest.CaptureFixture[str]
) -> None:
    with Child(CHILD) as child:
        for point in range(1, POINTS_MAX):
            there = tmp_path / str(point)
            there.mkdir()
            if before:
                old_journal(there / "journal.db", before)
            answer = child.ask(f"{point} {there}")
            assert answer in ("0", str(STRUCK)), child.said
            assert_coherent(there, before)
            if point % BY_THE_PAGE_EVERY == 0 and before:
                assert by_the_page(export(there / "journal.db")).returncode == 0
            if answer == "0":
                tell(capsys, f"a journal: killed at {point - 1} points, whole after each")
                assert point > 4 * len(STEPS)
                return
    raise AssertionError(f"more than {POINTS_MAX} points")


def assert_coherent(there: Path, before: int) -> None:
    done = there / "done"
    promised = before + sum(map(int, done.read_bytes().split())) if done.exists() else before
    with closing(SqliteJournal(there / "journal.db")) as journal:
        checked = journal.check()
        assert checked.is_whole, checked.troubles
        assert checked.head.seq in (promised, promised + 1, promised + max(STEPS))
        assert checked.anchor.seq in (0, RETIRED)
        assert checked.events == checked.head.seq - checked.anchor.seq


def test_killed_at_any_point_of_taking_in_what_was_left_and_noting_more_nothing_is_lost_or_there_twice(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Child(CHILD) as child:
        for point in range(1, POINTS_MAX):
            there = tmp_path / str(point)
            there.mkdir()
            leave_behind(there)
            answer = child.ask(f"{point} {there}")
            assert answer in ("0", str(STRUCK)), child.said
            done = there / "done"
            told = LEFT + (done.read_bytes().count(b"1") if done.exists() else 0)
            with closing(SqliteJournal(there / "journal.db")) as journal:
                assert journal.check().is_whole
                numbers = [event.data["number"] for event in journal.read()]
                assert numbers == list(range(1, len(numbers) + 1))
                assert len(numbers) in (told, min(told + 1, LEFT + NOTED))
                assert list(journal.noted.iterdir()) == []
            if answer == "0":
                tell(capsys, f"taking in what was left: killed at {point - 1} points, each event once after each")
                assert point > 4 * NOTED
                return
    raise AssertionError(f"more than {POINTS_MAX} points")


def leave_behind(there: Path) -> None:
    """A pen's pages, of which the first two events had come into the journal."""
    with closing(SqliteJournal(there / "journal.db")) as journal:
        pages = Pages(journal.noted)
        happenings = [Happening("stopped", "gateway", {"number": number}) for number in range(1, LEFT + 1)]
        for number, one in enumerate(happenings, 1):
            pages.write(encoded(number, one))
            if number == LEFT // 2:
                pages.turn()
        journal.append(happenings[:2], line=Line(pages.pen, 2))
    die(pages)


def test_killed_while_it_notes_every_event_that_was_noted_is_there_once_and_in_order(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "journal.db"
    after = random.Random(0)
    noted = in_flight = 0
    with Child("tests.store.noting_child") as child:
        for _ in range(LIVES):
            told = child.ask(f"{after.random() * LIVED_S_MAX} {noted + 1} {tmp_path}")
            assert told.isdigit(), child.said
            with closing(SqliteJournal(path)) as journal:
                numbers = [event.data["number"] for event in journal.read(after=noted, limit=1_000_000)]
            # The last one may have been noted just before it could be told.
            assert numbers in [list(range(noted + 1, noted + int(told) + 1 + more)) for more in (0, 1)]
            in_flight += len(numbers) - int(told)
            noted += len(numbers)
    assert noted > LIVES
    assert by_the_page(export(path)).returncode == 0
    tell(capsys, f"a pen: killed {LIVES} times, {noted:,} events, {in_flight} of them noted and not told yet")


def test_whichever_of_several_writers_is_killed_the_others_go_on_with_one_chain(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    program = (
        "import sys; from pathlib import Path; from tidegate.store.sqlite_journal import SqliteJournal as J;"
        "from tidegate.store.journal import Happening as H; journal = J(Path(sys.argv[1]))\n"
        "while True: journal.append([H('stopped', sys.argv[2], {})] * 2); print(flush=True)"
    )
    told = [0] * APPENDERS
    processes = [
        subprocess.Popen([sys.executable, "-c", program, str(path), str(number)], stdout=subprocess.PIPE)
        for number in range(APPENDERS)
    ]
    for number, process in enumerate(processes):
        assert process.stdout is not None
        for _ in range(TOLD_MIN):
            assert process.stdout.readline() == b"\n"
        os.kill(process.pid, signal.SIGKILL)
        told[number] = TOLD_MIN + process.stdout.read().count(b"\n")
        process.stdout.close()
        process.wait(60)
    with closing(SqliteJournal(path)) as journal:
        assert journal.check().is_whole
        events = journal.read(limit=1_000_000)
    for number in range(APPENDERS):
        written = sum(event.subject == str(number) for event in events)
        assert written in (2 * told[number], 2 * told[number] + 2)

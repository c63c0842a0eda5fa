"""One store, several processes: workers append, one of them adopts, all of them see it."""

import subprocess
import sys
from contextlib import closing
from pathlib import Path

from tests.store.catalogue_contract import HELLO, NOW, PACKAGES, adoption, snapshot
from tests.store.drafts import put, read, sha256
from tests.store.marks_contract import mark
from tests.store.test_blobs import made
from tests.store.test_catalogue import wait_for_another_generation
from tidegate.store.file_blobs import FileBlobs
from tidegate.store.marks import SqliteMarks
from tidegate.store.sqlite_catalogue import SqliteCatalogue
from tidegate.store.sqlite_journal import SqliteJournal

PROCESSES = 4
EVENTS = 50
TIMEOUT_S = 60

# Each waits for the starting signal, so that all of them open the databases at once.
BEGIN = """
import sys
from pathlib import Path
from tidegate.store.layout import Layout
layout, name = Layout(Path(sys.argv[1]), Path(sys.argv[2])), sys.argv[3]
print("ready", flush=True)
sys.stdin.readline()
"""
APPEND = """
from tidegate.store.journal import Happening
from tidegate.store.sqlite_journal import SqliteJournal
journal = SqliteJournal(layout.journal)
for number in range(EVENTS):
    journal.append([Happening("counted", name, {"number": number, "part": part}) for part in (0, 1)])
"""
ADOPT = """
from tests.store.catalogue_contract import HELLO, NOW, PACKAGES, adoption, snapshot
from tidegate.store.sqlite_catalogue import SqliteCatalogue
catalogue = SqliteCatalogue(layout.catalogue)
catalogue.add_listing(PACKAGES.digest, [HELLO])
for number in range(EVENTS):
    catalogue.adopt(adoption(snapshot(date=NOW + number, archive=name), [PACKAGES]))
"""
KEEP = """
from tests.store.drafts import put
from tidegate.store.file_blobs import FileBlobs
blobs = FileBlobs(layout)
for number in range(EVENTS):
    put(blobs, b"%d" % number, b"%d of " % number + name.encode())
"""
RISE = """
from tests.store.marks_contract import NOW, mark
from tidegate.store.marks import SqliteMarks
marks = SqliteMarks(layout.marks)
for number in range(EVENTS):
    marks.rise("debian", "stable", mark(NOW + number * (1 + int(name))))
"""


def together(directory: Path, script: str) -> None:
    """Run the script in several processes at once, and see that each ends well."""
    layout = made(directory)
    text = BEGIN + f"EVENTS = {EVENTS}\n" + script
    children = [
        subprocess.Popen(
            [sys.executable, "-c", text, str(layout.state), str(layout.cache), str(number)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        for number in range(PROCESSES)
    ]
    for child in children:
        assert child.stdout is not None
        assert child.stdout.readline() == b"ready\n"
    for child in children:
        assert child.stdin is not None
        child.stdin.write(b"go\n")
        child.stdin.flush()
    for child in children:
        _, error = child.communicate(timeout=TIMEOUT_S)
        assert child.returncode == 0, error.decode()


def test_processes_that_append_to_one_new_journal_lose_nothing_and_mix_no_batch(tmp_path: Path) -> None:
    together(tmp_path, APPEND)
    with closing(SqliteJournal(tmp_path / "state" / "journal.db")) as journal:
        events = journal.read(limit=10_000)
    assert [event.seq for event in events] == list(range(1, PROCESSES * EVENTS * 2 + 1))
    for name in map(str, range(PROCESSES)):
        mine = [(event.data["number"], event.data["part"]) for event in events if event.subject == name]
        assert mine == [(number, part) for number in range(EVENTS) for part in (0, 1)]
    pairs = zip(events[::2], events[1::2], strict=True)
    assert all((a.subject, a.data["number"]) == (b.subject, b.data["number"]) for a, b in pairs)


def test_processes_that_adopt_into_one_new_catalogue_all_succeed(tmp_path: Path) -> None:
    together(tmp_path, ADOPT)
    with closing(SqliteCatalogue(tmp_path / "cache" / "catalogue.db")) as catalogue:
        assert [(one.archive, one.date) for one in catalogue.served()] == [
            (str(number), NOW + EVENTS - 1) for number in range(PROCESSES)
        ]
        assert catalogue.artifact("0", HELLO.path) == HELLO


def test_processes_that_keep_the_same_blobs_do_not_disturb_each_other(tmp_path: Path) -> None:
    together(tmp_path, KEEP)
    blobs = FileBlobs(made(tmp_path))
    own = [b"%d of %d" % (number, name) for number in range(EVENTS) for name in range(PROCESSES)]
    expected = {sha256(data): data for data in [*own, *(b"%d" % number for number in range(EVENTS))]}
    assert {digest: read(blobs, digest) for digest, _ in blobs.digests()} == expected
    assert list((tmp_path / "cache" / "tmp").iterdir()) == []


def test_processes_that_raise_one_mark_leave_the_highest(tmp_path: Path) -> None:
    together(tmp_path, RISE)
    with closing(SqliteMarks(tmp_path / "state" / "marks.db")) as marks:
        assert marks.get("debian", "stable") == mark(NOW + (EVENTS - 1) * PROCESSES)


def test_a_reader_sees_what_another_process_adopted(tmp_path: Path) -> None:
    layout = made(tmp_path)
    with closing(SqliteCatalogue(layout.catalogue)) as mine:
        mine.adopt(adoption(snapshot(date=NOW - 1), []))
        assert mine.artifact("0", HELLO.path) is None
        generation = mine.generation()
        together(tmp_path, ADOPT)
        wait_for_another_generation(mine, generation)
        assert mine.snapshot("0", "stable") is not None
        assert mine.artifact("0", HELLO.path) == HELLO
        assert mine.by_digest("0", PACKAGES.digest) == PACKAGES


def test_a_blob_that_another_process_kept_is_held(tmp_path: Path) -> None:
    mine, others = FileBlobs(made(tmp_path)), FileBlobs(made(tmp_path))
    assert mine.size(sha256(b"new")) is None
    put(others, b"new")
    assert read(mine, sha256(b"new")) == b"new"

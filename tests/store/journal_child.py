"""What is killed: a journal that is opened, appended to and shortened; or one that takes in what was left behind.

    python -m tests.store.journal_child

reads lines of a point and a directory, does it there once for each, and answers with how that ended: 0, or STRUCK.
What was done is written into DIRECTORY/done, a line for each step.
"""

import os
import platform
import sys
from contextlib import closing
from pathlib import Path

from tests.keeper.crash_point import CALLS, Trace
from tidegate.store.journal import Happening
from tidegate.store.journal_writer import JournalWriter
from tidegate.store.sqlite_journal import SqliteJournal

PROBE = "probe"
STEPS = (1, 1, 3, 1, 1)
"""So many events at once."""
RETIRED = 3
LEFT, NOTED = 5, 3
"""Events that a pen left behind, and that another one notes afterwards."""
WRITES = {"x86_64": (18, 296), "aarch64": (68, 70)}
"""pwrite64, pwritev: SQLite's own writes, as points beside those that make something lasting."""


class Writing(Trace):
    """Each write is a point as well."""

    calls = (*CALLS.get(platform.machine(), {}).values(), *WRITES.get(platform.machine(), ()))


def act(directory: Path) -> None:
    """Append, step by step; then remove the first events; then append once more."""
    if (directory / "noted").exists():
        note(directory)
        return
    with (
        (directory / "done").open("ab", buffering=0) as done,
        closing(SqliteJournal(directory / "journal.db")) as journal,
    ):
        for number, count in enumerate(STEPS):
            journal.append([Happening("stopped", f"step {number}", {"text": "x" * 500})] * count)
            done.write(b"%d\n" % count)
        journal.retire(RETIRED + 1)
        done.write(b"1\n")  # its summary
        journal.append([Happening("stopped", "at last", {})])
        done.write(b"1\n")


def note(directory: Path) -> None:
    """Take in what another one left, and note some more."""
    with (
        (directory / "done").open("ab", buffering=0) as done,
        closing(SqliteJournal(directory / "journal.db")) as journal,
        closing(JournalWriter(journal, lambda _: os.abort())) as pen,
    ):
        for number in range(LEFT + 1, LEFT + NOTED + 1):
            pen.note("stopped", "gateway", number=number)
            done.write(b"1\n")


def main() -> None:
    """Point after point, as they are asked for."""
    for line in sys.stdin:
        point, _, directory = line.rstrip("\n").partition(" ")

        def once(at: str = directory) -> None:
            if at != PROBE:
                act(Path(at))

        sys.stdout.write(f"{Writing(once, int(point)).run()}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()

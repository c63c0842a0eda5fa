"""What is killed at random: a process that notes numbered events as fast as it can.

    python -m tests.store.noting_child

reads lines of seconds, a first number and a directory; forks a process that notes there, and tells each number once
`note` returned; kills it after so many seconds (SIGKILL), and answers with how many numbers were told.
"""

import os
import signal
import struct
import sys
import time
from pathlib import Path

from tidegate.store.journal_writer import JournalWriter
from tidegate.store.sqlite_journal import SqliteJournal

NUMBER = struct.Struct("<q")
READ_BYTES_MAX = 1 << 20


def note_for_ever(directory: Path, first: int, told: int) -> None:
    """A pause now and then lets the pen's pages be emptied, so that a kill meets each state of them."""
    pen = JournalWriter(SqliteJournal(directory / "journal.db"), lambda text: os.abort())
    number = first
    while True:
        pen.note("stopped", "gateway", number=number, text="x" * (number % 200))
        os.write(told, NUMBER.pack(number))
        number += 1
        if number % 40 == 0:
            time.sleep(0.002)


def once(after_s: float, first: int, directory: Path) -> int:
    """One life and death; how many numbers were told."""
    told, telling = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(told)
        try:
            note_for_ever(directory, first, telling)
        finally:
            os._exit(1)
    os.close(telling)
    heard = os.read(told, NUMBER.size)  # it has begun
    deadline = time.monotonic() + after_s
    while (left := deadline - time.monotonic()) > 0:
        time.sleep(min(left, 0.005))
    os.kill(pid, signal.SIGKILL)
    _, status = os.waitpid(pid, 0)
    if os.WTERMSIG(status) != signal.SIGKILL:
        raise RuntimeError(f"it ended by itself: {status}")
    while some := os.read(told, READ_BYTES_MAX):
        heard += some
    os.close(told)
    return len(heard) // NUMBER.size


def main() -> None:
    """Life after life, as they are asked for."""
    for line in sys.stdin:
        after_s, first, directory = line.rstrip("\n").split(" ", 2)
        sys.stdout.write(f"{once(float(after_s), int(first), Path(directory))}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()

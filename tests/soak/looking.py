"""Looks at a running gateway from outside: its processes in /proc, its files."""

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from tests.soak.samples import ProcessSample, Sample

PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
DESK = b"tidegate.wiring.desk"
BLOBS = "/cache/blobs/"


class Looking:
    """At one gateway, with its workers and its desk."""

    def __init__(self, pid: int, state: Path) -> None:
        self._pid = pid
        self._state = state

    def look(self, at_s: float) -> Sample:
        """All of it, now."""
        named = dict(self._named())
        found = [one for name, pid in named.items() if (one := _process(name, pid)) is not None]
        journal = self._state / "journal.db"
        return Sample(
            at_s=round(at_s, 1),
            processes=tuple(found),
            children=len(_family(self._pid)) - len(named),
            journal_bytes=_size(journal),
            wal_bytes=_size(journal.with_name("journal.db-wal")),
            noted_bytes=_tree(self._state / "noted"),
            state_bytes=_tree(self._state) - _tree(self._state / "cache"),
            cache_bytes=_tree(self._state / "cache"),
            events=_newest(journal),
        )

    def _named(self) -> Iterator[tuple[str, int]]:
        """The processes that live as long as it does."""
        family = _family(self._pid)
        mine = family.get(self._pid, b"")
        workers = sorted(pid for pid, words in family.items() if words == mine and pid != self._pid)
        yield ("supervisor" if workers else "gateway"), self._pid
        yield from ((f"worker {number}", pid) for number, pid in enumerate(workers))
        yield from (("desk", pid) for pid, words in family.items() if DESK in words.split(b"\0"))


def _family(pid: int) -> dict[int, bytes]:
    """A process and all below it, with their command lines."""
    parents, words = {}, {}
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            parents[int(process.name)] = int((process / "stat").read_text().rpartition(")")[2].split()[1])
            words[int(process.name)] = (process / "cmdline").read_bytes()
    found = {pid: words.get(pid, b"")}
    while more := {one for one, parent in parents.items() if parent in found and one not in found}:
        found |= {one: words[one] for one in more}
    return found


def _process(name: str, pid: int) -> ProcessSample | None:
    here = Path(f"/proc/{pid}")
    try:
        rss = int((here / "statm").read_text().split()[1]) * PAGE_BYTES
        rollup = (here / "smaps_rollup").read_text().splitlines()
        pss = next(int(line.split()[1]) * 1024 for line in rollup if line.startswith("Pss:"))
        threads = len(list((here / "task").iterdir()))
        open_files = [link for one in (here / "fd").iterdir() if (link := _link(one))]
        blobs = sum(BLOBS in link for link in open_files)
        return ProcessSample(name, pid, rss, pss, len(open_files), threads, blobs)
    except (OSError, StopIteration):
        return None


def _link(descriptor: Path) -> str:
    """What it leads to; nothing for one that was closed meanwhile."""
    try:
        return str(descriptor.readlink())
    except OSError:
        return ""


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _tree(top: Path) -> int:
    return sum(_size(Path(folder, name)) for folder, _, names in os.walk(top) for name in names)


def _newest(journal: Path) -> int:
    """Read as any other program would."""
    try:
        with contextlib.closing(sqlite3.connect(f"{journal.as_uri()}?mode=ro", uri=True, timeout=5)) as read:
            return int(read.execute("SELECT coalesce(max(seq), 0) FROM event").fetchone()[0])
    except sqlite3.Error:
        return 0

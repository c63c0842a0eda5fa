"""A disk that is played: it fills up, and a crash or a power cut leaves on it what was promised to be there.

The store's own in-memory implementations, with the ways a disk can fail put around them. A crash keeps every
transaction and every held blob; a power cut may also undo the catalogue's last ones, since that is synced at
checkpoints only (ARCHITECTURE.md, Locks and recovery). Marks and journal are synced at each commit.
"""

import asyncio
import errno
import itertools
import os
from collections.abc import Callable
from typing import Any, Self

from tests.histories.loop import THREAD_S
from tidegate.store.blobs import BlobStore, Draft, Verified
from tidegate.store.committer import LINGER_S, Committer, _Job
from tidegate.store.holds import MemoryHolds
from tidegate.store.journal import Happening, Value
from tidegate.store.journal_writer import JournalWriter
from tidegate.store.marks import MemoryMarks
from tidegate.store.memory_blobs import MemoryBlobs
from tidegate.store.memory_catalogue import MemoryCatalogue
from tidegate.store.memory_journal import MemoryJournal
from tidegate.trust.acceptance import Mark

IsFull = Callable[[], bool]
FREE_BYTES = 1 << 40
CATALOGUE_WRITES = (
    "adopt",
    "add_members",
    "confirm",
    "add_listing",
    "note_asked",
    "note_look",
    "note_validator",
    "retire",
)


def _require_room(is_full: IsFull) -> None:
    if is_full():
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


class _Draft(Draft):
    """A draft on a disk that may be full: part of what was written when it filled up is there."""

    __slots__ = ("is_full",)
    is_full: IsFull

    def write(self, data: bytes | memoryview) -> None:
        if self.is_full():
            super().write(memoryview(data)[: len(data) // 2])
            _require_room(self.is_full)
        super().write(data)


class Blobs(MemoryBlobs):
    """`BlobStore` on the disk."""

    def __init__(self, is_full: IsFull) -> None:
        super().__init__()
        self._is_full = is_full
        self._names = itertools.count()

    def draft(self) -> Draft:
        _require_room(self._is_full)
        made = _Draft(os.memfd_create("tidegate-history", os.MFD_CLOEXEC), f"draft-{next(self._names)}")
        made.is_full = self._is_full
        return made

    def keep(self, verified: list[Verified]) -> None:
        _require_room(self._is_full)
        super().keep(verified)
        for one in verified:
            one.draft.path = None

    def discard(self, draft: Draft) -> None:
        draft.path = None

    def free_bytes(self) -> int:
        return 0 if self._is_full() else FREE_BYTES

    def read(self, digest: bytes) -> bytes | None:
        """A held blob's bytes, for whoever checks."""
        fd = self.open(digest)
        if fd is None:
            return None
        with os.fdopen(fd, "rb") as file:
            return file.read()

    def survive(self) -> Self:
        """The same disk under the next process."""
        after = type(self)(self._is_full)
        after._fds, self._fds = self._fds, {}
        after._used = dict(self._used)
        return after

    def close(self) -> None:
        """Forget everything."""
        for digest, _ in list(self.digests()):
            self.remove(digest)


class Catalogue(MemoryCatalogue):
    """`Catalogue` on the disk: it raises OSError where it cannot be written, and then nothing has changed."""

    def __init__(self, is_full: IsFull) -> None:
        super().__init__()
        self._is_full = is_full

    def copy(self) -> Self:
        """As it is now, apart from what happens next."""
        after = type(self)(self._is_full)
        for name, value in vars(self).items():
            if isinstance(value, dict):
                value = {key: dict(one) if isinstance(one, dict) else one for key, one in value.items()}
            setattr(after, name, value)
        return after


def _guarded(name: str) -> Callable[..., Any]:
    unguarded = getattr(MemoryCatalogue, name)

    def write(self: Catalogue, *arguments: Any, **named: Any) -> Any:
        _require_room(self._is_full)
        return unguarded(self, *arguments, **named)

    return write


for _name in CATALOGUE_WRITES:
    setattr(Catalogue, _name, _guarded(_name))


class Marks(MemoryMarks):
    """`Marks` on the disk, told of as they rise."""

    def __init__(self, is_full: IsFull, rose: Callable[[str, str, Mark], None]) -> None:
        super().__init__()
        self._is_full = is_full
        self._rose = rose

    def rise(self, archive: str, suite: str, mark: Mark) -> None:
        _require_room(self._is_full)
        super().rise(archive, suite, mark)
        standing = self.get(archive, suite)
        assert standing is not None
        self._rose(archive, suite, standing)


class Pen(JournalWriter):
    """The journal's pen without its thread: what is noted is written, or told to be lost, at once."""

    def __init__(self, journal: MemoryJournal, is_full: IsFull) -> None:
        self._journal = journal
        self._is_full = is_full
        self.lost = 0

    def note(self, kind: str, subject: str, **data: Value) -> None:
        if self._is_full():
            self.lost += 1
        else:
            self._journal.append([Happening(kind, subject, data)])

    def close(self) -> None:
        """Nothing waits."""


class TimerCommitter(Committer):
    """`Committer` with a timer for its thread: what is verified is held together, LINGER_S after the first of it."""

    def __init__(self, blobs: BlobStore) -> None:
        self._blobs = blobs
        self._loop = asyncio.get_running_loop()
        self._waiting: list[_Job] = []
        self._timer: asyncio.TimerHandle | None = None

    def keep(self, verified: Verified) -> "asyncio.Future[None]":
        held: asyncio.Future[None] = self._loop.create_future()
        self._waiting.append(_Job(verified, held))
        if self._timer is None:
            self._timer = self._loop.call_later(LINGER_S, self._group)
        return held

    def hurry(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = self._loop.call_later(THREAD_S, self._group)

    def close(self) -> None:
        self._group()

    def _group(self) -> None:
        batch, self._waiting, self._timer = self._waiting, [], None
        self._commit(batch)


class Disk:
    """All of a store, and how it goes on after the machine or the process stopped."""

    def __init__(self, is_full: IsFull, rose: Callable[[str, str, Mark], None]) -> None:
        self._is_full = is_full
        self.blobs = Blobs(is_full)
        self.catalogue = Catalogue(is_full)
        self.marks = Marks(is_full, rose)
        self.journal = MemoryJournal()
        self.holds = MemoryHolds()  # synced at each commit, as the marks are
        self._checkpoint = self.catalogue.copy()

    def pen(self) -> Pen:
        """The journal's pen, for one life of the gateway."""
        return Pen(self.journal, self._is_full)

    def checkpoint(self) -> None:
        """What the catalogue says now survives a power cut."""
        self._checkpoint = self.catalogue.copy()

    def stop(self, *, power: bool) -> None:
        """The process is gone (what it still does reaches nothing); with `power`, so is what was not synced."""
        self.blobs = self.blobs.survive()
        self.catalogue = self._checkpoint.copy() if power else self.catalogue.copy()
        marks = Marks(self._is_full, self.marks._rose)
        marks._marks = dict(self.marks._marks)
        self.marks._rose = lambda *_: None
        self.marks = marks
        self.journal = self.journal.copy()
        self.checkpoint()

    def close(self) -> None:
        """Let go of what it holds of the machine."""
        self.blobs.close()

"""Where things are kept: two directories, one that must survive and one that can be built again.

STATE/marks.db      high-water marks: what was ever accepted (threat 9: survives a wiped cache)
STATE/journal.db    append-only events
STATE/noted/        events that are not in the journal yet, should their process die (noted.py)
STATE/holds.db      what the fleet uses, and what its operator wants held
STATE/advisories.db what the feeds said, and from when to when
STATE/fleet.db      what the hosts reported, and from when to when
STATE/feeds/        feeds' files as they were published: the newest of each, and those on their way
STATE/watch/        how watched pages stand, and their last good copies
STATE/tokens.json   who may report hosts: digests of tokens, never the tokens
STATE/hooks.json    what each hook was told of incidents
STATE/sources.json  what was learned of the sources; begun anew where it is missing
STATE/running.json  who serves this state now, and where it listens
STATE/control.sock  commands to the running gateway, for whoever may open it
STATE/desk.sock     the same to the process beside it that keeps advisories and hosts
CACHE/blobs/ab/cd…  verified bytes by SHA-256
CACHE/tmp/          bytes on their way; emptied at start, never read
CACHE/catalogue.db  what the served snapshots list
CACHE/lock          held by the gateway that writes here
STATE/reserve, CACHE/reserve  room for a start on a full disk (reserve.py)
"""

import fcntl
import os
from dataclasses import dataclass
from pathlib import Path

from tidegate.store.reserve import make_room


class StoreBusyError(Exception):
    """Another process keeps this store."""


@dataclass(frozen=True, slots=True)
class Layout:
    """The two directories of a store."""

    state: Path
    cache: Path

    @property
    def marks(self) -> Path:
        return self.state / "marks.db"

    @property
    def journal(self) -> Path:
        return self.state / "journal.db"

    @property
    def holds(self) -> Path:
        return self.state / "holds.db"

    @property
    def advisories(self) -> Path:
        return self.state / "advisories.db"

    @property
    def fleet(self) -> Path:
        return self.state / "fleet.db"

    @property
    def feeds(self) -> Path:
        return self.state / "feeds"

    @property
    def watch(self) -> Path:
        return self.state / "watch"

    @property
    def tokens(self) -> Path:
        return self.state / "tokens.json"

    @property
    def hooks(self) -> Path:
        return self.state / "hooks.json"

    @property
    def sources(self) -> Path:
        return self.state / "sources.json"

    @property
    def running(self) -> Path:
        return self.state / "running.json"

    @property
    def control(self) -> Path:
        return self.state / "control.sock"

    @property
    def desk(self) -> Path:
        return self.state / "desk.sock"

    @property
    def catalogue(self) -> Path:
        return self.cache / "catalogue.db"

    @property
    def blobs(self) -> Path:
        return self.cache / "blobs"

    @property
    def tmp(self) -> Path:
        return self.cache / "tmp"

    def make(self) -> None:
        """Create what is missing; private to its owner. Raises OSError."""
        for directory in (self.state, self.cache):
            directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.tmp.mkdir(exist_ok=True)
        self.blobs.mkdir(exist_ok=True)
        for first in range(256):
            (self.blobs / f"{first:02x}").mkdir(exist_ok=True)

    def make_room(self) -> tuple[Path, ...]:
        """See that databases can be opened; the directories where nothing more can be kept. Raises OSError."""
        return tuple(directory for directory in (self.state, self.cache) if make_room(directory))

    def lock(self) -> int:
        """Become the one gateway of this store, and clear `tmp` of what dead processes left; returns the descriptor.

        Raises StoreBusyError when another gateway has it. The kernel drops the lock with the process, however it ends.
        """
        fd = os.open(self.cache / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(fd)
            raise StoreBusyError(
                f"another tidegate serves from {self.cache}; stop it or choose another --state"
            ) from None
        for left in os.scandir(self.tmp):
            if not _lives(left.name.partition(".")[0]):
                os.unlink(left.path)
        return fd


def _lives(pid: str) -> bool:
    """Whether the process that a draft is named after still runs and may be writing it (an import beside us)."""
    if not pid.isascii() or not pid.isdigit() or int(pid) == os.getpid():
        return False
    try:
        os.kill(int(pid), 0)
    except PermissionError:
        return True
    except (ProcessLookupError, OverflowError):
        return False
    return True

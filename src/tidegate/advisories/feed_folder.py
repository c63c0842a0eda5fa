"""One feed's folder, as its only writer sees it: what is coming, and the step by which it becomes the newest.

STATE/feeds/NAME/lock              held for a whole round, so that two processes never fetch one feed at once
STATE/feeds/NAME/coming.FILE       bytes on their way; what broke off goes on here, after a restart too
STATE/feeds/NAME/coming-from.json  whose they are, and what its source must still have for them to go on
"""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from tidegate.advisories.documents import CURRENT, Document, Entry, document_of, read_entry
from tidegate.store.journal import boot_id

COMING = "coming."
_COMING_ENTRY = "coming-from.json"  # no file may be called so: one is called `json` by its publisher
LOCK = "lock"


class BusyFeedError(Exception):
    """Another process is at this feed."""


class Coming(msgspec.Struct, frozen=True):
    """`coming-from.json`: bytes of `size` in all, by the source at `url`.

    `listed`: their SHA-256, where a list says it.
    What was written before the machine went down may not be what was received, so only the same `boot` goes on.
    """

    url: str
    file: str
    size: int | None
    etag: str | None
    last_modified: str | None
    listed: str
    boot: str


class FeedFolder:
    """The folder of one feed, made when it is needed. All raise OSError."""

    def __init__(self, root: Path, name: str) -> None:
        self._root = root
        self._name = name
        self._path = root / name

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Be its only writer. Raises BusyFeedError; the kernel drops the lock with the process, however it ends."""
        self._path.mkdir(parents=True, exist_ok=True, mode=0o700)
        fd = os.open(self._path / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise BusyFeedError(f"another process is fetching {self._name}") from None
            yield
        finally:
            os.close(fd)

    def entry(self) -> Entry | None:
        """What is the newest."""
        return read_entry(self._root, self._name)

    def document(self) -> Document | None:
        """The same, as everybody else sees it."""
        entry = self.entry()
        return None if entry is None else document_of(self._root, self._name, entry)

    # What is coming.

    def coming_path(self, file: str) -> Path:
        """Where bytes on their way are; the end of the name tells their format."""
        return self._path / f"{COMING}{file}"

    def coming(self) -> tuple[Coming, int] | None:
        """What broke off, and how many bytes of it are there; None where nothing can go on."""
        try:
            coming = msgspec.json.decode((self._path / _COMING_ENTRY).read_bytes(), type=Coming)
            there = self.coming_path(coming.file).lstat().st_size
        except (FileNotFoundError, msgspec.DecodeError, UnicodeDecodeError):
            return None
        return (coming, there) if coming.boot == boot_id() or coming.listed else None

    def begin(self, coming: Coming, *, append: bool) -> int:
        """A descriptor to write to: at the end of what is there, or of nothing."""
        if not append:
            self.drop_coming()
        path = self.coming_path(coming.file)
        flags = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | (os.O_APPEND if append else os.O_TRUNC)
        fd = os.open(path, flags, 0o600)
        try:
            self._write(_COMING_ENTRY, msgspec.json.encode(coming), durable=False)
        except OSError:
            os.close(fd)
            raise
        return fd

    def drop_coming(self) -> None:
        """Forget what is on its way."""
        for name in self._names():
            if name.startswith((COMING, _COMING_ENTRY)):
                (self._path / name).unlink(missing_ok=True)

    # What is the newest.

    def publish(self, path: Path, entry: Entry) -> Document:
        """Make the file at `path`, in this folder, the newest: durable before it is named, and then all at once."""
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)
        path.rename(self._path / entry.file)
        self._sync_folder()
        self.put(entry)
        self.drop_coming()
        self._sweep(entry.file)
        return document_of(self._root, self._name, entry)

    def put(self, entry: Entry) -> None:
        """Say what is the newest, in one step."""
        self._write(CURRENT, msgspec.json.encode(entry), durable=True)

    def _sweep(self, kept: str) -> None:
        """Remove what a newer one has replaced; who still reads it keeps it."""
        for name in self._names():
            if name not in (kept, CURRENT, LOCK):
                with contextlib.suppress(OSError):
                    (self._path / name).unlink()

    def _names(self) -> list[str]:
        try:
            return [path.name for path in self._path.iterdir()]
        except FileNotFoundError:
            return []

    def _write(self, name: str, data: bytes, *, durable: bool) -> None:
        path = self._path / f"{name}.new"
        try:
            fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
            try:
                os.write(fd, data)
                if durable:
                    os.fsync(fd)
            finally:
                os.close(fd)
            path.rename(self._path / name)
        except OSError:
            path.unlink(missing_ok=True)
            raise
        if durable:
            self._sync_folder()

    def _sync_folder(self) -> None:
        fd = os.open(self._path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)

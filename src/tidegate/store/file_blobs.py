"""Blobs as files: `blobs/ab/cdef…`, written beside and renamed into place."""

import contextlib
import ctypes
import errno
import itertools
import os
import re
import stat
from collections.abc import Callable, Iterator

from tidegate.store.blobs import Draft, Held, Verified
from tidegate.store.layout import Layout

SYNC_ALL_FROM = 8
_LIBC = ctypes.CDLL(None, use_errno=True)
_FLAGS = os.O_CLOEXEC | os.O_NOFOLLOW  # threat 40: a symlink in the store is not followed
_IS_BLOB = re.compile(r"[0-9a-f]{64}").fullmatch


def _syncfs(fd: int) -> None:
    """syncfs(2), which the os module lacks: everything written to this file system is on the disk. Raises OSError."""
    if _LIBC.syncfs(fd) != 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))


class FileBlobs:
    """`BlobStore` over a directory. Safe for several processes: names are digests, and a rename is atomic.

    When a blob was last used is its file's modification time: as durable as need be, and there without a catalogue.
    """

    def __init__(self, layout: Layout) -> None:
        self._blobs, self._tmp = str(layout.blobs), str(layout.tmp)
        self._names = itertools.count()

    def _path(self, digest: bytes) -> str:
        name = digest.hex()
        return f"{self._blobs}/{name[:2]}/{name[2:]}"

    def draft(self) -> Draft:
        path = f"{self._tmp}/{os.getpid()}.{next(self._names)}"
        return Draft(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | _FLAGS, 0o600), path)

    def keep(self, verified: list[Verified]) -> None:
        """Data first, then the names, then their directories: a power cut shows a whole blob or none (threat 38).

        From SYNC_ALL_FROM on, one syncfs(2) before and one after the renames stand for all the single fsyncs, at a
        third of their cost.
        """
        if len(verified) >= SYNC_ALL_FROM:
            self._sync_all()
            self._name(verified)
            self._sync_all()
            return
        for one in verified:
            os.fdatasync(one.draft.fd)
        for directory in self._name(verified):
            self._on(directory, os.fsync)

    def _name(self, verified: list[Verified]) -> set[str]:
        """Give drafts their names; returns the directories that changed."""
        directories = set()
        for one in verified:
            if one.draft.path is None:
                raise ValueError("a draft without a name cannot be kept")
            path = self._path(one.digest)
            os.rename(one.draft.path, path)
            one.draft.path = None
            directories.add(path.rpartition("/")[0])
        return directories

    def _sync_all(self) -> None:
        self._on(self._blobs, _syncfs)

    @staticmethod
    def _on(directory: str, sync: Callable[[int], None]) -> None:
        fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | _FLAGS)
        try:
            sync(fd)
        finally:
            os.close(fd)

    def discard(self, draft: Draft) -> None:
        if draft.path is not None:
            os.unlink(draft.path)
            draft.path = None

    def open(self, digest: bytes) -> int | None:
        try:
            return os.open(self._path(digest), os.O_RDONLY | _FLAGS)
        except FileNotFoundError:
            return None
        except OSError as error:
            if error.errno == errno.ELOOP:  # a symlink is no blob: it is fetched anew and replaced
                return None
            raise

    def size(self, digest: bytes) -> int | None:
        facts = self._facts(digest)
        return None if facts is None else facts.st_size

    def used_at(self, digest: bytes) -> float | None:
        facts = self._facts(digest)
        return None if facts is None else facts.st_mtime

    def _facts(self, digest: bytes) -> os.stat_result | None:
        try:
            facts = os.stat(self._path(digest), follow_symlinks=False)
        except FileNotFoundError:
            return None
        return facts if stat.S_ISREG(facts.st_mode) else None

    def touch(self, digest: bytes, now: float) -> None:
        used_at = self.used_at(digest)
        if used_at is not None and used_at < now:
            with contextlib.suppress(FileNotFoundError):  # removed meanwhile
                os.utime(self._path(digest), (now, now), follow_symlinks=False)

    def remove(self, digest: bytes) -> None:
        try:
            os.unlink(self._path(digest))
        except FileNotFoundError:
            return

    def digests(self) -> Iterator[tuple[bytes, int]]:
        for digest, size, _ in self.held():
            yield digest, size

    def held(self) -> Iterator[Held]:
        for directory in os.scandir(self._blobs):
            if not directory.is_dir(follow_symlinks=False):
                continue
            for found in os.scandir(directory.path):
                if _IS_BLOB(name := directory.name + found.name):
                    facts = self._facts(digest := bytes.fromhex(name))
                    if facts is not None:  # removed meanwhile, or a link
                        yield Held(digest, facts.st_size, facts.st_mtime)

    def free_bytes(self) -> int:
        facts = os.statvfs(self._blobs)
        return facts.f_bavail * facts.f_frsize

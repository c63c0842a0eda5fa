"""Blobs as files: `blobs/ab/cdef…`, written beside and renamed into place."""

import ctypes
import errno
import itertools
import os
import re
import stat
from collections.abc import Callable, Iterator

from tidegate.store.blobs import Draft, Verified
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
    """`BlobStore` over a directory. Safe for several processes: names are digests, and a rename is atomic."""

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
        try:
            facts = os.stat(self._path(digest), follow_symlinks=False)
        except FileNotFoundError:
            return None
        return facts.st_size if stat.S_ISREG(facts.st_mode) else None

    def remove(self, digest: bytes) -> None:
        try:
            os.unlink(self._path(digest))
        except FileNotFoundError:
            return

    def digests(self) -> Iterator[tuple[bytes, int]]:
        for directory in os.scandir(self._blobs):
            if not directory.is_dir(follow_symlinks=False):
                continue
            for found in os.scandir(directory.path):
                if _IS_BLOB(name := directory.name + found.name):
                    size = self.size(digest := bytes.fromhex(name))
                    if size is not None:  # removed meanwhile, or a link
                        yield digest, size

    def free_bytes(self) -> int:
        facts = os.statvfs(self._blobs)
        return facts.f_bavail * facts.f_frsize

"""The folder that an export fills: a disc, a stick, a share.

Each file appears whole or not at all: written beside, hashed, synced, then named. Whoever reads the folder meanwhile,
or after the stick was pulled out, finds what was there before or what is to be there. Nothing is trusted of what lies
in it already, and no link in it is followed.
"""

import contextlib
import errno
import fcntl
import itertools
import os
import stat
from dataclasses import dataclass
from pathlib import Path

from tidegate.holding.carrying import Piece
from tidegate.store.blobs import Draft, sha256_of, verify
from tidegate.wiring.copying import copy

PARTIAL = ".tidegate-partial"
"""Where files are written that have no name yet; emptied at the beginning and at the end."""
BATCH_FILES_MAX = 128
BATCH_BYTES_MAX = 256 << 20
_READ = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_NEW = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW


class FolderBusyError(Exception):
    """Another export writes there."""


class ExportFolder:
    """One folder, for one export at a time. Made where it is missing (but not what it would lie in)."""

    def __init__(self, top: Path) -> None:
        """Raises FolderBusyError, OSError."""
        self._numbers = itertools.count()
        self._folders: set[Path] = set()
        self._batch: list[_Pending] = []
        self._written: dict[bytes, Path] = {}
        top.mkdir(exist_ok=True)
        self.top = Path(os.path.realpath(top, strict=True))
        self._partial = self.top / PARTIAL
        self._lock = os.open(self.top, _FOLDER)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._begin()
        except BlockingIOError:
            os.close(self._lock)
            raise FolderBusyError(f"another export writes to {self.top}") from None
        except BaseException:
            os.close(self._lock)
            raise
        self.can_link = self._links()

    def close(self) -> None:
        """Remove what has no name, and let others in."""
        for one in self._batch:
            one.draft.close()
        self._batch.clear()
        with contextlib.suppress(OSError):  # the stick may be gone: what matters was said by then
            self._clear()
            self._partial.rmdir()
        os.close(self._lock)

    def free_bytes(self) -> int:
        """Room for more."""
        system = os.statvfs(self.top)
        return system.f_bavail * system.f_frsize

    def has(self, piece: Piece, *, by_digest: bool) -> bool:
        """Whether the piece is there: by its size, or by its bytes. Raises OSError where it cannot be read."""
        path = self.top / piece.path
        if not self._is_own(path.parent):
            return False
        try:
            fd = os.open(path, _READ)
        except (FileNotFoundError, NotADirectoryError):
            return False
        except OSError as error:
            if error.errno == errno.ELOOP:
                return False
            raise
        try:
            found = os.fstat(fd)
            if not stat.S_ISREG(found.st_mode) or found.st_size != piece.size:
                return False
            if not by_digest:
                return True
            if sha256_of(fd) != piece.digest:
                return False
        finally:
            os.close(fd)
        self._written.setdefault(piece.digest, path)
        return True

    def put(self, piece: Piece, fd: int) -> bool:
        """Copy an open file to the piece's place, or link it where its bytes were put before; whether it was copied.

        It has its name after the next `flush` at the latest. Raises WrongBytesError where the bytes are not the
        piece's, and OSError.
        """
        target = self.top / piece.path
        self._make(target.parent)
        beside = self._beside()
        if self._linked(piece.digest, beside):
            draft = Draft(os.open(beside, _READ), str(beside), piece.size)
            self._pend(_Pending(draft, target, piece.digest))
            return False
        draft = Draft(os.open(beside, _NEW, 0o644), str(beside))
        try:
            copy(fd, draft)
            verify(draft, digest=piece.digest, size=piece.size)
        except BaseException:
            draft.close()
            beside.unlink(missing_ok=True)
            raise
        self._written[piece.digest] = beside
        self._pend(_Pending(draft, target, piece.digest))
        return True

    def write(self, name: str, data: bytes) -> None:
        """A small file at the top, at once. Raises OSError."""
        beside = self._beside()
        draft = Draft(os.open(beside, _NEW, 0o644), str(beside))
        draft.write(data)
        self._pend(_Pending(draft, self.top / name, b""))
        self.flush()

    def flush(self) -> None:
        """Sync what was put, then name it, then sync the names. Raises OSError."""
        for one in self._batch:
            os.fsync(one.draft.fd)
        for one in self._batch:
            assert one.draft.path is not None
            Path(one.draft.path).rename(one.target)
            self._written[one.digest] = one.target
            one.draft.close()
        for folder in {one.target.parent for one in self._batch}:
            _sync_folder(folder)
        self._batch.clear()

    # Within

    def _begin(self) -> None:
        self._partial.mkdir(exist_ok=True, mode=0o700)
        if not self._is_own(self._partial):
            raise OSError(errno.ELOOP, "is a link; remove it", str(self._partial))
        self._clear()

    def _linked(self, digest: bytes, beside: Path) -> bool:
        """Give what was put before one more name, where it can have one."""
        other = self._written.get(digest)
        if other is None or not self.can_link:
            return False
        try:
            os.link(other, beside, follow_symlinks=False)
        except OSError:  # it has as many names as it may have, or somebody removed it: a copy, then
            return False
        return True

    def _pend(self, one: "_Pending") -> None:
        self._batch.append(one)
        full = sum(pending.draft.size for pending in self._batch) >= BATCH_BYTES_MAX
        if full or len(self._batch) >= BATCH_FILES_MAX:
            self.flush()

    def _beside(self) -> Path:
        return self._partial / str(next(self._numbers))

    def _make(self, folder: Path) -> None:
        """The folder, with what it lies in, durably. Raises OSError where a link leads elsewhere."""
        if folder in self._folders:
            return
        there = next(one for one in (folder, *folder.parents) if os.path.lexists(one))
        if not self._is_own(there):
            raise OSError(errno.ELOOP, "a link leads out of the export; remove it", str(there))
        made = [one for one in (folder, *folder.parents) if there in one.parents]
        folder.mkdir(parents=True, exist_ok=True)
        for one in reversed(made):
            _sync_folder(one.parent)
        self._folders.add(folder)

    def _is_own(self, folder: Path) -> bool:
        return os.path.realpath(folder) == str(folder)

    def _clear(self) -> None:
        for left in self._partial.iterdir():
            left.unlink()

    def _links(self) -> bool:
        one, other = self._beside(), self._beside()
        os.close(os.open(one, _NEW, 0o600))
        try:
            os.link(one, other)
        except OSError:  # FAT and exFAT know no links
            return False
        finally:
            self._clear()
        return True


@dataclass(frozen=True, slots=True)
class _Pending:
    """A file that is written and has no name yet."""

    draft: Draft
    target: Path
    digest: bytes


def _sync_folder(folder: Path) -> None:
    fd = os.open(folder, _FOLDER)
    try:
        os.fsync(fd)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # not every file system of a stick syncs folders
            raise
    finally:
        os.close(fd)

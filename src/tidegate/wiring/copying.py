"""Copies of whole files into the store's drafts."""

import contextlib
import fcntl
import os
from pathlib import Path

from tidegate.store.blobs import Draft

COPY_BYTES = 64 << 20
FICLONE = 0x40049409
"""ioctl_ficlone(2): the copy shares the original's extents."""


def copy(fd: int, draft: Draft) -> None:
    """All bytes of an open file into an empty draft, shared where the file system can. Raises OSError."""
    size = os.fstat(fd).st_size
    with contextlib.suppress(OSError):
        fcntl.ioctl(draft.fd, FICLONE, fd)
        draft.size = size
        return
    offset = 0
    with contextlib.suppress(OSError):  # another file system of an older kernel: bytes by hand from there on
        while sent := os.copy_file_range(fd, draft.fd, COPY_BYTES, offset, offset):
            offset += sent
    draft.size = offset
    while chunk := os.pread(fd, COPY_BYTES, draft.size):
        draft.write(chunk)


def give_to_owner_of(fd: int, directory: Path) -> None:
    """Root often works for a gateway of another user, who has to be able to read it afterwards. Raises OSError."""
    owner = directory.stat()
    if os.geteuid() == 0 and owner.st_uid != 0:
        os.fchown(fd, owner.st_uid, owner.st_gid)

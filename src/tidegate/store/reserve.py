"""A little room set aside on each disk that we write to, so that a start finds some where all is full.

SQLite cannot even read without 32 KiB for its index of the write-ahead log, which goes when a gateway ends.
"""

import contextlib
import os
from pathlib import Path

RESERVE_BYTES = 1 << 20
NEEDED_BYTES = RESERVE_BYTES // 2
"""With less than this free, a start lets go of the reserve: databases, control socket and a few events go into it."""
NAME = "reserve"


def make_room(directory: Path) -> bool:
    """Before anything is opened there: see that a start finds room. True where the disk is full.

    Then the reserve is given up, and set aside again by the first start that finds the room for it.
    """
    system = os.statvfs(directory)
    free_bytes = system.f_bavail * system.f_frsize
    path = directory / NAME
    if free_bytes < NEEDED_BYTES:
        path.unlink(missing_ok=True)
        return True
    if free_bytes >= 2 * RESERVE_BYTES and not path.exists():
        _set_aside(path)
    return False


def _set_aside(path: Path) -> None:
    """Take the room, or nothing where the file system cannot promise any."""
    with contextlib.suppress(OSError):
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            os.posix_fallocate(fd, 0, RESERVE_BYTES)
        except OSError:
            path.unlink()
        finally:
            os.close(fd)

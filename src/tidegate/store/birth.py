"""When a file came to be, which no later use of it changes: statx(2), which the os module lacks."""

import ctypes
import struct

_LIBC = ctypes.CDLL(None, use_errno=True)
_EMPTY_PATH = 0x1000
_BIRTH = 0x800
_STATX_BYTES = 256
_MASK = struct.Struct("=I")
_MASK_AT = 0
_MOMENT = struct.Struct("=qI")
_BIRTH_AT = 80
"""Offsets in struct statx, the same on every architecture (linux/stat.h)."""


def born_at(fd: int) -> float | None:
    """Epoch seconds; None where the file system does not know."""
    try:
        statx = _LIBC.statx
    except AttributeError:  # a C library from before 2018
        return None
    facts = ctypes.create_string_buffer(_STATX_BYTES)
    if statx(fd, b"", _EMPTY_PATH, _BIRTH, facts) != 0:
        return None
    (known,) = _MASK.unpack_from(facts, _MASK_AT)
    if not known & _BIRTH:
        return None
    seconds, nanoseconds = _MOMENT.unpack_from(facts, _BIRTH_AT)
    born: float = seconds + nanoseconds / 1e9
    return born

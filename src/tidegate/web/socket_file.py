"""Addresses of socket files, however long their paths are."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

ADDRESS_BYTES_MAX = 107
"""What sockaddr_un takes (unix(7)), its closing zero left out."""


@contextlib.contextmanager
def socket_address(path: Path) -> Iterator[str]:
    """Where to bind or connect for this path: itself, or a short way to it through its open directory.

    Raises OSError where there is no such directory.
    """
    if len(os.fsencode(path)) <= ADDRESS_BYTES_MAX:
        yield str(path)
        return
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{directory}/{path.name}"
    finally:
        os.close(directory)

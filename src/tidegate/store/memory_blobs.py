"""Blobs in memory: for tests, and for what a full disk cannot take."""

import os
import time
from collections.abc import Iterator

from tidegate.store.blobs import Draft, Held, Verified


def memory_draft() -> Draft:
    """A draft without a name, in memory. It can be read and served, not kept on disk."""
    return Draft(os.memfd_create("tidegate-draft", os.MFD_CLOEXEC), None)


class MemoryBlobs:
    """`BlobStore` whose descriptors are anonymous memory."""

    def __init__(self, free_bytes: int = 1 << 40) -> None:
        self._fds: dict[bytes, int] = {}
        self._used: dict[bytes, float] = {}
        self._free = free_bytes

    def draft(self) -> Draft:
        return memory_draft()

    def keep(self, verified: list[Verified]) -> None:
        for one in verified:
            if one.digest not in self._fds:
                self._fds[one.digest] = os.dup(one.draft.fd)
                self._free -= one.draft.size
            self._used[one.digest] = time.time()

    def discard(self, draft: Draft) -> None:
        """Nothing but the descriptor names it."""

    def open(self, digest: bytes) -> int | None:
        fd = self._fds.get(digest)
        # A fresh open file description: a dup would share its offset.
        return None if fd is None else os.open(f"/proc/self/fd/{fd}", os.O_RDONLY | os.O_CLOEXEC)

    def size(self, digest: bytes) -> int | None:
        fd = self._fds.get(digest)
        return None if fd is None else os.fstat(fd).st_size

    def remove(self, digest: bytes) -> None:
        self._used.pop(digest, None)
        fd = self._fds.pop(digest, None)
        if fd is not None:
            self._free += os.fstat(fd).st_size
            os.close(fd)

    def digests(self) -> Iterator[tuple[bytes, int]]:
        for digest, fd in list(self._fds.items()):
            yield digest, os.fstat(fd).st_size

    def held(self) -> Iterator[Held]:
        for digest, size in self.digests():
            yield Held(digest, size, self._used[digest])

    def touch(self, digest: bytes, now: float) -> None:
        if digest in self._used:
            self._used[digest] = max(self._used[digest], now)

    def used_at(self, digest: bytes) -> float | None:
        return self._used.get(digest)

    def free_bytes(self) -> int:
        return self._free

"""Drafts with given bytes, ready to be kept."""

import gc
import hashlib
import os
import time

from tidegate.store.blobs import BlobStore, Verified, verify

SETTLE_TIMEOUT_S = 10.0


def sha256(data: bytes) -> bytes:
    """The name of these bytes."""
    return hashlib.sha256(data).digest()


def verified(blobs: BlobStore, data: bytes) -> Verified:
    """These bytes in a verified draft of this store."""
    draft = blobs.draft()
    draft.write(data)
    return verify(draft, digest=sha256(data), size=len(data))


def put(blobs: BlobStore, *contents: bytes) -> None:
    """Keep each of these, all in one call."""
    blobs.keep([verified(blobs, data) for data in contents])


def read(blobs: BlobStore, digest: bytes) -> bytes | None:
    """A blob's bytes, or None when it is not held."""
    fd = blobs.open(digest)
    if fd is None:
        return None
    with os.fdopen(fd, "rb") as file:
        return file.read()


def open_descriptors() -> int:
    """How many descriptors this process has."""
    return sum(1 for _ in os.scandir("/proc/self/fd"))


def assert_descriptors_return_to(count: int) -> None:
    """Wait until no more than these are open: the simulated sources' threads close theirs when they come to it.

    A cancelled task and what it was doing refer to each other, hence the collection.
    """
    gc.collect()
    until = time.monotonic() + SETTLE_TIMEOUT_S
    while (now := open_descriptors()) > count:
        assert time.monotonic() < until, f"{now} descriptors are open, {count} were"
        time.sleep(0.005)

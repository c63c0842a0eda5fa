"""Bytes named by their SHA-256: the port, and the two types that keep unverified bytes out.

A `Draft` is a private file that grows while bytes arrive. `verify` turns a finished draft into `Verified`, and only
a `Verified` can be kept. What is kept never changes, so a reader needs no lock.
"""

import hashlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

CHUNK_BYTES = 4 << 20


class WrongBytesError(Exception):
    """A finished draft is not what its name promises."""


@dataclass(slots=True, eq=False)
class Draft:
    """Unverified bytes, growing. Its descriptor stays readable until the last user lets go of the draft."""

    fd: int
    path: str | None
    size: int = 0
    on_close: Callable[[], None] | None = field(default=None, repr=False)
    closed: bool = field(default=False, repr=False)

    def write(self, data: bytes | memoryview) -> None:
        """Append. Raises OSError (ENOSPC among others); what was written before stays."""
        view = memoryview(data)
        while view:
            written = os.pwrite(self.fd, view, self.size)
            self.size += written
            view = view[written:]

    def close(self) -> None:
        """Forget the descriptor; idempotent."""
        if not self.closed:
            self.closed = True
            os.close(self.fd)
            if self.on_close is not None:
                self.on_close()

    def __del__(self) -> None:
        self.close()


@dataclass(frozen=True, slots=True)
class Verified:
    """A draft whose every byte was hashed and whose digest and size are the promised ones."""

    draft: Draft
    digest: bytes


def sha256_of(fd: int) -> bytes:
    """The SHA-256 of all bytes of an open file."""
    digest, offset = hashlib.sha256(), 0
    while chunk := os.pread(fd, CHUNK_BYTES, offset):
        digest.update(chunk)
        offset += len(chunk)
    return digest.digest()


def verify(draft: Draft, *, digest: bytes, size: int, computed: bytes | None = None) -> Verified:
    """The one way from unverified to verified. Raises WrongBytesError.

    `computed` is the digest of the draft's bytes where the writer hashed them as they came.
    """
    if draft.size != size:
        raise WrongBytesError(f"{draft.size:,} bytes came, {size:,} are listed")
    found = sha256_of(draft.fd) if computed is None else computed
    if found != digest:
        raise WrongBytesError(f"SHA-256 is {found.hex()[:16]}…, listed is {digest.hex()[:16]}…")
    return Verified(draft, digest)


class Held(NamedTuple):
    """A held blob. `used_at` (epoch seconds): when it was last known to be used; as long as it is here otherwise."""

    digest: bytes
    size: int
    used_at: float


class BlobStore(Protocol):
    """Where verified bytes live. Every implementation passes tests/store/blob_contract.py."""

    def draft(self) -> Draft:
        """A new empty draft. Raises OSError."""
        ...

    def keep(self, verified: list[Verified]) -> None:
        """Make blobs durable and visible, all of them or, on OSError, some: each one whole or not at all.

        Durable: after this returns, a power cut does not lose them. Keeping what is held already is no error.
        """
        ...

    def discard(self, draft: Draft) -> None:
        """Remove an unkept draft's name; its bytes go with its last user."""
        ...

    def open(self, digest: bytes) -> int | None:
        """A descriptor to read from, or None when not held. The caller closes it."""
        ...

    def size(self, digest: bytes) -> int | None:
        """Bytes of a held blob, or None."""
        ...

    def remove(self, digest: bytes) -> None:
        """Forget a blob; open descriptors go on reading. No error when absent."""
        ...

    def digests(self) -> Iterator[tuple[bytes, int]]:
        """Every held blob's digest and size in bytes, in no order."""
        ...

    def held(self) -> Iterator[Held]:
        """The same, and when each was last used."""
        ...

    def touch(self, digest: bytes, now: float) -> None:
        """It was used at `now` (epoch seconds); its `used_at` never falls. No error when absent. Raises OSError."""
        ...

    def used_at(self, digest: bytes) -> float | None:
        """When a held blob was last used, or None."""
        ...

    def free_bytes(self) -> int:
        """Room for more, in bytes."""
        ...

"""Bit rot: every held blob is read again now and then, at a bounded rate, and what no longer fits its name goes.

A blob that is gone is fetched again by whoever asks for it next, verified as ever (threat 39).
"""

import asyncio
import os

from tidegate.keeper.settings import KeeperSettings
from tidegate.store.blobs import BlobStore, sha256_of
from tidegate.store.journal_writer import JournalWriter


def is_sound(blobs: BlobStore, digest: bytes) -> bool:
    """Whether a held blob still is what its name says; one that is not held is. Reads it whole."""
    fd = blobs.open(digest)
    if fd is None:
        return True
    try:
        return sha256_of(fd) == digest
    except OSError:
        return False  # a sector that cannot be read is as bad as one that lies
    finally:
        os.close(fd)


async def scrub(blobs: BlobStore, journal: JournalWriter, rate_bytes_s: int) -> tuple[int, int]:
    """Once through everything held; returns how many blobs were read and how many were removed."""
    read = removed = 0
    for digest, size in await asyncio.to_thread(lambda: list(blobs.digests())):
        if not await asyncio.to_thread(is_sound, blobs, digest):
            await asyncio.to_thread(blobs.remove, digest)
            journal.note("bit-rot", digest.hex(), size=size)
            removed += 1
        read += 1
        await asyncio.sleep(size / rate_bytes_s)
    return read, removed


async def scrub_for_ever(blobs: BlobStore, journal: JournalWriter, settings: KeeperSettings) -> None:
    """Again and again, a pause between; begins with the pause, so that a start has the disk for itself."""
    while True:
        await asyncio.sleep(settings.scrub_interval_s)
        await scrub(blobs, journal, settings.scrub_rate_bytes_s)

"""Bit rot: every held blob is read again now and then, at a bounded rate, and what no longer fits its name goes.

It is fetched again at once from whoever has it, verified as ever (threat 39); what nobody gives now, by whoever asks
for it next. Wrong bytes are no reason to keep anything: it goes even where nothing can be fetched.
"""

import asyncio
import os
from collections.abc import Callable, Mapping
from sqlite3 import Error as DatabaseError

from tidegate.keeper.settings import KeeperSettings
from tidegate.sources.archive import Archive
from tidegate.sources.fetching import Fetching
from tidegate.sources.flight import Stage, Wanted
from tidegate.sources.naming import index_paths
from tidegate.store.blobs import BlobStore, sha256_of
from tidegate.store.catalogue import Account, Catalogue
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


class Mending:
    """Holds again what was damaged, from whoever has it. Belongs to one event loop."""

    def __init__(self, catalogue: Catalogue, fetching: Fetching, archives: Callable[[], Mapping[str, Archive]]) -> None:
        self._catalogue = catalogue
        self._fetching = fetching
        self._archives = archives

    async def mend(self, digest: bytes) -> bool:
        """Fetch it anew, if a snapshot accounts for it; whether it is held then."""
        accounts = await asyncio.to_thread(self._catalogue.accounts, [digest])
        for one in accounts.get(digest, ()):
            archive = self._archives().get(one.archive)
            if archive is not None and await self._held(digest, one, archive):
                return True
        return False

    async def _held(self, digest: bytes, account: Account, archive: Archive) -> bool:
        paths = index_paths(account.path, digest) if account.is_member else (account.path,)
        flight = await self._fetching.hold(Wanted(digest, account.size), archive.sources, paths)
        return flight.stage is Stage.HELD


async def scrub(
    blobs: BlobStore, journal: JournalWriter, rate_bytes_s: int, mending: Mending | None = None
) -> tuple[int, int]:
    """Once through everything held; returns how many blobs were read and how many of them were damaged."""
    read = damaged = 0
    for digest, size in await asyncio.to_thread(lambda: list(blobs.digests())):
        if not await asyncio.to_thread(is_sound, blobs, digest):
            await asyncio.to_thread(blobs.remove, digest)
            mended = mending is not None and await mending.mend(digest)
            journal.note("bit-rot", digest.hex(), size=size, fetched_again=mended)
            damaged += 1
        read += 1
        await asyncio.sleep(size / rate_bytes_s)
    return read, damaged


async def scrub_for_ever(
    blobs: BlobStore, journal: JournalWriter, settings: KeeperSettings, mending: Mending | None = None
) -> None:
    """Again and again, a pause between; begins with the pause, so that a start has the disk for itself."""
    while True:
        await asyncio.sleep(settings.scrub_interval_s)
        try:
            await scrub(blobs, journal, settings.scrub_rate_bytes_s, mending)
        except (OSError, DatabaseError) as error:
            journal.note("scrub-failed", "store", reason=str(error))

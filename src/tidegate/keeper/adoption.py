"""From an accepted statement to a served snapshot: all its indices, or nothing.

mark      raised first: what was accepted once is never undercut again, whatever happens next
indices   fetched by digest from whichever source has them, kept
listings  taken in beside; nothing sees them yet
packages  those of them that the fleet will ask for next, within a bound (whoever fits `Beforehand` knows which)
switch    one transaction
"""

import asyncio
import hashlib
import os
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from tidegate.archive.paths import listing_stem, suite_base
from tidegate.archive.release import IndexEntry, Release
from tidegate.keeper.release_files import Statement
from tidegate.keeper.wanted import Scope, wanted_indices
from tidegate.sources.archive import Archive
from tidegate.sources.fetching import Fetching
from tidegate.sources.flight import Flight, Stage, Wanted
from tidegate.sources.naming import index_paths
from tidegate.store.blobs import BlobStore, verify
from tidegate.store.catalogue import Adoption, Catalogue, Listed, Snapshot, SuiteKey
from tidegate.store.ingest import INDEX_BYTES_MAX, Job
from tidegate.store.ingest_process import Ingest, IngestError


class IncompleteError(Exception):
    """The set could not be had whole: a sentence saying which piece and why."""


class Beforehand(Protocol):
    """What is done for the fleet's sake before a switch. It raises nothing."""

    @property
    def switch_s_max(self) -> float:
        """No switch waits longer."""
        ...

    def switching(self, key: SuiteKey) -> asyncio.Event:
        """Set while a switch of this suite waits: until then what is served has to do."""
        ...

    async def before(self, archive: Archive, suite: str, indices: Sequence[Listed]) -> Callable[[Snapshot], None] | str:
        """Have what these indices of a newer snapshot list and the fleet wants.

        What to do once it is adopted; or, in a sentence, why it had better not be, for now.
        """
        ...


@dataclass(frozen=True, slots=True)
class Ports:
    """What adoption works with."""

    fetching: Fetching
    blobs: BlobStore
    catalogue: Catalogue
    ingest: Ingest
    progress: Callable[[str], None]
    prefetch: Beforehand | None = None
    """Where it is missing, packages are fetched when clients ask for them, and not before."""


@dataclass(frozen=True, slots=True)
class Taking:
    """What is to be adopted: a suite's statement, and the operators that show it."""

    archive: Archive
    suite: str
    statement: Statement
    asked: frozenset[str]
    """The indices that clients have asked for of late."""
    now: int
    confirmed_by: tuple[str, ...]


async def adopt(taking: Taking, ports: Ports, turn: Callable[[int], Awaitable[None]]) -> Snapshot:
    """Make the statement's snapshot the one that is served. Raises IncompleteError, and then nothing has changed.

    `turn` is awaited with the number of indices before they are fetched.
    """
    archive, suite, statement, now = taking.archive, taking.suite, taking.statement, taking.now
    release, base = statement.release, suite_base(suite)
    scope = Scope(archive.components, archive.architectures, archive.deb_src)
    wanted = wanted_indices(release, suite, scope, taking.asked)
    await turn(sum(ports.blobs.size(one.sha256) != one.size for one in (*wanted.required, *wanted.learned)))
    await hold_indices(archive, base, wanted.required, ports, by_hash=release.acquire_by_hash, required=True)
    await hold_indices(archive, base, wanted.learned, ports, by_hash=release.acquire_by_hash, required=False)
    await list_indices(base, release, entries := (*wanted.required, *wanted.learned), ports)
    files = [await keep_file(base + name, data, ports) for name, data in statement.files.items()]
    snapshot = Snapshot(
        archive.name,
        suite,
        release.date,
        release.valid_until,
        statement.accepted.mark.digest,
        statement.source,
        now,
        now,
        confirmed_by=taking.confirmed_by,
    )
    members = [Listed(base + entry.path, entry.sha256, entry.size) for entry in release.entries.values()]
    adoption = Adoption(snapshot, [*members, *files], sha512_of(release))
    if ports.prefetch is None:
        return await asyncio.to_thread(ports.catalogue.adopt, adoption)
    listings = [Listed(base + one.path, one.sha256, one.size) for one in entries if listing_stem(one.path)]
    after = await ports.prefetch.before(archive, suite, listings)
    if isinstance(after, str):
        raise IncompleteError(after)
    adopted = await asyncio.to_thread(ports.catalogue.adopt, adoption)
    after(adopted)
    return adopted


def sha512_of(release: Release) -> dict[bytes, bytes]:
    """The Release's entries by their other digest."""
    return {entry.sha512: entry.sha256 for entry in release.entries.values() if entry.sha512 is not None}


async def hold_indices(
    archive: Archive, base: str, entries: Sequence[IndexEntry], ports: Ports, *, by_hash: bool, required: bool
) -> None:
    """Fetch those that are not held. Raises IncompleteError when a required one is nowhere to be had."""
    missing = [entry for entry in entries if ports.blobs.size(entry.sha256) != entry.size]
    for entry in entries:
        ports.blobs.touch(entry.sha256, time.time())  # who keeps house sees that it is needed again
    for entry in missing:
        if entry.size > ports.fetching.settings.index_bytes_max:
            raise IncompleteError(f"{base}{entry.path} is listed with {entry.size:,} bytes, more than index_bytes_max")
    flights = await asyncio.gather(*(_hold(archive, base, entry, ports, by_hash=by_hash) for entry in missing))
    for entry, flight in zip(missing, flights, strict=True):
        if flight is not None and flight.stage is not Stage.HELD and required:
            raise IncompleteError(f"{base}{entry.path}: {flight.failure}")


async def _hold(archive: Archive, base: str, entry: IndexEntry, ports: Ports, *, by_hash: bool) -> Flight | None:
    path = base + entry.path
    if entry.size == 0:
        await keep_file(path, b"", ports)
        return None
    flight = await ports.fetching.hold(
        Wanted(entry.sha256, entry.size), archive.sources, index_paths(path, entry.sha256, by_hash=by_hash)
    )
    ports.progress(f"{path} ({entry.size:,} bytes): {flight.stage.name.lower()}")
    return flight


async def list_indices(base: str, release: Release, entries: Sequence[IndexEntry], ports: Ports) -> None:
    """Take the held ones of them that list artifacts into the catalogue. Raises IncompleteError."""
    jobs: list[Job] = []
    try:
        for entry in entries:
            stem = listing_stem(entry.path)
            if stem is None or ports.catalogue.has_listing(entry.sha256):
                continue
            plain = release.entries.get(stem)
            size_max = INDEX_BYTES_MAX if plain is None else min(plain.size, INDEX_BYTES_MAX)
            fd = ports.blobs.open(entry.sha256)
            if fd is not None:
                jobs.append(Job(fd, entry.sha256.hex(), base + entry.path, size_max))
        await ports.ingest(jobs)
    except IngestError as error:
        raise IncompleteError(str(error)) from None
    finally:
        for job in jobs:
            os.close(job.fd)
        ports.catalogue.look_again()  # a child wrote it: who waits for what is listed there is answered next


async def keep_file(path: str, data: bytes, ports: Ports) -> Listed:
    """Keep bytes that trust has vouched for as a whole (a Release file), or that are empty. Raises IncompleteError."""
    digest = hashlib.sha256(data).digest()
    try:
        if ports.blobs.size(digest) != len(data):
            draft = ports.blobs.draft()
            try:
                draft.write(data)
                await ports.fetching.keep(verify(draft, digest=digest, size=len(data)))
            except OSError:
                ports.blobs.discard(draft)
                raise
    except OSError as error:
        raise IncompleteError(f"{path} cannot be stored: {error}") from None
    return Listed(path, digest, len(data))

"""A keeper in a house of its own: a real store, real sources, real trust."""

import asyncio
import hashlib
import os
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from tests.oracle import Oracle
from tests.simulator.keys import Keys
from tests.simulator.server import SourceServer
from tests.sources.sinks import settings as fetch_settings
from tests.store.drafts import read
from tidegate.archive.errors import FormatError
from tidegate.archive.paths import suite_base
from tidegate.holding.hot_listing import Stores
from tidegate.holding.prefetch import Fresh
from tidegate.holding.prefetching import Prefetching
from tidegate.holding.settings import HoldSettings
from tidegate.holding.sweeping import left_bytes
from tidegate.holding.upgrade import fresh_needs
from tidegate.holding.upgrade_process import FreshNeeds
from tidegate.keeper.adoption import Ports
from tidegate.keeper.keeper import Keeper
from tidegate.keeper.outcome import Adopted, NotAdopted, Outcome
from tidegate.keeper.release_files import Trust
from tidegate.keeper.settings import KeeperSettings
from tidegate.sources.archive import Archive, Reach, source_of
from tidegate.sources.fetching import Fetching
from tidegate.sources.flight import Wanted
from tidegate.store.catalogue import Catalogue, Listed, Snapshot, SuiteKey
from tidegate.store.file_blobs import FileBlobs
from tidegate.store.ingest import Job, take_in
from tidegate.store.ingest_process import Ingest, IngestError
from tidegate.store.journal import Event
from tidegate.store.journal_writer import JournalWriter
from tidegate.store.layout import Layout
from tidegate.store.marks import SqliteMarks
from tidegate.store.settings import StoreSettings
from tidegate.store.sqlite_catalogue import SqliteCatalogue
from tidegate.store.sqlite_holds import SqliteHolds
from tidegate.store.sqlite_journal import SqliteJournal
from tidegate.trust.keyring import Keyring, load_keyring
from tidegate.trust.settings import TrustSettings
from tidegate.trust.verifier import verifier_for

DEBIAN = "debian"
INRELEASE = "dists/stable/InRelease"
ServerFactory = Callable[..., SourceServer]
WAIT_S = 10.0
SETTINGS = KeeperSettings(refresh_interval_s=3600.0, adopt_timeout_s=20.0)


def archive_of(keys: Keys, *servers: SourceServer, **changes: Any) -> Archive:
    """The configuration of a simulated archive, with these sources in this order."""
    return configured(keys.keyring, *(server.url for server in servers), **changes)


def configured(pinned: Path, *urls: str, **changes: Any) -> Archive:
    """The same by addresses."""
    keyring = load_keyring(pinned.read_bytes(), "simulator")
    assert isinstance(keyring, Keyring)
    values: dict[str, Any] = {
        "name": DEBIAN,
        "keyring": keyring,
        "suites": ("stable",),
        "components": (),
        "architectures": ("amd64",),
        "deb_src": False,
        "aliases": (),
        "sources": tuple(source_of(url, reach=Reach.ANY, operator=url, kind="mirror") for url in urls),
        "strict_suite": True,
        "unnamed_suites": (),
        "accept_info_change": False,
        "adopt_on_request": True,
        **changes,
    }
    return Archive(**values)


def ingest_here(catalogue: Catalogue) -> Ingest:
    """Take indices apart in a thread: what the child process does, without its start."""

    async def ingest(jobs: Sequence[Job]) -> None:
        for job in jobs:
            try:
                await asyncio.to_thread(take_in, catalogue, job)
            except (FormatError, OSError) as error:
                raise IngestError(f"{job.path}: {error}") from None

    return ingest


def fresh_here(stores: Stores, now: Callable[[], float] = time.time) -> FreshNeeds:
    """Work out in a thread what upgrades newly need."""

    async def fresh(key: SuiteKey, indices: Sequence[Listed], forget_after_s: float) -> tuple[Fresh, ...]:
        work = partial(fresh_needs, stores, key, indices, now=int(now()), forget_after_s=forget_after_s)
        return await asyncio.to_thread(work)

    return fresh


@dataclass(slots=True)
class House:
    """What a test sees of it. `clock_s` is added to the keeper's idea of now; `told` is what the journal's pen said."""

    keeper: Keeper
    fetching: Fetching
    blobs: FileBlobs
    catalogue: SqliteCatalogue
    marks: SqliteMarks
    journal: SqliteJournal
    pen: JournalWriter
    layout: Layout
    archive: Archive
    holds: SqliteHolds
    prefetch: Prefetching
    clock_s: float = 0.0
    looked: list[tuple[SuiteKey, Outcome]] = field(default_factory=list)
    told: list[str] = field(default_factory=list)

    async def look(self, suite: str = "stable") -> Outcome:
        """One look at a suite."""
        return await self.keeper.look(self.archive.name, suite)

    async def adopt(self, suite: str = "stable") -> Snapshot:
        """One look that adopts."""
        outcome = await self.look(suite)
        assert isinstance(outcome, Adopted), outcome
        return outcome.snapshot

    async def refused(self, suite: str = "stable") -> str:
        """One look that adopts nothing; why, in a sentence."""
        outcome = await self.look(suite)
        assert isinstance(outcome, NotAdopted), outcome
        return str(outcome)

    def served(self, suite: str = "stable") -> Snapshot | None:
        """What is served."""
        return self.catalogue.snapshot(self.archive.name, suite)

    def read(self, path: str, suite: str = "stable") -> bytes | None:
        """A member of the served snapshot, if it is held."""
        snapshot = self.served(suite)
        member = None if snapshot is None else self.catalogue.member(snapshot, path)
        return None if member is None else read(self.blobs, member.digest)

    def knows(self, path: str) -> bool:
        """Whether a listing accounts for this file."""
        return self.catalogue.artifact(self.archive.name, path) is not None

    async def events(self, kind: str, count: int = 1) -> list[Event]:
        """The events of a kind, once there are so many of them."""
        until = time.monotonic() + WAIT_S
        while len(found := [event for event in self.journal.read(limit=10_000) if event.kind == kind]) < count:
            assert time.monotonic() < until, f"{len(found)} events {kind}, {count} expected"
            await asyncio.sleep(0.005)
        return found

    async def fetch(self, path: str) -> bytes | None:
        """A listed artifact, fetched if need be."""
        listed = self.catalogue.artifact(self.archive.name, path)
        if listed is None:
            return None
        await self.fetching.hold(Wanted(listed.digest, listed.size), self.archive.sources, (path,))
        return read(self.blobs, listed.digest)


@asynccontextmanager
async def house(
    directory: Path,
    archive: Archive,
    *,
    keeper: KeeperSettings = SETTINGS,
    hold: HoldSettings | None = None,
    store: StoreSettings | None = None,
    ingest: Callable[[Layout, Catalogue], Ingest] | None = None,
    **fetch: Any,
) -> AsyncIterator[House]:
    """Open (or make) the store below `directory` and keep it; opened again, it is the house after a restart."""
    layout = Layout(directory / "state", directory / "cache")
    layout.make()
    lock = layout.lock()
    blobs, catalogue = FileBlobs(layout), SqliteCatalogue(layout.catalogue)
    marks, journal = SqliteMarks(layout.marks), SqliteJournal(layout.journal)
    told: list[str] = []
    pen = JournalWriter(journal, told.append)
    holds, keeping = SqliteHolds(layout.holds), store or StoreSettings(free_bytes_min=0)
    fetching = Fetching(blobs, fetch_settings(**fetch), keeping)
    take = ingest_here(catalogue) if ingest is None else ingest(layout, catalogue)
    prefetch = Prefetching(
        {archive.name: archive},
        Stores(catalogue, blobs, holds, marks),
        fetching,
        pen,
        hold or HoldSettings(),
        room=partial(left_bytes, blobs, keeping),
        fresh=fresh_here(Stores(catalogue, blobs, holds, marks)),
    )
    ports = Ports(fetching, blobs, catalogue, take, lambda text: None, prefetch)
    trust = Trust(verifier_for(), TrustSettings(), marks)
    made = House(None, fetching, blobs, catalogue, marks, journal, pen, layout, archive, holds, prefetch, told=told)  # type: ignore[arg-type]  # next line
    made.keeper = Keeper({archive.name: archive}, ports, trust, pen, keeper, now=lambda: time.time() + made.clock_s)
    made.keeper.watchers.append(lambda key, outcome: made.looked.append((key, outcome)))
    try:
        yield made
    finally:
        await made.keeper.close()
        await fetching.close()
        pen.close()
        for opened in (catalogue, marks, journal, holds):
            opened.close()
        os.close(lock)


async def until(condition: Callable[[], bool]) -> None:
    """Wait, within a bound, for what happens on the same loop or outside of it."""
    end = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        await asyncio.sleep(0.005)


async def run_until(here: House, condition: Callable[[], bool]) -> None:
    """Run the keeper's schedule until then."""
    running = asyncio.create_task(here.keeper.run())
    try:
        await until(lambda: condition() or running.done())
        assert not running.done(), running.exception()
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


def assert_coherent(here: House, keys: Keys, suites: Sequence[str] = ("stable",)) -> int:
    """Every blob is what its name says; every served snapshot is signed (gpgv's word) and whole.

    Returns how many suites are served.
    """
    assert here.told == []
    for digest, size in here.blobs.digests():
        body = read(here.blobs, digest)
        assert body is not None
        assert (len(body), hashlib.sha256(body).digest()) == (size, digest)
    for snapshot in here.catalogue.served():
        _assert_whole(here, keys, snapshot, suites)
    return len(here.catalogue.served())


def _assert_whole(here: House, keys: Keys, snapshot: Snapshot, suites: Sequence[str]) -> None:
    base = suite_base(snapshot.suite)
    oracle = Oracle(keys.keyring, lambda path: here.read(path, snapshot.suite), suites)
    inrelease = here.read(f"{base}InRelease", snapshot.suite)
    if inrelease is not None:
        statement = oracle.check_release(inrelease)
    else:
        release, signature = (here.read(f"{base}{name}", snapshot.suite) for name in ("Release", "Release.gpg"))
        assert release is not None
        assert signature is not None
        statement = oracle.check_detached(release, signature)
    assert statement.date == snapshot.date
    members = {member.path: member for member in here.catalogue.members(snapshot)}
    for path, digest in statement.listed.items():
        assert members[base + path].digest.hex() == digest
    required = [path for path in statement.listed if path.endswith("binary-amd64/Packages.xz") or path == "Packages.xz"]
    assert required
    for path in required:
        assert here.read(base + path, snapshot.suite) is not None, f"{path} is served and not held"
        assert here.catalogue.has_listing(members[base + path].digest)
    mark = here.marks.get(snapshot.archive, snapshot.suite)
    assert mark is not None
    assert mark.date >= snapshot.date


def settings(**changes: Any) -> KeeperSettings:
    """The keeper's settings with something changed."""
    return msgspec.structs.replace(SETTINGS, **changes)

"""What the rooms above ask of the sources: a known object (one flight each), or a small unknown one, whole.

`Fetching` belongs to one event loop. It joins client, health, selection and store; the deciding is theirs.
"""

import asyncio
import errno
import os
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import partial

from tidegate.sources.alone import Alone, may_connect
from tidegate.sources.archive import Source
from tidegate.sources.client import Client, Getter
from tidegate.sources.failure import Failure, FetchError
from tidegate.sources.flight import Flight, Spool, Wanted
from tidegate.sources.health import Health
from tidegate.sources.passing import Passing
from tidegate.sources.race import Sending
from tidegate.sources.selection import Plan, plan
from tidegate.sources.settings import FetchSettings
from tidegate.sources.whole import Whole
from tidegate.store.blobs import CHUNK_BYTES, BlobStore, Draft, Verified
from tidegate.store.committer import Committer
from tidegate.store.memory_blobs import memory_draft
from tidegate.store.settings import StoreSettings

PASSING_BYTES_MAX = 256 << 20
"""An unlisted file's size at most: Debian's netboot images have 40 to 110 MB."""
ROOM_KNOWN_S = 0.25
_FRESH = {"Cache-Control": "max-age=0"}
"""Documents say what is new: no cache on the way, such as a site's proxy, may answer from memory."""


@dataclass(frozen=True, slots=True)
class Unchanged:
    """The source says that what we know is still current."""


@dataclass(frozen=True, slots=True)
class Document:
    """A small file, whole and unverified."""

    data: bytes
    last_modified: str | None
    etag: str | None


class Fetching:
    """Flights and documents. Made inside the loop that uses it."""

    def __init__(
        self,
        blobs: BlobStore,
        fetch: FetchSettings,
        store: StoreSettings,
        health: Health | None = None,
        wrapped: Callable[[Client], Getter] | None = None,
    ) -> None:
        """`wrapped`: whoever is to fetch instead of the client, by the client. Not what passes through: it is given to
        clients as it comes, and nobody would find out what is wrong with it.
        """
        self.health = health or Health()
        self.health.offline = fetch.offline
        self.settings = fetch
        self.client = Client(fetch)
        self._getter = self.client if wrapped is None else wrapped(self.client)
        self._sending = Sending(self._getter, fetch, self.health)
        self._passing = Sending(self.client, fetch, self.health)
        self._blobs = blobs
        self._store = store
        self._committer = Committer(blobs)
        self._flights: dict[bytes, Flight] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._in_memory_bytes = 0
        self._room_known_until = 0.0
        self._room_bytes = 0
        self.started = 0
        self._unsettled = 0
        self.landed: list[Callable[[Flight], None]] = []
        """Called with each flight that ended."""

    async def document(
        self, source: Source, path: str, *, size_max: int, last_modified: str | None = None, etag: str | None = None
    ) -> Document | Unchanged:
        """A small file from one source; with validators, only if it changed. Raises FetchError.

        Nobody has verified it: whoever does tells `health.vouched`.
        """
        if not may_connect(source, self.health):
            raise FetchError(Failure.OFFLINE, "fetch.offline, --offline")
        headers = {}
        if last_modified is not None:
            headers["If-Modified-Since"] = last_modified
        if etag is not None:
            headers["If-None-Match"] = etag
        # Not modified since when? Only who said what it has can be told that.
        whole = Whole(size_max, frozenset({200, 304} if headers else {200}), self.health.now)
        loop = asyncio.get_running_loop()
        begun = loop.time()
        self.health.asked(source.url)
        try:
            await self._getter.get(source.endpoint, source.target(path), headers | _FRESH, whole)
        except FetchError as error:
            self.health.failed(source.url, error)
            raise
        answered = whole.answered_at or loop.time()
        self.health.answered(source.url, answered - begun)
        self.health.delivered(source.url, size=len(whole.body), seconds=loop.time() - answered)
        assert whole.status is not None
        if whole.status.status == 304:
            return Unchanged()
        told = whole.status.headers
        return Document(bytes(whole.body), told.get("last-modified"), told.get("etag"))

    def under_way(self, digest: bytes) -> Flight | None:
        """The flight of a digest that is not held yet."""
        return self._flights.get(digest)

    @property
    def flights(self) -> int:
        """How many are under way."""
        return len(self._flights)

    def fetch(self, wanted: Wanted, sources: Sequence[Source], paths: Sequence[str]) -> Flight:
        """The one flight of a digest: joined when it is under way, begun otherwise."""
        flight = self._flights.get(wanted.digest)
        if flight is not None:
            return flight
        planned = partial(self._plan, tuple(sources), tuple(paths), wanted.size)
        spool = Spool(self._begin, self._rescue, self._blobs.discard, self._committer.keep)
        flight = self._flights[wanted.digest] = Flight(wanted, planned, self._sending, spool)
        self.started += 1
        self._unsettled += 1
        flight.settled.add_done_callback(self._settled)
        task = flight.task = asyncio.get_running_loop().create_task(flight.run())
        self._tasks.add(task)
        task.add_done_callback(partial(self._land, flight))
        return flight

    async def hold(self, wanted: Wanted, sources: Sequence[Source], paths: Sequence[str]) -> Flight:
        """Fetch, or join who fetches, and wait for the end of it: HELD, FAILED, or VERIFIED on a full disk."""
        flight = self.fetch(wanted, sources, paths)
        assert flight.task is not None
        await asyncio.wait({flight.task})
        return flight

    def _settled(self, _: object) -> None:
        self._unsettled -= 1
        if not self._unsettled:
            self._committer.hurry()

    def _land(self, flight: Flight, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        flight.abandon()  # a task that was cancelled before its first step has said nothing
        del self._flights[flight.wanted.digest]
        for tell in self.landed:
            tell(flight)

    def pass_through(self, sources: Sequence[Source], path: str) -> Passing:
        """Begin to fetch an unlisted file for one client. Raises OSError when there is no room at all."""
        draft = self._begin(PASSING_BYTES_MAX)
        self._blobs.discard(draft)  # no name from the start: it goes with its last reader
        passing = Passing(self._plan(sources, (path,), None), self._passing, draft, PASSING_BYTES_MAX)
        task = asyncio.get_running_loop().create_task(passing.run())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return passing

    def _plan(
        self, sources: Sequence[Source], paths: Sequence[str], size: int | None, without: Collection[str] = ()
    ) -> Plan:
        return plan(sources, paths, self.health, self.health.now(), size=size, without=without)

    def alone(self, sources: Sequence[Source]) -> Alone | None:
        """Whether nothing can be had from any of these sources now."""
        return self._plan(sources, ("",), None).alone

    def keep(self, verified: Verified) -> "asyncio.Future[None]":
        """Make verified bytes durable."""
        held = self._committer.keep(verified)
        if not self._unsettled:
            self._committer.hurry()
        return held

    async def close(self) -> None:
        """Cancel what is under way, finish what is verified."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self.client.close()
        await asyncio.get_running_loop().run_in_executor(None, self._committer.close)

    # Drafts

    def _begin(self, size: int) -> Draft:
        if not self._has_room(size):
            return self._spooled(size)
        try:
            return self._blobs.draft()
        except OSError:
            return self._spooled(size)

    def _has_room(self, size: int) -> bool:
        now = asyncio.get_running_loop().time()
        if now >= self._room_known_until:
            self._room_known_until = now + ROOM_KNOWN_S
            self._room_bytes = self._blobs.free_bytes() - self._store.free_bytes_min
        return size <= self._room_bytes

    def _spooled(self, size: int) -> Draft:
        """A draft for bytes that cannot be kept: the disk is full, clients are served all the same (threat 37)."""
        if self._in_memory_bytes + size > self._store.memory_spool_bytes_max:
            raise OSError(errno.ENOSPC, "the disk is full, and so is the memory set aside for that")
        draft = memory_draft()
        self._in_memory_bytes += size
        draft.on_close = partial(self._returned, size)
        return draft

    def _returned(self, size: int) -> None:
        self._in_memory_bytes -= size

    def _rescue(self, draft: Draft, size: int) -> Draft:
        rescued = self._spooled(size)
        while piece := os.pread(draft.fd, min(CHUNK_BYTES, draft.size - rescued.size), rescued.size):
            rescued.write(piece)
        return rescued

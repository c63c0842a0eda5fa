"""Answers that need more than a look: something has to be opened, fetched, taken in or adopted first.

The decision is the resolver's; this does what it asks for, bounded in time, and then gives, follows or refuses.
"""

import asyncio
import os
import time
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass

from tidegate.gateway.connection import Connection, Phase
from tidegate.gateway.entry import Entry, Shelf, form_of
from tidegate.gateway.refusal import Answer, Asked, answer_for
from tidegate.gateway.request import user_agent
from tidegate.gateway.resolve import Absent, Found, Needs, Resolution, Resolver, Step, Unlisted
from tidegate.gateway.settings import GatewaySettings
from tidegate.gateway.siblings import Siblings
from tidegate.gateway.steps import Steps, Uses
from tidegate.gateway.target import Place
from tidegate.sources.archive import Archive
from tidegate.sources.fetching import Fetching
from tidegate.sources.flight import Flight, Wanted
from tidegate.sources.passing import Passing
from tidegate.store.blobs import BlobStore
from tidegate.store.catalogue import Snapshot

ANSWER_WHOLE_BYTES = 262_144
"""Up to this size an object is answered only once it is verified, so that no failover is ever visible."""
NOTICED_MAX = 10_000
NOTICED_AGAIN_S = 86_400.0
UNCONFIRMED_S = 4 * 3600
SWAMPED_MAX_S = 0.5
"""A client waits so long for room in its owner's queue; then it is served here, at the price of a second flight."""
SWAMPED_PAUSE_S = 0.01


@dataclass(frozen=True, slots=True)
class Rooms:
    """What answers are made from."""

    archives: Mapping[str, Archive]
    resolver: Resolver
    blobs: BlobStore
    fetching: Fetching
    steps: Steps | None
    """None in workers that keep nothing: they hand such requests to the first one."""
    uses: Uses | None = None


class Answering:
    """See the module. Belongs to one event loop."""

    def __init__(self, rooms: Rooms, shelf: Shelf, settings: GatewaySettings, siblings: Siblings | None) -> None:
        self._rooms = rooms
        self._shelf = shelf
        self._settings = settings
        self._siblings = siblings
        self._tasks: set[asyncio.Task[None]] = set()
        self._noticed: dict[tuple[str, str, str], float] = {}
        self._slots: dict[str, asyncio.Semaphore] = {}

    def now_or_later(self, connection: Connection, place: Place) -> bool:
        """Answer at once what is held; else a task owes the answer. True when an answer is out."""
        asked, entry = Asked.OTHER, None
        try:
            resolution = self._rooms.resolver.resolve(place, ())
            if isinstance(resolution, Found):
                asked = resolution.asked
                self._notice(place, resolution)
                entry = self._held(resolution)
                self._learn(place, resolution, entry)
        except Exception as error:
            return connection.refuse(*self._failed(connection, asked, error))
        if isinstance(resolution, Found) and entry is not None:
            if resolution.lasting and connection.is_plain:
                self._shelf.remember(connection.request, entry, connection.line)
            return connection.give(entry, _how("hit", resolution.snapshot, resolution.asked))
        connection.wait()
        self._later_on(self._later(connection, place, resolution))
        return False

    def _later_on(self, doing: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(doing)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _held(self, found: Found) -> Entry | None:
        """The entry of a held blob; one of another size than listed is no such blob (threat 39)."""
        listed = found.listed
        form = form_of(listed.path, listed.digest, listed.size, found.date)
        entry = self._shelf.entry(form)
        if entry is not None:
            return entry
        fd = self._rooms.blobs.open(listed.digest)
        if fd is None:
            flight = self._rooms.fetching.under_way(listed.digest)
            if flight is None or not flight.complete:
                return None
            fd = os.dup(flight.draft.fd)  # verified, and on its way to the disk
        if os.fstat(fd).st_size != listed.size:
            os.close(fd)
            self._rooms.blobs.remove(listed.digest)
            return None
        return self._shelf.put(fd, form)

    async def _later(self, connection: Connection, place: Place, resolution: Resolution) -> None:
        asked = Asked.OTHER
        tried: list[Needs] = []
        problem: str | None = None
        try:
            async with asyncio.timeout(self._settings.wait_max_s) as limit:
                while connection.phase is Phase.WAITING:
                    match resolution:
                        case Needs():
                            asked = resolution.asked
                            if self._rooms.steps is None:
                                # This worker keeps nothing: the first one does, and answers.
                                await self._hand_over(0, connection, within_s=self._settings.wait_max_s)
                                return None
                            problem = await self._step(self._rooms.steps, place, resolution) or problem
                            tried.append(resolution)
                            resolution = self._rooms.resolver.resolve(place, tried)
                        case Absent(_, asked) | Unlisted(_, asked) if problem is not None:
                            # What we could not look at may list it: neither absent nor unlisted is known.
                            return self._refuse(connection, asked, problem, temporary=self._may_come_back(place))
                        case Absent(why, asked):
                            return self._refuse(connection, asked, why, temporary=False, proven_absent=True)
                        case Unlisted(why):
                            return await self._pass_through(connection, place, why, limit)
                        case Found():
                            asked = resolution.asked
                            if tried:
                                self._learn(place, resolution, None)
                            return await self._fetch(connection, place, resolution, limit)
        except TimeoutError:
            why = f"nothing could be had within {self._settings.wait_max_s:g} s; it goes on, ask again"
            self._refuse(connection, asked, why, temporary=True)
        except Exception as error:
            if connection.phase is Phase.WAITING:
                self._done(connection, connection.refuse(*self._failed(connection, asked, error)))

    @staticmethod
    def _failed(connection: Connection, asked: Asked, error: Exception) -> tuple[Answer, str]:
        """What to say where a store or a defect of ours fails a request: it must strand neither this client nor those
        behind it. The loop tells of it, unless it is the machine that has run out of something (threat 43)."""
        what = error.strerror if isinstance(error, OSError) else type(error).__name__
        why = f"the gateway itself cannot answer this now: {what}"
        if not isinstance(error, OSError):
            told = {"message": f"no answer to {connection.line!r}", "exception": error}
            asyncio.get_running_loop().call_exception_handler(told)
        agent = user_agent(connection.request)
        return answer_for(asked, why, user_agent=agent, temporary=True, proven_absent=False), why

    async def _owner_takes(self, connection: Connection, digest: bytes) -> bool:
        """Whether this digest is flown by another worker, who has the client now (or it has gone by itself)."""
        if self._siblings is None or (owner := self._siblings.owner(digest)) == self._siblings.mine:
            return False
        return await self._hand_over(owner, connection, within_s=SWAMPED_MAX_S)

    async def _hand_over(self, worker: int, connection: Connection, *, within_s: float) -> bool:
        """Whether the client is another worker's by now, or gone; false when that has no room for it in time."""
        assert self._siblings is not None
        clock = asyncio.get_running_loop().time
        until = clock() + within_s
        while connection.phase is Phase.WAITING:
            if self._siblings.hand_over(worker, connection, connection.again()):
                return True
            if clock() >= until:
                return False
            await asyncio.sleep(SWAMPED_PAUSE_S)
        return True

    @staticmethod
    async def _step(steps: Steps, place: Place, needs: Needs) -> str | None:
        """Make happen what the resolver needs: None, or why it did not."""
        match needs.step:
            case Step.ADOPT:
                return await steps.ensure(place.archive, needs.suite)
            case Step.FRESHEN:
                await steps.freshen(place.archive, needs.suite)
                return None
            case Step.COMPLETE:
                return await steps.complete(place.archive, needs.suite)
            case Step.LIST:
                return await steps.list_one(place.archive, needs.suite, needs.path)
            case Step.WIDEN:
                return await steps.widen(place.archive, needs.path)

    async def _fetch(self, connection: Connection, place: Place, found: Found, limit: asyncio.Timeout) -> None:
        """Something listed: from the store by now, or from its one flight."""
        listed = found.listed
        entry = self._held(found)
        if entry is None and await self._owner_takes(connection, listed.digest):
            return None
        entry = entry or self._held(found)
        if entry is not None:
            return self._done(connection, connection.give(entry, _how("wait", found.snapshot, found.asked)))
        form = form_of(listed.path, listed.digest, listed.size, found.date)
        flight = await self._flight(connection, place, found)
        if flight is None:
            return await self._fetch(connection, place, found, limit)
        while not (flight.complete or flight.failed) and (
            listed.size <= ANSWER_WHOLE_BYTES or not flight.available or connection.starts_at(form) >= flight.available
        ):
            await _change(flight)
        if connection.phase is not Phase.WAITING:
            return None
        if flight.failed:
            return self._refuse(connection, found.asked, flight.failure, temporary=self._may_come_back(place))
        limit.reschedule(None)
        how = "wait" if flight.complete else "stream"
        return self._done(connection, connection.follow(flight, form, f"{how}; from={flight.source}"))

    async def _flight(self, connection: Connection, place: Place, found: Found) -> Flight | None:
        """Join the flight, or begin it once this client has fewer than its share under way (threats 33 and 34).

        None when it had to wait for that and the flight of another client has landed meanwhile.
        """
        fetching, wanted = self._rooms.fetching, Wanted(found.listed.digest, found.listed.size)
        sources = self._rooms.archives[place.archive].sources
        under_way = fetching.under_way(wanted.digest)
        if under_way is not None:
            return under_way
        if fetching.alone(sources) is not None:
            return fetching.fetch(wanted, sources, found.names)  # fails at once: no need to wait for a place
        slot = await self._slot(connection.peer)
        under_way = fetching.under_way(wanted.digest)
        if under_way is not None or self._rooms.blobs.size(wanted.digest) == wanted.size:
            self._give_back(connection.peer, slot)
            return under_way
        flight = fetching.fetch(wanted, sources, found.names)
        peer = connection.peer
        flight.settled.add_done_callback(lambda _: self._give_back(peer, slot))
        return flight

    async def _slot(self, peer: str) -> asyncio.Semaphore:
        """Wait for a place among the fetches that this client may have under way."""
        slot = self._slots.setdefault(peer, asyncio.Semaphore(self._settings.flights_per_client_max))
        await slot.acquire()
        return slot

    def _give_back(self, peer: str, slot: asyncio.Semaphore) -> None:
        slot.release()
        if not slot.locked() and slot._value == self._settings.flights_per_client_max:  # noqa: SLF001 (no public count)
            self._slots.pop(peer, None)

    async def _pass_through(self, connection: Connection, place: Place, why: str, limit: asyncio.Timeout) -> None:
        """Something that no index lists: unverified, uncached, marked as such; or refused, in strict mode."""
        if self._settings.strict:
            return self._refuse(
                connection, Asked.OTHER, f"{why}, and gateway.strict is on", temporary=False, lacking=False
            )
        sources = self._rooms.archives[place.archive].sources
        lost = self._rooms.fetching.alone(sources)
        if lost is not None:
            return self._refuse(connection, Asked.OTHER, f"{why}; {lost.said}", temporary=not lost.is_lasting)
        slot = await self._slot(connection.peer)
        try:
            passing = self._rooms.fetching.pass_through(sources, place.path)
        except OSError as error:
            self._give_back(connection.peer, slot)
            return self._refuse(connection, Asked.OTHER, error.strerror or "no room", temporary=True)
        self._later_on(self._over(passing, connection.peer, slot))
        while not (passing.complete or passing.failed or (passing.size is not None and passing.available)):
            await passing.changed()
        if connection.phase is not Phase.WAITING:
            return None
        if passing.size is None or (passing.failed and not passing.available):
            return self._refuse(
                connection, Asked.OTHER, f"{why}; {passing.failure}", temporary=True, proven_absent=passing.absent
            )
        limit.reschedule(None)
        form = form_of(place.path, b"", passing.size, int(time.time()))
        return self._done(connection, connection.follow(passing, form, "pass; unverified, no index lists it"))

    async def _over(self, passing: Passing, peer: str, slot: asyncio.Semaphore) -> None:
        """An unlisted file counts among its client's fetches until it is through, whoever is still there to see it."""
        while not (passing.complete or passing.failed):
            await passing.changed()
        self._give_back(peer, slot)

    def _may_come_back(self, place: Place) -> bool:
        """Whether the same request may succeed soon: not offline, and not where no source gave anything for a while."""
        if self._rooms.fetching.settings.offline:
            return False
        lost = self._rooms.fetching.alone(self._rooms.archives[place.archive].sources)
        return lost is None or not lost.is_lasting

    def _refuse(
        self,
        connection: Connection,
        asked: Asked,
        why: str,
        *,
        temporary: bool,
        proven_absent: bool = False,
        lacking: bool = True,
    ) -> None:
        if connection.phase is not Phase.WAITING:
            return
        agent = user_agent(connection.request)
        answer = answer_for(asked, why, user_agent=agent, temporary=temporary, proven_absent=proven_absent)
        self._done(connection, connection.refuse(answer, why, lacking=lacking and not proven_absent))

    @staticmethod
    def _done(connection: Connection, finished: bool) -> None:
        connection.resume(finished=finished)

    def _learn(self, place: Place, found: Found, entry: Entry | None) -> None:
        """An artifact is in use: its entry knows from now on what a hit means; without one it is put down at once."""
        if found.asked is not Asked.ARTIFACT:
            return
        if entry is not None:
            entry.asked_at((place.archive, place.path))
        else:
            self._shelf.usage.add([(place.archive, place.path)])

    def _notice(self, place: Place, found: Found) -> None:
        """Tell the keeper, once a day, which indices are in use."""
        if found.asked not in (Asked.INDEX, Asked.BY_HASH) or found.snapshot is None or self._rooms.steps is None:
            return
        base = f"dists/{found.snapshot.suite}/" if not found.snapshot.suite.endswith("/") else found.snapshot.suite
        path = found.listed.path.removeprefix(base.removeprefix("./"))
        key, now = (place.archive, found.snapshot.suite, path), time.monotonic()
        if now - self._noticed.get(key, -NOTICED_AGAIN_S) >= NOTICED_AGAIN_S:
            if len(self._noticed) >= NOTICED_MAX:
                self._noticed.clear()
            self._noticed[key] = now
            self._rooms.steps.noticed(*key)


async def _change(flight: Flight | Passing) -> None:
    change: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    flight.watch(lambda: None if change.done() else change.set_result(None))
    await change


def _how(how: str, snapshot: Snapshot | None, asked: Asked) -> str:
    """`hit`, or `stale` with the reason where a Release can no longer pass for fresh."""
    if snapshot is None or asked is not Asked.RELEASE:
        return how
    now = time.time()
    if snapshot.valid_until is not None and snapshot.valid_until < now:
        return f"stale; suite={snapshot.suite}; expired {int(now - snapshot.valid_until)} s ago"
    if now - snapshot.confirmed_at > UNCONFIRMED_S:
        return f"stale; suite={snapshot.suite}; confirmed {int(now - snapshot.confirmed_at)} s ago"
    return how

"""A history: a script lived through, by a gateway that is stopped and started again, and what became of it."""

import asyncio
import gc
import hashlib
import random
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from tests.histories.clocks import virtual
from tests.histories.disk import Disk, TimerCommitter
from tests.histories.door import UNDER_WAY, Answer, Door, Rooms, visit
from tests.histories.loop import MONOTONIC_START_S, Clock, VirtualLoop
from tests.histories.network import BASE, Asked, Network
from tests.histories.script import Script, Stop, Visit
from tests.histories.vendor import BEGIN, SUITES, Vendor
from tests.keeper.house import fresh_here, ingest_here
from tidegate.gateway.resolve import Resolver
from tidegate.holding.hot_listing import Stores
from tidegate.holding.housekeeping import Decision
from tidegate.holding.prefetching import Prefetching
from tidegate.holding.settings import HoldSettings
from tidegate.holding.solitude import EVENTS_READ_MAX
from tidegate.holding.sweeping import Sweeping, incidents_of, survey
from tidegate.keeper.adoption import Ports
from tidegate.keeper.keeper import Keeper
from tidegate.keeper.probing import Prober
from tidegate.keeper.release_files import Trust
from tidegate.keeper.settings import KeeperSettings
from tidegate.sources import fetching, hashing
from tidegate.sources.archive import Archive, Reach, source_of
from tidegate.sources.breaker import Breaker
from tidegate.sources.fetching import Fetching
from tidegate.sources.health import Health, Standing
from tidegate.sources.health_file import decoded, encoded
from tidegate.sources.settings import FetchSettings, HealthSettings
from tidegate.store.holds import PackageKey
from tidegate.store.settings import StoreSettings
from tidegate.trust.acceptance import Mark
from tidegate.trust.keyring import Keyring
from tidegate.trust.settings import TrustSettings
from tidegate.trust.verdict import Refused, Signed
from tidegate.trust.verifier import Verifier, verifier_for

ARCHIVE = "debian"
FETCH = FetchSettings(release_bytes_max=262_144)
HEALTH = HealthSettings(probe_interval_s=60.0)
KEEPER = KeeperSettings(refresh_interval_s=60.0)
VERDICTS_MAX = 4_096
HASH_IN_THREAD_FROM_BYTES = 300_000
EVENTS_MAX = 100_000
STORE = StoreSettings(free_bytes_min=0, memory_spool_bytes_max=4 << 20)
TIGHT = StoreSettings(free_bytes_min=0, memory_spool_bytes_max=4 << 20, quota_bytes=1)
FORGET_AFTER_S = HoldSettings().forget_after_s


@dataclass(frozen=True, slots=True)
class Turn:
    """A source's breaker changed."""

    at_s: float
    source: str
    before: Breaker
    after: Breaker


@dataclass(slots=True)
class Record:
    """What became of a history. Times are its seconds."""

    script: Script
    answers: list[Answer] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)
    marks: list[tuple[float, str, int]] = field(default_factory=list)
    """When a suite's mark was set, to which Date."""
    lives: list[tuple[float, float]] = field(default_factory=list)
    """From when to when a gateway was there."""
    turns: list[Turn] = field(default_factory=list)
    flights: Counter[bytes] = field(default_factory=Counter)
    """How many fetches of each digest there were."""
    served: dict[str, int] = field(default_factory=dict)
    """The Dates that are served in the end, by suite."""
    held: dict[bytes, bytes] = field(default_factory=dict)
    """What is held in the end: the SHA-256 of the bytes, by the name of the blob."""
    events: list[tuple[float, str, str, str]] = field(default_factory=list)
    """The journal: time, kind, subject, source."""
    loop_turns: int = 0
    """How many turns the last life's loop took."""
    left: list[str] = field(default_factory=list)
    """What was still there after the last stop, and must not be."""

    def lines(self) -> list[str]:
        """All of it in order, for people and for the digest; nothing that depends on the run's own keys."""
        told = [(turn.at_s, f"breaker {turn.source}: {turn.before.state} to {turn.after.state}") for turn in self.turns]
        told += [(at_s, f"mark {suite}: {date - BEGIN} s") for at_s, suite, date in self.marks]
        told += [(at_s, f"event {kind} {subject} {source}") for at_s, kind, subject, source in self.events]
        told += [(begun, f"start, until {ended:.3f} s") for begun, ended in self.lives]
        for one in self.asked:
            size = f"{-(-one.bytes_sent // 1024)} KiB"
            outcome = f"{one.outcome} after {one.ended_s - one.at_s:.3f} s, {size}" if one.outcome else UNDER_WAY
            told.append((one.at_s, f"ask {one.host} {one.path} from {one.offset}: {outcome}"))
        for answer in self.answers:
            took = "" if answer.ended_s is None else f" after {answer.ended_s - answer.began_s:.3f} s"
            told.append((answer.began_s, f"client {answer.path}: {answer.outcome}{took}"))
        return [f"{at_s:10.3f} {line}" for at_s, line in sorted(told, key=lambda one: one[0])]

    def digest(self) -> str:
        """The same for the same history."""
        return hashlib.sha256("\n".join(self.lines()).encode()).hexdigest()


class _Remembering:
    """The real verifier, asked once for the same bytes: 2 ms each would be most of a history.

    No key expires within a history, so that its time plays no part.
    """

    def __init__(self) -> None:
        self._verifier: Verifier = verifier_for()
        self._known: dict[bytes, Signed | Refused] = {}

    def verify_inrelease(self, raw: bytes, keyring: Keyring, now: int) -> Signed | Refused:
        """As `Verifier.verify_inrelease`."""
        return self._once(raw, partial(self._verifier.verify_inrelease, raw, keyring, now))

    def verify_detached(self, release: bytes, signature: bytes, keyring: Keyring, now: int) -> Signed | Refused:
        """As `Verifier.verify_detached`."""
        asking = partial(self._verifier.verify_detached, release, signature, keyring, now)
        return self._once(b"%d %b %b" % (len(release), release, signature), asking)

    def _once(self, what: bytes, ask: Callable[[], Signed | Refused]) -> Signed | Refused:
        key = hashlib.sha256(what).digest()
        if key not in self._known:
            if len(self._known) >= VERDICTS_MAX:
                self._known.clear()
            self._known[key] = ask()
        return self._known[key]


class _Life:
    """The gateway from a start to its stop: rooms joined as `wiring.worker` joins them."""

    def __init__(self, world: "World", loop: VirtualLoop) -> None:
        disk, self._world, self._loop = world.disk, world, loop
        self.health = health = Health(HEALTH, now=world.clock.time, random=world.chance.random)
        health.probed = True
        health.sources.update(world.remembered())
        health.changed.append(world.turned)
        self.fetching = Fetching(disk.blobs, FETCH, world.store, health)
        self.fetching.landed.append(lambda flight: world.record.flights.update([flight.wanted.digest]))
        self.pen = disk.pen()
        archives = {ARCHIVE: world.archive}
        prefetch = None if world.hold is None else self._prefetching(archives, world.hold)
        ports = Ports(self.fetching, disk.blobs, disk.catalogue, ingest_here(disk.catalogue), lambda _: None, prefetch)
        trust = Trust(world.verifier, TrustSettings(), disk.marks)
        self.keeper = Keeper(
            archives, ports, trust, self.pen, world.keeping, now=world.clock.time, random=world.chance.random
        )
        resolver = Resolver(archives.values(), disk.catalogue)
        rooms = Rooms(world.archive, resolver, self.keeper, self.fetching, disk.blobs)
        self.door = Door(rooms, world.now, world.record.answers.append)
        prober = Prober(
            archives, self.fetching, disk.catalogue, trust, now=world.clock.time, chance=world.chance.random
        )
        prober.answered.append(self.keeper.saw)
        prober.doubtful.append(self.keeper.look)
        self._running = [loop.create_task(self.keeper.run()), loop.create_task(prober.run())]
        self._running.append(loop.create_task(self._sweeping().run()))
        if prefetch is not None:
            self._running.append(loop.create_task(prefetch.run()))
        self.visitors: list[asyncio.Task[None]] = []

    def _prefetching(self, archives: dict[str, Archive], hold: HoldSettings) -> Prefetching:
        world, disk = self._world, self._world.disk
        return Prefetching(
            archives,
            Stores(disk.catalogue, disk.blobs, disk.holds, disk.marks),
            self.fetching,
            self.pen,
            hold,
            room=disk.blobs.free_bytes,
            fresh=fresh_here(Stores(disk.catalogue, disk.blobs, disk.holds, disk.marks), world.clock.time),
            now=world.clock.time,
            chance=world.chance.random,
        )

    def _sweeping(self) -> Sweeping:
        world, disk = self._world, self._world.disk
        stores = Stores(disk.catalogue, disk.blobs, disk.holds, disk.marks)

        def decided() -> Decision:
            now, forget_after_s = world.clock.time(), FORGET_AFTER_S
            incidents = incidents_of(stores, disk.journal.last(EVENTS_READ_MAX))
            return survey(
                stores, world.store, now=now, forget_after_s=forget_after_s, archives=[ARCHIVE], incidents=incidents
            )

        return Sweeping(disk.blobs, self.pen, world.store, decided)

    def visit(self, visiting: Visit) -> None:
        """A client comes."""
        self.visitors.append(self._loop.create_task(visit(self.door, visiting)))

    async def stop(self) -> None:
        """As `wiring.worker.Worker.stop`."""
        await asyncio.gather(*self.visitors)
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)
        await self.keeper.close()
        await self.fetching.close()
        self.pen.close()


class World:
    """One history being lived. What outlives a gateway is here: clock, network, disk, record."""

    def __init__(
        self,
        vendor: Vendor,
        script: Script,
        verifier: Verifier,
        *,
        keeping: KeeperSettings | None = None,
        hold: HoldSettings | None = None,
        store: StoreSettings = STORE,
    ) -> None:
        """Without `hold` nothing is fetched but what clients ask for."""
        self.store = store
        self.script, self.verifier = script, verifier
        self.keeping, self.hold = keeping or KEEPER, hold
        self.clock = Clock(BEGIN + script.offset_s)
        self.chance = random.Random(f"play {script.seed}")
        self.record = Record(script)
        self.network = Network(vendor, script.places, self.clock, FETCH, self.chance)
        self.disk = Disk(lambda: script.is_full(self.now()), self._rose)
        self.archive = _archive(script, vendor.keyring)
        self._urls = frozenset(source.url for source in self.archive.sources)
        self._written = b""

    def now(self) -> float:
        """Seconds of the history."""
        return self.clock.monotonic() - MONOTONIC_START_S

    def use_everything(self, vendor: Vendor) -> None:
        """The fleet has used each package that there is."""
        names = [(suite, path.split("/")[3]) for suite in SUITES for path in vendor.suites[suite][0].packages]
        self.disk.holds.note_used([PackageKey(ARCHIVE, suite, "main", "amd64", name) for suite, name in names], BEGIN)

    def live(self) -> Record:
        """All of it."""
        record, network = self.record, self.network
        # What the collector frees, and when, depends on what ran before; drafts give memory back as they go.
        gc.disable()
        with virtual(self.clock, self.chance), _joined(network):
            try:
                for stop in (*self.script.stops, None):
                    if stop is None:
                        self._last_life()
                    elif stop.at_s > self.now():
                        self._life_until(stop)
            finally:
                self.disk.close()
                gc.enable()
        record.asked = network.asked
        return record

    def remembered(self) -> dict[str, Standing]:
        """What an earlier life wrote down of the sources."""
        return decoded(self._written, self._urls, self.clock.time(), HEALTH) if self._written else {}

    def turned(self, source: str, before: Breaker, after: Breaker) -> None:
        """A breaker changed."""
        self.record.turns.append(Turn(self.now(), source, before, after))

    def _rose(self, archive: str, suite: str, mark: Mark) -> None:
        del archive
        self.record.marks.append((self.now(), suite, mark.date))

    def _start(self, loop: VirtualLoop, until_s: float) -> _Life:
        async def start() -> _Life:
            return _Life(self, loop)

        begun = self.now()
        life = loop.run_until_complete(start())
        for visiting in self.script.visits:
            if begun <= visiting.at_s < until_s:
                loop.call_at(MONOTONIC_START_S + visiting.at_s, life.visit, visiting)
        for moment in self.script.checkpoints:
            if begun <= moment < until_s:
                loop.call_at(MONOTONIC_START_S + moment, self.disk.checkpoint)
        return life

    def _life_until(self, stop: Stop) -> None:
        """A life that ends at once: nothing of it goes on, though its tasks are given their end."""
        begun = self.now()
        with _loop(self.clock) as loop:
            life = self._start(loop, stop.at_s)
            loop.advance_to(MONOTONIC_START_S + stop.at_s)
            self.record.lives.append((begun, stop.at_s))
            self.disk.stop(power=stop.power)
            # Written a second after each change, and so perhaps not at all: then the next life begins without.
            self._written = b"" if stop.power else encoded(life.health, self._urls)
            self._forget(life)
        self.clock.now_s = MONOTONIC_START_S + stop.at_s + stop.down_s

    def _forget(self, life: _Life) -> None:
        """From here on nothing of this life is recorded."""
        record = self.record
        life.health.changed.clear()
        life.fetching.landed.clear()
        record.flights.update(life.fetching._flights.keys())
        record.answers = [_lost(one) if one.ended_s is None else one for one in record.answers]
        self.network.forget()

    def _last_life(self) -> None:
        record, disk, begun = self.record, self.disk, self.now()
        with _loop(self.clock) as loop:
            life = self._start(loop, self.script.length_s)
            loop.advance_to(MONOTONIC_START_S + self.script.length_s)
            loop.run_until_complete(life.stop())
            record.lives.append((begun, self.now()))
            record.loop_turns = loop.turns
            record.left = [f"{life.fetching.flights} flights"] if life.fetching.flights else []
            record.left += loop.complaints + loop.end()
        record.served = {one.suite: one.date for one in disk.catalogue.served()}
        held = {digest: disk.blobs.read(digest) or b"" for digest, _ in disk.blobs.digests()}
        record.held = {digest: hashlib.sha256(body).digest() for digest, body in held.items()}
        record.events = [
            (one.at - BEGIN - self.script.offset_s, one.kind, one.subject, str(one.data.get("source", "")))
            for one in disk.journal.read(limit=EVENTS_MAX)
        ]


def live(vendor: Vendor, script: Script) -> Record:
    """Live through a script.

    Where its seed is odd, with a fleet that uses everything, which is fetched beforehand; where it is a multiple of
    three, with a store that is always too full, so that what nobody counts on does not stay.
    """
    hold = HoldSettings() if script.seed % 2 else None
    world = World(vendor, script, VERIFIER, hold=hold, store=STORE if script.seed % 3 else TIGHT)
    if script.seed % 2 or script.seed % 3:
        world.use_everything(vendor)
    return world.live()


VERIFIER: Verifier = _Remembering()


@contextmanager
def _loop(clock: Clock) -> Iterator[VirtualLoop]:
    """A loop that is ended whatever happens."""
    loop = VirtualLoop(clock)
    try:
        yield loop
    finally:
        loop.end()


def _lost(answer: Answer) -> Answer:
    return replace(answer, outcome="lost")


def _archive(script: Script, keyring: Keyring) -> Archive:
    sources = tuple(
        source_of(f"http://{place.host}{BASE}", reach=Reach.ANY, operator=place.operator, kind="mirror")
        for place in script.places
    )
    return Archive(
        name=ARCHIVE,
        keyring=keyring,
        suites=(SUITES[0],),
        components=(),
        architectures=("amd64",),
        deb_src=False,
        aliases=(),
        sources=sources,
        strict_suite=True,
        unnamed_suites=(),
        accept_info_change=False,
        adopt_on_request=True,
    )


@contextmanager
def _joined(network: Network) -> Iterator[None]:
    """Where `Fetching` would open sockets and start a thread, it gets the network that is played, and a timer.

    What is hashed in a thread begins with smaller objects, so that the largest packages here are among it.
    """
    put: tuple[tuple[Any, str, Any], ...] = (
        (fetching, "Client", lambda *_, **__: network),
        (fetching, "Committer", TimerCommitter),
        (hashing, "HASH_IN_THREAD_FROM_BYTES", HASH_IN_THREAD_FROM_BYTES),
    )
    before = [getattr(module, name) for module, name, _ in put]
    try:
        for module, name, value in put:
            setattr(module, name, value)
        yield
    finally:
        for (module, name, _), value in zip(put, before, strict=True):
            setattr(module, name, value)

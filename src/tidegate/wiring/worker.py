"""One process's rooms, joined and running on one event loop."""

import asyncio
import socket
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial

from tidegate.config import Settings
from tidegate.drill.board import Board
from tidegate.drill.staged import StagedBlobs, StagedGetter
from tidegate.drill.taking_part import TakingPart
from tidegate.gateway.access_log import AccessLog, write_lines
from tidegate.gateway.answering import Rooms
from tidegate.gateway.resolve import Resolver
from tidegate.gateway.server import Gateway
from tidegate.gateway.siblings import Siblings
from tidegate.gateway.target import Routes
from tidegate.holding.expand_process import ExpandError, expand_in_process
from tidegate.holding.hot_listing import Stores
from tidegate.holding.learning import Learning, forget_for_ever
from tidegate.holding.margins import KINDS as MARGINS
from tidegate.holding.margins import Margins
from tidegate.holding.prefetching import Prefetching
from tidegate.holding.solitude import ENDED, EVENTS_READ_MAX, Solitude
from tidegate.holding.solitude import KINDS as SOLITUDE
from tidegate.holding.stocktaking_process import Stocktaking
from tidegate.holding.sweeping import Sweeping, left_bytes
from tidegate.holding.upgrade_process import fresh_in_process
from tidegate.keeper.adoption import Ports
from tidegate.keeper.keeper import Keeper
from tidegate.keeper.outcome import Adopted, Confirmed, NotAdopted, Outcome
from tidegate.keeper.probing import Prober
from tidegate.keeper.release_files import Trust
from tidegate.keeper.scrub import Mending, scrub_for_ever
from tidegate.sources.alone import may_connect
from tidegate.sources.archive import Archive, Source
from tidegate.sources.client import Client, Getter
from tidegate.sources.fetching import Fetching
from tidegate.sources.health import Health
from tidegate.sources.health_file import HealthFile
from tidegate.sources.outages import Outages
from tidegate.store.catalogue import SuiteKey
from tidegate.store.ingest_process import IngestError, ingest_in_process
from tidegate.store.journal_writer import JournalWriter
from tidegate.store.relisting import relist
from tidegate.trust.verifier import verifier_for
from tidegate.wiring.archives import preset_name
from tidegate.wiring.fold_process import Folding
from tidegate.wiring.house import surveying
from tidegate.wiring.news import News, Tell
from tidegate.wiring.source_news import SourceNews
from tidegate.wiring.store import Store

STDOUT_FD = 1
STOP_GRACE_S = 5.0
# hashlib's threads wait for the interpreter this long at most; the default of 5 ms costs large fetches half their rate.
SWITCH_INTERVAL_S = 1e-4


@dataclass(frozen=True, slots=True)
class Place:
    """Which worker this is: the first one keeps the store fresh as well."""

    listener: socket.socket
    siblings: Siblings | None = None
    fresh_since: int = 0
    """A Release confirmed before then is looked for anew before it is given (epoch seconds)."""
    board: Board = field(default_factory=Board)
    """Where a drill is written up; several workers have one together."""
    outages: Outages = field(default_factory=lambda: Outages(1))
    """Which sources are out for which worker; the same."""

    @property
    def mine(self) -> int:
        """Its number, from 0 on."""
        return self.siblings.mine if self.siblings else 0

    @property
    def keeps(self) -> bool:
        """Whether this worker refreshes and adopts."""
        return self.mine == 0


class Worker:
    """Made inside the loop; `start`, `reconfigure`, `stop`."""

    def __init__(
        self, settings: Settings, archives: Mapping[str, Archive], store: Store, place: Place, tell: Tell
    ) -> None:
        sys.setswitchinterval(SWITCH_INTERVAL_S)
        self.settings = settings
        self.archives = archives
        self.store = store
        self.tell = tell
        self._place = place
        self.journal = JournalWriter(store.journal, lambda text: tell(News("error", "journal", text)))
        health = Health(settings.health)
        self.memory = HealthFile(store.layout.sources, health, self._urls, self._memory_in_trouble)
        self.memory.load()
        source_news = SourceNews(health, lambda: self.archives, place.outages, place.mine, self.journal, tell)
        health.changed.append(source_news.turned)
        self.drill = TakingPart(place.board, health, self.journal, self._named, self._urls)
        self.drill.keeps_learning = self.memory.keep_learning
        disk = StagedBlobs(store.blobs, self.drill.last)
        self.fetching = Fetching(disk, settings.fetch, settings.store, health, self._wrapped)
        self.fetching.landed.append(source_news.landed)
        trust = Trust(verifier_for(settings.trust), settings.trust, store.marks)
        self.prefetching = self._prefetching() if place.keeps else None
        self.keeper = self._keeper(trust) if place.keeps else None
        self.prober = self._prober(trust, self.keeper) if self.keeper is not None else None
        self.solitude = Solitude(archives, health, store.catalogue, self.journal)
        self.solitude.told.append(self._alone)
        self.margins = Margins(archives, health, store.catalogue, self.journal, lost_after_s=self._lost_after_s)
        self.stocktaking = Stocktaking(store.layout, lambda: self.settings.hold, self._holds_in_trouble)
        self.learning = Learning(store.catalogue, store.holds, self._holds_in_trouble, touch=store.blobs.touch)
        log = AccessLog(partial(write_lines, STDOUT_FD) if settings.gateway.access_log else None)
        self.gateway = Gateway(
            place.listener, self._routes(), self._rooms(), store.catalogue, settings.gateway, log, place.siblings
        )
        self.folding = Folding(store.layout, settings.incidents)
        self.sweeping = self._sweeping()
        self._running: list[asyncio.Task[None]] = []
        self._news = asyncio.Event()
        self.answered: list[Callable[[], None]] = []
        """Called once the last answer is out, at the end."""

    def start(self, *, keep: bool = True) -> None:
        """Serve, and (unless `keep` is false) look at every suite now and then."""
        self.gateway.start()
        loop = asyncio.get_running_loop()
        memory = self.memory.keep() if self._place.keeps else self.memory.follow()
        self._running += [loop.create_task(memory), loop.create_task(self.drill.run())]
        if self._place.keeps:
            forgetting = forget_for_ever(self.store.holds, lambda: self.settings.hold, self._holds_in_trouble)
            self._running += [loop.create_task(forgetting), loop.create_task(self._expand())]
            self._running.append(loop.create_task(self.stocktaking.run()))
        if not keep:
            return
        if self.keeper is not None:
            events = partial(self.store.journal.last, EVENTS_READ_MAX)
            mending = Mending(self.store.catalogue, self.fetching, lambda: self.archives)
            self._running += [
                loop.create_task(scrub_for_ever(self.store.blobs, self.journal, self.settings.keeper, mending)),
                loop.create_task(self.solitude.run(partial(events, kinds=SOLITUDE))),
                loop.create_task(self.margins.run(partial(events, kinds=MARGINS))),
                loop.create_task(self.sweeping.run()),
            ]
        sources = [source for archive in self.archives.values() for source in archive.sources]
        if not any(may_connect(source, self.fetching.health) for source in sources):
            return
        self.fetching.health.probed = True
        if self.keeper is not None and self.prober is not None and self.prefetching is not None:
            self._running += [
                loop.create_task(self.keeper.run()),
                loop.create_task(self.prefetching.run()),
                loop.create_task(self.prober.run()),
            ]

    def reconfigure(self, settings: Settings, archives: Mapping[str, Archive]) -> None:
        """Take new settings over without dropping a connection. Addresses and directories stay as they are."""
        self.settings, self.archives = settings, archives
        self.fetching.health.settings = settings.health
        self.fetching.health.retain(self._urls())
        if self.keeper is not None:
            self.keeper.reconfigure(archives, settings.keeper)
        if self.prober is not None:
            self.prober.reconfigure(archives)
        if self.prefetching is not None:
            self.prefetching.reconfigure(archives, settings.hold)
        self.solitude.archives = self.margins.archives = archives
        self.gateway.reconfigure(self._routes(), self._rooms(), settings.gateway)

    async def stop(self) -> None:
        """Let answers under way go out, end everything, write down what waits."""
        await self.gateway.stop(STOP_GRACE_S)
        for tell in self.answered:
            tell()
        await self.learning.settle()
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)
        if self.keeper is not None:
            await self.keeper.close()
        await self.fetching.close()
        self.journal.close()

    def _wrapped(self, client: Client) -> Getter:
        """Where a drill's faults come in."""
        return StagedGetter(client, self.settings.fetch, self.drill.playing, self._named)

    def _named(self, url: str) -> list[Source]:
        """The sources at an address: two archives may have one."""
        return [source for one in self.archives.values() for source in one.sources if source.url == url]

    def _keeper(self, trust: Trust) -> Keeper:
        ports = Ports(
            self.fetching,
            self.store.blobs,
            self.store.catalogue,
            ingest_in_process(self.store.layout.catalogue),
            lambda text: self.tell(News("info", "index", text)),
            self.prefetching,
        )
        keeper = Keeper(self.archives, ports, trust, self.journal, self.settings.keeper)
        keeper.watchers.append(self._looked)
        keeper.alarmed.append(self._alarmed)
        return keeper

    def _prefetching(self) -> Prefetching:
        store = self.store
        stores = Stores(store.catalogue, store.blobs, store.holds, store.marks)
        room = partial(left_bytes, store.blobs, self.settings.store)
        fresh = fresh_in_process(store.layout)
        settings = self.settings.hold
        return Prefetching(self.archives, stores, self.fetching, self.journal, settings, room=room, fresh=fresh)

    def _prober(self, trust: Trust, keeper: Keeper) -> Prober:
        prober = Prober(self.archives, self.fetching, self.store.catalogue, trust)
        prober.answered.append(keeper.saw)
        prober.doubtful.append(keeper.look)
        return prober

    def _sweeping(self) -> Sweeping:
        survey = surveying(
            self.store,
            self.settings.store,
            self.folding.archives,
            archives=lambda: self.archives,
            forget_after_s=lambda: self.settings.hold.forget_after_s,
            offline=self.fetching.health.offline,
        )
        sweeping = Sweeping(self.store.blobs, self.journal, self.settings.store, survey)
        sweeping.told.append(lambda text: self.tell(News("warning", "store", text)))
        return sweeping

    def _lost_after_s(self) -> float:
        return self.settings.keeper.freshness_lost_after_s

    def _routes(self) -> Routes:
        return Routes(self.archives.values(), preset_name)

    def _rooms(self) -> Rooms:
        resolver = Resolver(self.archives.values(), self.store.catalogue, fresh_since=self._place.fresh_since)
        return Rooms(self.archives, resolver, self.store.blobs, self.fetching, self.keeper, self.learning)

    def _looked(self, key: SuiteKey, outcome: Outcome) -> None:
        name = f"{key[0]} {key[1]}"
        match outcome:
            case Adopted(snapshot):
                self.gateway.changed()
                self.stocktaking.news()
                self._news.set()
                self.tell(News("info", "adopted", f"{name}: adopted, from {snapshot.source}", {"date": snapshot.date}))
            case Confirmed():
                self.tell(News("info", "confirmed", f"{name}: nothing newer"))
            case NotAdopted():
                self.tell(News("warning", "not-adopted", f"{name}: {outcome}"))

    def _urls(self) -> set[str]:
        return {source.url for archive in self.archives.values() for source in archive.sources}

    async def _relist(self) -> None:
        try:
            await relist(self.store.catalogue, self.store.blobs, ingest_in_process(self.store.layout.catalogue))
        except (IngestError, OSError) as error:
            self.tell(News("warning", "index", f"what an earlier version took in stays as it is: {error}"))

    async def _expand(self) -> None:
        """Work out anew what rules need, whenever something newer is served."""
        await self._relist()
        while True:
            self._news.clear()
            if any(wish.closure for wish in await asyncio.to_thread(self.store.holds.wishes)):
                try:
                    await expand_in_process(self.store.layout)
                except (ExpandError, OSError) as error:
                    self._holds_in_trouble(str(error))
                if self.prefetching is not None:
                    self.prefetching.wake()
            await self._news.wait()

    def _holds_in_trouble(self, text: str) -> None:
        self.tell(News("warning", "holds", text))

    def _memory_in_trouble(self, text: str) -> None:
        self.tell(News("warning", "sources", text))

    def _alone(self, kind: str, subject: str, sentence: str) -> None:
        self.tell(News("info" if kind == ENDED else "error", kind, f"{subject}: {sentence}"))

    def _alarmed(self, key: SuiteKey, kind: str, sentence: str) -> None:
        self.tell(News("error", kind, f"{key[0]} {key[1]}: {sentence}"))

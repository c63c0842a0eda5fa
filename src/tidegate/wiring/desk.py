"""`python -m tidegate.wiring.desk`: the process beside the gateway that keeps advisories and hosts.

It reads its orders from standard input (`desk_process.Orders`, a line each) and ends when that does. What it has to
tell goes to standard output, a line of JSON each.
"""

import asyncio
import contextlib
import ctypes
import os
import signal
import socket
import sqlite3
import sys
import time
from collections.abc import Awaitable, Coroutine
from functools import partial

import msgspec
import uvloop

from tidegate.config import Settings
from tidegate.drill.board import Board
from tidegate.drill.playing import Playing
from tidegate.drill.staged import StagedGetter
from tidegate.drill.taking_part import TakingPart
from tidegate.fleet.installed import installed
from tidegate.incidents.settings import HookSettings
from tidegate.sources.archive import Source
from tidegate.sources.client import Client, Getter
from tidegate.sources.settings import FetchSettings
from tidegate.store.holds import PackageKey, Reported
from tidegate.store.journal_writer import JournalWriter
from tidegate.store.layout import Layout
from tidegate.store.tokens import TokenFile
from tidegate.web.advisories_report import FeedReport
from tidegate.web.desk_app import make_desk_control, make_face
from tidegate.web.exposure_report import FleetExposureReport
from tidegate.web.serving import Serving, control_socket
from tidegate.web.settings import StatusSettings
from tidegate.wiring.advising import Advising
from tidegate.wiring.advisory_view import StoredAdvisories
from tidegate.wiring.dashboard import Dashboard
from tidegate.wiring.desk_process import LINE_BYTES_MAX, DrillOrders, Orders, ToldNews, layout_by
from tidegate.wiring.desk_view import DeskView
from tidegate.wiring.fleet_desk import FleetDesk
from tidegate.wiring.fleet_stores import FleetStores, open_fleet_stores
from tidegate.wiring.hooks import Hooks
from tidegate.wiring.incidents import Incidents
from tidegate.wiring.news import News
from tidegate.wiring.notes import Notes
from tidegate.wiring.observing import Observing, status_of
from tidegate.wiring.status_page import StatusPages
from tidegate.wiring.watches import Watches

PR_SET_PDEATHSIG = 1
LOOK_EVERY_S = 5.0
"""Between two looks at what is listed and what can be had."""
HOLDS_EVERY_S = 600.0
"""Between two times that what hosts have is counted for the hot set."""
FACE_CONNECTIONS_MAX = 2_000
NICE = 5


class Desk:
    """Belongs to one event loop."""

    def __init__(self, stores: FleetStores, layout: Layout, settings: Settings) -> None:
        self._stores = stores
        self._layout = layout
        self._seen: tuple[object, object] | None = None
        self._had: list[Reported] = []
        self.journal = JournalWriter(stores.store.journal, lambda text: tell(News("error", "journal", text)))
        self.observing = Observing(partial(status_of, layout))
        self.view = DeskView(stores, lambda: self.observing.alone, settings.fleet.ages)
        self.board = Board()
        wrapped = partial(self._wrapped, settings.fetch)
        self.advising = Advising(settings, layout, self.journal.note, tell, wrapped=wrapped)
        health, everybody = self.advising.health, self.advising.source_urls
        self.drill = TakingPart(self.board, health, self.journal, self._named, everybody)
        self.drill.turned.append(self.advising.rehearse)
        self.advising.keeping.changed.append(lambda _: self.view.lookout.feeds_changed())
        self.watches = Watches(settings, layout, self.journal.note, tell)
        told = partial(
            StoredAdvisories,
            stores.history,
            self.advising.documents,
            settings.fleet.ages,
            settings.answers.refuse_after_s,
        )
        self.advisories, self.advisories_for_hosts = told(self.view.lookout), told()
        incidents = Incidents(stores.store.journal, settings.incidents)
        self.hooks = Hooks(_hooks(settings), incidents, layout.hooks, self.journal.note)
        watches = self.watches.watches
        self.dashboard = Dashboard(stores.store.journal, incidents, self.observing, self._exposure, watches)
        self.view.watches = watches
        self.status_pages = StatusPages(
            _status(settings),
            stores.store.journal,
            incidents.all,
            lambda: self.observing.status,
            self._feeds,
            watches,
            tell,
        )
        tokens = TokenFile(layout.tokens)
        self.notes = Notes(stores.store.journal, incidents, tokens)
        self.fleet = FleetDesk(self.view.hosts, tokens, settings.fleet, self.journal.note)
        self.view.report_answers = self.fleet.door.answers

    def reconfigure(self, settings: Settings) -> None:
        """Go by these from now on; ages count from the next start."""
        self.fleet.reconfigure(settings.fleet)
        self.advising.reconfigure(settings)
        self.watches.reconfigure(settings)
        self.hooks.reconfigure(_hooks(settings))
        self.status_pages.settings = _status(settings)

    def close(self) -> None:
        """Write down what waits."""
        self.advising.close()
        self.watches.close()
        self.fleet.close()
        self.journal.close()

    def works(self) -> "tuple[Coroutine[None, None, None], ...]":
        """What it does until it is ended."""
        keeping = self.watch(), self.advising.run(), self.watches.run(), self.tell_holds(), self.drill.run()
        return self.observing.run(), *keeping, self.hooks.run(), self._write_status_pages()

    def _wrapped(self, limits: FetchSettings, client: Client) -> Getter:
        """Where a drill's faults on feeds come in."""
        return StagedGetter(client, limits, self._playing, self._named)

    def _playing(self) -> Playing:
        return self.drill.playing()

    def _named(self, on: str) -> tuple[Source, ...]:
        return self.advising.sources_of(on)

    async def _write_status_pages(self) -> None:
        await self.observing.asked()
        await self.status_pages.run()

    async def _feeds(self) -> tuple[FeedReport, ...]:
        return (await self.advising.advisories_status()).feeds

    def _exposure(self) -> Awaitable[FleetExposureReport]:
        return self.view.fleet_exposure(at=None, limit=0, by_hosts=False, tags=())

    async def watch(self) -> None:
        """Notice what changes elsewhere, and make answers ready before somebody asks. Until cancelled."""
        await self.observing.asked()
        while True:
            try:
                await asyncio.to_thread(self._look)
            except (OSError, sqlite3.Error) as error:
                tell(News("warning", "desk", f"what changed could not be read: {error}"))
            await asyncio.sleep(LOOK_EVERY_S)

    async def tell_holds(self) -> None:
        """Have the gateway hold what hosts have, before they ask for news of it. Until cancelled."""
        while True:
            try:
                await asyncio.to_thread(self._tell_holds)
            except (OSError, sqlite3.Error) as error:
                tell(News("warning", "holds", f"what hosts have could not be told to whoever holds it: {error}"))
            await asyncio.sleep(HOLDS_EVERY_S)

    def _tell_holds(self) -> None:
        had = [
            Reported(PackageKey("", one.release, "", one.architecture, one.binary), one.hosts, one.last_reported_at)
            for one in installed(self._stores.hosts)
            if one.release
        ]
        if had != self._had:
            self._stores.store.holds.reported(had, int(time.time()))
            self._had = had

    def _look(self) -> None:
        catalogue = self._stores.store.catalogue
        catalogue.look_again()
        feeds = [(one.provenance.feed, one.provenance.digest) for one in self._stores.history.feeds()]
        listed = [(one.archive, one.suite, one.payload) for one in catalogue.served()]
        seen = (feeds, (listed, self.observing.alone))
        if self._seen is not None and feeds != self._seen[0]:
            self.view.lookout.feeds_changed()
        if self._seen is not None and seen[1] != self._seen[1]:
            self.view.lookout.supply_changed()
        self._seen = seen
        self.view.lookout.settle()


def _hooks(settings: Settings) -> tuple[HookSettings, ...]:
    """Offline, nobody is connected to, whoever asked for it."""
    return () if settings.fetch.offline else settings.hook


def _status(settings: Settings) -> StatusSettings:
    """The same; the owner's own command is the owner's business."""
    return msgspec.structs.replace(settings.status, s3="") if settings.fetch.offline else settings.status


def tell(news: News) -> None:
    """To the gateway, which tells it as its own."""
    line = msgspec.json.encode(ToldNews(news.level, news.event, news.text, news.data))
    with contextlib.suppress(OSError):
        sys.stdout.buffer.write(line + b"\n")
        sys.stdout.buffer.flush()


async def _run() -> None:
    loop = asyncio.get_running_loop()
    orders_in = asyncio.StreamReader(limit=LINE_BYTES_MAX)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(orders_in), sys.stdin)
    orders = msgspec.json.decode(await orders_in.readline(), type=Orders)
    layout = layout_by(orders)
    hosts_max = orders.settings.fleet.hosts_max
    stores = await asyncio.to_thread(partial(open_fleet_stores, layout, hosts_max=hosts_max))
    desk = Desk(stores, layout, orders.settings)
    control = make_desk_control(
        desk.view, desk.fleet, desk.advising, desk.watches, desk.advisories, desk.dashboard, desk.notes
    )
    ends = [Serving(control, control_socket(layout.desk))]
    face = make_face(desk.fleet, desk.advisories_for_hosts, orders.settings.fleet.hosts)
    ends += [Serving(face, socket.socket(fileno=fd), connections_max=FACE_CONNECTIONS_MAX) for fd in orders.faces]
    obeying = loop.create_task(_obey(desk, orders_in))
    running = [obeying, *(loop.create_task(each) for each in desk.works())]
    try:
        # None of them ends by itself but the first: one that does is a defect, and another desk takes our place.
        ended, _ = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
        for task in ended:
            task.result()
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        for end in ends:
            await end.stop()
        layout.desk.unlink(missing_ok=True)
        desk.close()
        stores.close()


async def _obey(desk: Desk, orders_in: asyncio.StreamReader) -> None:
    """Until there are no orders any more."""
    while line := await orders_in.readline():
        match msgspec.json.decode(line, type=Orders | DrillOrders):
            case Orders(settings=settings):
                desk.reconfigure(settings)
            case DrillOrders(playing=playing, until=until):
                desk.board.put(playing, until)
                desk.drill.look()


def main() -> None:
    """Serve until standard input ends. Signals from a terminal are the gateway's business, and so is the processor,
    where both want it."""
    os.nice(NICE)
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    uvloop.run(_run())


if __name__ == "__main__":
    main()

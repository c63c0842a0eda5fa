"""A running gateway, as the admin port sees it; and the same from its state alone, when none runs."""

import asyncio
import json
import os
import time
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import msgspec

from tidegate.holding.hot_listing import Stores
from tidegate.holding.prefetch import Lack, named
from tidegate.holding.readiness import Facts, Readiness, Thresholds, judge, summarize
from tidegate.keeper.outcome import NotAdopted, Outcome
from tidegate.sources.archive import Archive
from tidegate.sources.health import Health
from tidegate.store.catalogue import SuiteKey
from tidegate.store.layout import Layout
from tidegate.web.alone_report import AloneReport, alone_of
from tidegate.web.drill_control import DrillOrder, DrillState
from tidegate.web.gc_report import GcReport
from tidegate.web.hold_report import HoldAddReport, HoldRemoveReport, HoldsReport, HoldWhyReport, WishRequest
from tidegate.web.probe_report import ProbeReport, ProbeRound
from tidegate.web.report import RunningReport, StatusReport, SuiteReport, is_ready, suites_of
from tidegate.web.source_report import Addresses, SourceReport, last_ones, sources_of
from tidegate.wiring.archives import single_operator_notes
from tidegate.wiring.hold import Holding, added, wish_of
from tidegate.wiring.readiness import disk_of, facts_of
from tidegate.wiring.store import Store
from tidegate.wiring.tallies import Counting, with_counts

if TYPE_CHECKING:
    from tidegate.wiring.drilling import Drilling
    from tidegate.wiring.worker import Worker


class RunningView:
    """`web.app.View` of all workers, by the one that keeps the store fresh."""

    def __init__(self, worker: "Worker", running: RunningReport, notes: tuple[str, ...], counting: Counting) -> None:
        self._worker = worker
        self._counting = counting
        self._looks: set[asyncio.Task[Outcome]] = set()
        self.running = running
        self.notes = notes
        self.drilling: Drilling
        """Set once there is a chronicle to tell what is served in a drill."""

    def status(self) -> StatusReport:
        worker, now = self._worker, int(time.time())
        archives = worker.archives.values()
        missing = {} if worker.prefetching is None else worker.prefetching.missing
        suites = suites_of(archives, worker.store.catalogue, worker.store.marks, now, missing)
        tally = self._counting.sum()
        client = worker.fetching.client
        found = _sources(archives, suites, worker.fetching.health, lambda source: client.addresses(source.endpoint))
        sources = with_counts(found, tally)
        alone = _alone(archives, suites, worker.fetching.health)
        stock = worker.stocktaking.last
        return StatusReport(
            at=now,
            ready=is_ready(suites),
            running=self.running,
            offline=worker.fetching.health.offline,
            alone=alone,
            suites=suites,
            sources=sources,
            traffic=tally.traffic(),
            readiness=None if stock is None else summarize(stock, self._facts(suites, sources, alone), now),
            notes=(*self.notes, *single_operator_notes(archives), *last_ones(sources), *_missing_notes(missing)),
        )

    def readiness(self) -> Readiness | None:
        stock, status = self._worker.stocktaking.last, self.status()
        if stock is None:
            return None
        return judge(stock, self._facts(status.suites, status.sources, status.alone), Thresholds(), status.at)

    def _facts(
        self, suites: Iterable[SuiteReport], sources: Iterable[SourceReport], alone: Iterable[AloneReport]
    ) -> Facts:
        worker = self._worker
        disk = disk_of(worker.store.blobs, worker.settings.store)
        return facts_of(worker.archives.values(), suites, sources, {one.archive for one in alone}, disk, running=True)

    async def refresh(self, archive: str, suite: str, *, wait: bool) -> tuple[bool, str]:
        if archive not in self._worker.archives:
            raise KeyError(archive)
        assert self._worker.keeper is not None
        look = asyncio.get_running_loop().create_task(self._worker.keeper.look_anew(archive, suite))
        self._looks.add(look)
        look.add_done_callback(self._looks.discard)
        if not wait:
            return True, "begun"
        outcome = await asyncio.shield(look)
        if isinstance(outcome, NotAdopted):
            return False, str(outcome)
        return True, type(outcome).__name__.lower()

    def probe(self, archive: str | None) -> AsyncIterator[ProbeRound | ProbeReport]:
        worker = self._worker
        if archive is not None and archive not in worker.archives:
            raise KeyError(archive)
        assert worker.prober is not None
        from tidegate.wiring.probe import as_they_end  # whoever only asks how things are does without

        return as_they_end(worker.prober.probe_now(worker.archives if archive is None else [archive]))

    async def gc(self, *, dry_run: bool) -> GcReport:
        self._worker.gateway.sweep()
        await self._worker.learning.settle()
        from tidegate.wiring.house import gc

        return await gc(self._worker.sweeping, dry_run=dry_run)

    def drill(self, order: DrillOrder) -> DrillState:
        return self.drilling.play(order)

    def drill_end(self, verdict: str, *, because: str) -> DrillState:
        return self.drilling.end(verdict, because)

    def drill_state(self) -> DrillState:
        return self.drilling.state()

    async def hold_list(self) -> HoldsReport:
        return await asyncio.to_thread((await self._holding()).list)

    async def hold_why(self, package: str) -> HoldWhyReport:
        return await asyncio.to_thread((await self._holding()).why, package)

    async def hold_add(self, asked: WishRequest) -> HoldAddReport:
        wish = wish_of(asked, tuple(self._worker.archives), int(time.time()))
        report = await added(await self._holding(), wish, self._worker.store.layout)
        if self._worker.prefetching is not None:
            self._worker.prefetching.wake()
        return report

    async def hold_remove(self, names: tuple[str, ...]) -> HoldRemoveReport:
        return await asyncio.to_thread((await self._holding()).remove, names)

    async def _holding(self) -> Holding:
        """With what this worker's clients have asked for up to now noted."""
        worker = self._worker
        worker.gateway.sweep()
        await worker.learning.settle()
        return Holding(stores_of(worker.store), worker.settings.hold)


def stores_of(store: Store) -> Stores:
    """What the hot set is read from."""
    return Stores(store.catalogue, store.blobs, store.holds, store.marks)


def status_at_rest(
    archives: Mapping[str, Archive], store: Store, health: Health, notes: tuple[str, ...]
) -> StatusReport:
    """What a state directory says while no gateway runs."""
    now = int(time.time())
    suites = suites_of(archives.values(), store.catalogue, store.marks, now)
    sources = _sources(archives.values(), suites, health)
    return StatusReport(
        at=now,
        ready=is_ready(suites),
        running=None,
        offline=health.offline,
        alone=_alone(archives.values(), suites, health),
        suites=suites,
        sources=sources,
        notes=(*notes, *single_operator_notes(archives.values()), *last_ones(sources)),
    )


def _missing_notes(missing: Mapping[SuiteKey, Sequence[Lack]]) -> tuple[str, ...]:
    return tuple(
        f"{' '.join(key)} lists wanted packages that are not held: {named([lack.piece for lack in lacks])}"
        for key, lacks in sorted(missing.items())
        if lacks
    )


def _alone(archives: Iterable[Archive], suites: Iterable[SuiteReport], health: Health) -> tuple[AloneReport, ...]:
    return alone_of(archives, health, ((one.archive, one.suite) for one in suites if one.state != "waiting"))


def _sources(
    archives: Iterable[Archive],
    suites: Iterable[SuiteReport],
    health: Health,
    addresses: Addresses = lambda _: {},
) -> tuple[SourceReport, ...]:
    served: dict[str, list[str]] = {}
    for one in suites:
        served.setdefault(one.archive, []).append(one.suite)
    return sources_of(archives, health, time.time(), served, addresses)


def write_running(layout: Layout, running: RunningReport) -> None:
    """Leave word where we listen, for the commands."""
    fresh = layout.running.with_suffix(".new")
    fresh.write_bytes(msgspec.json.encode(running))
    fresh.replace(layout.running)


def read_running(layout: Layout) -> RunningReport | None:
    """Who serves this state, if that process still lives."""
    try:
        running = msgspec.json.decode(layout.running.read_bytes(), type=RunningReport)
        os.kill(running.pid, 0)
    except PermissionError:
        return running
    except (OSError, msgspec.MsgspecError, json.JSONDecodeError):
        return None
    return running

"""Keeps the store fresh: looks at each suite now and then, and whenever somebody asks.

One look at a suite at a time; who asks meanwhile shares it, and hurries it if a client waits. Looks that nobody waits
for come at their source's pace, and after one that brought nothing the next comes soon, then later and later.
"""

import asyncio
import contextlib
import math
import random
import time
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from tidegate.keeper.adoption import Ports
from tidegate.keeper.choosing import Heard
from tidegate.keeper.looking import Looking
from tidegate.keeper.on_demand import OnDemand
from tidegate.keeper.outcome import NotAdopted, Outcome
from tidegate.keeper.record import Record
from tidegate.keeper.release_files import Answer, Asking, Trust
from tidegate.keeper.rhythm import freeze_of, newest_dates
from tidegate.keeper.settings import KeeperSettings
from tidegate.sources.archive import Archive, Source
from tidegate.sources.breaker import Breaker, State
from tidegate.sources.failure import Excluded
from tidegate.sources.pacing import jittered_s, retry_pause_s
from tidegate.store.catalogue import Look, SuiteKey
from tidegate.store.journal_writer import JournalWriter

RETIRE_EVERY_S = 3600.0
ASK_AGAIN_S = 10.0
"""An unknown suite that could not be had is not looked for again, on any client's word, for so long."""
REMEMBERED_MAX = 1024


@dataclass(frozen=True, slots=True)
class UnderWay:
    """A look that has begun. `hurried` is set once somebody waits for it."""

    task: "asyncio.Task[Outcome]"
    hurried: asyncio.Event


@dataclass(slots=True)
class Schedule:
    """When a suite is looked at: `failures` looks in a row brought nothing; `wake` ends the pause before the next."""

    failures: int = 0
    wake: asyncio.Event = field(default_factory=asyncio.Event)


class Keeper:
    """Refresh and adoption for all archives. Belongs to one event loop."""

    def __init__(
        self,
        archives: Mapping[str, Archive],
        ports: Ports,
        trust: Trust,
        journal: JournalWriter,
        settings: KeeperSettings,
        *,
        now: Callable[[], float] = time.time,
        random: Callable[[], float] = random.random,
    ) -> None:
        self._archives = archives
        self._ports = ports
        self._trust = trust
        self._record = Record(journal)
        self._looking = Looking(ports, trust, self._record, settings, now)
        self._looking.late_news.append(self._take_late)
        self._on_demand = OnDemand(archives, ports, trust, self._record, now)
        self._settings = settings
        self._now = now
        self._random = random
        self._looks: dict[SuiteKey, UnderWay] = {}
        self._schedules: dict[SuiteKey, Schedule] = {}
        self._freshened: dict[SuiteKey, asyncio.Task[Outcome]] = {}
        self._refused: dict[SuiteKey, tuple[float, str]] = {}
        self._waiting: set[asyncio.Task[None]] = set()
        self.watchers: list[Callable[[SuiteKey, Outcome], None]] = []
        """Called with the outcome of each look."""
        self.alarmed = self._record.alarmed
        """Called with each alarm (a split view, a possible freeze): the suite, the kind, and a sentence."""
        ports.fetching.health.changed.append(self._source_changed)

    def reconfigure(self, archives: Mapping[str, Archive], settings: KeeperSettings) -> None:
        """Go by other settings from the next look on."""
        self._archives, self._settings = archives, settings
        self._on_demand.reconfigure(archives)
        self._looking.reconfigure(settings)

    async def close(self) -> None:
        """End every look; what it had not adopted is looked for again after the next start."""
        tasks = [*(look.task for look in self._looks.values()), *self._on_demand.under_way, *self._waiting]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._looking.close()

    # Asked for by others

    def look(self, archive: str, suite: str) -> "asyncio.Task[Outcome]":
        """The look at this suite, for somebody who waits: the one under way, or a new one."""
        under_way = self._begun((archive, suite))
        under_way.hurried.set()
        return under_way.task

    async def look_anew(self, archive: str, suite: str) -> Outcome:
        """A look that begins after this call: one under way may have asked before what the caller knows of happened."""
        under_way = self._looks.get((archive, suite))
        if under_way is not None:
            under_way.hurried.set()
            await asyncio.wait({under_way.task})
        return await asyncio.shield(self.look(archive, suite))

    async def ensure(self, archive: str, suite: str) -> str | None:
        """Wait until the suite is served; None when it is, else why it is not, in a sentence."""
        catalogue, loop = self._ports.catalogue, asyncio.get_running_loop()
        if catalogue.snapshot(archive, suite) is not None:
            return None
        known = {(one.archive, one.suite) for one in catalogue.served()}
        configured = self._archives[archive]
        if suite not in configured.suites and not configured.adopt_on_request:
            return f"{suite} is not among the suites of {archive}, and adopt_on_request is off"
        if len(known) >= self._settings.suites_max and suite not in configured.suites:
            return f"{len(known)} suites are held already (suites_max)"
        failed_at, problem = self._refused.get((archive, suite), (-math.inf, ""))
        if loop.time() - failed_at < ASK_AGAIN_S and suite not in configured.suites:
            return problem
        try:
            async with asyncio.timeout(self._settings.adopt_timeout_s):
                outcome = await asyncio.shield(self.look(archive, suite))
        except TimeoutError:
            return f"{suite} could not be adopted within {self._settings.adopt_timeout_s:g} s; it goes on"
        if not isinstance(outcome, NotAdopted):
            return None
        if len(self._refused) >= REMEMBERED_MAX:
            self._refused.clear()
        self._refused[archive, suite] = (loop.time(), str(outcome))
        return str(outcome)

    async def freshen(self, archive: str, suite: str) -> None:
        """Look at a served suite, once in this process's life; after `adopt_timeout_s` what is held has to do.

        And as soon as there is news whose switch waits for packages: what they are for is not to make clients wait.
        """
        key, prefetch = (archive, suite), self._ports.prefetch
        if key not in self._freshened:
            self._freshened[key] = self.look(archive, suite)
        awaited: set[asyncio.Task[Any]] = {self._freshened[key]}
        switching = None
        if prefetch is not None:
            switching = asyncio.get_running_loop().create_task(prefetch.switching(key).wait())
            awaited.add(switching)
        try:
            await asyncio.wait(awaited, timeout=self._settings.adopt_timeout_s, return_when=asyncio.FIRST_COMPLETED)
        finally:
            if switching is not None:
                switching.cancel()

    def saw(self, asking: Asking, source: Source, answer: Answer) -> None:
        """A source was asked by somebody else (a probe): learn from it, and take what it has that is newer."""
        self._looking.observer.saw(asking, source, answer)
        self._go_on(self._looking.settle(asking.archive, asking.suite, Heard(source, answer)))

    async def widen(self, archive: str, path: str) -> str | None:
        """A path that no listing has: take in the indices of served snapshots that may list it. None, or why not."""
        return await self._on_demand.widen(archive, path)

    async def complete(self, archive: str, suite: str) -> str | None:
        """Fetch Release and Release.gpg of what is served as InRelease. None, or why not."""
        return await self._on_demand.complete(archive, suite)

    async def list_one(self, archive: str, suite: str, path: str) -> str | None:
        """Take in one index (path relative to the suite) that lists other files. None, or why not."""
        return await self._on_demand.list_one(archive, suite, path)

    def noticed(self, archive: str, suite: str, path: str) -> None:
        """A client asked for this index: hold it beforehand from the next adoption on."""
        catalogue, now = self._ports.catalogue, int(self._now())
        asyncio.get_running_loop().run_in_executor(None, catalogue.note_asked, archive, suite, path, now)

    # The schedule

    async def run(self) -> None:
        """Look at every configured and every adopted suite, for ever; the first time at once."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._retire())
            while True:
                suites = self._suites()
                self._looking.observer.retain(suites | self._looks.keys())
                for key in sorted(suites - self._schedules.keys()):
                    self._schedules[key] = Schedule()
                    task = group.create_task(self._keep_fresh(key, self._schedules[key]))
                    task.add_done_callback(partial(self._unscheduled, key))
                await asyncio.sleep(1.0)

    def _unscheduled(self, key: SuiteKey, task: "asyncio.Task[None]") -> None:
        """A suite's schedule has ended: it may begin again when the suite comes back."""
        del task
        self._schedules.pop(key, None)

    def _suites(self) -> frozenset[SuiteKey]:
        configured = {(archive.name, suite) for archive in self._archives.values() for suite in archive.suites}
        served = {(one.archive, one.suite) for one in self._ports.catalogue.served() if one.archive in self._archives}
        return frozenset(configured | served)

    async def _keep_fresh(self, key: SuiteKey, schedule: Schedule) -> None:
        while key in self._suites():
            outcome = await asyncio.shield(self._begun(key).task)
            schedule.failures = schedule.failures + 1 if isinstance(outcome, NotAdopted) else 0
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._pause_s(schedule.failures)):
                    await schedule.wake.wait()
            schedule.wake.clear()

    def _pause_s(self, failures: int) -> float:
        settings, chance = self._settings, self._random()
        if not failures:
            return jittered_s(settings.refresh_interval_s, settings.refresh_jitter, chance)
        return retry_pause_s(
            failures,
            first_s=settings.retry_first_s,
            cap_s=settings.refresh_interval_s,
            jitter=settings.refresh_jitter,
            chance=chance,
        )

    def _source_changed(self, source: str, before: Breaker, after: Breaker) -> None:
        """A source answers again: whoever waits for it comes back, one after the other."""
        if before.state is State.CLOSED or after.state is not State.CLOSED:
            return
        loop = asyncio.get_running_loop()
        for (archive, _), schedule in self._schedules.items():
            configured = self._archives.get(archive)
            if schedule.failures and configured and any(one.url == source for one in configured.sources):
                loop.call_later(self._random() * self._settings.recovery_spread_s, schedule.wake.set)

    async def _retire(self) -> None:
        while True:
            while under_way := [*(look.task for look in self._looks.values()), *self._on_demand.under_way]:
                await asyncio.wait(under_way)  # what they have taken in belongs to no snapshot yet
            before = int(self._now() - self._settings.grace_s)
            with contextlib.suppress(OSError):  # tried again, and no reason to stop looking
                await asyncio.to_thread(self._ports.catalogue.retire, before)
            await asyncio.sleep(RETIRE_EVERY_S)

    # One look

    def _begun(self, key: SuiteKey) -> UnderWay:
        """The look under way, or a new one."""
        under_way = self._looks.get(key)
        if under_way is None:
            hurried = asyncio.Event()
            under_way = self._begin(key, hurried, partial(self._looking.look, self._archives[key[0]], key[1], hurried))
        return under_way

    def _begin(
        self, key: SuiteKey, hurried: asyncio.Event, look: Callable[[], Coroutine[None, None, Outcome]]
    ) -> UnderWay:
        task = asyncio.get_running_loop().create_task(self._look(key, self._archives[key[0]], look))
        task.add_done_callback(lambda _: self._looks.pop(key, None))
        under_way = self._looks[key] = UnderWay(task, hurried)
        return under_way

    def _take_late(self, archive: Archive, suite: str, heard: Heard) -> None:
        """A source showed something newer after the look was over: take it as soon as no look is under way."""
        self._go_on(self._look_late(archive, suite, heard))

    async def _look_late(self, archive: Archive, suite: str, heard: Heard) -> None:
        key = (archive.name, suite)
        while under_way := self._looks.get(key):
            await asyncio.wait({under_way.task})
        if archive.name in self._archives and self._looking.is_news(archive, suite, heard):
            self._begin(key, asyncio.Event(), partial(self._looking.take_late, archive, suite, heard))

    def _go_on(self, work: Coroutine[None, None, None]) -> None:
        """Do this beside everything else; it ends with us."""
        task = asyncio.get_running_loop().create_task(work)
        self._waiting.add(task)
        task.add_done_callback(self._waiting.discard)

    async def _look(
        self, key: SuiteKey, archive: Archive, look: Callable[[], Coroutine[None, None, Outcome]]
    ) -> Outcome:
        suite, prefetch = key[1], self._ports.prefetch
        switch_s = prefetch.switch_s_max if prefetch is not None else 0.0
        try:
            async with asyncio.timeout(self._settings.refresh_timeout_s + switch_s):
                outcome = await look()
        except TimeoutError:
            outcome = NotAdopted((Excluded("all sources", f"nothing within {self._settings.refresh_timeout_s:g} s"),))
        except OSError as error:
            outcome = self._failed(archive, suite, Excluded("disk", str(error)))
        except Exception as error:
            # A defect of ours, or what a suite says that we did not foresee, must not end the schedule of all others.
            asyncio.get_running_loop().call_exception_handler({"message": f"look at {key} failed", "exception": error})
            outcome = self._failed(archive, suite, Excluded("tidegate", f"{type(error).__name__}: {error}"))
        await self._note_look(archive, suite, outcome)
        for tell in self.watchers:
            tell(key, outcome)
        return outcome

    def _failed(self, archive: Archive, suite: str, excluded: Excluded) -> NotAdopted:
        return NotAdopted((self._record.passed_over("failed", archive, suite, excluded),))

    async def _note_look(self, archive: Archive, suite: str, outcome: Outcome) -> None:
        ok, now = not isinstance(outcome, NotAdopted), int(self._now())
        told = type(outcome).__name__.lower() if ok else str(outcome)
        alarm = self._looking.observer.split_view(archive, suite)
        if ok:
            self._record.forget(archive, suite, "disk", "failed")
            self._record.forget(archive, suite, "tidegate", "failed")
        with contextlib.suppress(OSError):  # on a full disk the look is told all the same
            await asyncio.to_thread(self._ports.catalogue.note_look, Look(archive.name, suite, now, ok, told, alarm))
        served = self._ports.catalogue.snapshot(archive.name, suite)
        if served is None:
            return
        newest = newest_dates(self._trust.marks)
        sign = freeze_of(served, newest, self._trust.marks.dates(archive.name, suite), now)
        if sign is not None:
            self._record.alarm("possible-freeze", archive, suite, str(served.date), sign, date=served.date, reason=sign)

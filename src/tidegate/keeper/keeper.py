"""Keeps the store fresh: looks at each suite now and then, and whenever somebody asks.

One look at a suite at a time; who asks meanwhile shares it. Sources are asked in order, and the first whose Release
is accepted and whose set is whole ends the look.
"""

import asyncio
import contextlib
import math
import random
import time
from collections.abc import Callable, Mapping
from functools import partial

from tidegate.archive.paths import suite_base
from tidegate.keeper.adoption import IncompleteError, Ports, adopt
from tidegate.keeper.on_demand import OnDemand
from tidegate.keeper.outcome import Adopted, Confirmed, NotAdopted, Outcome, SuiteKey
from tidegate.keeper.record import Record
from tidegate.keeper.release_files import Asking, Statement, Trust, ask
from tidegate.keeper.settings import KeeperSettings
from tidegate.sources.archive import Archive, Source
from tidegate.sources.failure import Excluded, FetchError
from tidegate.sources.fetching import Unchanged
from tidegate.sources.selection import plan
from tidegate.store.catalogue import Look
from tidegate.store.journal_writer import JournalWriter
from tidegate.trust.acceptance import Rules
from tidegate.trust.verdict import Refused

RETIRE_EVERY_S = 3600.0
RETRY_AFTER_FAILURE_S = 60.0
ASK_AGAIN_S = 10.0
"""An unknown suite that could not be had is not looked for again, on any client's word, for so long."""
REMEMBERED_MAX = 1024


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
    ) -> None:
        self._archives = archives
        self._ports = ports
        self._trust = trust
        self._record = Record(journal)
        self._on_demand = OnDemand(archives, ports, trust, self._record, now)
        self._settings = settings
        self._now = now
        self._looks: dict[SuiteKey, asyncio.Task[Outcome]] = {}
        self._freshened: dict[SuiteKey, asyncio.Task[Outcome]] = {}
        self._alarmed: set[tuple[str, str, str, Refused]] = set()
        self._refused: dict[SuiteKey, tuple[float, str]] = {}
        self.watchers: list[Callable[[SuiteKey, Outcome], None]] = []
        """Called with the outcome of each look."""

    def reconfigure(self, archives: Mapping[str, Archive], settings: KeeperSettings) -> None:
        """Go by other settings from the next look on."""
        self._archives, self._settings = archives, settings
        self._on_demand.reconfigure(archives)

    # Asked for by others

    def look(self, archive: str, suite: str) -> "asyncio.Task[Outcome]":
        """The look at this suite: the one under way, or a new one."""
        key = (archive, suite)
        task = self._looks.get(key)
        if task is None:
            task = self._looks[key] = asyncio.get_running_loop().create_task(self._look(key))
            task.add_done_callback(lambda _: self._looks.pop(key, None))
        return task

    async def look_anew(self, archive: str, suite: str) -> Outcome:
        """A look that begins after this call: one under way may have asked before what the caller knows of happened."""
        under_way = self._looks.get((archive, suite))
        if under_way is not None:
            await asyncio.wait({under_way})
        return await asyncio.shield(self.look(archive, suite))

    async def ensure(self, archive: str, suite: str) -> str | None:
        """Wait until the suite is served; None when it is, else why it is not, in a sentence."""
        catalogue = self._ports.catalogue
        if catalogue.snapshot(archive, suite) is not None:
            return None
        known = {(one.archive, one.suite) for one in catalogue.served()}
        configured = self._archives[archive]
        if suite not in configured.suites and not configured.adopt_on_request:
            return f"{suite} is not among the suites of {archive}, and adopt_on_request is off"
        if len(known) >= self._settings.suites_max and suite not in configured.suites:
            return f"{len(known)} suites are held already (suites_max)"
        failed_at, problem = self._refused.get((archive, suite), (-math.inf, ""))
        if time.monotonic() - failed_at < ASK_AGAIN_S and suite not in configured.suites:
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
        self._refused[archive, suite] = (time.monotonic(), str(outcome))
        return str(outcome)

    async def freshen(self, archive: str, suite: str) -> None:
        """Look at a served suite, once in this process's life; after `adopt_timeout_s` what is held has to do."""
        key = (archive, suite)
        if key not in self._freshened:
            self._freshened[key] = self.look(archive, suite)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._settings.adopt_timeout_s):
                await asyncio.shield(self._freshened[key])

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
            started: set[SuiteKey] = set()
            group.create_task(self._retire())
            while True:
                for key in self._suites() - started:
                    started.add(key)
                    task = group.create_task(self._keep_fresh(key))
                    task.add_done_callback(partial(_discard, started, key))
                await asyncio.sleep(1.0)

    def _suites(self) -> set[SuiteKey]:
        configured = {(archive.name, suite) for archive in self._archives.values() for suite in archive.suites}
        served = {(one.archive, one.suite) for one in self._ports.catalogue.served() if one.archive in self._archives}
        return configured | served

    async def _keep_fresh(self, key: SuiteKey) -> None:
        while key in self._suites():
            settings = self._settings
            outcome = await asyncio.shield(self.look(*key))
            pause = settings.refresh_interval_s
            if isinstance(outcome, NotAdopted) and self._ports.catalogue.snapshot(*key) is None:
                pause = min(pause, RETRY_AFTER_FAILURE_S)
            jitter = random.uniform(-settings.refresh_jitter, settings.refresh_jitter)  # noqa: S311 (not a secret)
            await asyncio.sleep(pause * (1 + jitter))

    async def _retire(self) -> None:
        while True:
            while under_way := [*self._looks.values(), *self._on_demand.under_way]:
                await asyncio.wait(under_way)  # what they have taken in belongs to no snapshot yet
            before = int(self._now() - self._settings.grace_s)
            with contextlib.suppress(OSError):  # tried again, and no reason to stop looking
                await asyncio.to_thread(self._ports.catalogue.retire, before)
            await asyncio.sleep(RETIRE_EVERY_S)

    # One look

    async def _look(self, key: SuiteKey) -> Outcome:
        archive, suite = self._archives[key[0]], key[1]
        try:
            async with asyncio.timeout(self._settings.refresh_timeout_s):
                outcome = await self._ask_around(archive, suite)
        except TimeoutError:
            outcome = NotAdopted((Excluded("all sources", f"nothing within {self._settings.refresh_timeout_s:g} s"),))
        except OSError as error:
            outcome = NotAdopted((self._record.passed_over("failed", archive, suite, Excluded("disk", str(error))),))
        except Exception as error:
            # A defect of ours, or what a suite says that we did not foresee, must not end the schedule of all others.
            asyncio.get_running_loop().call_exception_handler({"message": f"look at {key} failed", "exception": error})
            excluded = Excluded("tidegate", f"{type(error).__name__}: {error}")
            outcome = NotAdopted((self._record.passed_over("failed", archive, suite, excluded),))
        ok = not isinstance(outcome, NotAdopted)
        told = str(outcome) if isinstance(outcome, NotAdopted) else type(outcome).__name__.lower()
        look = Look(archive.name, suite, int(self._now()), ok, told)
        with contextlib.suppress(OSError):  # on a full disk the look is told all the same
            await asyncio.to_thread(self._ports.catalogue.note_look, look)
        for tell in self.watchers:
            tell(key, outcome)
        return outcome

    async def _ask_around(self, archive: Archive, suite: str) -> Outcome:
        reasons: list[Excluded] = []
        planned = plan(archive.sources, ("",), self._ports.fetching.health, time.monotonic())
        for candidate in planned.candidates:
            outcome = await self._ask_one(archive, suite, candidate.source)
            if not isinstance(outcome, Excluded):
                return outcome
            reasons.append(outcome)
        return NotAdopted((*reasons, *planned.excluded))

    async def _ask_one(self, archive: Archive, suite: str, source: Source) -> Adopted | Confirmed | Excluded:
        catalogue, now = self._ports.catalogue, int(self._now())
        asking = Asking(
            archive,
            suite,
            self._trust.marks.get(archive.name, suite),
            catalogue.snapshot(archive.name, suite),
            Rules(self._trust.settings.future_skew_s, archive.accept_info_change, archive.strict_for(suite)),
            now,
        )
        known = catalogue.validator(source.url, suite_base(suite))
        try:
            answer = await ask(asking, source, self._ports.fetching, self._trust.verifier, known)
        except FetchError as error:
            return self._record.passed_over("source-failed", archive, suite, Excluded(source.url, str(error)))
        match answer:
            case Refused(reason, evidence):
                excluded = Excluded(source.url, f"{reason}: {evidence}")
                return self._record.passed_over("refused", archive, suite, excluded)
            case Unchanged():
                return await self._confirm(asking, source)
            case Statement():
                return await self._take(asking, answer, source)

    async def _take(self, asking: Asking, statement: Statement, source: Source) -> Adopted | Confirmed | Excluded:
        archive, suite, mark = asking.archive, asking.suite, statement.accepted.mark
        for alarm in statement.accepted.alarms + statement.signed.alarms:
            if (key := (archive.name, suite, source.url, alarm)) in self._alarmed:
                continue  # told once a life of this process: an unknown second signer stays on every Release
            if len(self._alarmed) >= REMEMBERED_MAX:  # some tell the time, and so are never the same
                self._alarmed.clear()
            self._alarmed.add(key)
            self._record.note("alarm", archive, suite, source=source.url, reason=alarm.reason, evidence=alarm.evidence)
        if mark != asking.mark:
            await asyncio.to_thread(self._trust.marks.rise, archive.name, suite, mark)
        served = asking.served
        if served is not None and served.payload == mark.digest:
            outcome: Adopted | Confirmed = await self._confirm(asking, source)
        else:
            asked = self._ports.catalogue.asked(archive.name, suite, int(asking.now - self._settings.learned_s))
            try:
                snapshot = await adopt(archive, suite, statement, asked, asking.now, self._ports)
            except IncompleteError as error:
                return self._record.passed_over("incomplete", archive, suite, Excluded(source.url, f"incomplete: {error}"))
            signers = ",".join(mark.signers)
            self._record.note(
                "adopted", archive, suite, source=source.url, date=mark.date, payload=mark.digest.hex(), signers=signers
            )
            outcome = Adopted(snapshot)
        await asyncio.to_thread(
            self._ports.catalogue.note_validator, source.url, suite_base(suite), statement.validator
        )
        return outcome

    async def _confirm(self, asking: Asking, source: Source) -> Confirmed:
        assert asking.served is not None
        by = (source.operator,)
        await asyncio.to_thread(self._ports.catalogue.confirm, asking.archive.name, asking.suite, asking.now, by)
        return Confirmed(asking.served)


def _discard(keys: set[SuiteKey], key: SuiteKey, task: "asyncio.Task[None]") -> None:
    """A suite's schedule has ended: it may begin again when the suite comes back."""
    del task
    keys.discard(key)

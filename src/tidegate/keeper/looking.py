"""One look at a suite: several operators are asked at once, the newest accepted Release wins and is adopted whole.

It does not wait for stragglers: their answers are recorded when they come. Where the newest Release's set cannot be
had whole, the next newest is tried, and what is served stays; the look has failed then, and soon there is another.
"""

import asyncio
import contextlib
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from tidegate.archive.paths import suite_base
from tidegate.keeper.adoption import IncompleteError, Ports, Taking, adopt
from tidegate.keeper.choosing import Choice, Heard, Waiting, choices, held_back, is_served, passed_over
from tidegate.keeper.observer import Observer
from tidegate.keeper.outcome import Adopted, Confirmed, NotAdopted, Outcome
from tidegate.keeper.polling import Patience, poll, waves
from tidegate.keeper.record import Record
from tidegate.keeper.release_files import Answer, Asking, Statement, Trust, ask
from tidegate.keeper.settings import KeeperSettings
from tidegate.sources.archive import Archive, Source
from tidegate.sources.breaker import State
from tidegate.sources.failure import Excluded, Failure, FetchError
from tidegate.sources.pacing import Pace
from tidegate.sources.selection import Plan, plan
from tidegate.trust.acceptance import Rules

WAIT_FOR_TRIAL_S = 2.0
"""Where no source may be asked, but one may be soon: a look waits so long for it."""
ANSWER_S = 20.0
"""A source that has not given its Release by then is left."""
FOLLOWING_MAX = 256
"""Looks whose stragglers are waited for at a time."""
PAUSE_MIN_S = 0.01
SHOWN_INTERVALS = 2
"""What an operator showed counts as its word for so many intervals between looks."""


LateNews = Callable[[Archive, str, Heard], None]


class Looking:
    """How looks are done. Belongs to one event loop."""

    def __init__(
        self, ports: Ports, trust: Trust, record: Record, settings: KeeperSettings, now: Callable[[], float]
    ) -> None:
        self.observer = Observer(ports.fetching.health, trust.marks, ports.catalogue, record, now)
        self.pace = Pace(settings.background_requests_per_minute, lambda: asyncio.get_running_loop().time())
        self.late_news: list[LateNews] = []
        """Called with each late answer that brings something newer than what is served."""
        self._settings = settings
        self._ports = ports
        self._trust = trust
        self._record = record
        self._now = now
        self._following: set[asyncio.Task[None]] = set()
        self._late: set[str] = set()

    def reconfigure(self, settings: KeeperSettings) -> None:
        """Go by other settings from the next look on."""
        self._settings = settings
        self.pace.per_minute = settings.background_requests_per_minute

    async def look(self, archive: Archive, suite: str, hurried: asyncio.Event) -> Outcome:
        """Look once. While nobody is in a hurry, requests wait for their source's turn. Raises OSError."""
        settings, planned = self._settings, await self._soon_planned(archive, suite)
        operators = max(settings.ask_operators, settings.quorum)
        first = waves((one.source for one in planned.candidates), operators)[:1]
        if first and await self.pace.turn([source.url for source in first[0]], hurried):
            planned = self._plan(archive, suite)
        asking = self.asking(archive, suite)
        polled = await poll(
            waves((one.source for one in planned.candidates), operators),
            partial(self.ask, asking),
            partial(self._is_enough, asking),
            Patience(settings.ask_more_after_s, settings.straggler_grace_s, self._is_prompt),
        )
        if polled.stragglers:
            self._follow(asking, polled.stragglers)
        outcome = await self._decide(asking, polled.answers, hurried)
        return NotAdopted((*outcome.reasons, *planned.excluded)) if isinstance(outcome, NotAdopted) else outcome

    async def take_late(self, archive: Archive, suite: str, heard: Heard) -> Outcome:
        """Take what a source showed when nobody waited for it any more. Raises OSError."""
        return await self._decide(self.asking(archive, suite), (heard,), asyncio.Event())

    def is_news(self, archive: Archive, suite: str, heard: Heard) -> bool:
        """Whether an answer brings something newer than what is served, and not older than what was accepted since."""
        served, mark = self._ports.catalogue.snapshot(archive.name, suite), self._trust.marks.get(archive.name, suite)
        if not isinstance(heard.answer, Statement):
            return False
        shown = heard.answer.accepted.mark
        is_accepted = mark is None or shown.date > mark.date or shown.digest == mark.digest
        return is_accepted and (served is None or shown.date > served.date)

    def asking(self, archive: Archive, suite: str) -> Asking:
        """A question about a suite, as it is served and marked now."""
        return Asking(
            archive,
            suite,
            self._trust.marks.get(archive.name, suite),
            self._ports.catalogue.snapshot(archive.name, suite),
            Rules(self._trust.settings.future_skew_s, archive.accept_info_change, archive.strict_for(suite)),
            int(self._now()),
        )

    async def ask(self, asking: Asking, source: Source) -> Heard:
        """Ask one source, and have on record what it says."""
        known = self._ports.catalogue.validator(source.url, suite_base(asking.suite))
        loop = asyncio.get_running_loop()
        begun_at = loop.time()
        answer: Answer
        try:
            async with asyncio.timeout(ANSWER_S):
                answer = await ask(asking, source, self._ports.fetching, self._trust.verifier, known)
        except FetchError as error:
            answer = error
        except TimeoutError:
            answer = FetchError(Failure.SLOW, f"no whole Release within {ANSWER_S:g} s")
            self._ports.fetching.health.failed(source.url, answer)
        if loop.time() - begun_at <= self._settings.straggler_grace_s:
            self._late.discard(source.url)
        self.observer.saw(asking, source, answer)
        return Heard(source, answer)

    async def settle(self, archive: Archive, suite: str, heard: Heard) -> None:
        """After an answer that no look waits for: count it as a confirmation, or tell that it brings news."""
        served = self._ports.catalogue.snapshot(archive.name, suite)
        if self.is_news(archive, suite, heard):
            for tell in self.late_news:
                tell(archive, suite, heard)
            return
        newest = self.observer.of(archive, suite).newest
        if served is None or newest is None or newest.payload != served.payload:
            return
        by = self._operators(archive, suite, served.payload)
        if set(by) - set(served.confirmed_by):
            now = int(self._now())
            with contextlib.suppress(OSError):  # a full disk; the next look confirms it again
                await asyncio.to_thread(self._ports.catalogue.confirm, archive.name, suite, now, by)

    async def close(self) -> None:
        """Wait for nobody any more."""
        for task in list(self._following):
            task.cancel()
        await asyncio.gather(*self._following, return_exceptions=True)

    # Who is asked

    def _plan(self, archive: Archive, suite: str) -> Plan:
        health = self._ports.fetching.health
        return plan(archive.sources, (f"{suite_base(suite)}InRelease",), health, health.now())

    async def _soon_planned(self, archive: Archive, suite: str) -> Plan:
        """A plan with candidates; where there are none, what there is once the next trial is too far off."""
        loop, now = asyncio.get_running_loop(), self._ports.fetching.health.now
        end = loop.time() + WAIT_FOR_TRIAL_S
        while True:
            planned = self._plan(archive, suite)
            if planned.candidates or planned.again_at is None or planned.alone is not None:
                return planned
            pause_s = max(PAUSE_MIN_S, planned.again_at - now())
            if loop.time() + pause_s > end:
                return planned
            await asyncio.sleep(pause_s)

    def _is_enough(self, asking: Asking, heard: Sequence[Heard]) -> bool:
        """The newest that was accepted is not older than what was accepted before, and enough operators show it."""
        among = self._choices(asking, heard)
        if not among or (asking.mark is not None and among[0].date < asking.mark.date):
            return False
        return is_served(asking, among[0]) or len(among[0].operators) >= self._needed(asking.archive)

    def _is_prompt(self, source: Source) -> bool:
        breaker = self._ports.fetching.health.of(source.url).breaker
        return source.url not in self._late and breaker.state is State.CLOSED

    def _follow(self, asking: Asking, stragglers: "Mapping[asyncio.Task[Heard], Source]") -> None:
        for source in stragglers.values():
            if source.url not in self._late:
                self._late.add(source.url)
                self._ports.fetching.health.superseded(source.url, "others gave their Release before it")
        if len(self._following) >= FOLLOWING_MAX:
            for straggler in stragglers:
                straggler.cancel()
            return
        task = asyncio.get_running_loop().create_task(self._hear_late(asking, set(stragglers)))
        self._following.add(task)
        task.add_done_callback(self._following.discard)

    async def _hear_late(self, asking: Asking, pending: "set[asyncio.Task[Heard]]") -> None:
        try:
            while pending:
                done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    await self.settle(asking.archive, asking.suite, task.result())
        finally:
            for task in pending:
                task.cancel()
            await asyncio.gather(*pending, return_exceptions=True)

    # Which Release is taken

    def _choices(self, asking: Asking, heard: Sequence[Heard]) -> tuple[Choice, ...]:
        return choices(asking, heard, partial(self._operators, asking.archive, asking.suite))

    async def _decide(self, asking: Asking, heard: Sequence[Heard], hurried: asyncio.Event) -> Outcome:
        among, reasons = self._choices(asking, heard), list[Excluded]()
        for choice in among:
            if is_served(asking, choice):
                if not reasons and (asking.mark is None or asking.mark.date <= choice.date):
                    return await self._confirm(asking, choice)
                break
            held_back = self._held_back(asking, choice, among)
            if held_back:
                source = choice.statements[0].source
                excluded = Excluded(source, held_back)
                reasons.append(self._record.passed_over("held-back", asking.archive, asking.suite, excluded))
                continue
            outcome = await self._take(asking, choice, hurried)
            if isinstance(outcome, Adopted):
                return outcome
            reasons.append(outcome)
        return NotAdopted((*reasons, *passed_over(asking, heard)))

    def _held_back(self, asking: Asking, choice: Choice, among: Sequence[Choice]) -> str:
        waiting = Waiting(
            self._needed(asking.archive),
            self._settings.quorum_wait_s,
            partial(self.observer.waited_s, asking.archive, asking.suite, choice.payload),
        )
        return held_back(asking, choice, among, waiting)

    async def _take(self, asking: Asking, choice: Choice, hurried: asyncio.Event) -> Adopted | Excluded:
        archive, suite, statement = asking.archive, asking.suite, choice.statements[0]
        catalogue, mark = self._ports.catalogue, statement.accepted.mark
        await asyncio.to_thread(self._trust.marks.rise, archive.name, suite, mark)
        asked = catalogue.asked(archive.name, suite, int(asking.now - self._settings.learned_s))
        taking = Taking(archive, suite, statement, asked, asking.now, choice.operators)
        try:
            snapshot = await adopt(taking, self._ports, partial(self._turn, asking, statement.source, hurried))
        except IncompleteError as error:
            excluded = Excluded(statement.source, f"incomplete: {error}")
            return self._record.passed_over("incomplete", archive, suite, excluded)
        self.observer.adopted(archive, suite)
        self._record.forget(archive, suite, statement.source, "incomplete", "held-back")
        self._record.note(
            "adopted",
            archive,
            suite,
            source=statement.source,
            date=mark.date,
            payload=mark.digest.hex(),
            signers=",".join(mark.signers),
            confirmed_by=",".join(choice.operators),
        )
        await self._note_validators(suite, choice)
        return Adopted(snapshot)

    async def _turn(self, asking: Asking, source: str, hurried: asyncio.Event, count: int) -> None:
        """Before so many indices are fetched: a suite that is served can wait for its turn."""
        if asking.served is None:
            self.pace.charge([source], count)
        else:
            await self.pace.turn([source], hurried, count)

    async def _confirm(self, asking: Asking, choice: Choice) -> Confirmed:
        archive, suite = asking.archive, asking.suite
        assert asking.served is not None
        for statement in choice.statements[:1]:
            if statement.accepted.mark != asking.mark:  # the same Release, signed anew
                await asyncio.to_thread(self._trust.marks.rise, archive.name, suite, statement.accepted.mark)
        catalogue = self._ports.catalogue
        await asyncio.to_thread(catalogue.confirm, archive.name, suite, asking.now, choice.operators)
        await self._note_validators(suite, choice)
        return Confirmed(asking.served)

    async def _note_validators(self, suite: str, choice: Choice) -> None:
        """So that the next look asks for what changed since; what a full disk cannot take costs a few bytes then."""
        note = self._ports.catalogue.note_validator
        with contextlib.suppress(OSError):
            for statement in choice.statements:
                await asyncio.to_thread(note, statement.source, suite_base(suite), statement.validator)

    def _operators(self, archive: Archive, suite: str, payload: bytes) -> tuple[str, ...]:
        since = self._now() - SHOWN_INTERVALS * self._settings.refresh_interval_s
        return self.observer.of(archive, suite).operators(payload, since)

    def _needed(self, archive: Archive) -> int:
        return min(self._settings.quorum, len({source.operator for source in archive.sources}))

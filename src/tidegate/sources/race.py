"""Who is asked for the bytes that are missing, and who goes on.

One source is asked. Where it is late (`pace`), the next is asked beside it, from the byte that is missing then; both
go on until one brings that byte. Whoever was asked before it has lost: it is stopped, and named. A rival that turns
out to be needless is stopped without a word, and may be asked again.

`alone`: each source has to give the whole by itself, one after the other; that is how a liar is found.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial

from tidegate.sources.attempt import Attempt
from tidegate.sources.client import Getter
from tidegate.sources.failure import Failure, FetchError
from tidegate.sources.health import Health
from tidegate.sources.pace import Pace
from tidegate.sources.selection import Candidate
from tidegate.sources.settings import FetchSettings

ATTEMPTS_MAX = 4
RESUMED_BYTES = 65_536
"""A late source that has brought so much since a rival was asked does not need that one."""


@dataclass(frozen=True, slots=True)
class Sending:
    """How sources are asked: by whom, within which limits, and where it is remembered how they did."""

    getter: Getter
    limits: FetchSettings
    health: Health


@dataclass(frozen=True, slots=True)
class Goal:
    """What a race is run for."""

    size: int
    have: Callable[[], int]
    """How many bytes from the start are there."""
    take: Callable[[memoryview, Candidate], None]
    """The next bytes, and who brought them. Raises OSError."""
    anew: Callable[[], Awaitable[None]]
    """Throw away what is there."""
    failed: Callable[[Candidate, FetchError], None]
    """A source did not do what it was asked for."""


@dataclass(slots=True, eq=False)
class Race:
    """One round over the candidates in `queue`, best first. `run`, and run again while somebody is left to ask."""

    queue: list[Candidate]
    goal: Goal
    sending: Sending
    alone: bool = False
    absent: set[tuple[str, str]] = field(default_factory=set)
    """Sources and the paths that they do not have."""
    _asked: int = 0
    _attempts: list[Attempt] = field(default_factory=list)
    _news: "asyncio.Future[None] | None" = None
    _pace: Pace = field(init=False)

    async def run(self) -> bool:
        """Until everything is there (true), or nobody is left to ask."""
        self._pace = Pace(self.sending.limits)
        try:
            while self.queue or self._attempts:
                if not self._attempts:
                    await self._ask(self.queue.pop(0))
                late = await self._wait()
                for attempt in [each for each in self._attempts if each.is_done]:
                    self._attempts.remove(attempt)
                    self._ended(attempt)
                # A full draft whose attempt has not ended waits for the end of the answer, but not for ever.
                if self.goal.have() == self.goal.size and (late is not None or not self._attempts):
                    return True
                if late is not None:
                    await self._help(late)
        finally:
            for attempt in self._attempts:
                attempt.stop()
            self._attempts.clear()
        return False

    def leave_out(self, source: str) -> None:
        """Do not ask this one any more."""
        self.queue[:] = [each for each in self.queue if each.source.url != source]

    async def _ask(self, candidate: Candidate) -> None:
        if self.alone and self.goal.have():
            await self.goal.anew()
        loop = asyncio.get_running_loop()
        self._asked += 1
        offset = self.goal.have()
        attempt = Attempt(
            number=self._asked,
            candidate=candidate,
            offset=offset,
            size=self.goal.size,
            asked_at=loop.time(),
            take=self._take,
            answered=self._answered,
            now=self.sending.health.now,
            position=offset,
        )
        self._attempts.append(attempt)
        self._pace.asked(loop.time(), candidate.hedge_after_s)
        attempt.task = loop.create_task(self._attempt(attempt))
        attempt.task.add_done_callback(self._tell)

    async def _attempt(self, attempt: Attempt) -> FetchError | None:
        source = attempt.candidate.source
        try:
            target = source.target(attempt.candidate.path)
            begun = partial(self._turn_came, attempt)
            await self.sending.getter.get(source.endpoint, target, attempt.headers, attempt, begun)
            attempt.finished()
        except FetchError as error:
            return error
        except OSError as error:
            return FetchError(Failure.DISK, str(error))
        return None

    async def _wait(self) -> str | None:
        """Until an attempt ends, or it is time to look after them. Why they are late, if they are."""
        if any(each.is_done for each in self._attempts):
            return None
        loop = asyncio.get_running_loop()
        self._news = loop.create_future()
        timer = loop.call_later(self._pace.look_in_s(loop.time()), self._tell)
        try:
            await self._news
        finally:
            timer.cancel()
            self._news = None
        return self._pace.late(loop.time())

    def _tell(self, _: object = None) -> None:
        if self._news is not None and not self._news.done():
            self._news.set_result(None)

    async def _help(self, late: str) -> None:
        """Ask another source beside those that are late; where each must give the whole alone, instead of it."""
        asked = {each.url for each in self._attempts}
        other = next((each for each in self.queue if each.source.url not in asked), None)
        if other is None or len(self._attempts) >= ATTEMPTS_MAX:
            return
        if self.alone:
            for attempt in list(self._attempts):
                self._lost(attempt, FetchError(Failure.SLOW, late))
        self.queue.remove(other)
        await self._ask(other)

    def _ended(self, attempt: Attempt) -> None:
        """An attempt came to its end, good or bad."""
        assert attempt.task is not None
        error = attempt.task.result()
        self._pace.stopped()
        if error is None:
            now = asyncio.get_running_loop().time()
            if not attempt.size:
                self.goal.take(memoryview(b""), attempt.candidate)  # nothing is what was asked for, and it came
            if attempt.given or not attempt.size:
                seconds = now - (attempt.answered_at or now)
                self.sending.health.delivered(attempt.url, size=attempt.given, seconds=seconds)
            return
        self.goal.failed(attempt.candidate, error)
        if error.is_absence:
            self.absent.add((attempt.url, attempt.candidate.path))
        else:
            self.leave_out(attempt.url)

    def _lost(self, attempt: Attempt, error: FetchError | None) -> None:
        attempt.stop()
        self._attempts.remove(attempt)
        if error is not None:
            self.goal.failed(attempt.candidate, error)

    def _overtaken(self, attempt: Attempt, by: Attempt, now: float) -> None:
        """It lost: in silence, at a standstill or below the minimum rate that is a failure; else it was just slower."""
        limits = self.sending.limits
        rate = attempt.given / max(now - attempt.asked_at, 0.001)
        if not attempt.begun:
            self._lost(attempt, None)
        elif not attempt.given:
            waited = now - attempt.asked_at
            told = f"no byte within {waited:.1f} s; {by.url} answered meanwhile"
            self._lost(attempt, FetchError(Failure.SILENT, told))
        elif (silent := now - attempt.fresh_at) >= limits.stall_hedge_s:
            self._lost(attempt, FetchError(Failure.STALLED, f"no byte for {silent:.1f} s; {by.url} went on"))
        elif rate < limits.rate_min_bytes_s:
            self._lost(attempt, FetchError(Failure.SLOW, f"{rate:,.0f} B/s; {by.url} went on"))
        else:
            self._lost(attempt, None)
            self.queue.append(attempt.candidate)
            self.sending.health.superseded(attempt.url, f"{rate:,.0f} B/s; {by.url} was faster")

    # What attempts tell

    def _turn_came(self, attempt: Attempt) -> None:
        if not attempt.begun:
            attempt.begun, attempt.asked_at = True, asyncio.get_running_loop().time()
            self.sending.health.asked(attempt.url)

    def _answered(self, attempt: Attempt) -> None:
        attempt.answered_at = asyncio.get_running_loop().time()
        self.sending.health.answered(attempt.url, attempt.answered_at - attempt.asked_at)

    def _take(self, attempt: Attempt, data: memoryview) -> None:
        """Bytes came that end at the attempt's position; what is new of them counts."""
        new = attempt.position - self.goal.have()
        if new <= 0:
            return
        data = data[-new:]
        self.goal.take(data, attempt.candidate)
        now = asyncio.get_running_loop().time()
        attempt.given += len(data)
        attempt.fresh_at = now
        self._pace.progressed(now, len(data))
        if len(self._attempts) > 1:
            self._compare(attempt, now)

    def _compare(self, ahead: Attempt, now: float) -> None:
        """One of several brought new bytes: those asked before it have lost; those asked after it may be needless."""
        for other in [each for each in self._attempts if each is not ahead]:
            if other.number < ahead.number:
                self._overtaken(other, ahead, now)
            elif not other.given and self._pace.window_bytes >= RESUMED_BYTES:
                self._lost(other, None)
                self.queue.insert(0, other.candidate)

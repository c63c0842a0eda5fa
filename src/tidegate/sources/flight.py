"""A flight: one fetch of one object, shared by everybody who wants it.

    FETCHING  bytes come in; watchers may send on what `available` allows: all but the last piece
    VERIFIED  length and digest are right; everything may be sent on
    HELD      the blob is durable as well
    FAILED    no source could give it; `failures` says why, source by source

Failover happens inside, in a race (`race`) over the sources that may be asked. Where the whole turns out wrong though
its pieces came from several, the draft is begun anew (`draft` is another object then) and each further source must
give it whole, alone, so that the one that lies is found.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import NamedTuple

from tidegate.sources.alone import Alone
from tidegate.sources.attempt import wrong
from tidegate.sources.failure import Excluded, Failure, FetchError
from tidegate.sources.hashing import Hashing
from tidegate.sources.race import Goal, Race, Sending
from tidegate.sources.selection import Candidate, Plan
from tidegate.store.blobs import Draft, Verified, WrongBytesError, verify

ROUNDS_MAX = 3
PATIENCE_S = 2.0
"""A source that may be asked again within this time is waited for when no other is left."""
AGAIN_S = 0.01
WAKE_BYTES = 1 << 20
WAKE_S = 0.01
"""Followers hear of progress when so much more is there, or after so long."""


class Stage(Enum):
    """How far a flight is."""

    FETCHING = auto()
    VERIFIED = auto()
    HELD = auto()
    FAILED = auto()


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is fetched: bytes of a known digest and size."""

    digest: bytes
    size: int


@dataclass(frozen=True, slots=True)
class Spool:
    """Where drafts come from and go to."""

    begin: Callable[[int], Draft]
    """A draft with room for so many bytes. Raises OSError."""
    rescue: Callable[[Draft, int], Draft]
    """The same bytes in a draft that can still grow, after a write failed. Raises OSError."""
    discard: Callable[[Draft], None]
    keep: Callable[[Verified], "Awaitable[None]"]


class Left(NamedTuple):
    """A source that others had to go on for: from which byte, and why."""

    source: str
    at_byte: int
    reason: str


@dataclass(slots=True, eq=False)
class Flight:
    """See the module. Runs as one task; `watch` is for whoever follows it on the same loop."""

    wanted: Wanted
    plan: Callable[[Collection[str]], Plan]
    """Whom to ask now, but for these."""
    sending: Sending
    spool: Spool
    stage: Stage = Stage.FETCHING
    draft: Draft = field(init=False, repr=False)
    source: str = ""
    """The source that brought the last byte so far."""
    failures: list[Excluded] = field(default_factory=list)
    violations: list[Excluded] = field(default_factory=list)
    left: list[Left] = field(default_factory=list)
    """Sources that failed to give what they were asked for, though they should have it."""
    fetched_bytes: int = 0
    alone: Alone | None = None
    """It was not worth waiting for anybody."""
    settled: "asyncio.Future[None]" = field(default_factory=lambda: asyncio.get_running_loop().create_future())
    """Done as soon as it is verified or has failed; being held comes later."""
    task: "asyncio.Task[None] | None" = None
    _begun: bool = False
    _alone: bool = False
    _contributors: dict[str, Candidate] = field(default_factory=dict)
    _absent: set[tuple[str, str]] = field(default_factory=set)
    _hashing: Hashing = field(init=False, repr=False)
    _given_up: set[str] = field(default_factory=set)
    """Sources that failed this flight for good."""
    _verified: Verified | None = None
    _watchers: list[Callable[[], None]] = field(default_factory=list)
    _told_size: int = 0
    """How much there was when the watchers were last told."""
    _waking: asyncio.TimerHandle | None = None

    @property
    def available(self) -> int:
        """How many bytes from the start may be sent on: the last one waits for the digest."""
        if self.complete:
            return self.wanted.size
        if not self._begun or self.stage is not Stage.FETCHING:
            return 0
        return max(0, min(self.draft.size, self.wanted.size - 1))

    @property
    def complete(self) -> bool:
        """Everything is there and verified."""
        return self.stage in (Stage.VERIFIED, Stage.HELD)

    @property
    def failed(self) -> bool:
        """Nothing more will come."""
        return self.stage is Stage.FAILED

    @property
    def failure(self) -> str:
        """Why nothing came, in a sentence."""
        told = [f"{one.source}: {one.reason}" for one in self.failures[-3:]]
        if self.alone is not None:
            told.insert(0, self.alone.said)
        return "; ".join(told) or "no source is configured"

    def watch(self, wake: Callable[[], None]) -> None:
        """Be called once, at the next progress or change of stage."""
        self._watchers.append(wake)

    async def run(self) -> None:
        """Fetch, verify, keep. Raises nothing but CancelledError; the outcome is the stage."""
        try:
            self._begin()
        except OSError as error:
            self._fail("disk", str(error))
            return
        try:
            if await self._fetch():
                await self._hold()
            else:
                self._fail()
        except asyncio.CancelledError:
            await self._hashing.settle()
            self.abandon()
            raise
        except Exception as error:
            # A defect of ours must not strand those who wait; it ends their wait, and the loop tells of it.
            self._fail("tidegate", f"{type(error).__name__}: {error}")
            raise

    def abandon(self) -> None:
        """Nothing more will come. What is verified already is on its way to the disk, and is kept."""
        if not self.complete and not self.failed:
            self._fail("tidegate", "was cancelled")

    # Rounds

    async def _fetch(self) -> bool:
        """Race after race, as long as somebody may be asked who did not fail for good."""
        goal = Goal(self.wanted.size, lambda: self.draft.size, self._take, self._begin_anew, self._failed)
        for _ in range(ROUNDS_MAX):
            candidates = await self._candidates()
            race = Race(list(candidates), goal, self.sending, self._alone, self._absent)
            while await race.run():
                if await self._verify(race):
                    return True
            if not candidates:
                return False
        return False

    async def _candidates(self) -> list[Candidate]:
        """Whom to ask, as soon as anybody may be asked; nobody where that is too far away."""
        now = self.sending.health.now
        until = now() + PATIENCE_S
        without = set(self._given_up)
        while True:
            planned = self.plan(without)
            askable = [each for each in planned.candidates if (each.source.url, each.path) not in self._absent]
            if askable:
                return askable
            if planned.candidates:  # those lack it, all of them: then even who is asked last may be asked
                without |= {each.source.url for each in planned.candidates}
                continue
            if planned.again_at is None or planned.again_at > until or planned.alone is not None:
                told, self.alone = {each.source for each in self.failures}, planned.alone
                self.failures[:0] = [each for each in planned.excluded if each.source not in told]
                return []
            await asyncio.sleep(max(AGAIN_S, planned.again_at - now()))

    async def _verify(self, race: Race) -> bool:
        digest = await self._hashing.digest()
        try:
            self._verified = verify(self.draft, digest=self.wanted.digest, size=self.wanted.size, computed=digest)
        except WrongBytesError as error:
            await self._wrong(error, race)
            return False
        for url in self._contributors:
            self.sending.health.vouched(url)
        self.stage = Stage.VERIFIED
        self._settle()
        self._wake()
        return True

    async def _wrong(self, error: WrongBytesError, race: Race) -> None:
        """The whole is not what was listed. One source's lie is named; of several, each gives it whole from now on."""
        contributors = list(self._contributors.values())
        await self._begin_anew()
        if len(contributors) == 1:
            liar = contributors[0]
            self._failed(liar, FetchError(wrong(liar), str(error)))
            race.leave_out(liar.source.url)
            return
        self._alone = race.alone = True
        urls = {each.source.url for each in race.queue}
        race.queue[:0] = [each for each in contributors if each.source.url not in urls]
        names = " and ".join(each.source.url for each in contributors)
        self.failures.append(Excluded(names, f"their pieces do not fit together: {error}"))

    # What the race tells

    def _take(self, data: memoryview, candidate: Candidate) -> None:
        """The next bytes. A disk that is full sends the flight on in memory."""
        before = self.draft.size
        try:
            self.draft.write(data)
        except OSError:
            self.draft.size = before  # what was written of it is not hashed: as if it had not come
            rescued = self.spool.rescue(self.draft, self.wanted.size)
            rescued.write(data)
            self.spool.discard(self.draft)
            self.draft, self._hashing = rescued, Hashing(rescued, self.wanted.size)
        else:
            self._hashing.saw(data)
        self.source = candidate.source.url
        self._contributors[self.source] = candidate
        self.fetched_bytes += len(data)
        if self._watchers:
            self._wake_soon()

    def _wake_soon(self) -> None:
        """Not for each piece: a hundred followers that each send on a few kilobytes keep the loop from fetching."""
        fresh = self.draft.size - self._told_size
        if fresh >= WAKE_BYTES or not self._told_size:
            self._wake()
        elif self._waking is None:
            self._waking = asyncio.get_running_loop().call_later(WAKE_S, self._wake)

    def _failed(self, candidate: Candidate, error: FetchError) -> None:
        excluded = Excluded(candidate.source.url, str(error))
        self.failures.append(excluded)
        if not error.is_absence and error.failure is not Failure.DISK:
            self.left.append(Left(excluded.source, self.draft.size, excluded.reason))
        if not (error.is_passing or error.is_absence):
            self._given_up.add(excluded.source)
        if error.is_violation:
            self.violations.append(excluded)
        if error.failure is not Failure.DISK:
            self.sending.health.failed(candidate.source.url, error)

    # Stages

    async def _hold(self) -> None:
        assert self._verified is not None
        if self.draft.path is not None:
            try:
                await self.spool.keep(self._verified)
            except OSError as error:
                self.failures.append(Excluded("disk", str(error)))
                self.spool.discard(self.draft)  # whoever follows reads on; its name would take room for nothing
            else:
                self.stage = Stage.HELD
        else:
            self.failures.append(Excluded("disk", "is full: verified, and held in memory while it is asked for"))
        self._wake()

    def _begin(self) -> None:
        self.draft = self.spool.begin(self.wanted.size)
        self._hashing = Hashing(self.draft, self.wanted.size)
        self._contributors = {}
        self._begun = True

    async def _begin_anew(self) -> None:
        """Throw the bytes away; they stay readable for followers that compare what they have sent."""
        await self._hashing.settle()
        self.spool.discard(self.draft)
        self._begin()

    def _fail(self, source: str = "", reason: str = "") -> None:
        if source:
            self.failures.append(Excluded(source, reason))
        self.stage = Stage.FAILED
        self._settle()
        self._wake()
        if self._begun:
            self.spool.discard(self.draft)

    def _settle(self) -> None:
        if not self.settled.done():
            self.settled.set_result(None)

    def _wake(self) -> None:
        if self._waking is not None:
            self._waking.cancel()
            self._waking = None
        self._told_size = self.draft.size if self._begun else 0
        watchers, self._watchers = self._watchers, []
        for wake in watchers:
            wake()

"""A flight: one fetch of one object, shared by everybody who wants it.

    FETCHING  bytes come in; watchers may send on what `available` allows: all but the last piece
    VERIFIED  length and digest are right; everything may be sent on
    HELD      the blob is durable as well
    FAILED    no source could give it; `failures` says why, source by source

Failover happens inside: a source that fails in mid-body is followed by the next at the same byte. Where the whole
turns out wrong, the draft is begun anew (`draft` is another object then) and each further source must give it whole.
"""

import asyncio
import contextlib
import hashlib
import os
import re
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from enum import Enum, auto

from tidegate.sources.client import Client
from tidegate.sources.connection import Head
from tidegate.sources.failure import Excluded, Failure, FetchError
from tidegate.sources.health import Health
from tidegate.sources.selection import Candidate, Plan
from tidegate.store.blobs import Draft, Verified, WrongBytesError, verify

HASH_IN_THREAD_FROM_BYTES = 4 << 20
HASH_STEP_BYTES = 2 << 20
ROUNDS_MAX = 3
ROUND_PAUSE_S = 0.3
_CONTENT_RANGE = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18})\Z").match


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


class _Hashing:
    """The digest of a growing draft: as bytes come for small ones, in a thread behind the writer for large ones."""

    def __init__(self, draft: Draft, size: int) -> None:
        self._draft = draft
        self._hash = hashlib.sha256()
        self._threaded = size >= HASH_IN_THREAD_FROM_BYTES or draft.size > 0
        self._hashed = 0
        self._task: asyncio.Future[None] | None = None

    def saw(self, data: memoryview) -> None:
        if not self._threaded:
            self._hash.update(data)
        elif self._draft.size - self._hashed >= HASH_STEP_BYTES and (self._task is None or self._task.done()):
            loop = asyncio.get_running_loop()
            self._task = loop.run_in_executor(None, self._catch_up, self._draft.size)

    def _catch_up(self, upto: int) -> None:
        buffer = bytearray(HASH_STEP_BYTES)
        view = memoryview(buffer)
        while self._hashed < upto:
            count = os.preadv(self._draft.fd, [view[: upto - self._hashed]], self._hashed)
            if count == 0:
                return
            self._hash.update(view[:count])
            self._hashed += count

    async def settle(self) -> None:
        """Wait for the thread, however it ended: afterwards nobody reads the draft."""
        if self._task is not None:
            with contextlib.suppress(OSError):
                await asyncio.shield(self._task)

    async def digest(self) -> bytes:
        """Of everything that was written."""
        if self._threaded:
            await self.settle()
            await asyncio.get_running_loop().run_in_executor(None, self._catch_up, self._draft.size)
        return self._hash.digest()


@dataclass(slots=True, eq=False)
class Flight:
    """See the module. Runs as one task; `watch` is for whoever follows it on the same loop."""

    wanted: Wanted
    plan: Plan
    client: Client
    spool: Spool
    health: Health
    stage: Stage = Stage.FETCHING
    draft: Draft = field(init=False, repr=False)
    source: str = ""
    """The source asked last: where the object's last byte came from, once it is verified."""
    failures: list[Excluded] = field(default_factory=list)
    violations: list[Excluded] = field(default_factory=list)
    fetched_bytes: int = 0
    settled: "asyncio.Future[None]" = field(default_factory=lambda: asyncio.get_running_loop().create_future())
    """Done as soon as it is verified or has failed; being held comes later."""
    _contributors: set[str] = field(default_factory=set)
    _whole_only: bool = False
    _begun: bool = False
    _hashing: _Hashing = field(init=False, repr=False)
    _verified: Verified | None = None
    _watchers: list[Callable[[], None]] = field(default_factory=list)
    task: "asyncio.Task[None] | None" = None

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

    async def _fetch(self) -> bool:
        """Candidate by candidate; those that failed in passing get another round."""
        candidates = self.plan.candidates
        for round_ in range(ROUNDS_MAX):
            if round_:
                await asyncio.sleep(ROUND_PAUSE_S * round_)
            again: list[Candidate] = []
            left: set[str] = set()
            for candidate in candidates:
                if candidate.source.url in left:
                    continue
                error = await self._try(candidate)
                if error is None:
                    return True
                if error.is_passing:
                    again.append(candidate)
                if not error.is_absence:
                    left.add(candidate.source.url)
            candidates = self.plan.candidates if self._whole_only and round_ == 0 else tuple(again)
            if not candidates:
                break
        return False

    async def _try(self, candidate: Candidate) -> FetchError | None:
        """One source, from where we are. None when the whole is there and right."""
        self.source = candidate.source.url
        try:
            if self._whole_only and self.draft.size:
                await self._begin_anew()
            offset = self.draft.size
            attempt = _Attempt(self, candidate, offset)
            headers = {"Range": f"bytes={offset}-"} if offset else {}
            await self.client.get(candidate.source.endpoint, candidate.source.target(candidate.path), headers, attempt)
            attempt.finished()
            await self._verify(candidate)
        except FetchError as error:
            self._failed(candidate, error)
            return error
        except OSError as error:
            failed = FetchError(Failure.DISK, str(error))
            self._failed(candidate, failed)
            return failed
        self.health.succeeded(candidate.source.url, self.wanted.size, int(time.time()))
        return None

    async def _verify(self, candidate: Candidate) -> None:
        digest = await self._hashing.digest()
        try:
            self._verified = verify(self.draft, digest=self.wanted.digest, size=self.wanted.size, computed=digest)
        except WrongBytesError as error:
            spliced = len(self._contributors) > 1
            await self._begin_anew()
            if spliced:  # somebody lied, and we do not know who: each gives it whole from now on
                self._whole_only = True
                raise FetchError(Failure.CUT, f"the pieces do not fit together: {error}") from None
            raise FetchError(wrong(candidate), str(error)) from None
        self.stage = Stage.VERIFIED
        self._settle()
        self._wake()

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
        self._hashing = _Hashing(self.draft, self.wanted.size)
        self._contributors = set()
        self._begun = True

    async def _begin_anew(self) -> None:
        """Throw the bytes away; they stay readable for followers that compare what they have sent."""
        await self._hashing.settle()
        self.spool.discard(self.draft)
        self._begin()

    def _failed(self, candidate: Candidate, error: FetchError) -> None:
        excluded = Excluded(candidate.source.url, str(error))
        self.failures.append(excluded)
        if error.is_violation:
            self.violations.append(excluded)
        if error.failure is not Failure.DISK:
            self.health.failed(candidate.source.url, error, at=int(time.time()), monotonic=time.monotonic())

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
        watchers, self._watchers = self._watchers, []
        for wake in watchers:
            wake()

    def take(self, data: memoryview, source: str) -> None:
        """Bytes came, right behind what we have. A disk that is full sends the flight on in memory."""
        before = self.draft.size
        try:
            self.draft.write(data)
        except OSError:
            self.draft.size = before  # what was written of it is not hashed: as if it had not come
            rescued = self.spool.rescue(self.draft, self.wanted.size)
            rescued.write(data)
            self.spool.discard(self.draft)
            self.draft, self._hashing = rescued, _Hashing(rescued, self.wanted.size)
        else:
            self._hashing.saw(data)
        self._contributors.add(source)
        self.fetched_bytes += len(data)
        if self._watchers:
            self._wake()


def wrong(candidate: Candidate) -> Failure:
    """What it is called when a source has other bytes than are listed."""
    return Failure.WRONG_BYTES if candidate.lasting else Failure.OTHER_VERSION


class _Attempt:
    """The sink of one request: checks the head, skips what we have, never takes more than is listed."""

    def __init__(self, flight: Flight, candidate: Candidate, offset: int) -> None:
        self._flight = flight
        self._candidate = candidate
        self._offset = offset
        self._skip = 0

    def head(self, head: Head) -> None:
        size = self._flight.wanted.size
        if head.status == 206 and self._offset:
            found = _CONTENT_RANGE(head.headers.get("content-range", ""))
            if found is None or (int(found[1]), int(found[3])) != (self._offset, size):
                raise FetchError(
                    Failure.MALFORMED, f"another range than asked for: {head.headers.get('content-range')}"
                )
            expected = size - self._offset
        elif head.status == 200:
            self._skip, expected = self._offset, size
        else:
            raise FetchError(Failure.STATUS, f"answered {head.status}", head.status)
        if head.length is not None and head.length != expected:
            raise FetchError(wrong(self._candidate), f"has {head.length:,} bytes, {expected:,} are listed")

    def data(self, data: memoryview) -> None:
        if self._skip:
            skipped = min(self._skip, len(data))
            self._skip -= skipped
            data = data[skipped:]
            if not data:
                return
        if self._flight.draft.size + len(data) > self._flight.wanted.size:
            raise FetchError(wrong(self._candidate), f"more than the {self._flight.wanted.size:,} bytes listed")
        self._flight.take(data, self._candidate.source.url)

    def finished(self) -> None:
        """The answer ended; is it all there?"""
        if self._flight.draft.size < self._flight.wanted.size:
            missing = self._flight.wanted.size - self._flight.draft.size
            raise FetchError(Failure.CUT, f"ended {missing:,} bytes short")

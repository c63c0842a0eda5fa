"""An unlisted file that passes through: fetched for one client, never verified, never kept."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from tidegate.sources.attempt import refusal
from tidegate.sources.connection import Head
from tidegate.sources.failure import Excluded, Failure, FetchError
from tidegate.sources.race import Sending
from tidegate.sources.selection import Candidate, Plan
from tidegate.store.blobs import Draft


@dataclass(slots=True, eq=False)
class Passing:
    """Follow it as a flight, once `size` is known. `absent`: every source said that it does not have it."""

    plan: Plan
    sending: Sending
    draft: Draft
    size_max: int
    size: int | None = None
    complete: bool = False
    failed: bool = False
    absent: bool = False
    failures: list[Excluded] = field(default_factory=list)
    _watchers: list[Callable[[], None]] = field(default_factory=list)
    _source: str = ""
    _began: float = 0.0
    """When this source was asked, and then when it answered (loop's time)."""

    @property
    def available(self) -> int:
        """Bytes that are there."""
        return self.draft.size

    @property
    def failure(self) -> str:
        """Why nothing came, in a sentence."""
        told = [f"{one.source}: {one.reason}" for one in (*self.plan.excluded, *self.failures)[-3:]]
        if self.plan.alone is not None:
            told.insert(0, self.plan.alone.said)
        return "; ".join(told) or "no source is configured"

    def watch(self, wake: Callable[[], None]) -> None:
        """Be called once, at the next change."""
        self._watchers.append(wake)

    async def run(self) -> None:
        """Ask source by source until one gives it. Raises nothing but CancelledError."""
        absences = 0
        try:
            for candidate in self.plan.candidates:
                try:
                    await self._try(candidate)
                    return
                except FetchError as error:
                    absences += error.is_absence
                    self._failed(candidate, error)
                    if self.draft.size:  # already on its way to the client: another source may have other bytes
                        break
                except OSError as error:
                    self.failures.append(Excluded("disk", str(error)))
                    break
            self.absent = absences == len(self.plan.candidates) > 0
        finally:
            self.failed = not self.complete
            self._wake()

    async def _try(self, candidate: Candidate) -> None:
        source, loop = candidate.source, asyncio.get_running_loop()
        self.sending.health.asked(source.url)
        self._source, self._began = source.url, loop.time()
        await self.sending.getter.get(source.endpoint, source.target(candidate.path), {}, self)
        if self.size is not None and self.draft.size != self.size:
            raise FetchError(Failure.CUT, f"ended {self.size - self.draft.size:,} bytes short")
        self.size, self.complete = self.draft.size, True
        self.sending.health.delivered(source.url, size=self.draft.size, seconds=loop.time() - self._began)

    def _failed(self, candidate: Candidate, error: FetchError) -> None:
        self.failures.append(Excluded(candidate.source.url, str(error)))
        self.sending.health.failed(candidate.source.url, error)

    def _wake(self) -> None:
        watchers, self._watchers = self._watchers, []
        for wake in watchers:
            wake()

    async def changed(self) -> None:
        """Wait for the next change."""
        change: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.watch(lambda: None if change.done() else change.set_result(None))
        await change

    # The sink's side

    def head(self, head: Head) -> None:
        asked, self._began = self._began, asyncio.get_running_loop().time()
        self.sending.health.answered(self._source, self._began - asked)
        if head.status != 200:
            raise refusal(head, self.sending.health.now())
        if head.length is not None and head.length > self.size_max:
            raise FetchError(Failure.OVERSIZED, f"{head.length:,} bytes, at most {self.size_max:,} pass through")
        self.size = head.length
        self._wake()

    def data(self, data: memoryview) -> None:
        if self.draft.size + len(data) > self.size_max:
            raise FetchError(Failure.OVERSIZED, f"more than {self.size_max:,} bytes")
        self.draft.write(data)
        self._wake()

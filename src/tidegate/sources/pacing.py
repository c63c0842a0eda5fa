"""How fast work that no client waits for may come: a token bucket for each source, growing pauses, and slots.

Pure but `Pace` and `Slots`.

After an outage every suite wants its look at once. Whoever recovers first must not be buried by that: background
requests take tokens, and what finds none waits its turn, in order. A look that a client waits for takes its token
too, and does not wait.
"""

import asyncio
import contextlib
import heapq
import itertools
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass

BURST_SHARE = 0.25
"""Of a minute's requests: what may come at once after a quiet time."""
SOURCES_MAX = 4096


@dataclass(frozen=True, slots=True)
class Bucket:
    """The tokens of a source at a time (seconds of any steady clock). Below zero: promised to those who wait."""

    tokens: float
    at: float


def take(bucket: Bucket | None, now: float, count: int, *, per_minute: float) -> tuple[Bucket, float]:
    """Take `count` tokens; with the bucket after it, the seconds until they are there (0: at once).

    None is a source that was never asked. Whoever comes later waits longer, so nobody is overtaken.
    """
    burst, rate_s = max(1.0, per_minute * BURST_SHARE), per_minute / 60
    before = burst if bucket is None else min(burst, bucket.tokens + max(0.0, now - bucket.at) * rate_s)
    after = before - count
    return Bucket(after, now), max(0.0, -after / rate_s)


def retry_pause_s(failures: int, *, first_s: float, cap_s: float, jitter: float, chance: float) -> float:
    """The pause after so many looks in a row that brought nothing: doubling from `first_s` to `cap_s`.

    `chance` (0 to 1) places it within `jitter`, a share of it to either side.
    """
    doubled = first_s * 2.0 ** min(max(0, failures - 1), 32)
    return jittered_s(min(doubled, cap_s), jitter, chance)


def jittered_s(pause_s: float, jitter: float, chance: float) -> float:
    """A pause moved by at most that share of it to either side; `chance` is 0 to 1."""
    return pause_s * (1 + jitter * (2 * chance - 1))


class Pace:
    """The buckets of all sources. Belongs to one event loop."""

    def __init__(self, per_minute: float, clock: Callable[[], float]) -> None:
        self.per_minute = per_minute
        self._clock = clock
        self._buckets: dict[str, Bucket] = {}

    async def turn(self, sources: Iterable[str], hurried: asyncio.Event, count: int = 1) -> bool:
        """Wait until each of these sources may be asked so often, or somebody is in a hurry; whether it took time."""
        wait_s = self.charge(sources, count)
        if wait_s <= 0 or hurried.is_set():
            return False
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(wait_s):
                await hurried.wait()
        return True

    def charge(self, sources: Iterable[str], count: int = 1) -> float:
        """Take the tokens all the same; how long one would have waited for them."""
        wait_s = 0.0
        if len(self._buckets) >= SOURCES_MAX:
            self._buckets.clear()
        for source in sources:
            bucket, pause_s = take(self._buckets.get(source), self._clock(), count, per_minute=self.per_minute)
            self._buckets[source] = bucket
            wait_s = max(wait_s, pause_s)
        return wait_s


Rank = tuple[int, ...]
"""The lowest comes first."""


class Slots:
    """So many at a time, and of those that wait the most urgent next. Belongs to one event loop."""

    def __init__(self, count: int) -> None:
        self.count = count
        self._busy = 0
        self._order = itertools.count()
        self._waiting: list[tuple[Rank, int, asyncio.Future[None]]] = []

    @contextlib.asynccontextmanager
    async def of(self, rank: Rank) -> AsyncIterator[None]:
        """Have one of them, when it is one's turn."""
        await self._take(rank)
        try:
            yield
        finally:
            self._busy -= 1
            self._let_in()

    async def _take(self, rank: Rank) -> None:
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, (rank, next(self._order), turn))
        self._let_in()
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():  # let in, and gone before it knew
                self._busy -= 1
                self._let_in()
            raise

    def _let_in(self) -> None:
        while self._waiting and self._busy < self.count:
            turn = heapq.heappop(self._waiting)[2]
            if not turn.done():
                turn.set_result(None)
                self._busy += 1

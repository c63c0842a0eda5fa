"""Races: who is asked beside whom, who goes on, who is named; sources that do what the test says."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from tests.sources.sinks import settings
from tidegate.sources.archive import Endpoint, Reach, source_of
from tidegate.sources.connection import Head, Sink
from tidegate.sources.failure import Failure, FetchError
from tidegate.sources.health import Health
from tidegate.sources.race import RESUMED_BYTES, Goal, Race, Sending
from tidegate.sources.selection import Candidate

SIZE = 4 * RESUMED_BYTES
SOON_S, NEVER_S = 0.03, 60.0
Play = Callable[[Sink, int], Awaitable[None]]


@dataclass(slots=True)
class Scripted:
    """A getter whose hosts play what they are told to, request by request, from the byte that is asked for."""

    plays: dict[str, list[Play]]
    asked: list[tuple[str, int]] = field(default_factory=list)

    async def get(
        self,
        endpoint: Endpoint,
        target: str,
        headers: dict[str, str],
        sink: Sink,
        begun: Callable[[], None] | None = None,
    ) -> None:
        offset = int(headers.get("Range", "bytes=0-").removeprefix("bytes=").removesuffix("-"))
        self.asked.append((endpoint.host, offset))
        if begun is not None:
            begun()
        await self.plays[endpoint.host].pop(0)(sink, offset)


@dataclass(slots=True)
class Run:
    """A race's board."""

    have: int = 0
    brought: list[str] = field(default_factory=list)
    failed: list[tuple[str, Failure]] = field(default_factory=list)

    def take(self, data: memoryview, candidate: Candidate) -> None:
        self.have += len(data)
        self.brought.append(candidate.source.endpoint.host)

    async def anew(self) -> None:
        self.have = 0

    def lost(self, candidate: Candidate, error: FetchError) -> None:
        self.failed.append((candidate.source.endpoint.host, error.failure))

    def race(self, getter: Scripted, *hosts: str, patience_s: float = SOON_S, alone: bool = False) -> Race:
        sources = [source_of(f"http://{host}", reach=Reach.ANY, operator=host, kind="mirror") for host in hosts]
        queue = [Candidate(source, "pool/a", True, patience_s) for source in sources]
        goal = Goal(SIZE, lambda: self.have, self.take, self.anew, self.lost)
        limits = settings(stall_hedge_s=SOON_S)
        return Race(queue, goal, Sending(getter, limits, Health()), alone)


def head(sink: Sink, offset: int) -> None:
    """The head that belongs to a request for the bytes from `offset` on."""
    where = {"content-range": f"bytes {offset}-{SIZE - 1}/{SIZE}"} if offset else {}
    sink.head(Head(206 if offset else 200, where, SIZE - offset))


async def silent(sink: Sink, offset: int) -> None:
    await asyncio.sleep(NEVER_S)


async def whole(sink: Sink, offset: int) -> None:
    head(sink, offset)
    sink.data(memoryview(bytes(SIZE - offset)))


async def test_a_needless_rival_is_stopped_without_a_word_and_asked_again_when_it_is_needed() -> None:
    rival_asked = asyncio.Event()

    async def late_then_stalling(sink: Sink, offset: int) -> None:
        await rival_asked.wait()
        head(sink, offset)
        sink.data(memoryview(bytes(2 * RESUMED_BYTES)))
        await asyncio.sleep(NEVER_S)

    async def rival(sink: Sink, offset: int) -> None:
        rival_asked.set()
        await asyncio.sleep(NEVER_S)

    run, getter = Run(), Scripted({"a.example": [late_then_stalling], "b.example": [rival, whole]})
    assert await run.race(getter, "a.example", "b.example").run()
    assert getter.asked == [("a.example", 0), ("b.example", 0), ("b.example", 2 * RESUMED_BYTES)]
    assert run.brought == ["a.example", "b.example"]
    assert run.failed == [("a.example", Failure.STALLED)]


async def test_who_was_only_slower_than_a_rival_is_no_failure_and_stays_at_hand() -> None:
    flows = asyncio.Event()

    async def steady(sink: Sink, offset: int) -> None:
        head(sink, offset)
        while True:
            sink.data(memoryview(bytes(1000)))
            flows.set()
            await asyncio.sleep(SOON_S / 10)

    async def cut(sink: Sink, offset: int) -> None:
        await flows.wait()
        head(sink, offset)
        sink.data(memoryview(bytes(SIZE // 2)))
        raise FetchError(Failure.CUT, "in a test")

    async def late(sink: Sink, offset: int) -> None:
        await asyncio.sleep(SOON_S * 1.5)
        await steady(sink, offset)

    run, getter = Run(), Scripted({"a.example": [late, whole], "b.example": [cut]})
    race = run.race(getter, "a.example", "b.example")
    assert await race.run()
    assert [host for host, _ in getter.asked] == ["a.example", "b.example", "a.example"]
    assert run.failed == [("b.example", Failure.CUT)]


async def test_bytes_that_two_bring_count_once() -> None:
    first_has_half = asyncio.Event()

    async def half_then_slow(sink: Sink, offset: int) -> None:
        head(sink, offset)
        sink.data(memoryview(bytes(SIZE // 2)))
        first_has_half.set()
        await asyncio.sleep(NEVER_S)

    async def whole_whatever_was_asked_for(sink: Sink, offset: int) -> None:
        await first_has_half.wait()
        sink.head(Head(200, {}, SIZE))
        for _ in range(4):
            sink.data(memoryview(bytes(SIZE // 4)))

    plays: dict[str, list[Play]] = {"a.example": [half_then_slow], "b.example": [whole_whatever_was_asked_for]}
    run = Run()
    assert await run.race(Scripted(plays), "a.example", "b.example").run()
    assert run.have == SIZE
    assert run.brought == ["a.example", "b.example", "b.example"]


async def test_at_most_four_are_asked_at_once_and_never_one_source_twice() -> None:
    hosts = [f"{name}.example" for name in "abcdef"]
    getter = Scripted({host: [silent] for host in hosts})
    running = asyncio.create_task(Run().race(getter, *hosts, *hosts).run())
    await asyncio.sleep(SOON_S * 12)
    assert getter.asked == [(host, 0) for host in hosts[:4]]
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_alone_each_gives_it_whole_or_makes_way_for_the_next() -> None:
    async def half(sink: Sink, offset: int) -> None:
        head(sink, offset)
        sink.data(memoryview(bytes(SIZE // 2)))
        await asyncio.sleep(NEVER_S)

    run, getter = Run(), Scripted({"a.example": [half], "b.example": [whole]})
    assert await run.race(getter, "a.example", "b.example", alone=True).run()
    assert getter.asked == [("a.example", 0), ("b.example", 0)]
    assert run.failed == [("a.example", Failure.SLOW)]


async def test_a_last_source_that_is_late_is_waited_for() -> None:
    async def late(sink: Sink, offset: int) -> None:
        await asyncio.sleep(SOON_S * 5)
        await whole(sink, offset)

    run, getter = Run(), Scripted({"a.example": [late]})
    assert await run.race(getter, "a.example").run()
    assert run.failed == []

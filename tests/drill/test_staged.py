"""What each fault makes of an answer, and that it lets go as soon as it is over."""

import asyncio
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

import pytest

from tidegate.drill.board import Board
from tidegate.drill.kinds import KINDS, On
from tidegate.drill.playing import NOTHING, LiveKind, Playing, Staged
from tidegate.drill.spoiling import KEPT_BACK_BYTES_MAX
from tidegate.drill.staged import StagedBlobs, StagedGetter
from tidegate.drill.taking_part import TakingPart
from tidegate.sources.archive import Endpoint, Reach, Source
from tidegate.sources.client import Getter
from tidegate.sources.connection import Head, Sink
from tidegate.sources.failure import Failure, FetchError
from tidegate.sources.health import Health
from tidegate.sources.settings import FetchSettings
from tidegate.store.journal_writer import JournalWriter
from tidegate.store.memory_blobs import MemoryBlobs
from tidegate.store.memory_journal import MemoryJournal

URL = "http://a.example/ubuntu"
ENDPOINT = Endpoint("http", "a.example", 80, Reach.PUBLIC)
SOURCE = Source(URL, ENDPOINT, "/ubuntu", "a", "mirror")
RELEASE = b"Origin: Ubuntu\nSuite: noble\nDate: Thu, 30 Apr 2026 15:30:00 UTC\n"
BODY = bytes(range(256)) * 40
IN_RELEASE = "/ubuntu/dists/noble/InRelease"
INDEX = "/ubuntu/dists/noble/main/binary-amd64/Packages.xz"
DEB = "/ubuntu/pool/main/h/hello.deb"
LIMITS = FetchSettings(connect_timeout_s=0.3, first_byte_timeout_s=0.3, rate_window_s=0.3, rate_min_bytes_s=8_192)


class Answering(Getter):
    """The source itself."""

    def __init__(self, size: int = len(BODY)) -> None:
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.status = 200
        self._body = (BODY * (size // len(BODY) + 1))[:size]

    async def get(
        self,
        endpoint: Endpoint,
        target: str,
        headers: dict[str, str],
        sink: Sink,
        begun: Callable[[], None] | None = None,
    ) -> None:
        if begun is not None:
            begun()
        self.asked.append((target, headers))
        body = RELEASE if target.endswith("Release") else self._body
        sink.head(Head(self.status, {"etag": '"1"'}, len(body)))
        for at in range(0, len(body), 65_536):
            sink.data(memoryview(body[at : at + 65_536]))
            await asyncio.sleep(0)


@dataclass(slots=True)
class Taking(Sink):
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""

    def head(self, head: Head) -> None:
        self.status, self.headers = head.status, dict(head.headers)

    def data(self, data: memoryview) -> None:
        self.body += bytes(data)


class World:
    def __init__(self, inner: Answering | None = None) -> None:
        self.playing = NOTHING
        self.source = inner or Answering()
        self.getter = StagedGetter(self.source, LIMITS, lambda: self.playing, lambda on: (SOURCE,) if on == URL else ())

    def play(self, kind: LiveKind, on: str = URL, **options: Any) -> None:
        self.playing = Playing("d", (Staged(on=on, kind=kind, **options),))

    async def get(self, target: str = DEB, **headers: str) -> Taking:
        sink = Taking()
        await self.getter.get(ENDPOINT, target, {name.replace("_", "-"): text for name, text in headers.items()}, sink)
        return sink


def run(story: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(story, 20.0))


def test_each_kind_that_is_said_to_be_live_can_be_ordered_and_no_other() -> None:
    live = {name for name, kind in KINDS.items() if kind.is_live}
    assert live == set(LiveKind.__args__)  # type: ignore[attr-defined]  # a Literal's own
    assert all(kind.live or kind.lab_only for kind in KINDS.values())
    assert {name for name, kind in KINDS.items() if kind.lab_only} == {"rollback", "split", "jump", "slowloris"}


def test_nothing_but_what_a_fault_is_on_is_touched() -> None:
    async def story() -> None:
        world = World()
        world.play("refuse")
        other = Endpoint("http", "b.example", 80, Reach.PUBLIC)
        sink = Taking()
        await world.getter.get(other, DEB, {}, sink)
        await world.getter.get(ENDPOINT, "/ubuntu-ports/pool/hello.deb", {}, sink)
        assert sink.body == BODY * 2
        with pytest.raises(FetchError, match="staged by a drill"):
            await world.get()

    run(story())


@pytest.mark.parametrize("kind", ["blackhole", "silence"])
def test_what_stands_still_goes_on_once_the_fault_is_over(kind: LiveKind) -> None:
    async def story() -> None:
        world = World()
        world.play(kind)
        begun = time.monotonic()
        with pytest.raises(FetchError):
            await world.get()
        assert time.monotonic() - begun >= 0.3
        asking = asyncio.create_task(world.get())
        await asyncio.sleep(0)
        world.playing = NOTHING
        assert (await asking).body == BODY

    run(story())


def test_a_slow_source_is_left_where_it_is_below_the_minimum_and_gives_the_rest_at_once_when_it_is_over() -> None:
    async def story() -> None:
        world = World()
        world.play("slow", bytes_s=40_000)
        begun = time.monotonic()
        assert (await world.get()).body == BODY
        assert time.monotonic() - begun >= len(BODY) / 40_000
        world.play("slow", bytes_s=100)
        with pytest.raises(FetchError) as slow:
            await world.get()
        assert slow.value.failure is Failure.SLOW
        asking = asyncio.create_task(world.get())
        await asyncio.sleep(0)
        world.playing = NOTHING
        assert (await asking).body == BODY

    run(story())


def test_a_slow_body_that_does_not_fit_the_memory_for_it_is_cut_off() -> None:
    async def story() -> None:
        world = World(Answering(3 * KEPT_BACK_BYTES_MAX))
        world.play("slow", bytes_s=100_000_000)
        with pytest.raises(FetchError) as cut:
            await world.get()
        assert cut.value.failure is Failure.CUT

    run(story())


def test_what_is_cut_corrupt_or_torn_is_so_at_its_place_and_nowhere_else() -> None:
    async def story() -> None:
        world = World()
        world.play("truncate", after_bytes=5_000)
        sink = Taking()
        with pytest.raises(FetchError):
            await world.getter.get(ENDPOINT, DEB, {}, sink)
        assert sink.body == BODY[:5_000]
        world.play("corrupt")
        for size in (0, 1, 65_536, 65_537, 200_000):
            other = World(Answering(size))
            right = (await other.get()).body
            other.play("corrupt")
            got = (await other.get()).body
            assert len(got) == size
            assert [at for at in range(size) if got[at] != right[at]] == [size - 1][:size]
        world.play("tear")
        assert (await world.get(IN_RELEASE)).body == RELEASE
        assert (await world.get(INDEX)).body != BODY
        assert (await world.get("/ubuntu/dists/noble/main/by-hash/SHA256/00")).status == 404
        assert (await world.get()).body == BODY

    run(story())


def test_a_source_that_stands_still_has_no_news_for_anybody() -> None:
    async def story() -> None:
        world = World()
        world.play("freeze")
        assert (await world.get(IN_RELEASE, If_Modified_Since="x")).status == 304
        world.source.status = 503
        assert (await world.get(IN_RELEASE, If_Modified_Since="x")).status == 503
        world.source.status = 200
        assert (await world.get(IN_RELEASE)).body == RELEASE
        asked = len(world.source.asked)
        assert (await world.get(IN_RELEASE)).body == RELEASE
        assert len(world.source.asked) == asked
        world.playing = NOTHING
        await world.get(IN_RELEASE)
        assert len(world.source.asked) == asked + 1

    run(story())


def test_a_forged_release_is_asked_for_whole_and_names_nothing_to_ask_for_it_again() -> None:
    async def story() -> None:
        world = World()
        world.play("forge")
        got = await world.get(IN_RELEASE, If_None_Match='"1"')
        assert (len(got.body), got.headers) == (len(RELEASE), {})
        assert got.body != RELEASE
        assert b"Date: Thu, 30 Apr 2026 15:30:00 UTC" in got.body
        assert (await world.get()).body == BODY

    run(story())


def test_a_flapping_source_is_out_and_well_by_turns() -> None:
    async def story() -> None:
        world = World()
        world.play("flap", on_s=0.05, off_s=0.05)
        seen: list[bool] = []
        until = time.monotonic() + 10.0
        while seen.count(True) < 2 or seen.count(False) < 2:
            assert time.monotonic() < until
            try:
                await world.get()
                is_well = True
            except FetchError:
                is_well = False
            if not seen or seen[-1] is not is_well:
                seen.append(is_well)
            await asyncio.sleep(0.005)

    run(story())


def test_what_was_learned_is_forgotten_and_what_is_written_meanwhile_is_marked() -> None:
    async def story() -> None:
        board, health, store = Board(), Health(), MemoryJournal()
        journal = JournalWriter(store, lambda _: None)
        part = TakingPart(board, health, journal, lambda on: (SOURCE,) if on == URL else (), lambda: (URL,))
        kept: list[bool] = []
        part.keeps_learning = kept.append
        for fault in (Staged(on=URL, kind="refuse"), Staged(on="dns", kind="unresolved")):
            health.delivered(URL, size=1_000_000, seconds=1.0)
            before = health.of(URL).rate_bytes_s
            board.put(Playing("d-1", (fault,)), time.monotonic() + 60.0)
            assert part.playing().drill == "d-1"
            journal.note("fetch-failed", "x", reason="staged")
            health.failed(URL, FetchError(Failure.UNREACHABLE, "refused"))
            assert health.of(URL).breaker.state != "closed"
            board.clear()
            part.look()
            assert health.of(URL).breaker.state == "closed"
            assert health.of(URL).rate_bytes_s == before
            health.failed(URL, FetchError(Failure.MALFORMED, "what came under the fault is judged after it"))
            board.put(Playing("d-1", ()), time.monotonic() + 60.0)
            part.look()
            board.clear()
            part.look()
            part._unmark("d-1")
            assert health.of(URL).breaker.state == "closed"
            assert health.of(URL).rate_bytes_s == before
        assert kept == [False, False, True] * 2
        journal.close()
        assert {one.drill for one in store.last(10)} == {"d-1"}

    run(story())


def test_a_full_disk_takes_nothing_and_gives_what_it_has() -> None:
    playing = NOTHING
    blobs = StagedBlobs(MemoryBlobs(), lambda: playing)
    blobs.discard(blobs.draft())
    assert blobs.free_bytes() > 0
    playing = Playing("d", (Staged(on="disk", kind="full"),))
    with pytest.raises(OSError, match="staged"):
        blobs.draft()
    with pytest.raises(OSError, match="staged"):
        blobs.keep([])
    assert blobs.free_bytes() == 0
    assert list(blobs.digests()) == []
    assert KINDS["full"].on is On.DISK

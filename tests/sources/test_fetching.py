"""Fetching as the rooms above see it: small documents, a disk that fills up, unlisted files that pass through."""

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from tests.simulator.answer import Style
from tests.simulator.faults import EndlessBody, RawAnswer, Silence, Status, Truncate
from tests.simulator.server import SourceServer
from tests.sources.conftest import ServerFactory
from tests.sources.flying import PATH, Place, asked, place, source, wanted
from tests.sources.sinks import SHORT_S
from tidegate.sources import fetching
from tidegate.sources.breaker import State
from tidegate.sources.failure import Failure, FetchError
from tidegate.sources.fetching import Document, Unchanged
from tidegate.sources.flight import Stage
from tidegate.sources.hashing import HASH_IN_THREAD_FROM_BYTES
from tidegate.sources.passing import Passing
from tidegate.store import committer
from tidegate.store.blobs import Draft
from tidegate.store.file_blobs import FileBlobs
from tidegate.store.settings import StoreSettings

Publish = Callable[[str, int], bytes]
SIZE = 300_000


@pytest.fixture
def data(publish: Publish) -> bytes:
    return publish(PATH, SIZE)


# Documents


async def test_a_document_comes_whole_with_what_its_source_says_of_its_version(
    publish: Publish, serve: ServerFactory, tmp_path: Path
) -> None:
    data, server = publish("InRelease", 5000), serve(style=Style(etag=True))
    async with place(tmp_path) as here:
        document = await here.fetching.document(source(server), "InRelease", size_max=5000)
        assert isinstance(document, Document)
        assert document.data == data
        again = await here.fetching.document(
            source(server),
            "InRelease",
            size_max=5000,
            last_modified=document.last_modified,
            etag=document.etag,
        )
        assert isinstance(again, Unchanged)
    assert server.asked()[1].headers["if-modified-since"] == document.last_modified
    assert server.asked()[1].headers["if-none-match"] == document.etag


async def test_an_oversized_document_is_refused_by_its_head_or_where_it_passes_the_bound(
    publish: Publish, server: SourceServer, serve: ServerFactory, tmp_path: Path
) -> None:
    """Threat 16."""
    publish("InRelease", 5000)
    endless = serve()
    endless.fault(EndlessBody())
    async with place(tmp_path) as here:
        for one in (server, endless):
            with pytest.raises(FetchError) as raised:
                await here.fetching.document(source(one), "InRelease", size_max=4999)
            assert raised.value.failure is Failure.OVERSIZED


async def test_not_modified_is_no_answer_to_who_did_not_ask_for_it(server: SourceServer, tmp_path: Path) -> None:
    server.fault(RawAnswer(b"HTTP/1.1 304 Not Modified\r\n\r\n"))
    async with place(tmp_path) as here:
        with pytest.raises(FetchError) as raised:
            await here.fetching.document(source(server), "InRelease", size_max=5000)
    assert raised.value.failure is Failure.STATUS
    assert not raised.value.is_absence


async def test_a_document_that_is_not_there_is_an_absence_and_no_fault(server: SourceServer, tmp_path: Path) -> None:
    async with place(tmp_path) as here:
        with pytest.raises(FetchError) as raised:
            await here.fetching.document(source(server), "InRelease", size_max=5000)
        assert raised.value.is_absence
        assert here.fetching.health.of(server.url).breaker.state is State.CLOSED


async def test_health_learns_from_documents(publish: Publish, server: SourceServer, tmp_path: Path) -> None:
    publish("InRelease", 5000)
    async with place(tmp_path, first_byte_timeout_s=SHORT_S) as here:
        await here.fetching.document(source(server), "InRelease", size_max=5000)
        server.fault(Silence())
        with pytest.raises(FetchError):
            await here.fetching.document(source(server), "InRelease", size_max=5000)
        health = here.fetching.health.of(server.url)
        assert (health.fetched, health.fetched_bytes, health.failed) == (1, 5000, 1)
        assert health.breaker.state is State.OPEN


# A disk that fills up (threat 37)


class Filling(Draft):
    """A draft on a disk with room for `room` bytes; what does not fit is written in part, as write(2) does."""

    __slots__ = ()
    room = 0

    def write(self, data: bytes | memoryview) -> None:
        fits = max(0, type(self).room - self.size)
        if len(data) > fits:
            super().write(memoryview(data)[:fits])
            raise OSError(28, "No space left on device")
        super().write(data)


class FillingBlobs(FileBlobs):
    """Files on such a disk."""

    def draft(self) -> Draft:
        draft = super().draft()
        filling = Filling(os.dup(draft.fd), draft.path)
        draft.close()
        return filling


@pytest.fixture
def filling(monkeypatch: pytest.MonkeyPatch) -> type[Filling]:
    """Put every place on a disk that fills up."""
    monkeypatch.setattr("tests.sources.flying.FileBlobs", FillingBlobs)
    monkeypatch.setattr(Filling, "room", 0)
    return Filling


def store(**changes: int) -> StoreSettings:
    return msgspec.structs.replace(StoreSettings(free_bytes_min=0), **changes)


async def assert_served_from_memory(here: Place, data: bytes, server: SourceServer) -> None:
    one = await here.hold(data, server)
    assert one.stage is Stage.VERIFIED
    assert os.pread(one.draft.fd, len(data) + 1, 0) == data
    assert "full" in one.failure or "No space" in one.failure
    assert one.violations == []
    assert here.leftovers == []
    assert here.fetching._in_memory_bytes == len(data)
    del one
    assert here.fetching._in_memory_bytes == 0


@pytest.mark.parametrize("size", [1, SIZE, HASH_IN_THREAD_FROM_BYTES + 1])
@pytest.mark.parametrize("share", [0.0, 0.5, 0.999])
async def test_a_disk_that_fills_up_in_mid_flight_is_gone_on_with_in_memory(
    publish: Publish, server: SourceServer, tmp_path: Path, filling: type[Filling], size: int, share: float
) -> None:
    data = publish(PATH, size)
    filling.room = int(size * share)
    async with place(tmp_path) as here:
        await assert_served_from_memory(here, data, server)
    assert asked(server) == [""]


async def test_below_the_free_space_that_is_to_stay_nothing_is_written_at_all(
    data: bytes, server: SourceServer, tmp_path: Path
) -> None:
    async with place(tmp_path, store(free_bytes_min=1 << 60)) as here:
        await assert_served_from_memory(here, data, server)


async def test_a_disk_that_is_full_when_it_is_to_be_durable_is_served_from_what_came(
    data: bytes, server: SourceServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    async with place(tmp_path) as here:
        with monkeypatch.context() as patched:
            patched.setattr(os, "fdatasync", full)
            one = await here.hold(data, server)
        assert one.stage is Stage.VERIFIED
        assert os.pread(one.draft.fd, SIZE, 0) == data
        assert "No space left" in one.failure
        assert here.leftovers == []
        assert (await here.hold(data, server)).stage is Stage.HELD


async def test_with_disk_and_memory_full_it_fails_says_so_and_blames_no_source(
    data: bytes, server: SourceServer, tmp_path: Path, filling: type[Filling]
) -> None:
    filling.room = SIZE // 2
    async with place(tmp_path, store(memory_spool_bytes_max=SIZE - 1)) as here:
        one = await here.hold(data, server)
        assert one.failed
        assert "the disk is full, and so is the memory" in one.failure
        assert here.fetching.health.of(server.url).failed == 0
        assert here.leftovers == []
        assert here.fetching._in_memory_bytes == 0
        filling.room = SIZE
        assert (await here.hold(data, server)).stage is Stage.HELD


async def test_room_that_comes_back_between_two_sources_does_not_make_the_second_a_liar(
    data: bytes, server: SourceServer, serve: ServerFactory, tmp_path: Path, filling: type[Filling]
) -> None:
    filling.room = SIZE // 2
    other = serve()
    gate = other.hold(None)
    async with place(tmp_path, store(memory_spool_bytes_max=0)) as here:
        one = here.fetch(data, server, other)
        await asyncio.to_thread(other.wait_for, lambda: gate.held == 1)
        filling.room = SIZE
        gate.release()
        assert one.task is not None
        await one.task
        assert one.stage is Stage.HELD
        assert one.violations == []


async def test_no_room_for_even_a_beginning_is_a_failure_of_the_disk(
    data: bytes, server: SourceServer, tmp_path: Path
) -> None:
    async with place(tmp_path, store(free_bytes_min=1 << 60, memory_spool_bytes_max=0)) as here:
        one = await here.hold(data, server)
        assert one.failed
        assert one.failures[-1].source == "disk"
    assert asked(server) == []


# Files that pass through


async def passed(here: Place, path: str, *servers: SourceServer) -> Passing:
    passing = here.fetching.pass_through([source(server) for server in servers], path)
    while not (passing.complete or passing.failed):
        await passing.changed()
    return passing


async def test_an_unlisted_file_passes_through_and_nothing_of_it_stays(
    publish: Publish, server: SourceServer, tmp_path: Path
) -> None:
    data = publish("images/netboot.tar.gz", SIZE)
    async with place(tmp_path) as here:
        passing = await passed(here, "images/netboot.tar.gz", server)
        assert passing.complete
        assert passing.size == passing.available == SIZE
        standing = here.fetching.health.of(server.url)
        assert (standing.fetched_bytes, len(standing.latency), standing.silent_since) == (SIZE, 1, 0.0)
        assert standing.last_success_at is None  # nobody knows whether it was right
        assert os.pread(passing.draft.fd, SIZE + 1, 0) == data
        assert here.leftovers == []
        assert list(here.blobs.digests()) == []


async def test_what_the_first_source_lacks_the_second_may_have(
    publish: Publish, server: SourceServer, serve: ServerFactory, tmp_path: Path
) -> None:
    publish("icons.tar", SIZE)
    other = serve(style=Style(framing="chunked"))
    server.fault(Status(404))
    async with place(tmp_path) as here:
        passing = await passed(here, "icons.tar", server, other)
        assert passing.complete
        assert passing.size == SIZE
        assert not passing.absent


async def test_it_is_absent_only_where_every_source_says_so(
    server: SourceServer, serve: ServerFactory, tmp_path: Path
) -> None:
    other = serve()
    async with place(tmp_path) as here:
        assert (await passed(here, "nothing", server, other)).absent
        other.fault(Status(503))
        assert not (await passed(here, "nothing", server, other)).absent
        assert not (await passed(here, "nothing")).absent


async def test_unverified_bytes_are_never_spliced_from_two_sources(
    publish: Publish, server: SourceServer, serve: ServerFactory, tmp_path: Path
) -> None:
    publish("icons.tar", SIZE)
    other = serve()
    server.fault(Truncate(1000))
    async with place(tmp_path) as here:
        passing = await passed(here, "icons.tar", server, other)
        assert passing.failed
        assert not passing.absent
    assert asked(other) == []


async def test_what_passes_through_is_bounded(
    publish: Publish, server: SourceServer, serve: ServerFactory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Threat 15."""
    publish("icons.tar", SIZE)
    monkeypatch.setattr(fetching, "PASSING_BYTES_MAX", SIZE - 1)
    endless = serve()
    endless.fault(EndlessBody())
    async with place(tmp_path) as here:
        for one in (server, endless):
            passing = await passed(here, "icons.tar", one)
            assert passing.failed
            assert "oversized" in passing.failure
            assert passing.available < SIZE


async def test_a_thousand_wanted_objects_come_over_few_connections(
    publish: Publish, server: SourceServer, tmp_path: Path
) -> None:
    contents = {f"pool/{number}.deb": publish(f"pool/{number}.deb", 100) for number in range(1000)}
    async with place(tmp_path, connections_per_source_max=8) as here:
        held = [here.fetching.hold(wanted(data), [source(server)], (path,)) for path, data in contents.items()]
        assert {one.stage for one in await asyncio.gather(*held)} == {Stage.HELD}
        assert len(list(here.blobs.digests())) == 1000
        assert here.leftovers == []
    assert server.accepted_connections <= 8
    assert len(server.asked()) == 1000


async def test_what_comes_alone_is_held_at_once(
    data: bytes, server: SourceServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(committer, "LINGER_S", 3600.0)
    async with place(tmp_path) as here, asyncio.timeout(10):
        assert (await here.hold(data, server)).stage is Stage.HELD

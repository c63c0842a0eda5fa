"""Flights: one fetch of one object, which goes on at the same byte from the next source, and never lies."""

import asyncio
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import uvloop
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from tests.simulator.answer import Framing, Style
from tests.simulator.faults import (
    CorruptByte,
    EndlessBody,
    Fault,
    HtmlPage,
    RawAnswer,
    ResetInBody,
    ResetInHead,
    ShiftedRange,
    Silence,
    Status,
    Substitute,
    Trickle,
    Truncate,
)
from tests.simulator.server import SourceServer
from tests.sources.conftest import ServerFactory
from tests.sources.flying import PATH, Place, asked, place, source, wanted
from tests.sources.sinks import SHORT_S, answered
from tests.store.drafts import assert_descriptors_return_to, open_descriptors
from tidegate.sources import flight as flights
from tidegate.sources.breaker import Cause, State
from tidegate.sources.flight import Flight, Stage
from tidegate.sources.hashing import HASH_IN_THREAD_FROM_BYTES
from tidegate.sources.settings import HealthSettings

Publish = Callable[[str, int], bytes]
SIZE = 300_000
CUT_AT = 100_000
BY_HASH, PLAIN = "dists/s/main/by-hash/SHA256/00", "dists/s/main/Packages"


@pytest.fixture
def data(publish: Publish) -> bytes:
    return publish(PATH, SIZE)


def reasons(flight: Flight) -> str:
    return " | ".join(f"{one.source} {one.reason}" for one in flight.failures)


# One source


@pytest.mark.parametrize("size", [0, 1, 2, SIZE, HASH_IN_THREAD_FROM_BYTES, HASH_IN_THREAD_FROM_BYTES + 12_345])
@pytest.mark.parametrize("framing", ["length", "chunked", "close"])
async def test_an_object_of_any_size_ends_held(
    publish: Publish, serve: ServerFactory, tmp_path: Path, size: int, framing: Framing
) -> None:
    data, server = publish(PATH, size), serve(style=Style(framing=framing))
    async with place(tmp_path) as here:
        flight = await here.hold(data, server)
        assert flight.stage is Stage.HELD
        assert flight.source == server.url
        assert flight.failures == []
        assert here.leftovers == []
    assert asked(server) == [""]


async def test_what_comes_may_be_sent_on_while_it_comes(data: bytes, server: SourceServer, tmp_path: Path) -> None:
    gate = server.hold(CUT_AT)
    async with place(tmp_path) as here:
        flight = here.fetch(data, server)
        while flight.available < CUT_AT:
            await change(flight)
        assert flight.available == CUT_AT
        assert flight.stage is Stage.FETCHING
        gate.release()
        assert (await here.hold(data, server)) is flight


async def test_the_last_byte_is_kept_back_until_the_whole_is_verified(
    data: bytes, server: SourceServer, tmp_path: Path
) -> None:
    """Threat 1: all bytes but the last may be out, and without it no client takes the object for whole."""
    server.fault(CorruptByte(0))
    async with place(tmp_path) as here:
        flight = here.fetch(data, server)
        seen = await follow(flight)
        assert flight.failed
        assert max(seen) < SIZE
        assert flight.available == 0


async def test_an_object_that_no_source_has_fails_at_once_and_says_who_said_so(
    server: SourceServer, tmp_path: Path, serve: ServerFactory
) -> None:
    other = serve()
    async with place(tmp_path) as here:
        flight = await here.hold(b"never published", server, other)
    assert flight.failed
    assert flight.failure == f"{server.url}: status: answered 404; {other.url}: status: answered 404"
    assert asked(server) == asked(other) == [""]


async def test_without_a_source_it_fails_with_a_sentence(tmp_path: Path) -> None:
    async with place(tmp_path) as here:
        flight = await here.hold(b"never published")
    assert flight.failed
    assert flight.failure == "no source is configured"


async def test_what_failed_in_passing_is_asked_again(data: bytes, server: SourceServer, tmp_path: Path) -> None:
    server.fault(Status(503), times=2)
    async with place(tmp_path) as here:
        assert (await here.hold(data, server)).stage is Stage.HELD
    assert asked(server) == ["", "", ""]


async def test_a_source_that_keeps_failing_in_passing_is_given_up(
    data: bytes, server: SourceServer, tmp_path: Path
) -> None:
    server.fault(Status(503))
    async with place(tmp_path) as here:
        assert (await here.hold(data, server)).failed
        assert here.leftovers == []
    assert len(asked(server)) == flights.ROUNDS_MAX


async def test_a_cut_is_gone_on_with_at_the_same_source_where_there_is_no_other(
    data: bytes, server: SourceServer, tmp_path: Path
) -> None:
    server.fault(Truncate(CUT_AT), times=1)
    async with place(tmp_path) as here:
        flight = await here.hold(data, server)
    assert flight.stage is Stage.HELD
    assert flight.fetched_bytes == SIZE
    assert asked(server) == ["", f"bytes={CUT_AT}-"]


# From source to source


@pytest.mark.parametrize(
    "fault",
    [Silence(), Trickle(2000), Truncate(CUT_AT), ResetInBody(CUT_AT), ResetInHead(), Status(500), Status(404)],
)
async def test_whatever_a_source_does_the_next_one_ends_it(
    data: bytes, server: SourceServer, serve: ServerFactory, tmp_path: Path, fault: Fault
) -> None:
    server.fault(fault)
    limits: dict[str, Any] = {"first_byte_timeout_s": SHORT_S, "rate_min_bytes_s": 10_000, "rate_window_s": SHORT_S}
    async with place(tmp_path, **limits) as here:
        flight = await here.hold(data, server, serve())
    assert flight.stage is Stage.HELD
    assert [one.source for one in flight.failures] == [server.url]
    assert flight.violations == []
    assert flight.fetched_bytes == SIZE


async def test_the_next_source_goes_on_at_the_same_byte(
    data: bytes, server: SourceServer, serve: ServerFactory, tmp_path: Path
) -> None:
    other = serve()
    server.fault(Truncate(CUT_AT))
    async with place(tmp_path) as here:
        flight = await here.hold(data, server, other)
    assert asked(other) == [f"bytes={CUT_AT}-"]
    assert await answered(other) == [(PATH, 206)]
    assert flight.fetched_bytes == SIZE
    assert flight.source == other.url
    assert [(one.source, one.at_byte) for one in flight.left] == [(server.url, CUT_AT)]


async def test_a_source_that_cannot_give_a_range_is_skipped_through(
    data: bytes, server: SourceServer, serve: ServerFactory, tmp_path: Path
) -> None:
    other = serve(style=Style(accept_ranges=False))
    server.fault(Truncate(CUT_AT))
    async with place(tmp_path) as here:
        flight = await here.hold(data, server, other)
    assert flight.stage is Stage.HELD
    assert await answered(other) == [(PATH, 200)]
    assert flight.fetched_bytes == SIZE


async def test_what_is_already_out_does_not_change_while_sources_do(
    data: bytes, server: SourceServer, serve: ServerFactory, tmp_path: Path
) -> None:
    other = serve()
    server.fault(Truncate(CUT_AT))
    gate = other.hold(0)
    async with place(tmp_path) as here:
        flight = here.fetch(data, server, other)
        await change(flight)
        draft = flight.draft
        await asyncio.to_thread(other.wait_for, lambda: gate.held == 1)
        assert flight.available == CUT_AT
        assert flight.draft is draft
        gate.release()
        await here.hold(data, server, other)


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 206 Partial Content\r\nContent-Length: 200000\r\n\r\n",
        b"HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 0-299999/300000\r\nContent-Length: 300000\r\n\r\n",
        b"HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 100000-299999/*\r\nContent-Length: 200000\r\n\r\n",
        b"HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 100000-299999/300001\r\nContent-Length: 200000\r\n\r\n",
        b"HTTP/1.1 206 Partial Content\r\nContent-Range: bits 100000-299999/300000\r\nContent-Length: 200000\r\n\r\n",
        b"HTTP/1.1 416 Range Not Satisfiable\r\nContent-Length: 0\r\n\r\n",
    ],
)
async def test_another_range_than_was_asked_for_is_not_taken(
    data: bytes, server: SourceServer, serve: ServerFactory, tmp_path: Path, answer: bytes
) -> None:
    other = serve()
    server.fault(Truncate(CUT_AT))
    other.fault(RawAnswer(answer + bytes(SIZE)))
    async with place(tmp_path) as here:
        flight = await here.hold(data, server, other, serve())
    assert flight.stage is Stage.HELD
    assert flight.fetched_bytes == SIZE
    assert flight.violations == []


async def test_an_index_is_asked_for_by_hash_and_then_by_name(
    publish: Publish, server: SourceServer, tmp_path: Path
) -> None:
    data = publish(PLAIN, SIZE)
    async with place(tmp_path) as here:
        flight = await here.hold(data, server, paths=(BY_HASH, PLAIN))
    assert flight.stage is Stage.HELD
    assert [request.path for request in server.asked()] == [BY_HASH, PLAIN]


async def test_a_source_that_failed_is_not_asked_by_another_name_in_the_same_round(
    publish: Publish, server: SourceServer, serve: ServerFactory, tmp_path: Path
) -> None:
    data, other = publish(PLAIN, SIZE), serve()
    server.fault(Status(500))
    async with place(tmp_path) as here:
        await here.hold(data, server, other, paths=(BY_HASH, PLAIN))
    assert [request.path for request in server.asked()] == [BY_HASH]
    assert [request.path for request in other.asked()] == [BY_HASH, PLAIN]


async def test_who_once_lied_is_asked_after_all_where_nobody_else_has_it(
    publish: Publish, server: SourceServer, serve: ServerFactory, tmp_path: Path
) -> None:
    """What it gives is verified like everything else."""
    rare = publish("pool/rare.deb", SIZE)
    lacking = serve(root=tmp_path)
    async with place(tmp_path) as here:
        here.fetching.health.violated(server.url, "in a test")
        flight = await here.hold(rare, lacking, server, paths=("pool/rare.deb",))
    assert flight.stage is Stage.HELD
    assert flight.source == server.url
    assert asked(lacking) == [""]


# Rivals

QUICK = HealthSettings(backoff_base_s=0.05, hedge_after_unknown_s=0.1, hedge_after_min_s=0.05, hedge_after_max_s=0.2)
STALL_S = 0.2


async def test_who_does_not_answer_soon_gets_a_rival_and_is_named_once_that_one_has_answered(
    data: bytes, server: SourceServer, serve: ServerFactory, tmp_path: Path
) -> None:
    other = serve()
    server.fault(Silence())
    async with place(tmp_path, health=QUICK) as here:
        flight = await here.hold(data, server, other)
        assert flight.stage is Stage.HELD
        assert flight.source == other.url
        assert [one.source for one in flight.failures] == [server.url]
        assert f"{other.url} answered meanwhile" in flight.failures[0].reason
        assert here.fetching.health.of(server.url).breaker.cause is Cause.UNREACHABLE
    assert asked(server) == asked(other) == [""]


async def test_one_that_answers_is_found_behind_two_that_are_silent(
    data: bytes, server: SourceServer, serve: ServerFactory, tmp_path: Path
) -> None:
    silent, good = serve(), serve()
    server.fault(Silence())
    silent.fault(Silence())
    async with place(tmp_path, health=QUICK) as here:
        flight = await here.hold(data, server, silent, good)
        assert flight.stage is Stage.HELD
        assert {one.source for one in flight.failures} == {server.url, silent.url}


async def test_who_stalls_in_mid_body_is_overtaken_at_that_byte(
    data: bytes, server: SourceServer, serve: ServerFactory, tmp_path: Path
) -> None:
    other = serve()
    gate = server.hold(CUT_AT)
    async with place(tmp_path, health=QUICK, stall_hedge_s=STALL_S) as here:
        flight = await here.hold(data, server, other)
        assert flight.stage is Stage.HELD
        assert asked(other) == [f"bytes={CUT_AT}-"]
        assert flight.fetched_bytes == SIZE
        assert "no byte for" in flight.failures[0].reason
        gate.release()


async def test_who_trickles_is_overtaken_by_whoever_is_faster(
    publish: Publish, server: SourceServer, serve: ServerFactory, tmp_path: Path
) -> None:
    data = publish(PATH, 3_000_000)
    other = serve()
    server.fault(Trickle(5_000))
    async with place(tmp_path, health=QUICK, stall_hedge_s=STALL_S, rate_min_bytes_s=50_000) as here:
        flight = await here.hold(data, server, other)
        assert flight.stage is Stage.HELD
        assert flight.source == other.url
        assert [one.source for one in flight.failures] == [server.url]
        begun = int(asked(other)[0].removeprefix("bytes=").removesuffix("-") or 0)
        assert flight.fetched_bytes == len(data)
        assert begun < len(data) // 10


async def test_who_was_late_and_comes_after_all_needs_no_rival(
    data: bytes, server: SourceServer, serve: ServerFactory, tmp_path: Path
) -> None:
    other = serve()
    gate, rival = server.hold(None), other.hold(None)
    async with place(tmp_path, health=QUICK) as here:
        flight = here.fetch(data, server, other)
        await asyncio.to_thread(other.wait_for, lambda: rival.held == 1)
        gate.release()
        assert (await here.hold(data, server, other)).stage is Stage.HELD
        assert flight.source == server.url
        assert flight.failures == []
        rival.release()


async def test_a_rival_that_lies_is_found_though_it_only_gave_a_piece(
    data: bytes, server: SourceServer, serve: ServerFactory, tmp_path: Path
) -> None:
    """Threat 32: the rival's piece is from another version."""
    liar = serve(root=tree_with(tmp_path / "other version", random.Random("other").randbytes(SIZE)))
    third = serve()
    gate = server.hold(CUT_AT)
    async with place(tmp_path, health=QUICK, stall_hedge_s=STALL_S) as here:
        flight = await here.hold(data, server, liar, third)
        assert flight.stage is Stage.HELD
        assert "their pieces do not fit together" in reasons(flight)
        gate.release()


async def test_a_request_that_waits_for_its_turn_is_not_held_against_its_source(
    publish: Publish, server: SourceServer, serve: ServerFactory, tmp_path: Path
) -> None:
    first, second = publish("pool/first.deb", 1000), publish("pool/second.deb", 1000)
    other = serve()
    gate = server.hold(None, "pool/first.deb")
    async with place(tmp_path, health=QUICK, connections_per_source_max=1) as here:
        here.fetch(first, server, paths=("pool/first.deb",))
        await asyncio.to_thread(server.wait_for, lambda: gate.held == 1)
        flight = await here.hold(second, server, other, paths=("pool/second.deb",))
        assert flight.source == other.url
        assert flight.failures == []
        gate.release()


# Wrong bytes


@pytest.mark.parametrize(
    "fault",
    [
        CorruptByte(0),
        CorruptByte(SIZE - 1),
        HtmlPage(),
        Substitute(b""),
        Substitute(bytes(SIZE)),
        Substitute(bytes(SIZE + 1)),
        Truncate(CUT_AT, honest=True),
    ],
)
async def test_a_liar_is_left_told_and_not_asked_for_long(
    data: bytes, server: SourceServer, serve: ServerFactory, tmp_path: Path, fault: Fault, publish: Publish
) -> None:
    """Threats 1, 2 and 15."""
    other = serve()
    server.fault(fault)
    async with place(tmp_path) as here:
        flight = await here.hold(data, server, other)
        assert flight.stage is Stage.HELD
        assert [one.source for one in flight.violations] == [server.url]
        server.heal()
        again = publish("pool/other.deb", 1000)
        await here.hold(again, server, other, paths=("pool/other.deb",))
        assert len(server.asked("pool/other.deb")) == 0
        assert len(other.asked("pool/other.deb")) == 1


@pytest.mark.parametrize("framing", ["chunked", "close"])
@pytest.mark.parametrize("size", [SIZE, HASH_IN_THREAD_FROM_BYTES])
async def test_a_body_that_does_not_end_is_cut_at_the_listed_size_and_its_source_named(
    publish: Publish, serve: ServerFactory, tmp_path: Path, framing: Framing, size: int
) -> None:
    """Threat 15: what was right is used, what goes beyond it is not even taken."""
    data = publish(PATH, size)
    longer = serve(root=tree_with(tmp_path / "longer", data + bytes(100_000)), style=Style(framing=framing))
    async with place(tmp_path) as here:
        flight = await here.hold(data, longer)
        assert flight.stage is Stage.HELD
        assert flight.fetched_bytes == size
        assert [one.source for one in flight.failures] == [longer.url]
        assert "more than the" in flight.failures[0].reason


async def test_a_body_that_does_not_end_and_is_another_is_no_different_from_any_lie(
    data: bytes, server: SourceServer, serve: ServerFactory, tmp_path: Path
) -> None:
    other = serve(root=tree_with(tmp_path / "other", random.Random("other").randbytes(SIZE)))
    other.fault(EndlessBody())
    async with place(tmp_path) as here:
        flight = await here.hold(data, other, server)
        assert flight.stage is Stage.HELD
        assert [one.source for one in flight.violations] == [other.url]


async def test_another_version_under_a_plain_name_is_no_lie(
    publish: Publish, server: SourceServer, serve: ServerFactory, tmp_path: Path
) -> None:
    data, other = publish(PLAIN, SIZE), serve()
    server.fault(Substitute(bytes(SIZE)))
    async with place(tmp_path) as here:
        flight = await here.hold(data, server, other, paths=(PLAIN,))
        assert flight.stage is Stage.HELD
        assert flight.violations == []
        assert here.fetching.health.of(server.url).breaker.cause is not Cause.VIOLATION


async def test_a_splice_of_two_versions_is_found_and_each_source_then_asked_whole(
    data: bytes, server: SourceServer, serve: ServerFactory, tmp_path: Path
) -> None:
    """Threat 32: the second source has other bytes of the same length."""
    liar = serve(root=tree_with(tmp_path / "other version", random.Random("other").randbytes(SIZE)))
    server.fault(Truncate(CUT_AT), times=1)
    async with place(tmp_path) as here:
        flight = await here.hold(data, server, liar)
        assert flight.stage is Stage.HELD
        assert "their pieces do not fit together" in reasons(flight)
        assert asked(server) == ["", ""]
        assert asked(liar)[0] == f"bytes={CUT_AT}-"
        assert set(asked(liar)[1:]) <= {""}
        health = here.fetching.health
        assert health.of(server.url).breaker.cause is not Cause.VIOLATION


async def test_of_two_whose_pieces_do_not_fit_the_one_that_lies_when_whole_is_the_liar(
    data: bytes, server: SourceServer, serve: ServerFactory, tmp_path: Path
) -> None:
    """Threat 32, the other way round: the first piece was the wrong one."""
    liar = serve(root=tree_with(tmp_path / "other version", random.Random("other").randbytes(SIZE)))
    liar.fault(Truncate(CUT_AT), times=1)
    async with place(tmp_path) as here:
        flight = await here.hold(data, liar, server)
        assert flight.stage is Stage.HELD
        assert [one.source for one in flight.violations] == [liar.url]
        assert asked(server) == [f"bytes={CUT_AT}-", ""]


async def test_a_range_that_begins_elsewhere_than_it_says_is_found_as_a_splice(
    data: bytes, server: SourceServer, serve: ServerFactory, tmp_path: Path
) -> None:
    shifting = serve()
    shifting.fault(ShiftedRange(1))
    server.fault(Truncate(CUT_AT), times=1)
    async with place(tmp_path) as here:
        flight = await here.hold(data, server, shifting)
        assert flight.stage is Stage.HELD
        assert flight.violations == []


async def test_followers_learn_from_another_draft_that_the_bytes_began_anew(
    data: bytes, server: SourceServer, serve: ServerFactory, tmp_path: Path
) -> None:
    server.fault(CorruptByte(5))
    other = serve()
    gate = other.hold(0)
    async with place(tmp_path) as here:
        flight = here.fetch(data, server, other)
        await change(flight)
        first = flight.draft
        await asyncio.to_thread(other.wait_for, lambda: gate.held == 1)
        assert flight.draft is not first
        assert flight.available == 0
        assert first.size == SIZE  # and stays readable for whoever compares what has been sent
        gate.release()
        await here.hold(data, server, other)


def tree_with(tree: Path, data: bytes) -> Path:
    (tree / PATH).parent.mkdir(parents=True)
    (tree / PATH).write_bytes(data)
    return tree


# Whatever happens


FAULTS: st.SearchStrategy[Fault] = st.one_of(
    st.builds(Truncate, st.integers(0, 20_000)),
    st.builds(Truncate, st.integers(0, 20_000), honest=st.just(True)),
    st.builds(ResetInBody, st.integers(0, 20_000)),
    st.builds(CorruptByte, st.integers(0, 19_999)),
    st.builds(ShiftedRange, st.integers(1, 50)),
    st.builds(Status, st.sampled_from([200, 206, 304, 403, 404, 500, 503])),
    st.builds(Substitute, st.sampled_from([b"", b"x", bytes(20_000), bytes(20_001)])),
    st.builds(EndlessBody, declared=st.booleans()),
    st.just(HtmlPage()),
    st.just(ResetInHead()),
)


@given(st.lists(st.lists(FAULTS, max_size=3), min_size=1, max_size=3), st.booleans())
@examples(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_whatever_sources_do_a_flight_gives_the_right_bytes_or_none(
    publish: Publish, serve: ServerFactory, tmp_path: Path, plan: list[list[Fault]], ranges: bool
) -> None:
    data = publish(PATH, 20_000)
    servers = [serve(style=Style(accept_ranges=ranges or number == 0)) for number in range(len(plan))]
    for server, faults in zip(servers, plan, strict=True):
        for fault in reversed(faults):  # the newest strikes first
            server.fault(fault, times=1)

    async def story() -> None:
        async with place(tmp_path) as here:
            flight = here.fetch(data, *servers)
            assert all(0 <= available < len(data) for available in await follow(flight))
            assert flight.task is not None
            await asyncio.wait({flight.task})
            here.is_coherent(flight, data)
            here.blobs.remove(wanted(data).digest)
            assert here.leftovers == []

    uvloop.run(story())
    for server in servers:
        server.close()


async def change(flight: Flight) -> None:
    """Until the next progress or stage."""
    changed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    flight.watch(lambda: None if changed.done() else changed.set_result(None))
    await changed


async def follow(flight: Flight) -> list[int]:
    """What a follower could have sent on, change by change, until the end."""
    seen = []
    while not (flight.complete or flight.failed):
        await change(flight)
        if not flight.complete:
            seen.append(flight.available)
    return seen


# Many, and leaving


async def test_many_who_want_the_same_share_one_request(data: bytes, server: SourceServer, tmp_path: Path) -> None:
    gate = server.hold(CUT_AT)
    async with place(tmp_path) as here:
        flights = {here.fetch(data, server) for _ in range(200)}
        assert len(flights) == 1
        assert here.fetching.started == 1
        waiting = [asyncio.create_task(here.fetching.hold(wanted(data), [source(server)], (PATH,))) for _ in range(200)]
        await asyncio.to_thread(server.wait_for, lambda: gate.held == 1)
        gate.release()
        assert {await task for task in waiting} == flights
    assert asked(server) == [""]


async def test_after_a_flight_has_failed_the_next_one_is_another(
    data: bytes, server: SourceServer, tmp_path: Path
) -> None:
    server.fault(Status(404), times=1)
    async with place(tmp_path) as here:
        failed = await here.hold(data, server)
        assert failed.failed
        assert (await here.hold(data, server)).stage is Stage.HELD


async def test_whoever_listens_is_told_of_each_flight_that_ended(
    data: bytes, server: SourceServer, tmp_path: Path
) -> None:
    async with place(tmp_path) as here:
        landed: list[Flight] = []
        here.fetching.landed.append(landed.append)
        flight = await here.hold(data, server)
        missing = await here.hold(b"never published", server)
        assert landed == [flight, missing]


@pytest.mark.parametrize("size", [SIZE, HASH_IN_THREAD_FROM_BYTES + 1])
async def test_closing_in_mid_flight_leaves_no_descriptor_and_no_file(
    publish: Publish, server: SourceServer, tmp_path: Path, size: int
) -> None:
    data = publish(PATH, size)
    async with place(tmp_path) as here:
        before = await quiet_descriptors(here, server, publish)
        gate = server.hold(size - 1000)
        flight = here.fetch(data, server)
        await asyncio.to_thread(server.wait_for, lambda: gate.held == 1)
        while flight.available < size - 1000:
            await change(flight)
        await here.fetching.close()
        assert flight.failed
        assert here.leftovers == []
        gate.release()
        await asyncio.to_thread(server.wait_for, lambda: server.open_connections == 0)
    del flight
    assert_descriptors_return_to(before)


async def quiet_descriptors(here: Place, server: SourceServer, publish: Publish) -> int:
    """How many are open when nothing is under way, and the loop has made those that it keeps for itself."""
    warm = publish("pool/warm.deb", 1000)
    await here.hold(warm, server, paths=("pool/warm.deb",))
    await asyncio.to_thread(server.drop_connections)
    await asyncio.to_thread(server.wait_for, lambda: server.open_connections == 0)
    server.forget()
    return open_descriptors()


async def test_a_thousand_flights_begun_and_abandoned_are_bounded_and_leave_nothing(
    publish: Publish, server: SourceServer, tmp_path: Path
) -> None:
    """Threat 34."""
    async with place(tmp_path, connections_per_source_max=8) as here:
        before = await quiet_descriptors(here, server, publish)
        gate = server.hold(None)
        begun = [here.fetch(b"%d" % number, server, paths=(f"pool/{number}.deb",)) for number in range(1000)]
        await asyncio.to_thread(server.wait_for, lambda: gate.held == 8)
        assert here.fetching.flights == 1000
        assert server.open_connections == 8
        await here.fetching.close()
        assert all(flight.failed for flight in begun)
        assert here.fetching.flights == 0
        assert here.leftovers == []
        gate.release()
        await asyncio.to_thread(server.wait_for, lambda: server.open_connections == 0)
    del begun
    assert_descriptors_return_to(before)
    assert len(server.asked()) == 8


async def test_closing_before_a_flight_took_its_first_step_ends_it_too(
    data: bytes, server: SourceServer, tmp_path: Path
) -> None:
    async with place(tmp_path) as here:
        flight = here.fetch(data, server)
        await here.fetching.close()
        assert flight.failed
        assert here.fetching.flights == 0
    assert asked(server) == []


async def test_what_is_verified_when_the_gateway_stops_is_held_all_the_same(
    data: bytes, server: SourceServer, tmp_path: Path
) -> None:
    async with place(tmp_path) as here:
        flight = here.fetch(data, server)
        while not flight.complete:
            await change(flight)
        await here.fetching.close()
        assert here.blobs.size(wanted(data).digest) == SIZE
        assert flight.complete
        assert here.leftovers == []


async def test_a_liars_trial_is_not_won_by_bytes_that_nobody_has_verified(
    data: bytes, server: SourceServer, tmp_path: Path
) -> None:
    server.fault(CorruptByte(0))
    states: list[State] = []
    async with place(tmp_path, health=HealthSettings(violation_s=0.02)) as here:
        here.fetching.health.changed.append(lambda _source, _before, after: states.append(after.state))
        assert (await here.hold(data, server)).failed
        assert (await here.hold(data, server)).failed
        server.heal()
        assert (await here.hold(data, server)).stage is Stage.HELD
    assert states == [State.OPEN, State.HALF_OPEN, State.OPEN, State.HALF_OPEN, State.CLOSED]

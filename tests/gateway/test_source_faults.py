"""Sources that lie or die while clients are being served: nothing wrong is ever whole (threats 1, 2, 15 and 32)."""

import hashlib
from collections.abc import Iterator

import pytest

from tests.gateway.conftest import MIB, World, crowd_asking, make_archive, read_all, serving
from tests.gateway.wire import close_all, request
from tests.gateway_process import journal_objections
from tests.simulator.faults import (
    CorruptByte,
    EndlessBody,
    Fault,
    Hold,
    HtmlPage,
    ResetInBody,
    Status,
    Substitute,
    Truncate,
)
from tests.simulator.keys import Keys
from tests.threats.conftest import journal_of
from tidegate.store.journal import Event

CROWD = 8
HELD_AT = 600_000
COLD = "pool/main/f/flight/flight_1.0_amd64.deb"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, keys: Keys) -> Iterator[World]:
    root = tmp_path_factory.mktemp("faults")
    archive = make_archive(root / "archive", keys)
    archive.add_package("flight", "1.0", filling_bytes=MIB)
    archive.publish()
    with serving(root, archive) as world:
        yield world


@pytest.fixture
def cold(world: World) -> Iterator[str]:
    """A package of a mebibyte, held nowhere, and a gateway that remembers neither faults nor uses."""
    yield COLD
    for source in (world.server, world.second):
        source.heal()
        source.forget()
    world.gateway.stop()
    (world.gateway.state / "sources.json").unlink()
    for left in world.gateway.state.glob("holds.db*"):  # what was used is fetched beforehand
        left.unlink()
    for blob in (world.gateway.state / "cache/blobs").glob("*/*"):
        if blob.stat().st_size == len(world.body(COLD)):
            blob.unlink()
    world.gateway.start()


# Wrong bytes


def test_wrong_last_byte_is_never_seen_by_anybody(world: World, cold: str) -> None:
    with world.server.faulty(CorruptByte(len(world.body(cold)) - 1), cold):
        wires = crowd_asking(world, cold, CROWD)
        try:
            replies = read_all(wires)
        finally:
            close_all(wires)
    for reply in replies:
        assert reply is not None, "the second source's bytes begin as the first one's did"
        world.oracle.check(cold, reply.body)


def test_wrong_first_byte_is_never_part_of_a_whole_body_and_asking_again_helps(world: World, cold: str) -> None:
    with world.server.faulty(CorruptByte(0), cold):
        wires = crowd_asking(world, cold, CROWD)
        try:
            replies = read_all(wires)
        finally:
            close_all(wires)
        for reply in replies:
            if reply is not None:
                world.oracle.check(cold, reply.body)
        assert world.get(cold).body == world.body(cold)
    assert world.second.asked(cold)


@pytest.mark.parametrize(
    "fault",
    [
        *(CorruptByte(500_000), Truncate(500_000, honest=True), HtmlPage(), Status(500)),
        Substitute(b"!<arch>\n" * 200_000),
    ],
    ids=repr,
)
def test_no_client_gets_a_whole_body_where_every_source_is_wrong(world: World, cold: str, fault: Fault) -> None:
    with world.server.faulty(fault, cold), world.second.faulty(fault, cold):
        wires = crowd_asking(world, cold, CROWD)
        try:
            replies = read_all(wires)
        finally:
            close_all(wires)
    assert all(reply is None or reply.status in (403, 503) for reply in replies)


@pytest.mark.parametrize("fault", [Truncate(500_000), EndlessBody(), EndlessBody(declared=True)], ids=repr)
def test_right_bytes_make_a_whole_body_however_they_came(world: World, cold: str, fault: Fault) -> None:
    with world.server.faulty(fault, cold), world.second.faulty(fault, cold):
        wires = crowd_asking(world, cold, CROWD)
        try:
            replies = read_all(wires)
        finally:
            close_all(wires)
    for reply in replies:
        assert reply is not None
        world.oracle.check(cold, reply.body)


# Sources that fail in the middle


def test_who_went_on_for_whom_and_from_which_byte_is_in_the_journal(world: World, cold: str) -> None:
    digest, state = hashlib.sha256(world.body(cold)).hexdigest(), world.gateway.state

    def switches() -> list[Event]:
        return [event for event in journal_of(state, "failover") if event.data["digest"] == digest]

    before = len(switches())
    with world.server.faulty(Truncate(HELD_AT), cold):
        assert world.get(cold).status == 200
    world.gateway.wait_for(lambda: len(switches()) > before)
    event = switches()[-1]
    assert (event.subject, event.data["to"]) == (world.server.url, world.second.url)
    assert (event.data["at_byte"], event.data["archives"]) == (HELD_AT, "debian")
    assert journal_objections(state) == []


def test_source_that_ends_in_mid_body_is_followed_by_the_next_at_the_same_byte(world: World, cold: str) -> None:
    with world.server.faulty(ResetInBody(HELD_AT), cold):
        wires = crowd_asking(world, cold, CROWD)
        try:
            replies = read_all(wires)
        finally:
            close_all(wires)
    assert {reply and reply.body for reply in replies} == {world.body(cold)}
    world.oracle.check(cold, world.body(cold))
    (again,) = world.second.asked(cold)
    assert again.range.startswith("bytes=")
    assert int(again.range[6:-1]) > 0


@pytest.mark.parametrize("fields", [(), ("Connection: close",), ("Range: bytes=10-",)])
def test_flight_that_fails_in_mid_body_cuts_the_connection(world: World, cold: str, fields: tuple[str, ...]) -> None:
    size = len(world.body(cold))
    for source in (world.server, world.second):
        source.fault(Status(500), cold)
    gate = Hold(HELD_AT)
    world.server.fault(gate, cold, times=1)
    with world.wire() as wire:
        wire.send(request(f"/debian/{cold}", *fields) + request("/debian/dists/stable/InRelease"))
        assert wire.read_head()[0] in (200, 206)
        world.server.wait_for(lambda: gate.held == 1)
        world.server.drop_connections()
        gate.release()
        assert len(wire.rest()) <= HELD_AT < size - 10, "neither the whole nor anything behind it"
    for source in (world.server, world.second):
        source.heal()
    assert world.get(cold).body == world.body(cold)

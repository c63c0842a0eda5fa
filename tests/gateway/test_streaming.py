"""Misses: one flight for all who want it, streamed while it runs, the last byte only once it is verified.

Each test has a cold package of its own; the source stalls where the test says, so nothing depends on speed.
"""

from collections.abc import Iterator

import pytest

from tests.e2e.judging import refreshed, status_of
from tests.gateway.conftest import MIB, World, asked, crowd_asking, make_archive, read_all, serving
from tests.gateway.wire import close_all, request, wait_until
from tests.simulator.keys import Keys

CROWD = 64
FLIGHTS = 24
PIECE = 200_000
HELD_AT = 600_000
FLIGHTS_PER_CLIENT = 6
GATEWAY_SETTINGS = f"[gateway]\nflights_per_client_max = {FLIGHTS_PER_CLIENT}\n"


@pytest.fixture(scope="module", params=[1, 2], ids=["one worker", "two workers"])
def world(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, keys: Keys) -> Iterator[World]:
    root = tmp_path_factory.mktemp("streaming")
    archive = make_archive(root / "archive", keys)
    for number in range(FLIGHTS):
        archive.add_package(f"flight{number}", "1.0", filling_bytes=MIB)
    archive.publish()
    arguments = ("--workers", str(request.param))
    with serving(root, archive, settings=GATEWAY_SETTINGS, arguments=arguments) as world:
        yield world


@pytest.fixture(scope="module")
def numbers(world: World) -> Iterator[int]:
    """Anew for each gateway."""
    return iter(range(FLIGHTS))


@pytest.fixture
def cold(world: World, numbers: Iterator[int]) -> Iterator[str]:
    """A package of a mebibyte that nobody has asked for."""
    number = next(numbers)
    yield f"pool/main/f/flight{number}/flight{number}_1.0_amd64.deb"
    world.server.heal()


def test_crowd_on_a_cold_object_is_one_request_and_gets_its_bytes_while_they_come(world: World, cold: str) -> None:
    gate = world.server.hold(HELD_AT, cold)
    wires = crowd_asking(world, cold, CROWD)
    try:
        early = []
        for wire in wires:
            status, _, headers = wire.read_head()
            assert (status, headers["x-tidegate"].partition(";")[0]) == (200, "stream")
            early.append(wire.take(PIECE))
        assert gate.held == 1, "the fetch is still under way"
        assert asked(world, cold) == 1
        gate.release()
        size = len(world.body(cold))
        bodies = {first + wire.take(size - PIECE) for first, wire in zip(early, wires, strict=True)}
        assert len(bodies) == 1
        world.oracle.check(cold, bodies.pop())
        assert asked(world, cold) == 1
    finally:
        close_all(wires)
    assert world.get(cold).how in ("hit", "wait", "stream")
    assert asked(world, cold) == 1


@pytest.mark.slow
def test_no_client_of_a_large_crowd_is_lost(world: World, cold: str) -> None:
    gate = world.server.hold(HELD_AT, cold)
    wires = crowd_asking(world, cold, 400)
    world.server.wait_for(lambda: gate.held == 1)
    gate.release()
    try:
        bodies = {None if reply is None else reply.body for reply in read_all(wires)}
    finally:
        close_all(wires)
    assert bodies == {world.body(cold)}
    assert asked(world, cold) == 1


def test_crowd_on_many_small_cold_objects_asks_for_each_once(world: World) -> None:
    paths = [f"pool/main/c/cold{number}/cold{number}_1.0_amd64.deb" for number in range(20)]
    wires = [wire for path in paths for wire in crowd_asking(world, path, 5)]
    try:
        replies = read_all(wires)
    finally:
        close_all(wires)
    for path, reply in zip((path for path in paths for _ in range(5)), replies, strict=True):
        assert reply is not None
        assert reply.body == world.body(path)
    for path in paths:
        world.oracle.check(path, world.body(path))
        assert asked(world, path) == 1


# Clients that come and go


def test_client_that_leaves_does_not_take_the_flight_along(world: World, cold: str) -> None:
    gate = world.server.hold(HELD_AT, cold)
    wires = crowd_asking(world, cold, 8)
    leaving, staying = wires[:4], wires[4:]
    for wire in wires:
        assert wire.read_head()[0] == 200
        wire.take(PIECE)
    close_all(leaving)
    gate.release()
    size = len(world.body(cold))
    try:
        assert {wire.take(size - PIECE) for wire in staying} == {world.body(cold)[PIECE:]}
    finally:
        close_all(staying)
    assert asked(world, cold) == 1


def test_flight_goes_on_when_all_have_left(world: World, cold: str) -> None:
    gate = world.server.hold(HELD_AT, cold)
    for wire in crowd_asking(world, cold, 4):
        wire.read_head()
        wire.close()
    gate.release()
    wait_until(lambda: world.get(cold).how == "hit")
    assert asked(world, cold) == 1


def test_fetches_begun_and_abandoned_by_the_hundred_are_one(world: World, cold: str) -> None:
    gate = world.server.hold(0, cold)
    for _ in range(10):
        close_all(crowd_asking(world, cold, 30))
    world.server.wait_for(lambda: gate.held == 1)
    gate.release()
    reply = world.get(cold)
    assert reply.body == world.body(cold)
    assert asked(world, cold) == 1


def test_part_of_a_flight_under_way_is_given_but_for_its_last_byte(world: World, cold: str) -> None:
    gate = world.server.hold(HELD_AT, cold)
    whole = world.body(cold)
    with world.wire() as first, world.wire() as early, world.wire() as late:
        first.send(request(f"/debian/{cold}"))
        first.read_head()
        early.send(request(f"/debian/{cold}", f"Range: bytes=1000-{PIECE - 1}"))
        status, _, headers = early.read_head()
        assert (status, headers["content-range"]) == (206, f"bytes 1000-{PIECE - 1}/{len(whole)}")
        got = early.take(PIECE - 1000 - 1)
        late.send(request(f"/debian/{cold}", "Range: bytes=-10"))
        gate.release()
        assert got + early.take(1) == whole[1000:PIECE]
        assert late.read().body == whole[-10:]
        assert first.take(len(whole)) == whole
    assert asked(world, cold) == 1


def test_head_and_conditions_are_answered_on_a_flight_under_way(world: World, cold: str) -> None:
    gate = world.server.hold(HELD_AT, cold)
    with world.wire() as wire, world.wire() as other:
        wire.send(request(f"/debian/{cold}"))
        _, _, headers = wire.read_head()
        with world.wire() as third:
            assert third.ask(f"/debian/{cold}", method="HEAD").headers["etag"] == headers["etag"]
        assert other.ask(f"/debian/{cold}", f"If-None-Match: {headers['etag']}").status == 304
        gate.release()
        assert wire.take(len(world.body(cold))) == world.body(cold)


def test_flights_that_one_client_may_begin_are_bounded_and_the_rest_wait(world: World) -> None:
    paths = [f"pool/main/w/wide{number}/wide{number}_1.0_amd64.deb" for number in range(3 * FLIGHTS_PER_CLIENT)]
    for number in range(len(paths)):
        world.archive.add_package(f"wide{number}", "1.0", filling_bytes=1000)
    world.archive.publish()
    assert refreshed(world.gateway)
    gate = world.server.hold(None, "pool/main/w/*")
    wires = [wire for path in paths for wire in crowd_asking(world, path, 1)]
    workers = status_of(world.gateway)["running"]["workers"]
    try:
        world.server.wait_for(lambda: gate.held >= FLIGHTS_PER_CLIENT)
        assert gate.held <= FLIGHTS_PER_CLIENT * workers
        gate.release()
        for path, wire in zip(paths, wires, strict=True):
            world.oracle.check(path, wire.read().body)
    finally:
        close_all(wires)
        world.server.heal()


def test_unlisted_files_count_among_a_clients_fetches(world: World) -> None:
    paths = [f"installer/image{number}" for number in range(3 * FLIGHTS_PER_CLIENT)]
    for path in paths:
        image = world.archive.public.resolve() / path
        image.parent.mkdir(exist_ok=True)
        image.write_bytes(path.encode())
    gate = world.server.hold(None, "installer/*")
    wires = [wire for path in paths for wire in crowd_asking(world, path, 1)]
    workers = status_of(world.gateway)["running"]["workers"]
    try:
        world.server.wait_for(lambda: gate.held >= FLIGHTS_PER_CLIENT)
        assert gate.held <= FLIGHTS_PER_CLIENT * workers
        gate.release()
        assert [wire.read().body.decode() for wire in wires] == paths
    finally:
        close_all(wires)
        world.server.heal()

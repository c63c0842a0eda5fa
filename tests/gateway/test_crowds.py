"""How much clients may take: connections, descriptors, memory (threats 34 and 43)."""

import hashlib
import os
import resource
import socket
import statistics
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.gateway.conftest import HELLO, LARGE, World, open_connections
from tests.gateway.wire import Wire, close_all, request, wait_until

CONNECTIONS_MAX = 64
GATEWAY_SETTINGS = f"""\
[gateway]
connections_max = {CONNECTIONS_MAX}
connections_per_client_max = {CONNECTIONS_MAX - 4}
open_files_max = 16
"""


@pytest.fixture(autouse=True)
def _unharmed(world: World) -> Iterator[None]:
    """Whatever a test does, the next client gets its bytes, and nothing is left of the one before."""
    assert world.get(HELLO).body == world.body(HELLO)
    yield
    wait_until(lambda: open_connections(world) == 0)


def open_files(pid: int) -> int:
    return sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())


# Connections


def test_connections_of_one_client_beyond_its_share_are_closed_and_the_others_stay(world: World) -> None:
    share = CONNECTIONS_MAX - 4
    wires = [world.wire() for _ in range(share)]
    try:
        assert wires[-1].ask(f"/debian/{HELLO}").status == 200
        with world.wire() as beyond:
            assert beyond.rest() == b""
        wires.pop().close()
        wait_until(lambda: open_connections(world) == share - 1)
        with world.wire() as wire:
            assert wire.ask(f"/debian/{HELLO}").status == 200
        assert wires[0].ask(f"/debian/{HELLO}").status == 200
    finally:
        close_all(wires)


def test_client_beyond_all_connections_waits_and_is_served_when_there_is_room(world: World) -> None:
    wires: list[Wire] = []
    try:
        for number in range(CONNECTIONS_MAX):  # from several addresses of this machine, each below its share
            wire = Wire.__new__(Wire)
            wire.socket, wire.buffer = socket.socket(), b""
            wire.socket.settimeout(15)
            wire.socket.bind((f"127.0.0.{2 + number % 4}", 0))
            wire.socket.connect(("127.0.0.1", world.gateway.port))
            wires.append(wire)
        wait_until(lambda: open_connections(world) == CONNECTIONS_MAX)
        with world.wire() as waiting:
            waiting.send(request(f"/debian/{HELLO}"))
            assert open_connections(world) == CONNECTIONS_MAX
            assert waiting.socket.getpeername()
            wires.pop().close()
            assert waiting.read().body == world.body(HELLO)
    finally:
        close_all(wires)


def test_gateway_out_of_descriptors_serves_whom_it_has_and_does_not_spin(world: World) -> None:
    pid = world.gateway.pid
    with world.wire() as kept:
        assert kept.ask(f"/debian/{HELLO}").status == 200
        before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        used = open_files(pid)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (used, before[1]))
        try:
            with world.wire() as waiting:
                waiting.send(request(f"/debian/{HELLO}"))
                begun, spent = time.monotonic(), cpu_seconds(pid)
                while time.monotonic() - begun < 1.5:
                    assert kept.ask(f"/debian/{HELLO}").status == 200
                    time.sleep(0.05)
                assert cpu_seconds(pid) - spent < 0.75
                resource.prlimit(pid, resource.RLIMIT_NOFILE, before)
                assert waiting.read().body == world.body(HELLO)
        finally:
            resource.prlimit(pid, resource.RLIMIT_NOFILE, before)


def test_blob_that_cannot_be_opened_for_want_of_descriptors_is_refused_and_others_are_served(world: World) -> None:
    shelved = "pool/main/libg/libgreet1/libgreet1_1.0+ds-1~sim1_amd64.deb"
    assert world.get(LARGE).status == 200
    assert world.get(shelved).status == 200
    world.gateway.restart()  # nothing is open
    pid = world.gateway.pid
    with world.wire() as first, world.wire() as second:
        assert first.ask(f"/debian/{HELLO}").status == 200
        assert second.ask(f"/debian/{HELLO}").status == 200
        before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (open_files(pid), before[1]))
        try:
            first.send(request(f"/debian/{LARGE}") + request(f"/debian/{shelved}"))
            second.send(request(f"/debian/{HELLO}") * 3)
            for reply in (first.read(), first.read()):
                assert (reply.status, reply.reason.rpartition(": ")[2]) == (503, "Too many open files")
            assert [second.read().body for _ in range(3)] == [world.body(HELLO)] * 3
        finally:
            resource.prlimit(pid, resource.RLIMIT_NOFILE, before)
        assert first.ask(f"/debian/{LARGE}").body == world.body(LARGE)
    world.oracle.check(LARGE, world.body(LARGE))


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_no_more_blobs_stay_open_than_is_set(world: World) -> None:
    paths = [f"pool/main/c/cold{number}/cold{number}_1.0_amd64.deb" for number in range(20)]
    before = open_files(world.gateway.pid)
    for path in [*paths, *paths]:
        assert world.get(path).body == world.body(path)
    # Drafts stay open until they are durable, which is behind the answers, and the last group's until the next one.
    blobs = world.gateway.state / "cache/blobs"
    digests = [hashlib.sha256(world.body(path)).hexdigest() for path in paths]
    wait_until(lambda: all((blobs / digest[:2] / digest[2:]).exists() for digest in digests))
    assert world.get("pool/main/h/hello/hello_1.0-1.dsc").status == 200
    wait_until(lambda: open_files(world.gateway.pid) <= before + 16 + 4)


def test_client_that_leaves_in_mid_body_leaves_nothing_behind(world: World) -> None:
    world.get(LARGE)
    before = open_files(world.gateway.pid)
    for _ in range(30):
        with world.wire(receive_buffer_bytes=4096) as wire:
            wire.send(request(f"/debian/{LARGE}"))
            wire.take(1000)
    wait_until(lambda: open_connections(world) == 0)
    wait_until(lambda: open_files(world.gateway.pid) <= before)


# A crowd


@pytest.mark.slow
def test_five_thousand_idle_connections_do_not_hurt_a_fast_one(world: World) -> None:
    crowd_size = 5_000
    _room_for(2 * crowd_size)
    idle = "[gateway]\nidle_timeout_s = 120.0\nheader_timeout_s = 120.0\n"
    quiet_settings = world.gateway.config.read_text()
    world.gateway.config.write_text(idle + quiet_settings.partition("\n\n")[2])
    world.gateway.restart()
    crowd: list[Wire] = []
    try:
        memory = _memory_bytes(world.gateway.pid)
        quiet = _latencies(world)
        crowd.extend(world.wire() for _ in range(crowd_size))
        for wire in crowd[::10]:
            wire.send(request(f"/debian/{HELLO}")[:30])
        wait_until(lambda: open_connections(world) >= crowd_size)
        crowded = _latencies(world)
        # What looks at each connection in turn shows in every answer; what else the machine does, in some.
        assert _p(crowded, 50) < max(2 * _p(quiet, 50), 0.001)
        assert _memory_bytes(world.gateway.pid) - memory < crowd_size * 8_192
    finally:
        close_all(crowd)
        world.gateway.config.write_text(quiet_settings)
        world.gateway.restart()


def _latencies(world: World, count: int = 1000) -> list[float]:
    taken = []
    with world.wire() as wire:
        for _ in range(count):
            begun = time.perf_counter()
            assert wire.ask(f"/debian/{HELLO}").status == 200
            taken.append(time.perf_counter() - begun)
    return taken


def _p(values: list[float], percent: int) -> float:
    return statistics.quantiles(values, n=100)[percent - 1]


def _memory_bytes(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def _room_for(descriptors: int) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < descriptors:
        pytest.fail(f"this machine allows {hard} descriptors, the test needs {descriptors}")
    if soft < descriptors:
        resource.setrlimit(resource.RLIMIT_NOFILE, (descriptors, hard))

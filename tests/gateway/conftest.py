"""One gateway for each module that talks to a real process over real sockets."""

import contextlib
import json
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.gateway.wire import CutShortError, Reply, Wire, request
from tests.gateway_process import GatewayProcess, ServedArchive
from tests.oracle import Oracle
from tests.simulator.archive import SimulatedArchive
from tests.simulator.keys import Keys
from tests.simulator.server import SourceServer

MIB = 1 << 20
BY_HASH = "dists/stable/main/binary-amd64/by-hash/SHA256/"
HELLO = "pool/main/h/hello/hello_1.0_amd64.deb"
LARGE = "pool/main/l/large/large_1.0_amd64.deb"
"""A package of 3 MiB."""
HUGE = "pool/main/h/huge/huge_1.0_amd64.deb"
"""A package of 32 MiB: more than the kernel takes off the gateway's hands for a client that does not read."""


@dataclass(frozen=True, slots=True)
class World:
    """A vendor, two sources that carry what it publishes, and a gateway that asks the first, then the second."""

    archive: SimulatedArchive
    server: SourceServer
    second: SourceServer
    gateway: GatewayProcess
    oracle: Oracle

    def wire(self, receive_buffer_bytes: int | None = None) -> Wire:
        """A connection to the gateway."""
        return Wire(self.gateway.port, receive_buffer_bytes=receive_buffer_bytes)

    def get(self, path: str, *fields: str) -> Reply:
        """A path of the archive on a connection of its own; a whole body is judged."""
        with self.wire() as wire:
            reply = wire.ask(f"/debian/{path}", *fields)
        if reply.status == 200:
            self.oracle.check(path, reply.body)
        return reply

    def body(self, path: str) -> bytes:
        """The file as it was published."""
        return self.archive.read(path)


def make_archive(root: Path, keys: Keys) -> SimulatedArchive:
    """The archive of these tests."""
    archive = SimulatedArchive(root, keys)
    archive.add_package("hello", "1.0", depends="libgreet1")
    archive.add_package("libgreet1", "1.0+ds-1~sim1")
    archive.add_package("large", "1.0", filling_bytes=3 * MIB)
    archive.add_package("huge", "1.0", filling_bytes=32 * MIB)
    for number in range(20):
        archive.add_package(f"cold{number}", "1.0", filling_bytes=1000)
    archive.add_source("hello", "1.0-1")
    archive.publish()
    return archive


@contextlib.contextmanager
def serving(
    root: Path, archive: SimulatedArchive, *, settings: str = "", arguments: Sequence[str] = ()
) -> Iterator[World]:
    """A gateway, started and ready, before two sources of the archive."""
    keyring = archive.keys.keyring
    with (
        SourceServer(archive.public, prefix="/debian") as server,
        SourceServer(archive.public, prefix="/debian") as second,
    ):
        alias = "http://archive.example/debian"
        served = ServedArchive("debian", (server.url, second.url), keyring, aliases=(alias,))
        gateway = GatewayProcess(root / "gateway", (served,), settings=settings, arguments=arguments)
        gateway.start()
        try:
            yield World(archive, server, second, gateway, Oracle(keyring, archive.public))
            assert gateway.running, gateway.log
        finally:
            gateway.kill9()
        assert "Traceback" not in gateway.log, gateway.log


@pytest.fixture(scope="module")
def world(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, keys: Keys) -> Iterator[World]:
    """One for the module, whose GATEWAY_SETTINGS is further TOML."""
    root = tmp_path_factory.mktemp("world")
    settings = getattr(request.module, "GATEWAY_SETTINGS", "")
    with serving(root, make_archive(root / "archive", keys), settings=settings) as world:
        yield world


def crowd_asking(world: World, path: str, count: int) -> list[Wire]:
    """So many clients that have asked for one path."""
    wires = [world.wire() for _ in range(count)]
    for wire in wires:
        wire.send(request(f"/debian/{path}"))
    return wires


def read_all(wires: list[Wire]) -> list[Reply | None]:
    """What each got: None where the connection was cut."""
    replies: list[Reply | None] = []
    for wire in wires:
        try:
            replies.append(wire.read())
        except CutShortError:
            replies.append(None)
    return replies


def asked(world: World, path: str) -> int:
    """How often a source was asked for a path."""
    return len(world.server.asked(path)) + len(world.second.asked(path))


def open_connections(world: World) -> int:
    """How many clients the gateway has, by its own account."""
    with urllib.request.urlopen(f"{world.gateway.admin_url}/status.json", timeout=10) as answer:
        return int(json.load(answer)["traffic"]["connections"])

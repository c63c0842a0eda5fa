"""Several workers: a client goes to the worker that owns what it asks for, and is lost on no way there."""

import asyncio
import contextlib
import hashlib
import itertools
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import uvloop

from tests.gateway.places import archive
from tests.gateway.wire import request
from tests.keeper.house import until
from tests.simulator.server import SourceServer
from tests.sources.flying import place
from tidegate.gateway import answering
from tidegate.gateway.access_log import AccessLog
from tidegate.gateway.answering import Rooms
from tidegate.gateway.connection import Connection
from tidegate.gateway.resolve import Resolver
from tidegate.gateway.server import Gateway
from tidegate.gateway.settings import GatewaySettings
from tidegate.gateway.siblings import Siblings
from tidegate.gateway.target import Routes
from tidegate.store.catalogue import Adoption, Listed, Snapshot
from tidegate.store.memory_catalogue import MemoryCatalogue
from tidegate.wiring.listening import listen_on

PATH = "pool/main/p/package/package_1_amd64.deb"
INRELEASE = request("/debian/dists/stable/InRelease")
PACKAGE = request(f"/debian/{PATH}")
KEEPER, OTHER = 0, 1


class Refusing(Siblings):
    """Counts how often there was no room."""

    refused = 0

    def hand_over(self, worker: int, connection: Connection, received: bytes) -> bool:
        went = super().hand_over(worker, connection, received)
        self.refused += not went
        return went


@dataclass(slots=True)
class Beside:
    """The second worker of two. The first has not read for a while: its queue is full, until it does."""

    port: int
    gateway: Gateway
    siblings: Refusing
    first: Siblings
    clients: list[asyncio.StreamWriter] = field(default_factory=list)

    async def client(self, asking: bytes) -> asyncio.StreamReader:
        """Somebody who has asked for something."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        self.clients.append(writer)
        writer.write(asking)
        return reader


@asynccontextmanager
async def beside_a_swamped_one(
    directory: Path, catalogue: MemoryCatalogue, *sources: SourceServer
) -> AsyncIterator[Beside]:
    """Only the kernel's queue and its limit are between the two."""
    pairs = [socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET) for _ in range(2)]
    for sock in itertools.chain(*pairs):
        sock.setblocking(False)
    outboxes = [outbox for outbox, _ in pairs]
    siblings = Refusing(OTHER, pairs[OTHER][1], outboxes)
    one = archive("debian", sources=tuple(source.url for source in sources) or ("http://mirror.example/debian",))
    archives = {one.name: one}
    async with place(directory) as fetches:
        rooms = Rooms(archives, Resolver((one,), catalogue, fresh_since=0), fetches.blobs, fetches.fetching, None)
        listener = listen_on("127.0.0.1:0")
        routes = Routes(archives.values(), lambda _: None)
        gateway = Gateway(listener, routes, rooms, catalogue, GatewaySettings(), AccessLog(None), siblings)
        gateway.start()
        with contextlib.suppress(BlockingIOError):
            while True:
                outboxes[KEEPER].send(b"\0")
        first = Siblings(KEEPER, pairs[KEEPER][1], outboxes)
        beside = Beside(listener.getsockname()[1], gateway, siblings, first)
        try:
            yield beside
        finally:
            for client in beside.clients:
                client.close()
            await gateway.stop(0)
            for sock in (listener, *itertools.chain(*pairs)):
                sock.close()


def package_of(worker: int) -> bytes:
    """A package whose digest is that worker's."""
    bodies = (b"package %d" % number for number in itertools.count())
    return next(body for body in bodies if int.from_bytes(hashlib.sha256(body).digest()[:4], "big") % 2 == worker)


def catalogue_with(body: bytes) -> MemoryCatalogue:
    catalogue, now = MemoryCatalogue(), int(time.time())
    packages = Listed("dists/stable/main/binary-amd64/Packages.xz", hashlib.sha256(b"index").digest(), 5)
    catalogue.add_listing(packages.digest, [Listed(PATH, hashlib.sha256(body).digest(), len(body))])
    release = hashlib.sha256(b"release").digest()
    snapshot = Snapshot("debian", "stable", now, None, release, "http://mirror.example", now, now)
    catalogue.adopt(Adoption(snapshot, [packages], {}))
    return catalogue


def test_client_that_the_keeper_has_no_room_for_waits_and_gets_there(tmp_path: Path) -> None:
    async def story() -> None:
        async with beside_a_swamped_one(tmp_path, MemoryCatalogue()) as here:
            reader = await here.client(INRELEASE + PACKAGE)
            await until(lambda: here.siblings.refused >= 2)
            assert here.gateway.connections == 1
            assert here.first.receive() == [], "so far there is only what made the queue full"
            await until(lambda: here.siblings.handed == 1)
            ((sock, peer, received),) = here.first.receive()
            assert (peer, received) == ("127.0.0.1", INRELEASE + PACKAGE)
            assert here.gateway.connections == 0
            with sock:
                sock.send(b"from there")
            assert await reader.read() == b"from there"

    uvloop.run(story())


def test_client_whose_package_another_worker_owns_is_served_here_when_that_has_no_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answering, "SWAMPED_MAX_S", 0.05)
    body = package_of(KEEPER)
    published = tmp_path / "published" / PATH
    published.parent.mkdir(parents=True)
    published.write_bytes(body)

    async def story(server: SourceServer) -> bytes:
        async with beside_a_swamped_one(tmp_path / "store", catalogue_with(body), server) as here:
            reader = await here.client(PACKAGE)
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200 OK\r\n")
            assert (here.siblings.handed, here.siblings.refused > 1) == (0, True)
            return await reader.readexactly(len(body))

    with SourceServer(tmp_path / "published", prefix="/debian") as server:
        assert uvloop.run(story(server)) == body
        assert len(server.asked(PATH)) == 1


def test_client_goes_to_its_package_s_owner_at_once_where_there_is_room(tmp_path: Path) -> None:
    body = package_of(KEEPER)

    async def story() -> None:
        async with beside_a_swamped_one(tmp_path, catalogue_with(body)) as here:
            here.first.receive()
            await here.client(PACKAGE)
            await until(lambda: here.siblings.handed == 1)
            ((sock, _, received),) = here.first.receive()
            sock.close()
            assert (received, here.siblings.refused) == (PACKAGE, 0)

    uvloop.run(story())

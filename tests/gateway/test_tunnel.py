"""CONNECT: bytes both ways to whoever is allowed, and to nobody else (RFC 9110, 9.3.6; threat 23)."""

import asyncio
import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import AptFactory, GatewayFactory
from tests.gateway.conftest import HELLO, World
from tests.gateway.wire import CutShortError, Wire, request, wait_until
from tests.gateway_process import ServedArchive
from tests.oracle import Oracle
from tests.simulator.archive import SimulatedArchive
from tests.simulator.keys import Keys
from tests.simulator.server import SourceServer
from tests.simulator.tls import Authority
from tidegate.gateway.tunnel import pump

ESTABLISHED = b"HTTP/1.1 200 Connection established\r\n\r\n"


class Echo:
    """A server that sends back what it gets, in capitals, and says goodbye when the client has no more."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.accepted = 0
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self.accepted += 1
                threading.Thread(target=self._echo, args=(connection,), daemon=True).start()

    @staticmethod
    def _echo(connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            while data := connection.recv(65_536):
                connection.sendall(data.upper())
            connection.sendall(b"GOODBYE")

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


@pytest.fixture(scope="module")
def echo() -> Iterator[Echo]:
    made = Echo()
    yield made
    made.close()


@pytest.fixture
def tunnels(world: World, echo: Echo) -> World:
    """The gateway, told that the echo may be reached."""
    text = world.gateway.config.read_text()
    if f":{echo.port}" not in text:
        allowed = f'[gateway]\ntunnels_max = 4\ntunnel_hosts = ["127.0.0.1:{echo.port}", "localhost:{echo.port}"]\n'
        world.gateway.config.write_text(allowed + text)
        world.gateway.reload()
        world.gateway.wait_for(lambda: "read anew" in world.gateway.log)
    return world


def connect(wire: Wire, to: str, behind: bytes = b"") -> bytes:
    wire.send(request(to, method="CONNECT") + behind)
    return wire.take(len(ESTABLISHED))


def test_bytes_go_both_ways_and_the_end_of_one_side_is_passed_on(tunnels: World, echo: Echo) -> None:
    with tunnels.wire() as wire:
        assert connect(wire, f"127.0.0.1:{echo.port}") == ESTABLISHED
        wire.send(b"hello")
        assert wire.take(5) == b"HELLO"
        wire.socket.shutdown(socket.SHUT_WR)
        assert wire.rest() == b"GOODBYE"


def test_bytes_sent_along_with_the_request_arrive_first(tunnels: World, echo: Echo) -> None:
    with tunnels.wire() as wire:
        assert connect(wire, f"127.0.0.1:{echo.port}", b"early\0\xff") == ESTABLISHED
        assert wire.take(7) == b"EARLY\0\xff"


def test_megabytes_go_through_unchanged(tunnels: World, echo: Echo) -> None:
    sent = b"A" * 65_536 * 64
    with tunnels.wire() as wire:
        assert connect(wire, f"127.0.0.1:{echo.port}") == ESTABLISHED
        sender = threading.Thread(target=wire.send, args=(sent,))
        sender.start()
        assert wire.take(len(sent)) == sent
        sender.join(10)


@pytest.mark.parametrize(
    "to",
    [
        *("127.0.0.1:22", "127.0.0.1:80", "0.0.0.0:{port}", "127.1:{port}", "2130706433:{port}", "0x7f.1:{port}"),
        *("0177.0.0.1:{port}", "[::1]:{port}", "[::ffff:127.0.0.1]:{port}", "127.0.0.2:{port}", "127.0.0.1.:0{port}"),
        *("169.254.169.254:80", "[fd00:ec2::254]:80", "metadata.internal:80", "archive.example:443"),
        *("127.0.0.1", "127.0.0.1:", "http://127.0.0.1:{port}", "127.0.0.1:{port}/", "user@127.0.0.1:{port}", "*"),
    ],
)
def test_tunnel_to_anybody_else_is_refused(tunnels: World, echo: Echo, to: str) -> None:
    before = echo.accepted
    with tunnels.wire() as wire:
        wire.send(request(to.format(port=echo.port), method="CONNECT") + b"\x16\x03\x01")
        reply = wire.read()
        assert reply.status in (400, 403)
        assert wire.rest() == b""
    assert echo.accepted == before


def test_name_that_leads_to_this_machine_is_refused_though_it_is_allowed(tunnels: World, echo: Echo) -> None:
    before = echo.accepted
    with tunnels.wire() as wire:
        wire.send(request(f"localhost:{echo.port}", method="CONNECT"))
        reply = wire.read()
        assert reply.status == 403
        assert "this machine" in reply.reason
    assert echo.accepted == before


def test_tunnels_are_bounded_and_make_room_when_they_end(tunnels: World, echo: Echo) -> None:
    wires = [tunnels.wire() for _ in range(4)]
    for wire in wires:
        assert connect(wire, f"127.0.0.1:{echo.port}") == ESTABLISHED
    with tunnels.wire() as beyond:
        beyond.send(request(f"127.0.0.1:{echo.port}", method="CONNECT"))
        assert beyond.read().status == 503
    with tunnels.wire() as other:
        assert other.ask(f"/debian/{HELLO}").body == tunnels.body(HELLO)
    for wire in wires:
        wire.close()

    def has_room() -> bool:
        with tunnels.wire() as wire:
            with contextlib.suppress(CutShortError):
                return connect(wire, f"127.0.0.1:{echo.port}") == ESTABLISHED
            return False

    wait_until(has_room)


def test_real_apt_updates_and_installs_over_https_through_the_tunnel(
    tmp_path: Path, keys: Keys, archive: SimulatedArchive, private_apt: AptFactory, gateway_process: GatewayFactory
) -> None:
    authority = Authority(tmp_path)
    with SourceServer(archive.public, prefix="/debian", tls=authority.server_context()) as source:
        settings = f'[fetch]\ntls_ca_file = "{authority.certificate}"\n'
        gateway = gateway_process(ServedArchive("debian", (source.url,), keys.keyring), settings=settings)
        gateway.start()
        source.forget()
        trusted = {"Acquire::https::CaInfo": str(authority.certificate)}
        apt = private_apt(f"deb [signed-by=@KEYRING@] {source.url} stable main", proxy=gateway.url, options=trusted)
        apt.update().check()
        apt.install("hello").check()
        assert source.asked("*.deb"), "the bytes came from the source itself, through the tunnel"
        oracle = Oracle(keys.keyring, archive.public)
        for deb in apt.debs():
            (path,) = (path for path in archive.paths() if path.endswith(f"/{deb.name}"))
            oracle.check(path, deb.read_bytes())


# The pump alone


def pair() -> tuple[socket.socket, socket.socket]:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    theirs.settimeout(10)
    return ours, theirs


def test_tunnel_in_which_nothing_moves_is_closed() -> None:
    (near, client), (far, server) = pair(), pair()
    asyncio.run(asyncio.wait_for(pump(near, far, b"", idle_s=0.05), 10))
    assert client.recv(100) == ESTABLISHED
    assert client.recv(100) == b""
    assert server.recv(100) == b""
    client.close()
    server.close()


def test_tunnel_in_which_bytes_move_one_way_only_stays_open() -> None:
    (near, client), (far, server) = pair(), pair()
    idle_s, pieces = 0.2, 8

    def download() -> None:
        for _ in range(pieces):
            server.sendall(b"x" * 100)
            time.sleep(idle_s / 2)  # a source that takes its time, and a client that has nothing to say
        server.close()
        client.shutdown(socket.SHUT_WR)

    sender = threading.Thread(target=download)
    sender.start()
    asyncio.run(asyncio.wait_for(pump(near, far, b"", idle_s=idle_s), 10))
    sender.join(10)
    received = bytearray()
    while data := client.recv(65_536):
        received += data
    assert len(received) == len(ESTABLISHED) + pieces * 100
    client.close()

"""The site's proxy between us and the sources: what it is asked, what it is not asked for, and its own failures."""

import contextlib
import select
import socket
import socketserver
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from tests.simulator.server import SourceServer
from tests.simulator.tls import Authority
from tests.sources.conftest import ServerFactory
from tests.sources.flying import place, source
from tests.sources.sinks import Collected, client, get
from tidegate.gateway.tunnel import open_tunnel
from tidegate.sources.archive import Endpoint, Reach
from tidegate.sources.client import Client
from tidegate.sources.failure import Failure, FetchError
from tidegate.sources.proxy import goes_by, proxy_of
from tidegate.sources.settings import FetchSettings

Publish = Callable[[str, int], bytes]
Proxies = Callable[..., "Proxy"]
SIZE = 300_000
MIRROR = Endpoint("http", "mirror.example", 80, Reach.PUBLIC)
SECURE = Endpoint("https", "mirror.example", 443, Reach.PUBLIC)


ESTABLISHED = b"HTTP/1.1 200 Connection established\r\nVia: 1.1 proxy.example\r\n\r\n"


class Proxy(socketserver.ThreadingTCPServer):
    """It has a name service of its own, by which every name leads to one server."""

    daemon_threads = True

    def __init__(self, leads_to: int, answer: bytes) -> None:
        super().__init__(("127.0.0.1", 0), Conversation)
        self.leads_to = leads_to
        self.answer = answer
        self.asked: list[str] = []
        self.port: int = self.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"


class Conversation(socketserver.StreamRequestHandler):
    """With one client."""

    server: Proxy

    def handle(self) -> None:
        line = self.rfile.readline().decode().rstrip()
        fields = b"".join(iter(self.rfile.readline, b"\r\n"))
        self.server.asked.append(line)
        method, target, _ = line.split(" ")
        with contextlib.suppress(ConnectionError), socket.create_connection(("127.0.0.1", self.server.leads_to)) as to:
            if method == "CONNECT":
                self.wfile.write(self.server.answer)
            else:
                path = "/" + target.removeprefix("http://").partition("/")[2]
                to.sendall(f"{method} {path} HTTP/1.1\r\n".encode() + fields + b"\r\n")
            while True:
                for one in select.select([self.request, to], [], [])[0]:
                    data = one.recv(1 << 16)
                    if not data:
                        return
                    (to if one is self.request else self.request).sendall(data)


@pytest.fixture
def proxies() -> Iterator[Proxies]:
    """Make proxies before a server."""
    made: list[Proxy] = []

    def make(server: SourceServer, answer: bytes = ESTABLISHED) -> Proxy:
        made.append(Proxy(server.port, answer))
        threading.Thread(target=made[-1].serve_forever, args=(0.01,)).start()
        return made[-1]

    yield make
    for proxy in made:
        proxy.shutdown()
        proxy.server_close()


@pytest.fixture
def body(publish: Publish) -> bytes:
    return publish("file", SIZE)


async def fetched(asking: Client, endpoint: Endpoint) -> bytes:
    sink = Collected()
    await asking.get(endpoint, "/file", {}, sink)
    return bytes(sink.body)


async def failure_of(asking: Client, endpoint: Endpoint) -> FetchError:
    with pytest.raises(FetchError) as raised:
        await fetched(asking, endpoint)
    return raised.value


async def test_http_is_asked_of_the_proxy_by_its_whole_address_over_one_connection(
    body: bytes, server: SourceServer, proxies: Proxies
) -> None:
    proxy = proxies(server)
    async with client(proxy=proxy.url) as asking:
        assert await fetched(asking, MIRROR) == body
        assert await fetched(asking, MIRROR) == body
    assert proxy.asked == ["GET http://mirror.example/file HTTP/1.1"]
    assert server.asked()[0].headers["host"] == "mirror.example"


async def test_https_goes_through_it_with_the_source_s_own_certificate(
    body: bytes, serve: ServerFactory, tmp_path: Path, proxies: Proxies
) -> None:
    authority = Authority(tmp_path, "mirror.example")
    secure = serve(tls=authority.server_context())
    proxy = proxies(secure)
    async with client(proxy=proxy.url, tls_ca_file=str(authority.certificate)) as asking:
        assert await fetched(asking, SECURE) == body
        assert await fetched(asking, SECURE) == body
        other = Endpoint("https", "another.example", 443, Reach.PUBLIC)
        assert (await failure_of(asking, other)).failure is Failure.TLS
    assert proxy.asked == ["CONNECT mirror.example:443 HTTP/1.1", "CONNECT another.example:443 HTTP/1.1"]


async def test_private_sources_are_asked_directly(body: bytes, server: SourceServer, proxies: Proxies) -> None:
    proxy = proxies(server)
    async with client(proxy=proxy.url) as asking:
        assert (await get(asking, server)).body == body
    assert proxy.asked == []


def test_what_a_site_s_source_is_asked_by_tells_its_name() -> None:
    """With `private` it is asked directly, whatever its name."""
    proxy = proxy_of("http://proxy.example:3128")
    for host in ("intranet", "10.0.0.1", "fd00::1", "localhost"):
        assert goes_by(proxy, Endpoint("http", host, 80, Reach.SITE)) is None
    assert goes_by(proxy, Endpoint("http", "mirror.corp.example", 80, Reach.SITE)) == proxy
    assert goes_by(proxy, Endpoint("http", "mirror.corp.example", 80, Reach.ANY)) is None
    assert goes_by(None, MIRROR) is None


async def test_a_client_s_tunnel_goes_through_the_proxy_too(server: SourceServer, proxies: Proxies) -> None:
    proxy = proxies(server)
    async with client(proxy=proxy.url) as asking:
        (await open_tunnel(asking, "mirror.example", 443)).close()
    assert proxy.asked == ["CONNECT mirror.example:443 HTTP/1.1"]


@pytest.mark.parametrize(
    "host",
    [
        *("127.0.0.1", "169.254.169.254", "10.0.0.1", "::1", "::ffff:127.0.0.1", "0"),
        *("2130706433", "0x7f.1", "127.1", "0x7f000001", "127.0.0.1.", "localhost", "a.localhost", "intranet", "x."),
    ],
)
async def test_the_proxy_is_not_asked_for_what_is_inside(host: str, server: SourceServer, proxies: Proxies) -> None:
    """Threats 23 and 24: it resolves names, so what a redirect names must not be its own network by name alone."""
    proxy = proxies(server)
    async with client(proxy=proxy.url) as asking:
        for scheme in ("http", "https"):
            error = await failure_of(asking, Endpoint(scheme, host, 80, Reach.PUBLIC))
            assert error.failure is Failure.FORBIDDEN_ADDRESS
    assert proxy.asked == []


async def test_caches_on_the_way_are_told_to_look_whether_a_document_is_still_the_same(
    body: bytes, server: SourceServer, tmp_path: Path
) -> None:
    async with place(tmp_path) as here:
        await here.fetching.document(source(server), "file", size_max=SIZE)
        await here.hold(body, server, paths=("file",))
    document, blob = server.asked()
    assert document.headers["cache-control"] == "max-age=0"
    assert "cache-control" not in blob.headers


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", "407 Proxy Authentication Required"),
        (b"HTTP/1.0 403\r\n\r\n", "makes no connection to mirror.example:443: 403"),
        (b"SSH-2.0-OpenSSH_9.2\r\n\r\n", "does not answer as a proxy does"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 20_000, "does not answer as a proxy does"),
        (b"", "is silent"),
    ],
)
async def test_a_proxy_that_makes_no_tunnel_is_named_with_what_it_said(
    answer: bytes, said: str, server: SourceServer, proxies: Proxies
) -> None:
    proxy = proxies(server, answer)
    # Only the one that is silent is waited for; a machine that is busy is not silent.
    async with client(proxy=proxy.url, connect_timeout_s=10.0 if answer else 0.5) as asking:
        error = await failure_of(asking, SECURE)
    assert error.failure is Failure.UNREACHABLE
    assert f"the proxy 127.0.0.1:{proxy.port}" in error.evidence
    assert said in error.evidence


async def test_a_proxy_that_is_down_is_named() -> None:
    async with client(proxy="http://127.0.0.1:1") as asking:
        for endpoint in (MIRROR, SECURE):
            error = await failure_of(asking, endpoint)
            assert error.failure is Failure.UNREACHABLE
            assert error.evidence.startswith("the proxy 127.0.0.1:1: ")


async def test_a_proxy_of_the_environment_is_not_taken(
    body: bytes, server: SourceServer, monkeypatch: pytest.MonkeyPatch, proxies: Proxies
) -> None:
    proxy = proxies(server)
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, proxy.url)
    async with client() as asking:
        assert (await get(asking, server)).body == body
    assert proxy.asked == []


@pytest.mark.parametrize(
    ("address", "taken"),
    [
        *(("", True), ("http://proxy.example:3128", True), ("http://[2001:db8::1]:8080", True)),
        *(("http://proxy.example:65535", True), ("http://proxy.example:65536", False)),
        *(("http://proxy.example", False), ("https://proxy.example:3128", False), ("proxy.example:3128", False)),
        *(("http://user:word@proxy.example:3128", False), ("http://proxy.example:3128/x", False)),
    ],
)
def test_the_setting_takes_a_host_and_a_port(address: str, taken: bool) -> None:
    with contextlib.nullcontext() if taken else pytest.raises(msgspec.ValidationError):
        assert msgspec.convert({"proxy": address}, FetchSettings).proxy == address

"""The careful HTTP client: addresses checked and remembered, every wait bounded, redirects followed by us.

`get` is the one door. Limits are FetchSettings'; what arrives goes to a `Sink` as it comes.

Of a host with several addresses each has a record of its own: one that refuses, that another overtook while it was
being connected to, or that was connected and then silent is asked after all others for ADDRESS_BAD_S (RFC 8305).
"""

import asyncio
import contextlib
import os
import socket
import ssl
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from tidegate import __version__
from tidegate.sources.address import forbidden
from tidegate.sources.archive import Endpoint, is_literal
from tidegate.sources.connection import Connection, Head, Sink
from tidegate.sources.failure import Failure, FetchError
from tidegate.sources.media import Media
from tidegate.sources.proxy import goes_by, proxy_of, target_by, tunnel
from tidegate.sources.redirect import STATUSES, next_hop
from tidegate.sources.settings import FetchSettings

SWEEP_S = 0.25
RESOLVED_FRESH_S = 60.0
ADDRESS_BAD_S = 300.0
ADDRESSES_MAX = 8
IDLE_CONNECTIONS_MAX = 32
HOSTS_MAX = 512
"""Endpoints remembered: redirects may name any number of them."""
REDIRECT_BODY_BYTES_MAX = 65_536
LOOK_UP_AGAIN_S = 0.15
"""For news of a name whose addresses are known: what they were a minute ago will do."""


_ADDRESS_AT_FAULT = frozenset({Failure.SILENT, Failure.STALLED, Failure.SLOW, Failure.TLS})


class Getter(Protocol):
    """Whoever fetches: over the network, from a folder, or in a test's own world."""

    async def get(
        self,
        endpoint: Endpoint,
        target: str,
        headers: dict[str, str],
        sink: Sink,
        begun: Callable[[], None] | None = None,
    ) -> None:
        """GET a target; the answer goes to the sink. Raises FetchError (or what the sink raised).

        `begun` is called when the request's turn has come: until then it waits for a place among our own requests, and
        no time that passes is the source's.
        """
        ...


@dataclass(slots=True, eq=False)
class _Watch:
    """One exchange under way, as the deadlines see it."""

    connection: Connection
    started: float
    seen: int = 0
    seen_at: float = 0.0
    window_at: float = 0.0
    window_bytes: int = 0


@dataclass(slots=True)
class _Host:
    """What is remembered of an endpoint: idle connections, places, addresses and which of them failed."""

    slots: asyncio.Semaphore
    idle: deque[Connection] = field(default_factory=deque)
    addresses: tuple[str, ...] = ()
    resolved_at: float = -RESOLVED_FRESH_S
    looking_up: "asyncio.Task[tuple[str, ...]] | None" = None
    bad_until: dict[str, float] = field(default_factory=dict)
    users: int = 0

    def distrust(self, address: str) -> None:
        """Prefer any other address for a while."""
        self.bad_until[address] = time.monotonic() + ADDRESS_BAD_S


class _Redirected(Sink):
    """Looks at a head: a redirect is kept for the client, all else goes on to the real sink."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._left = REDIRECT_BODY_BYTES_MAX
        self.location: str | None = None
        self.is_redirect = False

    def head(self, head: Head) -> None:
        self.is_redirect = head.status in STATUSES
        if self.is_redirect:
            self.location = head.headers.get("location")
        else:
            self._sink.head(head)

    def data(self, data: memoryview) -> None:
        if not self.is_redirect:
            self._sink.data(data)
            return
        self._left -= len(data)
        if self._left < 0:
            raise FetchError(Failure.OVERSIZED, f"a redirect with more than {REDIRECT_BODY_BYTES_MAX:,} bytes of body")


class Client:
    """Fetches over HTTP and HTTPS, for one event loop. `close` ends every connection."""

    def __init__(self, settings: FetchSettings) -> None:
        self._settings = settings
        self._hosts: dict[Endpoint, _Host] = {}
        self._watches: set[_Watch] = set()
        self._sweep: asyncio.TimerHandle | None = None
        self._tls: ssl.SSLContext | None = None
        self._media = Media(settings)
        self._proxy = proxy_of(settings.proxy)
        self._closed = False

    async def get(
        self,
        endpoint: Endpoint,
        target: str,
        headers: dict[str, str],
        sink: Sink,
        begun: Callable[[], None] | None = None,
    ) -> None:
        """`Getter.get`, over the network, or from a folder where the endpoint is one."""
        if endpoint.root is not None:  # no redirect leads here: `next_hop` knows hosts only
            await self._media.get(endpoint, target, headers, sink, begun)
            return
        for _ in range(self._settings.redirects_max + 1):
            looking = _Redirected(sink)
            await self._get_one(endpoint, target, headers, looking, begun)
            if not looking.is_redirect:
                return
            endpoint, target = next_hop(endpoint, target, looking.location)
        raise FetchError(Failure.REDIRECT, f"more than {self._settings.redirects_max} redirects")

    async def get_one(self, endpoint: Endpoint, target: str, headers: dict[str, str], sink: Sink) -> None:
        """`Getter.get` for whoever follows redirects himself: the sink hears of them as of any other answer."""
        await self._get_one(endpoint, target, headers, sink, None)

    async def dial(self, endpoint: Endpoint) -> socket.socket:
        """A bare connected socket, its address checked as for a fetch. Raises FetchError."""
        return await self._reach(endpoint, self._host(endpoint), through=True)

    def close(self) -> None:
        """End all connections, idle ones too, and make no new ones."""
        self._closed = True
        self._media.close()
        if self._sweep is not None:
            self._sweep.cancel()
        for watch in list(self._watches):
            watch.connection.close()
        for host in self._hosts.values():
            if host.looking_up is not None:
                host.looking_up.cancel()
            for connection in list(host.idle):
                connection.close()

    async def _get_one(
        self, endpoint: Endpoint, target: str, headers: dict[str, str], sink: Sink, begun: Callable[[], None] | None
    ) -> None:
        by_proxy = goes_by(self._proxy, endpoint) is not None
        request = request_of(endpoint, target_by(endpoint, target) if by_proxy else target, headers)
        host = self._host(endpoint)
        host.users += 1
        try:
            async with host.slots:
                if begun is not None:
                    begun()
                connection = self._idle(host)
                if connection is not None:
                    try:
                        return await self._exchange(host, connection, request, sink)
                    except FetchError as error:
                        # A kept connection that the other side closed meanwhile says nothing about the source.
                        if error.failure is not Failure.CUT or connection.received or self._closed:
                            raise
                connection = await self._connect(endpoint, host)
                return await self._exchange(host, connection, request, sink)
        finally:
            host.users -= 1

    async def _exchange(self, host: _Host, connection: Connection, request: bytes, sink: Sink) -> None:
        now = time.monotonic()
        done = connection.exchange(request, sink)
        watch = _Watch(connection, now, seen_at=now, window_at=now)
        self._watches.add(watch)
        if self._sweep is None:
            self._sweep = asyncio.get_running_loop().call_later(SWEEP_S, self._look)
        try:
            await done
        except asyncio.CancelledError:
            if not connection.has_head and time.monotonic() - now > self._settings.connect_stagger_s:
                host.distrust(connection.address)  # another source was faster: if there is another address, use it
            connection.close()
            raise
        except FetchError as error:
            if error.failure in _ADDRESS_AT_FAULT:
                host.distrust(connection.address)
            raise
        finally:
            self._watches.discard(watch)

    # Deadlines

    def _look(self) -> None:
        now = time.monotonic()
        for watch in list(self._watches):
            error = self._overdue(watch, now)
            if error is not None:
                watch.connection.fail(error)
        self._sweep = asyncio.get_running_loop().call_later(SWEEP_S, self._look) if self._watches else None

    def _overdue(self, watch: _Watch, now: float) -> FetchError | None:
        settings, received = self._settings, watch.connection.received
        if received > watch.seen:
            watch.seen, watch.seen_at = received, now
        if not watch.connection.has_head:
            if now - watch.started > settings.first_byte_timeout_s:
                return FetchError(Failure.SILENT, f"no answer within {settings.first_byte_timeout_s:g} s")
            return None
        if now - watch.seen_at > settings.silence_timeout_s:
            return FetchError(Failure.STALLED, f"no byte for {settings.silence_timeout_s:g} s")
        window = now - watch.window_at
        if window > settings.rate_window_s:
            rate = (received - watch.window_bytes) / window
            watch.window_at, watch.window_bytes = now, received
            if rate < settings.rate_min_bytes_s:
                return FetchError(Failure.SLOW, f"{rate:,.0f} B/s, below {settings.rate_min_bytes_s:,} B/s")
        return None

    # Connections

    def _host(self, endpoint: Endpoint) -> _Host:
        # By reach, too: a redirect must not find its way in by a connection that a private source keeps (threat 24).
        host = self._hosts.get(endpoint)
        if host is None:
            if len(self._hosts) >= HOSTS_MAX:
                self._forget_hosts()
            slots = asyncio.Semaphore(self._settings.connections_per_source_max)
            host = self._hosts[endpoint] = _Host(slots)
        return host

    def _forget_hosts(self) -> None:
        """Drop what is remembered of endpoints that nobody uses now."""
        for endpoint, host in list(self._hosts.items()):
            if not host.users:
                del self._hosts[endpoint]
                for connection in list(host.idle):
                    connection.close()

    def addresses(self, endpoint: Endpoint) -> dict[str, bool]:
        """The addresses last seen for an endpoint, and whether each is trusted now."""
        host, now = self._hosts.get(endpoint), time.monotonic()
        return {} if host is None else {each: host.bad_until.get(each, 0.0) <= now for each in host.addresses}

    @staticmethod
    def _idle(host: _Host) -> Connection | None:
        while host.idle:
            connection = host.idle.pop()
            if connection.is_idle:
                return connection
        return None

    async def _connect(self, endpoint: Endpoint, host: _Host) -> Connection:
        if self._closed:
            raise FetchError(Failure.UNREACHABLE, "this gateway is stopping")
        sock = await self._reach(endpoint, host, through=endpoint.scheme == "https")

        def released(connection: Connection) -> None:
            if connection.is_idle and len(host.idle) < IDLE_CONNECTIONS_MAX:
                host.idle.append(connection)
            elif connection in host.idle:
                host.idle.remove(connection)

        address = str(sock.getpeername()[0])
        tls = self._tls_context() if endpoint.scheme == "https" else None
        loop = asyncio.get_running_loop()
        try:
            # It is connected already: without TLS nothing is waited for, and where it lasts we are late ourselves.
            async with asyncio.timeout(self._settings.connect_timeout_s if tls else None):
                _, connection = await loop.create_connection(
                    lambda: Connection(self._settings.response_head_bytes_max, released, address),
                    sock=sock,
                    ssl=tls,
                    server_hostname=endpoint.host if tls else None,
                )
        except asyncio.CancelledError:
            host.distrust(address)
            sock.close()
            raise
        except TimeoutError:
            host.distrust(address)
            sock.close()
            raise FetchError(Failure.TLS, f"no TLS within {self._settings.connect_timeout_s:g} s") from None
        except (ssl.SSLError, OSError) as error:
            sock.close()
            raise FetchError(Failure.TLS, str(error) or type(error).__name__) from None
        return connection

    async def _reach(self, endpoint: Endpoint, host: _Host, *, through: bool) -> socket.socket:
        """A socket to an endpoint, or to the proxy that it is asked by: `through` it, or to speak to the proxy."""
        proxy = goes_by(self._proxy, endpoint)
        if proxy is None:
            return await self._first_to_connect(endpoint, host, await self._resolve(endpoint, host))
        between = self._host(proxy)
        try:
            sock = await self._first_to_connect(proxy, between, await self._resolve(proxy, between))
        except FetchError as error:
            raise FetchError(error.failure, f"the proxy {error.evidence}") from None
        if through:
            try:
                await tunnel(sock, proxy, endpoint, within_s=self._settings.connect_timeout_s)
            except BaseException:
                sock.close()
                raise
        return sock

    def _tls_context(self) -> ssl.SSLContext:
        if self._tls is None:
            self._tls = ssl.create_default_context(cafile=self._settings.tls_ca_file or None)
        return self._tls

    async def _resolve(self, endpoint: Endpoint, host: _Host) -> tuple[str, ...]:
        """The allowed addresses, best first; the ones returned are the ones connected to (no second look-up)."""
        now = time.monotonic()
        if now - host.resolved_at > RESOLVED_FRESH_S:
            host.addresses = await self._looked_up(endpoint, host)
            host.resolved_at = now
        reasons = {address: forbidden(address, endpoint.reach) for address in host.addresses}
        allowed = [address for address, reason in reasons.items() if reason is None]
        if not allowed:
            evidence = f"{endpoint.host}: " + "; ".join(reason for reason in reasons.values() if reason)
            raise FetchError(Failure.FORBIDDEN_ADDRESS, evidence)
        return tuple(sorted(allowed, key=lambda address: host.bad_until.get(address, 0.0) > now))

    async def _looked_up(self, endpoint: Endpoint, host: _Host) -> tuple[str, ...]:
        """Addresses, from one look-up at a time: a resolver that is silent holds a thread for each."""
        if is_literal(endpoint.host):
            return (endpoint.host,)
        if host.looking_up is None:
            host.looking_up = asyncio.get_running_loop().create_task(self._look_up(endpoint))
            host.looking_up.add_done_callback(_heard)
        task = host.looking_up
        patience_s = LOOK_UP_AGAIN_S if host.addresses else self._settings.connect_timeout_s
        done, _ = await asyncio.wait({task}, timeout=patience_s)
        if done:
            host.looking_up = None
        error = task.exception() if done else TimeoutError("no answer from DNS")
        if error is None:
            return task.result()
        if host.addresses:  # names fail with their vendor, too: go on with what they last said
            return host.addresses
        raise FetchError(Failure.UNRESOLVED, f"{endpoint.host}: {str(error) or 'no answer from DNS'}")

    async def _look_up(self, endpoint: Endpoint) -> tuple[str, ...]:
        """Raises OSError, UnicodeError."""
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(endpoint.host, endpoint.port, type=socket.SOCK_STREAM)
        return tuple(dict.fromkeys(str(one[4][0]) for one in found))[:ADDRESSES_MAX]

    async def _first_to_connect(self, endpoint: Endpoint, host: _Host, addresses: tuple[str, ...]) -> socket.socket:
        """Try addresses staggered (RFC 8305); the first to connect wins, the others are dropped."""
        pending: set[asyncio.Task[socket.socket]] = set()
        tried: dict[asyncio.Task[socket.socket], str] = {}
        waiting, errors = list(addresses), []
        try:
            while waiting or pending:
                if waiting:
                    address = waiting.pop(0)
                    task = asyncio.ensure_future(self._dial(address, endpoint, host))
                    tried[task] = address
                    pending.add(task)
                stagger = self._settings.connect_stagger_s if waiting else None
                done, pending = await asyncio.wait(pending, timeout=stagger, return_when=asyncio.FIRST_COMPLETED)
                connected = [task for task in done if task.exception() is None]
                errors += [str(task.exception()) for task in done if task not in connected]
                if connected:
                    for slower in pending & set(list(tried)[: list(tried).index(connected[0])]):
                        host.distrust(tried[slower])  # tried a whole stagger earlier, and not there yet
                    pending |= set(connected[1:])
                    return connected[0].result()
        finally:
            for task in pending:
                task.add_done_callback(_drop)
                task.cancel()
        raise FetchError(Failure.UNREACHABLE, f"{endpoint.authority}: " + "; ".join(errors[:3]))

    async def _dial(self, address: str, endpoint: Endpoint, host: _Host) -> socket.socket:
        sock = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM)
        sock.setblocking(False)
        loop = asyncio.get_running_loop()
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            async with asyncio.timeout(self._settings.connect_timeout_s):
                await loop.sock_connect(sock, (address, endpoint.port))
        except BaseException as error:
            sock.close()
            if isinstance(error, OSError):
                host.distrust(address)
                why = (
                    f"no connection within {self._settings.connect_timeout_s:g} s"
                    if isinstance(error, TimeoutError)
                    else os.strerror(error.errno)
                    if error.errno
                    else str(error)
                )
                raise OSError(f"{address}: {why}") from None
            raise
        host.bad_until.pop(address, None)
        return sock


def _heard(task: "asyncio.Task[tuple[str, ...]]") -> None:
    """A look-up that nobody waits for any more may fail in silence."""
    if not task.cancelled():
        task.exception()


def _drop(task: "asyncio.Task[socket.socket]") -> None:
    """Close a socket that connected after another had won."""
    with contextlib.suppress(asyncio.CancelledError, OSError):
        task.result().close()


def request_of(endpoint: Endpoint, target: str, headers: dict[str, str]) -> bytes:
    """A request as it goes over the line."""
    lines = [
        f"GET {target} HTTP/1.1",
        f"Host: {endpoint.authority}",
        f"User-Agent: tidegate/{__version__}",
        "Accept: */*",
        *(f"{name}: {value}" for name, value in headers.items()),
    ]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")

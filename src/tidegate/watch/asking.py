"""Asks for a page: robots.txt first, redirects one by one, everything that comes bounded and written down."""

import asyncio
import math
import time
from collections.abc import Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple, Protocol

from tidegate.sources.archive import Endpoint
from tidegate.sources.client import request_of
from tidegate.sources.connection import Head, Sink
from tidegate.sources.failure import IN_WORDS, Failure, FetchError, retry_after_s
from tidegate.sources.redirect import STATUSES, next_hop
from tidegate.watch import robots
from tidegate.watch.robots import Permit, Robots
from tidegate.watch.watch import Exchange, Watch

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

HOSTS_MAX = 256
AT_ONCE = 4
"""Pages that are asked for at the same time; of one host always one."""
GAP_S = 1.0
"""Between two questions to a host, whatever its robots.txt says."""
NOT_BEFORE_MAX_S = 3_600.0
"""For so long a Retry-After counts."""
ROBOTS_TIMEOUT_S = 20.0
ERROR_BODY_BYTES_MAX = 65_536
_PLAIN = {"Accept-Encoding": "identity", "Cache-Control": "no-cache"}


class Hops(Protocol):
    """Whoever asks once, and leaves redirects alone: `sources.client.Client`."""

    async def get_one(self, endpoint: Endpoint, target: str, headers: dict[str, str], sink: Sink) -> None:
        """Raises FetchError."""
        ...


class RobotsFiles(Protocol):
    """What was last heard from each host; kept over restarts."""

    def get(self, place: str) -> Robots | None:
        """By scheme and authority."""
        ...

    def put(self, place: str, told: Robots) -> None:
        """Remember it."""
        ...


class Page(NamedTuple):
    """What came, redirects first; the last is the answer."""

    exchanges: tuple[Exchange, ...]
    latency_s: float
    not_before: float


class Nothing(NamedTuple):
    """Nothing came, and why."""

    reason: str


class Barred(NamedTuple):
    """It was not asked for: robots.txt forbids it, or is not known."""

    reason: str


class _Came(NamedTuple):
    """One answer, which may be a redirect."""

    exchange: Exchange
    latency_s: float
    took_s: float


class NotYet(NamedTuple):
    """Its host was asked a moment ago, and wishes for a pause."""

    wait_s: float


class _Taking(Sink):
    """Keeps a head and a bounded body."""

    def __init__(self, bytes_max: int) -> None:
        self._bytes_max = bytes_max
        self.told: Head | None = None
        self.answered_at = 0.0
        self.body = bytearray()
        self.is_whole = True

    def head(self, head: Head) -> None:
        self.told, self.answered_at = head, time.monotonic()
        if head.status in STATUSES or head.status >= 400:
            self._bytes_max = min(self._bytes_max, ERROR_BODY_BYTES_MAX)

    def data(self, data: memoryview) -> None:
        room = self._bytes_max - len(self.body)
        self.body += data[:room]
        if len(data) > room:
            self.is_whole = False
            raise FetchError(Failure.OVERSIZED, f"more than {self._bytes_max:,} bytes")


@dataclass(slots=True)
class _Host:
    """Whose turn it is, and when it was asked last (monotonic)."""

    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    asked_at: float = -86_400.0


class Asker:
    """Belongs to one event loop."""

    def __init__(
        self, hops: Hops, files: RobotsFiles, *, redirects_max: int, now: Callable[[], float] = time.time
    ) -> None:
        self._hops = hops
        self._files = files
        self._redirects_max = redirects_max
        self._now = now
        self._hosts: dict[str, _Host] = {}
        self._at_once = asyncio.Semaphore(AT_ONCE)

    async def ask(self, watch: Watch, patience_s: float) -> Page | Nothing | Barred | NotYet:
        """The page, within its time. `patience_s`: for so long a host's wish for a pause is waited for."""
        endpoint, target = watch.endpoint, watch.target
        came: list[_Came] = []
        for _ in range(self._redirects_max + 1):
            left_s = watch.settings.timeout_s - sum(one.took_s for one in came)
            hop = await self._hop(watch, endpoint, target, left_s, patience_s)
            if isinstance(hop, Barred) and came:
                return Barred(f"redirects to {place_of_host(endpoint)}{target[:200]}: {hop.reason}")
            if not isinstance(hop, _Came):
                return hop
            came.append(hop)
            answer = hop.exchange
            if answer.status not in STATUSES or watch.settings.status == answer.status:
                waits = retry_after_s(answer.headers.get("retry-after"), self._now()) or 0.0
                not_before = self._now() + min(waits, NOT_BEFORE_MAX_S) if waits else 0.0
                return Page(tuple(one.exchange for one in came), hop.latency_s, not_before)
            try:
                endpoint, target = next_hop(endpoint, target, answer.headers.get("location"))
            except FetchError as error:
                return Nothing(_in_words(error))
        return Nothing(f"redirects more than {self._redirects_max} times")

    async def _hop(
        self, watch: Watch, endpoint: Endpoint, target: str, left_s: float, patience_s: float
    ) -> "_Came | Nothing | Barred | NotYet":
        """One question to one host, in its turn, if its robots.txt lets us."""
        async with self._turn(endpoint, patience_s) as host:
            if host is None:
                return NotYet(patience_s)
            allowed = await self._permit(endpoint, target, host)
            if not allowed.allowed:
                return Barred(allowed.reason)
            wait_s = host.asked_at + max(GAP_S, allowed.crawl_delay_s) - time.monotonic()
            if wait_s > patience_s:
                return NotYet(wait_s)
            await asyncio.sleep(wait_s)
            taking = _Taking(watch.settings.copy_bytes_max)
            try:
                async with self._at_once, asyncio.timeout(max(0.1, left_s)):
                    asked_at, begun = self._now(), time.monotonic()
                    await self._get(endpoint, target, taking)
            except TimeoutError:
                return Nothing(f"no whole answer within {watch.settings.timeout_s:g} s")
            except (FetchError, OSError) as error:
                return Nothing(_in_words(error))
            finally:
                host.asked_at = time.monotonic()
        exchange = _exchange(endpoint, target, taking, asked_at)
        return _Came(exchange, taking.answered_at - begun, time.monotonic() - begun)

    def crawl_delay_s(self, watch: Watch) -> float:
        """Between two questions to its host, as far as that was heard."""
        known = self._files.get(place_of_host(watch.endpoint))
        return robots.permit(known, watch.target).crawl_delay_s if known is not None else 0.0

    @asynccontextmanager
    async def _turn(self, endpoint: Endpoint, patience_s: float) -> "AsyncIterator[_Host | None]":
        """None where others have it for longer than that."""
        place = place_of_host(endpoint)
        if len(self._hosts) >= HOSTS_MAX:
            self._hosts = {name: host for name, host in self._hosts.items() if host.turn.locked()}
        host = self._hosts.setdefault(place, _Host())
        try:
            async with asyncio.timeout(None if math.isinf(patience_s) else patience_s):
                await host.turn.acquire()
        except TimeoutError:
            yield None
            return
        try:
            yield host
        finally:
            host.turn.release()

    async def _get(self, endpoint: Endpoint, target: str, taking: _Taking) -> None:
        """Raises FetchError; that more came than is taken is none."""
        try:
            await self._hops.get_one(endpoint, target, dict(_PLAIN), taking)
        except FetchError:
            if taking.is_whole:
                raise

    async def _permit(self, endpoint: Endpoint, target: str, host: _Host) -> Permit:
        place = place_of_host(endpoint)
        known = self._files.get(place)
        if known is None or robots.is_due(known, self._now()):
            try:
                async with self._at_once, asyncio.timeout(ROBOTS_TIMEOUT_S):
                    told = await self._fetch_robots(endpoint)
            except TimeoutError:
                told = robots.Unreachable(f"no whole answer within {ROBOTS_TIMEOUT_S:g} s")
            known = robots.heard(known, told, self._now())
            host.asked_at = time.monotonic()
            self._files.put(place, known)
        return robots.permit(known, target)

    async def _fetch_robots(self, endpoint: Endpoint) -> robots.Answered | robots.Unreachable:
        """2.3.1.2: at least five redirects are followed, wherever they lead; more, and it has none."""
        target = robots.PATH
        for _ in range(robots.REDIRECTS_MAX + 1):
            taking = _Taking(robots.BYTES_MAX)
            try:
                await self._get(endpoint, target, taking)
                assert taking.told is not None
                if taking.told.status not in STATUSES:
                    kind = taking.told.headers.get("content-type", "")
                    return robots.Answered(taking.told.status, bytes(taking.body), kind)
                endpoint, target = next_hop(endpoint, target, taking.told.headers.get("location"))
            except (FetchError, OSError) as error:
                return robots.Unreachable(_in_words(error))
        return robots.Answered(404)


def place_of_host(endpoint: Endpoint) -> str:
    """What robots.txt is of (2.3): a scheme, a host, a port."""
    return f"{endpoint.scheme}://{endpoint.authority}"


def _exchange(endpoint: Endpoint, target: str, taking: _Taking, asked_at: float) -> Exchange:
    assert taking.told is not None
    return Exchange(
        url=f"{endpoint.scheme}://{endpoint.authority}{target}",
        request=request_of(endpoint, target, dict(_PLAIN)),
        head=taking.told.raw,
        status=taking.told.status,
        headers=taking.told.headers,
        body=bytes(taking.body),
        asked_at=asked_at,
        is_whole=taking.is_whole,
    )


def _in_words(error: FetchError | OSError) -> str:
    if isinstance(error, FetchError):
        return f"{IN_WORDS[error.failure]} ({error.evidence})"
    return f"cannot be asked ({error})"

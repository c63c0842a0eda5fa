"""A network that is played: sources with a latency, a rate, a lag behind the vendor, and spells of faults.

`Network.get` stands where `sources.client.Client.get` stands. It keeps the client's own deadlines (FetchSettings) and
raises what the client raises; what a source shows follows from the vendor's publications and the time.
"""

import asyncio
import math
import random
import re
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from urllib.parse import unquote

from tests.histories.faults import STATEMENTS, STATUSES, Fault, Spell
from tests.histories.loop import Clock
from tests.histories.vendor import Publication, Vendor
from tidegate.sources.archive import Endpoint
from tidegate.sources.connection import Head, Sink
from tidegate.sources.failure import Failure, FetchError
from tidegate.sources.settings import FetchSettings

BASE = "/debian"
PIECE_S = 0.1
"""A body comes in pieces, each of what arrives in this time."""
PIECE_BYTES_MAX = 262_144
COUNTED_BYTES = 1024
"""Sizes count in whole ones: a signature that is a byte shorter in another run, by other keys, changes no time."""
RETRY_AFTER_S = 45
JITTER = 0.3
ENDLESS_BYTES_MAX = 1 << 24
TAGGED_BYTES_MAX = 65_536
PAGE = b"<!DOCTYPE html><title>Welcome</title><p>Please log in to this network.</p>\n" * 20
_RANGE = re.compile(r"bytes=(\d+)-\Z").match
_SUITE = re.compile(r"dists/([^/]+)/").match


@dataclass(frozen=True, slots=True)
class Place:
    """A source as the world has it."""

    host: str
    operator: str
    latency_s: float
    rate_bytes_s: int
    lag_s: float
    """It shows what the vendor had so long ago."""
    ranges: bool
    """It answers Range; else it gives the whole again."""
    validators: bool
    """It tells an ETag, and answers If-None-Match."""
    by_hash: bool
    spells: tuple[Spell, ...]

    def faults(self, at_s: float) -> tuple[Fault, ...]:
        """What is wrong with it now."""
        return tuple(spell.fault for spell in self.spells if spell.is_on(at_s))

    @property
    def always_well(self) -> bool:
        """Honest, healthy and current in the whole history."""
        return not self.spells and not self.lag_s and self.by_hash


@dataclass(slots=True)
class Asked:
    """One request as the network saw it. `outcome` is empty while it is under way."""

    at_s: float
    host: str
    path: str
    offset: int
    bytes_sent: int = 0
    outcome: str = ""
    ended_s: float = 0.0


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    length: int | None = None


class Network:
    """See the module. `asked` is every request of the history, in order."""

    def __init__(
        self, vendor: Vendor, places: Sequence[Place], clock: Clock, settings: FetchSettings, chance: random.Random
    ) -> None:
        self._vendor = vendor
        self._places = {place.host: place for place in places}
        self._clock = clock
        self._settings = settings
        self._chance = chance
        self.asked: list[Asked] = []
        self.begun_s = clock.monotonic()

    async def get(
        self,
        endpoint: Endpoint,
        target: str,
        headers: dict[str, str],
        sink: Sink,
        begun: Callable[[], None] | None = None,
    ) -> None:
        """As `Client.get`: the answer goes to the sink, or FetchError (or what the sink raised)."""
        if begun is not None:
            begun()
        place = self._places[endpoint.host]
        wanted = _RANGE(headers.get("Range", ""))
        path = unquote(target.removeprefix(f"{BASE}/"))
        asked = Asked(self._now(), place.host, path, int(wanted[1]) if wanted else 0)
        self.asked.append(asked)
        try:
            await self._exchange(place, asked, headers, sink)
            asked.outcome = "whole"
        except FetchError as error:
            asked.outcome = error.failure.value if error.status is None else str(error.status)
            raise
        except BaseException as error:
            asked.outcome = type(error).__name__
            raise
        finally:
            asked.ended_s = self._now()

    def forget(self) -> None:
        """Whoever has asked so far is gone: what becomes of its requests is not recorded any more."""
        now = self._now()
        self.asked = [replace(one) if one.outcome else replace(one, outcome="lost", ended_s=now) for one in self.asked]

    def close(self) -> None:
        """As `Client.close`; there are no connections."""

    def _now(self) -> float:
        """Seconds of the history."""
        return self._clock.monotonic() - self.begun_s

    # One exchange

    async def _exchange(self, place: Place, asked: Asked, headers: dict[str, str], sink: Sink) -> None:
        await self._reach(place)
        answer = self._answer(place, asked, headers)
        sink.head(Head(answer.status, answer.headers, answer.length))
        if answer.status != 304:
            await self._send(place, asked, answer, sink)

    async def _reach(self, place: Place) -> None:
        """Name, connection, request and the answer's first byte: three times the latency, or an error."""
        settings, trip_s = self._settings, place.latency_s * (1 + self._chance.uniform(-JITTER, JITTER))
        faults = place.faults(self._now())
        await asyncio.sleep(trip_s)
        if Fault.UNRESOLVED in faults:
            raise FetchError(Failure.UNRESOLVED, f"{place.host}: no answer from DNS")
        if Fault.BLACKHOLED in faults:
            await asyncio.sleep(settings.connect_timeout_s)
            raise FetchError(Failure.UNREACHABLE, f"no connection within {settings.connect_timeout_s:g} s")
        if Fault.REFUSED in faults:
            raise FetchError(Failure.UNREACHABLE, "Connection refused")
        await asyncio.sleep(2 * trip_s)
        faults = place.faults(self._now())
        if Fault.SILENT in faults or Fault.BLACKHOLED in faults:
            await asyncio.sleep(settings.first_byte_timeout_s)
            raise FetchError(Failure.SILENT, f"no answer within {settings.first_byte_timeout_s:g} s")
        if Fault.RESET_IN_HEAD in faults:
            raise FetchError(Failure.CUT, "Connection reset by peer after 17 bytes")
        if Fault.REDIRECT_LOOP in faults:
            raise FetchError(Failure.REDIRECT, f"more than {settings.redirects_max} redirects")

    def _answer(self, place: Place, asked: Asked, headers: dict[str, str]) -> _Answer:
        faults = place.faults(self._now())
        for fault in faults:
            if fault in STATUSES:
                told = {"retry-after": str(RETRY_AFTER_S)} if fault is Fault.UNAVAILABLE_AFTER else {}
                return _Answer(STATUSES[fault], b"no", told, 2)
        if Fault.HTML in faults:
            return _Answer(200, PAGE, {"content-type": "text/html"}, len(PAGE))
        body = self._shown(place, asked.path, faults)
        if body is None:
            return _Answer(404, b"no", {}, 2)
        told = {"etag": f'"{zlib.crc32(body):08x}"'} if place.validators and len(body) <= TAGGED_BYTES_MAX else {}
        if told and headers.get("If-None-Match") == told["etag"]:
            return _Answer(304, b"", told, None)
        return self._spoilt(place, faults, asked, body, told)

    def _spoilt(
        self, place: Place, faults: Sequence[Fault], asked: Asked, body: bytes, told: dict[str, str]
    ) -> _Answer:
        if Fault.CORRUPT in faults:
            spoilt = bytearray(body)
            spoilt[self._chance.randrange(len(spoilt))] ^= 0xFF
            body = bytes(spoilt)
        if Fault.WRONG_SIZE in faults:
            body += b"\0"
        if Fault.TRUNCATED_AS_SAID in faults:
            body = body[: len(body) // 2]
        if Fault.ENDLESS in faults:
            return _Answer(200, body, told, None)
        if asked.offset and place.ranges and asked.offset < len(body):
            told = told | {"content-range": f"bytes {asked.offset}-{len(body) - 1}/{len(body)}"}
            return _Answer(206, body[asked.offset :], told, len(body) - asked.offset)
        return _Answer(200, body, told, len(body))

    # What a source has

    def _shown(self, place: Place, path: str, faults: Sequence[Fault]) -> bytes | None:
        suite = _SUITE(path)
        if suite is None:
            return self._vendor.pool.get(path)
        publications = self._vendor.suites.get(suite[1])
        if publications is None or ("/by-hash/" in path and not place.by_hash):
            return None
        moment = self._clock.time() - place.lag_s
        newest = self._vendor.shown(suite[1], moment)
        if Fault.STALE in faults:
            newest = 0
        shown = publications[newest]
        if path == shown.inrelease:
            return self._statement(shown, faults)
        if Fault.TORN in faults and newest:
            shown = publications[newest - 1]
        return shown.files.get(path)

    @staticmethod
    def _statement(shown: Publication, faults: Sequence[Fault]) -> bytes:
        for fault in faults:
            if fault in STATEMENTS:
                return shown.statements[fault.value]
        return shown.files[shown.inrelease]

    # A body on its way

    async def _send(self, place: Place, asked: Asked, answer: _Answer, sink: Sink) -> None:
        settings, body = self._settings, memoryview(answer.body)
        breaks_at = self._chance.randrange(len(body)) if body else 0
        window_at, window_bytes, sent = self._now(), 0, 0
        while sent < len(body) or answer.length is None:
            faults = place.faults(self._now())
            rate = _rate(place, faults)
            size = min(PIECE_BYTES_MAX, max(1, int(rate * PIECE_S)))
            # An endless one goes on with whatever.
            piece = body[sent : sent + size] if sent < len(body) else memoryview(bytes(size))
            await asyncio.sleep(math.ceil(len(piece) / COUNTED_BYTES) * COUNTED_BYTES / rate if rate > 1 else 1.0)
            if sent + len(piece) > breaks_at:
                await self._break(faults, asked)
            await self._die(faults, asked)
            sent += len(piece)
            asked.bytes_sent = sent
            if sent > ENDLESS_BYTES_MAX:
                raise AssertionError(f"somebody takes an endless body of {place.host}")
            sink.data(piece)
            window_bytes += len(piece)
            if (window := self._now() - window_at) > settings.rate_window_s:
                if window_bytes / window < settings.rate_min_bytes_s:
                    raise FetchError(Failure.SLOW, f"{window_bytes / window:,.0f} B/s")
                window_at, window_bytes = self._now(), 0

    async def _break(self, faults: Sequence[Fault], asked: Asked) -> None:
        """What happens to a body in its middle."""
        if Fault.RESET_IN_BODY in faults or Fault.TRUNCATED in faults:
            raise FetchError(Failure.CUT, f"closed the connection after {asked.bytes_sent:,} bytes")
        if Fault.STALLED in faults:
            await self._stall()

    async def _die(self, faults: Sequence[Fault], asked: Asked) -> None:
        """What happens to a body whose source dies meanwhile."""
        if Fault.REFUSED in faults or Fault.RESET_IN_HEAD in faults:
            raise FetchError(Failure.CUT, f"Connection reset by peer after {asked.bytes_sent:,} bytes")
        if Fault.BLACKHOLED in faults or Fault.SILENT in faults:
            await self._stall()

    async def _stall(self) -> None:
        await asyncio.sleep(self._settings.silence_timeout_s)
        raise FetchError(Failure.STALLED, f"no byte for {self._settings.silence_timeout_s:g} s")


def _rate(place: Place, faults: Sequence[Fault]) -> float:
    if Fault.TRICKLE_1_B_S in faults:
        return 1.0
    return 1024.0 if Fault.TRICKLE_1_KB_S in faults else place.rate_bytes_s

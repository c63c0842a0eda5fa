"""A client's side: what the gateway's data plane does with a request, without its sockets, and an apt that asks.

The decisions are the production's (`gateway.resolve.Resolver`, the keeper's steps, flights); `Door.get` does with them
what `gateway.answering` and `gateway.connection` do, byte for byte: up to ANSWER_WHOLE_BYTES an object is given once
it is verified, beyond it is sent on as far as `Flight.available` allows.
"""

import asyncio
import hashlib
import lzma
import os
import re
from collections.abc import Callable
from dataclasses import dataclass

from tests.histories.script import Visit
from tidegate.gateway.answering import ANSWER_WHOLE_BYTES
from tidegate.gateway.resolve import Absent, Found, Needs, Resolver, Step, Unlisted
from tidegate.gateway.settings import GatewaySettings
from tidegate.gateway.steps import Steps
from tidegate.gateway.target import Place
from tidegate.sources.archive import Archive
from tidegate.sources.fetching import Fetching
from tidegate.sources.flight import Flight, Wanted
from tidegate.store.blobs import BlobStore, Draft

UNDER_WAY = "under way"
TRIES_MAX = 4
_LISTED = re.compile(r"^ ([0-9a-f]{64}) +(\d+) (\S+)$", re.MULTILINE)
_PACKAGE = re.compile(r"^Filename: (\S+)\nSize: (\d+)\nSHA256: ([0-9a-f]{64})$", re.MULTILINE)


@dataclass(slots=True)
class Answer:
    """One request of a client. `outcome`: whole, refused, absent, cut, lost (with the gateway), or under way."""

    path: str
    began_s: float
    cut_before: int
    """How often this client has asked for it already, and got only its beginning."""
    first_byte_s: float | None = None
    ended_s: float | None = None
    outcome: str = UNDER_WAY
    why: str = ""
    wanted: bytes = b""
    """The SHA-256 that is listed for it, where it had to be fetched."""
    digest: bytes = b""
    """The SHA-256 of what was given."""
    size: int = 0


@dataclass(frozen=True, slots=True)
class Rooms:
    """What is behind the door."""

    archive: Archive
    resolver: Resolver
    steps: Steps
    fetching: Fetching
    blobs: BlobStore


class _CutError(Exception):
    """The connection ends before the body does."""


class Door:
    """See the module. `told` gets every answer when it begins."""

    def __init__(self, rooms: Rooms, now: Callable[[], float], told: Callable[[Answer], None]) -> None:
        self._rooms = rooms
        self._now = now
        self._told = told
        self._wait_max_s = GatewaySettings().wait_max_s

    async def get(self, path: str) -> bytes | None:
        """A whole body, or None; the last answer that `told` got says why. As apt, it asks again for what was cut."""
        for number in range(TRIES_MAX):
            body, outcome = await self._once(Answer(path, self._now(), number))
            if outcome != "cut":
                return body
        return None

    async def _once(self, answer: Answer) -> tuple[bytes | None, str]:
        self._told(answer)
        body: bytes | None = None
        try:
            body = await self._get(answer)
        except TimeoutError:
            answer.outcome, answer.why = "refused", f"nothing within {self._wait_max_s:g} s"
        except _CutError as error:
            answer.outcome, answer.why = "cut", str(error)
        if body is not None:
            answer.outcome, answer.digest, answer.size = "whole", hashlib.sha256(body).digest(), len(body)
        answer.ended_s = self._now()
        return body, answer.outcome

    async def _get(self, answer: Answer) -> bytes | None:
        rooms, place = self._rooms, Place(self._rooms.archive.name, answer.path)
        tried: list[Needs] = []
        problem: str | None = None
        async with asyncio.timeout(self._wait_max_s) as limit:
            while True:
                match rooms.resolver.resolve(place, tried):
                    case Needs() as needs:
                        problem = await self._step(place, needs) or problem
                        tried.append(needs)
                    case Absent(why, _) | Unlisted(why, _) if problem is None:
                        answer.outcome, answer.why = "absent", why
                        return None
                    case Absent() | Unlisted():
                        answer.outcome, answer.why = "refused", problem or ""
                        return None
                    case Found() as found:
                        if (held := self._held(found)) is not None:
                            return held
                        answer.wanted = found.listed.digest
                        return await self._follow(answer, self._flight(found), limit)

    async def _step(self, place: Place, needs: Needs) -> str | None:
        steps = self._rooms.steps
        match needs.step:
            case Step.ADOPT:
                return await steps.ensure(place.archive, needs.suite)
            case Step.FRESHEN:
                await steps.freshen(place.archive, needs.suite)
                return None
            case Step.COMPLETE:
                return await steps.complete(place.archive, needs.suite)
            case Step.LIST:
                return await steps.list_one(place.archive, needs.suite, needs.path)
            case Step.WIDEN:
                return await steps.widen(place.archive, needs.path)

    def _held(self, found: Found) -> bytes | None:
        fd = self._rooms.blobs.open(found.listed.digest)
        if fd is None:
            flight = self._rooms.fetching.under_way(found.listed.digest)
            return _read(flight.draft, 0, found.listed.size) if flight is not None and flight.complete else None
        with os.fdopen(fd, "rb") as file:
            return file.read()

    def _flight(self, found: Found) -> Flight:
        wanted = Wanted(found.listed.digest, found.listed.size)
        return self._rooms.fetching.fetch(wanted, self._rooms.archive.sources, found.names)

    async def _follow(self, answer: Answer, flight: Flight, limit: asyncio.Timeout) -> bytes | None:
        size = flight.wanted.size
        while not (flight.complete or flight.failed) and (size <= ANSWER_WHOLE_BYTES or not flight.available):
            await _change(flight)
        if flight.failed:
            answer.outcome, answer.why = "refused", flight.failure
            return None
        limit.reschedule(None)
        answer.first_byte_s = self._now()
        return await _stream(flight, size)


async def _stream(flight: Flight, size: int) -> bytes:
    """As `gateway.connection` sends: the body is whole for the client once so many bytes are there."""
    sent, draft = bytearray(), flight.draft
    while len(sent) < size:
        if flight.failed:
            raise _CutError(flight.failure)
        limit = flight.available
        if flight.draft is not draft and limit >= len(sent):
            if _read(flight.draft, 0, len(sent)) != bytes(sent):
                raise _CutError("what was sent is not how the draft begins now")
            draft = flight.draft
        if limit <= len(sent):
            await _change(flight)
        else:
            sent += _read(draft, len(sent), limit - len(sent))
    return bytes(sent)


def _read(draft: Draft, start: int, count: int) -> bytes:
    return os.pread(draft.fd, count, start)


async def _change(flight: Flight) -> None:
    change: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    flight.watch(lambda: None if change.done() else change.set_result(None))
    await change


async def visit(door: Door, visiting: Visit) -> None:
    """What apt does: the Release, an index that it lists, packages that the index lists."""
    base = f"dists/{visiting.suite}/"
    release = await door.get(f"{base}InRelease")
    if release is None:
        return
    listed = {path: digest for digest, _, path in _LISTED.findall(release.decode())}
    if visiting.contents:
        await door.get(base + _name("main/Contents-amd64.xz", listed, by_hash=visiting.by_hash))
    index = await door.get(base + _name("main/binary-amd64/Packages.xz", listed, by_hash=visiting.by_hash))
    if index is None:
        return
    packages = _PACKAGE.findall(lzma.decompress(index).decode())
    await asyncio.gather(*(door.get(packages[place][0]) for place in visiting.packages))


def _name(path: str, listed: dict[str, str], *, by_hash: bool) -> str:
    return f"{path.rpartition('/')[0]}/by-hash/SHA256/{listed[path]}" if by_hash else path

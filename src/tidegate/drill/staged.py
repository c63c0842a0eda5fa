"""Faults wrapped round the ports of a running gateway: what fetches, and what keeps.

The production code runs on; only what it is told by its sources, by DNS or by its disk is another. A fault answers
instead of the source, or spoils what the source sent. What is played is looked up at each fetch, and while one stands
still: a fault that is over lets go of it, and the source is asked.
"""

import asyncio
import errno
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from tidegate.drill.playing import NOTHING, Playing, Staged
from tidegate.drill.spoiling import SAID, Corrupting, Cutting, Gathering, KeepingBack, forged
from tidegate.sources.archive import Endpoint, Source, is_literal
from tidegate.sources.client import Getter
from tidegate.sources.connection import Head, Sink
from tidegate.sources.failure import Failure, FetchError
from tidegate.sources.settings import FetchSettings
from tidegate.store.blobs import BlobStore, Draft, Held, Verified

PAGE = b"<html><head><title>Welcome</title></head><body>Please log in to the network.</body></html>\n"
LOOK_S = 0.1
"""How soon what stands still notices that the fault is over; also between two pieces of a slow body."""
FROZEN_MAX = 256
"""Release files that are remembered of sources that stand still."""
_INSTEAD = frozenset({"refuse", "flap", "blackhole", "silence", "status", "html"})
_SIGNED = ("/InRelease", "/Release")
_RELEASE = (*_SIGNED, "/Release.gpg")
_CONDITIONS = ("If-Modified-Since", "If-None-Match")

Begun = Callable[[], None] | None


@dataclass(frozen=True, slots=True)
class _Asked:
    """One request on its way."""

    endpoint: Endpoint
    target: str
    headers: dict[str, str]
    sink: Sink
    begun: Begun


class StagedGetter(Getter):
    """Whoever fetches, with faults in front. Sources that none is on are asked as ever."""

    def __init__(
        self,
        inner: Getter,
        limits: FetchSettings,
        playing: Callable[[], Playing],
        sources: Callable[[str], Iterable[Source]],
    ) -> None:
        """`sources`: which ones a fault's `on` names."""
        self._inner = inner
        self._limits = limits
        self._playing = playing
        self._sources = sources
        self._known = NOTHING
        self._by_source: tuple[tuple[Source, Staged], ...] = ()
        self._frozen: dict[tuple[str, str], Gathering] = {}

    async def get(
        self, endpoint: Endpoint, target: str, headers: dict[str, str], sink: Sink, begun: Begun = None
    ) -> None:
        """`Getter.get`, or what the fault makes of it."""
        playing = self._playing()
        fault = self._on(playing, endpoint, target) if playing.faults else None
        if fault is None:
            if playing.is_unresolved and endpoint.root is None and not is_literal(endpoint.host):
                raise FetchError(Failure.UNRESOLVED, f"{endpoint.host}: {SAID}")
            await self._inner.get(endpoint, target, headers, sink, begun)
            return
        if begun is not None and fault.kind in _INSTEAD:
            begun()
        await self._play(fault, _Asked(endpoint, target, headers, sink, begun))

    async def _play(self, fault: Staged, asked: _Asked) -> None:
        match fault.kind:
            case "refuse" | "flap":
                raise FetchError(Failure.UNREACHABLE, f"{asked.endpoint.authority}: refused, {SAID}")
            case "blackhole":
                if await self._lasts(fault, self._limits.connect_timeout_s):
                    raise FetchError(Failure.UNREACHABLE, f"{asked.endpoint.authority}: no connection, {SAID}")
                await self._really(asked, asked.sink)
            case "silence":
                if await self._lasts(fault, self._limits.first_byte_timeout_s):
                    raise FetchError(Failure.SILENT, f"no answer, {SAID}")
                await self._really(asked, asked.sink)
            case "status":
                asked.sink.head(Head(fault.status, {}, 0))
            case "html":
                asked.sink.head(Head(200, {"content-type": "text/html"}, len(PAGE)))
                asked.sink.data(memoryview(PAGE))
            case "truncate":
                await self._really(asked, Cutting(asked.sink, fault.after_bytes))
            case "corrupt":
                await self._corrupt(asked)
            case "slow":
                await self._slowly(fault, asked)
            case "freeze" if asked.target.endswith(_RELEASE):
                await self._still(fault, asked)
            case "tear" if "/dists/" in asked.target and not asked.target.endswith(_RELEASE):
                await self._torn(asked)
            case "forge" if asked.target.endswith(_SIGNED):
                await self._forged(asked)
            case _:
                await self._really(asked, asked.sink)

    async def _really(self, asked: _Asked, sink: Sink) -> None:
        await self._inner.get(asked.endpoint, asked.target, asked.headers, sink, asked.begun)

    async def _corrupt(self, asked: _Asked) -> None:
        spoiled = Corrupting(asked.sink)
        await self._really(asked, spoiled)
        spoiled.end()

    async def _torn(self, asked: _Asked) -> None:
        """An index of another Release than the one that lists it."""
        if "/by-hash/" in asked.target:
            asked.sink.head(Head(404, {}, 0))
        else:
            await self._corrupt(asked)

    async def _lasts(self, fault: Staged, seconds: float) -> bool:
        """Whether the fault is on for so long from now; as soon as it is not, the answer is no."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            if fault not in self._playing().faults:
                return False
            await asyncio.sleep(min(LOOK_S, left))
        return True

    async def _slowly(self, fault: Staged, asked: _Asked) -> None:
        kept = KeepingBack(asked.sink)
        fetching = asyncio.get_running_loop().create_task(self._really(asked, kept))
        began, limits = time.monotonic(), self._limits
        try:
            while not fetching.done() or kept.waiting:
                await asyncio.sleep(LOOK_S)
                is_on = fault in self._playing().faults
                piece = kept.take(max(1, int(fault.bytes_s * LOOK_S)) if is_on else kept.waiting)
                if piece:
                    asked.sink.data(memoryview(piece))
                too_slow = is_on and fault.bytes_s < limits.rate_min_bytes_s
                if too_slow and kept.waiting and time.monotonic() - began > limits.rate_window_s:
                    raise FetchError(Failure.SLOW, f"{fault.bytes_s:,} B/s, {SAID}")
            fetching.result()
        finally:
            fetching.cancel()
            await asyncio.gather(fetching, return_exceptions=True)

    async def _still(self, fault: Staged, asked: _Asked) -> None:
        """Nothing is news: whoever has something hears that it is current, and all others get what they got first.

        The source is asked all the same, so that nothing counts as confirmed by one that is not there.
        """
        if any(name in asked.headers for name in _CONDITIONS):
            told = Gathering(self._limits.release_bytes_max)
            await self._really(asked, told)
            if told.answer.status == 200:
                told = Gathering(0)
                told.answer = Head(304, {}, 0)
            told.give(asked.sink)
            return
        known = self._frozen.get((fault.on, asked.target))
        if known is None:
            known = Gathering(self._limits.release_bytes_max)
            await self._really(asked, known)
            if known.answer.status == 200 and len(self._frozen) < FROZEN_MAX:
                self._frozen[fault.on, asked.target] = known
        known.give(asked.sink)

    async def _forged(self, asked: _Asked) -> None:
        whole = Gathering(self._limits.release_bytes_max)
        headers = {name: value for name, value in asked.headers.items() if name not in _CONDITIONS}
        await self._inner.get(asked.endpoint, asked.target, headers, whole, asked.begun)
        if whole.answer.status == 200:
            whole.answer = Head(200, {}, 0)  # nothing by which it could be asked for again
            whole.body = bytearray(forged(bytes(whole.body)))
        whole.give(asked.sink)

    def _on(self, playing: Playing, endpoint: Endpoint, target: str) -> Staged | None:
        if playing is not self._known:
            self._known = playing
            self._by_source = tuple((source, one) for one in playing.faults for source in self._sources(one.on))
            frozen = {one.on for one in playing.faults if one.kind == "freeze"}
            self._frozen = {key: kept for key, kept in self._frozen.items() if key[0] in frozen}
        for source, fault in self._by_source:
            if source.endpoint == endpoint and _is_below(target, source.base):
                is_well = fault.kind == "flap" and time.monotonic() % (fault.on_s + fault.off_s) >= fault.on_s
                return None if is_well else fault
        return None


def _is_below(target: str, base: str) -> bool:
    """Of an archive, its files; of a feed's file, that one, its pages, and what its owner puts beside it."""
    return target.startswith(base) and target[len(base) : len(base) + 1] in ("", "/", "?", ".")


@dataclass(slots=True)
class StagedBlobs(BlobStore):
    """A store on a disk that is full while it is played: it gives what it has, and takes nothing."""

    inner: BlobStore
    playing: Callable[[], Playing]

    def draft(self) -> Draft:
        """`BlobStore.draft`."""
        self._refuse()
        return self.inner.draft()

    def keep(self, verified: list[Verified]) -> None:
        """`BlobStore.keep`."""
        self._refuse()
        self.inner.keep(verified)

    def free_bytes(self) -> int:
        """`BlobStore.free_bytes`."""
        return 0 if self.playing().is_full else self.inner.free_bytes()

    def discard(self, draft: Draft) -> None:
        """`BlobStore.discard`."""
        self.inner.discard(draft)

    def open(self, digest: bytes) -> int | None:
        """`BlobStore.open`."""
        return self.inner.open(digest)

    def size(self, digest: bytes) -> int | None:
        """`BlobStore.size`."""
        return self.inner.size(digest)

    def remove(self, digest: bytes) -> None:
        """`BlobStore.remove`."""
        self.inner.remove(digest)

    def digests(self) -> Iterator[tuple[bytes, int]]:
        """`BlobStore.digests`."""
        return self.inner.digests()

    def held(self) -> Iterator[Held]:
        """`BlobStore.held`."""
        return self.inner.held()

    def touch(self, digest: bytes, now: float) -> None:
        """`BlobStore.touch`."""
        self.inner.touch(digest, now)

    def used_at(self, digest: bytes) -> float | None:
        """`BlobStore.used_at`."""
        return self.inner.used_at(digest)

    def _refuse(self) -> None:
        if self.playing().is_full:
            raise OSError(errno.ENOSPC, SAID)

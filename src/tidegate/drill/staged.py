"""Faults wrapped round the ports of a running gateway: what fetches, and what keeps.

The production code runs on; only what it is told by its sources, by DNS or by its disk is another. Nothing is sent that
would not be sent anyway: a fault answers instead of the source, or spoils what the source sent.
"""

import asyncio
import errno
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from tidegate.sources.archive import Endpoint, Source, is_literal
from tidegate.sources.client import Getter
from tidegate.sources.connection import Head, Sink
from tidegate.sources.failure import Failure, FetchError
from tidegate.sources.settings import FetchSettings
from tidegate.store.blobs import BlobStore, Draft, Held, Verified

PAGE = b"<html><head><title>Welcome</title></head><body>Please log in to the network.</body></html>\n"
SAID = "staged by a drill"

LiveKind = Literal[
    "blackhole", "refuse", "silence", "status", "truncate", "corrupt", "html", "freeze", "unresolved", "full"
]


@dataclass(frozen=True, slots=True)
class Staged:
    """A fault as the gateway plays it. `on`: a source's address, `dns` or `disk`."""

    on: str
    kind: LiveKind
    status: int = 503
    after_bytes: int = 2_000


class _Spoiling(Sink):
    """Cuts what comes, or changes a byte of it."""

    def __init__(self, sink: Sink, fault: Staged) -> None:
        self._sink = sink
        self._fault = fault
        self._seen = 0

    def head(self, head: Head) -> None:
        self._sink.head(head)

    def data(self, data: memoryview) -> None:
        place = self._fault.after_bytes - self._seen
        self._seen += len(data)
        if place >= len(data) or place < 0:
            self._sink.data(data)
        elif self._fault.kind == "corrupt":
            spoiled = bytearray(data)
            spoiled[place] ^= 0xFF
            self._sink.data(memoryview(spoiled))
        else:
            if place:
                self._sink.data(data[:place])
            raise FetchError(Failure.CUT, f"{SAID}: ended after {self._fault.after_bytes:,} bytes")


class StagedGetter(Getter):
    """Whoever fetches, with faults in front. Sources that none is on are asked as ever."""

    def __init__(self, inner: Getter, limits: FetchSettings) -> None:
        self._inner = inner
        self._limits = limits
        self._by_source: Mapping[Source, Staged] = {}
        self._unresolved = False

    def play(self, by_source: Mapping[Source, Staged], *, unresolved: bool) -> None:
        """These from now on."""
        self._by_source, self._unresolved = by_source, unresolved

    async def get(
        self,
        endpoint: Endpoint,
        target: str,
        headers: dict[str, str],
        sink: Sink,
        begun: Callable[[], None] | None = None,
    ) -> None:
        """`Getter.get`, or what the fault makes of it."""
        fault = self._on(endpoint, target)
        if fault is None:
            if self._unresolved and endpoint.root is None and not is_literal(endpoint.host):
                raise FetchError(Failure.UNRESOLVED, f"{endpoint.host}: {SAID}")
            await self._inner.get(endpoint, target, headers, sink, begun)
            return
        if begun is not None and fault.kind not in ("truncate", "corrupt", "freeze"):
            begun()
        match fault.kind:
            case "refuse":
                raise FetchError(Failure.UNREACHABLE, f"{endpoint.authority}: refused, {SAID}")
            case "blackhole":
                await asyncio.sleep(self._limits.connect_timeout_s)
                raise FetchError(Failure.UNREACHABLE, f"{endpoint.authority}: no connection, {SAID}")
            case "silence":
                await asyncio.sleep(self._limits.first_byte_timeout_s)
                raise FetchError(Failure.SILENT, f"no answer, {SAID}")
            case "status":
                sink.head(Head(fault.status, {}, 0))
            case "html":
                sink.head(Head(200, {"content-type": "text/html"}, len(PAGE)))
                sink.data(memoryview(PAGE))
            case "freeze" if "If-Modified-Since" in headers or "If-None-Match" in headers:
                sink.head(Head(304, {}, 0))
            case "truncate" | "corrupt":
                await self._inner.get(endpoint, target, headers, _Spoiling(sink, fault), begun)
            case _:
                await self._inner.get(endpoint, target, headers, sink, begun)

    def _on(self, endpoint: Endpoint, target: str) -> Staged | None:
        for source, fault in self._by_source.items():
            if source.endpoint == endpoint and target.startswith(f"{source.base}/"):
                return fault
        return None


@dataclass(slots=True)
class StagedBlobs(BlobStore):
    """A store on a disk that is full while `is_full`: it gives what it has, and takes nothing."""

    inner: BlobStore
    is_full: bool = field(default=False)

    def draft(self) -> Draft:
        """`BlobStore.draft`."""
        if self.is_full:
            raise OSError(errno.ENOSPC, SAID)
        return self.inner.draft()

    def keep(self, verified: list[Verified]) -> None:
        """`BlobStore.keep`."""
        if self.is_full:
            raise OSError(errno.ENOSPC, SAID)
        self.inner.keep(verified)

    def free_bytes(self) -> int:
        """`BlobStore.free_bytes`."""
        return 0 if self.is_full else self.inner.free_bytes()

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

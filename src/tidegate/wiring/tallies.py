"""What several workers have counted, as one sum.

Each worker writes what it counted into a slot of its own, in memory that was shared before they were forked; whoever
reports adds the slots up. A slot is written without a lock: its checksum tells a reader that came in between, who then
goes by what was there before. Who takes a dead worker's place goes on from its counts, so that no sum ever falls.
"""

import asyncio
import mmap
import struct
import zlib
from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

from tidegate.web.report import TrafficReport
from tidegate.web.source_report import SourceReport

if TYPE_CHECKING:
    from tidegate.wiring.worker import Worker

SLOT_BYTES = 256 << 10
"""Of several hundred sources' counts; only what is written to takes memory."""
WRITE_INTERVAL_S = 1.0
_HEAD = struct.Struct("<II")


class SourceTally(Struct, frozen=True, array_like=True):
    """What was fetched from one source; moments are epoch seconds."""

    fetched: int = 0
    fetched_bytes: int = 0
    failed: int = 0
    last_success_at: int | None = None
    last_failure_at: int | None = None


class Tally(Struct, frozen=True, array_like=True):
    """What a worker has answered and fetched; connections and flights are those of this moment."""

    connections: int = 0
    flights: int = 0
    bytes: int = 0
    by_how: dict[str, int] = {}
    by_status: dict[str, int] = {}
    sources: dict[str, SourceTally] = {}
    lacking: int = 0

    def traffic(self) -> TrafficReport:
        """As it is told."""
        return TrafficReport(
            connections=self.connections,
            flights=self.flights,
            bytes=self.bytes,
            by_how=self.by_how,
            by_status=self.by_status,
            lacking=self.lacking,
        )


def total(tallies: Iterable[Tally]) -> Tally:
    """The sum."""
    connections = flights = octets = lacking = 0
    by_how: Counter[str] = Counter()
    by_status: Counter[str] = Counter()
    sources: dict[str, SourceTally] = {}
    for one in tallies:
        connections += one.connections
        flights += one.flights
        octets += one.bytes
        lacking += one.lacking
        by_how.update(one.by_how)
        by_status.update(one.by_status)
        for url, tally in one.sources.items():
            sources[url] = _together(sources.get(url, SourceTally()), tally)
    return Tally(connections, flights, octets, dict(by_how), dict(by_status), sources, lacking)


def _together(one: SourceTally, other: SourceTally) -> SourceTally:
    return SourceTally(
        one.fetched + other.fetched,
        one.fetched_bytes + other.fetched_bytes,
        one.failed + other.failed,
        max(filter(None, (one.last_success_at, other.last_success_at)), default=None),
        max(filter(None, (one.last_failure_at, other.last_failure_at)), default=None),
    )


def with_counts(sources: Iterable[SourceReport], tally: Tally) -> tuple[SourceReport, ...]:
    """The reports of one worker's sources, with what all of them fetched there."""
    return tuple(_counted(one, tally.sources.get(one.url, SourceTally())) for one in sources)


def _counted(one: SourceReport, tally: SourceTally) -> SourceReport:
    return msgspec.structs.replace(
        one,
        state="good" if one.state == "unused" and tally.fetched else one.state,
        fetched=tally.fetched,
        fetched_bytes=tally.fetched_bytes,
        failed=tally.failed,
        last_success_at=tally.last_success_at,
        last_failure_at=tally.last_failure_at,
    )


class Tallies:
    """The slots. Made by whoever forks the workers, before it does."""

    def __init__(self, workers: int) -> None:
        self.workers = workers
        self._memory = mmap.mmap(-1, workers * SLOT_BYTES)
        self._seen = [Tally()] * workers

    def write(self, worker: int, tally: Tally) -> None:
        """Leave a worker's counts for the others; without its sources', should they be too many for a slot."""
        data = msgspec.msgpack.encode(tally)
        if len(data) > SLOT_BYTES - _HEAD.size:
            data = msgspec.msgpack.encode(msgspec.structs.replace(tally, sources={}))
        start = worker * SLOT_BYTES
        self._memory[start : start + _HEAD.size + len(data)] = _HEAD.pack(len(data), zlib.crc32(data)) + data

    def read(self, worker: int) -> Tally:
        """What a worker wrote last, or the time before, if it is just writing."""
        start = worker * SLOT_BYTES
        length, checksum = _HEAD.unpack_from(self._memory, start)
        data = self._memory[start + _HEAD.size : start + _HEAD.size + min(length, SLOT_BYTES - _HEAD.size)]
        if length and zlib.crc32(data) == checksum:
            self._seen[worker] = msgspec.msgpack.decode(data, type=Tally)
        return self._seen[worker]


class Counting:
    """One worker's part in the sum."""

    def __init__(self, worker: "Worker", tallies: Tallies, mine: int) -> None:
        """Goes on from what the slot says: the counts of whoever was worker `mine` before."""
        self._worker = worker
        self._tallies = tallies
        self._mine = mine
        self._writing: asyncio.Task[None] | None = None
        self._before = msgspec.structs.replace(tallies.read(mine), connections=0, flights=0)

    def sum(self) -> Tally:
        """Of all workers; the others' as they were a second ago at most."""
        others = (self._tallies.read(worker) for worker in range(self._tallies.workers) if worker != self._mine)
        return total((self._own(), *others))

    def start(self) -> None:
        """Write it down for the others, now and then, for as long as the loop runs."""
        self._writing = asyncio.get_running_loop().create_task(self._go_on())

    async def _go_on(self) -> None:
        try:
            while True:
                self._tallies.write(self._mine, self._own())
                await asyncio.sleep(WRITE_INTERVAL_S)
        finally:
            self._tallies.write(self._mine, self._own())

    def _own(self) -> Tally:
        worker = self._worker
        access = worker.gateway.access
        access.flush()
        sources = {
            url: SourceTally(one.fetched, one.fetched_bytes, one.failed, one.last_success_at, one.last_failure_at)
            for url, one in worker.fetching.health.sources.items()
        }
        now = Tally(
            worker.gateway.connections,
            worker.fetching.flights,
            access.bytes,
            dict(access.by_how),
            {str(status): count for status, count in access.by_status.items()},
            sources,
            access.lacking,
        )
        return total((self._before, now))

"""Fetches files that no client waits for: so many at a time, the most urgent next, at each source's pace."""

import asyncio
from collections.abc import Callable, Iterator, Sequence

from tidegate.holding.hot_listing import Stores
from tidegate.holding.lacking import NO_TIME
from tidegate.holding.prefetch import Nowhere, Piece
from tidegate.holding.settings import HoldSettings
from tidegate.sources.archive import Archive
from tidegate.sources.fetching import Fetching
from tidegate.sources.flight import Stage, Wanted
from tidegate.sources.pacing import Pace, Rank, Slots
from tidegate.sources.selection import plan

NO_ROOM = "there is no room: the disk is full, or store.quota_bytes is reached"


class Bringing:
    """For all archives. Belongs to one event loop."""

    def __init__(self, stores: Stores, fetching: Fetching, settings: HoldSettings, room: Callable[[], int]) -> None:
        """`room`: how many bytes may still be written; called in a thread. Raises OSError."""
        self._stores = stores
        self._fetching = fetching
        self._room = room
        self._left_bytes = 0
        self._slots = Slots(settings.connections)
        self._pace = Pace(settings.requests_per_minute, lambda: asyncio.get_running_loop().time())
        self._nobody_hurries = asyncio.Event()

    def reconfigure(self, settings: HoldSettings) -> None:
        """Go by other settings from now on."""
        self._slots.count, self._pace.per_minute = settings.connections, settings.requests_per_minute

    async def measure(self) -> None:
        """See how much room there is; before each round. Raises OSError."""
        self._left_bytes = await asyncio.to_thread(self._room)

    async def bring(self, archive: Archive, pieces: Sequence[Piece], rank: Rank, reasons: dict[bytes, str]) -> None:
        """Try each of them once; why it is not held afterwards stands in `reasons`, by digest."""
        todo = iter(pieces)
        async with asyncio.TaskGroup() as group:
            for _ in range(min(len(pieces), self._slots.count)):
                group.create_task(self._work(archive, todo, rank, reasons))

    async def _work(self, archive: Archive, todo: Iterator[Piece], rank: Rank, reasons: dict[bytes, str]) -> None:
        for piece in todo:
            async with self._slots.of((*rank, -piece.uses)):
                try:
                    reason = await self._fetch(archive, piece)
                except OSError as error:
                    reason = str(error)
            if reason:
                reasons[piece.digest] = reason
            else:
                reasons.pop(piece.digest, None)

    async def _fetch(self, archive: Archive, piece: Piece) -> str:
        """Hold a file; empty, or why not."""
        if self._stores.holds_whole(piece.digest, piece.size):
            return ""
        if self._left_bytes < piece.size:
            return NO_ROOM
        health = self._fetching.health
        planned = plan(archive.sources, (piece.path,), health, health.now(), size=piece.size)
        if planned.alone is not None:
            return Nowhere(planned.alone.said)
        if not planned.candidates:
            reasons = "; ".join(f"{one.source}: {one.reason}" for one in planned.excluded)
            return Nowhere(f"no source may be asked now: {reasons}")
        await self._pace.turn([planned.candidates[0].source.url], self._nobody_hurries)
        flight = await self._fetching.hold(Wanted(piece.digest, piece.size), archive.sources, (piece.path,))
        match flight.stage:
            case Stage.HELD:
                self._left_bytes -= piece.size
                return ""
            case Stage.VERIFIED:
                return NO_ROOM
            case _:
                return Nowhere(flight.failure) if flight.failure else NO_TIME

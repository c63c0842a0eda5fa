"""What the dashboard shows, gathered in the desk: the journal and its incidents, the gateway's status, exposure."""

import asyncio
import contextlib
import sqlite3
import time
from collections.abc import Awaitable, Callable, Sequence

from tidegate.incidents.incident import Incident
from tidegate.store.journal import Event, Journal
from tidegate.web.dashboard import KINDS
from tidegate.web.exposure_report import FleetExposureReport
from tidegate.web.overview import Decision, Overview, decision
from tidegate.web.pictures import answers, lanes
from tidegate.web.watch_report import WatchesReport
from tidegate.wiring.incidents import Incidents
from tidegate.wiring.kept import Kept
from tidegate.wiring.observing import Observing

DECISIONS_SHOWN = 50
SERVED_READ_MAX = 3_000
"""`served` events of a day: one a minute, and some more."""
ANSWERS_S = 86_400
LANES_S = 7 * 86_400
LOOK_EVERY_S = 1.0
EXPOSURE_EVERY_S = 30.0
EXPOSURE_PATIENCE_S = 1.0
STATUS_PATIENCE_S = 6.0

Told = tuple[tuple[Incident, ...], tuple[Event, ...], tuple[Event, ...]]
"""Incidents, `served` events of the last day, the newest decisions."""


class Dashboard:
    """`web.dashboard.DashboardView` of a desk; for its event loop."""

    def __init__(
        self,
        journal: Journal,
        incidents: Incidents,
        observing: Observing,
        exposure: Callable[[], Awaitable[FleetExposureReport]],
        watches: Callable[[], WatchesReport],
    ) -> None:
        self._journal = journal
        self._incidents = incidents
        self._observing = observing
        self._watches = watches
        self._told = Kept(self._read, LOOK_EVERY_S)
        self._exposure = Kept(exposure, EXPOSURE_EVERY_S)

    async def overview(self) -> Overview:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(STATUS_PATIENCE_S):
                await self._observing.asked()
        incidents, served, newest = await self._told.get()
        now = time.time()
        return Overview(
            at=int(now),
            status=self._observing.status,
            rates=self._observing.rates(),
            answers=answers(served, now - ANSWERS_S, now),
            incidents=incidents,
            lanes=lanes(incidents, now - LANES_S, now),
            lanes_since=now - LANES_S,
            decisions=tuple(decision(event) for event in reversed(newest)),
            exposure=await self._exposure.soon(EXPOSURE_PATIENCE_S),
            watches=self._watches(),
        )

    async def decisions(self, after: int, limit: int) -> tuple[Sequence[Decision], int]:
        return await asyncio.to_thread(self._after, after, limit)

    def _after(self, after: int, limit: int) -> tuple[Sequence[Decision], int]:
        try:
            if after == 0 and (newest := self._journal.last(1)):
                return (), newest[0].seq
            events = self._journal.read(after=after, limit=limit)
        except sqlite3.Error as error:
            raise OSError(str(error)) from error
        return [decision(event) for event in events if event.kind in KINDS], events[-1].seq if events else after

    async def _read(self) -> Told:
        return await asyncio.to_thread(self._read_now)

    def _read_now(self) -> Told:
        try:
            served = self._journal.last(SERVED_READ_MAX, kinds=("served",))
            return self._incidents.all(), served, self._journal.last(DECISIONS_SHOWN, kinds=KINDS)
        except sqlite3.Error as error:
            raise OSError(str(error)) from error

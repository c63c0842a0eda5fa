"""A running gateway, as the admin port sees it; and the same from its state alone, when none runs."""

import asyncio
import json
import os
import time
from collections.abc import Mapping

import msgspec

from tidegate.keeper.outcome import NotAdopted, Outcome
from tidegate.sources.archive import Archive
from tidegate.store.layout import Layout
from tidegate.web.report import (
    RunningReport,
    StatusReport,
    TrafficReport,
    is_ready,
    sources_of,
    suites_of,
)
from tidegate.wiring.store import Store
from tidegate.wiring.worker import Worker


class RunningView:
    """`web.app.View` of one worker."""

    def __init__(self, worker: Worker, running: RunningReport, notes: tuple[str, ...]) -> None:
        self._worker = worker
        self._looks: set[asyncio.Task[Outcome]] = set()
        self.running = running
        self.notes = notes

    def status(self) -> StatusReport:
        worker, now = self._worker, int(time.time())
        archives = worker.archives.values()
        suites = suites_of(archives, worker.store.catalogue, worker.store.marks, now)
        access = worker.gateway.access
        access.flush()
        return StatusReport(
            at=now,
            ready=is_ready(suites),
            running=self.running,
            suites=suites,
            sources=sources_of(archives, worker.fetching.health.sources),
            traffic=TrafficReport(
                connections=worker.gateway.connections,
                flights=worker.fetching.flights,
                bytes=access.bytes,
                by_how=dict(access.by_how),
                by_status={str(status): count for status, count in access.by_status.items()},
            ),
            notes=self.notes,
        )

    async def refresh(self, archive: str, suite: str, *, wait: bool) -> tuple[bool, str]:
        if archive not in self._worker.archives:
            raise KeyError(archive)
        assert self._worker.keeper is not None
        look = asyncio.get_running_loop().create_task(self._worker.keeper.look_anew(archive, suite))
        self._looks.add(look)
        look.add_done_callback(self._looks.discard)
        if not wait:
            return True, "begun"
        outcome = await asyncio.shield(look)
        if isinstance(outcome, NotAdopted):
            return False, str(outcome)
        return True, type(outcome).__name__.lower()


def status_at_rest(archives: Mapping[str, Archive], store: Store, notes: tuple[str, ...]) -> StatusReport:
    """What a state directory says while no gateway runs."""
    now = int(time.time())
    suites = suites_of(archives.values(), store.catalogue, store.marks, now)
    return StatusReport(
        at=now,
        ready=is_ready(suites),
        running=None,
        suites=suites,
        sources=sources_of(archives.values(), {}),
        notes=notes,
    )


def write_running(layout: Layout, running: RunningReport) -> None:
    """Leave word where we listen, for the commands."""
    fresh = layout.running.with_suffix(".new")
    fresh.write_bytes(msgspec.json.encode(running))
    fresh.replace(layout.running)


def read_running(layout: Layout) -> RunningReport | None:
    """Who serves this state, if that process still lives."""
    try:
        running = msgspec.json.decode(layout.running.read_bytes(), type=RunningReport)
        os.kill(running.pid, 0)
    except PermissionError:
        return running
    except (OSError, msgspec.MsgspecError, json.JSONDecodeError):
        return None
    return running

"""The watches of one process: asked on their schedule, told of, their copies read.

The desk runs it; a command does where no desk runs.
"""

import asyncio
import os
import time
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from tidegate.config import Settings
from tidegate.sources.client import Client
from tidegate.store.layout import Layout
from tidegate.watch import warc
from tidegate.watch.asking import Asker
from tidegate.watch.copies import file_bytes
from tidegate.watch.folder import RobotsFolder, WatchFolder
from tidegate.watch.settings import COPY_BYTES_MAX
from tidegate.watch.warc import CopiedPage
from tidegate.watch.watch import watches_of
from tidegate.watch.watching import OFFLINE, Note, Watching
from tidegate.web.watch_report import CheckReport, WatchesReport, WatchReport, watch_report
from tidegate.wiring.news import News, Tell

if TYPE_CHECKING:
    from pathlib import Path

_LEVELS = {"watch-up": "info", "watch-failed": "error"}


class Watches:
    """`web.watch_control.WatchesView` over one state. Made inside the loop that uses it; `close` it."""

    def __init__(self, settings: Settings, layout: Layout, note: Note, tell: Tell, *, running: bool = True) -> None:
        """Raises OSError. `running`: pages are asked on their schedule (`run`)."""
        self._settings = settings
        self._layout = layout
        self._tell = tell
        self._running = running
        self._client = Client(settings.fetch)
        self._folder = WatchFolder(layout.watch)
        robots = RobotsFolder(layout.watch, lambda text: tell(News("warning", "watch", text)))
        asker = Asker(self._client, robots, redirects_max=settings.fetch.redirects_max)
        watches, self.notes = watches_of(settings.watch)
        offline = settings.fetch.offline
        self._watching = Watching(watches, settings.copies, asker, self._folder, note, self._room, offline=offline)
        self._watching.hearers.append(self._heard)

    async def run(self) -> None:
        """Until cancelled."""
        await self._watching.run()

    def reconfigure(self, settings: Settings) -> None:
        """Take new settings over. Limits towards sources (`fetch`) stay as they are."""
        self._settings = settings
        watches, self.notes = watches_of(settings.watch)
        self._watching.reconfigure(watches, settings.copies)

    def close(self) -> None:
        """End every connection; after `run` was cancelled and has ended."""
        self._client.close()

    def _room(self) -> int:
        """Bytes that may be written beside what is served."""
        disk = os.statvfs(self._layout.state)
        return disk.f_bavail * disk.f_frsize - self._settings.store.free_bytes_min

    def _heard(self, kind: str, name: str, text: str) -> None:
        self._tell(News(_LEVELS.get(kind, "warning"), kind, f"{name} {text}"))

    # What is asked

    def watches(self) -> WatchesReport:
        """How all of them stand."""
        now = time.time()
        told = tuple(self._report(name, now) for name in self._watching.watches)
        return WatchesReport(
            at=int(now),
            running=self._running,
            watches=told,
            copies_bytes=sum(map(file_bytes, self._watching.kept.values())),
            notes=(*self.notes, *_notes(told)),
        )

    def watch(self, name: str) -> WatchReport:
        """How one stands. Raises KeyError."""
        if name not in self._watching.watches:
            raise KeyError(f"there is no watch {name!r} in the settings")
        return self._report(name, time.time())

    async def copied(self, name: str, *, before: bool = False) -> CopiedPage:
        """What is in a watch's copy. Raises KeyError, FileNotFoundError where there is none, OSError."""
        self.watch(name)
        path = self._folder.copy_path(name, before=before)
        return await asyncio.to_thread(warc.read, path, COPY_BYTES_MAX)

    def copy_path(self, name: str, *, before: bool = False) -> "Path":
        """The WARC itself. Raises KeyError, FileNotFoundError where there is none."""
        self.watch(name)
        path = self._folder.copy_path(name, before=before)
        if not path.exists():
            raise FileNotFoundError(2, "no copy is kept", str(path))
        return path

    def check(self, names: tuple[str, ...]) -> AsyncIterator[CheckReport]:
        """Ask these now, or all of them; each as it ends. Raises KeyError at once for one that there is not."""
        for name in names:
            if name not in self._watching.watches:
                raise KeyError(f"there is no watch {name!r} in the settings")
        return self._checking(names or tuple(self._watching.watches))

    async def _checking(self, names: tuple[str, ...]) -> AsyncIterator[CheckReport]:
        tasks = [asyncio.ensure_future(self._watching.check(name)) for name in names]
        try:
            for name, task in zip(names, tasks, strict=True):
                pause = await task
                yield CheckReport(watch=self.watch(name), wait_s=None if pause is None else round(pause.wait_s, 1))
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _report(self, name: str, now: float) -> WatchReport:
        watching = self._watching
        next_at = watching.next_at(name) if self._running else None
        return watch_report(watching.watches[name], watching.kept[name], watching.told(name), next_at, now)


def _notes(told: tuple[WatchReport, ...]) -> tuple[str, ...]:
    asked = [one for one in told if one.state != "not-asked"]
    if told and all(one.reason == OFFLINE for one in told):
        return ("this gateway is offline: nobody is asked",)
    if len(asked) > 1 and all(one.state == "down" for one in asked):
        return ("every page is down: see first whether this machine has a way out (`tidegate doctor`)",)
    return ()

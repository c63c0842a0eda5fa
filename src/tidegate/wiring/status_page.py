"""The status page: gathered from the journal and the gateway's word, written to its directory, taken elsewhere."""

import asyncio
import os
import sqlite3
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path

from tidegate.incidents.incident import Incident
from tidegate.store.journal import Event, Journal
from tidegate.web.advisories_report import FeedReport
from tidegate.web.days import Record, record
from tidegate.web.report import StatusReport
from tidegate.web.settings import StatusSettings
from tidegate.web.status_files import files_of
from tidegate.web.status_page import Known, StatusPage, news, status_page
from tidegate.web.watch_report import WatchesReport, WatchReport
from tidegate.wiring.news import News, Tell
from tidegate.wiring.status_outlets import Bucket, Outlet, run_command

LOOK_EVERY_S = 5.0
TURNS_READ_MAX = 2_000
SUMMARIES_READ_MAX = 2_000
FILE_MODE = 0o644
DIRECTORY_MODE = 0o755


def recorded(journal: Journal, until: float) -> Record:
    """When a gateway ran, as far as the journal goes back. `until`: when it was last known to run."""
    first = journal.rows(limit=1)
    turns = journal.last(TURNS_READ_MAX, kinds=("started", "stopped"))
    ends: dict[int, float] = {}
    for before, event in zip((None, *turns), turns, strict=False):
        if event.kind == "started" and (before is None or before.kind == "started"):
            ends[event.seq] = next((one.at for one in journal.read(after=event.seq - 2, limit=1)), event.at)
    oldest = journal.read(limit=1) if first else ()
    whole = sorted({one.seq: one for one in (*oldest, *turns)}.values(), key=lambda one: one.seq)
    return record(whole, ends, journal.last(SUMMARIES_READ_MAX, kinds=("summary",)), until)


def last_run(journal: Journal, status: StatusReport | None) -> float:
    """When a gateway was last known to run."""
    newest: Sequence[Event] = journal.last(1)
    seen = newest[0].at if newest else 0.0
    return max(seen, status.at) if status is not None and status.running is not None else seen


def write(files: Mapping[str, bytes], directory: Path) -> None:
    """Each file whole or as it was, on the disk when this returns, and for everybody to read. Raises OSError."""
    if not directory.is_dir():
        directory.mkdir(parents=True)
        directory.chmod(DIRECTORY_MODE)  # whatever the umask: a server of files reads it
    for name, data in files.items():
        draft = directory / f".{name}.{os.getpid()}.new"
        try:
            fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, FILE_MODE)
            with os.fdopen(fd, "wb") as file:
                os.fchmod(fd, FILE_MODE)
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            draft.replace(directory / name)
        except BaseException:
            draft.unlink(missing_ok=True)
            raise
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


class StatusPages:
    """Writes the page whenever it says something else, and else so often as it promises. For one event loop."""

    def __init__(
        self,
        settings: StatusSettings,
        journal: Journal,
        incidents: Callable[[], Sequence[Incident]],
        status: Callable[[], StatusReport | None],
        feeds: Callable[[], Awaitable[Sequence[FeedReport]]],
        watches: Callable[[], WatchesReport],
        tell: Tell,
    ) -> None:
        """`incidents` is called in a thread."""
        self.settings = settings
        self._journal = journal
        self._incidents = incidents
        self._status = status
        self._feeds = feeds
        self._watches = watches
        self._tell = tell
        self._told: tuple[StatusPage, StatusSettings] | None = None
        self._unwritten: Mapping[str, bytes] | None = None
        ways = run_command, Bucket().deliver
        self._command, self._bucket = (Outlet(way, lambda: self.settings, tell) for way in ways)
        self._trouble = ""

    async def run(self) -> None:
        """Until cancelled."""
        await asyncio.gather(self._keep_written(), self._command.run(), self._bucket.run())

    async def _keep_written(self) -> None:
        while True:
            if self.settings.directory or self.settings.s3:
                try:
                    await self._look(time.time())
                    self._trouble = ""
                except (OSError, sqlite3.Error) as error:
                    self._complain(f"the status page cannot be written: {error}")
            await asyncio.sleep(LOOK_EVERY_S)

    async def _look(self, now: float) -> None:
        settings, status = self.settings, self._status()
        feeds = await self._feeds()
        watches = self._watches().watches
        page = await asyncio.to_thread(self._page, settings, status, feeds, watches, now)
        if self._is_news(page, settings, now):
            self._told, self._unwritten = (page, settings), files_of(page)
            self._bucket.offer(self._unwritten)  # also while this machine's own disk is full
        if self._unwritten is not None and settings.directory:
            await asyncio.to_thread(write, self._unwritten, Path(settings.directory))
            self._command.offer(self._unwritten)
            self._unwritten = None

    def _is_news(self, page: StatusPage, settings: StatusSettings, now: float) -> bool:
        """Or else time for the next one."""
        if self._told is None:
            return True
        before, then = self._told
        is_due = not before.written_at <= now < before.next_at - LOOK_EVERY_S
        return is_due or settings != then or news(page) != news(before)

    def _page(
        self,
        settings: StatusSettings,
        status: StatusReport | None,
        feeds: Sequence[FeedReport],
        watches: Sequence[WatchReport],
        now: float,
    ) -> StatusPage:
        past = recorded(self._journal, last_run(self._journal, status))
        known = Known(status, self._incidents(), feeds, past, watches)
        return status_page(known, settings, now)

    def _complain(self, text: str) -> None:
        """Once for each trouble."""
        if text != self._trouble:
            self._trouble = text
            self._tell(News("error", "status-page", text))

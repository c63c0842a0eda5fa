"""The status page: gathered from the journal and the gateway's word, written to its directory, published from there."""

import asyncio
import contextlib
import os
import signal
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

LOOK_EVERY_S = 5.0
KILL_AFTER_S = 5
TIMED_OUT = (124, 137)
"""How timeout(1) says so."""
PUBLISH_AGAIN_S = 60.0
"""After a command that failed, unless there is something newer sooner."""
TURNS_READ_MAX = 2_000
SUMMARIES_READ_MAX = 2_000
OUTPUT_SHOWN_MAX = 500
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
        self._written: StatusPage | None = None
        self._fresh = asyncio.Event()
        self._troubles: dict[str, str] = {}

    async def run(self) -> None:
        """Until cancelled."""
        await asyncio.gather(self._keep_written(), self._keep_published())

    async def _keep_written(self) -> None:
        while True:
            if self.settings.directory:
                try:
                    await self._look(time.time())
                    self._troubles.pop("written", None)
                except (OSError, sqlite3.Error) as error:
                    self._complain("written", error)
            await asyncio.sleep(LOOK_EVERY_S)

    async def _keep_published(self) -> None:
        """Beside the writing, which waits for nobody; of several changes that came meanwhile the last is published."""
        while True:
            await self._fresh.wait()
            self._fresh.clear()
            try:
                await self._publish(self.settings)
                self._troubles.pop("published", None)
            except OSError as error:
                self._complain("published", error)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(PUBLISH_AGAIN_S):
                        await self._fresh.wait()
                self._fresh.set()

    async def _look(self, now: float) -> None:
        settings, status = self.settings, self._status()
        feeds = await self._feeds()
        watches = self._watches().watches
        page = await asyncio.to_thread(self._page, settings, status, feeds, watches, now)
        before = self._written
        is_due = before is None or not before.written_at <= now < before.next_at - LOOK_EVERY_S
        if before is not None and not is_due and news(page) == news(before):
            return
        await asyncio.to_thread(write, files_of(page), Path(settings.directory))
        self._written = page
        if settings.publish:
            self._fresh.set()

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

    async def _publish(self, settings: StatusSettings) -> None:
        """The owner's own command, which is all that takes the page elsewhere."""
        if not settings.publish or not settings.directory:
            return
        child = await asyncio.create_subprocess_exec(
            # Whatever becomes of us, it has its end.
            *("timeout", f"--kill-after={KILL_AFTER_S}", str(settings.publish_timeout_s), *settings.publish),
            cwd=settings.directory,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
        said = b""
        try:
            async with asyncio.timeout(settings.publish_timeout_s + 2 * KILL_AFTER_S):
                assert child.stderr is not None
                said = await _beginning(child.stderr)
                code = await child.wait()
        except TimeoutError:
            raise OSError(f"{settings.publish[0]} took more than {settings.publish_timeout_s} s") from None
        finally:
            if child.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(child.pid, signal.SIGKILL)
                await child.wait()
        if code in TIMED_OUT:
            raise OSError(f"{settings.publish[0]} took more than {settings.publish_timeout_s} s")
        if code:
            raise OSError(f"{settings.publish[0]} ended with {code}: {said.decode(errors='replace').strip()}")

    def _complain(self, what: str, error: Exception) -> None:
        """Once for each trouble."""
        text = f"the status page cannot be {what}: {error}"
        if text != self._troubles.get(what):
            self._troubles[what] = text
            self._tell(News("error", "status-page", text))


async def _beginning(stream: asyncio.StreamReader) -> bytes:
    """What it says first; all of it is read."""
    kept = b""
    while piece := await stream.read(4096):
        kept = (kept + piece)[:OUTPUT_SHOWN_MAX]
    return kept

"""`tidegate advisories` asks the running desk, or works on its state itself where none runs."""

import asyncio
import errno
import os
import sqlite3
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TypeVar
from urllib.parse import urlencode

import msgspec

from tidegate.config import Gathered
from tidegate.store.journal import Happening, Value
from tidegate.store.sqlite_journal import SqliteJournal
from tidegate.web.advisories_report import (
    AdvisoryReport,
    FeedsReport,
    RefreshedReport,
    RefreshRequest,
    StepReport,
)
from tidegate.wiring.advising import Advising
from tidegate.wiring.ask import ENDED, NotRunningError, ask_at, ask_lines
from tidegate.wiring.copying import give_to_owner_of
from tidegate.wiring.store import layout_of

ANSWER_TIMEOUT_S = 60.0
STEP_TIMEOUT_S = 7_200.0
"""Until the next step of a refresh: one that is fetched or read long says nothing for as long."""

Line = StepReport | RefreshedReport
T = TypeVar("T")


class AdvisoriesDoor:
    """The advisories of one gateway, whether its desk runs or not. All raise OSError."""

    def __init__(self, gathered: Gathered, environment: Mapping[str, str]) -> None:
        self._settings = gathered.settings
        self._layout = layout_of(gathered.settings.store, environment, uid=os.getuid())

    def status(self) -> FeedsReport:
        """How each feed stands. Raises FileNotFoundError where no feed was ever kept, and none is to be."""
        try:
            told = ask_at(self._layout.desk, "GET", "/feeds/status", timeout_s=ANSWER_TIMEOUT_S)
            return msgspec.json.decode(told, type=FeedsReport)
        except NotRunningError:
            with self._opened() as advising:
                return asyncio.run(_with(advising, Advising.advisories_status))

    def show(self, identity: str, at: int | None) -> AdvisoryReport:
        """A CVE or a notice, now or at a moment."""
        query = {"id": identity} | ({} if at is None else {"at": str(at)})
        try:
            target = f"/feeds/show?{urlencode(query)}"
            told = ask_at(self._layout.desk, "GET", target, timeout_s=ANSWER_TIMEOUT_S)
            return msgspec.json.decode(told, type=AdvisoryReport)
        except NotRunningError:
            with self._opened() as advising:
                return asyncio.run(_with(advising, lambda one: one.advisory(identity, at)))

    def refresh(self, asked: RefreshRequest, told: Callable[[Line], None]) -> tuple[RefreshedReport, ...]:
        """Look at feeds now; each line is told as it comes.

        Raises KeyError or ValueError, with a sentence, for what cannot be asked; ConnectionResetError where the desk
        ends in the middle.
        """
        done: list[RefreshedReport] = []

        def heard(line: Line) -> None:
            told(line)
            if isinstance(line, RefreshedReport):
                done.append(line)

        try:
            body = msgspec.json.encode(asked)
            lines = ask_lines(self._layout.desk, "POST", "/feeds/refresh", timeout_s=STEP_TIMEOUT_S, body=body)
            last: Line | None = None
            for text in lines:
                last = msgspec.json.decode(text, type=Line)
                heard(last)
            if isinstance(last, StepReport):
                raise ConnectionResetError(errno.ECONNRESET, ENDED, str(self._layout.desk))
        except NotRunningError:
            with self._opened(makes=True) as advising:
                asyncio.run(_refresh(advising, asked, heard))
        return tuple(done)

    @contextmanager
    def _opened(self, *, makes: bool = False) -> Iterator["Opening"]:
        if not makes and not self._layout.advisories.exists() and not self._layout.feeds.exists():
            raise FileNotFoundError(errno.ENOENT, "no feed was ever kept here", str(self._layout.state))
        self._layout.state.mkdir(parents=True, exist_ok=True, mode=0o700)
        try:
            journal = SqliteJournal(self._layout.journal)
        except sqlite3.Error as error:
            raise OSError(errno.EIO, f"the journal cannot be used: {error}", str(self._layout.journal)) from None

        def note(kind: str, subject: str, **data: Value) -> None:
            journal.append([Happening(kind, subject, data)])

        def opening() -> Advising:
            return Advising(self._settings, self._layout, note, lambda _: None, running=False)

        try:
            yield opening
        except sqlite3.Error as error:
            raise OSError(errno.EIO, f"the database cannot be used: {error}", str(self._layout.advisories)) from None
        finally:
            journal.close()
            self._give_to_owner()

    def _give_to_owner(self) -> None:
        """What root has just made is its gateway's, whose it is to write."""
        made = [self._layout.journal, self._layout.advisories, self._layout.feeds, *self._layout.feeds.rglob("*")]
        for path in made:
            try:
                fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
            except FileNotFoundError:
                continue
            try:
                give_to_owner_of(fd, self._layout.state)
            finally:
                os.close(fd)


Opening = Callable[[], Advising]


async def _with(opening: Opening, look: Callable[[Advising], Awaitable[T]]) -> T:
    advising = opening()
    try:
        return await look(advising)
    finally:
        advising.close()


async def _refresh(opening: Opening, asked: RefreshRequest, heard: Callable[[Line], None]) -> None:
    advising = opening()
    try:
        async for line in advising.advisories_refresh(asked):
            heard(line)
    finally:
        advising.close()

"""`tidegate watch` asks the running desk, or works on its state itself where none runs."""

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
from tidegate.watch import warc
from tidegate.watch.folder import WatchFolder
from tidegate.watch.settings import COPY_BYTES_MAX
from tidegate.watch.warc import CopiedPage
from tidegate.watch.watching import Note
from tidegate.web.watch_report import CheckReport, WatchesReport
from tidegate.wiring.ask import NotRunningError, ask_at, ask_lines
from tidegate.wiring.copying import give_to_owner_of
from tidegate.wiring.store import layout_of
from tidegate.wiring.watches import Watches

ANSWER_TIMEOUT_S = 60.0
CHECK_TIMEOUT_S = 300.0
"""Until the next page of a check has answered, or has not."""

T = TypeVar("T")


class WatchDoor:
    """The watches of one gateway, whether its desk runs or not. All raise OSError."""

    def __init__(self, gathered: Gathered, environment: Mapping[str, str]) -> None:
        self._settings = gathered.settings
        self._layout = layout_of(gathered.settings.store, environment, uid=os.getuid())

    def watches(self) -> WatchesReport:
        """How each page stands."""
        try:
            told = ask_at(self._layout.desk, "GET", "/watches.json", timeout_s=ANSWER_TIMEOUT_S)
            return msgspec.json.decode(told, type=WatchesReport)
        except NotRunningError:
            return self._with(_now(Watches.watches), _nobody)

    def copied(self, name: str, *, before: bool) -> CopiedPage:
        """What is in a copy. It is a file, so nobody has to be asked. Raises FileNotFoundError where there is none."""
        return warc.read(WatchFolder(self._layout.watch).copy_path(name, before=before), COPY_BYTES_MAX)

    def check(self, names: tuple[str, ...], told: Callable[[CheckReport], None]) -> tuple[CheckReport, ...]:
        """Ask now; each is told as it ends. Raises KeyError, with a sentence, for one that there is not."""
        done: list[CheckReport] = []

        def heard(one: CheckReport) -> None:
            told(one)
            done.append(one)

        target = "/watches/check?" + urlencode([("name", name) for name in names])
        try:
            for line in ask_lines(self._layout.desk, "POST", target, timeout_s=CHECK_TIMEOUT_S):
                heard(msgspec.json.decode(line, type=CheckReport))
        except NotRunningError:

            async def look(watches: Watches) -> None:
                async for one in watches.check(names):
                    heard(one)

            with self._journal() as note:
                self._with(look, note)
        return tuple(done)

    def _with(self, look: Callable[[Watches], Awaitable[T]], note: Note) -> T:
        async def run() -> T:
            watches = Watches(self._settings, self._layout, note, lambda _: None, running=False)
            try:
                return await look(watches)
            finally:
                watches.close()

        return asyncio.run(run())

    @contextmanager
    def _journal(self) -> Iterator[Note]:
        self._layout.state.mkdir(parents=True, exist_ok=True, mode=0o700)
        try:
            journal = SqliteJournal(self._layout.journal)
        except sqlite3.Error as error:
            raise OSError(errno.EIO, f"the journal cannot be used: {error}", str(self._layout.journal)) from None

        def note(kind: str, subject: str, **data: Value) -> None:
            journal.append([Happening(kind, subject, data)])

        try:
            yield note
        finally:
            journal.close()
            self._give_to_owner()

    def _give_to_owner(self) -> None:
        """What root has just made is its gateway's, whose it is to write."""
        for path in (self._layout.journal, self._layout.watch, *self._layout.watch.rglob("*")):
            try:
                fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
            except FileNotFoundError:
                continue
            try:
                give_to_owner_of(fd, self._layout.state)
            finally:
                os.close(fd)


def _nobody(kind: str, subject: str, **data: Value) -> None:
    """Who only looks writes nothing down."""
    raise AssertionError(f"{kind} of {subject}: {data}")


def _now(ask: Callable[[Watches], T]) -> Callable[[Watches], Awaitable[T]]:
    async def look(watches: Watches) -> T:
        return ask(watches)

    return look

"""Watches are kept: each page asked on its schedule, how it stands written down, its last good copy kept.

A page that fails disturbs no other one; nothing here is in the way of what apt is served.
"""

import asyncio
import contextlib
import hashlib
import math
import random
import time
from collections.abc import Callable, Mapping
from typing import Protocol

from msgspec.structs import replace

from tidegate.store.journal import Happening, Value
from tidegate.watch import copies
from tidegate.watch.asking import Asker, Barred, Nothing, NotYet, Page
from tidegate.watch.folder import CopyNote, Kept, WatchFolder
from tidegate.watch.settings import CopiesSettings
from tidegate.watch.standing import Bad, Finding, Good, NotAsked, State, after, next_at, told_state
from tidegate.watch.telling import not_asked, sentence, turned
from tidegate.watch.watch import Exchange, Watch, objection, unpacked

LOOK_AGAIN_MAX_S = 600.0
"""A sleep is never longer: clocks are set."""
SPREAD_S = 5.0
"""Over which the first questions after a start are spread."""
BY_HAND_PATIENCE_S = 60.0
"""For so long somebody who asks now waits for a pause that the host wishes for."""
OFFLINE = "this gateway is offline"
GONE = "it is not in the settings any more"


class Note(Protocol):
    """Writes an event down: its kind, the watch, the evidence."""

    def __call__(self, kind: str, subject: str, **data: Value) -> None: ...


class Watching:
    """All watches of one process. Belongs to one event loop; files are written in threads."""

    def __init__(
        self,
        watches: Mapping[str, Watch],
        limits: CopiesSettings,
        asker: Asker,
        folder: WatchFolder,
        note: Note,
        room: Callable[[], int],
        *,
        offline: bool = False,
        now: Callable[[], float] = time.time,
        chance: Callable[[], float] = random.random,
    ) -> None:
        """`room`: bytes that may be written beside what is served. Raises OSError."""
        self.watches = dict(watches)
        self.kept: dict[str, Kept] = {}
        self.hearers: list[Callable[[str, str, str], None]] = []
        """Called with what was written down: the kind, the watch, a sentence."""
        self._limits = limits
        self._asker = asker
        self._folder = folder
        self._note = note
        self._room = room
        self._offline = offline
        self._now = now
        self._chance = chance
        self._turns: dict[str, asyncio.Lock] = {}
        self._woken: dict[str, asyncio.Event] = {}
        self._again = asyncio.Event()
        self._take_up()

    async def run(self) -> None:
        """Until cancelled. Of one process: it forgets what is no watch any more, and sweeps what died on its way."""
        self._folder.sweep()
        self._forget()
        tasks: dict[str, asyncio.Task[None]] = {}
        loop = asyncio.get_running_loop()
        try:
            while True:
                self._again.clear()
                for task in tasks.values():
                    task.cancel()
                await asyncio.gather(*tasks.values(), return_exceptions=True)
                tasks = {name: loop.create_task(self._keep(name)) for name in self.watches}
                await self._again.wait()
        finally:
            for task in tasks.values():
                task.cancel()
            await asyncio.gather(*tasks.values(), return_exceptions=True)

    def reconfigure(self, watches: Mapping[str, Watch], limits: CopiesSettings) -> None:
        """Take new settings over."""
        self.watches, self._limits = dict(watches), limits
        self._take_up()
        self._forget()
        self._again.set()

    async def check(self, name: str) -> NotYet | None:
        """Ask now; None when it was asked. Raises KeyError for a watch that there is not, OSError."""
        watch = self.watches[name]
        try:
            async with asyncio.timeout(BY_HAND_PATIENCE_S):
                await self._turn(name).acquire()
        except TimeoutError:  # it is being asked, and waits for its host
            return NotYet(BY_HAND_PATIENCE_S)
        try:
            asked = await self._look(watch, BY_HAND_PATIENCE_S)
        finally:
            self._turn(name).release()
        if asked is None:
            self._woken.setdefault(name, asyncio.Event()).set()  # its next turn counts from now
        return asked

    def told(self, name: str) -> tuple[State, float | None]:
        """The state of a page as it may be told now, and since when."""
        watch, standing = self.watches[name], self.kept[name].standing
        return told_state(standing, watch.settings, self._now(), crawl_delay_s=self._asker.crawl_delay_s(watch))

    def next_at(self, name: str) -> float | None:
        """When it is asked next, give or take; None where nobody is asked."""
        watch, kept = self.watches[name], self.kept[name]
        if self._offline:
            return None
        return next_at(kept.standing, watch.settings, self._now(), crawl_delay_s=self._asker.crawl_delay_s(watch))

    # Within

    def _take_up(self) -> None:
        """Know what is kept of each watch; of one that has another address by now, nothing is."""
        for name, watch in self.watches.items():
            kept = self.kept.get(name) or self._folder.read(watch)
            self.kept[name] = kept if kept is not None and kept.url == watch.url else Kept(url=watch.url)

    def _forget(self) -> None:
        """What is kept of no watch any more goes; that it is down is not told for ever."""
        for name in (*self._folder.names(), *(set(self.kept) - set(self.watches))):
            watch, standing = self.watches.get(name), self._folder.standing(name)
            if watch is not None and (standing is None or standing.url == watch.url):
                continue
            if standing is not None and standing.standing.state is State.DOWN:
                self._write_down(not_asked(name, standing.url, GONE))
            self._folder.drop(name)
            if watch is None:
                self.kept.pop(name, None)

    async def _keep(self, name: str) -> None:
        first_at, chance = self._now() + SPREAD_S * self._chance(), self._chance()
        woken = self._woken.setdefault(name, asyncio.Event())
        while True:
            woken.clear()
            watch, kept, now = self.watches[name], self.kept[name], self._now()
            delay_s = self._asker.crawl_delay_s(watch)
            due_at = next_at(kept.standing, watch.settings, now, crawl_delay_s=delay_s, chance=chance)
            wait_s = max(due_at, min(first_at, now + SPREAD_S)) - now
            if wait_s <= 0:
                chance = self._chance()
                wait_s = await self._look_unseen(watch)
            if wait_s > 0:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(min(wait_s, LOOK_AGAIN_MAX_S)):
                        await woken.wait()

    async def _look_unseen(self, watch: Watch) -> float:
        """Whatever happens is told, and ends nothing; the pause that it wants."""
        try:
            async with self._turn(watch.name):
                await self._look(watch, math.inf)
        except OSError as error:
            self._tell("watch-failed", watch.name, f"this machine: {error}")
        except Exception as error:  # a defect of ours, which must not end the watching unseen
            self._tell("watch-failed", watch.name, f"a defect of Tidegate: {error!r}")
        else:
            return 0.0
        return LOOK_AGAIN_MAX_S

    def _turn(self, name: str) -> asyncio.Lock:
        return self._turns.setdefault(name, asyncio.Lock())

    async def _look(self, watch: Watch, patience_s: float) -> NotYet | None:
        if self._offline:
            await self._found(watch, NotAsked(OFFLINE), None)
            return None
        match await self._asker.ask(watch, patience_s):
            case NotYet() as pause:
                return pause
            case Nothing(reason):
                await self._found(watch, Bad(reason), None)
            case Barred(reason):
                await self._found(watch, NotAsked(reason), None)
            case Page() as page:
                why = objection(page.exchanges[-1], watch.settings)
                found = Good(page.latency_s) if why is None else Bad(why, page.not_before)
                await self._found(watch, found, page if why is None else None)
        return None

    async def _found(self, watch: Watch, finding: Finding, page: Page | None) -> None:
        before = self.kept.get(watch.name) or Kept(url=watch.url)
        now = self._now()
        standing, turn = after(before.standing, finding, now, watch.settings)
        if isinstance(finding, NotAsked):
            standing = replace(standing, asked_at=now)  # it counts as its turn
        kept = replace(before, standing=standing)
        if page is not None and watch.settings.keep:
            kept = await self._keep_copy(watch, kept, page.exchanges, now)
        elif kept.copy is not None and (copies.is_too_old(kept, now, self._limits) or not watch.settings.keep):
            await asyncio.to_thread(self._folder.drop_copies, watch.name)
            kept = replace(kept, copy=None, before=None, not_kept="")
        if self.watches.get(watch.name) is not watch:  # the settings changed meanwhile
            return
        self.kept[watch.name] = kept
        await asyncio.to_thread(self._folder.write, watch.name, kept, durable=turn is not None)
        happened = turned(watch, standing, turn, now) if turn is not None else None
        if happened is not None:
            self._write_down(happened)

    async def _keep_copy(self, watch: Watch, kept: Kept, exchanges: tuple[Exchange, ...], now: float) -> Kept:
        last = exchanges[-1]
        page = unpacked(last.body, last.headers.get("content-encoding", ""), watch.settings.copy_bytes_max) or b""
        digest = hashlib.sha256(page).hexdigest()
        step = copies.step(kept, digest, now)
        if step is copies.Step.SAME:
            return replace(kept, not_kept="")
        size = sum(len(one.request) + len(one.head) + len(one.body) for one in exchanges)
        others = {**self.kept, watch.name: kept}
        why = copies.objection(watch.settings, is_whole=last.is_whole, size=size, others=others, limits=self._limits)
        if why is None and self._room() < size:
            why = "the disk is for what is served"
        if why is not None:
            return replace(kept, not_kept=why)
        rotate = step is copies.Step.ROTATE
        try:
            file_bytes = await asyncio.to_thread(self._folder.keep, watch, exchanges, rotate=rotate)
        except OSError as error:
            return replace(kept, not_kept=f"it could not be written: {error}")
        note = CopyNote(
            url=last.url,
            taken_at=last.asked_at,
            content_type=last.headers.get("content-type", ""),
            bytes=len(page),
            file_bytes=file_bytes,
            digest=digest,
        )
        return replace(kept, copy=note, before=kept.copy if rotate else kept.before, not_kept="")

    def _write_down(self, happened: Happening) -> None:
        self._note(happened.kind, happened.subject, **happened.data)
        self._tell(happened.kind, happened.subject, sentence(happened))

    def _tell(self, kind: str, name: str, text: str) -> None:
        for tell in self.hearers:
            tell(kind, name, text)

"""One process's part in a drill of the running gateway: what is played is looked up, what comes of it is forgotten.

Each process that fetches takes part by itself: the workers, and the desk. It notices that a fault begins before the
first request that meets it, and remembers how the source stood; once the fault is over it goes by that again. What it
writes into the journal meanwhile is marked with the drill's name.
"""

import asyncio
import copy
from collections.abc import Callable, Iterable

from tidegate.drill.board import Board
from tidegate.drill.playing import NOTHING, Playing
from tidegate.sources.archive import Source
from tidegate.sources.health import Health, Standing
from tidegate.store.journal_writer import JournalWriter

LOOK_S = 0.25
SETTLING_S = 2.0
"""What is learned and written down so long after a fault still comes of it: an answer may be judged after it came."""


class TakingPart:
    """Belongs to one event loop; `last` may be asked from any thread."""

    def __init__(
        self,
        board: Board,
        health: Health,
        journal: JournalWriter,
        sources: Callable[[str], Iterable[Source]],
        everybody: Callable[[], Iterable[str]],
    ) -> None:
        """`sources`: those that a fault's `on` names; `everybody`: the addresses of all."""
        self._board, self._health, self._journal = board, health, journal
        self._sources, self._everybody = sources, everybody
        self._now = NOTHING
        self._known: dict[str, Standing] = {}
        """What was known of sources before a fault was on them."""
        self._settling: dict[str, asyncio.TimerHandle] = {}
        """Those of them that no fault is on any more."""
        self.turned: list[Callable[[Playing, Playing], None]] = []
        """Called with what was played, and what is played now."""
        self.keeps_learning: Callable[[bool], None] = lambda _: None
        """Told whether what is learned of sources from now on is to be kept."""

    def playing(self) -> Playing:
        """What is played now; to be asked before each fetch."""
        self.look()
        return self._now

    def last(self) -> Playing:
        """What was played when somebody looked last, which is LOOK_S ago at most."""
        return self._now

    async def run(self) -> None:
        """Notice it soon where nothing is fetched, too. Until cancelled."""
        while True:
            self.look()
            await asyncio.sleep(LOOK_S)

    def look(self) -> None:
        """Begin to take part, or end it, if that is due."""
        now = self._board.read()
        if now is self._now:
            return
        before, self._now = self._now, now
        if now.drill:
            self._journal.drill = now.drill
            self.keeps_learning(False)
        self._remember(self._affected(now))
        if before.drill and not now.drill:
            asyncio.get_running_loop().call_later(SETTLING_S, self._unmark, before.drill)
        for tell in self.turned:
            tell(before, now)

    def _remember(self, affected: set[str]) -> None:
        """How those stand that a fault has come upon; and forget what was learned of those that it left."""
        for url in affected:
            if url in self._settling:
                self._settling.pop(url).cancel()
            elif url not in self._known:
                self._known[url] = copy.deepcopy(self._health.of(url))
        for url in set(self._known) - affected - set(self._settling):
            self._health.restore(url, copy.deepcopy(self._known[url]))
            self._settling[url] = asyncio.get_running_loop().call_later(SETTLING_S, self._settled, url)

    def _settled(self, url: str) -> None:
        """What was asked under the fault has been judged by now."""
        del self._settling[url]
        self._health.restore(url, self._known.pop(url))

    def _affected(self, playing: Playing) -> set[str]:
        if playing.is_unresolved:
            return set(self._everybody())
        return {source.url for one in playing.faults for source in self._sources(one.on)}

    def _unmark(self, drill: str) -> None:
        for url in list(self._settling):
            self._settling[url].cancel()
            self._settled(url)
        if not self._now.drill and self._journal.drill == drill:
            self._journal.drill = ""
            self.keeps_learning(True)

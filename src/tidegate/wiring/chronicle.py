"""Writes into the journal what only the whole program knows: what was served, and what readiness says; and keeps the
journal within its bounds."""

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import Callable, Mapping
from functools import cache

from tidegate.holding.readiness import Readiness
from tidegate.holding.stock import Stock
from tidegate.store.journal import Event, Journal, Value
from tidegate.store.journal_writer import JournalWriter
from tidegate.store.settings import JournalSettings
from tidegate.wiring.tallies import Tally

LOOK_EVERY_S = 1.0
SHORTEN_EVERY_S = 3_600.0
READ_AT_ONCE = 1_000
HELD_FACTOR_MAX = 2
"""So many times `events_max` is kept for an incident that is not over, and no more: one may never be closed."""
PAUSE_S = 0.5
"""Between two removals of many events: others want to append."""


class Chronicle:
    """Belongs to one event loop, that of the worker which keeps the store fresh."""

    def __init__(
        self,
        journal: JournalWriter,
        counted: Callable[[], Tally],
        stock: Callable[[], Stock | None],
        judged: Callable[[], Readiness | None],
        served_interval_s: Callable[[], float],
        *,
        now: Callable[[], float] = time.time,
    ) -> None:
        """`counted`: what all workers answered. `stock`: the last count of what is held; `judged`: its verdict."""
        self._journal = journal
        self._counted = counted
        self._stock = stock
        self._judged = judged
        self._interval_s = served_interval_s
        self._now = now
        self._before = counted()
        self._since = now()
        self._lacked = False
        self._verdict = "unknown"
        self._last: Stock | None = None

    def remember(self, events: tuple[Event, ...]) -> None:
        """Go on from the verdict that was written down last (`readiness` events)."""
        if events and isinstance(after := events[-1].data.get("after"), str):
            self._verdict = after

    async def run(self, events: Callable[[], tuple[Event, ...]]) -> None:
        """Until cancelled. `events`: the newest `readiness` event, read in a thread."""
        self.remember(await asyncio.to_thread(events))
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            if not 0 <= self._now() - self._since < self._interval_s():
                self.note_served()
            self.note_readiness()

    def note_served(self) -> None:
        """Write down what was served since the last time, if anything was; after a lack, that there is none as well."""
        tally, before, now = self._counted(), self._before, self._now()
        requests = sum(tally.by_status.values()) - sum(before.by_status.values())
        since, self._since, self._before = self._since, now, tally
        lacking = tally.lacking - before.lacking
        if requests > 0 or self._lacked:
            self._journal.note(
                "served",
                "gateway",
                since=round(since, 3),
                until=round(now, 3),
                requests=requests,
                bytes=tally.bytes - before.bytes,
                lacking=lacking,
                **_more("how", tally.by_how, before.by_how),
                **_more("status", tally.by_status, before.by_status),
            )

        self._lacked = lacking > 0

    def note_end(self) -> None:
        """The last answer is out."""
        self.note_served()
        self._journal.note("stopped", "gateway")

    def note_readiness(self) -> None:
        """Write down where the verdict is another one than before."""
        stock = self._stock()
        judged = None if stock is None or stock is self._last else self._judged()
        if stock is None or judged is None:
            return
        self._last = stock
        before, self._verdict = self._verdict, judged.verdict
        if before == judged.verdict:
            return
        worst = judged.findings[0].what if judged.findings else ""
        shares = {share.kind.value: share.percent for share in stock.shares if share.percent is not None}
        told: dict[str, Value] = {"before": before, "after": judged.verdict, "lacking": stock.lacking, "reason": worst}
        self._journal.note("readiness", "gateway", **told, **shares)


def _more(name: str, counts: Mapping[str, int], before: Mapping[str, int]) -> dict[str, int]:
    grown = Counter(counts)
    grown.subtract(before)
    return {f"{name}.{key}": count for key, count in sorted(grown.items()) if count > 0}


async def shorten_for_ever(journal: Journal, settings: Callable[[], JournalSettings], first: Callable[[], int]) -> None:
    """Keep the journal within its bounds. `first`: the first event that has to stay whatever they are (in a thread)."""
    while True:
        known = cache(first)  # for one round: what becomes an incident meanwhile is younger than what goes
        with contextlib.suppress(OSError):  # tried again; appending tells of a disk that takes nothing
            while await asyncio.to_thread(shorten, journal, settings(), time.time(), known):  # noqa: ASYNC110 (no event: the pause is the point)
                await asyncio.sleep(PAUSE_S)
        await asyncio.sleep(SHORTEN_EVERY_S)


def shorten(journal: Journal, settings: JournalSettings, now: float, first: Callable[[], int]) -> bool:
    """Remove some of what is beyond the bounds; whether there was any. Raises OSError."""
    return journal.retire(cut(journal, settings, now, first)) > 0


def cut(journal: Journal, settings: JournalSettings, now: float, first: Callable[[], int]) -> int:
    """The first event to keep: not older than it may be, not beyond how many there may be."""
    newest = journal.last(1)
    if not newest:
        return 0
    keep = max(0, newest[0].seq - settings.events_max + 1)
    oldest_us = int((now - settings.keep_days * 86_400) * 1e6)
    while rows := journal.rows(after=max(keep - 1, journal.anchor().seq), limit=READ_AT_ONCE):
        young = next((row.seq for row in rows if row.at_us >= oldest_us), None)
        if young is not None or rows[-1].seq == newest[0].seq:
            keep = max(keep, young if young is not None else newest[0].seq)
            break
        keep = rows[-1].seq + 1
    if keep <= journal.anchor().seq + 1:
        return 0
    return max(min(keep, first()), newest[0].seq - HELD_FACTOR_MAX * settings.events_max + 1)

"""Writes down from when to when an archive hangs on its last operator, and what is served was not shown to be fresh.

Both come before the worst, and are over before anybody notices, mostly. What was begun is read from the journal at the
start, as `solitude` does.
"""

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from tidegate.sources.alone import operators_left
from tidegate.sources.archive import Archive
from tidegate.sources.breaker import State
from tidegate.sources.health import Health
from tidegate.store.catalogue import Catalogue, Snapshot
from tidegate.store.journal import Event
from tidegate.store.journal_writer import JournalWriter

LAST_BEGUN, LAST_ENDED = "last-operator-begun", "last-operator-ended"
LOST, CONFIRMED = "freshness-lost", "freshness-confirmed"
KINDS = (LAST_BEGUN, LAST_ENDED, LOST, CONFIRMED)
LOOK_EVERY_S = 1.0
FRESHNESS_EVERY_S = 5.0
START_GRACE_S = 120.0
"""A gateway that was off for a day has its first looks before it says that nothing was confirmed for a day."""


@dataclass(slots=True)
class Begun:
    """What was written down: archives on their last operator, since when; suites whose freshness was lost."""

    last: dict[str, float] = field(default_factory=dict)
    lost: set[str] = field(default_factory=set)


def begun_of(events: Iterable[Event]) -> Begun:
    """What the journal says, oldest event first. Pure."""
    begun = Begun()
    for event in events:
        match event.kind, event.data.get("since"):
            case "last-operator-begun", int() | float() as since:
                begun.last[event.subject] = since
            case "last-operator-ended", _:
                begun.last.pop(event.subject, None)
            case "freshness-lost", _:
                begun.lost.add(event.subject)
            case "freshness-confirmed", _:
                begun.lost.discard(event.subject)
    return begun


class Margins:
    """Belongs to one event loop."""

    def __init__(
        self,
        archives: Mapping[str, Archive],
        health: Health,
        catalogue: Catalogue,
        journal: JournalWriter,
        *,
        lost_after_s: Callable[[], float],
        now: Callable[[], float] = time.time,
    ) -> None:
        self.archives = archives
        self._health = health
        self._catalogue = catalogue
        self._journal = journal
        self._lost_after_s = lost_after_s
        self._now = now
        self._begun = Begun()
        self._begun_at = now()
        self._looked_at = 0.0

    def remember(self, events: Iterable[Event]) -> None:
        """Go on where an earlier life of this program ended."""
        self._begun = begun_of(events)

    async def run(self, events: Callable[[], Iterable[Event]]) -> None:
        """Look, for ever. `events`: those of KINDS, the newest of the journal, read in a thread."""
        self.remember(await asyncio.to_thread(events))
        while True:
            try:
                self.look()
            except Exception as error:  # a catalogue that cannot be read now may be readable in a moment
                told = {"message": "margins could not be looked at", "exception": error}
                asyncio.get_running_loop().call_exception_handler(told)
            await asyncio.sleep(LOOK_EVERY_S)

    def look(self) -> None:
        """Write down what has changed since the last look. Offline by choice, nothing here is news."""
        now = self._now()
        if self._health.offline:
            return
        for name, archive in self.archives.items():
            self._look_for_operators(name, archive, now)
        if not 0 <= now - self._looked_at < FRESHNESS_EVERY_S:
            self._looked_at = now
            for snapshot in self._catalogue.served():
                if snapshot.archive in self.archives:
                    self._look_for_freshness(snapshot, now)

    def _look_for_operators(self, name: str, archive: Archive, now: float) -> None:
        operators = {source.operator for source in archive.sources}
        left = operators_left(archive.sources, self._health) if len(operators) > 1 else operators
        begun = self._begun.last.get(name)
        if begun is None and len(left) <= 1 < len(operators):
            since = self._thinned_at(archive, left)
            if now - since >= self._health.settings.alone_after_s:
                self._begun.last[name] = since
                self._journal.note(LAST_BEGUN, name, since=since, operator="".join(left), operators=len(operators))
        elif begun is not None and (len(left) > 1 or len(operators) <= 1):
            del self._begun.last[name]
            self._journal.note(LAST_ENDED, name, since=begun, duration_s=round(max(0.0, now - begun), 3))

    def _thinned_at(self, archive: Archive, left: frozenset[str] | set[str]) -> float:
        """When the last but one operator went out."""
        breakers = [(one.operator, self._health.of(one.url).breaker) for one in archive.sources]
        out = {operator: 0.0 for operator, _ in breakers if operator not in left}
        for operator, breaker in breakers:
            if operator in out and breaker.state is not State.CLOSED:
                out[operator] = max(out[operator], breaker.since)
        gone = sorted(out.values())
        return gone[-1] if left else gone[-2]

    def _look_for_freshness(self, snapshot: Snapshot, now: float) -> None:
        suite, limit_s = f"{snapshot.archive} {snapshot.suite}", self._lost_after_s()
        is_lost = now - snapshot.confirmed_at > limit_s
        if is_lost and suite not in self._begun.lost and now - self._begun_at >= min(START_GRACE_S, limit_s):
            self._begun.lost.add(suite)
            self._journal.note(LOST, suite, confirmed_at=snapshot.confirmed_at, limit_s=limit_s)
        elif suite in self._begun.lost and not is_lost:
            self._begun.lost.discard(suite)
            by = ",".join(snapshot.confirmed_by)
            self._journal.note(CONFIRMED, suite, confirmed_at=snapshot.confirmed_at, confirmed_by=by)

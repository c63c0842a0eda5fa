"""Writes down from when to when each archive is alone, and when a served suite passes its Valid-Until.

What was begun is read from the journal at the start, so that a restart in the middle of an outage, orderly or not,
begins nothing twice and still tells how long it was.
"""

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from tidegate.sources.alone import out_since
from tidegate.sources.archive import Archive
from tidegate.sources.health import Health
from tidegate.store.catalogue import Catalogue
from tidegate.store.journal import Event
from tidegate.store.journal_writer import JournalWriter

BEGUN, ENDED, EXPIRED = "alone-begun", "alone-ended", "suite-expired"
KINDS = (BEGUN, ENDED, EXPIRED)
LOOK_EVERY_S = 1.0
EVENTS_READ_MAX = 5_000
"""Of the journal's newest events of KINDS, for what an earlier life of this program had begun."""


@dataclass(slots=True)
class Known:
    """What was written down: archives that are alone, since when; suites whose Release of this Date has expired."""

    alone: dict[str, float] = field(default_factory=dict)
    expired: dict[str, int] = field(default_factory=dict)


def known_of(events: Iterable[Event]) -> Known:
    """What the journal says, oldest event first. Pure."""
    known = Known()
    for event in events:
        match event.kind, event.data.get("since"), event.data.get("date"):
            case "alone-begun", int() | float() as since, _:
                known.alone[event.subject] = since
            case "alone-ended", _, _:
                known.alone.pop(event.subject, None)
            case "suite-expired", _, int() as date:
                known.expired[event.subject] = date
    return known


class Solitude:
    """Belongs to one event loop."""

    def __init__(
        self,
        archives: Mapping[str, Archive],
        health: Health,
        catalogue: Catalogue,
        journal: JournalWriter,
        *,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.archives = archives
        self.told: list[Callable[[str, str, str], None]] = []
        """Called with each event: its kind, its subject, and a sentence."""
        self._health = health
        self._catalogue = catalogue
        self._journal = journal
        self._now = now
        self._known = Known()
        self._generation = -1
        self._ends: dict[str, tuple[int, int]] = {}

    def remember(self, events: Iterable[Event]) -> None:
        """Go on where an earlier life of this program ended, and from now on look at each turn of a breaker as well."""
        self._known = known_of(events)
        self._health.changed.append(lambda *_: self._look_for_alone(self._now()))

    async def run(self, events: Callable[[], Iterable[Event]]) -> None:
        """Look, for ever. `events`: the newest of KINDS, read in a thread."""
        self.remember(await asyncio.to_thread(events))
        while True:
            try:
                self.look()
            except Exception as error:  # a catalogue that cannot be read now may be readable in a moment
                told = {"message": "solitude could not be looked at", "exception": error}
                asyncio.get_running_loop().call_exception_handler(told)
            await asyncio.sleep(LOOK_EVERY_S)

    def look(self) -> None:
        """Write down what has changed since the last look."""
        now = self._now()
        self._look_for_alone(now)
        self._look_for_expired(now)

    def _look_for_alone(self, now: float) -> None:
        for name, archive in self.archives.items():
            since = None if self._health.offline else out_since(archive.sources, self._health)
            begun = self._known.alone.get(name)
            if begun is None and since is not None and now - since >= self._health.settings.alone_after_s:
                self._known.alone[name] = since
                self._journal.note(BEGUN, name, since=since, sources=len(archive.sources))
                self._tell(BEGUN, name, "none of its sources answers; what is held is served, what is not is refused")
            elif begun is not None and since is None and not self._health.offline:
                del self._known.alone[name]
                self._journal.note(ENDED, name, since=begun, duration_s=round(max(0.0, now - begun), 3))
                self._tell(ENDED, name, f"a source answers again, after {max(0.0, now - begun):,.0f} s alone")

    def _look_for_expired(self, now: float) -> None:
        generation = self._catalogue.generation()
        if generation != self._generation:
            self._generation = generation
            self._ends = {
                f"{one.archive} {one.suite}": (one.date, one.valid_until)
                for one in self._catalogue.served()
                if one.valid_until is not None
            }
        for suite, (date, valid_until) in self._ends.items():
            if int(now) > valid_until and self._known.expired.get(suite) != date:
                self._known.expired[suite] = date
                self._journal.note(EXPIRED, suite, date=date, valid_until=valid_until)
                self._tell(EXPIRED, suite, "its Release is past its Valid-Until, and no newer one came; apt refuses it")

    def _tell(self, kind: str, subject: str, sentence: str) -> None:
        for tell in self.told:
            tell(kind, subject, sentence)

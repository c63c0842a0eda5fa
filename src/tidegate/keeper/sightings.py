"""What the sources of a suite showed of it, held against each other. Pure: answers in, findings out.

A Release is a statement by the vendor; a *sighting* is that a source showed one, when it was asked then. The newest
accepted Date is the measure for all of them: who shows an older one is behind, who shows other content under the
same Date is one side of a split view (threat 14), and who shows nothing that a trusted key signed, while another
source did at that time, gave wrong bytes. Where nobody does better, the vendor or our keyring may be to blame.
"""

from dataclasses import dataclass, field
from enum import Enum, auto

WITNESS_S = 30.0
"""Two sources asked within this time of each other were asked about the same state of the world."""


@dataclass(frozen=True, slots=True)
class Sighting:
    """A Release with good signatures, as one source showed it."""

    source: str
    operator: str
    date: int
    payload: bytes
    asked: float
    """When it was asked, epoch seconds; the same for all that were asked in one look."""
    accepted: bool
    """It passed the rules; one that is too old, expired or from the future did not."""


class Finding(Enum):
    """What a sighting means."""

    CURRENT = auto()
    """The source shows the newest Release."""
    BEHIND = auto()
    """It shows an older one."""
    SPLIT = auto()
    """It shows other content under the newest Date."""
    LIED = auto()
    """It showed nothing trustworthy while another source did."""


@dataclass(frozen=True, slots=True)
class Found:
    """A finding about a source. `behind_s` belongs to BEHIND, `reason` to LIED."""

    finding: Finding
    source: str
    behind_s: int = 0
    reason: str = ""


@dataclass(slots=True)
class Sightings:
    """Of one suite. `newest` is the first sighting of the newest accepted Release."""

    newest: Sighting | None = None
    by_source: dict[str, Sighting] = field(default_factory=dict)
    _doubts: dict[str, tuple[float, str]] = field(default_factory=dict)

    def saw(self, sighting: Sighting) -> tuple[Found, ...]:
        """Take a sighting in."""
        self.by_source[sighting.source] = sighting
        self._doubts.pop(sighting.source, None)
        compared = [sighting]
        if sighting.accepted and (self.newest is None or sighting.date > self.newest.date):
            self.newest = sighting
            compared = list(self.by_source.values())
        found = [found for one in compared if (found := self._compare(one)) is not None]
        if sighting.accepted:
            found += self._confirmed_doubts(sighting)
        return tuple(found)

    def doubted(self, source: str, asked: float, reason: str) -> tuple[Found, ...]:
        """A source showed nothing that a trusted key signed: a lie, if another one could do better at that time."""
        self.by_source.pop(source, None)
        if any(one.accepted and abs(one.asked - asked) <= WITNESS_S for one in self.by_source.values()):
            return (Found(Finding.LIED, source, reason=reason),)
        self._doubts[source] = (asked, reason)
        return ()

    def compared(self) -> tuple[Found, ...]:
        """All sources against the newest, once more."""
        return tuple(found for one in self.by_source.values() if (found := self._compare(one)) is not None)

    def operators(self, payload: bytes, since: float = 0.0) -> tuple[str, ...]:
        """Who showed this Release, when they were asked last and not before `since`; sorted."""
        shown = (one for one in self.by_source.values() if one.payload == payload and one.asked >= since)
        return tuple(sorted({one.operator for one in shown}))

    def split(self) -> tuple[Sighting, Sighting] | None:
        """Two Releases of the newest Date with different content, one sighting of each: None as long as all agree."""
        newest = self.newest
        if newest is None:
            return None
        other = (one for one in self.by_source.values() if one.date == newest.date and one.payload != newest.payload)
        found = next(other, None)
        return None if found is None else (newest, found)

    def retain(self, sources: frozenset[str]) -> None:
        """Forget what sources showed that are not asked any more."""
        self.by_source = {url: one for url, one in self.by_source.items() if url in sources}
        self._doubts = {url: doubt for url, doubt in self._doubts.items() if url in sources}

    def _compare(self, one: Sighting) -> Found | None:
        newest = self.newest
        # Who was asked before the newest was first seen anywhere may have it by now.
        if newest is None or one.asked < newest.asked:
            return None
        if one.payload == newest.payload:
            return Found(Finding.CURRENT, one.source)
        if one.date < newest.date:
            return Found(Finding.BEHIND, one.source, behind_s=newest.date - one.date)
        return Found(Finding.SPLIT, one.source) if one.date == newest.date else None

    def _confirmed_doubts(self, witness: Sighting) -> list[Found]:
        lied = [url for url, (asked, _) in self._doubts.items() if abs(asked - witness.asked) <= WITNESS_S]
        return [Found(Finding.LIED, url, reason=self._doubts.pop(url)[1]) for url in lied]

"""Watches over the whole fleet: the index, kept in step with what hosts report, feeds say and snapshots list.

Reads the stores. Each method takes its turn, so it may be called from several threads; none is for an event loop.
"""

import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from enum import IntEnum

from pyroaring import BitMap

from tidegate.advisories.history import FeedState, History
from tidegate.fleet import doubles
from tidegate.fleet.composition import Composition
from tidegate.fleet.exposure import verdict
from tidegate.fleet.freshness import DEFAULT_LIMITS, AgeLimits, Freshness
from tidegate.fleet.hosts import HostEntry, Hosts
from tidegate.fleet.index import Exposed, Index, Release
from tidegate.fleet.inventory import Inventory
from tidegate.fleet.knowledge import Knowledge, known_of
from tidegate.fleet.ranking import Rank, rank_of
from tidegate.fleet.supply import Supply
from tidegate.fleet.verdict import Exposure as ExposureClass
from tidegate.fleet.verdict import Finding, Found, Verdict

SupplyOf = Callable[[Collection[str]], Supply]
"""What can be had now of these source packages."""


@dataclass(frozen=True, slots=True)
class Spread:
    """A CVE in the fleet: how bad, on how many hosts that are known to have it, and on which by class."""

    about: str
    rank: Rank
    hosts: int
    by_class: Exposed


class _Due(IntEnum):
    """What the next answer has to read first."""

    NOTHING = 0
    SUPPLY = 1
    FEEDS = 2


class Lookout:
    """`as_of` looks at a moment of the past: what feeds had said and hosts had then, with what can be had now."""

    def __init__(
        self,
        history: History,
        hosts: Hosts,
        supply_of: SupplyOf,
        limits: AgeLimits = DEFAULT_LIMITS,
        *,
        as_of: int | None = None,
    ) -> None:
        self._history = history
        self._hosts = hosts
        self._supply_of = supply_of
        self._limits = limits
        self._as_of = as_of
        self._lock = threading.RLock()
        self._sources: set[str] = set()
        self._knowledge: dict[Release, Knowledge] = {}
        self._ranks: dict[str, Rank] = {}
        self._index: Index | None = None
        self._due = _Due.FEEDS

    # What happens

    def feeds_changed(self) -> None:
        """Feeds say something else than they did: the next answer goes by it."""
        self._due = _Due.FEEDS

    def supply_changed(self) -> None:
        """Something else is listed, held, or to be had: the next answer goes by it."""
        self._due = max(self._due, _Due.SUPPLY)

    def reported(self, inventory: Inventory, reported: bytes, tags: Collection[str] | None = None) -> bool:
        """A host's report: `Hosts.report`, and the index follows."""
        with self._lock:
            before = self._hosts.composition(inventory.host.id)
            changed = self._hosts.report(inventory, reported, tags)
            entry = self._hosts.entry(inventory.host.id)
            if self._index is None or entry is None:
                return changed
            if not changed:
                self._index.seen(entry.number, entry.seen_at)
                return False
            made = self._hosts.composition(inventory.host.id)
            if made is not None:
                release = inventory.host.distribution, inventory.host.release
                self._describe(self._index, made)
                self._index.put(made, entry.seen_at, before)
                if release not in self._knowledge:
                    self._due = _Due.FEEDS
            sources = {one.source for one in inventory.packages}
            if not sources <= self._sources:
                self._sources |= sources
                self._due = _Due.FEEDS
            return True

    def confirmed(self, host: str, reported: bytes, at: int) -> bool:
        """An unchanged host: `Hosts.confirm`, and the index follows."""
        with self._lock:
            if not self._hosts.confirm(host, reported, at):
                return False
            entry = self._hosts.entry(host)
            if self._index is not None and entry is not None:
                self._index.seen(entry.number, entry.seen_at)
            return True

    def removed(self, host: str, at: int) -> bool:
        """A host goes: `Hosts.remove`, and the index follows."""
        with self._lock:
            before = self._hosts.composition(host)
            if not self._hosts.remove(host, at):
                return False
            if self._index is not None and before is not None:
                self._index.drop(before)
            return True

    # What is answered

    def settle(self) -> None:
        """Make the answers ready: what is new is read and judged. Takes seconds where much is."""
        with self._current() as index:
            index.settle()

    @property
    def everybody(self) -> BitMap:
        """The numbers of all hosts."""
        with self._current() as index:
            return index.everybody.copy()

    def stale(self, now: int) -> BitMap:
        """The numbers of hosts that have been silent for too long."""
        with self._current() as index:
            return index.stale(now).copy()

    def freshness(self, now: int) -> dict[Release, Freshness]:
        """How believable what is known of each release is that hosts have."""
        with self._current() as index:
            return {release: index.freshness(release, now) for release in index.releases()}

    def classes(self, now: int) -> Exposed:
        """See `Index.classes`."""
        with self._current() as index:
            return index.classes(now)

    def pairs(self, now: int) -> Mapping[ExposureClass, int]:
        """See `Index.pairs`."""
        with self._current() as index:
            return index.pairs(now)

    def each(self, now: int) -> Iterator[tuple[HostEntry, Verdict]]:
        """Every host by itself, as it is when its turn comes."""
        for entry in self._hosts.entries(self._as_of):
            with self._current() as index:
                made = self._hosts.composition(entry.host.id)
                if made is not None and made.number in index.everybody:
                    yield entry, _of_two(entry, index.verdict(made, entry.host.id, now))

    def feeds(self) -> tuple[FeedState, ...]:
        """Those that vouch for what is known of the releases that hosts have."""
        with self._current():
            known = {one.provenance.feed: one for each in self._knowledge.values() for one in each.feeds}
        return tuple(known[name] for name in sorted(known))

    def to_do(self, now: int) -> BitMap:
        """See `Index.to_do`."""
        with self._current() as index:
            return index.to_do(now)

    def not_judged(self) -> BitMap:
        """See `Index.not_judged`."""
        with self._current() as index:
            return index.not_judged()

    def gaps(self) -> dict[Release, int]:
        """See `Index.gaps`, of each release that hosts have."""
        with self._current() as index:
            return {release: index.gaps(release) for release in index.releases()}

    def exposed(self, about: str, now: int) -> Spread:
        """One CVE."""
        with self._current() as index:
            found = index.exposed(about, now)
            known = BitMap.union(BitMap(), *(hosts for exposure, hosts in found.items() if exposure.is_known))
            return Spread(about, self.rank(about), len(known), found)

    def findings(self, about: str, now: int) -> tuple[tuple[Finding, BitMap], ...]:
        """See `Index.findings`."""
        with self._current() as index:
            return tuple(index.findings(about, now))

    def cells_found(self) -> Iterator[tuple[BitMap, Sequence[Found]]]:
        """See `Index.cells_found`. Nobody else has a turn until all of it was read."""
        with self._current() as index:
            yield from index.cells_found()

    def most(self, now: int, limit: int, *, by_hosts: bool, within: BitMap | None = None) -> tuple[list[Spread], int]:
        """The CVEs to close first, by rank (or by the number of hosts), and how many there are in all."""
        with self._current() as index:
            counts = list(index.counts(now, within))
            if by_hosts:
                counts.sort(key=lambda one: (-one.hosts, one.about))
            else:
                counts.sort(key=lambda one: one.about, reverse=True)
                counts.sort(key=lambda one: (self.rank(one.about).key, one.hosts), reverse=True)
            found = [
                Spread(about, self.rank(about), hosts, _within(index.exposed(about, now), within))
                for about, hosts in counts[:limit]
            ]
            return found, len(counts)

    def rank(self, about: str) -> Rank:
        """How bad a CVE is, whoever has it."""
        rank = self._ranks.get(about)
        if rank is None:
            urgencies = {said.statement.urgency for said in self._history.said(about, self._as_of)}
            rank = rank_of(
                self._history.mentions(about, self._as_of), sorted(urgencies), self._history.score(about, self._as_of)
            )
            self._ranks[about] = rank
        return rank

    def tagged(self, tags: Iterable[str]) -> BitMap:
        """The numbers of hosts that have all of these tags."""
        wanted = frozenset(tags)
        return BitMap([one.number for one in self._hosts.entries(self._as_of) if wanted <= one.tags])

    def entries(self, numbers: Collection[int]) -> tuple[HostEntry, ...]:
        """Hosts by their numbers."""
        return self._hosts.numbered(numbers, self._as_of)

    def verdicts(self, name: str, now: int) -> tuple[tuple[HostEntry, Verdict], ...]:
        """All about the hosts of this id or name, each by itself; of any moment."""
        found = []
        for entry in self._hosts.named(name, self._as_of):
            inventory = self._hosts.inventory(entry.host.id, self._as_of)
            if inventory is not None:
                found.append((entry, _of_two(entry, self._verdict(inventory, now))))
        return tuple(found)

    # Inside

    def _verdict(self, inventory: Inventory, now: int) -> Verdict:
        release = inventory.host.distribution, inventory.host.release
        sources = {one.source for one in inventory.packages}
        with self._lock:
            known = None if self._due is _Due.FEEDS else self._knowledge.get(release)
            if known is None or not sources <= self._sources:
                known = known_of(self._history, *release, self._as_of, sources=sources)
        return verdict(inventory, known, self._supply_of(sources), now, self._limits)

    @contextmanager
    def _current(self) -> Iterator[Index]:
        with self._lock:
            if self._index is None:
                self._index = self._built()
            elif self._due:
                if self._due is _Due.FEEDS:
                    self._learn(self._index.releases())
                supply = self._supply_of(self._sources)
                if not self._index.know(self._knowledge, supply):
                    self._index = self._filled(supply)
            self._due = _Due.NOTHING
            yield self._index

    def _built(self) -> Index:
        settings: set[int] = set()
        pieces = BitMap()
        for composition, _ in self._hosts.compositions(self._as_of):
            settings.add(composition.setting)
            pieces.update(composition.pieces)
        made = self._hosts.settings(settings).values()
        self._sources |= {piece[0].source for piece in self._hosts.pieces(pieces.to_array()).values()}
        self._learn({(one.distribution, one.release) for one in made})
        return self._filled(self._supply_of(self._sources))

    def _filled(self, supply: Supply) -> Index:
        index = Index(self._knowledge, supply, self._limits)

        def described() -> Iterator[tuple[Composition, int]]:
            for composition, seen_at in self._hosts.compositions(self._as_of):
                self._describe(index, composition)
                yield composition, seen_at

        index.fill(described())
        return index

    def _describe(self, index: Index, composition: Composition) -> None:
        settings, pieces = index.undescribed(composition)
        if settings or pieces:
            index.describe(self._hosts.settings(settings), self._hosts.pieces(pieces))

    def _learn(self, releases: Iterable[Release]) -> None:
        self._ranks.clear()
        self._knowledge = {
            release: known_of(self._history, *release, self._as_of, sources=self._sources)
            for release in sorted(releases)
        }


def _of_two(entry: HostEntry, made: Verdict) -> Verdict:
    """Of two machines that report as one host, the one that did not report last is not known."""
    if doubles.TAG not in entry.tags:
        return made
    return replace(made, gaps=(*made.gaps, doubles.GAP))


def _within(exposed: Exposed, some: BitMap | None) -> Exposed:
    if some is None:
        return exposed
    return {exposure: found for exposure, hosts in exposed.items() if (found := hosts & some)}

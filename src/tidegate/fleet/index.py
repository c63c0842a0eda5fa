"""All hosts at once: who is open to which CVE, and in which class.

Sets of hosts are compressed bitmaps (roaringbitmap.org), one for each cell. What is found about a cell is worked out
once, when somebody asks; an answer is a union of sets. It is what `exposure.verdict` says of each host by itself, and
tests/fleet/test_index.py holds it to that.

The index lives in memory and does no I/O: `Hosts` is what it is built from again. It is for one thread at a time.
"""

from array import array
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from pyroaring import BitMap

from tidegate.fleet.cell import Cell, Tangled
from tidegate.fleet.cells import Cells
from tidegate.fleet.composition import Composition, Piece, Setting
from tidegate.fleet.exposure import summed_up
from tidegate.fleet.freshness import DEFAULT_LIMITS, AgeLimits, Freshness, freshness
from tidegate.fleet.knowledge import Knowledge, nothing_of
from tidegate.fleet.supply import Supply
from tidegate.fleet.verdict import Exposure, Finding, Found, Verdict

STALE_EVERY_S = 30
"""Who has been silent for too long is found out so often; whoever reports is known at once to have done so."""
OPEN = frozenset(Exposure) - {Exposure.UNKNOWN}
"""The classes of hosts that are known to be open to something."""

Exposed = Mapping[Exposure, BitMap]
"""Numbers of hosts by class; a host is in several if it has the fault in several packages. No set is empty."""
Release = tuple[str, str]
"""A distribution, and the release's name."""


class Count(NamedTuple):
    """A CVE, and how many hosts are known to be open to it."""

    about: str
    hosts: int


class Index:
    """Give it knowledge of each release first, then hosts; a host of another release is unknown."""

    def __init__(
        self, knowledge: Mapping[Release, Knowledge], supply: Supply, limits: AgeLimits = DEFAULT_LIMITS
    ) -> None:
        self.limits = limits
        self.everybody = BitMap()
        self._knowledge = dict(knowledge)
        self._supply = supply
        self.cells = Cells({release: Tangled.by(one) for release, one in knowledge.items()})
        self._of_release: dict[Release, BitMap] = defaultdict(BitMap)
        self._unreadable = BitMap()
        self._seen = array("q", [0])
        self._stale = BitMap()
        self._stale_at: int | None = None
        self._forget()

    def know(self, knowledge: Mapping[Release, Knowledge], supply: Supply) -> bool:
        """Judge everything anew, when next asked. False where hosts have to be sorted anew: build another index."""
        if self.cells.tangled != {release: Tangled.by(one) for release, one in knowledge.items()}:
            return False
        self._knowledge, self._supply = dict(knowledge), supply
        self._forget()
        return True

    def undescribed(self, composition: Composition) -> tuple[list[int], list[int]]:
        """The settings and the pieces of a host that `describe` has to be given before it is put in."""
        return self.cells.undescribed(composition)

    def describe(self, settings: Mapping[int, Setting], pieces: Mapping[int, Piece]) -> None:
        """What numbers stand for."""
        self.cells.describe(settings, pieces)

    def put(self, composition: Composition, seen_at: int, before: Composition | None = None) -> None:
        """A host, as it is now; `before` is how it was put in the last time."""
        self.cells.put(composition, before)
        if before is not None:
            self._of_release[self._release(before)].discard(composition.number)
        self._enter(composition, seen_at)

    def fill(self, hosts: Iterable[tuple[Composition, int]]) -> None:
        """Many hosts that were not there, each with the time of its last report."""

        def entering() -> Iterator[Composition]:
            for composition, seen_at in hosts:
                self._enter(composition, seen_at)
                yield composition

        self.cells.fill(entering())

    def drop(self, before: Composition) -> None:
        """A host is there no more."""
        self.cells.drop(before)
        for some in (self._of_release[self._release(before)], self.everybody, self._stale, self._unreadable):
            some.discard(before.number)

    def seen(self, number: int, at: int) -> None:
        """A host reported, whether or not anything new."""
        if number >= len(self._seen):
            self._seen.extend([0] * (number + len(self._seen) // 4 + 1 - len(self._seen)))
        self._seen[number] = at
        if self._stale_at is not None and at < self._stale_at - self.limits.host_max_s:
            self._stale.add(number)
        else:
            self._stale.discard(number)

    def releases(self) -> tuple[Release, ...]:
        """Those that hosts have."""
        return tuple(sorted(release for release, hosts in self._of_release.items() if hosts))

    def exposed(self, about: str, now: int) -> Exposed:
        """The hosts that a CVE is open on, by class."""
        self.settle()
        stale, old = self.stale(now), self._old(now)
        found: dict[Exposure, BitMap] = defaultdict(BitMap)
        for exposure, cells in self._about.get(about, {}).items():
            known = [cell.hosts for cell in cells if cell.zone.release_key not in old]
            hosts = _union(known)
            found[exposure] |= hosts - stale
            found[Exposure.UNKNOWN] |= hosts & stale
            found[Exposure.UNKNOWN] |= _union(cell.hosts for cell in cells if cell.zone.release_key in old)
        return {exposure: found[exposure] for exposure in Exposure if found[exposure]}

    def findings(self, about: str, now: int) -> Iterator[tuple[Finding, BitMap]]:
        """What was found about a CVE, each with the hosts of which it is known now; the others are in `exposed`."""
        self.settle()
        stale, old = self.stale(now), self._old(now)
        for exposure, cells in self._about.get(about, {}).items():
            for cell in cells:
                if cell.zone.release_key in old:
                    continue
                for one in cell.found or ():
                    if isinstance(one, Finding) and (one.about, one.exposure) == (about, exposure):
                        yield one, cell.hosts - stale

    def counts(self, now: int, within: BitMap | None = None) -> Iterator[Count]:
        """Every CVE that hosts (of these) are known to be open to, with how many they are; in no order."""
        self.settle()
        old, away = self._old(now), self.stale(now)
        if within is not None:
            away = self.everybody - within | away
        for about, by_class in self._about.items():
            cells = {cell for exposure in OPEN & by_class.keys() for cell in by_class[exposure]}
            hosts = _distinct([cell for cell in cells if cell.zone.release_key not in old], away)
            if hosts:
                yield Count(about, hosts)

    def classes(self, now: int) -> Exposed:
        """The hosts that have anything of a class at all. UNKNOWN are also those of which nothing is known now."""
        self.settle()
        unknown = _union([self.stale(now), *(self._of_release[release] for release in self._old(now))])
        found = {exposure: _union(cell.hosts for cell in self._of_class[exposure]) for exposure in Exposure}
        found = {exposure: hosts - unknown for exposure, hosts in found.items()}
        found[Exposure.UNKNOWN] |= unknown
        return {exposure: hosts for exposure, hosts in found.items() if hosts}

    def to_do(self, now: int) -> BitMap:
        """The hosts on which something is open that somebody can close, and of which that is known now."""
        self.settle()
        away = _union([self.stale(now), *(self._of_release[release] for release in self._old(now))])
        return _union(cell.hosts for cell in self._to_do) - away

    def not_judged(self) -> BitMap:
        """The hosts that have something of which nobody can say what it is open to."""
        self.settle()
        return _union([self._unreadable, *(cell.hosts for cell in self._gaps)])

    def gaps(self, release: Release) -> int:
        """How many records of the feeds cannot be read, and were never: any host of the release may have those."""
        return len(self._known(release).gaps)

    def abouts(self) -> frozenset[str]:
        """Every CVE that something was found about."""
        self.settle()
        return frozenset(self._about)

    def verdict(self, composition: Composition, host: str, now: int) -> Verdict:
        """What `exposure.verdict` says of a host that is in."""
        self.settle()
        setting, cells = self.cells.setting(composition), self.cells.of(composition)
        knowledge = self._known(self._release(composition))
        found = [one for cell in cells for one in cell.found or ()]
        return summed_up(host, found, setting.unreadable, knowledge, self._seen[composition.number], now, self.limits)

    def stale(self, now: int) -> BitMap:
        """The hosts that have been silent for longer than they may."""
        if self._stale_at is None or not 0 <= now - self._stale_at < STALE_EVERY_S:
            before, seen = now - self.limits.host_max_s, self._seen
            self._stale = BitMap([number for number in self.everybody if seen[number] < before])
            self._stale_at = now
        return self._stale

    def freshness(self, release: Release, now: int) -> Freshness:
        """How believable what is known of a release is, for a host that reports this moment."""
        return freshness(self._known(release), now, now, self.limits)

    def _enter(self, composition: Composition, seen_at: int) -> None:
        self._of_release[self._release(composition)].add(composition.number)
        self.everybody.add(composition.number)
        unreadable = self.cells.setting(composition).unreadable
        (self._unreadable.add if unreadable else self._unreadable.discard)(composition.number)
        self.seen(composition.number, seen_at)

    def _release(self, composition: Composition) -> Release:
        setting = self.cells.setting(composition)
        return setting.distribution, setting.release

    def _known(self, release: Release) -> Knowledge:
        return self._knowledge.get(release) or nothing_of(*release)

    def _old(self, now: int) -> frozenset[Release]:
        """The releases of which what is known is too old to be believed."""
        return frozenset(one for one in self._of_release if self.freshness(one, now).unknown_since is not None)

    def _forget(self) -> None:
        self._about: dict[str, dict[Exposure, list[Cell]]] = {}
        self._of_class: dict[Exposure, list[Cell]] = {exposure: [] for exposure in Exposure}
        self._to_do: list[Cell] = []
        self._gaps: list[Cell] = []
        self._same: dict[Found, Found] = {}
        self.cells.anew()

    def settle(self) -> None:
        """Judge what is new. Every answer does so first; whoever has time does it before."""
        fresh, self.cells.fresh = self.cells.fresh, []
        for cell in fresh:
            release = cell.zone.release_key
            found = cell.judge(self._known(release), self._supply, self.cells.standings(cell.zone))
            cell.found = tuple(self._same.setdefault(one, one) for one in found)
            classes: dict[Exposure, None] = {}
            for about, exposure in dict.fromkeys(
                (one.about, one.exposure) for one in found if isinstance(one, Finding)
            ):
                self._about.setdefault(about, {}).setdefault(exposure, []).append(cell)
                classes[exposure] = None
            for exposure in classes:
                self._of_class[exposure].append(cell)
            if any(isinstance(one, Finding) and one.can_be_closed for one in found):
                self._to_do.append(cell)
            if any(isinstance(one, str) for one in found):
                self._gaps.append(cell)


def _union(sets: Iterable[BitMap]) -> BitMap:
    return BitMap.union(BitMap(), *sets)


def _distinct(cells: Sequence[Cell], away: BitMap) -> int:
    """How many hosts are in any of these cells. Those of one source never share a host."""
    if len({cell.source for cell in cells}) > 1:
        hosts = _union(cell.hosts for cell in cells)
        return len(hosts) - hosts.intersection_cardinality(away) if away else len(hosts)
    if away:
        return sum(len(cell.hosts) - cell.hosts.intersection_cardinality(away) for cell in cells)
    return sum(len(cell.hosts) for cell in cells)

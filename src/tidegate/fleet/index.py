"""All hosts at once: who is open to which CVE, and in which class.

Sets of hosts are compressed bitmaps (roaringbitmap.org), one for each cell, and for each bundle of CVEs. A cell is
judged once, when somebody asks; its bundles then follow as hosts come and go, so that an answer is at hand. It is what
`exposure.verdict` says of each host by itself, and tests/fleet/test_index.py holds it to that.

The index lives in memory and does no I/O: `Hosts` is what it is built from again. It is for one thread at a time.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from pyroaring import BitMap

from tidegate.fleet.bundles import Bundle, Bundles, Classes
from tidegate.fleet.case import ByClass, Standings
from tidegate.fleet.cell import Cell, Tangled
from tidegate.fleet.cells import Cells
from tidegate.fleet.composition import Composition, Piece, Setting
from tidegate.fleet.exposure import summed_up
from tidegate.fleet.freshness import DEFAULT_LIMITS, AgeLimits, Freshness, freshness
from tidegate.fleet.knowledge import Knowledge, nothing_of
from tidegate.fleet.last_seen import LastSeen
from tidegate.fleet.supply import Supply
from tidegate.fleet.verdict import CLOSABLE, Exposure, Finding, Found, Verdict

STALE_EVERY_S = 30
"""Who has been silent for too long is found out so often; whoever reports is known at once to have done so."""
OPEN = frozenset(Exposure) - {Exposure.UNKNOWN}
"""The classes of hosts that are known to be open to something."""

_ONLY = {exposure: frozenset({exposure}) for exposure in Exposure}

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
        self._seen = LastSeen()
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
        self._seen.drop(before.number)
        for some in (self._of_release[self._release(before)], self.everybody, self._stale, self._unreadable):
            some.discard(before.number)

    def seen(self, number: int, at: int) -> None:
        """A host reported, whether or not anything new."""
        self._seen.put(number, at)
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
        bundle = self._bundles.of.get(about)
        for part, hosts in bundle.hosts if bundle else ():
            if part.release in old:
                found[Exposure.UNKNOWN] |= hosts
            else:
                found[part.exposure] |= hosts - stale
                found[Exposure.UNKNOWN] |= hosts & stale
        return {exposure: found[exposure] for exposure in Exposure if found[exposure]}

    def findings(self, about: str, now: int) -> Iterator[tuple[Finding, BitMap]]:
        """What was found about a CVE, each with the hosts of which it is known now; the others are in `exposed`."""
        self.settle()
        stale, old = self.stale(now), self._old(now)
        narrow: dict[Release, Knowledge] = {}
        for cell in self._bundles.cells(about):
            release = cell.zone.release_key
            if release in old:
                continue
            found: Iterable[Found] = cell.found
            if cell.tangled:
                known = narrow.setdefault(release, self._known(release).narrowed(about))
                found = cell.judge(known, self._supply, {})
            for one in found:
                if isinstance(one, Finding) and one.about == about:
                    yield one, cell.hosts - stale

    def cells_found(self) -> Iterator[tuple[BitMap, Sequence[Found]]]:
        """All that was found, whatever its age, with the hosts that it was found about. A host comes several times."""
        self.settle()
        for cell in self.cells:
            if cell.hosts:
                yield cell.hosts, self._judged(cell) if cell.tangled else cell.found

    def counts(self, now: int, within: BitMap | None = None) -> Iterator[Count]:
        """Every CVE that hosts (of these) are known to be open to, with how many they are; in no order."""
        self.settle()
        old, away = self._old(now), self.stale(now)
        if within is not None:
            away = self.everybody - within | away
        for bundle in self._bundles:
            if count := _distinct(bundle, old, away):
                yield from (Count(about, count) for about in bundle.abouts)

    def classes(self, now: int) -> Exposed:
        """The hosts that have anything of a class at all. UNKNOWN are also those of which nothing is known now."""
        self.settle()
        unknown = _union([self.stale(now), *(self._of_release[release] for release in self._old(now))])
        sets: dict[Exposure, list[BitMap]] = {exposure: [] for exposure in Exposure}
        for bundle in self._bundles:
            for part, hosts in bundle.hosts:
                sets[part.exposure].append(hosts)
        found = {exposure: _union(some) - unknown for exposure, some in sets.items()}
        found[Exposure.UNKNOWN] |= unknown
        return {exposure: hosts for exposure, hosts in found.items() if hosts}

    def pairs(self, now: int) -> Mapping[Exposure, int]:
        """How many CVEs there are in source packages of hosts, by class."""
        self.settle()
        stale, old = self.stale(now), self._old(now)
        found = dict.fromkeys(Exposure, 0)
        for bundle in self._bundles:
            for part, hosts in bundle.hosts:
                unknown = len(hosts) if part.release in old else hosts.intersection_cardinality(stale)
                found[Exposure.UNKNOWN] += unknown * len(bundle.abouts)
                found[part.exposure] += (len(hosts) - unknown) * len(bundle.abouts)
        return found

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
        return frozenset(self._bundles.of)

    def verdict(self, composition: Composition, host: str, now: int) -> Verdict:
        """What `exposure.verdict` says of a host that is in."""
        self.settle()
        setting, kernel = self.cells.setting(composition), self.cells.kernel(composition)
        knowledge = self._known(self._release(composition))
        found = [one for cell in self.cells.ordinary(composition) for one in cell.found]
        found += self._judged(kernel)
        return summed_up(host, found, setting.unreadable, knowledge, self._seen[composition.number], now, self.limits)

    def stale(self, now: int) -> BitMap:
        """The hosts that have been silent for longer than they may."""
        if self._stale_at is None or not 0 <= now - self._stale_at < STALE_EVERY_S:
            self._stale = self._seen.before(now - self.limits.host_max_s)
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
        self._bundles = Bundles()
        self._to_do: list[Cell] = []
        self._gaps: list[Cell] = []
        self._same: dict[Found, Found] = {}
        self.cells.anew()

    def settle(self) -> None:
        """Judge what is new. Every answer does so first; whoever has time does it before."""
        fresh, self.cells.fresh = self.cells.fresh, []
        # Cells of one kernel come together: what is common to them is worked out once.
        fresh.sort(key=lambda cell: (cell.tangled, cell.setting.kernel))
        self._bundles.take((cell, self._classes(cell)) for cell in fresh)

    def _classes(self, cell: Cell) -> dict[str, Classes]:
        by_class: ByClass = {}
        if cell.tangled:
            by_class, found = cell.outline(*self._judging_by(cell))
        else:
            found = [self._same.setdefault(one, one) for one in self._judged(cell)]
            cell.found = tuple(found)
        findings = [one for one in found if isinstance(one, Finding)]
        if by_class.keys() & CLOSABLE or any(one.can_be_closed for one in findings):
            self._to_do.append(cell)
        if any(isinstance(one, str) for one in found):
            self._gaps.append(cell)
        classes = {about: _ONLY[exposure] for exposure, abouts in by_class.items() for about in abouts}
        for one in findings:
            classes[one.about] = classes.get(one.about, frozenset()) | _ONLY[one.exposure]
        return classes

    def _judged(self, cell: Cell) -> tuple[Found, ...]:
        return cell.judge(*self._judging_by(cell))

    def _judging_by(self, cell: Cell) -> tuple[Knowledge, Supply, Standings]:
        return self._known(cell.zone.release_key), self._supply, self.cells.standings(cell.zone)


def _union(sets: Iterable[BitMap]) -> BitMap:
    return BitMap.union(BitMap(), *sets)


def _distinct(bundle: Bundle, old: frozenset[Release], away: BitMap) -> int:
    """How many hosts are open to it."""
    sets = [hosts for part, hosts in bundle.hosts if part.exposure in OPEN and part.release not in old]
    hosts = sets[0] if len(sets) == 1 else _union(sets)
    return len(hosts) - hosts.intersection_cardinality(away)

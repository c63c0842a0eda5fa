"""What the feeds said about a release at a moment, arranged by source package; made once, for all its hosts."""

import re
from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace

from tidegate.advisories.fields import common_id
from tidegate.advisories.history import FeedState, History, Said, Unreadable
from tidegate.advisories.statement import Record, Statement, Status
from tidegate.advisories.ubuntu_osv import LIVEPATCH
from tidegate.fleet.ruling import Ruling, simple

STATES_MAX = 10_000
"""How many imports of single records are passed over to find the last of a whole feed."""

AUTHORITIES = {
    "ubuntu": frozenset({"ubuntu-osv", "ubuntu-tracker", "ubuntu-security-api", "ubuntu-vex"}),
    "debian": frozenset({"debian-tracker", "debian-osv"}),
}
"""The feeds that say of every CVE which packages it is in. A distribution without one is unknown to us."""
_CVE = re.compile(r"CVE-[0-9-]+|TEMP-[0-9A-F-]+")
_MITIGATES = re.compile(r"\bmitigat", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Remedy:
    """A notice that mitigates a CVE by an update of a package which does not have the fault."""

    notice: str
    text: str
    statement: Statement


@dataclass(frozen=True, slots=True)
class Knowledge:
    """Of one release, at one moment (None: now).

    `feeds`: each authority's last whole state. `said` by source package and CVE; `remedies` by CVE; `unreadable` by
    CVE, or by the record's name where it is about none. `gaps`: of the unreadable, what nothing was ever said about, a
    sentence each: any host may have it. `speaks`: anything at all is said about the release.
    """

    distribution: str
    release: str
    as_of: int | None
    feeds: tuple[FeedState, ...]
    said: Mapping[str, Mapping[str, tuple[Said, ...]]]
    remedies: Mapping[str, tuple[Remedy, ...]]
    unreadable: Mapping[str, Unreadable]
    gaps: tuple[str, ...] = ()
    speaks: bool = False
    _simple: dict[str, dict[str, Ruling]] = field(default_factory=dict, repr=False, compare=False)

    def simple(self, source: str) -> Mapping[str, Ruling]:
        """What holds for every host that has a source package, by CVE; worked out once."""
        if source not in self._simple:
            said = self.said.get(source, {})
            self._simple[source] = {about: one for about, found in said.items() if (one := simple(found))}
        return self._simple[source]

    def narrowed(self, about: str) -> "Knowledge":
        """Of one CVE alone."""
        said = {source: {about: cves[about]} for source, cves in self.said.items() if about in cves}
        return replace(self, said=said, _simple={})

    @property
    def remedies_of(self) -> frozenset[str]:
        """The source packages that mitigations are updates of."""
        return frozenset(one.statement.package for cures in self.remedies.values() for one in cures)

    @property
    def mitigated(self) -> frozenset[str]:
        """The source packages that have a CVE for which there is a mitigation."""
        return frozenset(source for source, cves in self.said.items() if not self.remedies.keys().isdisjoint(cves))


def nothing_of(distribution: str, release: str) -> Knowledge:
    """Where no feed was ever taken in."""
    return Knowledge(distribution, release, None, (), {}, {}, {})


def known_of(
    history: History,
    distribution: str,
    release: str,
    as_of: int | None = None,
    *,
    sources: Collection[str] | None = None,
) -> Knowledge:
    """Read the history. Takes long for a whole release: share the result.

    `sources`: what is said about other source packages than these is left out, kernels' excepted; None for all.
    """
    said: dict[str, dict[str, list[Said]]] = defaultdict(lambda: defaultdict(list))
    notices: list[Said] = []
    unreadable = _unreadable(history, distribution, as_of)
    unheard, speaks = set(unreadable), False
    for one in history.all_said(release, as_of):
        statement = one.statement
        if statement.place.distribution != distribution or statement.place.pocket == LIVEPATCH:
            continue
        speaks = True
        if _CVE.fullmatch(statement.about):
            unheard.discard(statement.about)
            if sources is None or statement.package in sources or statement.package.startswith("linux"):
                said[statement.package][statement.about].append(one)
        else:
            notices.append(one)
    arranged = {
        package: {cve: tuple(sorted(found, key=_order)) for cve, found in cves.items()}
        for package, cves in said.items()
    }
    return Knowledge(
        distribution,
        release,
        as_of,
        feeds=_feeds(history, distribution, as_of),
        said=arranged,
        remedies=_remedies(history, notices, arranged, as_of),
        unreadable=unreadable,
        speaks=speaks,
        gaps=tuple(f"{unreadable[about].problem}: whether the host has it is not known" for about in sorted(unheard)),
    )


def _order(said: Said) -> tuple[str, str, str]:
    return said.statement.place.pocket, said.feed, said.record


def _feeds(history: History, distribution: str, as_of: int | None) -> tuple[FeedState, ...]:
    found = (last_whole(history, name, as_of) for name in sorted(AUTHORITIES.get(distribution, ())))
    return tuple(state for state in found if state is not None)


def last_whole(history: History, feed: str, as_of: int | None = None) -> FeedState | None:
    """The last state that was all of a feed: a single record that came in today makes no feed younger."""
    state = history.feed(feed, as_of)
    for _ in range(STATES_MAX):
        if state is None or state.whole:
            return state
        state = history.feed(feed, state.provenance.fetched_at - 1)
    return None


def _remedies(
    history: History, notices: list[Said], said: Mapping[str, Mapping[str, tuple[Said, ...]]], as_of: int | None
) -> dict[str, tuple[Remedy, ...]]:
    """Notices say only in words that they mitigate. One whose package itself has the CVE is the fix."""
    records: dict[tuple[str, str], Record | None] = {}
    found: dict[str, dict[tuple[str, str], Remedy]] = defaultdict(dict)
    for one in notices:
        key = one.feed, one.record
        if key not in records:
            edition = history.record(*key, as_of)
            records[key] = edition.record if edition else None
        record, statement = records[key], one.statement
        if record is None or statement.status is not Status.RELEASED or statement.fixed is None:
            continue
        text = f"{record.title}\n{record.description}"
        if not _MITIGATES.search(text):
            continue
        for cve in record.cves:
            if cve not in said.get(statement.package, {}):
                found[cve][statement.about, statement.package] = Remedy(statement.about, text, statement)
    return {cve: tuple(remedies[key] for key in sorted(remedies)) for cve, remedies in found.items()}


def _unreadable(history: History, distribution: str, as_of: int | None) -> dict[str, Unreadable]:
    """By what the record is about; of several, what is unreadable for longest."""
    found: dict[str, Unreadable] = {}
    for one in sorted(history.unreadable(as_of), key=lambda one: -one.since):
        if one.feed in AUTHORITIES.get(distribution, ()):
            found[common_id(one.problem.record.rpartition("/")[2])] = one
    return found

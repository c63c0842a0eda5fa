"""What the feeds said about a release at a moment, arranged by source package; made once, for all its hosts."""

import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from tidegate.advisories.fields import common_id
from tidegate.advisories.history import FeedState, History, Said, Unreadable
from tidegate.advisories.statement import Record, Statement, Status
from tidegate.advisories.ubuntu_osv import LIVEPATCH

STATES_MAX = 10_000
"""How many imports of single records are passed over to find the last of a whole feed."""

_AUTHORITIES = {
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
    CVE, or by the record's name where it is about none.
    """

    distribution: str
    release: str
    as_of: int | None
    feeds: tuple[FeedState, ...]
    said: Mapping[str, Mapping[str, tuple[Said, ...]]]
    remedies: Mapping[str, tuple[Remedy, ...]]
    unreadable: Mapping[str, Unreadable]


def known_of(history: History, distribution: str, release: str, as_of: int | None = None) -> Knowledge:
    """Read the history. Takes long for a whole release: share the result."""
    said: dict[str, dict[str, list[Said]]] = defaultdict(lambda: defaultdict(list))
    notices: list[Said] = []
    for one in history.all_said(release, as_of):
        statement = one.statement
        if statement.place.distribution != distribution or statement.place.pocket == LIVEPATCH:
            continue
        if _CVE.fullmatch(statement.about):
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
        unreadable=_unreadable(history, distribution, as_of),
    )


def _order(said: Said) -> tuple[str, str, str]:
    return said.statement.place.pocket, said.feed, said.record


def _feeds(history: History, distribution: str, as_of: int | None) -> tuple[FeedState, ...]:
    """A single record that came in today makes no feed younger."""
    found: list[FeedState] = []
    for name in sorted(_AUTHORITIES.get(distribution, ())):
        state = history.feed(name, as_of)
        for _ in range(STATES_MAX):
            if state is None or state.whole:
                break
            state = history.feed(name, state.provenance.fetched_at - 1)
        if state is not None and state.whole:
            found.append(state)
    return tuple(found)


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
        if one.feed in _AUTHORITIES.get(distribution, ()):
            found[common_id(one.problem.record.rpartition("/")[2])] = one
    return found

"""Ubuntu's security API, answered from what is held: https://ubuntu.com/security/cves.json and notices.json.

What the API itself said is given as it said it, as long as it is not older than what the other feeds say; else it is
put together from those (`ubuntu_cve`, `ubuntu_notice`).
"""

from collections.abc import Collection, Iterable

import msgspec

from tidegate.advisories.history import Edition, FeedState, History
from tidegate.advisories.listing import Listing
from tidegate.advisories.statement import Kind
from tidegate.answers.age import Age, warned, with_age
from tidegate.answers.ubuntu_cve import Json, cve_of
from tidegate.answers.ubuntu_notice import cves_of, linked, notice_of
from tidegate.fleet.freshness import AgeLimits

CVES = "ubuntu-security-api"
NOTICES = "ubuntu-notices"
CVE_FEEDS = (CVES, "ubuntu-tracker", "ubuntu-osv", "ubuntu-vex")
NOTICE_FEEDS = (NOTICES, "ubuntu-osv")
LINKED_MAX = 2000
"""CVEs of one notice whose other notices are told; a kernel's notice has some 600."""
PACKAGES_OF_ONE_MAX = 200_000
"""Packages of the notices within a CVE, some 300 bytes each; a kernel's CVE has some 50,000."""
PACKAGES_OF_LIST_MAX = 20_000
"""Within all CVEs of a list. What is beyond is told by each CVE and each notice for itself."""

_REPEATED = frozenset({"cves", "releases", "related_notices"})
_JSON = msgspec.json.Decoder()


class SecurityApi:
    """The API's answers at one moment. Good for one request: it remembers what it has put together."""

    def __init__(self, history: History, age: Age, limits: AgeLimits, as_of: int | None = None) -> None:
        self._history = history
        self._age = age
        self._as_of = as_of
        self._limits = limits
        self._notices: dict[str, Json | None] = {}
        self._named: dict[str, list[str]] = {}
        self._packages_left = PACKAGES_OF_ONE_MAX
        self._states = {state.provenance.feed: state for state in history.feeds(as_of)}

    def cve(self, cve: str, *, show_hidden: bool = False) -> Json | None:
        """A CVE with its age; None where no feed has one of that name."""
        found = self._cve(cve, show_hidden=show_hidden)
        return None if found is None else with_age(found, self._age)

    def notice(self, notice: str, *, show_hidden: bool = False) -> Json | None:
        """A notice with its age."""
        found = self._notice(notice)
        if found is None or (found.get("is_hidden") is True and not show_hidden):
            return None
        return with_age(self._linked(found), self._age)

    def cves(self, listing: Listing, *, show_hidden: bool = False) -> Json:
        """A page of CVEs."""
        page = self._history.listed(listing, self._as_of)
        self._packages_left = PACKAGES_OF_LIST_MAX
        found = [self._cve(one.about, show_hidden=show_hidden) for one in page.listed]
        body = {"cves": [one for one in found if one], **_paging(listing, page.total)}
        return with_age(body, self._age)

    def notices(self, listing: Listing, *, show_hidden: bool = False) -> Json:
        """A page of notices."""
        page = self._history.listed(listing, self._as_of)
        found = [self._notice(one.about) for one in page.listed]
        shown = [one for one in found if one and (show_hidden or one.get("is_hidden") is not True)]
        return with_age({"notices": [self._linked(one) for one in shown], **_paging(listing, page.total)}, self._age)

    def _cve(self, cve: str, *, show_hidden: bool) -> Json | None:
        editions = [one for one in self._history.about(cve, self._as_of) if one.feed in CVE_FEEDS]
        if not editions or editions[0].record.kind is not Kind.CVE:
            return None
        body = self._as_published(editions, CVES)
        if body is None:
            ids = self._notices_of([cve]).get(cve, [])
            nested = [self._notice(identity) for identity in ids]
            body = cve_of(cve, editions, self._history.said(cve, self._as_of), ids)
            body["notices"] = [self._with_packages(one) for one in nested if one]
        notices = body.get("notices")
        shown = [one for one in notices if isinstance(one, dict)] if isinstance(notices, list) else []
        body["notices"] = [one for one in shown if show_hidden or one.get("is_hidden") is not True]
        for field in ("description", "ubuntu_description"):
            body[field] = warned(str(body.get(field) or ""), self._age)
        return body

    def _notice(self, identity: str) -> Json | None:
        """Without what links it to others, which is not asked for each time."""
        if identity not in self._notices:
            self._notices[identity] = self._read_notice(identity)
        return self._notices[identity]

    def _read_notice(self, identity: str) -> Json | None:
        editions = [one for one in self._history.about(identity, self._as_of) if one.feed in NOTICE_FEEDS]
        if not editions or editions[0].record.kind is not Kind.NOTICE:
            return None
        body = self._as_published(editions, NOTICES)
        if body is None:
            edition = editions[-1]  # by the feeds' names, `ubuntu-osv` is the last
            body = notice_of(edition, self._history.verbatim(edition.digest) or b"", self._age.at)
        for field in ("title", "summary", "description"):
            body[field] = warned(str(body.get(field) or ""), self._age)
        return body

    def _linked(self, notice: Json) -> Json:
        if isinstance(notice.get("cves"), list) and "related_notices" in notice:
            return notice
        return linked(notice, self._notices_of(cves_of(notice)[:LINKED_MAX]))

    def _notices_of(self, cves: Collection[str]) -> dict[str, list[str]]:
        """The notices on each of these CVEs, the newest first."""
        dated: dict[str, dict[str, int]] = {cve: {} for cve in cves if cve not in self._named}
        for one in self._history.naming(dated, Kind.NOTICE, self._as_of):
            if one.feed in NOTICE_FEEDS:
                dated[one.cve][one.about] = one.published or 0
        for cve, found in dated.items():
            self._named[cve] = [name for name, _ in sorted(found.items(), key=lambda pair: (-pair[1], pair[0]))]
        return {cve: self._named[cve] for cve in cves}

    def _with_packages(self, notice: Json) -> Json:
        """A notice within a CVE: what it repeats is left out, and beyond a bound which packages it updates as well."""
        nested = {name: value for name, value in notice.items() if name not in _REPEATED}
        packages = nested.get("release_packages")
        self._packages_left -= sum(map(len, packages.values())) if isinstance(packages, dict) else 0
        return nested if self._packages_left >= 0 else {**nested, "release_packages": {}}

    def _as_published(self, editions: Iterable[Edition], feed: str) -> Json | None:
        """What the API itself said, unless others are newer and it is old."""
        edition = next((one for one in editions if one.feed == feed), None)
        if edition is None or not self._is_current(feed, editions):
            return None
        data = self._history.verbatim(edition.digest)
        try:
            body = _JSON.decode(data or b"")
        except (msgspec.MsgspecError, UnicodeError, RecursionError):
            return None
        return body if isinstance(body, dict) else None

    def _is_current(self, feed: str, editions: Iterable[Edition]) -> bool:
        state = self._states.get(feed)
        if state is None:
            return False
        others = [self._states[one.feed] for one in editions if one.feed != feed and one.feed in self._states]
        young = self._age.at - state.confirmed_at <= self._limits.confirmed_max_s
        return young or all(_newer(state, other) for other in others)


def _newer(one: FeedState, other: FeedState) -> bool:
    return one.confirmed_at >= other.confirmed_at


def _paging(listing: Listing, total: int) -> Json:
    return {"offset": listing.offset, "limit": listing.limit, "total_results": total}

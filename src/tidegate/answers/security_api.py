"""Ubuntu's security API, answered from what is held: https://ubuntu.com/security/cves.json and notices.json.

What the API itself said is given as it said it, as long as it is not older than what the other feeds say; else it is
put together from those (`ubuntu_cve`, `ubuntu_notice`).
"""

from collections.abc import Iterable

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

_JSON = msgspec.json.Decoder()


class SecurityApi:
    """The API's answers at one moment. Good for one request: it remembers what it has put together."""

    def __init__(self, history: History, age: Age, limits: AgeLimits, as_of: int | None = None) -> None:
        self._history = history
        self._age = age
        self._as_of = as_of
        self._limits = limits
        self._notices: dict[str, Json | None] = {}
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
            ids = self._notices_of(cve)
            nested = [self._notice(identity) for identity in ids]
            body = cve_of(cve, editions, self._history.said(cve, self._as_of), ids)
            body["notices"] = [_nested(one) for one in nested if one]
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
        cves = cves_of(notice)[:LINKED_MAX]
        return linked(notice, {cve: self._notices_of(cve) for cve in cves})

    def _notices_of(self, cve: str) -> tuple[str, ...]:
        """The notices on a CVE, the newest first."""
        found = {
            one.record.id: one.record.published or 0
            for one in self._history.mentions(cve, self._as_of)
            if one.record.kind is Kind.NOTICE and one.feed in NOTICE_FEEDS and ("Hidden", "yes") not in one.record.facts
        }
        return tuple(sorted(found, key=lambda identity: (-found[identity], identity)))

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


def _nested(notice: Json) -> Json:
    """A notice as a CVE has it: without what it would repeat."""
    return {name: value for name, value in notice.items() if name not in ("cves", "releases", "related_notices")}


def _paging(listing: Listing, total: int) -> Json:
    return {"offset": listing.offset, "limit": listing.limit, "total_results": total}

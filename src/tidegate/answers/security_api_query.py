"""What Ubuntu's security API may be asked: its parameters, their bounds, and what it says to wrong ones."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from tidegate.advisories.listing import OFFSET_MAX, PRIORITIES, By, Listing
from tidegate.advisories.statement import Kind, Status
from tidegate.answers.security_api import CVE_FEEDS, NOTICE_FEEDS

LIMIT_MAX = 20
"""The API's own."""
VALUES_MAX = 100
"""Of one parameter."""
VALUE_CHARS_MAX = 2000

_STATUSES = {
    "released": (Status.RELEASED,),
    "needed": (Status.NEEDED, Status.AFFECTED),
    "not-affected": (Status.NOT_AFFECTED,),
    "deferred": (Status.DEFERRED,),
    "needs-triage": (Status.NEEDS_TRIAGE, Status.UNDETERMINED),
    "ignored": (Status.IGNORED,),
    "pending": (Status.PENDING,),
    "DNE": (),
}
_BOOLEANS = {"true": True, "t": True, "1": True, "yes": True, "false": False, "f": False, "0": False, "no": False}
T = TypeVar("T")
Query = Mapping[str, Sequence[str]]


@dataclass(frozen=True, slots=True)
class Asked:
    """What was asked for, in our terms. `nothing`: no record can be so."""

    listing: Listing
    show_hidden: bool = False
    nothing: bool = False


@dataclass(frozen=True, slots=True)
class Wrong:
    """Parameters that the API would not take, with what it says to each."""

    errors: Mapping[str, Sequence[str]]

    def body(self) -> dict[str, object]:
        """As the API answers, with status 422."""
        told = {name: list(what) for name, what in self.errors.items()}
        return {"message": "Invalid payload", "errors": str({"query": told})}


def cves_asked(query: Query) -> Asked | Wrong:
    """Of /security/cves.json. Parameters that it does not know, the API passes over, and so do we."""
    read = _Reading(query)
    statuses = [read.among("status", one, _STATUSES) for one in read.all("status") if one]
    wanted = tuple(dict.fromkeys(status for found in statuses if found for status in found))
    priorities = tuple(one for one in read.all("priority") if read.among("priority", one, dict.fromkeys(PRIORITIES, 1)))
    state = read.one("cve_status") or "active"
    if any(read.all("component")):
        read.fail("component", "Which component a package is in is not known here.")
    updated = read.among("sort_by", read.one("sort_by") or "published", {"published": False, "updated": True})
    by = By.PRIORITY if read.one("group_by") == "priority" else By.MODIFIED if updated else By.PUBLISHED
    listing = Listing(
        Kind.CVE,
        feeds=CVE_FEEDS,
        words=read.one("q"),
        package=read.one("package").lower(),
        releases=tuple(filter(None, read.all("version"))),
        statuses=wanted,
        priorities=priorities,
        by=by,
        oldest_first=read.one("order") in ("oldest", "ascending"),
        limit=read.limit(),
        offset=read.offset(),
    )
    nothing = state != "active" or (bool(statuses) and not wanted)
    return read.asked(listing, nothing=nothing)


def notices_asked(query: Query) -> Asked | Wrong:
    """Of /security/notices.json."""
    read = _Reading(query)
    order = read.among("order", read.one("order") or "newest", {"newest": False, "oldest": True})
    cves = [one.strip().upper() for one in read.one("cves").split(",") if one.strip()][:VALUES_MAX]
    if read.one("cve_id"):
        cves.append(read.one("cve_id").upper())
    listing = Listing(
        Kind.NOTICE,
        feeds=NOTICE_FEEDS,
        words=read.one("details"),
        releases=tuple(filter(None, [read.one("release")])),
        cves=tuple(dict.fromkeys(cves)),
        oldest_first=bool(order),
        limit=read.limit(),
        offset=read.offset(),
    )
    return read.asked(listing)


def hidden_asked(query: Query) -> Asked | Wrong:
    """Of a single record: only whether hidden notices are to be shown."""
    return _Reading(query).asked(Listing(Kind.NOTICE))


class _Reading:
    def __init__(self, query: Query) -> None:
        self._query = query
        self._errors: dict[str, list[str]] = {}

    def all(self, name: str) -> list[str]:
        values = list(self._query.get(name, ()))
        if len(values) > VALUES_MAX or any(len(one) > VALUE_CHARS_MAX for one in values):
            self.fail(name, f"More than {VALUES_MAX} values, or than {VALUE_CHARS_MAX} characters.")
            return []
        return values

    def one(self, name: str) -> str:
        return (self.all(name) or [""])[-1].strip()

    def fail(self, name: str, what: str) -> None:
        self._errors.setdefault(name, []).append(what)

    def among(self, name: str, value: str, choices: Mapping[str, T]) -> T | None:
        if value in choices:
            return choices[value]
        self.fail(name, "Invalid value.")
        return None

    def limit(self) -> int:
        return self._number("limit", 10, lambda value: 1 <= value <= LIMIT_MAX,
                            f"Must be greater than or equal to 1 and less than or equal to {LIMIT_MAX}.")  # fmt: skip

    def offset(self) -> int:
        return self._number("offset", 0, lambda value: 0 <= value <= OFFSET_MAX, "Not a valid integer.")

    def _number(self, name: str, default: int, fits: Callable[[int], bool], what: str) -> int:
        text = self.one(name)
        if not text:
            return default
        if not (text.isascii() and text.lstrip("-").isdigit() and len(text) < VALUES_MAX):
            self.fail(name, "Not a valid integer.")
            return default
        if not fits(int(text)):
            self.fail(name, what)
            return default
        return int(text)

    def asked(self, listing: Listing, *, nothing: bool = False) -> Asked | Wrong:
        hidden = self.one("show_hidden").lower()
        shown = self.among("show_hidden", hidden, _BOOLEANS) if hidden else False
        return Wrong(self._errors) if self._errors else Asked(listing, bool(shown), nothing)
